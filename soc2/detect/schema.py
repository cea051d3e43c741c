"""The fields of each kind of log: under which names Sigma rules know them, of which type, and what they mean for joins.

Field names are the log's own: those of ``audit.k8s.io/v1`` Event, of CloudTrail records (version 1.11), of VPC flow log
fields (version 2 to 5), of auditd records, of Falco's JSON output, of Tetragon's events, of GuardDuty findings and of
flows as Hubble exports them. Only container and node logs have names of ours, because each collector names them otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from soc2.model.logs import LogKind

# Added to a record by whoever frames it: its line in the file it came from (from 1), and the id that its store gave it.
LINE = "@line"
ID = "@id"


@dataclass(frozen=True)
class LogSource:
    """The Sigma ``logsource`` of a rule; None means that the rule leaves it open."""

    category: str | None = None
    product: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class LogSchema:
    """``columns`` are DuckDB types by field name; a ``JSON`` column holds what has no fixed form, and a rule may name
    any path in it. ``required`` is a column that every record has: one without it is malformed.

    ``normal`` gives the SQL of the columns that all kinds share (``NORMAL``); those it leaves out are NULL. ``aliases``
    are other names of a field, or (ending in a dot) of a prefix of fields. ``logsources`` maps each Sigma log source to
    the SQL condition that limits it to some of the records, or None. ``identity`` is the SQL of what tells a record read
    twice; None when only the store's own id (``ID``) or the place in the file can.
    """

    kind: LogKind
    columns: Mapping[str, str]
    required: str
    logsources: Mapping[LogSource, str | None]
    normal: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    identity: str | None = None


NORMAL: dict[str, str] = {
    "event_time": "TIMESTAMP",
    "class_name": "VARCHAR",
    "actor": "VARCHAR",
    "credential_id": "VARCHAR",
    "source_address": "VARCHAR",
    "action": "VARCHAR",
    "object": "VARCHAR",
    "outcome": "VARCHAR",
    "k8s.cluster.name": "VARCHAR",
    "k8s.namespace.name": "VARCHAR",
    "k8s.pod.name": "VARCHAR",
    "k8s.pod.uid": "VARCHAR",
    "k8s.node.name": "VARCHAR",
    "k8s.container.name": "VARCHAR",
    "cloud.account.id": "VARCHAR",
}
"""The columns that every kind has after normalising, by DuckDB type. ``event_time`` is UTC; ``class_name`` is the OCSF
class; ``outcome`` is ``success``, ``failure``, ``denied`` or NULL; the dotted names are OpenTelemetry's."""


def _text(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "VARCHAR")


_AUDIT = LogSchema(
    kind=LogKind.KUBERNETES_AUDIT,
    columns={
        **_text("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "userAgent"),
        "user": "STRUCT(username VARCHAR, uid VARCHAR, groups VARCHAR[], extra JSON)",
        "impersonatedUser": "STRUCT(username VARCHAR, uid VARCHAR, groups VARCHAR[], extra JSON)",
        "sourceIPs": "VARCHAR[]",
        "objectRef": "STRUCT(resource VARCHAR, namespace VARCHAR, name VARCHAR, uid VARCHAR, apiGroup VARCHAR, "
        "apiVersion VARCHAR, resourceVersion VARCHAR, subresource VARCHAR)",
        "responseStatus": "STRUCT(status VARCHAR, message VARCHAR, reason VARCHAR, code INTEGER)",
        "requestObject": "JSON",
        "responseObject": "JSON",
        **_text("requestReceivedTimestamp", "stageTimestamp"),
        "annotations": "JSON",
    },
    required="auditID",
    logsources={
        LogSource(product="kubernetes", service="audit"): None,
        LogSource(product="kubernetes"): None,
        LogSource(category="application", product="kubernetes", service="audit"): None,
        LogSource(category="application", product="kubernetes"): None,
    },
    identity="concat(auditID, stage)",
    normal={
        "event_time": "coalesce(try_cast(requestReceivedTimestamp AS TIMESTAMP), try_cast(stageTimestamp AS TIMESTAMP))",
        "class_name": "'API Activity'",
        "actor": '"user".username',
        "credential_id": '"user".extra ->> \'$."authentication.kubernetes.io/credential-id"[0]\'',
        "source_address": "sourceIPs[1]",
        "action": "concat_ws(' ', verb, concat_ws('/', objectRef.resource, objectRef.subresource))",
        "object": "coalesce(nullif(concat_ws('/', objectRef.resource, objectRef.namespace, objectRef.name), ''), requestURI)",
        "outcome": "CASE WHEN responseStatus.code IN (401, 403) THEN 'denied' WHEN responseStatus.code >= 400 THEN 'failure' "
        "WHEN responseStatus.code > 0 THEN 'success' END",
        "k8s.namespace.name": "objectRef.namespace",
        "k8s.pod.name": "CASE WHEN objectRef.resource = 'pods' THEN objectRef.name "
        'ELSE "user".extra ->> \'$."authentication.kubernetes.io/pod-name"[0]\' END',
        "k8s.pod.uid": "CASE WHEN objectRef.resource = 'pods' THEN objectRef.uid "
        'ELSE "user".extra ->> \'$."authentication.kubernetes.io/pod-uid"[0]\' END',
        "k8s.node.name": '"user".extra ->> \'$."authentication.kubernetes.io/node-name"[0]\'',
    },
    # Names without a path, which published rules use for parts of a Pod.
    aliases={
        "hostPath": "requestObject.spec.volumes.hostPath",
        "capabilities": "requestObject.spec.containers.securityContext.capabilities",
    },
)

_CLOUDTRAIL = LogSchema(
    kind=LogKind.CLOUDTRAIL,
    columns={
        **_text("eventVersion", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent"),
        **_text("errorCode", "errorMessage", "requestID", "eventID", "eventType", "apiVersion", "recipientAccountId"),
        **_text("sharedEventID", "vpcEndpointId", "eventCategory", "sessionCredentialFromConsole"),
        "managementEvent": "BOOLEAN",
        "readOnly": "BOOLEAN",
        "userIdentity": "STRUCT(type VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, accessKeyId VARCHAR, "
        "userName VARCHAR, invokedBy VARCHAR, identityProvider VARCHAR, sessionContext STRUCT(attributes "
        "STRUCT(creationDate VARCHAR, mfaAuthenticated VARCHAR), sessionIssuer STRUCT(type VARCHAR, principalId VARCHAR, "
        "arn VARCHAR, accountId VARCHAR, userName VARCHAR), webIdFederationData JSON, sourceIdentity VARCHAR, "
        "ec2RoleDelivery VARCHAR), onBehalfOf JSON, inScopeOf JSON)",
        **dict.fromkeys(("requestParameters", "responseElements", "additionalEventData", "serviceEventDetails"), "JSON"),
        **dict.fromkeys(("resources", "tlsDetails", "insightDetails", "addendum", "edgeDeviceDetails"), "JSON"),
    },
    required="eventName",
    logsources={
        LogSource(product="aws", service="cloudtrail"): None,
        LogSource(product="aws"): None,
    },
    identity="eventID",
    normal={
        "event_time": "try_cast(eventTime AS TIMESTAMP)",
        "class_name": "CASE WHEN eventName IN ('ConsoleLogin', 'AssumeRole', 'AssumeRoleWithSAML', "
        "'AssumeRoleWithWebIdentity', 'GetSessionToken') THEN 'Authentication' ELSE 'API Activity' END",
        "actor": "coalesce(userIdentity.arn, userIdentity.sessionContext.sessionIssuer.arn, userIdentity.userName, "
        "userIdentity.invokedBy, userIdentity.principalId, userIdentity.type)",
        "credential_id": "userIdentity.accessKeyId",
        "source_address": "sourceIPAddress",
        "action": "concat_ws(':', split_part(eventSource, '.', 1), eventName)",
        "object": "coalesce(resources ->> '$[0].ARN', requestParameters ->> '$.roleArn', "
        "requestParameters ->> '$.bucketName', "
        "requestParameters ->> '$.userName', requestParameters ->> '$.roleName', requestParameters ->> '$.instanceId', "
        "requestParameters ->> '$.name', requestParameters ->> '$.keyId', requestParameters ->> '$.groupId')",
        "outcome": "CASE WHEN errorCode ILIKE '%AccessDenied%' OR errorCode ILIKE '%UnauthorizedOperation%' THEN 'denied' "
        "WHEN errorCode IS NOT NULL OR (responseElements ->> '$.ConsoleLogin') = 'Failure' THEN 'failure' ELSE 'success' END",
        "cloud.account.id": "coalesce(recipientAccountId, userIdentity.accountId)",
    },
)

_FLOW = LogSchema(
    kind=LogKind.VPC_FLOW,
    columns={
        **_text("account-id", "interface-id", "srcaddr", "dstaddr", "protocol", "action", "log-status", "vpc-id", "subnet-id"),
        **_text("instance-id", "type", "pkt-srcaddr", "pkt-dstaddr", "region", "az-id", "flow-direction", "traffic-path"),
        **_text("sublocation-type", "sublocation-id", "pkt-src-aws-service", "pkt-dst-aws-service", "tcp-flags"),
        **dict.fromkeys(("version", "srcport", "dstport"), "INTEGER"),
        **dict.fromkeys(("packets", "bytes", "start", "end"), "BIGINT"),
    },
    required="interface-id",
    logsources={
        LogSource(product="aws", service="vpcflow"): None,
        LogSource(product="aws", service="vpc-flow"): None,
        LogSource(category="firewall"): None,
        LogSource(category="firewall", product="aws"): None,
    },
    normal={
        "event_time": 'TRY(make_timestamp("start" * 1000000))',
        "class_name": "'Network Activity'",
        "source_address": "srcaddr",
        "action": "action",
        "object": "concat_ws(':', dstaddr, dstport)",
        "outcome": "CASE \"action\" WHEN 'ACCEPT' THEN 'success' WHEN 'REJECT' THEN 'denied' END",
        "cloud.account.id": '"account-id"',
    },
    aliases={
        "src_ip": "srcaddr",
        "dst_ip": "dstaddr",
        "src_port": "srcport",
        "dst_port": "dstport",
        **{name.replace("-", "_"): name for name in ("account-id", "interface-id", "log-status", "vpc-id", "subnet-id")},
        **{name.replace("-", "_"): name for name in ("instance-id", "pkt-srcaddr", "pkt-dstaddr", "flow-direction")},
    },
)

_CONTAINER = LogSchema(
    kind=LogKind.CONTAINER,
    columns={
        **_text("time", "stream", "message", "level"),
        **_text("namespace", "pod", "pod_uid", "container", "image", "node", "cluster", "account"),
        "labels": "JSON",
        "fields": "JSON",
    },
    required="message",
    logsources={
        LogSource(product="kubernetes", service="container"): None,
        LogSource(category="container"): None,
        LogSource(category="application", product="kubernetes", service="container"): None,
    },
    normal={
        "event_time": 'try_cast("time" AS TIMESTAMP)',
        "class_name": "'Application Activity'",
        "actor": "coalesce(fields ->> '$.user', fields ->> '$.username', concat_ws('/', \"namespace\", pod))",
        "source_address": "coalesce(fields ->> '$.remote_addr', fields ->> '$.client_ip', fields ->> '$.source_ip')",
        "action": "stream",
        "object": "concat_ws('/', \"namespace\", pod, container)",
        "k8s.cluster.name": "cluster",
        "k8s.namespace.name": '"namespace"',
        "k8s.pod.name": "pod",
        "k8s.pod.uid": "pod_uid",
        "k8s.node.name": "node",
        "k8s.container.name": "container",
        "cloud.account.id": "account",
    },
    aliases={
        "log": "message",
        "k8s.namespace.name": "namespace",
        "k8s.pod.name": "pod",
        "k8s.pod.uid": "pod_uid",
        "k8s.container.name": "container",
        "k8s.node.name": "node",
        "k8s.cluster.name": "cluster",
    },
)

_NODE = LogSchema(
    kind=LogKind.NODE,
    columns={
        **_text("time", "host", "program", "pid", "message", "facility", "severity", "unit", "uid", "exe"),
        # What the lines of sshd, sudo and su say, taken apart.
        **_text("user", "address", "port", "method", "result", "target_user", "command", "tty", "pwd"),
        "fields": "JSON",
    },
    required="message",
    logsources={
        LogSource(product="linux"): None,
        LogSource(product="linux", service="syslog"): None,
        LogSource(product="linux", service="journald"): None,
        LogSource(product="linux", service="sshd"): "lower(program) LIKE 'sshd%'",
        LogSource(product="linux", service="sudo"): "lower(program) = 'sudo'",
        LogSource(product="linux", service="su"): "lower(program) = 'su'",
        LogSource(product="linux", service="auth"): "lower(program) LIKE 'sshd%' OR lower(program) IN "
        "('sudo', 'su', 'login', 'systemd-logind', 'useradd', 'usermod', 'userdel', 'groupadd', 'passwd', 'chage', "
        "'polkitd', 'pkexec', 'gdm-password]')",
        LogSource(product="linux", service="cron"): "lower(program) IN ('cron', 'crond', 'crontab', 'anacron')",
        LogSource(product="linux", service="kernel"): "lower(program) = 'kernel'",
        LogSource(product="linux", service="systemd"): "lower(program) LIKE 'systemd%'",
    },
    normal={
        "event_time": 'try_cast("time" AS TIMESTAMP)',
        "class_name": "CASE WHEN lower(program) LIKE 'sshd%' THEN 'Authentication' WHEN lower(program) IN ('sudo', 'su') "
        "THEN 'Process Activity' ELSE 'Application Activity' END",
        "actor": '"user"',
        "source_address": '"address"',
        "action": "coalesce(command, program)",
        "object": "host",
        "outcome": "result",
        "k8s.node.name": "host",
    },
    aliases={"hostname": "host", "USER": "user", "Command": "command", "COMMAND": "command"},
)

_AUDITD = LogSchema(
    kind=LogKind.AUDITD,
    columns={
        **_text("time", "host", "serial", "type", "syscall", "success", "exit", "exe", "comm", "key", "auid", "uid", "gid"),
        **_text("euid", "suid", "fsuid", "egid", "ppid", "pid", "tty", "ses", "name", "nametype", "cwd", "proctitle", "acct"),
        **_text("op", "res", "addr", "hostname", "terminal", "unit", "cmd", "mode", "ouid", "items", "argc", "command"),
        **_text(*(f"a{number}" for number in range(10))),
        # Keys that have no column of their own, and the interpreted ones, whose names differ only in case (UID, SYSCALL).
        "fields": "JSON",
    },
    required="type",
    logsources={
        LogSource(product="linux", service="auditd"): None,
        LogSource(category="process_creation", product="linux"): "type = 'EXECVE'",
    },
    normal={
        "event_time": 'try_cast("time" AS TIMESTAMP)',
        "class_name": "CASE WHEN type IN ('EXECVE', 'SYSCALL', 'PROCTITLE') THEN 'Process Activity' WHEN type LIKE 'USER_%' "
        "THEN 'Authentication' WHEN type IN ('PATH', 'CWD') THEN 'File System Activity' ELSE 'Kernel Activity' END",
        "actor": "coalesce(acct, auid, uid)",
        "source_address": "nullif(addr, '?')",
        "action": "coalesce(command, op, syscall, type)",
        "object": "coalesce(name, exe, unit)",
        "outcome": "CASE WHEN success = 'yes' OR res IN ('success', '1') THEN 'success' "
        "WHEN success = 'no' OR res IN ('failed', '0') THEN 'failure' END",
        "k8s.node.name": "host",
    },
    aliases={"CommandLine": "command", "Image": "a0", "User": "auid"},
)

_FALCO = LogSchema(
    kind=LogKind.FALCO,
    columns={
        **_text("time", "rule", "priority", "source", "hostname", "output", "uuid"),
        "tags": "VARCHAR[]",
        "output_fields": "JSON",
    },
    required="rule",
    logsources={
        LogSource(product="falco"): None,
        LogSource(product="kubernetes", service="falco"): None,
        LogSource(product="linux", service="falco"): None,
    },
    identity="uuid",
    normal={
        "event_time": "timezone('UTC', try_cast(\"time\" AS TIMESTAMPTZ))",
        "class_name": "'Detection Finding'",
        "actor": "coalesce(output_fields ->> '$.\"user.name\"', output_fields ->> '$.\"ka.user.name\"')",
        "source_address": "coalesce(output_fields ->> '$.\"fd.cip\"', output_fields ->> '$.\"fd.rip\"')",
        "action": "rule",
        "object": "coalesce(output_fields ->> '$.\"proc.cmdline\"', output_fields ->> '$.\"fd.name\"')",
        "k8s.namespace.name": "output_fields ->> '$.\"k8s.ns.name\"'",
        "k8s.pod.name": "output_fields ->> '$.\"k8s.pod.name\"'",
        "k8s.pod.uid": "output_fields ->> '$.\"k8s.pod.uid\"'",
        "k8s.node.name": "coalesce(output_fields ->> '$.\"k8s.node.name\"', hostname)",
        "k8s.container.name": "output_fields ->> '$.\"container.name\"'",
    },
    # Falco's own field classes, which rules may name without saying output_fields.
    aliases={
        f"{name}.": f"output_fields.{name}."
        for name in ("proc", "fd", "evt", "container", "k8s", "user", "group", "thread", "ka", "jevt", "syscall", "fs")
    },
)

_TETRAGON = LogSchema(
    kind=LogKind.TETRAGON,
    columns={
        **_text("time", "node_name", "cluster_name"),
        **dict.fromkeys(("process_exec", "process_exit", "process_kprobe", "process_tracepoint", "process_uprobe"), "JSON"),
        **dict.fromkeys(("process_loader", "process_lsm"), "JSON"),
    },
    required="node_name",
    logsources={
        LogSource(product="tetragon"): None,
        LogSource(product="kubernetes", service="tetragon"): None,
        LogSource(product="linux", service="tetragon"): None,
    },
    normal={
        "event_time": "timezone('UTC', try_cast(\"time\" AS TIMESTAMPTZ))",
        "class_name": "CASE WHEN process_exec IS NOT NULL OR process_exit IS NOT NULL THEN 'Process Activity' "
        "ELSE 'Kernel Activity' END",
        "actor": "coalesce(process_exec, process_exit, process_kprobe, process_tracepoint, process_uprobe, process_lsm) "
        "->> '$.process.uid'",
        "action": "coalesce(process_kprobe ->> '$.function_name', CASE WHEN process_exec IS NOT NULL THEN 'exec' "
        "WHEN process_exit IS NOT NULL THEN 'exit' END)",
        "object": "coalesce(process_exec, process_exit, process_kprobe, process_tracepoint, process_uprobe, process_lsm) "
        "->> '$.process.binary'",
        **{
            column: "coalesce(process_exec, process_exit, process_kprobe, process_tracepoint, process_uprobe, process_lsm) "
            f"->> '$.process.pod.{path}'"
            for column, path in (
                ("k8s.namespace.name", "namespace"),
                ("k8s.pod.name", "name"),
                ("k8s.pod.uid", "uid"),
                ("k8s.container.name", "container.name"),
            )
        },
        "k8s.node.name": "node_name",
        "k8s.cluster.name": "cluster_name",
    },
)

_GUARDDUTY = LogSchema(
    kind=LogKind.GUARDDUTY,
    columns={
        **_text("schemaVersion", "accountId", "region", "partition", "id", "arn", "type", "title", "description"),
        **_text("createdAt", "updatedAt"),
        "severity": "DOUBLE",
        "confidence": "DOUBLE",
        "resource": "JSON",
        "service": "JSON",
    },
    required="id",
    logsources={LogSource(product="aws", service="guardduty"): None},
    identity="concat(id, updatedAt)",
    normal={
        "event_time": "coalesce(try_cast(updatedAt AS TIMESTAMP), try_cast(createdAt AS TIMESTAMP))",
        "class_name": "'Detection Finding'",
        "actor": "coalesce(\"resource\" ->> '$.accessKeyDetails.userName', "
        "\"resource\" ->> '$.kubernetesDetails.kubernetesUserDetails.username')",
        "credential_id": "\"resource\" ->> '$.accessKeyDetails.accessKeyId'",
        "source_address": "coalesce(service ->> '$.action.awsApiCallAction.remoteIpDetails.ipAddressV4', "
        "service ->> '$.action.networkConnectionAction.remoteIpDetails.ipAddressV4', "
        "service ->> '$.action.kubernetesApiCallAction.remoteIpDetails.ipAddressV4')",
        "action": "type",
        "object": "coalesce(\"resource\" ->> '$.instanceDetails.instanceId', \"resource\" ->> '$.eksClusterDetails.name', "
        "\"resource\" ->> '$.resourceType')",
        "k8s.cluster.name": "\"resource\" ->> '$.eksClusterDetails.name'",
        "cloud.account.id": "accountId",
    },
)

_TCP_FLAGS = "STRUCT(SYN BOOLEAN, ACK BOOLEAN, FIN BOOLEAN, RST BOOLEAN)"
_PORTS = "source_port INTEGER, destination_port INTEGER"
_ICMP = "STRUCT(type INTEGER, code INTEGER)"
_HUBBLE_END = (
    "STRUCT(identity BIGINT, cluster_name VARCHAR, namespace VARCHAR, labels VARCHAR[], pod_name VARCHAR, "
    'workloads STRUCT("name" VARCHAR, kind VARCHAR)[])'
)
_VERDICTS = "WHEN 'FORWARDED' THEN 'success' WHEN 'REDIRECTED' THEN 'success' WHEN 'AUDIT' THEN 'success'"

_HUBBLE = LogSchema(
    kind=LogKind.HUBBLE,
    columns={
        **_text("time", "node_name"),
        "flow": "STRUCT(time VARCHAR, uuid VARCHAR, verdict VARCHAR, drop_reason_desc VARCHAR, "
        "IP STRUCT(source VARCHAR, destination VARCHAR), "
        f"l4 STRUCT(TCP STRUCT({_PORTS}, flags {_TCP_FLAGS}), UDP STRUCT({_PORTS}), SCTP STRUCT({_PORTS}), "
        f"ICMPv4 {_ICMP}, ICMPv6 {_ICMP}), "
        f"source {_HUBBLE_END}, destination {_HUBBLE_END}, Type VARCHAR, node_name VARCHAR, "
        "source_names VARCHAR[], destination_names VARCHAR[], is_reply BOOLEAN, traffic_direction VARCHAR, "
        "trace_observation_point VARCHAR, Summary VARCHAR, l7 JSON)",
        "lost_events": "STRUCT(source VARCHAR, num_events_lost BIGINT)",
    },
    required="node_name",
    logsources={
        LogSource(product="hubble"): None,
        LogSource(product="cilium", service="hubble"): None,
        LogSource(product="kubernetes", service="hubble"): None,
    },
    identity="flow.uuid",
    normal={
        "event_time": "timezone('UTC', try_cast(coalesce(flow.time, \"time\") AS TIMESTAMPTZ))",
        "class_name": "'Network Activity'",
        "actor": "nullif(concat_ws('/', flow.source.namespace, flow.source.pod_name), '')",
        "source_address": "flow.IP.source",
        "action": "flow.verdict",
        "object": "concat_ws(':', coalesce(nullif(concat_ws('/', flow.destination.namespace, flow.destination.pod_name), ''), "
        "flow.IP.destination), coalesce(flow.l4.TCP.destination_port, flow.l4.UDP.destination_port, "
        "flow.l4.SCTP.destination_port))",
        "outcome": f"CASE flow.verdict {_VERDICTS} WHEN 'DROPPED' THEN 'denied' WHEN 'ERROR' THEN 'failure' END",
        "k8s.namespace.name": "nullif(flow.source.namespace, '')",
        "k8s.pod.name": "nullif(flow.source.pod_name, '')",
        # In a mesh of clusters the name of the cluster stands before that of the node.
        "k8s.node.name": "split_part(node_name, '/', -1)",
    },
)

SCHEMAS: dict[LogKind, LogSchema] = {
    schema.kind: schema
    for schema in (_AUDIT, _CLOUDTRAIL, _FLOW, _CONTAINER, _NODE, _AUDITD, _FALCO, _TETRAGON, _GUARDDUTY, _HUBBLE)
}
