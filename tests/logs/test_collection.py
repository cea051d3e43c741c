"""Collection: declared logs are read, kept and measured; what fails of one harms no other."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from soc2.evidence import EvidenceStore
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.collection import CURRENT_LOGS, LOGS, NODE_LOGS
from soc2.gather.source import Gatherer, Listing
from soc2.model.log_health import CollectedLog, LogStream, MalformedFile
from soc2.model.population import Cause
from soc2.system import System
from tests.logs.reading import KEYS, REGION, connected

UNTIL = datetime(2026, 6, 1, 12, tzinfo=UTC)
SINCE = UNTIL - timedelta(hours=6)


def collected(folder: Path, *sources: dict[str, Any], aws: AwsConnection | None = None, **logs: Any) -> Gatherer:
    """A gatherer of a run of its own that has read these sources."""
    described = {
        "system": {"name": "x", "owner": "y"},
        "kubernetes": {"cluster": "main"},
        "aws": {"accounts": ["123456789012"]},
        "logs": {"since": SINCE.isoformat(), "until": UNTIL.isoformat(), "sources": sources, **logs},
    }
    run = folder / f"run-{len(list(folder.glob('run-*')))}"
    system = msgspec.convert(described, System)
    gatherer = Gatherer(system, cast(Any, None), lambda: cast(AwsConnection, aws), EvidenceStore(run / "evidence"))
    gatherer.get(LOGS)
    return gatherer


def audit(moment: datetime, number: int = 0) -> str:
    event = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": f"{moment:%d%H%M%S}-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/pods",
        "verb": "list",
        "user": {"username": "dana"},
        "requestReceivedTimestamp": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}",
    }
    return json.dumps(event) + "\n"


def every(minutes: int, *, but: tuple[int, ...] = ()) -> list[str]:
    """An audit event every so many minutes of the window, but in these hours of the day."""
    moments = [SINCE + timedelta(minutes=minute) for minute in range(0, 360, minutes)]
    return [audit(moment) for moment in moments if moment.hour not in but]


def source(path: Path, **more: Any) -> dict[str, Any]:
    return {"name": "audit", "kind": "kubernetes-audit", "path": str(path), **more}


def only(listing: Listing[CollectedLog]) -> CollectedLog:
    (log,) = listing.items
    return log


def test_what_a_stream_delivered_is_counted_by_hour(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    lines = every(20, but=(8,))
    outside = [audit(SINCE - timedelta(seconds=1)), audit(UNTIL)]
    path.write_text("".join([*lines[:2], *lines[3:], *outside, lines[2], lines[0], lines[3]]))
    gatherer = collected(tmp_path, source(path))
    log = only(gatherer.get(LOGS))
    assert log.streams == (
        LogStream(
            name="main",
            records=15,
            oldest=SINCE,
            newest=UNTIL - timedelta(minutes=20),
            hours={SINCE + timedelta(hours=hour): 3 for hour in (0, 1, 3, 4, 5)},
            duplicates=2,
            out_of_order=1,
        ),
    )
    assert (log.records, log.undated, log.malformed, log.expected, log.complete) == (15, 0, (), ("main",), True)
    (status,) = gatherer.get(LOGS).statuses
    assert (status.source, status.items, status.problem) == ("log: audit", 15, None)
    assert status.query == f"read {path} from 2026-06-01T06:00:00Z until 2026-06-01T12:00:00Z"


def test_evidence_holds_no_line_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(every(20)) + "hunter2 is no record\n")
    gatherer = collected(tmp_path, source(path))
    kept = b"".join(_read(file) for file in gatherer.evidence.folder.rglob("*") if file.is_file())
    assert b"audit.log" in kept
    assert b"dana" not in kept
    assert b"hunter2" not in kept


def _read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_malformed_lines_are_listed_and_too_many_are_missing_evidence(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    lines = every(2)
    path.write_text("".join([*lines[:50], "{broken\n", *lines[50:]]))
    gatherer = collected(tmp_path, source(path))
    log = only(gatherer.get(LOGS))
    assert [(file.origin, file.count, file.line) for file in log.malformed] == [(str(path), 1, 51)]
    assert (log.records, log.malformed_share, log.complete) == (180, 1 / 181, True)
    path.write_text("".join([*lines[:50], *["{broken\n"] * 20, *lines[50:]]))
    gatherer = collected(tmp_path, source(path))
    log = only(gatherer.get(LOGS))
    assert (log.records, log.complete) == (180, False)
    (status,) = gatherer.get(LOGS).statuses
    assert str(status.problem) == "malformed answer: 10.00% of the records cannot be read, the limit is 1.00%"
    aside = [json.loads(line) for file in gatherer.evidence.folder.parent.rglob("*.ndjson") for line in file.open()]
    assert [entry["content"].strip() for entry in aside] == ["{broken"] * 20


def test_a_malformed_line_that_only_the_engine_meets_is_put_aside_too(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    lines = every(1)
    path.write_text("".join([*lines[:300], '{"kind": "Event"}\n', *lines[300:]]))
    gatherer = collected(tmp_path, source(path))
    assert only(gatherer.get(LOGS)).malformed == (MalformedFile(str(path), 1, 301, "no auditID"),)
    aside = [json.loads(line) for file in gatherer.evidence.folder.parent.rglob("*.ndjson") for line in file.open()]
    assert [(entry["line"], entry["content"]) for entry in aside] == [(301, '{"kind": "Event"}')]


def test_a_missing_folder_harms_no_other_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(every(20)))
    gone = {"name": "pods", "kind": "container", "path": str(tmp_path / "pods")}
    gatherer = collected(tmp_path, gone, source(path))
    listing = gatherer.get(LOGS)
    assert [(log.source, log.records, log.complete) for log in listing.items] == [("pods", 0, False), ("audit", 18, True)]
    assert [status.problem.cause if status.problem else None for status in listing.statuses] == [Cause.ABSENT, None]
    assert [status.source for status in gatherer.get(NODE_LOGS).statuses] == ["log: pods"]


def test_a_file_of_no_known_format_is_listed(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("".join(every(20)))
    (tmp_path / "logs" / "b.bin").write_bytes(b"\x00\x01\x02\n" * 3)
    log = only(collected(tmp_path, source(tmp_path / "logs"), max_malformed_share=0.5).get(LOGS))
    assert log.malformed == (MalformedFile(str(tmp_path / "logs" / "b.bin"), 3, 1, "no known form"),)


def test_a_log_of_another_kind_is_no_evidence(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(every(20)))
    (status,) = collected(tmp_path, source(path) | {"kind": "cloudtrail"}).get(LOGS).statuses
    assert str(status.problem) == "malformed answer: the log is of kind kubernetes-audit, not cloudtrail"


def test_a_stale_log_is_no_current_one(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(every(20)))
    gatherer = collected(tmp_path, source(path))
    (status,) = gatherer.get(CURRENT_LOGS).statuses
    assert str(status.problem) == "stale: the newest record is of 2026-06-01T11:40:00Z"
    assert only(gatherer.get(CURRENT_LOGS)).records == 18
    fresh = collected(tmp_path, source(path, max_age_minutes=20))
    assert [status.problem for status in fresh.get(CURRENT_LOGS).statuses] == [None]


def test_a_record_later_than_its_file_shows_a_clock_ahead(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text("".join(every(20)))
    written = (UNTIL - timedelta(minutes=20, seconds=7)).timestamp()
    os.utime(path, (written, written))
    assert [stream.ahead_seconds for stream in only(collected(tmp_path, source(path)).get(LOGS)).streams] == [7.0]


@mock_aws
def test_a_denied_log_group_harms_no_other(tmp_path: Path) -> None:
    aws = AwsConnection((REGION,), environment=KEYS)
    client = aws.client("logs", REGION)
    now = datetime.now(UTC)
    moments = [now - timedelta(minutes=minute) for minute in range(60, 0, -1)]
    for group in ("/open", "/closed"):
        client.create_log_group(logGroupName=group)
        client.create_log_stream(logGroupName=group, logStreamName="api")
        events = [{"timestamp": int(moment.timestamp() * 1000), "message": audit(moment).strip()} for moment in moments]
        client.put_log_events(logGroupName=group, logStreamName="api", logEvents=events)
    client.meta.events.register("before-call.logs.FilterLogEvents", _deny_closed)
    groups = [{"name": name, "kind": "kubernetes-audit", "cloudwatch": f"/{name}"} for name in ("closed", "open")]
    gatherer = collected(tmp_path, *groups, aws=aws, since="2h", until=(now + timedelta(minutes=1)).isoformat())
    listing = gatherer.get(LOGS)
    assert [(log.source, log.records, log.complete) for log in listing.items] == [("closed", 0, False), ("open", 60, True)]
    assert [str(status.problem) for status in listing.statuses] == [
        "access denied: FilterLogEvents: AccessDeniedException at eu-west-1",
        "None",
    ]
    (stream,) = listing.items[1].streams
    assert stream.delays is not None
    # They arrived together just now, each its own age late.
    assert (stream.delays.records, stream.ahead_seconds) == (60, 0.0)
    assert 60 <= stream.delays.least < 120
    assert stream.delays.least < stream.delays.median < stream.delays.p95 < 3700


def _deny_closed(params: dict[str, Any], **_: Any) -> Any:
    if b'"/closed"' in params["body"]:
        answer = {"Error": {"Code": "AccessDeniedException", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return AWSResponse("https://logs", 400, {}, None), answer
    return None


def test_records_later_than_their_ingestion_show_a_clock_ahead(tmp_path: Path) -> None:
    """Delays are told by node from the ids that the store gave to records."""

    def line(node: str, second: float, number: int) -> dict[str, Any]:
        arrived = int((SINCE + timedelta(minutes=number)).timestamp() * 1000)
        moment = SINCE + timedelta(minutes=number, seconds=second)
        message = {"log": f"line {number}", "time": moment.isoformat(), "kubernetes": {"host": node, "pod_name": "api"}}
        return {
            "eventId": f"{node}-{number}",
            "timestamp": arrived - 1,
            "ingestionTime": arrived,
            "logStreamName": node,
            "message": json.dumps(message),
        }

    events = [line(node, second, number) for node, second in (("n1", -1.5), ("n2", 2.25)) for number in range(10)]
    client = SimpleNamespace(filter_log_events=lambda **_: {"events": events})
    pods = {"name": "pods", "kind": "container", "cloudwatch": "/pods"}
    (log,) = collected(tmp_path, pods, aws=connected(client)).get(LOGS).items
    told = {
        each.name: (each.delays and each.delays.least, each.delays and each.delays.median, each.ahead_seconds)
        for each in log.streams
    }
    assert told == {"n1": (1.5, 1.5, 0.0), "n2": (-2.25, -2.25, 2.25)}


@mock_aws
def test_a_bucket_is_read_on_where_the_last_run_stopped(tmp_path: Path) -> None:
    aws = AwsConnection((REGION,), environment=KEYS)
    client = aws.client("s3", REGION)
    client.create_bucket(Bucket="kept-events", CreateBucketConfiguration={"LocationConstraint": REGION})
    now = datetime.now(UTC)
    bucket = {"name": "audit", "kind": "kubernetes-audit", "s3": "s3://kept-events/audit/"}

    def put(key: str, *minutes: int) -> None:
        lines = [audit(now - timedelta(minutes=minute), minute) for minute in minutes]
        client.put_object(Bucket="kept-events", Key=f"audit/{key}", Body=gzip.compress("".join(lines).encode()))

    def counts() -> tuple[int, int, int]:
        store = {"store": str(tmp_path / "store"), "since": "6h", "until": (now + timedelta(hours=1)).isoformat()}
        gatherer = collected(tmp_path, bucket, aws=aws, **store)
        (stream,) = only(gatherer.get(LOGS)).streams
        assert [status.problem for status in gatherer.get(LOGS).statuses] == [None]
        return stream.records, stream.duplicates, stream.delays.records if stream.delays else 0

    put("1.gz", 60, 59, 58)
    assert counts() == (3, 0, 3)
    assert counts() == (3, 0, 0)
    # Late, out of order, and one that was delivered before.
    put("2.gz", 10, 200, 59)
    assert counts() == (5, 1, 2)
    put("1.gz", 60, 59, 58, 57)
    assert counts() == (6, 4, 4)


def test_an_empty_folder_of_a_quiet_log_is_fine(tmp_path: Path) -> None:
    (tmp_path / "findings").mkdir()
    quiet = {"name": "findings", "kind": "guardduty", "path": str(tmp_path / "findings")}
    gatherer = collected(tmp_path, quiet)
    assert [status.problem for status in gatherer.get(CURRENT_LOGS).statuses] == [None]


def syslog(moment: datetime, number: int) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}+00:00 n{number % 2} cron[{number}]: job {number}\n"


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), min_size=1, max_size=4), st.data())
def test_local_logs_are_read_on_without_loss_or_doubles(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, bool, bool]], data: st.DataObject
) -> None:
    """Whatever is written between runs, late or not, in however rotated a file: every line is counted once, by its node."""
    folder = tmp_path_factory.mktemp("resumed")
    live = folder / "syslog"
    live.touch()
    written: list[tuple[str, datetime]] = []
    unfinished = ""
    for run, (count, rotated, cut) in enumerate(runs):
        lines = []
        for _ in range(count):
            moment = SINCE + timedelta(minutes=data.draw(st.integers(0, 359)))
            lines.append(syslog(moment, len(written)))
            written.append((f"n{len(written) % 2}", moment))
        text = unfinished + "".join(lines)
        # The writer is interrupted in the middle of its last line.
        cut = cut and count > 0
        unfinished = text[-9:] if cut else ""
        with live.open("a") as file:
            file.write(text[: len(text) - len(unfinished)])
        if rotated and not cut:
            for number in range(run, 0, -1):
                older = folder / f"syslog.{number}"
                if older.exists():
                    older.rename(folder / f"syslog.{number + 1}")
            live.rename(folder / "syslog.1")
            live.touch()
        given_source = {"name": "hosts", "kind": "node", "path": str(folder / "syslog*")}
        log = only(collected(folder, given_source, store=str(folder / "kept")).get(LOGS))
        expected = written[:-1] if cut else written
        counted = {(stream.name, hour): number for stream in log.streams for hour, number in stream.hours.items()}
        assert counted == Counter((node, moment.replace(minute=0)) for node, moment in expected)
        assert (log.malformed, log.complete) == ((), True)


def test_records_without_an_id_are_told_by_their_place(tmp_path: Path) -> None:
    alert = {
        "time": (UNTIL - timedelta(hours=1)).isoformat(),
        "rule": "Shell",
        "priority": "Notice",
        "output": "sh",
    }
    path = tmp_path / "falco.log"
    path.write_text((json.dumps({**alert, "hostname": "n1"}) + "\n") * 3)
    (stream,) = only(collected(tmp_path, {"name": "falco", "kind": "falco", "path": str(path)}).get(LOGS)).streams
    assert (stream.name, stream.records, stream.duplicates) == ("n1", 3, 0)


def test_records_of_another_kind_are_told(tmp_path: Path) -> None:
    """A log group that holds more than the declared log: what nothing reads must not vanish."""
    path = tmp_path / "group.ndjson"
    wanted = [line.strip() for line in every(20)]
    messages = [*wanted[:3], "time=2026-06-01T06:00:00Z level=info msg=granted", *wanted[3:]]
    events = [
        {"timestamp": 1780293600000 + number, "ingestionTime": 1780293600000 + number, "eventId": str(number), "message": text}
        | {"logGroup": "/cluster", "logStreamName": "all"}
        for number, text in enumerate(messages)
    ]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    log = only(collected(tmp_path, source(path), max_malformed_share=0.5).get(LOGS))
    assert log.records == len(wanted)
    assert log.malformed == (MalformedFile(str(path), 1, 0, "of kind container, not kubernetes-audit"),)
