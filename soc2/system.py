"""The description of the system under examination: the typed form of ``system.toml``."""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from soc2.criteria import CRITERIA
from soc2.declared_etcd import Etcd, checked_etcd
from soc2.declared_images import Images, Registries, checked_images, checked_registries
from soc2.declared_network import DeclaredNetwork, checked_network
from soc2.log_sources import Logs, checked_logs
from soc2.model.aws.public_addresses import mistaken_network
from soc2.section import Days, Reason, Section
from soc2.toml_file import TomlFile

Hours = Annotated[int, Meta(ge=1, le=8760)]
Logged = Annotated[str, Meta(pattern=r"^(AWS::IAM::(User|Role)|User|Group)/.+$|^ServiceAccount/[^/]+/[^/]+$")]


class About(Section, frozen=True):
    """Whose system it is, which criteria are examined (empty: all) and where the waivers stand."""

    name: Annotated[str, Meta(min_length=1)]
    owner: Annotated[str, Meta(min_length=1)]
    criteria: tuple[str, ...] = ()
    waivers: str = "waivers.toml"


class Target(Section, frozen=True):
    """What the pytest options of the same names say; the command line wins."""

    kind: Literal["live", "demo", "manifests"] | None = None
    manifests: str | None = None
    kubeconfig: str | None = None
    kube_context: str | None = None
    in_cluster: bool = False
    aws_profile: str | None = None


class OutOfScope(Section, frozen=True):
    namespaces: Annotated[str, Meta(min_length=1)]
    reason: Reason


class Kubernetes(Section, frozen=True):
    """``absent`` is the reason why the system has no Kubernetes; all namespaces are in scope but those listed."""

    cluster: str = ""
    absent: str | None = None
    out_of_scope: tuple[OutOfScope, ...] = ()


class Aws(Section, frozen=True):
    """Accounts and regions in scope; ``absent`` is the reason why the system has no AWS part."""

    regions: tuple[str, ...] = ()
    accounts: tuple[Annotated[str, Meta(pattern=r"^\d{12}$")], ...] = ()
    absent: str | None = None


class Data(Section, frozen=True):
    """Data classes by tag. ``restricted`` ones need a customer managed key, TLS and no public access.

    ``accounts`` are those beside the accounts in scope that data may be shared with and go to, as ids or ARNs of
    organizations; ``regions`` where it may be beside the regions in scope (both patterns). ``perimeter`` says that the
    endpoints of VPCs are a control that keeps data inside.
    """

    class_tag: str = "data-class"
    owner_tag: str = "owner"
    classes: tuple[str, ...] = ("public", "internal", "confidential", "customer")
    restricted: tuple[str, ...] = ("confidential", "customer")
    accounts: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    regions: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    perimeter: bool = False

    @property
    def unrestricted(self) -> tuple[str, ...]:
        return tuple(name for name in self.classes if name not in self.restricted)


class Secrets(Section, frozen=True):
    """``store`` names the external store that Secrets come from, where that is a control of the system's; ``made_here`` are
    Secrets (``namespace/name``, patterns) in namespaces of restricted data that may come from elsewhere."""

    store: Annotated[str, Meta(min_length=1)] | None = None
    made_here: tuple[Annotated[str, Meta(pattern=r"^[^/]+/[^/]+$")], ...] = ()


class MatrixEntry(Section, frozen=True):
    """A line of the access matrix: what a subject may do (or, with ``allowed = false``, must not).

    ``resources`` read ``resource.group`` (``pods``, ``pods/exec``, ``deployments.apps``); ``namespaces`` are patterns
    over those in scope, and empty for the whole cluster. What no line allows a subject that is named here must be
    denied to it.
    """

    subject: Annotated[str, Meta(pattern=r"^(User|Group)/.+$|^ServiceAccount/[^/]+/[^/]+$")]
    verbs: Annotated[tuple[str, ...], Meta(min_length=1)]
    resources: Annotated[tuple[str, ...], Meta(min_length=1)]
    namespaces: tuple[str, ...] = ()
    allowed: bool = True

    def places(self, in_scope: tuple[str, ...]) -> tuple[str, ...]:
        """Return the namespaces that the line is about; the empty name stands for the whole cluster."""
        if not self.namespaces:
            return ("",)
        return tuple(name for name in in_scope if any(fnmatchcase(name, pattern) for pattern in self.namespaces))

    def covers(self, subject: str, verb: str, resource: str, namespace: str) -> bool:
        """Tell whether the line speaks of this, whatever it says of it."""
        return (
            subject == self.subject
            and any(fnmatchcase(verb, pattern) for pattern in self.verbs)
            and any(fnmatchcase(resource, pattern) for pattern in self.resources)
            and (not self.namespaces or any(fnmatchcase(namespace, pattern) for pattern in self.namespaces))
        )


class Access(Section, frozen=True):
    """Who may hold powers. Kubernetes subjects read ``Kind/name`` or ``ServiceAccount/namespace/name``; all entries
    are patterns (``*``, ``?``).

    ``duty_conflicts`` are pairs of duties that nobody may have together: those of the feed of duties, and those that
    rights are by themselves (``soc2/model/access/duties.py`` names them).

    ``control_owners`` (in the cluster) and ``security_principals`` (names of IAM users and roles) may stop or weaken
    controls, as administrators may. ``accepted_paths`` are subjects whose way to more rights is cut by what RBAC does
    not show, such as an admission policy; ``data_readers`` read ``subject -> store``, for example
    ``ServiceAccount/notes/api -> AWS::S3::Bucket/attachments``.

    ``break_glass`` are identities for emergencies, each use of which needs a ticket; ``pipelines`` are those by which
    reviewed changes of access are made. Both are told in logs, as ``AWS::IAM::User/name``, ``AWS::IAM::Role/name``,
    ``User/name``, ``Group/name`` or ``ServiceAccount/namespace/name``.
    """

    cluster_admins: tuple[str, ...] = ()
    escalation_holders: tuple[str, ...] = ()
    secret_readers: tuple[str, ...] = ()
    exec_holders: tuple[str, ...] = ()
    workload_creators: tuple[str, ...] = ()
    duty_conflicts: tuple[tuple[str, str], ...] = ()
    certificate_users: tuple[str, ...] = ()
    accepted_paths: tuple[str, ...] = ()
    data_readers: tuple[Annotated[str, Meta(pattern=r"^[^>]+ -> [^>]+$")], ...] = ()
    break_glass: tuple[Logged, ...] = ()
    pipelines: tuple[Logged, ...] = ()
    matrix: tuple[MatrixEntry, ...] = ()
    control_owners: tuple[str, ...] = ()
    cloud_admins: tuple[str, ...] = ()
    security_principals: tuple[str, ...] = ()
    eks_principals: tuple[str, ...] = ()

    @property
    def unlimited(self) -> tuple[str, ...]:
        """Return patterns of all who may have every right somewhere, or whose way there is accepted."""
        return (*self.cluster_admins, *(f"AWS::IAM::*/{name}" for name in self.cloud_admins), *self.accepted_paths)


class Admission(Section, frozen=True):
    """What webhooks and admission policies may leave out: ``name -> what`` as reports show it, as patterns, for example
    ``images -> namespace sandbox`` or ``images -> condition not-the-builder``."""

    exclusions: tuple[Annotated[str, Meta(pattern=r"^[^>]+ -> .+$")], ...] = ()


class Exposure(Section, frozen=True):
    """What is meant to be reachable from outside: ``namespace/name`` or names, as patterns.

    A route is served by the Gateway that it attaches to: whoever approves a Gateway approves the routes of its namespace
    with it, and those of other namespaces are approved under ``routes``. ``host_ports`` are ports of nodes that a workload
    takes, as ``namespace/workload:port``. ``load_balancers`` are those of the account, by name or ARN.
    ``public_addresses`` are addresses or networks, or patterns of the names of what has one: ids and names of Elastic IPs,
    network interfaces and instances.
    """

    services: tuple[str, ...] = ()
    ingresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    host_ports: tuple[Annotated[str, Meta(pattern=r"^[^/:]+/[^/:]+:[\d*?]+$")], ...] = ()
    load_balancers: tuple[str, ...] = ()
    public_addresses: tuple[Annotated[str, Meta(min_length=1)], ...] = ()
    public_buckets: tuple[str, ...] = ()


class Agents(Section, frozen=True):
    """DaemonSets (``namespace/name``) that collect logs and that watch what runs."""

    log: tuple[str, ...] = ()
    runtime: tuple[str, ...] = ()


class Availability(Section, frozen=True):
    """The label that marks workloads whose loss stops the service."""

    tier_label: str = "tier"
    tier1_values: tuple[str, ...] = ("1",)


class Thresholds(Section, frozen=True):
    """Limits, in days unless the name says otherwise. Defaults: CIS AWS Foundations Benchmark for credentials (90) and,
    likewise, for roles and client certificates, the catalogue's floor of 90 days for logs and for access reviews, and its 30
    that are left of certificates of servers, three zones for surviving the loss of one with a quorum left, a minute for a
    token to be refused (the API server remembers a token for ten seconds). An address outside that is refused at
    ``probe_targets`` targets (address and port) searches for a way in: fewer are slips and noise. How soon an alert is opened
    and handled is the owner's policy; the defaults are ours. Vulnerabilities: CISA's Binding Operational Directive 19-02 (15
    days for critical, 30 for high ones); images of nodes: the catalogue's 30. Kubernetes lets a kubelet be three minor
    versions older than the API server; so that an upgrade remains possible, it may be two."""

    access_key_max_age_days: Days = 90
    credential_unused_days: Days = 90
    secret_rotation_days: Days = 365
    log_retention_days: Annotated[int, Meta(ge=90, le=3650)] = 365
    finding_triage_days: Days = 3
    backup_retention_days: Annotated[int, Meta(ge=1, le=35)] = 7
    key_deletion_days: Days = 30
    waiver_max_days: Days = 365
    leaver_days: Days = 1
    client_certificate_days: Days = 90
    certificate_expiry_days: Days = 30
    role_unused_days: Days = 90
    unused_access_days: Days = 30
    token_revocation_seconds: Annotated[int, Meta(ge=1, le=300)] = 60
    access_review_days: Days = 90
    node_zones: Annotated[int, Meta(ge=1, le=10)] = 3
    tier1_replicas: Annotated[int, Meta(ge=1, le=100)] = 2
    alert_triage_hours_critical: Hours = 1
    alert_triage_hours_high: Hours = 4
    alert_triage_hours_medium: Hours = 24
    alert_triage_hours_low: Hours = 72
    alert_opening_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 60
    tampering_alert_minutes: Annotated[int, Meta(ge=1, le=10_080)] = 15
    ticket_hours: Hours = 24
    probe_targets: Annotated[int, Meta(ge=2, le=65_535)] = 10
    image_scan_days: Days = 7
    vulnerability_days_critical: Days = 15
    vulnerability_days_high: Days = 30
    node_image_days: Days = 30
    kubelet_versions_behind: Annotated[int, Meta(ge=0, le=3)] = 3

    @property
    def vulnerability_days(self) -> dict[str, int]:
        """Return the days within which a vulnerability with a fix is to be gone, by severity."""
        return {level: getattr(self, f"vulnerability_days_{level}") for level in ("critical", "high")}

    @property
    def alert_triage_hours(self) -> dict[str, int]:
        """Return the hours within which a disposition is to be found, by Sigma level; the level informational has none."""
        return {level: getattr(self, f"alert_triage_hours_{level}") for level in ("critical", "high", "medium", "low")}


class Search(Section, frozen=True):
    """Bounds of searches: ``examples`` pods for each namespace (is one admitted that should not be?), ``questions`` for
    each subject of the access matrix (may it do more?), and ``seconds`` for each of them. Without a ``seed`` every
    run begins at another one; a run is repeated with the seed that its evidence shows."""

    examples: Annotated[int, Meta(ge=1, le=10_000)] = 100
    questions: Annotated[int, Meta(ge=1, le=100_000)] = 300
    seconds: Annotated[float, Meta(gt=0, le=600)] = 5.0
    seed: Annotated[int, Meta(ge=0)] | None = None


class Probes(Section, frozen=True):
    """Writing probes create objects, and delete them again, in a namespace that holds nothing else; off by default."""

    writing: bool = False
    namespace: Annotated[str, Meta(min_length=1)] = "soc2-canary"


class Feed(Section, frozen=True):
    """A list that no API knows, exported to a file (CSV, JSON or YAML; relative to system.toml): who answers for it, of
    which day it is, how old it may be and, when the owner gives it, the SHA-256 of the file."""

    kind: Literal["roster", "leavers", "access-review", "duties", "alerts", "addresses"]
    path: str
    owner: Annotated[str, Meta(min_length=1)]
    date: date
    max_age_days: Days = 90
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None


class Inherited(Section, frozen=True):
    """A check (or a whole criterion) that a subservice organisation answers for in its own report, for as long as the owner's
    review of it is not too old: reports are of a year, as a rule."""

    provider: Reason
    report: Reason
    reviewed: date
    max_age_days: Days = 400
    check: str | None = None
    criterion: str | None = None


class NotUsed(Section, frozen=True):
    """A check whose subject the system does not have, with the owner's reason."""

    check: str
    reason: Reason


class System(Section, frozen=True):
    system: About
    target: Target = Target()
    kubernetes: Kubernetes = Kubernetes()
    etcd: Etcd = Etcd()
    aws: Aws = Aws()
    images: Images = Images()
    registries: Registries = Registries()
    data: Data = Data()
    secrets: Secrets = Secrets()
    access: Access = Access()
    admission: Admission = Admission()
    exposure: Exposure = Exposure()
    network: DeclaredNetwork = DeclaredNetwork()
    agents: Agents = Agents()
    availability: Availability = Availability()
    thresholds: Thresholds = Thresholds()
    search: Search = Search()
    probes: Probes = Probes()
    logs: Logs = Logs()
    feeds: tuple[Feed, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    not_used: tuple[NotUsed, ...] = ()

    @property
    def data_accounts(self) -> tuple[str, ...]:
        """Return the accounts that data may be shared with: those in scope, and those that the owner approves."""
        return (*self.aws.accounts, *self.data.accounts)

    @property
    def data_regions(self) -> tuple[str, ...]:
        return (*self.aws.regions, *self.data.regions)

    def feeds_of(self, kind: str) -> tuple[Feed, ...]:
        """Return the feeds of a kind that the owner declared."""
        return tuple(feed for feed in self.feeds if feed.kind == kind)

    def scope_reason(self, namespace: str) -> str | None:
        """Return why a namespace is out of scope, or None when it is in scope."""
        for entry in self.kubernetes.out_of_scope:
            if fnmatchcase(namespace, entry.namespaces):
                return entry.reason
        return None

    def in_scope(self, namespace: str) -> bool:
        """Tell whether a namespace is examined; the empty name (cluster-scoped objects) always is."""
        return not namespace or self.scope_reason(namespace) is None


def load_system(path: Path) -> System:
    """Read ``system.toml``. Raises UsageError with file, line and the nearest valid name."""
    file = TomlFile.read(path)
    system = file.convert(System)
    for index, criterion in enumerate(system.system.criteria):
        if criterion not in CRITERIA:
            raise file.unknown_name(("system", "criteria", index), "criterion", criterion, CRITERIA)
    for index, entry in enumerate(system.inherited):
        if (entry.check is None) == (entry.criterion is None):
            raise file.error(("inherited", index), "an inherited control names either check or criterion")
        if entry.criterion is not None and entry.criterion not in CRITERIA:
            raise file.unknown_name(("inherited", index, "criterion"), "criterion", entry.criterion, CRITERIA)
    for index, text in enumerate(system.exposure.public_addresses):
        if mistake := mistaken_network(text):
            raise file.error(("exposure", "public_addresses", index), mistake)
    feeds = tuple(msgspec.structs.replace(feed, path=str(path.parent / feed.path)) for feed in system.feeds)
    logs, network = checked_logs(system.logs, file), checked_network(system.network, file)
    images, registries = checked_images(system.images, file), checked_registries(system.registries, file)
    etcd = checked_etcd(system.etcd, file)
    return msgspec.structs.replace(
        system, feeds=feeds, logs=logs, network=network, etcd=etcd, images=images, registries=registries
    )


def require_checks_known(system: System, path: Path, known: frozenset[str]) -> None:
    """Raise UsageError when ``[[inherited]]`` or ``[[not_used]]`` names a check that does not exist."""
    file = TomlFile.read(path)
    for index, entry in enumerate(system.inherited):
        if entry.check is not None and entry.check not in known:
            raise file.unknown_name(("inherited", index, "check"), "check", entry.check, known)
    for index, unused in enumerate(system.not_used):
        if unused.check not in known:
            raise file.unknown_name(("not_used", index, "check"), "check", unused.check, known)
