"""Logs: their kinds, and the records that are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class LogKind(StrEnum):
    """What a log tells of. Each kind has its own fields (``soc2/detect/schema.py``), whatever file or store it is in."""

    KUBERNETES_AUDIT = "kubernetes-audit"
    CLOUDTRAIL = "cloudtrail"
    VPC_FLOW = "vpc-flow"
    CONTAINER = "container"
    NODE = "node"
    """Syslog and the journal of a node's operating system: sshd, sudo, cron, kernel and all others."""
    AUDITD = "auditd"
    FALCO = "falco"
    TETRAGON = "tetragon"
    GUARDDUTY = "guardduty"
    HUBBLE = "hubble"
    """Flows that Cilium saw on a node, as Hubble exports them."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A detection: a rule that matched an event (or, for a correlation, several), or an anomaly.

    ``time`` is UTC (None when the event has none), of the last event of a correlation; ``severity`` is a Sigma level;
    ``file`` and ``line`` (from 1) say where the event was read. ``fields`` are the values of the fields that the rule
    names, secrets replaced, and, for an anomaly, why it fired.
    """

    rule_id: str
    title: str
    criterion: str
    severity: str
    time: datetime | None
    source: LogKind
    file: str
    line: int
    actor: str | None
    object: str | None
    fields: Mapping[str, Any]
