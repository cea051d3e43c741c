"""Where a container's line comes from: pod, container and node, as file names, labels and metadata tell it.

A *where* is a dict of columns of container logs (``namespace``, ``pod``, ``node``, ``time``…) and ``id``, which a wrapping
gave; a node's records take ``time`` and ``node`` of it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from soc2.gather.logs.times import utc

Where = dict[str, Any]

# /var/log/pods/<namespace>_<pod>_<uid>/<container>/0.log
_POD_FILE = re.compile(
    r"(?:^|/)(?P<namespace>[a-z0-9-]+)_(?P<pod>[a-z0-9.-]+)_(?P<pod_uid>[0-9a-f-]{8,})/(?P<container>[^/]+)/[^/]*$"
)
# /var/log/containers/<pod>_<namespace>_<container>-<id>.log, also as the end of the name of a stream or of a tag
_CONTAINER_FILE = re.compile(
    r"(?:^|/|containers\.|application\.)(?P<pod>[a-z0-9.-]+)_(?P<namespace>[a-z0-9-]+)_(?P<container>[a-z0-9.-]+)-[0-9a-f]{12,64}(?:\.log)?"
)
_LONGEST_NAME = 1024
_INSIGHTS_GROUP = re.compile(r"/aws/(?:containerinsights|eks)/(?P<cluster>[^/]+)/")
_CONTROL_PLANE = re.compile(r"^(?P<container>kube-[a-z-]+?|authenticator|cloud-controller-manager)-[0-9a-f]{6,}$")
_NODE_STREAM = re.compile(r"^(?P<node>(?:ip-[\d-]+|i-[0-9a-f]+)[\w.-]*?)(?:-(?:application|host|dataplane)\b|\.|$)")

# Names of the same fact in the metadata of Fluent Bit, Vector, Filebeat, OpenTelemetry and Loki's labels, nearest first.
_NAMES: dict[str, tuple[str, ...]] = {
    "namespace": ("namespace_name", "pod_namespace", "k8s.namespace.name", "k8s_namespace_name", "namespace"),
    "pod": ("pod_name", "k8s.pod.name", "k8s_pod_name", "pod.name", "pod"),
    "pod_uid": ("pod_id", "pod_uid", "k8s.pod.uid", "k8s_pod_uid", "pod.uid"),
    "container": ("container_name", "k8s.container.name", "k8s_container_name", "container.name", "container"),
    "image": ("container_image", "container.image.name", "container.image"),
    "node": (
        "pod_node_name",
        "k8s.node.name",
        "k8s_node_name",
        "node.name",
        "node_name",
        "host",
        "host.name",
        "hostname",
        "node",
    ),
    "cluster": ("k8s.cluster.name", "k8s_cluster_name", "cluster_name", "cluster"),
    "account": ("cloud.account.id", "account_id"),
    "stream": ("log.iostream", "log_iostream", "stream"),
}
_RANKS = {name: (column, rank) for column, names in _NAMES.items() for rank, name in enumerate(names)}
_PARENTS = frozenset(name.rpartition(".")[0] for name in _RANKS if "." in name)


def of_path(name: str) -> Where:
    """What the name of a file, of a stream or a tag tells."""
    found = _POD_FILE.search(name[-_LONGEST_NAME:]) or _CONTAINER_FILE.search(name[-_LONGEST_NAME:])
    return dict(found.groupdict()) if found else {}


def of_metadata(values: dict[str, Any]) -> Where:
    """What a collector's metadata, a resource's attributes or a stream's labels tell."""
    ranked: dict[str, int] = {}
    found: Where = {}
    for name, value in values.items():
        if isinstance(value, str):
            entry = _RANKS.get(name)
            if entry is not None and value and entry[1] < ranked.get(entry[0], len(_RANKS)):
                ranked[entry[0]] = entry[1]
                found[entry[0]] = value
        elif name in _PARENTS and isinstance(value, dict):
            inner = of_metadata({f"{name}.{child}": told for child, told in value.items()})
            found = {**inner, **found}
    labels = values.get("labels", values.get("pod_labels"))
    if isinstance(labels, dict) and labels:
        found["labels"] = labels
    path = values.get("log.file.path", values.get("filename"))
    if isinstance(path, str):
        found = {**of_path(path), **found}
    return found


def of_cloudwatch(fields: dict[str, Any], where: Where) -> Where:
    """What a CloudWatch event and the envelope around it tell."""
    group = fields.get("logGroup", fields.get("logGroupName", fields.get("@log")))
    stream = fields.get("logStream", fields.get("logStreamName", fields.get("@logStream")))
    found = {**where, **_of_stream(str(group or ""), str(stream or ""))}
    time = utc(fields.get("timestamp", fields.get("@timestamp")))
    if time:
        found["time"] = time
    identity = fields.get("eventId", fields.get("id", fields.get("@ptr")))
    if isinstance(identity, str):
        found["id"] = identity
    return found


@lru_cache(maxsize=1024)
def _of_stream(group: str, stream: str) -> Where:
    """What the names of a group and a stream of CloudWatch Logs tell."""
    found = of_path(stream)
    if cluster := _INSIGHTS_GROUP.search(group):
        found["cluster"] = cluster["cluster"]
    if component := _CONTROL_PLANE.match(stream):
        found["container"] = component["container"]
    if node := _NODE_STREAM.match(stream):
        found["node"] = node["node"]
    return found
