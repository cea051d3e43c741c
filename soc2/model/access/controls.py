"""Who could stop or weaken a control: by IAM in the account, by the authorizer in the cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.model.access.cloud import Asker
from soc2.model.access.iam import Document
from soc2.model.aws.iam import ControlLevel
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource

CLOUD_CONTROLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "CloudTrail",
        ("cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors"),
    ),
    ("GuardDuty", ("guardduty:DeleteDetector", "guardduty:UpdateDetector", "guardduty:CreateFilter")),
    ("Config", ("config:StopConfigurationRecorder", "config:DeleteConfigurationRecorder", "config:DeleteDeliveryChannel")),
    ("flow logs", ("ec2:DeleteFlowLogs",)),
    ("KMS keys", ("kms:ScheduleKeyDeletion", "kms:DisableKey", "kms:PutKeyPolicy")),
    ("stored logs", ("logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy")),
    ("control plane logs of EKS", ("eks:UpdateClusterConfig",)),
    ("access to EKS", ("eks:CreateAccessEntry", "eks:AssociateAccessPolicy")),
    ("Security Hub", ("securityhub:DisableSecurityHub", "securityhub:BatchDisableStandards")),
    ("Access Analyzer", ("access-analyzer:DeleteAnalyzer",)),
)


@dataclass(frozen=True)
class ControlPower:
    """Who (``name`` as declarations name it) could weaken which controls, and in which ways."""

    resource: Resource
    name: str
    ways: tuple[tuple[str, str], ...]


def cloud_powers(principals: Iterable[PrincipalPolicies], levels: Iterable[ControlLevel]) -> Iterator[ControlPower]:
    """Yield every user and role with the controls of the account that it could stop or weaken.

    The actions are asked about for any resource of the account ("*"); service control policies and boundaries count.
    """
    service_control: tuple[tuple[Document, ...], ...] = tuple(level.documents for level in levels)
    for one in principals:
        asker = Asker(one, service_control)
        ways = [
            (control, words)
            for control, actions in CLOUD_CONTROLS
            if (words := ", ".join(found for action in actions if (found := asker.may(action, "*"))))
        ]
        yield ControlPower(one.resource, one.principal.name, tuple(ways))
