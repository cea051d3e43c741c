"""Effective rights, escalation primitives and all shortest paths of a large cluster and account, at three sizes.

Usage: ``python -m benchmarks.access``. The largest size is 2,000 roles, 5,000 bindings, 3,000 ServiceAccounts, 300
namespaces and 500 IAM roles; each size runs in a process of its own, so that peak memory is its own too. The baseline is
the standard library decoding the same objects from JSON.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from typing import Any

import msgspec

from soc2.gather.codec import Codec
from soc2.model.access.cloud import add_account, add_identities, store_of
from soc2.model.access.graph import AccessGraph
from soc2.model.access.kubernetes import add_cluster, starts_of
from soc2.model.access.primitives import PRIMITIVES, rights_of_subjects
from soc2.model.access.reach import reaches
from soc2.model.aws.iam import AuthorizationDetails
from soc2.model.aws.joins import principal_policies
from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Namespace
from soc2.model.kubernetes.joins import cluster_role_rules, grants
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.rbac import ClusterRole, ClusterRoleBinding, Role, RoleBinding, ServiceAccount

ROLES, BINDINGS, ACCOUNTS, NAMESPACES, CLOUD_ROLES = 2000, 5000, 3000, 300, 500
SIZES = (4, 2, 1)
_ISSUER = "oidc.example/id/A"


def objects(divisor: int) -> dict[str, list[Any]]:
    """Return the objects of a size, always the same ones."""
    chance = random.Random(1)  # noqa: S311
    namespaces = [f"ns-{number}" for number in range(NAMESPACES // divisor)]
    needs = [power for primitive in PRIMITIVES for need in primitive.needs for power in need]
    harmless = {"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "services", "deployments"]}

    def rules() -> list[Any]:
        found = [harmless]
        if chance.random() < 0.2:
            power = chance.choice(needs)
            found.append({"verbs": [power.verbs[0]], "apiGroups": [power.group], "resources": [power.resource]})
        return found

    half = ROLES // divisor // 2
    roles: list[Any] = [
        {"metadata": {"name": f"r-{n}", "namespace": chance.choice(namespaces)}, "rules": rules()} for n in range(half)
    ]
    cluster_roles: list[Any] = [{"metadata": {"name": f"c-{number}"}, "rules": rules()} for number in range(half)]
    accounts: list[Any] = [
        {"metadata": {"name": f"sa-{number}", "namespace": namespaces[number % len(namespaces)]}}
        for number in range(ACCOUNTS // divisor)
    ]

    def subject() -> Any:
        metadata = chance.choice(accounts)["metadata"]
        return {"kind": "ServiceAccount", "name": metadata["name"], "namespace": metadata["namespace"]}

    role_bindings, cluster_role_bindings = [], []
    for number in range(BINDINGS // divisor):
        if chance.random() < 0.1:
            reference = {"kind": "ClusterRole", "name": chance.choice(cluster_roles)["metadata"]["name"]}
            body = {"metadata": {"name": f"b-{number}"}, "roleRef": reference, "subjects": [subject()]}
            cluster_role_bindings.append(body)
        else:
            role = chance.choice(roles)["metadata"]
            reference = {"kind": "Role", "name": role["name"]}
            metadata = {"name": f"b-{number}", "namespace": role["namespace"]}
            role_bindings.append({"metadata": metadata, "roleRef": reference, "subjects": [subject()]})
    pods = [
        {
            "metadata": {"name": f"p-{number}", "namespace": account["metadata"]["namespace"]},
            "spec": {"serviceAccountName": account["metadata"]["name"], "nodeName": f"node-{number % 50}", "containers": []},
        }
        for number, account in enumerate(accounts)
    ]
    return {
        "roles": roles,
        "cluster_roles": cluster_roles,
        "role_bindings": role_bindings,
        "cluster_role_bindings": cluster_role_bindings,
        "accounts": accounts,
        "pods": pods,
        "namespaces": [{"metadata": {"name": name}} for name in namespaces],
        "details": [{"RoleDetailList": [_cloud_role(number, chance, accounts) for number in range(CLOUD_ROLES // divisor)]}],
    }


def _cloud_role(number: int, chance: random.Random, accounts: list[Any]) -> Any:
    account = chance.choice(accounts)["metadata"]
    provider = {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{_ISSUER}"}
    who = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    trust = {
        "Effect": "Allow",
        "Principal": provider,
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{_ISSUER}:sub": who}},
    }
    other = f"arn:aws:iam::123456789012:role/role-{chance.randrange(CLOUD_ROLES)}"
    statements = [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::bucket-{number % 20}/*"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": other},
    ]
    return {
        "Arn": f"arn:aws:iam::123456789012:role/role-{number}",
        "RoleName": f"role-{number}",
        "AssumeRolePolicyDocument": {"Statement": [trust]},
        "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Statement": statements}}],
    }


def measure(divisor: int) -> dict[str, Any]:
    given = objects(divisor)
    text = {name: json.dumps(items) for name, items in given.items()}
    began = time.perf_counter()
    for body in text.values():
        json.loads(body)
    baseline = time.perf_counter() - began
    codec = Codec()

    def read(name: str, kind: type[Any]) -> tuple[Any, ...]:
        return tuple(codec.decode(msgspec.json.encode(item), kind) for item in given[name])

    roles, cluster_roles = read("roles", Role), read("cluster_roles", ClusterRole)
    bindings = read("role_bindings", RoleBinding), read("cluster_role_bindings", ClusterRoleBinding)
    accounts, pods, namespaces = read("accounts", ServiceAccount), read("pods", Pod), read("namespaces", Namespace)
    details = tuple(codec.convert(item, AuthorizationDetails) for item in given["details"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    began = time.perf_counter()
    rights = tuple(rights_of_subjects(grants(roles, cluster_roles, *bindings), cluster_role_rules(cluster_roles)))
    rights_took = time.perf_counter() - began
    starts = starts_of(pods, ())
    graph = AccessGraph()
    stores = [store_of(Resource("AWS::S3::Bucket", f"bucket-{n}"), "eu-west-1", "123456789012") for n in range(20)]
    principals = tuple(principal_policies(details))
    add_cluster(graph, rights, starts, accounts, (), namespaces)
    add_account(graph, principals, stores)
    add_identities(graph, starts, accounts, principals)
    names = {item.name for item in namespaces}
    found = tuple(reaches(graph, starts, rights, names, [store.node for store in stores]))
    took = time.perf_counter() - began
    nodes, edges = graph.size
    return {
        "bindings": BINDINGS // divisor,
        "seconds": took,
        "rights_seconds": rights_took,
        "baseline_seconds": baseline,
        "nodes": nodes,
        "edges": edges,
        "to_admin": sum(reach.to_cluster_admin is not None for reach in found),
        "to_data": sum(len(reach.to_data) for reach in found),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak_before_mb": before / 1024,
    }


def main() -> None:
    if sys.argv[1:]:
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    for divisor in SIZES:
        command = [sys.executable, "-m", "benchmarks.access", str(divisor)]
        figures = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(
            f"{figures['bindings']:,} bindings: {figures['seconds']:.2f} s (rights and primitives "
            f"{figures['rights_seconds']:.2f} s), {figures['seconds'] / figures['baseline_seconds']:.0f} times decoding; "
            f"{figures['nodes']:,} nodes, {figures['edges']:,} edges, {figures['to_admin']:,} paths to cluster-admin, "
            f"{figures['to_data']:,} to data; peak {figures['peak_mb']:.0f} MB ({figures['peak_before_mb']:.0f} MB before)"
        )


if __name__ == "__main__":
    main()
