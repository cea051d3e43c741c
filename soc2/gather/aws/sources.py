"""The AWS operations that checks ask for. Each is asked once in a run, and only when a selected check needs it."""

from __future__ import annotations

from typing import Any

from soc2.gather.aws.calls import AwsDetail, AwsList
from soc2.gather.aws.credential_report import CredentialReport
from soc2.gather.aws.service_control import ServiceControl
from soc2.model.aws import compute, iam, literals, monitoring, networks, storage, transit

ACCOUNT_SUMMARY = AwsList("account summary", "iam", "get_account_summary", "", iam.AccountSummary, regional=False)
AUTHORIZATION_DETAILS = AwsList(
    "authorization details",
    "iam",
    "get_account_authorization_details",
    "",
    iam.AuthorizationDetails,
    regional=False,
    parameters={"Filter": ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"]},
)
CREDENTIAL_REPORT = CredentialReport()
SERVICE_CONTROL = ServiceControl()

INSTANCES = AwsList("instances", "ec2", "describe_instances", "Reservations.Instances", compute.Instance)
VOLUMES = AwsList("volumes", "ec2", "describe_volumes", "Volumes", compute.Volume)
SECURITY_GROUPS = AwsList("security groups", "ec2", "describe_security_groups", "SecurityGroups", compute.SecurityGroup)
INTERFACES = AwsList("network interfaces", "ec2", "describe_network_interfaces", "NetworkInterfaces", compute.NetworkInterface)
PREFIX_LISTS = AwsList("prefix lists", "ec2", "describe_managed_prefix_lists", "PrefixLists", networks.PrefixList)
PREFIX_ENTRIES = AwsDetail(
    "networks of prefix lists",
    "ec2",
    "get_managed_prefix_list_entries",
    "Entries",
    networks.PrefixEntry,
    PREFIX_LISTS,
    lambda each: each.prefix_list_id,
    lambda each: None if each.of_a_service else {"PrefixListId": each.prefix_list_id},
)
ELASTIC_IPS = AwsList("elastic addresses", "ec2", "describe_addresses", "Addresses", networks.ElasticIp)
ROUTE_TABLES = AwsList("route tables", "ec2", "describe_route_tables", "RouteTables", networks.RouteTable)
VPCS = AwsList("vpcs", "ec2", "describe_vpcs", "Vpcs", compute.Vpc)
FLOW_LOGS = AwsList("flow logs", "ec2", "describe_flow_logs", "FlowLogs", compute.FlowLog)
REPOSITORIES = AwsList("ecr repositories", "ecr", "describe_repositories", "repositories", compute.Repository)
CLUSTER_NAMES = AwsList("eks cluster names", "eks", "list_clusters", "clusters", compute.ClusterName)
EKS_CLUSTERS = AwsDetail(
    "eks clusters",
    "eks",
    "describe_cluster",
    "cluster",
    compute.EksCluster,
    CLUSTER_NAMES,
    lambda name: name.value,
    lambda name: {"name": name.value},
)
ACCESS_ENTRIES = AwsDetail(
    "eks access entries",
    "eks",
    "list_access_entries",
    "accessEntries",
    compute.AccessEntry,
    CLUSTER_NAMES,
    lambda name: name.value,
    lambda name: {"clusterName": name.value},
)

ANALYZERS = AwsList("access analyzers", "accessanalyzer", "list_analyzers", "analyzers", iam.Analyzer)
UNUSED_ACCESS = AwsDetail(
    "unused access findings",
    "accessanalyzer",
    "list_findings_v2",
    "findings",
    iam.AccessFinding,
    ANALYZERS,
    lambda analyzer: analyzer.arn,
    lambda analyzer: (
        {"analyzerArn": analyzer.arn, "filter": {"status": {"eq": ["ACTIVE"]}}} if analyzer.finds_unused_access else None
    ),
)

ACCESS_ENTRY_DETAILS = AwsDetail(
    "eks access entry details",
    "eks",
    "describe_access_entry",
    "accessEntry",
    compute.AccessEntryDetail,
    ACCESS_ENTRIES,
    lambda entry: entry.value,
    lambda entry: {"clusterName": entry.parent_key, "principalArn": entry.value},
)
ACCESS_POLICIES = AwsDetail(
    "eks access policies",
    "eks",
    "list_associated_access_policies",
    "",
    compute.EntryPolicies,
    ACCESS_ENTRIES,
    lambda entry: entry.value,
    lambda entry: {"clusterName": entry.parent_key, "principalArn": entry.value},
)
POD_IDENTITY_IDS = AwsDetail(
    "eks pod identity ids",
    "eks",
    "list_pod_identity_associations",
    "associations",
    compute.PodIdentityId,
    CLUSTER_NAMES,
    lambda name: name.value,
    lambda name: {"clusterName": name.value},
)
POD_IDENTITIES = AwsDetail(
    "eks pod identities",
    "eks",
    "describe_pod_identity_association",
    "association",
    compute.PodIdentity,
    POD_IDENTITY_IDS,
    lambda item: item.association_id,
    lambda item: {"clusterName": item.cluster_name, "associationId": item.association_id},
)

BUCKETS = AwsList("buckets", "s3", "list_buckets", "Buckets", storage.Bucket, regional=False)


def _of_bucket(name: str, operation: str, result: str, kind: type[Any], absent: str = "") -> AwsDetail[Any, Any]:
    codes = frozenset({absent} if absent else ())
    return AwsDetail(name, "s3", operation, result, kind, BUCKETS, _bucket_name, _bucket_parameter, codes)


def _bucket_name(bucket: storage.Bucket) -> str:
    return bucket.name


def _bucket_parameter(bucket: storage.Bucket) -> dict[str, Any]:
    return {"Bucket": bucket.name}


BUCKET_ENCRYPTION = _of_bucket(
    "bucket encryption",
    "get_bucket_encryption",
    "ServerSideEncryptionConfiguration",
    storage.BucketEncryption,
    "ServerSideEncryptionConfigurationNotFoundError",
)
BUCKET_TAGS = _of_bucket("bucket tags", "get_bucket_tagging", "", storage.BucketTags, "NoSuchTagSet")
BUCKET_POLICIES = _of_bucket("bucket policies", "get_bucket_policy", "", storage.BucketPolicy, "NoSuchBucketPolicy")
PUBLIC_ACCESS_BLOCKS = _of_bucket(
    "public access blocks",
    "get_public_access_block",
    "PublicAccessBlockConfiguration",
    storage.PublicAccessBlock,
    "NoSuchPublicAccessBlockConfiguration",
)
ACCOUNT_BLOCK = AwsList(
    "public access block of the account",
    "s3control",
    "get_public_access_block",
    "PublicAccessBlockConfiguration",
    storage.PublicAccessBlock,
    regional=False,
    absent=frozenset({"NoSuchPublicAccessBlockConfiguration"}),
    account="AccountId",
)

DB_INSTANCES = AwsList("db instances", "rds", "describe_db_instances", "DBInstances", storage.DbInstance)
DB_SNAPSHOTS = AwsList(
    "db snapshots",
    "rds",
    "describe_db_snapshots",
    "DBSnapshots",
    storage.DbSnapshot,
    parameters={"SnapshotType": "manual"},
)
TABLE_NAMES = AwsList("dynamodb table names", "dynamodb", "list_tables", "TableNames", storage.TableName)
TABLES = AwsDetail(
    "dynamodb tables",
    "dynamodb",
    "describe_table",
    "Table",
    storage.Table,
    TABLE_NAMES,
    lambda name: name.value,
    lambda name: {"TableName": name.value},
)
TABLE_TAGS = AwsDetail(
    "dynamodb tags",
    "dynamodb",
    "list_tags_of_resource",
    "",
    storage.TableTags,
    TABLES,
    lambda table: table.table_name,
    lambda table: {"ResourceArn": table.table_arn},
)
CONTINUOUS_BACKUPS = AwsDetail(
    "dynamodb backups",
    "dynamodb",
    "describe_continuous_backups",
    "ContinuousBackupsDescription",
    storage.ContinuousBackups,
    TABLE_NAMES,
    lambda name: name.value,
    lambda name: {"TableName": name.value},
)
KEY_NAMES = AwsList("kms key names", "kms", "list_keys", "Keys", storage.KeyName)
KEYS = AwsDetail(
    "kms keys",
    "kms",
    "describe_key",
    "KeyMetadata",
    storage.Key,
    KEY_NAMES,
    lambda name: name.key_id,
    lambda name: {"KeyId": name.key_id},
)
KEY_POLICIES = AwsDetail(
    "kms key policies",
    "kms",
    "get_key_policy",
    "",
    storage.KeyPolicy,
    KEYS,
    lambda key: key.key_id,
    lambda key: {"KeyId": key.key_id, "PolicyName": "default"} if key.manager == "CUSTOMER" else None,
)
KEY_ROTATION = AwsDetail(
    "kms key rotation",
    "kms",
    "get_key_rotation_status",
    "",
    storage.KeyRotation,
    KEY_NAMES,
    lambda name: name.key_id,
    lambda name: {"KeyId": name.key_id},
    frozenset({"UnsupportedOperationException"}),
)
AWS_SECRETS = AwsList("secrets manager", "secretsmanager", "list_secrets", "SecretList", storage.Secret)
BACKUP_JOBS = AwsList("backup jobs", "backup", "list_backup_jobs", "BackupJobs", storage.BackupJob)

TRAILS = AwsList("trails", "cloudtrail", "describe_trails", "trailList", monitoring.Trail, regional=False)
TRAIL_STATUS = AwsDetail(
    "trail status",
    "cloudtrail",
    "get_trail_status",
    "",
    monitoring.TrailStatus,
    TRAILS,
    lambda trail: trail.arn,
    lambda trail: {"Name": trail.arn},
)
LOG_GROUPS = AwsList("log groups", "logs", "describe_log_groups", "logGroups", monitoring.LogGroup)
ALARMS = AwsList("alarms", "cloudwatch", "describe_alarms", "MetricAlarms", monitoring.Alarm)
DETECTOR_IDS = AwsList("guardduty detector ids", "guardduty", "list_detectors", "DetectorIds", monitoring.DetectorId)
DETECTORS = AwsDetail(
    "guardduty detectors",
    "guardduty",
    "get_detector",
    "",
    monitoring.Detector,
    DETECTOR_IDS,
    lambda detector: f"{detector.source_region}/{detector.value}",
    lambda detector: {"DetectorId": detector.value},
)
FINDING_IDS = AwsDetail(
    "guardduty finding ids",
    "guardduty",
    "list_findings",
    "",
    monitoring.FindingIds,
    DETECTOR_IDS,
    lambda detector: detector.value,
    lambda detector: {
        "DetectorId": detector.value,
        "FindingCriteria": {"Criterion": {"service.archived": {"Eq": ["false"]}, "severity": {"Gte": 7}}},
    },
)
FINDINGS = AwsDetail(
    "guardduty findings",
    "guardduty",
    "get_findings",
    "Findings",
    monitoring.Finding,
    FINDING_IDS,
    lambda page: page.parent_key,
    lambda page: {"DetectorId": page.parent_key, "FindingIds": list(page.finding_ids)} if page.finding_ids else None,
)

LOAD_BALANCERS = AwsList("load balancers", "elbv2", "describe_load_balancers", "LoadBalancers", transit.LoadBalancer)
LISTENERS = AwsDetail(
    "listeners",
    "elbv2",
    "describe_listeners",
    "Listeners",
    transit.Listener,
    LOAD_BALANCERS,
    lambda balancer: balancer.load_balancer_arn,
    lambda balancer: {"LoadBalancerArn": balancer.load_balancer_arn},
)
LISTENER_RULES = AwsDetail(
    "rules of HTTP listeners",
    "elbv2",
    "describe_rules",
    "Rules",
    transit.ListenerRule,
    LISTENERS,
    lambda listener: listener.listener_arn,
    lambda listener: {"ListenerArn": listener.listener_arn} if listener.protocol == "HTTP" else None,
)
SSL_POLICIES = AwsList("ssl policies", "elbv2", "describe_ssl_policies", "SslPolicies", transit.SslPolicy)
CERTIFICATE_NAMES = AwsList(
    "certificate names",
    "acm",
    "list_certificates",
    "CertificateSummaryList",
    transit.CertificateName,
    # Without these, the service lists RSA keys of 1024 and 2048 bits only.
    parameters={"Includes": {"keyTypes": list(transit.KEY_TYPES)}},
)
CERTIFICATES = AwsDetail(
    "certificates",
    "acm",
    "describe_certificate",
    "Certificate",
    transit.CloudCertificate,
    CERTIFICATE_NAMES,
    lambda name: name.certificate_arn,
    lambda name: {"CertificateArn": name.certificate_arn},
)

FUNCTIONS = AwsList(
    "lambda functions",
    "lambda",
    "list_functions",
    "Functions",
    literals.FunctionConfiguration,
    # Versions that were published keep the environment that they had, and can be invoked.
    parameters={"FunctionVersion": "ALL"},
)
TASK_NAMES = AwsList(
    "ecs task definition names",
    "ecs",
    "list_task_definitions",
    "taskDefinitionArns",
    literals.TaskName,
    parameters={"status": "ACTIVE"},
)
TASK_DEFINITIONS = AwsDetail(
    "ecs task definitions",
    "ecs",
    "describe_task_definition",
    "taskDefinition",
    literals.TaskDefinition,
    TASK_NAMES,
    lambda name: name.value,
    lambda name: {"taskDefinition": name.value},
)
INSTANCE_DATA = AwsDetail(
    "user data of instances",
    "ec2",
    "describe_instance_attribute",
    "UserData",
    literals.InstanceData,
    INSTANCES,
    lambda instance: instance.instance_id,
    lambda instance: (
        {"InstanceId": instance.instance_id, "Attribute": "userData"} if instance.state.name != "terminated" else None
    ),
)
TEMPLATE_NAMES = AwsList("launch templates", "ec2", "describe_launch_templates", "LaunchTemplates", literals.TemplateName)
TEMPLATE_VERSIONS = AwsDetail(
    "launch template versions",
    "ec2",
    "describe_launch_template_versions",
    "LaunchTemplateVersions",
    literals.TemplateVersion,
    TEMPLATE_NAMES,
    lambda template: template.launch_template_id,
    lambda template: {"LaunchTemplateId": template.launch_template_id},
)
LAUNCH_CONFIGURATIONS = AwsList(
    "launch configurations",
    "autoscaling",
    "describe_launch_configurations",
    "LaunchConfigurations",
    literals.LaunchConfiguration,
)
STACKS = AwsList("stacks", "cloudformation", "describe_stacks", "Stacks", literals.Stack)
STACK_TEMPLATES = AwsDetail(
    "stack templates",
    "cloudformation",
    "get_template",
    "",
    literals.StackTemplate,
    STACKS,
    lambda stack: stack.stack_name,
    # What is still under review has no template.
    lambda stack: {"StackName": stack.stack_id} if stack.stack_status != "REVIEW_IN_PROGRESS" else None,
)
PARAMETER_NAMES = AwsList("parameter names", "ssm", "describe_parameters", "Parameters", literals.ParameterName)
PARAMETERS = AwsDetail(
    "plain parameters",
    "ssm",
    "get_parameter",
    "Parameter",
    literals.Parameter,
    PARAMETER_NAMES,
    lambda parameter: parameter.name,
    # What is encrypted is never asked for.
    lambda parameter: (
        {"Name": parameter.name, "WithDecryption": False} if parameter.type in ("String", "StringList") else None
    ),
    shape=lambda item: {"Name": item["Name"], "Literal": {item["Name"]: item["Value"]}},
)
