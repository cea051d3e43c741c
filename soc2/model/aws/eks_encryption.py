"""Which KMS key encrypts the Secrets of an EKS cluster, and whether it still does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.aws.compute import EksCluster
from soc2.model.aws.storage import Key
from soc2.model.deviation import Resource


@dataclass(frozen=True)
class EksEncryption:
    """A cluster with the key that is associated with it for Secrets: ``arn`` is empty without one, and ``key`` None where
    the listing of keys does not have it."""

    cluster: EksCluster
    arn: str = ""
    key: Key | None = None

    @property
    def resource(self) -> Resource:
        return self.cluster.resource

    @property
    def is_foreign(self) -> bool:
        """Tell whether the key is another account's, whose state only that account is told."""
        own = _account(self.cluster.arn)
        return bool(own) and _account(self.arn) != own


def eks_encryption(clusters: Iterable[EksCluster], keys: Iterable[Key]) -> Iterator[EksEncryption]:
    known = {key.arn: key for key in keys}
    for cluster in clusters:
        arns = [entry.provider.key_arn for entry in cluster.encryption_config if "secrets" in entry.resources]
        arn = next(filter(None, arns), "")
        yield EksEncryption(cluster, arn, known.get(arn))


def _account(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 4 else ""
