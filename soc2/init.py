"""``soc2 init``: writes a commented system.toml from what it finds in the current context."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError
from kubernetes import config
from kubernetes.config import ConfigException

from soc2.errors import UsageError
from soc2.evidence import EvidenceStore
from soc2.gather.aws.connection import UNANSWERED, AwsConnection
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.source import Gatherer
from soc2.network_proposal import UnknownError, as_comments, live_connections
from soc2.system import About, Kubernetes, System

_IMPATIENT = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
_PROVIDERS = ("kube-system", "kube-public", "kube-node-lease")

_TEMPLATE = """\
# What the SOC 2 examination examines. Every key is explained in docs/system.md; `pytest --target live` reads this file.

[system]
name = "my system"        # as it is called in the SOC 2 report
owner = "my team"
# criteria = ["CC6.1", "CC6.7"]       # those in scope; all when left out
waivers = "waivers.toml"

[target]
kind = "live"
{context}

[kubernetes]
{cluster}

# Every namespace is in scope but those listed here, each with its reason.
{out_of_scope}
[aws]
{aws}

[images]
allowed_registries = []   # for example "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team"
# privileged_files = []     # "image -> /path" that may have setuid, setgid or capabilities
# yara_rules = []           # folders with YARA rules of your own

# [registries]
# credentials = "docker-config.json"   # as `docker login` writes it; ECR takes the account's own credentials

[access]                  # "Group/name", "User/name", "ServiceAccount/namespace/name"; * and ? match
cluster_admins = []
escalation_holders = []
secret_readers = []       # the examiner itself lists Secrets without their content: "ServiceAccount/soc2/soc2-auditor"
exec_holders = []
workload_creators = []
cloud_admins = []         # names of IAM users and roles
eks_principals = []       # ARNs that may enter the EKS cluster
# duty_conflicts = [["approves changes", "deploys to the cluster"]]

[exposure]                # "namespace/name"
services = []
ingresses = []
gateways = []
routes = []               # that attach to a Gateway of another namespace
host_ports = []           # "namespace/workload:port"
load_balancers = []       # of the account: names or ARNs; those of approved Services, Ingresses and Gateways need no entry
public_buckets = []

[agents]                  # DaemonSets, "namespace/name"
log = []
runtime = []

# [[network.connections]]    # who may talk to whom: "namespace/workload", "nodes", "internet", "metadata", a CIDR
# from = "shop/web"
# to = "payments/api"
# ports = ["tcp/8080"]
# reason = "visitors pay"

{network}
# [network.mesh]             # where the mutual TLS of a service mesh is a control
# kind = "istio"             # or linkerd
# namespaces = ["shop"]

# [[network.endpoints]]      # what is offered with TLS, and is tried: every host of an Ingress needs one
# host = "www.example.com"
# port = 443

# [etcd]                     # where etcd is yours; where a provider runs it, see [[inherited]]
# endpoints = ["10.0.0.1:2379", "10.0.0.1:2380"]  # of its clients and of its peers
# ca = "etcd/ca.crt"

# [thresholds]
# access_key_max_age_days = 90
# log_retention_days = 365

# Lists that no API knows: roster, leavers, access-review, duties, alerts (CSV, JSON or YAML; see docs/system.md).
# [[feeds]]
# kind = "roster"
# path = "feeds/roster.csv"
# owner = "people team"
# date = 2026-10-01

# A control that a provider answers for in a report of its own:
# [[inherited]]
# check = "default-deny-egress"
# provider = "Amazon Web Services"
# report = "SOC 2 Type II, April 2025 to March 2026"
# reviewed = 2026-05-20
"""


def write_system(output: Path, kubeconfig: Path | None, context: str | None, *, force: bool) -> None:
    """Write the file. What cannot be reached is said in a comment. Raises UsageError when the file exists."""
    if output.exists() and not force:
        raise UsageError("the file exists", "say --force to overwrite it", output)
    name = context or _current_context(kubeconfig)
    target = f"kube_context = {json.dumps(name)}" if name else '# kube_context = "..."    # there is no current context'
    if kubeconfig:
        target += f"\nkubeconfig = {json.dumps(str(kubeconfig.absolute()))}"
    cluster, out_of_scope = _cluster(kubeconfig, name)
    text = _TEMPLATE.format(
        context=target, cluster=cluster, out_of_scope=out_of_scope, aws=_account(), network=_network(kubeconfig, name)
    )
    output.write_text(text, encoding="utf-8")


def _current_context(kubeconfig: Path | None) -> str | None:
    try:
        _, current = config.list_kube_config_contexts(str(kubeconfig) if kubeconfig else None)
    except (ConfigException, OSError, TypeError):
        return None
    return str(current["name"]) if current else None


def _cluster(kubeconfig: Path | None, context: str | None) -> tuple[str, str]:
    excluded = "".join(
        f'[[kubernetes.out_of_scope]]\nnamespaces = "{name}"\nreason = "run by the provider"\n\n' for name in _PROVIDERS
    )
    if context is None:
        return '# absent = "the system has no Kubernetes part"', excluded
    connection = KubeConnection(kubeconfig, context)
    try:
        answer = msgspec.json.decode(connection.request("GET", "/api/v1/namespaces").body)
    except (GatherError, msgspec.DecodeError) as error:
        return f'# cluster = "..."         # the namespaces could not be listed: {_comment(error)}', excluded
    finally:
        connection.close()
    names = sorted(item["metadata"]["name"] for item in answer["items"])
    found = ", ".join(name for name in names if name not in _PROVIDERS)
    return f"cluster = {json.dumps(context)}\n# namespaces found: {_comment(found)}", excluded


def _network(kubeconfig: Path | None, context: str | None) -> str:
    """Return the connections that the cluster's policies let through, all of it commented out."""
    if context is None:
        return ""
    system = System(system=About(name="", owner=""), kubernetes=Kubernetes(cluster=context))
    with TemporaryDirectory() as folder:
        gatherer = Gatherer(system, lambda: KubeConnection(kubeconfig, context), _no_account, EvidenceStore(Path(folder)))
        try:
            return as_comments(live_connections(gatherer))
        except UnknownError as error:
            return f"# What the policies let through today is not known: {_comment(error)}\n"
        finally:
            gatherer.close()


def _no_account() -> AwsConnection:
    raise AssertionError("the proposal asks the cluster only")


def _account() -> str:
    try:
        session = boto3.Session()
        region = session.region_name
        client: Any = session.client("sts", region_name=region or "us-east-1", config=_IMPATIENT)
        account = client.get_caller_identity()["Account"]
    except (ClientError, *UNANSWERED) as error:
        return f'# accounts = ["123456789012"]  # not found: {_comment(type(error).__name__)}\n# regions = ["eu-west-1"]'
    shown = json.dumps([region]) if region else "[]          # no region is set; name those in scope"
    return f"accounts = [{json.dumps(account)}]\nregions = {shown}"


def _comment(value: object) -> str:
    """Keep what a server said on one line, so that it stays a comment."""
    return " ".join(str(value).split())
