"""The AWS operations that tell whether stores of data take connections without TLS."""

from __future__ import annotations

from soc2.gather.aws.calls import AwsDetail, AwsList
from soc2.gather.aws.sources import DB_INSTANCES
from soc2.model.aws import databases
from soc2.model.aws.storage import DbInstance

DB_CLUSTERS = AwsList("db clusters", "rds", "describe_db_clusters", "DBClusters", databases.DbCluster)


def _group(instance: DbInstance) -> str:
    return instance.parameter_groups[0].name if instance.parameter_groups else ""


DB_PARAMETERS = AwsDetail(
    "db parameters",
    "rds",
    "describe_db_parameters",
    "Parameters",
    databases.DbParameter,
    DB_INSTANCES,
    _group,
    lambda each: (
        {"DBParameterGroupName": _group(each)}
        if _group(each) and not each.cluster and databases.parameter_of(each.engine)
        else None
    ),
)
CLUSTER_PARAMETERS = AwsDetail(
    "db cluster parameters",
    "rds",
    "describe_db_cluster_parameters",
    "Parameters",
    databases.DbParameter,
    DB_CLUSTERS,
    lambda each: each.parameter_group,
    lambda each: (
        {"DBClusterParameterGroupName": each.parameter_group}
        if each.parameter_group and databases.parameter_of(each.engine)
        else None
    ),
)
REPLICATION_GROUPS = AwsList(
    "cache replication groups",
    "elasticache",
    "describe_replication_groups",
    "ReplicationGroups",
    databases.ReplicationGroup,
)
CACHE_CLUSTERS = AwsList("cache clusters", "elasticache", "describe_cache_clusters", "CacheClusters", databases.CacheCluster)
KAFKA_CLUSTERS = AwsList("kafka clusters", "kafka", "list_clusters_v2", "ClusterInfoList", databases.KafkaCluster)
DOMAIN_NAMES = AwsList("search domain names", "opensearch", "list_domain_names", "DomainNames", databases.DomainName)
SEARCH_DOMAINS = AwsDetail(
    "search domains",
    "opensearch",
    "describe_domain",
    "DomainStatus",
    databases.SearchDomain,
    DOMAIN_NAMES,
    lambda each: each.domain_name,
    lambda each: {"DomainName": each.domain_name},
)
DATABASES = (DB_INSTANCES, DB_CLUSTERS, DB_PARAMETERS, CLUSTER_PARAMETERS)
OTHERS = (REPLICATION_GROUPS, CACHE_CLUSTERS, KAFKA_CLUSTERS, SEARCH_DOMAINS)
