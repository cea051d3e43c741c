"""What brings secrets from external stores into a cluster: the objects of several operators, with how they say they fare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from soc2.model.deviation import Resource
from soc2.model.kubernetes.meta import KubeObject, Record
from soc2.model.kubernetes.rbac import SecretMeta

_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Condition(Record, frozen=True):
    """Without its message: that may quote what a store answered."""

    type: str = ""
    status: str = ""
    reason: str = ""


class Target(Record, frozen=True):
    """The Secret that is made; without a name, it has that of its maker."""

    name: str = ""
    creation_policy: str = ""


class SyncSpec(Record, frozen=True):
    """``refresh_interval`` is a duration of Go's; an operator has a default for what is not set."""

    target: Target | None = None
    refresh_interval: str | None = None
    refresh_policy: str = ""


class SyncStatus(Record, frozen=True):
    conditions: tuple[Condition, ...] | None = None
    refresh_time: datetime | None = None
    valid: bool | None = None
    mounted: bool | None = None
    last_generation: int = 0


class SyncedObject(KubeObject, frozen=True):
    """``HEALTHY`` are the conditions that have to be true, as far as they are told at all."""

    HEALTHY: ClassVar[tuple[str, ...]] = ("Ready",)

    spec: SyncSpec | None = None
    status: SyncStatus | None = None

    @property
    def complaint(self) -> str:
        """Return in words why it does not do its work, or nothing where it says that it does."""
        status = self.status or SyncStatus()
        told = [each for each in status.conditions or () if each.type in self.HEALTHY]
        bad = [each for each in told if each.status != "True"]
        if bad:
            return f"its condition {bad[0].type} is {bad[0].status or 'not set'} ({bad[0].reason or 'without a reason'})"
        if False in (status.valid, status.mounted):
            return "its status says that it is not valid" if status.valid is False else "its volume is not mounted"
        works = told or status.valid or status.mounted or status.last_generation > 0
        return "" if works else "nothing says that it works: its operator may not run"

    @property
    def brings_secrets(self) -> bool:
        """Tell whether Secrets come of it; stores and the like only lead there."""
        return self.KIND in _REFRESHED

    @property
    def interval(self) -> timedelta | None:
        """Return how often it is refreshed, or None where it is refreshed when it is changed only."""
        spec = self.spec or SyncSpec()
        if spec.refresh_policy in ("CreatedOnce", "OnChange"):
            return None
        if spec.refresh_interval is None:
            return timedelta(hours=1)
        if spec.refresh_interval.startswith("-"):
            return None
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(spec.refresh_interval))
        return timedelta(seconds=min(seconds, 1e9)) if seconds > 0 else None


class ExternalSecret(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "ExternalSecret"


class ClusterExternalSecret(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "ClusterExternalSecret"


class PushSecret(SyncedObject, frozen=True):
    """Brings a Secret of the cluster into a store."""

    KIND: ClassVar[str] = "PushSecret"


class SecretStore(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "SecretStore"


class ClusterSecretStore(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "ClusterSecretStore"


class SecretProviderClassPodStatus(SyncedObject, frozen=True):
    """A volume of the Secrets Store CSI driver in one pod."""

    KIND: ClassVar[str] = "SecretProviderClassPodStatus"
    HEALTHY: ClassVar[tuple[str, ...]] = ()


class SealedSecret(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "SealedSecret"
    HEALTHY: ClassVar[tuple[str, ...]] = ("Synced",)


_VAULT = ("Ready", "Healthy", "SecretSynced")


class VaultStaticSecret(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "VaultStaticSecret"
    HEALTHY: ClassVar[tuple[str, ...]] = _VAULT


class VaultDynamicSecret(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "VaultDynamicSecret"
    HEALTHY: ClassVar[tuple[str, ...]] = _VAULT


class VaultPkiSecret(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "VaultPKISecret"
    HEALTHY: ClassVar[tuple[str, ...]] = _VAULT


class VaultAuth(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "VaultAuth"
    HEALTHY: ClassVar[tuple[str, ...]] = _VAULT


class VaultConnection(SyncedObject, frozen=True):
    KIND: ClassVar[str] = "VaultConnection"
    HEALTHY: ClassVar[tuple[str, ...]] = _VAULT


_REFRESHED = ("ExternalSecret",)
"""Kinds whose status tells when they were refreshed."""

_STORE_OWNERS = frozenset({"ExternalSecret", "VaultStaticSecret", "VaultDynamicSecret", "VaultPKISecret"})
"""Kinds that own the Secrets that they make of what a store has."""

_CSI_LABEL = "secrets-store.csi.k8s.io/managed"

NOBODY = "nothing that fetches secrets from there made it"
SEALED = "a SealedSecret made it, whose value stands in a repository and never rotates"
UNMOUNTED = "its label says that the CSI driver made it, which has no volume in the namespace"


@dataclass(frozen=True)
class SecretOrigin:
    """A Secret, with why it cannot be said that it comes from an external store; empty where it does."""

    secret: SecretMeta
    why: str

    @property
    def resource(self) -> Resource:
        return self.secret.resource


def secret_origins(
    secrets: Iterable[SecretMeta], external: Iterable[SyncedObject], volumes: Iterable[SyncedObject]
) -> Iterator[SecretOrigin]:
    """``volumes`` are those of the CSI driver, which makes Secrets for as long as one is mounted only."""
    mounted = {each.namespace for each in volumes}
    left = {place for each in external if (place := _left_to(each))}
    for secret in secrets:
        owners = {owner.kind for owner in secret.metadata.owner_references}
        why = NOBODY
        if owners & _STORE_OWNERS or (secret.namespace, secret.name) in left:
            why = ""
        elif secret.labels.get(_CSI_LABEL) == "true":
            why = "" if secret.namespace in mounted else UNMOUNTED
        elif "SealedSecret" in owners:
            why = SEALED
        yield SecretOrigin(secret, why)


def _left_to(external: SyncedObject) -> tuple[str, str] | None:
    """Return the Secret that an ExternalSecret makes without owning it."""
    target = external.spec.target if external.spec else None
    if target is None or target.creation_policy != "Orphan":
        return None
    return external.namespace, target.name or external.name
