"""Effective rights, escalation primitives and all shortest paths of a large cluster and account, at three sizes.

Usage: ``python -m benchmarks.access``. The largest size is 2,000 roles, 5,000 bindings, 3,000 ServiceAccounts, 300
namespaces, 50 nodes, and 500 IAM roles of which 100 have access entries and 300 Pod Identity associations lead to; each
size runs in a process of its own, so that peak memory is its own too. The baseline is the standard library decoding the
same objects from JSON.
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
from soc2.model.access.eks import add_eks
from soc2.model.access.graph import AccessGraph
from soc2.model.access.inventory import CloudInventory, ClusterInventory
from soc2.model.access.kubernetes import add_cluster
from soc2.model.access.outsiders import add_outsiders, outsiders
from soc2.model.access.primitives import PRIMITIVES
from soc2.model.access.reach import reaches
from soc2.model.aws.compute import AccessEntryDetail, EksCluster, EntryPolicies, Instance, PodIdentity
from soc2.model.aws.iam import AuthorizationDetails
from soc2.model.deviation import Resource
from soc2.model.kubernetes.cluster import Namespace, Node
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.rbac import ClusterRole, ClusterRoleBinding, Role, RoleBinding, ServiceAccount

ROLES, BINDINGS, ACCOUNTS, NAMESPACES, CLOUD_ROLES = 2000, 5000, 3000, 300, 500
SIZES = (4, 2, 1)
NODES = 50
_ISSUER = "oidc.example/id/A"
_ARN = "arn:aws:iam::123456789012"


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
            "spec": {
                "serviceAccountName": account["metadata"]["name"],
                "nodeName": f"node-{number % NODES}",
                "containers": [],
            },
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
        "nodes": [
            {"metadata": {"name": f"node-{number}"}, "spec": {"providerID": f"aws:///eu-west-1a/i-{number}"}}
            for number in range(NODES)
        ],
        "instances": [
            {
                "InstanceId": f"i-{number}",
                "IamInstanceProfile": {"Arn": f"{_ARN}:instance-profile/p-{number % 10}"},
                "MetadataOptions": {"HttpTokens": chance.choice(["required", "optional"])},
            }
            for number in range(NODES)
        ],
        "entries": [
            {"clusterName": "c", "principalArn": f"{_ARN}:role/role-{number}", "kubernetesGroups": [f"group-{number}"]}
            for number in range(CLOUD_ROLES // divisor // 5)
        ],
        "entry_policies": [
            {
                "clusterName": "c",
                "principalArn": f"{_ARN}:role/role-{number}",
                "associatedAccessPolicies": [
                    {
                        "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy",
                        "accessScope": {"type": "namespace", "namespaces": [chance.choice(namespaces)]},
                    }
                ],
            }
            for number in range(CLOUD_ROLES // divisor // 5)
        ],
        "pod_identities": [
            {
                "clusterName": "c",
                "namespace": account["metadata"]["namespace"],
                "serviceAccount": account["metadata"]["name"],
                "roleArn": f"{_ARN}:role/role-{number % (CLOUD_ROLES // divisor)}",
                "associationId": f"a-{number}",
            }
            for number, account in enumerate(accounts[::10])
        ],
        "details": [{"RoleDetailList": [_cloud_role(number, chance, accounts) for number in range(CLOUD_ROLES // divisor)]}],
    }


def _cloud_role(number: int, chance: random.Random, accounts: list[Any]) -> Any:
    account = chance.choice(accounts)["metadata"]
    provider = {"Federated": f"{_ARN}:oidc-provider/{_ISSUER}"}
    who = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    trust = {
        "Effect": "Allow",
        "Principal": provider,
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{_ISSUER}:sub": who}},
    }
    pods = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    other = f"{_ARN}:role/role-{chance.randrange(CLOUD_ROLES)}"
    statements = [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::bucket-{number % 20}/*"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": other},
    ]
    return {
        "Arn": f"{_ARN}:role/role-{number}",
        "RoleName": f"role-{number}",
        "AssumeRolePolicyDocument": {"Statement": [trust, pods]},
        "InstanceProfileList": [{"Arn": f"{_ARN}:instance-profile/p-{number}"}] if number < 10 else [],
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
    cluster = ClusterInventory(
        roles,
        cluster_roles,
        *bindings,
        accounts=read("accounts", ServiceAccount),
        namespaces=read("namespaces", Namespace),
        nodes=read("nodes", Node),
        pods=read("pods", Pod),
    )

    def convert(name: str, kind: type[Any]) -> tuple[Any, ...]:
        return tuple(codec.convert(item, kind) for item in given[name])

    cloud = CloudInventory(
        convert("details", AuthorizationDetails),
        (EksCluster(name="c", arn="arn:aws:eks:eu-west-1:123456789012:cluster/c"),),
        convert("entries", AccessEntryDetail),
        convert("entry_policies", EntryPolicies),
        convert("pod_identities", PodIdentity),
        convert("instances", Instance),
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    began = time.perf_counter()
    rights = cluster.rights
    rights_took = time.perf_counter() - began
    graph = AccessGraph()
    stores = [store_of(Resource("AWS::S3::Bucket", f"bucket-{n}"), "eu-west-1", "123456789012") for n in range(20)]
    add_cluster(graph, rights, cluster.starts, cluster.accounts, (), cluster.namespaces)
    add_account(graph, cloud.principals, stores)
    add_identities(graph, cluster.starts, cluster.accounts, cloud.principals)
    add_eks(graph, cloud.eks_clusters[0], cluster, cloud)
    others = outsiders(cloud.principals, stores, ("123456789012",))
    add_outsiders(graph, others, cloud.principals, stores)
    nodes_of_stores = [store.node for store in stores]
    found = tuple(reaches(graph, cluster.starts, rights, cluster.places, nodes_of_stores))
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
