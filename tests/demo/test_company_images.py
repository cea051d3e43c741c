"""The company's images: what runs is what is in the registry, and what is planted is found in them and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from soc2.declared_images import Registries, RegistryHost
from soc2.demo.company.cluster import objects
from soc2.demo.company.images import company_images, image_ids
from soc2.demo.company.weaknesses import weaknesses
from soc2.gather.registry.assembly import assembled
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.pulling import Puller
from soc2.model.image_content import ImageContent, ImageUse, RunningImage
from soc2.model.image_reference import ImageReference, parse_reference
from soc2.rules import image_content
from tests.registry.pulling import SECRETS
from tests.registry.server import Registry

RULES = {
    "images-without-secrets": image_content.without_secrets,
    "images-without-malware": image_content.without_malware,
    "images-without-privileged-files": image_content.without_privileged_files(()),
    "images-do-not-run-as-root": image_content.not_as_root,
}


def named(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        if isinstance(item.get("image"), str):
            yield item["image"]
        for value in item.values():
            yield from named(value)
    elif isinstance(item, list):
        for value in item:
            yield from named(value)


@pytest.mark.parametrize("variant", ["default", "compliant"])
def test_every_image_that_pods_name_is_in_the_registry(variant: str) -> None:
    images = company_images(variant)
    digests = {f"{name}@{each.digest}" for name, each in images.items()}
    ids = image_ids(images)
    assert {ids.get(name, name) for name in named(objects(variant))} <= digests


@pytest.mark.parametrize("variant", ["default", "compliant"])
def test_what_is_planted_is_found(variant: str) -> None:
    every = [expected for weakness in weaknesses("images") for expected in weakness.expected]
    planted = [expected for expected in every if expected.check in RULES] * (variant == "default")
    found = [
        (check, str(deviation.resource))
        for content in contents(variant)
        for check, rule in RULES.items()
        for deviation in rule(RunningImage(content, (used(content),)))
    ]
    assert len(found) == len(planted)
    for expected in planted:
        assert [check for check, resource in found if expected.matches(resource)] == [expected.check]


def used(content: ImageContent) -> ImageUse:
    return ImageUse(image=content.name, pod="team/pod", container="main", as_image_user=True)


def contents(variant: str) -> Iterator[ImageContent]:
    images = company_images(variant)
    wanted: dict[ImageReference, frozenset[str]] = {}
    with Registry() as registry:
        for name, each in images.items():
            wanted[parse_reference(f"{name}@{registry.add(each)}")] = frozenset()
        hosts = {reference.registry for reference in wanted}
        reached = tuple(RegistryHost(host=host, address=registry.address, insecure=True) for host in sorted(hosts))
        puller = Puller(Registries(hosts=reached), lambda _: None, None, Inspector(image_rules(), SECRETS))
        pulled = puller.pull(wanted)
        puller.close()
    for found in pulled:
        assert found.problems == ()
        yield from (assembled(str(found.reference), manifest, found.facts, SECRETS) for manifest in found.manifests)
