"""Databases, caches, brokers and search domains, with what tells whether they take connections without TLS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import field

from soc2.model.aws.base import PascalRecord, aws_resource
from soc2.model.aws.storage import DbInstance
from soc2.model.deviation import Resource


class ClusterMember(msgspec.Struct, frozen=True, rename="pascal"):
    parameters: str = field(default="", name="DBClusterParameterGroupStatus")


class DbCluster(PascalRecord, frozen=True):
    """``parameter_group`` is the name of the cluster's own."""

    identifier: str = field(default="", name="DBClusterIdentifier")
    engine: str = ""
    parameter_group: str = field(default="", name="DBClusterParameterGroup")
    members: tuple[ClusterMember, ...] = field(default=(), name="DBClusterMembers")

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::RDS::DBCluster", self.identifier)


class DbParameter(PascalRecord, frozen=True):
    """One parameter of a group, whose name is ``parent_key``."""

    parameter_name: str = ""
    parameter_value: str | None = None


class ReplicationGroup(PascalRecord, frozen=True):
    replication_group_id: str = ""
    transit_encryption_enabled: bool = False
    transit_encryption_mode: str = ""


class CacheCluster(PascalRecord, frozen=True):
    """A cache by itself, or (with ``replication_group_id``) a member of a group."""

    cache_cluster_id: str = ""
    replication_group_id: str = ""
    transit_encryption_enabled: bool = False
    transit_encryption_mode: str = ""


class InTransit(msgspec.Struct, frozen=True, rename="pascal"):
    client_broker: str = ""
    in_cluster: bool = False


class BrokerEncryption(msgspec.Struct, frozen=True, rename="pascal"):
    encryption_in_transit: InTransit = InTransit()


class Provisioned(msgspec.Struct, frozen=True, rename="pascal"):
    encryption_info: BrokerEncryption = BrokerEncryption()


class KafkaCluster(PascalRecord, frozen=True):
    """One without ``provisioned`` is serverless, and takes TLS only."""

    cluster_name: str = ""
    provisioned: Provisioned | None = None


class DomainName(PascalRecord, frozen=True):
    domain_name: str = ""


class EndpointOptions(msgspec.Struct, frozen=True):
    enforce_https: bool = field(default=False, name="EnforceHTTPS")


class NodeToNode(msgspec.Struct, frozen=True, rename="pascal"):
    enabled: bool = False


class SearchDomain(PascalRecord, frozen=True):
    domain_name: str = ""
    domain_endpoint_options: EndpointOptions = EndpointOptions()
    node_to_node_encryption_options: NodeToNode = NodeToNode()


@dataclass(frozen=True)
class TransitStore:
    """A store of data; ``gap`` says in words by what it takes connections without TLS, and is empty when it does not.
    ``unknown`` says why that cannot be told."""

    resource: Resource
    gap: str = ""
    unknown: str = ""


_FORCED = ("1", "on", "true")
# By how the engine's name begins: the parameter that forces TLS and the values that do not.
_PARAMETERS: tuple[tuple[str, str], ...] = (
    ("aurora-postgresql", "rds.force_ssl"),
    ("aurora-mysql", "require_secure_transport"),
    ("postgres", "rds.force_ssl"),
    ("sqlserver", "rds.force_ssl"),
    ("mysql", "require_secure_transport"),
    ("mariadb", "require_secure_transport"),
    ("docdb", "tls"),
    ("neptune", "neptune_enforce_ssl"),
)


def parameter_of(engine: str) -> str:
    """Return the parameter by which an engine forces TLS, or nothing for engines that force it by something else."""
    return next((name for prefix, name in _PARAMETERS if engine.startswith(prefix)), "")


def database_stores(
    instances: Iterable[DbInstance],
    clusters: Iterable[DbCluster],
    parameters: Iterable[DbParameter],
    cluster_parameters: Iterable[DbParameter],
) -> Iterator[TransitStore]:
    """Yield every database; an instance of a cluster counts with its cluster."""
    of_instances, of_clusters = _values(parameters), _values(cluster_parameters)
    for cluster in clusters:
        values = of_clusters.get((cluster.source_region, cluster.parameter_group))
        applied = [member.parameters for member in cluster.members]
        yield _database(cluster.resource, cluster.engine, cluster.parameter_group, values, applied)
    for instance in instances:
        if not instance.cluster:
            # RDS gives an instance exactly one group.
            name = instance.parameter_groups[0].name if instance.parameter_groups else ""
            values = of_instances.get((instance.source_region, name))
            applied = [group.status for group in instance.parameter_groups]
            yield _database(instance.resource, instance.engine, name, values, applied)


def _values(parameters: Iterable[DbParameter]) -> dict[tuple[str, str], dict[str, str | None]]:
    found: dict[tuple[str, str], dict[str, str | None]] = {}
    for each in parameters:
        found.setdefault((each.source_region, each.parent_key), {})[each.parameter_name] = each.parameter_value
    return found


_APPLIES = {
    "pending-reboot": "takes effect with the next restart",
    "pending-database-upgrade": "takes effect with the next upgrade",
    "applying": "is only being applied",
    "failed-to-apply": "could not be applied",
}
"""What RDS says of a group of parameters that does not count yet."""


def _database(
    resource: Resource, engine: str, group: str, values: dict[str, str | None] | None, applied: Iterable[str]
) -> TransitStore:
    name = parameter_of(engine)
    if not name:
        return TransitStore(resource, unknown=engine)
    if values is None:
        # Every group has parameters, those of AWS as well.
        return TransitStore(resource, unknown=f"the parameters of {group} are not shown" if group else "no parameter group")
    value = (values.get(name) or "").lower()
    # DocumentDB names the oldest version instead, or the kind of module.
    forced = value not in ("", "disabled") if engine.startswith("docdb") else value in _FORCED
    if not forced:
        return TransitStore(resource, f"{name} is {value or 'not set'} in {group}")
    waits = next((_APPLIES[status] for status in applied if status in _APPLIES), "")
    return TransitStore(resource, f"{name} of {group} {waits}" if waits else "")


def other_stores(
    groups: Iterable[ReplicationGroup],
    caches: Iterable[CacheCluster],
    brokers: Iterable[KafkaCluster],
    domains: Iterable[SearchDomain],
) -> Iterator[TransitStore]:
    """Yield caches, brokers and search domains."""
    for group in groups:
        yield TransitStore(aws_resource("AWS::ElastiCache::ReplicationGroup", group.replication_group_id), _cache_gap(group))
    for cache in caches:
        if not cache.replication_group_id:
            yield TransitStore(aws_resource("AWS::ElastiCache::CacheCluster", cache.cache_cluster_id), _cache_gap(cache))
    for broker in brokers:
        yield TransitStore(aws_resource("AWS::MSK::Cluster", broker.cluster_name), _broker_gap(broker.provisioned))
    for domain in domains:
        gaps = [
            words
            for words, on in (
                ("it takes plain HTTP (EnforceHTTPS)", domain.domain_endpoint_options.enforce_https),
                ("its nodes talk without TLS (NodeToNodeEncryption)", domain.node_to_node_encryption_options.enabled),
            )
            if not on
        ]
        yield TransitStore(aws_resource("AWS::OpenSearchService::Domain", domain.domain_name), ", and ".join(gaps))


def _cache_gap(cache: Any) -> str:
    if not cache.transit_encryption_enabled:
        return "encryption in transit is off"
    # For the time of a migration, a cache takes both.
    return (
        "it takes plain text besides TLS (TransitEncryptionMode preferred)"
        if cache.transit_encryption_mode == "preferred"
        else ""
    )


def _broker_gap(provisioned: Provisioned | None) -> str:
    if provisioned is None:
        return ""
    transit = provisioned.encryption_info.encryption_in_transit
    if transit.client_broker != "TLS":
        return f"clients talk to its brokers by {transit.client_broker or 'something that is not told'}"
    return "" if transit.in_cluster else "its brokers talk to each other without TLS"
