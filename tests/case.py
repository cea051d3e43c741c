"""Runs a check function over declared answers of its sources: decoding, joining and judging are the real ones."""

from __future__ import annotations

import csv
import importlib
import inspect
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import yaml

from fixtures.population import DECLARED, build_population
from fixtures.populations import MODULES
from soc2 import judge as judging
from soc2.catalog import Check
from soc2.gather.aws.calls import AwsDetail, AwsList
from soc2.gather.aws.credential_report import CredentialReport, parse
from soc2.gather.aws.log_stores import LogBuckets
from soc2.gather.aws.rule_groups import RuleGroupReferences, references_in
from soc2.gather.aws.scan_sources import RunningEcrImages, ScannableEcrImages
from soc2.gather.aws.service_control import ServiceControl
from soc2.gather.aws.simulation import ControlSimulation
from soc2.gather.codec import Codec
from soc2.gather.etcd.attempts import EtcdAttempts
from soc2.gather.etcd.canary import SecretCanary
from soc2.gather.etcd.encryption import DeclaredEncryption, configuration
from soc2.gather.feeds import FeedSource
from soc2.gather.kubernetes.access_matrix import AccessMatrix
from soc2.gather.kubernetes.api_server import ApiServerPlaces
from soc2.gather.kubernetes.aws_auth import AwsAuth
from soc2.gather.kubernetes.control_plane import ControlPlane
from soc2.gather.kubernetes.custom_resources import CustomResources, shaped
from soc2.gather.kubernetes.facts import PRESUMED_ROLES, Version
from soc2.gather.kubernetes.image_probes import ForbiddenImages
from soc2.gather.kubernetes.level_trials import LevelTrials
from soc2.gather.kubernetes.lists import KubeList, SecretTable
from soc2.gather.kubernetes.pod_search import PodSearch
from soc2.gather.kubernetes.probes import EveryonesAccess, PrivilegedPods, UnauthorizedRequests
from soc2.gather.kubernetes.tampering import ControlTampering
from soc2.gather.kubernetes.token_revocation import TokenRevocation
from soc2.gather.kubernetes.unevaluated import UnevaluatedPolicies
from soc2.gather.logs.agents import LogAgents
from soc2.gather.logs.audit_records import AuditRecords
from soc2.gather.logs.canary import AuditCanary
from soc2.gather.logs.collection import LogCollections, SomeLogs
from soc2.gather.logs.detections import Detections
from soc2.gather.logs.flows import FlowLogs
from soc2.gather.logs.pod_canary import LogCanary
from soc2.gather.logs.trail_digests import TrailDigests
from soc2.gather.registry.images import RunningImages
from soc2.gather.registry.signed_images import ImageSigners
from soc2.gather.source import RUNNING, Listing, Source
from soc2.gather.tls.certificates import TlsCertificates
from soc2.gather.tls.plain_http import PlainHttpAnswers
from soc2.gather.tls.served_hosts import ServedHosts
from soc2.gather.tls.versions import TlsVersions
from soc2.judge import Declarations, Rule, Verdict
from soc2.model.access.controls import ControlPower, Way
from soc2.model.audit_records import AuditClassSample
from soc2.model.aws.iam import ControlLevel, Simulation
from soc2.model.aws.log_stores import LogBucket
from soc2.model.aws.scanning import RunningEcrImage
from soc2.model.canaries import CanaryPath
from soc2.model.deviation import Resource
from soc2.model.digests import DigestVerdict
from soc2.model.etcd import EtcdEndpoint, StoredSecret
from soc2.model.image_content import ImageContent
from soc2.model.image_signatures import ImageSignatures
from soc2.model.kubernetes.api_server import ApiServerPlace
from soc2.model.kubernetes.aws_auth import AuthMapping
from soc2.model.kubernetes.cluster import ServerVersion
from soc2.model.kubernetes.custom import CustomResource
from soc2.model.kubernetes.foreign import ForeignPolicy
from soc2.model.log_agents import AgentCounters
from soc2.model.log_health import CollectedLog
from soc2.model.logs import Alert
from soc2.model.network.flows import Flow, ListedTraffic, Probe
from soc2.model.population import Cause, Population, Problem, SourceStatus
from soc2.model.probes import (
    AccessProbe,
    AdmissionProbe,
    LevelProbe,
    MatrixProbe,
    RequestProbe,
    RevocationProbe,
    SearchProbe,
)
from soc2.model.tls import Certificates, PlainHttp, Versions
from soc2.system import System
from soc2.waivers import Waivers

CASES = Path(__file__).parent / "cases"
AS_OF = datetime(2026, 6, 1, tzinfo=UTC)

_SYSTEM: dict[str, Any] = {
    "system": {"name": "test", "owner": "test"},
    "kubernetes": {"cluster": "test", "out_of_scope": [{"namespaces": "kube-*", "reason": "run by the provider"}]},
    "aws": {"accounts": ["123456789012"], "regions": ["eu-west-1"]},
    "images": {"allowed_registries": ["registry.example/team"]},
    "agents": {"log": ["agents/log"], "runtime": ["agents/sensor"]},
    "feeds": [
        {"kind": kind, "path": f"{kind}.csv", "owner": "people", "date": date(2026, 6, 1)}
        for kind in ("roster", "leavers", "access-review", "duties", "alerts", "addresses")
    ],
}

_LOG: dict[str, Any] = {
    "origin": "test",
    "since": datetime(2026, 6, 1, tzinfo=UTC),
    "until": datetime(2026, 6, 1, 12, tzinfo=UTC),
    "read_at": datetime(2026, 6, 1, 12, tzinfo=UTC),
}
"""What is the same of every collected log."""
_ALERT: dict[str, Any] = {
    "rule_id": "r1",
    "title": "Something happened",
    "criterion": "CC6.2",
    "severity": "high",
    "time": "2026-05-31T12:00:00Z",
    "source": "kubernetes-audit",
    "file": "audit.log",
    "line": 1,
    "actor": "ann",
    "object": "pods/a/b",
    "fields": {},
}


_SEEN: dict[str, Any] = {
    "records": 4,
    "first": "2026-05-31T10:00:00Z",
    "last": "2026-05-31T11:00:00Z",
    "place": {"origin": "flows.log", "line": 7},
}
_FLOW: dict[type, dict[str, Any]] = {
    Flow: {**_SEEN, "protocol": 6, "connections": 2, "bytes": 900, "seen_at": "eni-1"},
    Probe: {**_SEEN, "kind": "vpc-flow", "targets": 12},
    ListedTraffic: {
        **{name: _SEEN[name] for name in ("first", "last", "place")},
        "entry": "203.0.113.0/24",
        "reason": "botnet",
        "list_source": "test",
        "address": "203.0.113.66",
        "ports": [[6, 443]],
        "connections": 2,
        "bytes": 900,
    },
}
"""What is the same of all that flow logs show."""


@dataclass(frozen=True)
class Case:
    sources: dict[str, list[Any]] = field(default_factory=dict)
    system: dict[str, Any] = field(default_factory=dict)
    expected: list[dict[str, Any]] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)


def read_case(check: str, name: str) -> Case:
    return Case(**(yaml.safe_load((CASES / check / f"{name}.yaml").read_text(encoding="utf-8")) or {}))


def load_populations() -> None:
    for module in MODULES:
        importlib.import_module(module)


def system_of(case: Case) -> System:
    merged = {**_SYSTEM, **case.system}
    for key in _SYSTEM.keys() & case.system.keys() - {"feeds"}:
        merged[key] = {**_SYSTEM[key], **case.system[key]}
    return msgspec.convert(merged, System)


def run_check(check: Check, case: Case, denied: str | None = None) -> Verdict:
    """Call the check's own function and return the verdict; ``denied`` names a source that answers 403."""
    load_populations()
    system = system_of(case)
    function: Callable[..., None] = getattr(importlib.import_module(f"tests_controls.{check.module}"), check.function)
    found: list[Verdict] = []

    def judge(population: Population[Any], rule: Rule[Any]) -> None:
        declared = Declarations(system, Waivers(Path("waivers.toml")), date(2026, 6, 1))
        found.append(judging.judge(check, population, rule, declared))

    def get(source: Source[Any]) -> Listing[Any]:
        return _listing(source, case, denied)

    arguments: dict[str, Any] = {"judge": judge, "system": system, "as_of": AS_OF}
    for name in inspect.signature(function).parameters:
        if name in DECLARED:
            arguments[name] = build_population(DECLARED[name], system, get)
    wanted = inspect.signature(function).parameters
    function(**{name: value for name, value in arguments.items() if name in wanted})
    (verdict,) = found
    return verdict


def sources_of_check(check: Check) -> list[Source[Any]]:
    """Return every source the verdict depends on, those that others are asked for by among them."""
    load_populations()
    function = getattr(importlib.import_module(f"tests_controls.{check.module}"), check.function)
    names = inspect.signature(function).parameters
    asked = [source for name in names if name in DECLARED for source in DECLARED[name].sources if source != PRESUMED_ROLES]
    return list(dict.fromkeys(ancestor for source in asked for ancestor in _with_parents(source)))


def _with_parents(source: Source[Any]) -> Iterator[Source[Any]]:
    if isinstance(source, RuleGroupReferences):
        yield from chain(*(_with_parents(acls) for acls in source.acls))
        return
    yield source
    if isinstance(source, AwsDetail):
        yield from _with_parents(source.parent)


def _listing(source: Source[Any], case: Case, denied: str | None) -> Listing[Any]:
    if source in (RUNNING, PRESUMED_ROLES):
        return Listing((), ())
    if isinstance(source, RuleGroupReferences):
        return references_in(_listing(acls, case, denied) for acls in source.acls)
    before: tuple[SourceStatus, ...] = ()
    if isinstance(source, AwsDetail):
        before = _listing(source.parent, case, denied).statuses
    problem = Problem(Cause.DENIED, "denied by the test") if source.name == denied else None
    items = () if problem else tuple(_records(source, case.sources.get(source.name, [])))
    return Listing(items, (*before, SourceStatus(source.name, "case", 1, len(items), None, problem)))


def _records(source: Source[Any], raw: list[Any]) -> list[Any]:
    codec = Codec()
    match source:
        case KubeList() | ControlPlane():
            return list(source.decode(codec, msgspec.json.encode({"items": raw})))
        case SecretTable():
            rows = [{"cells": [row["name"], row["type"], row["keys"], "1d"], "object": {"metadata": row}} for row in raw]
            return list(source.decode(codec, msgspec.json.encode({"rows": rows})))
        case RunningEcrImages() | ScannableEcrImages():
            return [msgspec.convert(item, RunningEcrImage) for item in raw]
        case AwsList() | AwsDetail():
            added = {"SourceRegion": "eu-west-1", "sourceRegion": "eu-west-1", "SourceAccount": "123456789012"}
            return [codec.convert({**added, **source.shape(item)}, source.kind) for item in raw]
        case CustomResources():
            return [codec.convert(shaped(item), CustomResource) for item in raw]
        case Version():
            return [msgspec.convert(item, ServerVersion) for item in (raw or [{"minor": "36"}])]
        case ApiServerPlaces():
            return msgspec.convert(raw, list[ApiServerPlace])
        case CredentialReport():
            return list(parse(_report(raw)))
        case AccessMatrix():
            return [MatrixProbe(**item) for item in raw]
        case FeedSource():
            return [codec.convert(item, source.kind) for item in raw]
        case UnevaluatedPolicies():
            return [codec.convert(item, ForeignPolicy) for item in raw]
        case FlowLogs():
            usual = _FLOW.get(source.kind, {})
            return [msgspec.convert({**usual, **item}, source.kind, strict=False) for item in raw]
        case ImageSigners():
            return [msgspec.convert(item, ImageSignatures) for item in raw]
        case RunningImages():
            return [msgspec.convert(item, ImageContent) for item in raw]
        case Detections():
            return [msgspec.convert({**_ALERT, **item}, Alert, strict=False) for item in raw]
        case AwsAuth():
            return [msgspec.convert(item, AuthMapping) for item in raw]
        case ServiceControl():
            return [ControlLevel(item["target"], tuple(item["documents"])) for item in raw]
        case ControlSimulation():
            return [msgspec.convert(item, Simulation) for item in (raw or [{"offered": False}])]
        case ControlTampering():
            return [
                ControlPower(Resource(*item["resource"]), item["name"], tuple(Way(*way) for way in item["ways"]))
                for item in raw
            ]
        case LevelTrials():
            return msgspec.convert(raw, list[LevelProbe])
        case PodSearch():
            given = [{"version": "latest", "controls_of_version": item["controls"], **item} for item in raw]
            return msgspec.convert(given, list[SearchProbe])
        case PrivilegedPods() | ForbiddenImages():
            return [AdmissionProbe(**item) for item in raw]
        case LogCollections() | SomeLogs():
            return [msgspec.convert({**_LOG, **item}, CollectedLog, str_keys=True) for item in raw]
        case LogBuckets():
            return msgspec.convert(raw, list[LogBucket])
        case LogAgents():
            return [AgentCounters(**{"job": "agents", "dropped": 0.0, "errors": 0.0, **item}) for item in raw]
        case TrailDigests():
            return msgspec.convert(raw, list[DigestVerdict])
        case AuditRecords():
            return [AuditClassSample(**item) for item in raw]
        case AuditCanary() | LogCanary():
            return msgspec.convert(raw, list[CanaryPath])
        case TokenRevocation():
            return [RevocationProbe(**item) for item in raw]
        case TlsVersions():
            return msgspec.convert([{"name": f"{item['host']}:443", **_but(item, "host")} for item in raw], list[Versions])
        case TlsCertificates():
            return [_certificates(item) for item in raw]
        case PlainHttpAnswers():
            given = [{"name": f"{item['host']}:443", "place": f"{item['host']}:80", **item} for item in raw]
            return msgspec.convert(given, list[PlainHttp])
        case ServedHosts():
            return list(raw)
        case EtcdAttempts():
            return msgspec.convert(raw, list[EtcdEndpoint])
        case DeclaredEncryption():
            return [configuration(item, "encryption.yaml") for item in raw]
        case SecretCanary():
            return msgspec.convert(raw, list[StoredSecret])
        case UnauthorizedRequests():
            return [RequestProbe(**item) for item in raw]
        case EveryonesAccess():
            return [AccessProbe(**{**item, "groups": tuple(item["groups"])}) for item in raw]
    raise AssertionError(f"the harness does not know {source}")


_CERTIFICATE: dict[str, Any] = {
    "issuer": "CN=issuer",
    "not_before": datetime(2026, 5, 1, tzinfo=UTC),
    "not_after": datetime(2026, 9, 1, tzinfo=UTC),
    "key": "EC",
    "key_bits": 256,
    "signature_hash": "sha256",
}
"""What is the same of every certificate that an endpoint presents."""


def _certificates(item: dict[str, Any]) -> Certificates:
    host = item["host"]
    own = {"subject": f"CN={host}", "dns_names": (host,)}
    chain = [{**_CERTIFICATE, **(own if place == 0 else {}), **given} for place, given in enumerate(item.get("chain", [{}]))]
    return msgspec.convert({"name": f"{host}:443", **item, "chain": chain}, Certificates)


def _but(item: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != key}


def _report(rows: list[dict[str, str]]) -> str:
    columns = [
        "user",
        "arn",
        "user_creation_time",
        "password_enabled",
        "password_last_used",
        "mfa_active",
        "access_key_1_active",
        "access_key_1_last_rotated",
        "access_key_1_last_used_date",
        "access_key_2_active",
        "access_key_2_last_rotated",
        "access_key_2_last_used_date",
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="false")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
