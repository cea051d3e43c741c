"""Reads the configuration of encryption that the owner declares as that of the API servers: no API shows the one in use.

Such a file may hold keys. Only the names of resources, providers and keys are decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from soc2.gather.codec import canonical
from soc2.gather.source import Gatherer, Listing
from soc2.model.encryption import EncryptedResources, EncryptionConfiguration, Provider
from soc2.model.population import Cause, Problem


class _Key(msgspec.Struct):
    name: str


class _Keys(msgspec.Struct):
    keys: list[_Key] | None = None


class _Plugin(msgspec.Struct, rename="camel"):
    name: str = ""
    api_version: str = "v1"


class _Provider(msgspec.Struct, forbid_unknown_fields=True):
    aesgcm: _Keys | None = None
    aescbc: _Keys | None = None
    secretbox: _Keys | None = None
    kms: _Plugin | None = None
    identity: dict[str, Any] | None = None

    @property
    def told(self) -> Provider:
        """Raises ValueError where it is none, or several."""
        (name,) = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        given = getattr(self, name)
        if isinstance(given, _Plugin):
            return Provider(f"kms {given.api_version}", (given.name,) if given.name else ())
        return Provider(name, tuple(key.name for key in given.keys or ()) if isinstance(given, _Keys) else ())


class _Entry(msgspec.Struct):
    resources: list[str]
    providers: list[_Provider]


class _Configuration(msgspec.Struct, tag_field="kind", tag="EncryptionConfiguration"):
    resources: list[_Entry]


@dataclass(frozen=True)
class DeclaredEncryption:
    """What the file under ``[etcd] encryption_config`` says; nothing when none is declared."""

    name: str = "encryption configuration"

    def gather(self, gatherer: Gatherer) -> Listing[EncryptionConfiguration]:
        path = gatherer.system.etcd.encryption_config
        if path is None or gatherer.system.kubernetes.absent:
            return Listing((), (), gatherer.system.kubernetes.absent)
        started = datetime.now(UTC)
        found: tuple[EncryptionConfiguration, ...] = ()
        problem = None
        try:
            found = (configuration(yaml.safe_load(Path(path).read_bytes()), Path(path).name),)
        except (OSError, yaml.YAMLError, ValueError, RecursionError):
            # Their own words might quote the file, which holds keys.
            problem = Problem(Cause.MALFORMED, f"{path} cannot be read as an EncryptionConfiguration")
        status = gatherer.evidence.answered(
            self.name,
            f"read {Path(path).name}",
            identity="the caller",
            started=started,
            pages=1,
            items=len(found),
            sha256=gatherer.evidence.keep(canonical(found)),
            problem=problem,
        )
        return Listing(found, (status,))


def configuration(document: Any, name: str) -> EncryptionConfiguration:
    """Take the names from a document. Raises ValueError, and its kind msgspec.ValidationError."""
    entries = msgspec.convert(document, _Configuration).resources
    told = [EncryptedResources(tuple(each.resources), tuple(one.told for one in each.providers)) for each in entries]
    return EncryptionConfiguration(name, tuple(told))
