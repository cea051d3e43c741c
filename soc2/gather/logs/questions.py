"""Rules that tell of uses and changes rather than of attacks, made from what the owner declares, in the language of Sigma.

They are asked in the same scan as all other rules. What they find is no alert: it has to be explained by a ticket.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from soc2.system import Access

ROOT_USED = "5a0d6c1e-8a0b-4f0c-9d55-3d5f2a2f6b01"
BREAK_GLASS_IN_CLOUD = "5a0d6c1e-8a0b-4f0c-9d55-3d5f2a2f6b02"
BREAK_GLASS_IN_CLUSTER = "5a0d6c1e-8a0b-4f0c-9d55-3d5f2a2f6b03"
RBAC_CHANGED = "5a0d6c1e-8a0b-4f0c-9d55-3d5f2a2f6b04"
IAM_CHANGED = "5a0d6c1e-8a0b-4f0c-9d55-3d5f2a2f6b05"
EKS_ACCESS_CHANGED = "5a0d6c1e-8a0b-4f0c-9d55-3d5f2a2f6b06"

PRIVILEGED_USE = (ROOT_USED, BREAK_GLASS_IN_CLOUD, BREAK_GLASS_IN_CLUSTER)
ACCESS_CHANGES = (RBAC_CHANGED, IAM_CHANGED, EKS_ACCESS_CHANGED)

_AUDIT = {"product": "kubernetes", "service": "audit"}
_TRAIL = {"product": "aws", "service": "cloudtrail"}
_DONE = {"stage": "ResponseComplete", "responseStatus.code|lt": 400}
_WRITES = ["create", "update", "patch", "delete", "deletecollection"]


def questions(access: Access) -> list[dict[str, Any]]:
    """Return the rules as documents. Identities are given as ``[access]`` names them; patterns mean what they mean there."""
    rules = [
        _rule(
            ROOT_USED,
            "Root identity used",
            "cc6.2",
            _TRAIL,
            {
                "root": {"userIdentity.type": "Root"},
                "service": [{"eventType": "AwsServiceEvent"}, {"userIdentity.invokedBy|exists": True}],
            },
            "root and not service",
        ),
        _changes(RBAC_CHANGED, "RBAC changed", _AUDIT, _RBAC, [*_in_cluster(access.pipelines), _CONTROLLERS]),
        _changes(IAM_CHANGED, "IAM changed", _TRAIL, _IAM, _in_cloud(access.pipelines)),
        _changes(EKS_ACCESS_CHANGED, "Access to EKS changed", _TRAIL, _EKS, _in_cloud(access.pipelines)),
    ]
    if in_cloud := _in_cloud(access.break_glass):
        title = "Break-glass identity used in the account"
        rules.append(_rule(BREAK_GLASS_IN_CLOUD, title, "cc6.2", _TRAIL, {"who": in_cloud}, "who"))
    if in_cluster := _in_cluster(access.break_glass):
        title = "Break-glass identity used in the cluster"
        rules.append(_rule(BREAK_GLASS_IN_CLUSTER, title, "cc6.2", _AUDIT, {"who": in_cluster}, "who"))
    return rules


def write_questions(access: Access, folder: Path) -> Path:
    """Write the rules to a folder of their own under ``folder``, and return it."""
    own = folder / "questions"
    own.mkdir(parents=True, exist_ok=True)
    for rule in questions(access):
        (own / f"{rule['id']}.yml").write_text(yaml.safe_dump(rule, sort_keys=False), encoding="utf-8")
    return own


_RBAC = {"objectRef.apiGroup": "rbac.authorization.k8s.io", "verb": _WRITES, **_DONE}
_CONTROLLERS = {
    # They make what comes with every cluster and every aggregated role.
    "user.username": [
        "system:apiserver",
        "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
        "system:serviceaccount:kube-system:namespace-controller",
        "system:serviceaccount:kube-system:generic-garbage-collector",
    ]
}
_IAM = {
    "eventSource": "iam.amazonaws.com",
    "eventName|startswith": ["Add", "Attach", "Create", "Delete", "Detach", "Put", "Remove", "Set", "Update"],
    "errorCode|exists": False,
}
_EKS = {
    "eventSource": "eks.amazonaws.com",
    "eventName": [
        "CreateAccessEntry",
        "UpdateAccessEntry",
        "DeleteAccessEntry",
        "AssociateAccessPolicy",
        "DisassociateAccessPolicy",
        "CreatePodIdentityAssociation",
        "UpdatePodIdentityAssociation",
        "DeletePodIdentityAssociation",
    ],
    "errorCode|exists": False,
}


def _changes(
    rule_id: str,
    title: str,
    source: dict[str, str],
    change: dict[str, Any],
    known: list[dict[str, Any]],
) -> dict[str, Any]:
    parts: dict[str, Any] = {"change": change, **({"known": known} if known else {})}
    return _rule(rule_id, title, "cc6.3", source, parts, "change and not known" if known else "change")


def _rule(
    rule_id: str, title: str, criterion: str, source: dict[str, str], parts: dict[str, Any], condition: str
) -> dict[str, Any]:
    return {
        "title": title,
        "id": rule_id,
        "status": "stable",
        "description": "Not an alert: a ticket has to explain it.",
        "author": "soc2-controls",
        "tags": [f"soc2.{criterion}"],
        "logsource": source,
        "detection": {**parts, "condition": condition},
        "level": "informational",
    }


def _in_cloud(identities: Iterable[str]) -> list[dict[str, Any]]:
    """Return what tells the CloudTrail records of users and roles; sessions of a role carry its name before their own."""
    matches: list[dict[str, Any]] = []
    for identity in identities:
        kind, _, name = identity.partition("/")
        if kind == "AWS::IAM::User":
            matches.append({"userIdentity.type": "IAMUser", "userIdentity.userName": _sigma(name)})
        if kind == "AWS::IAM::Role":
            matches.append({"userIdentity.arn": f"*:assumed-role/{_sigma(name)}/*"})
    return matches


def _in_cluster(identities: Iterable[str]) -> list[dict[str, Any]]:
    """Return what tells the audit events of users, groups and ServiceAccounts."""
    matches: list[dict[str, Any]] = []
    for identity in identities:
        kind, _, name = identity.partition("/")
        if kind == "User":
            matches.append({"user.username": _sigma(name)})
        if kind == "Group":
            matches.append({"user.groups": _sigma(name)})
        if kind == "ServiceAccount":
            matches.append({"user.username": f"system:serviceaccount:{_sigma(name.replace('/', ':', 1))}"})
    return matches


def _sigma(pattern: str) -> str:
    # Both languages know * and ?; in Sigma a backslash takes their meaning from them.
    return pattern.replace("\\", "\\\\")
