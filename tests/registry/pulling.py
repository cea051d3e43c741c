"""Pulls from a registry of the tests, as the source does."""

from __future__ import annotations

import tarfile
from typing import Any

from soc2.declared_images import Registries, RegistryHost, RegistryLimits
from soc2.demo.images import File, Image, image
from soc2.detectors.secrets import Scanner
from soc2.gather.registry.assembly import assembled
from soc2.gather.registry.credentials import Login
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.kept import KeptFacts
from soc2.gather.registry.pulling import Pulled, Puller
from soc2.gather.registry.secrets import ScannedSecrets
from soc2.model.image_content import ImageContent
from soc2.model.image_reference import ImageReference
from tests.registry.server import PASSWORD, USER, Registry

HOST = "registry.example"
PROGRAM = File(path="usr/bin/app", content=b"\x7fELF and so on", mode=0o755)
SECRETS = ScannedSecrets(Scanner())
# The test file for scanners, made when it is needed: it stands nowhere as it is.
_EICAR = (
    "721f650b7a0f6a6b7a711e767a70721f1e027a74031d6969031d570e6f63696b7807"
    "797e6b646e6b786e076b647e637c63787f79077e6f797e076c63666f0b0e62016200"
)
EICAR = bytes(byte ^ 0x2A for byte in bytes.fromhex(_EICAR))


def reference(digest: str) -> ImageReference:
    return ImageReference(HOST, "team/app", digest=digest)


LOGIN = Login(USER, PASSWORD)


def puller(registry: Registry, *, login: Login | None = LOGIN, kept: KeptFacts | None = None, **limits: Any) -> Puller:
    host = RegistryHost(host=HOST, address=registry.address, insecure=True)
    registries = Registries(hosts=(host,), limits=RegistryLimits(**limits))
    return Puller(registries, lambda _: login, kept, Inspector(image_rules(), SECRETS))


def pull(registry: Registry, *images: Image, platforms: frozenset[str] = frozenset(), **options: Any) -> list[Pulled]:
    """Pull images that a registry has, together."""
    pulling = puller(registry, **options)
    try:
        return pulling.pull({reference(registry.add(each)): platforms for each in images})
    finally:
        pulling.close()


def problems(registry: Registry, *images: Image, **options: Any) -> list[str]:
    """Return what is told of an image that cannot be read."""
    return [str(problem) for each in pull(registry, *images, **options) for problem in each.problems]


def content(*layers: Any, config: dict[str, Any] | None = None, **options: Any) -> ImageContent:
    """Return what is in an image of these layers, which can be read."""
    with Registry() as registry:
        (pulled,) = pull(registry, image(layers, config, **options))
    assert not pulled.problems
    (manifest,) = pulled.manifests
    return assembled(str(pulled.reference), manifest, pulled.facts, SECRETS)


def link(path: str, target: str, kind: bytes = tarfile.SYMTYPE) -> File:
    return File(path=path, kind=kind, target=target)
