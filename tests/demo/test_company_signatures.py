"""The company signs its images, and its scanner reports on them, but for what is planted."""

from __future__ import annotations

from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from soc2.declared_images import RegistryHost
from soc2.demo.company.images import company_images, signatures
from soc2.demo.company.scans import scan_reports
from soc2.demo.company.weaknesses import weaknesses
from soc2.demo.signing import signing_key
from soc2.gather.registry.client import RegistryClient
from soc2.gather.registry.failure import Deadline
from soc2.gather.registry.signed_images import signatures_of
from soc2.gather.registry.signing_keys import SigningKey, read_key
from soc2.model.image_reference import parse_reference
from soc2.model.image_signatures import ImageSignatures
from tests.registry.server import Registry


def planted(check: str) -> list[str]:
    every = (expected for weakness in weaknesses("images") for expected in weakness.expected)
    return [expected.resource for expected in every if expected.check == check]


@pytest.mark.parametrize("variant", ["default", "compliant"])
def test_all_images_are_signed_but_those_that_are_planted(variant: str, tmp_path: Path) -> None:
    images = company_images(variant)
    sign, public = signing_key()
    (tmp_path / "cosign.pub").write_bytes(public)
    key = SigningKey("cosign.pub", "", read_key(tmp_path / "cosign.pub"))
    unsigned = []
    with Registry() as registry:
        for each in images.values():
            registry.add(each)
        for _, tag, signature in signatures(variant, images, sign):
            registry.add(signature)
            registry.manifests[tag] = (signature.manifest, signature.media_type)
        for name, each in images.items():
            reference = parse_reference(f"{name}@{each.digest}")
            host = RegistryHost(host=reference.registry, address=registry.address, insecure=True)
            client = RegistryClient(host, lambda: None)
            found = signatures_of(client, reference, [key], Deadline(20, "it"))
            client.close()
            assert isinstance(found, ImageSignatures)
            unsigned += [] if found.verified else [f"Image/{reference}"]
    expected = planted("running-images-signed") if variant == "default" else []
    assert len(unsigned) == len(expected)
    assert all(any(fnmatchcase(image, pattern) for image in unsigned) for pattern in expected)


@pytest.mark.parametrize(("variant", "missing"), [("default", 1), ("compliant", 0)])
def test_the_scanner_reports_on_all_images_but_what_is_planted(variant: str, missing: int) -> None:
    images = company_images(variant)
    reports = list(scan_reports(variant, images, datetime(2026, 6, 1, tzinfo=UTC)))
    digests = {each["report"]["artifact"]["digest"] for each in reports if each["kind"] == "VulnerabilityReport"}
    assert len({each.digest for each in images.values()} - digests) == missing
    assert len(reports) == 4 * (len(images) - missing)
