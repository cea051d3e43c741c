"""The section ``[logs]`` of ``system.toml``: where logs are, how fresh they have to be, and which window is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from soc2.detect.window import moment
from soc2.errors import UsageError
from soc2.gather.logs import flow
from soc2.model.logs import LogKind
from soc2.section import Name, Reason, Section
from soc2.toml_file import TomlFile

Per = Literal["node", "account", "cluster"]
"""What every one of must deliver for a source to be whole."""

PLACES = ("path", "cloudwatch", "s3", "loki", "lake", "athena")

_EVENT_DATA_STORE = r"^(arn:[\w-]+:cloudtrail:[\w-]+:\d{12}:eventdatastore/)?[0-9a-fA-F-]{36}$"
AthenaName = Annotated[str, Meta(pattern=r"^[\w-]+$")]

_OF_NODES = frozenset({LogKind.CONTAINER, LogKind.NODE, LogKind.AUDITD, LogKind.FALCO, LogKind.TETRAGON, LogKind.HUBBLE})
_OF_CLUSTERS = frozenset({LogKind.KUBERNETES_AUDIT})
OF_CLUSTERS = _OF_NODES | _OF_CLUSTERS
"""Kinds of log that a system without Kubernetes need not have; those of an account are the others."""
# Nothing happens, nothing is written: findings, not a stream.
_QUIET = frozenset({LogKind.GUARDDUTY, LogKind.FALCO})

# Minutes. Audit, container and node logs: the catalogue's CC7.2-04 (5 and 15). CloudTrail delivers a call after about 5
# minutes on average, without a promise; 30 leaves room for a slow delivery and for a quiet account. Flow logs are
# gathered for 10 minutes and delivered some 5 to 10 later; 60 is what may be lost of them before it counts.
_MAX_AGE = {
    LogKind.KUBERNETES_AUDIT: 5,
    LogKind.CONTAINER: 5,
    LogKind.TETRAGON: 5,
    LogKind.NODE: 15,
    LogKind.HUBBLE: 15,
    LogKind.AUDITD: 15,
    LogKind.CLOUDTRAIL: 30,
    LogKind.VPC_FLOW: 60,
}
_MAX_GAP = 60


class Athena(Section, frozen=True):
    """A table over the files of a trail, the workgroup that queries run in, and where Athena writes what they find, which it
    does with every query. ``day_column`` is a partition by day (``YYYY/MM/DD``); it limits what is read and paid."""

    database: AthenaName
    table: AthenaName
    output: Annotated[str, Meta(pattern=r"^s3://[^/]+")]
    workgroup: AthenaName = "primary"
    day_column: AthenaName | None = None


class LogSource(Section, frozen=True):
    """A declared log, in exactly one place. ``name`` is unique: it names the source in reports and its kept state.

    ``token_env`` is the name of the environment variable with Loki's token, never the token. ``max_age_minutes`` is how
    old the newest record may be; ``max_gap_minutes``, whole hours, how long it may be silent; ``per`` what each must
    deliver. What is left out has a default by kind. ``format`` are the fields of VPC flow logs whose files do not name them
    (``${version} ${vpc-id} …``): those of a custom format in CloudWatch.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    kind: LogKind
    path: Name | None = None
    cloudwatch: Name | None = None
    streams: Name | None = None
    s3: Annotated[str, Meta(pattern=r"^s3://[^/]+")] | None = None
    loki: Annotated[str, Meta(pattern=r"^https?://[^/]+")] | None = None
    query: Name | None = None
    tenant: Name | None = None
    token_env: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    lake: Annotated[str, Meta(pattern=_EVENT_DATA_STORE)] | None = None
    athena: Athena | None = None
    format: Name | None = None
    region: Name | None = None
    account: Annotated[str, Meta(pattern=r"^\d{12}$")] | None = None
    cluster: Name | None = None
    max_age_minutes: Annotated[int, Meta(ge=1, le=525_600)] | None = None
    max_gap_minutes: Annotated[int, Meta(ge=60, le=525_600, multiple_of=60)] | None = None
    per: Per | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """Return the keys that say where the log is; a valid source has one."""
        return tuple(place for place in PLACES if getattr(self, place) is not None)

    @property
    def stream(self) -> Per:
        """Return what every one of must deliver."""
        if self.per is not None:
            return self.per
        return "node" if self.kind in _OF_NODES else "cluster" if self.kind in _OF_CLUSTERS else "account"

    @property
    def age_limit_minutes(self) -> int | None:
        """Return how old the newest record may be, or None for a log that may be quiet for any time."""
        return self.max_age_minutes or _MAX_AGE.get(self.kind)

    @property
    def gap_limit_minutes(self) -> int | None:
        """Return how long the log may be silent, or None when it may for any time."""
        return self.max_gap_minutes or (None if self.kind in _QUIET else _MAX_GAP)


class AbsentLog(Section, frozen=True):
    """A kind of log that the system does not have, and why."""

    kind: LogKind
    reason: Reason


class Logs(Section, frozen=True):
    """``store`` is the folder where normalised logs and what was read already are kept from run to run; without one they
    stay in the run's folder. ``since`` and ``until`` are ISO 8601 times or durations back from now; the window ends now
    and is ``window_hours`` long unless they say otherwise. ``max_malformed_share`` (0 to 1) of a source's records may be
    unreadable before what it shows is no evidence. ``sigma_rules`` are folders of rules beside those that are shipped.

    ``canary_seconds`` is how long a denied request may take to the log of the API server (the catalogue's CC6.2-13: ten
    minutes), ``log_canary_seconds`` a line of a pod to the log of containers (CC7.2-05: five); ``canary_image`` is what
    that pod runs. ``prometheus`` is where the counters of the agents themselves are; ``prometheus_token_env`` names the
    environment variable that holds its token."""

    store: Name | None = None
    window_hours: Annotated[int, Meta(ge=1, le=8784)] = 24
    since: Name | None = None
    until: Name | None = None
    max_malformed_share: Annotated[float, Meta(ge=0, le=1)] = 0.01
    clock_tolerance_seconds: Annotated[float, Meta(gt=0, le=3600)] = 1.0
    canary_seconds: Annotated[int, Meta(ge=1, le=3600)] = 600
    log_canary_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300
    canary_image: Name | None = None
    prometheus: Annotated[str, Meta(pattern=r"^https?://[^/]+")] | None = None
    prometheus_token_env: Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    sigma_rules: tuple[Name, ...] = ()
    sources: tuple[LogSource, ...] = ()
    absent: tuple[AbsentLog, ...] = ()

    def of(self, kind: LogKind) -> tuple[LogSource, ...]:
        """Return the declared logs of a kind."""
        return tuple(source for source in self.sources if source.kind is kind)

    def absence(self, kind: LogKind) -> str | None:
        """Return why the system has no log of a kind, or None when the owner says nothing of that."""
        return next((entry.reason for entry in self.absent if entry.kind is kind), None)

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return from when (inclusive) until when (exclusive) logs are read, in UTC. Raises UsageError."""
        until = moment(self.until, now) if self.until else now
        since = moment(self.since, now) if self.since else until - timedelta(hours=self.window_hours)
        if since >= until:
            raise UsageError(f"the window of logs is empty: it begins {since:%FT%TZ} and ends {until:%FT%TZ}")
        return since, until


def checked_logs(logs: Logs, file: TomlFile) -> Logs:
    """Return the section with its folders and files resolved beside the file. Raises UsageError with file and line."""
    for key in ("since", "until"):
        if text := getattr(logs, key):
            try:
                moment(text, datetime.now(UTC))
            except UsageError as error:
                raise file.error(("logs", key), error.what, error.mend) from None
    seen: set[str] = set()
    for index, source in enumerate(logs.sources):
        where = ("logs", "sources", index)
        if len(source.places) != 1:
            found = " and ".join(source.places) or "none"
            raise file.error(where, f'log source "{source.name}" names {found} of its places', f"one of {', '.join(PLACES)}")
        for key, place in _ONLY_WITH.items():
            if getattr(source, key) is not None and source.places != (place,):
                raise file.error((*where, key), f'"{key}" is of no use without "{place}"')
        if (source.lake or source.athena) and source.kind is not LogKind.CLOUDTRAIL:
            raise file.error((*where, "kind"), f'"{source.places[0]}" holds cloudtrail events, not {source.kind}')
        if source.loki and not source.query:
            raise file.error(where, f'log source "{source.name}" has no query', "for example query = '{job=\"audit\"}'")
        if source.format is not None and (source.kind is not LogKind.VPC_FLOW or flow.header(source.format) is None):
            mend = "the fields of a custom format of vpc-flow logs, as AWS has it: ${version} ${interface-id} ${srcaddr} …"
            raise file.error((*where, "format"), f"{source.format!r} is no format of flow logs", mend)
        if source.name in seen:
            raise file.error((*where, "name"), f'two log sources are named "{source.name}"', "give each its own name")
        seen.add(source.name)
    sources = tuple(
        msgspec.structs.replace(source, path=_beside(file.path, source.path)) if source.path else source
        for source in logs.sources
    )
    store = _beside(file.path, logs.store) if logs.store else None
    rules = tuple(_beside(file.path, folder) for folder in logs.sigma_rules)
    for index, folder in enumerate(rules):
        if not Path(folder).is_dir():
            raise file.error(("logs", "sigma_rules", index), f"{folder} is no folder", "name a folder of Sigma rules")
    return msgspec.structs.replace(logs, sources=sources, store=store, sigma_rules=rules)


_ONLY_WITH = {"streams": "cloudwatch", "query": "loki", "tenant": "loki", "token_env": "loki"}


def _beside(file: Path, name: str) -> str:
    return str(file.parent / Path(name).expanduser())
