"""Who could stop or weaken a control: by IAM in the account, by the authorizer in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from soc2.model.access.cloud import Asker
from soc2.model.access.iam import Decision, Document, Policies, Request, evaluate, resource_patterns
from soc2.model.aws.compute import EksCluster, FlowLog
from soc2.model.aws.iam import ControlLevel, Simulation
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.aws.monitoring import DetectorId, LogGroup, Trail
from soc2.model.aws.storage import BucketPolicy, Key, KeyPolicy
from soc2.model.deviation import Resource

# Control, what the actions act on (empty: nothing that is listed here), and the actions that stop or weaken it.
CLOUD_CONTROLS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "CloudTrail",
        "trail",
        (
            "cloudtrail:StopLogging",
            "cloudtrail:DeleteTrail",
            "cloudtrail:UpdateTrail",
            "cloudtrail:PutEventSelectors",
            "cloudtrail:PutInsightSelectors",
        ),
    ),
    (
        "CloudTrail",
        "",
        ("cloudtrail:DeleteEventDataStore", "cloudtrail:UpdateEventDataStore", "cloudtrail:StopEventDataStoreIngestion"),
    ),
    (
        "the trail's bucket",
        "bucket",
        (
            "s3:DeleteBucket",
            "s3:PutBucketPolicy",
            "s3:DeleteBucketPolicy",
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketVersioning",
            "s3:PutBucketLogging",
            "s3:PutBucketObjectLockConfiguration",
        ),
    ),
    ("the trail's bucket", "object", ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention")),
    ("GuardDuty", "detector", ("guardduty:DeleteDetector", "guardduty:UpdateDetector")),
    (
        "GuardDuty",
        "",
        (
            "guardduty:CreateFilter",
            "guardduty:UpdateFilter",
            "guardduty:ArchiveFindings",
            "guardduty:CreateIPSet",
            "guardduty:UpdateIPSet",
            "guardduty:DeletePublishingDestination",
            "guardduty:DisassociateFromAdministratorAccount",
            "guardduty:StopMonitoringMembers",
            "guardduty:DisassociateMembers",
            "guardduty:DeleteMembers",
            "guardduty:UpdateMemberDetectors",
        ),
    ),
    (
        "Config",
        "",
        (
            "config:StopConfigurationRecorder",
            "config:DeleteConfigurationRecorder",
            "config:PutConfigurationRecorder",
            "config:DeleteDeliveryChannel",
            "config:PutDeliveryChannel",
            "config:DeleteConfigRule",
            "config:DeleteConformancePack",
            "config:PutRetentionConfiguration",
        ),
    ),
    ("flow logs", "flow log", ("ec2:DeleteFlowLogs",)),
    (
        "KMS keys",
        "key",
        ("kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy", "kms:DeleteImportedKeyMaterial"),
    ),
    (
        "stored logs",
        "log group",
        (
            "logs:DeleteLogGroup",
            "logs:DeleteLogStream",
            "logs:PutRetentionPolicy",
            "logs:DeleteSubscriptionFilter",
            "logs:DeleteMetricFilter",
        ),
    ),
    ("control plane logs of EKS", "cluster", ("eks:UpdateClusterConfig",)),
    ("access to EKS", "cluster", ("eks:CreateAccessEntry",)),
    ("access to EKS", "", ("eks:AssociateAccessPolicy", "eks:UpdateAccessEntry")),
    ("add-ons of EKS", "", ("eks:DeleteAddon", "eks:UpdateAddon")),
    (
        "Security Hub",
        "",
        (
            "securityhub:DisableSecurityHub",
            "securityhub:BatchDisableStandards",
            "securityhub:UpdateStandardsControl",
            "securityhub:BatchUpdateStandardsControlAssociations",
            "securityhub:CreateAutomationRule",
            "securityhub:DisassociateFromAdministratorAccount",
        ),
    ),
    ("Access Analyzer", "", ("access-analyzer:DeleteAnalyzer", "access-analyzer:CreateArchiveRule")),
    ("Inspector", "", ("inspector2:Disable", "inspector2:CreateFilter", "inspector2:DisassociateMember")),
    ("Macie", "", ("macie2:DisableMacie", "macie2:UpdateMacieSession", "macie2:CreateFindingsFilter")),
    (
        "alarms",
        "",
        ("cloudwatch:DeleteAlarms", "cloudwatch:DisableAlarmActions", "cloudwatch:PutMetricAlarm", "cloudwatch:SetAlarmState"),
    ),
    (
        "permissions boundaries",
        "",
        (
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteUserPermissionsBoundary",
            "iam:PutRolePermissionsBoundary",
            "iam:PutUserPermissionsBoundary",
        ),
    ),
    (
        "passwords and second factors",
        "",
        ("iam:DeleteAccountPasswordPolicy", "iam:UpdateAccountPasswordPolicy", "iam:DeactivateMFADevice"),
    ),
    (
        "service control policies",
        "",
        (
            "organizations:DetachPolicy",
            "organizations:DeletePolicy",
            "organizations:UpdatePolicy",
            "organizations:DisablePolicyType",
            "organizations:MoveAccount",
            "organizations:LeaveOrganization",
        ),
    ),
)
# Of these there are lists, so actions without one act on something else of the same service.
_LISTED = ("trail/", "cluster/")
_SERVICE_LINKED = "/aws-service-role/"


@dataclass(frozen=True)
class Way:
    """How a control could be weakened, in words, and whether somebody else than the one who found it says so too."""

    control: str
    ways: str
    confirmed: str = "yes"


@dataclass(frozen=True)
class ControlPower:
    """Who (``name`` as declarations name it) could weaken which controls, and in which ways."""

    resource: Resource
    name: str
    ways: tuple[Way, ...]


@dataclass(frozen=True)
class Target:
    """Something of the account that an action acts on: any of these ARNs; ``policy`` is the resource's own."""

    name: str
    arns: tuple[str, ...]
    policy: Any = None
    delegated: bool = False


_ANYTHING = Target("", ("*",))

Targets = Mapping[str, tuple[Target, ...]]
"""By what CLOUD_CONTROLS calls them."""


def control_targets(
    trails: Iterable[Trail],
    bucket_policies: Iterable[BucketPolicy],
    detectors: Iterable[DetectorId],
    flow_logs: Iterable[FlowLog],
    keys: Iterable[Key],
    key_policies: Iterable[KeyPolicy],
    log_groups: Iterable[LogGroup],
    clusters: Iterable[EksCluster],
) -> Targets:
    """Return what there is in the account for the actions of CLOUD_CONTROLS to act on."""
    every = tuple(trails)
    partition = next((trail.arn.split(":")[1] for trail in every if trail.arn.count(":") >= 5), "aws")

    def arn(service: str, item: Any, rest: str) -> str:
        return f"arn:{partition}:{service}:{item.source_region}:{item.source_account}:{rest}"

    of_bucket = {item.parent_key: _document(item.policy) for item in bucket_policies}
    of_key = {item.parent_key: _document(item.policy) for item in key_policies}
    buckets = tuple(dict.fromkeys(trail.s3_bucket_name for trail in every if trail.s3_bucket_name))
    groups = ((item.log_group_name, arn("logs", item, f"log-group:{item.log_group_name}")) for item in log_groups)
    return {
        "trail": tuple(Target(trail.name, (trail.arn,)) for trail in every),
        "bucket": tuple(Target(name, (f"arn:{partition}:s3:::{name}",), of_bucket.get(name)) for name in buckets),
        "object": tuple(Target(name, (f"arn:{partition}:s3:::{name}/AWSLogs/log",), of_bucket.get(name)) for name in buckets),
        "detector": tuple(Target(item.value, (arn("guardduty", item, f"detector/{item.value}"),)) for item in detectors),
        "flow log": tuple(
            Target(item.flow_log_id, (arn("ec2", item, f"vpc-flow-log/{item.flow_log_id}"),)) for item in flow_logs
        ),
        "key": tuple(
            Target(key.description or key.key_id, (key.arn,), of_key.get(key.key_id), delegated=True)
            for key in keys
            if key.manager == "CUSTOMER"
        ),
        # Policies write the ARN of a log group with and without what is in it.
        "log group": tuple(Target(name, (base, f"{base}:log-stream:any")) for name, base in groups),
        "cluster": tuple(Target(item.name, (arn("eks", item, f"cluster/{item.name}"),)) for item in clusters),
    }


def _document(text: str) -> Any:
    """Return the policy in a text; a text that is none stays one, and what it allows cannot be decided."""
    if not text:
        return None
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


@dataclass(frozen=True)
class Verdict:
    """What our evaluator says of one action of one principal on one ARN of a target."""

    principal: str
    control: str
    action: str
    target: Target
    arn: str
    decision: Decision

    @property
    def possible(self) -> bool:
        return self.decision in (Decision.ALLOW, Decision.UNDECIDABLE)


@dataclass
class _Found:
    """The ways to weaken one control, while they are collected."""

    words: list[str] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)


def verdicts(one: PrincipalPolicies, service_control: tuple[tuple[Document, ...], ...], targets: Targets) -> Iterator[Verdict]:
    """Yield what IAM says of every action that weakens a control, on every target that it could act on.

    Where nothing is listed for an action to act on, what the principal's own policies name stands for it.
    """
    # Service control policies do not bind the roles of AWS' own services.
    asker = Asker(one, () if one.principal.path.startswith(_SERVICE_LINKED) else service_control)
    for control, kind, actions in CLOUD_CONTROLS:
        listed = targets.get(kind, ())
        for action in actions:
            chosen = listed or (Target("", ("*", *_named(asker, action))),)
            if not asker.speaks_of(action) and all(target.policy is None for target in chosen):
                yield Verdict(asker.arn, control, action, _ANYTHING, "*", Decision.IMPLICIT_DENY)
                continue
            for target in chosen:
                best: Verdict | None = None
                for arn in target.arns:
                    found = Verdict(asker.arn, control, action, target, arn, _ask(asker, action, target, arn))
                    if best is None or _LIKELIHOOD[found.decision] > _LIKELIHOOD[best.decision]:
                        best = found
                    if best.decision is Decision.ALLOW:
                        break
                if best:
                    yield best


_LIKELIHOOD = {Decision.EXPLICIT_DENY: 0, Decision.IMPLICIT_DENY: 1, Decision.UNDECIDABLE: 2, Decision.ALLOW: 3}


def _ask(asker: Asker, action: str, target: Target, arn: str) -> Decision:
    # A key's policy often counts only for the account's own callers, or for what comes through a service.
    account = {"kms:calleraccount": asker.arn.split(":")[4], "kms:viaservice": None} if target.delegated else {}
    return asker.decide(action, arn, account, target.policy, delegated=target.delegated and target.policy is not None)


def _named(asker: Asker, action: str) -> tuple[str, ...]:
    service = action.partition(":")[0]
    named = (pattern.split(":", 5) for document in asker.policies.identity for pattern in resource_patterns(document))
    fit = (parts for parts in named if len(parts) == 6 and parts[2] == service and not parts[5].startswith(_LISTED))
    return tuple(dict.fromkeys(":".join(parts).replace("*", "any") for parts in fit))


def cloud_powers(
    principals: Iterable[PrincipalPolicies],
    levels: Iterable[ControlLevel],
    targets: Targets,
    simulation: Simulation,
) -> Iterator[ControlPower]:
    """Yield every user and role with the controls of the account that it could stop or weaken.

    Roles that only AWS' own services can take are left out. Where IAM's simulator was asked, its answers are shown beside
    ours; what it allows counts even where we do not find it.
    """
    service_control: tuple[tuple[Document, ...], ...] = tuple(level.documents for level in levels)
    decisions = simulation.decisions if simulation.offered else None
    for one in principals:
        if one.principal.path.startswith(_SERVICE_LINKED):
            continue
        found: dict[str, _Found] = {}
        by_action: dict[tuple[str, str], list[Verdict]] = {}
        for verdict in verdicts(one, service_control, targets):
            by_action.setdefault((verdict.control, verdict.action), []).append(verdict)
        for (control, action), asked in by_action.items():
            simulated = [_confirmed(verdict, decisions) for verdict in asked]
            chosen = [
                (verdict, said)
                for verdict, said in zip(asked, simulated, strict=True)
                if verdict.possible or said == "contradicted"
            ]
            if chosen:
                way = found.setdefault(control, _Found())
                way.words.append(_words(action, [verdict for verdict, _ in chosen], len(asked)))
                way.confirmed.extend(said for _, said in chosen)
        ways = (Way(control, ", ".join(way.words), _together(way.confirmed)) for control, way in found.items())
        yield ControlPower(one.resource, one.principal.name, tuple(ways))


def _words(action: str, chosen: list[Verdict], asked: int) -> str:
    words = action
    if len(chosen) < asked:
        named = ", ".join(verdict.target.name for verdict in chosen[:3])
        words += f" on {named}" + (f" and {len(chosen) - 3} more" if len(chosen) > 3 else "")
    if not any(verdict.possible for verdict in chosen):
        return f"{words} (by IAM's simulator alone)"
    return words if any(verdict.decision is Decision.ALLOW for verdict in chosen) else f"{words} (if its conditions hold)"


def _confirmed(verdict: Verdict, decisions: Mapping[tuple[str, str, str], str] | None) -> str:
    if decisions is None:
        return "not offered"
    said = decisions.get((verdict.principal, verdict.action, verdict.arn))
    if said is None:
        return "not asked"
    if (said == "allowed") == verdict.possible:
        return "yes"
    return "no" if verdict.decision is Decision.UNDECIDABLE else "contradicted"


def _together(answers: list[str]) -> str:
    """Return the one answer that says the most: a contradiction is never lost among confirmations."""
    return next(word for word in ("contradicted", "no", "yes", "not asked", "not offered") if word in answers)


_GUARDED = (
    "cloudtrail:StopLogging",
    "cloudtrail:DeleteTrail",
    "cloudtrail:UpdateTrail",
    "cloudtrail:PutEventSelectors",
    "guardduty:DeleteDetector",
    "guardduty:UpdateDetector",
    "guardduty:DisassociateFromAdministratorAccount",
    "config:StopConfigurationRecorder",
    "config:DeleteConfigurationRecorder",
    "config:DeleteDeliveryChannel",
    "ec2:DeleteFlowLogs",
    "kms:ScheduleKeyDeletion",
    "kms:DisableKey",
    "organizations:LeaveOrganization",
)
"""What a guardrail of the organization is to deny: what switches a control off."""


@dataclass(frozen=True)
class Guardrail:
    """A control of an account in an organization, with the actions that its policies leave to a role that nobody declared."""

    account: str
    control: str
    left: tuple[str, ...]

    @property
    def resource(self) -> Resource:
        return Resource("AWS::Account", self.account)


def guardrails(levels: Iterable[ControlLevel], targets: Targets) -> Iterator[Guardrail]:
    """Yield each guarded control as the service control policies leave it; none where no level binds the account.

    The question is asked for a role that may do everything and that no policy can know of, so that an exception for security
    roles by their ARN does not hold for it.
    """
    every = tuple(levels)
    if not every:
        return
    account = every[0].target
    anything: Document = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    policies = Policies((anything,), service_control=tuple(level.documents for level in every))
    context = {"aws:principalarn": f"arn:aws:iam::{account}:role/nobody-declared-this", "aws:principalaccount": account}
    found: dict[str, list[str]] = {}
    for control, kind, actions in CLOUD_CONTROLS:
        for action in (action for action in actions if action in _GUARDED):
            asked = [Request(action, target.arns[0], context) for target in targets.get(kind) or (_ANYTHING,)]
            decisions = {evaluate(policies, request) for request in asked}
            left = found.setdefault(control, [])
            if decisions & {Decision.ALLOW, Decision.UNDECIDABLE}:
                left.append(action if Decision.ALLOW in decisions else f"{action} (if conditions hold)")
    for control, names in found.items():
        yield Guardrail(account, control, tuple(names))
