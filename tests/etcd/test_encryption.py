"""A declared configuration of encryption: what it does to Secrets, and that its keys are never kept."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
import yaml

from soc2.declared_etcd import Etcd
from soc2.evidence import EvidenceStore
from soc2.gather.etcd.encryption import DeclaredEncryption, configuration
from soc2.gather.source import Gatherer, Listing
from soc2.model.encryption import EncryptionConfiguration, Provider
from soc2.model.population import Cause
from soc2.rules.etcd import encryption_configured
from soc2.system import About, Kubernetes, System

KEY = "c2VjcmV0IGlzIHNlY3VyZQ=="
IDENTITY: dict[str, Any] = {"identity": {}}
AESCBC = {"aescbc": {"keys": [{"name": "key1", "secret": KEY}]}}
KMS = {"kms": {"apiVersion": "v2", "name": "aws", "endpoint": "unix:///run/kms.sock"}}


def document(*entries: tuple[list[str], list[dict[str, Any]]]) -> dict[str, Any]:
    resources = [{"resources": names, "providers": providers} for names, providers in entries]
    return {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": resources}


def messages(*entries: tuple[list[str], list[dict[str, Any]]]) -> list[str]:
    return [each.message for each in encryption_configured(configuration(document(*entries), "e.yaml"))]


@pytest.mark.parametrize("provider", [AESCBC, KMS, {"secretbox": AESCBC["aescbc"]}, {"aesgcm": AESCBC["aescbc"]}])
@pytest.mark.parametrize("names", [["secrets"], ["configmaps", "secrets"], ["*."], ["*.*"], ["secrets."]])
def test_what_encrypts_secrets(names: list[str], provider: dict[str, Any]) -> None:
    assert messages((names, [provider, IDENTITY])) == []
    assert messages((["events", "*.apps"], [IDENTITY]), (names, [provider])) == []
    assert messages((names, [IDENTITY])) == ["Secrets are stored as they are: identity stands first for secrets"]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([], "no entry names secrets"),
        ([(["*.apps", "secrets.example.com", "secret", "Secrets"], [AESCBC])], "no entry names secrets"),
        ([(["secrets"], [])], "the entry for secrets has no provider"),
        (
            [(["secrets"], [IDENTITY, AESCBC, KMS])],
            "identity stands first for secrets (aescbc, kms v2 behind it only reads what was encrypted before)",
        ),
        ([(["secrets"], [{"aescbc": {"keys": []}}])], "aescbc stands first for secrets, and has no key"),
        ([(["secrets"], [{"aescbc": {}}, AESCBC])], "aescbc stands first for secrets, and has no key"),
        ([(["secrets"], [{"kms": {"endpoint": "unix:///run/kms.sock"}}])], "kms v1 stands first for secrets, and has no key"),
    ],
)
def test_what_does_not(entries: list[tuple[list[str], list[dict[str, Any]]]], why: str) -> None:
    assert messages(*entries) == [f"Secrets are stored as they are: {why}"]


def test_the_first_entry_counts() -> None:
    good, bad = (["*.*"], [AESCBC]), (["secrets"], [IDENTITY])
    for first, second in product((good, bad), repeat=2):
        assert bool(messages(first, second)) is (first is bad)


def gathered(folder: Path, text: str) -> Listing[EncryptionConfiguration]:
    path = folder / "encryption.yaml"
    path.write_text(text)
    system = System(
        system=About(name="t", owner="t"), kubernetes=Kubernetes(cluster="t"), etcd=Etcd(encryption_config=str(path))
    )
    gatherer = Gatherer(system, _none, _none, EvidenceStore(folder / "evidence"))
    try:
        listing = gatherer.get(DeclaredEncryption())
    finally:
        gatherer.close()
    kept = b"".join(path.read_bytes() for path in (folder / "evidence").rglob("*") if path.is_file())
    assert KEY.encode() not in kept + msgspec.json.encode(listing.items)
    assert all(KEY not in str(status.problem) for status in listing.statuses)
    return listing


def _none() -> NoReturn:
    raise AssertionError("a file is no part of an API")


def test_names_are_kept_and_keys_are_not(tmp_path: Path) -> None:
    (found,) = gathered(tmp_path, yaml.safe_dump(document((["secrets"], [AESCBC, KMS, IDENTITY])))).items
    assert found.of_secrets == (Provider("aescbc", ("key1",)), Provider("kms v2", ("aws",)), Provider("identity"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kind: Secret",
        f"kind: EncryptionConfiguration\nresources: {KEY}",
        f"kind: EncryptionConfiguration\nresources: [{{resources: [secrets], providers: [{{{KEY}: 1}}]}}]",
        "kind: EncryptionConfiguration\nresources: [{resources: [secrets], providers: [{}]}]",
        "kind: EncryptionConfiguration\nresources: [{resources: [secrets], providers: [{identity: {}, aescbc: {}}]}]",
        f"a: [{KEY}",
        "\x00",
        "[" * 700,
    ],
)
def test_what_cannot_be_read_is_no_evidence(tmp_path: Path, text: str) -> None:
    listing = gathered(tmp_path, text)
    assert listing.items == ()
    assert [status.problem.cause for status in listing.statuses if status.problem] == [Cause.MALFORMED]
