"""The configuration of encryption of API servers, by names only."""

from __future__ import annotations

import msgspec

from soc2.model.deviation import Resource

# All ways to name Secrets: themselves, all of their group, which has no name, and all there is.
_SECRETS = frozenset({"secrets", "secrets.", "*.", "*.*"})


class Provider(msgspec.Struct, frozen=True):
    """``name`` is identity, aescbc, aesgcm, secretbox, ``kms v1`` or ``kms v2``; ``keys`` are names."""

    name: str
    keys: tuple[str, ...] = ()


class EncryptedResources(msgspec.Struct, frozen=True):
    resources: tuple[str, ...]
    providers: tuple[Provider, ...]


class EncryptionConfiguration(msgspec.Struct, frozen=True):
    """Of several entries that name a resource, the first counts; what is written goes through its first provider."""

    name: str
    entries: tuple[EncryptedResources, ...]

    @property
    def resource(self) -> Resource:
        return Resource("EncryptionConfiguration", self.name)

    @property
    def of_secrets(self) -> tuple[Provider, ...] | None:
        """Return the providers of Secrets in their order, or None where no entry is about Secrets."""
        return next((each.providers for each in self.entries if _SECRETS.intersection(each.resources)), None)
