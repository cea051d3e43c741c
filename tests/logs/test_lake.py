"""CloudTrail Lake and Athena: rows become the records they were, each once, and what the stores refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws
from moto.athena.models import QueryResults, athena_backends

from soc2.errors import UsageError
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.logs.lake import AthenaTable, CloudTrailLake, fetch_athena, fetch_lake
from soc2.gather.logs.readers import Fetched, Window
from soc2.gather.logs.trail_sql import ATHENA, LAKE, Column, athena_statement, labels, lake_statement
from soc2.model.population import Cause, Problem
from tests.logs.reading import ACCOUNT, KEYS, REGION, at, connected, records

NOW = at("25 12:00")
DAY = Window(NOW - timedelta(days=1), NOW)
STORE = "0a1b2c3d-1111-2222-3333-444455556666"
LAKE_STORE = CloudTrailLake(f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:eventdatastore/{STORE}", REGION)
TABLE = AthenaTable("logs", "cloudtrail", REGION, "s3://example-results/soc2/")


def record(identity: str, time: str = "2026-11-25T10:00:00Z", **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.11",
        "eventTime": time,
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "eventID": identity,
        "readOnly": False,
        "userIdentity": {
            "type": "AssumedRole",
            "sessionContext": {"attributes": {"mfaAuthenticated": "true"}, "sessionIssuer": {"userName": "admin"}},
        },
        "requestParameters": {"userName": "eve"},
        **more,
    }


def cells(columns: tuple[Column, ...], record: dict[str, Any], **more: str) -> list[str | None]:
    """The row of a record: null where it has no such field."""
    row: list[str | None] = []
    for column in columns:
        value: Any = record
        for part in column.field.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        text = json.dumps(value) if column.json and value is not None else value
        row.append(more.get(column.field, text))
    return row


def lake_rows(*rows: list[str | None]) -> list[list[dict[str, str]]]:
    return [[{label: value or ""} for label, value in zip(labels(LAKE), row, strict=True)] for row in rows]


class Stubbed:
    """A client of botocore's that answers what it is told, each answer checked against the service's model."""

    def __init__(self, service: str) -> None:
        self.client: Any = boto3.client(
            service,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        self.stubber = Stubber(self.client)
        self.stubber.activate()
        self.waits: list[float] = []

    def lake(self, *answers: dict[str, Any]) -> None:
        self.stubber.add_response("start_query", {"QueryId": STORE}, {"QueryStatement": ANY})
        for answer in answers:
            self.stubber.add_response("get_query_results", answer)

    def fetch_lake(self, folder: Path, cursor: Any = None) -> Fetched:
        fetched = fetch_lake(connected(self.client), LAKE_STORE, DAY, cursor or {}, folder, NOW, self.waits.append)
        self.stubber.assert_no_pending_responses()
        return fetched

    def fetch_athena(self, folder: Path) -> Fetched:
        fetched = fetch_athena(connected(self.client), TABLE, DAY, {}, folder, NOW, self.waits.append)
        self.stubber.assert_no_pending_responses()
        return fetched


DONE = {"QueryStatus": "FINISHED", "QueryResultRows": []}


def test_rows_of_the_lake_become_records(tmp_path: Path) -> None:
    whole = record("b", requestParameters={"deep": {"er": [1]}}, tlsDetails={"tlsVersion": "TLSv1.3"})
    first = cells(LAKE, record("a"), eventTime="2026-11-25 10:00:00.000")
    second = cells(LAKE, record("b"), event=json.dumps(whole), eventTime="2026-11-25 10:00:00.000")
    late = cells(LAKE, record("c", "2026-11-25T12:00:00Z"))
    stubbed = Stubbed("cloudtrail")
    running = {"QueryStatus": "RUNNING"}
    pages = [
        {"QueryStatus": "FINISHED", "QueryResultRows": lake_rows(first, late), "NextToken": "more"},
        {"QueryStatus": "FINISHED", "QueryResultRows": lake_rows(second, first)},
    ]
    stubbed.lake(running, running, DONE, *pages)
    fetched = stubbed.fetch_lake(tmp_path)
    assert records(fetched) == [record("a"), whole]
    assert fetched.files[0][1] == f"CloudTrail Lake {STORE} in {REGION}"
    assert (fetched.pages, fetched.items, fetched.problem, stubbed.waits) == (2, 2, None, [0.5, 1.0])
    again = Stubbed("cloudtrail")
    again.lake(
        DONE, {"QueryStatus": "FINISHED", "QueryResultRows": lake_rows(cells(LAKE, record("d", "2026-11-25T11:00:00Z")))}
    )
    assert [each["eventID"] for each in records(again.fetch_lake(tmp_path, fetched.cursor))] == ["d"]


@pytest.mark.parametrize(
    ("answer", "cause", "detail"),
    [
        ({"QueryStatus": "FAILED", "ErrorMessage": "quoted data"}, Cause.SERVER_ERROR, "StartQuery: FAILED"),
        ({"QueryStatus": "CANCELLED"}, Cause.SERVER_ERROR, "StartQuery: CANCELLED"),
        ({"QueryStatus": "TIMED_OUT"}, Cause.TIMED_OUT, "StartQuery: TIMED_OUT"),
    ],
)
def test_a_query_of_the_lake_that_fails(answer: dict[str, Any], cause: Cause, detail: str, tmp_path: Path) -> None:
    stubbed = Stubbed("cloudtrail")
    stubbed.lake(answer)
    assert stubbed.fetch_lake(tmp_path).problem == Problem(cause, f"{detail} at CloudTrail Lake {STORE} in {REGION}")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("AccessDeniedException", Cause.DENIED),
        ("ThrottlingException", Cause.THROTTLED),
        ("EventDataStoreNotFoundException", Cause.ABSENT),
    ],
)
def test_a_lake_that_may_not_be_asked(code: str, cause: Cause, tmp_path: Path) -> None:
    stubbed = Stubbed("cloudtrail")
    for _ in range(5):
        stubbed.stubber.add_client_error("start_query", code)
    fetched = fetch_lake(connected(stubbed.client), LAKE_STORE, DAY, {}, tmp_path, NOW)
    assert fetched.problem == Problem(cause, f"StartQuery: {code} at CloudTrail Lake {STORE} in {REGION}")
    assert fetched.cursor == {"settled": [], "seen": {}}


def test_tokens_in_a_circle_end_and_what_was_read_is_kept(tmp_path: Path) -> None:
    page = {"QueryStatus": "FINISHED", "QueryResultRows": lake_rows(cells(LAKE, record("a"))), "NextToken": "same"}
    stubbed = Stubbed("cloudtrail")
    stubbed.lake(DONE, page, page)
    fetched = stubbed.fetch_lake(tmp_path)
    assert records(fetched) == [record("a")]
    detail = f"the pages of the answer do not end at CloudTrail Lake {STORE} in {REGION}"
    assert fetched.problem == Problem(Cause.TRUNCATED, detail)


def test_a_query_that_does_not_end_is_left(tmp_path: Path) -> None:
    class Busy:
        def start_query(self, **_: Any) -> Any:
            return {"QueryId": STORE}

        def get_query_results(self, **_: Any) -> Any:
            return {"QueryStatus": "QUEUED"}

    waits: list[float] = []
    fetched = fetch_lake(connected(Busy()), LAKE_STORE, DAY, {}, tmp_path, NOW, waits.append)
    assert fetched.problem is not None
    assert fetched.problem.cause is Cause.TIMED_OUT
    assert 900 <= sum(waits) < 920


def test_a_row_of_another_form(tmp_path: Path) -> None:
    stubbed = Stubbed("cloudtrail")
    stubbed.lake(DONE, {"QueryStatus": "FINISHED", "QueryResultRows": [[{"c0": "x"}]]})
    problem = stubbed.fetch_lake(tmp_path).problem
    assert problem is not None
    assert problem.cause is Cause.MALFORMED


@pytest.fixture
def moto_athena() -> Iterator[AwsConnection]:
    with mock_aws():
        connection = AwsConnection((REGION,), environment=KEYS)
        yield connection
        connection.close()


def test_rows_of_athena_become_records(moto_athena: Any, tmp_path: Path) -> None:
    rows: list[Any] = [labels(ATHENA), cells(ATHENA, record("a")), cells(ATHENA, record("early", "2026-11-24T11:59:59Z"))]
    data = [{"Data": [{"VarCharValue": cell} if cell is not None else {} for cell in row]} for row in rows]
    columns = [{"Name": label, "Type": "varchar"} for label in labels(ATHENA)]
    backend: Any = athena_backends[ACCOUNT][REGION]
    backend.query_results_queue.append(QueryResults(rows=data, column_info=columns))
    fetched = fetch_athena(moto_athena, TABLE, DAY, {}, tmp_path, NOW, lambda _: None)
    assert records(fetched) == [record("a")]
    assert (fetched.pages, fetched.items, fetched.problem) == (1, 1, None)
    (execution,) = backend.executions.values()
    assert execution.config["OutputLocation"].startswith(TABLE.output)
    assert execution.query == athena_statement('"logs"."cloudtrail"', DAY, "")


@pytest.mark.parametrize(
    ("reason", "cause", "detail"),
    [
        ("TABLE_NOT_FOUND: line 1:8: Table 'x' does not exist", Cause.ABSENT, "TABLE_NOT_FOUND"),
        ("PERMISSION_DENIED: Access Denied when reading s3://x", Cause.DENIED, "PERMISSION_DENIED"),
        ("Access denied when writing output to url", Cause.DENIED, "FAILED"),
        ("GENERIC_INTERNAL_ERROR: x", Cause.SERVER_ERROR, "GENERIC_INTERNAL_ERROR"),
    ],
)
def test_a_query_of_athena_that_fails(reason: str, cause: Cause, detail: str, tmp_path: Path) -> None:
    stubbed = Stubbed("athena")
    stubbed.stubber.add_response("start_query_execution", {"QueryExecutionId": "q"})
    status = {"State": "FAILED", "StateChangeReason": reason}
    stubbed.stubber.add_response("get_query_execution", {"QueryExecution": {"Status": status}})
    problem = stubbed.fetch_athena(tmp_path).problem
    assert problem == Problem(cause, f"StartQueryExecution: {detail} at Athena logs.cloudtrail in {REGION}")


def test_statements_name_their_columns_and_whole_seconds() -> None:
    window = Window(at("25 10:00") + timedelta(milliseconds=1), at("25 11:00") + timedelta(milliseconds=1))
    lake = lake_statement(STORE, window)
    assert lake.startswith("SELECT eventjson AS c0, eventversion AS c1, ")
    assert lake.endswith(f" FROM {STORE} WHERE eventtime >= '2026-11-25 10:00:00' AND eventtime < '2026-11-25 11:00:01'")
    assert athena_statement('"d"."t"', window, "timestamp").endswith(
        ' FROM "d"."t" WHERE "timestamp" >= \'2026/11/24\' AND "timestamp" <= \'2026/11/26\' '
        "AND eventtime >= '2026-11-25T10:00:00Z' AND eventtime < '2026-11-25T11:00:01Z'"
    )
    assert "*" not in lake


def test_what_is_no_name_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="no event data store"):
        CloudTrailLake("x; DROP TABLE y", REGION)
    with pytest.raises(UsageError, match="no name of Athena"):
        AthenaTable("logs", 'x" WHERE', REGION, "s3://b/")
    with pytest.raises(UsageError, match="declare the output"):
        AthenaTable("logs", "x", REGION, "")
