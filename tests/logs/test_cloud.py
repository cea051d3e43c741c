"""VPC flow logs, findings and rows of tables, in the forms that AWS gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from soc2.gather.logs.framing import frame
from soc2.model.logs import LogKind
from tests.logs.framed import frame_bytes, frame_text, read


def test_flow_lines_follow_their_header() -> None:
    content = (
        "version vpc-id interface-id srcaddr tcp-flags ecs-task-id log-status start\n"
        "5 vpc-1 eni-1 192.0.2.1 19 - OK 1767225600\n"
        "5 - eni-2 - - - NODATA 1767225601\n"
        "5 - eni-2 - - - SKIPDATA 1767225602\n"
        "\n"
        "5 vpc-1 eni-1\n"
    )
    found, framed = frame_bytes(content.encode())
    assert found == [
        (
            LogKind.VPC_FLOW,
            {
                "@line": 2,
                "version": 5,
                "vpc-id": "vpc-1",
                "interface-id": "eni-1",
                "srcaddr": "192.0.2.1",
                "tcp-flags": "19",
                "log-status": "OK",
                "start": 1767225600,
            },
        ),
        (LogKind.VPC_FLOW, {"@line": 3, "version": 5, "interface-id": "eni-2", "log-status": "NODATA", "start": 1767225601}),
        (LogKind.VPC_FLOW, {"@line": 4, "version": 5, "interface-id": "eni-2", "log-status": "SKIPDATA", "start": 1767225602}),
    ]
    assert [malformed.line for malformed in framed.malformed] == [6]


def test_flow_lines_of_a_declared_format(tmp_path: Path) -> None:
    path = tmp_path / "flow"
    path.write_text("eni-1 192.0.2.1 443\n")
    framed = frame(path, "flow", tmp_path / "spool", flow_fields="${interface-id} ${srcaddr} ${srcport}")
    assert read(framed) == [(LogKind.VPC_FLOW, {"@line": 1, "interface-id": "eni-1", "srcaddr": "192.0.2.1", "srcport": 443})]


@pytest.mark.parametrize(
    "value",
    [
        {"version": 2, "interface-id": "eni-1", "srcaddr": "192.0.2.1", "dstaddr": "-", "srcport": "443"},
        {"version": "2", "interface_id": "eni-1", "srcaddr": "192.0.2.1", "dstaddr": None, "srcport": 443},
        {"version": "2", "interfaceid": "eni-1", "sourceaddress": "192.0.2.1", "sourceport": "443", "dt": "2026"},
    ],
)
def test_flows_by_name(value: dict[str, Any]) -> None:
    record = {"@line": 1, "version": 2, "interface-id": "eni-1", "srcaddr": "192.0.2.1", "srcport": 443}
    assert frame_text(json.dumps(value)) == [(LogKind.VPC_FLOW, record)]


@pytest.mark.parametrize("name", ["flow.parquet", "flow[1]*.parquet"])
def test_flows_in_parquet(tmp_path: Path, name: str) -> None:
    path = tmp_path / "target"
    with duckdb.connect() as connection:
        connection.sql(
            "FROM (VALUES (2, 'eni-1', '192.0.2.1', 443, 1767225600, 'x'), (2, 'eni-2', NULL, NULL, NULL, '')) "
            'AS flows(version, interface_id, srcaddr, srcport, "end", other)'
        ).write_parquet(str(path))
    path.rename(tmp_path / name)
    found = [
        (kind, {column: value for column, value in record.items() if value is not None})
        for kind, record in read(frame(tmp_path / name, "flow", tmp_path / "spool"))
    ]
    assert found == [
        (
            LogKind.VPC_FLOW,
            {"@line": 1, "version": 2, "interface-id": "eni-1", "srcaddr": "192.0.2.1", "srcport": 443, "end": 1767225600},
        ),
        (LogKind.VPC_FLOW, {"@line": 2, "version": 2, "interface-id": "eni-2"}),
    ]


def test_other_rows_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "trail.parquet"
    with duckdb.connect() as connection:
        connection.sql("SELECT 'GetUser' AS eventname, 'iam' AS eventsource").write_parquet(str(path))
    assert read(frame(path, "trail", tmp_path / "spool")) == [
        (LogKind.CLOUDTRAIL, {"@line": 1, "eventName": "GetUser", "eventSource": "iam"})
    ]


def test_rows_of_a_trail_get_their_names_back() -> None:
    row = {
        "eventname": "GetUser",
        "eventsource": "iam.amazonaws.com",
        "eventid": "e",
        "requestid": "r",
        "sourceipaddress": "192.0.2.1",
        "useridentity": {
            "type": "AssumedRole",
            "accountid": "1",
            "sessioncontext": {"attributes": {"mfaauthenticated": "true"}},
        },
        "requestparameters": '{"userName":"ann"}',
        "errorcode": None,
        "year": "2026",
    }
    assert frame_text(json.dumps(row)) == [
        (
            LogKind.CLOUDTRAIL,
            {
                "@line": 1,
                "eventName": "GetUser",
                "eventSource": "iam.amazonaws.com",
                "eventID": "e",
                "requestID": "r",
                "sourceIPAddress": "192.0.2.1",
                "userIdentity": {
                    "type": "AssumedRole",
                    "accountId": "1",
                    "sessionContext": {"attributes": {"mfaAuthenticated": "true"}},
                },
                "requestParameters": {"userName": "ann"},
                "year": "2026",
            },
        )
    ]


def test_findings_of_the_api_begin_with_small_letters() -> None:
    finding = {
        "SchemaVersion": "2.0",
        "Id": "f",
        "Type": "T",
        "Severity": 5.0,
        "Service": {"Action": {"NetworkConnectionAction": {"RemoteIpDetails": {"IpAddressV4": "192.0.2.1"}}}},
        "Resource": {"S3BucketDetails": [{"Tags": [{"Key": "a", "Value": "b"}]}]},
    }
    assert frame_text(json.dumps({"Findings": [finding]})) == [
        (
            LogKind.GUARDDUTY,
            {
                "@line": 1,
                "schemaVersion": "2.0",
                "id": "f",
                "type": "T",
                "severity": 5.0,
                "service": {"action": {"networkConnectionAction": {"remoteIpDetails": {"ipAddressV4": "192.0.2.1"}}}},
                "resource": {"s3BucketDetails": [{"tags": [{"key": "a", "value": "b"}]}]},
            },
        )
    ]


def test_notifications_of_buckets_are_no_trail() -> None:
    event = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "x"},
    }
    assert frame_bytes(json.dumps({"Records": [event]}).encode())[1].unrecognised == ("log",)


def test_flow_lines_follow_a_header_with_fields_that_are_not_known_yet() -> None:
    found, framed = frame_bytes(
        b"interface-id srcaddr dstaddr a-field-to-come start\neni-1 192.0.2.1 192.0.2.2 x 1767225600\n"
    )
    assert [record["dstaddr"] for _, record in found] == ["192.0.2.2"]
    assert framed.malformed == ()


def test_as_many_fields_in_another_order_are_not_the_default_format() -> None:
    turned = "2 123456789012 eni-1 192.0.2.1 192.0.2.2 443 50000 6 10 840 1767225600 1767225659 OK ACCEPT\n"
    found, framed = frame_bytes(turned.encode(), kind=LogKind.VPC_FLOW)
    assert (found, [malformed.line for malformed in framed.malformed]) == ([], [1])
