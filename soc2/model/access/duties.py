"""Duties that rights are, whatever an organization chart says: who administers access, keeps the logs, or deploys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from soc2.model.access.cloud import Asker
from soc2.model.access.iam import Document
from soc2.model.access.primitives import SubjectRights
from soc2.model.access.reach import is_human
from soc2.model.aws.iam import ControlLevel
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource

# A duty in the account is held by whoever may do any of these to any resource.
_IN_ACCOUNT: dict[str, tuple[str, ...]] = {
    "administers IAM": (
        "iam:CreateUser",
        "iam:AttachUserPolicy",
        "iam:AttachRolePolicy",
        "iam:PutUserPolicy",
        "iam:PutRolePolicy",
    ),
    "keeps the audit logs": ("cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "logs:DeleteLogGroup", "s3:DeleteObject"),
    "keeps the keys": ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"),
}
_IN_CLUSTER = {"escalation": "administers the cluster", "workloads": "deploys to the cluster"}
DUTIES = (*_IN_ACCOUNT, *_IN_CLUSTER.values())


def duties_of_subjects(rights: Iterable[SubjectRights]) -> Iterator[tuple[Resource, str]]:
    """Yield (subject, duty) for the people that bindings name; whoever has every right has every duty."""
    for item in rights:
        if is_human(item.subject):
            held = {_IN_CLUSTER[each.primitive.matter] for each in item.holdings if each.primitive.matter in _IN_CLUSTER}
            for duty in sorted(_IN_CLUSTER.values()) if item.everything_in else sorted(held):
                yield item.resource, duty


def duties_of_users(principals: Iterable[PrincipalPolicies], levels: Iterable[ControlLevel]) -> Iterator[tuple[Resource, str]]:
    """Yield (user, duty) for the IAM users of an account, by what their policies let them do."""
    service_control: tuple[tuple[Document, ...], ...] = tuple(level.documents for level in levels)
    for one in principals:
        if one.principal.user_name:
            asker = Asker(one, service_control)
            for duty, actions in _IN_ACCOUNT.items():
                if any(asker.may(action, "*") == action for action in actions):
                    yield one.resource, duty
