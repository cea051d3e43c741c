"""Flow logs as they arrive: what of each is wrong, and which interfaces are silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from soc2.model.aws.compute import Attachment, FlowLog, NetworkInterface, Vpc
from soc2.model.aws.joins import logged_vpcs
from soc2.model.log_health import CollectedLog, LogStream
from soc2.model.logs import LogKind
from soc2.model.network.flow_delivery import DeclaredPlace, DeliveringVpc, delivering_vpcs
from soc2.model.network.flows import InterfaceRecords
from soc2.rules import flows

SINCE = datetime(2026, 6, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)
BUCKET = DeclaredPlace("flows", s3="logs/AWSLogs/123456789012/vpcflowlogs/")
GROUP = DeclaredPlace("flows", group="/flows")
ETH = NetworkInterface(network_interface_id="eni-1", vpc_id="vpc-1", subnet_id="subnet-1", status="in-use")
VPC_LOG = FlowLog(
    flow_log_id="fl-1",
    resource_id="vpc-1",
    flow_log_status="ACTIVE",
    deliver_logs_status="SUCCESS",
    traffic_type="ALL",
    log_destination="arn:aws:s3:::logs",
)


def hour(number: float) -> datetime:
    return SINCE + timedelta(hours=number)


def log(hours: list[int], newest: float = 23.9, **changed: Any) -> CollectedLog:
    stream = LogStream("123456789012", records=len(hours), newest=hour(newest), hours={hour(each): 1 for each in hours})
    made = CollectedLog(
        source="flows",
        kind=LogKind.VPC_FLOW,
        origin="",
        per="account",
        since=SINCE,
        until=UNTIL,
        read_at=UNTIL,
        records=len(hours),
        streams=(stream,) if hours else (),
        age_limit_minutes=60,
        gap_limit_minutes=60,
    )
    return replace(made, **changed)


WHOLE = log(list(range(24)))


def records(newest: float = 23.9, interface: str = "eni-1") -> list[InterfaceRecords]:
    return [InterfaceRecords(interface=interface, log="flows", records=1, newest=hour(newest))]


def vpcs(
    flow_logs: list[FlowLog],
    collected: list[CollectedLog],
    found: list[InterfaceRecords],
    *,
    place: DeclaredPlace = BUCKET,
    interfaces: tuple[NetworkInterface, ...] = (ETH,),
) -> list[DeliveringVpc]:
    return list(delivering_vpcs(logged_vpcs([Vpc(vpc_id="vpc-1")], flow_logs, interfaces), [place], collected, found))


def told(*arguments: Any, **named: Any) -> list[str]:
    return [
        f"{deviation.resource} {deviation.fields.get('problem', deviation.fields.get('since'))}"
        for vpc in vpcs(*arguments, **named)
        for deviation in flows.delivers(vpc)
    ]


def test_nothing_is_wrong_with_a_whole_log() -> None:
    assert told([VPC_LOG], [WHOLE], records()) == []


@pytest.mark.parametrize(
    ("destination", "declared", "taken"),
    [
        ("logs", "logs", True),
        ("logs", "logs/", True),
        ("logs", "logs/AWSLogs/", True),
        ("logs/", "logs/AWSLogs/123456789012/vpcflowlogs/eu-west-1/", True),
        ("logs/net/", "logs/net", True),
        ("logs/net", "logs/net/AWSLogs/aws-account-id=123456789012/", True),
        ("logs/net", "logs/n", True),
        ("logs", "logs/net/", False),
        ("logs/net", "logs/network/", False),
        ("logs-of-others", "logs", False),
        ("logs", "logs-of-others", False),
    ],
)
def test_where_a_bucket_is_delivered_to(destination: str, declared: str, taken: bool) -> None:
    place = DeclaredPlace("flows", s3=declared)
    assert place.takes(FlowLog(log_destination=f"arn:aws:s3:::{destination}")) is taken


@pytest.mark.parametrize(
    ("flow_log", "taken"),
    [
        (FlowLog(log_group_name="/flows"), True),
        (FlowLog(log_destination="arn:aws:logs:eu-west-1:123456789012:log-group:/flows:*"), True),
        (FlowLog(log_destination="arn:aws:logs:eu-west-1:123456789012:log-group:/flows-of-others:*"), False),
        (FlowLog(log_destination="arn:aws:firehose:eu-west-1:123456789012:deliverystream/flows"), False),
        (FlowLog(), False),
    ],
)
def test_which_group_is_delivered_to(flow_log: FlowLog, taken: bool) -> None:
    assert GROUP.takes(flow_log) is taken


def test_a_custom_format_has_to_be_declared_as_it_is() -> None:
    custom = "${interface-id} ${dstaddr} ${srcaddr}"
    flow_log = FlowLog(
        flow_log_id="fl-1",
        resource_id="vpc-1",
        flow_log_status="ACTIVE",
        deliver_logs_status="SUCCESS",
        log_group_name="/flows",
        log_format=custom,
    )
    for declared, wrong in (("", True), ("${interface-id} ${srcaddr} ${dstaddr}", True), (custom, False)):
        expected = [f'AWS::EC2::VPC/vpc-1 its lines are not of the format of log flows: declare format = "{custom}"']
        place = replace(GROUP, format=declared)
        assert told([flow_log], [WHOLE], records(), place=place) == (expected if wrong else [])


def test_silent_hours_count_from_when_the_flow_log_was_made() -> None:
    since_noon = log(list(range(12, 24)))
    assert told([VPC_LOG], [since_noon], records()) == [
        "AWS::EC2::VPC/vpc-1 log flows: no record from 2026-06-01T00:00Z until 2026-06-01T12:00Z"
    ]
    made = {name: getattr(VPC_LOG, name) for name in VPC_LOG.__struct_fields__}
    assert told([FlowLog(**made | {"creation_time": hour(11.5)})], [since_noon], records()) == []
    assert told([FlowLog(**made | {"creation_time": hour(23.5)})], [log([])], []) == []


def test_an_interface_is_silent_from_its_last_record_on() -> None:
    assert told([VPC_LOG], [WHOLE], records(newest=21.5)) == ["AWS::EC2::NetworkInterface/eni-1 2026-06-01T21:30:00+00:00"]
    assert told([VPC_LOG], [WHOLE], records(newest=22.5)) == []


def test_an_interface_without_records_is_silent_from_when_it_was_attached() -> None:
    assert told([VPC_LOG], [WHOLE], []) == ["AWS::EC2::NetworkInterface/eni-1 2026-06-01T00:00:00+00:00"]
    for attached, expected in ((23.5, []), (12.0, ["AWS::EC2::NetworkInterface/eni-1 2026-06-01T12:00:00+00:00"])):
        new = NetworkInterface(
            network_interface_id="eni-1", vpc_id="vpc-1", status="in-use", attachment=Attachment(attach_time=hour(attached))
        )
        assert told([VPC_LOG], [WHOLE], [], interfaces=(new,)) == expected


def test_of_a_log_that_is_late_as_a_whole_each_interface_is_not_told() -> None:
    late = log(list(range(20)), newest=19.9)
    assert told([VPC_LOG], [late], records(newest=19.9)) == [
        "AWS::EC2::VPC/vpc-1 log flows: the newest record is of 2026-06-01T19:54:00Z",
        "AWS::EC2::VPC/vpc-1 log flows: no record from 2026-06-01T20:00Z until 2026-06-02T00:00Z",
    ]


def test_of_a_log_that_could_not_be_read_nothing_is_known() -> None:
    denied = log([], complete=False)
    assert told([VPC_LOG], [denied], []) == []


def test_a_vpc_without_interfaces_needs_a_flow_log_all_the_same() -> None:
    assert told([], [WHOLE], [], interfaces=()) == ["AWS::EC2::VPC/vpc-1 there is none"]
    (vpc,) = vpcs([VPC_LOG], [WHOLE], [], interfaces=())
    assert (vpc.interfaces, vpc.problems, vpc.silent) == (0, (), ())


def test_interfaces_that_no_flow_log_is_about_are_not_expected_in_one() -> None:
    other = NetworkInterface(network_interface_id="eni-2", vpc_id="vpc-1", subnet_id="subnet-2", status="in-use")
    of_subnet = FlowLog(
        flow_log_id="fl-2",
        resource_id="subnet-1",
        flow_log_status="ACTIVE",
        deliver_logs_status="SUCCESS",
        log_destination="arn:aws:s3:::logs",
    )
    assert told([of_subnet], [WHOLE], records(), interfaces=(ETH, other)) == []
    assert told([of_subnet], [WHOLE], [], interfaces=(ETH, other)) == [
        "AWS::EC2::NetworkInterface/eni-1 2026-06-01T00:00:00+00:00"
    ]


@pytest.mark.parametrize(
    ("status", "delivery", "message", "expected"),
    [
        ("ACTIVE", "FAILED", "Access error", ["its delivery is FAILED (Access error)"]),
        ("ACTIVE", "FAILED", "", ["its delivery is FAILED"]),
        ("", "", "", ["it is of no known status", "its delivery is of no known status"]),
    ],
)
def test_what_a_flow_log_says_of_itself(status: str, delivery: str, message: str, expected: list[str]) -> None:
    failing = FlowLog(
        flow_log_id="fl-1",
        resource_id="vpc-1",
        flow_log_status=status,
        deliver_logs_status=delivery,
        deliver_logs_error_message=message,
        log_destination="arn:aws:s3:::logs",
    )
    assert told([failing], [WHOLE], records()) == [f"AWS::EC2::VPC/vpc-1 {problem}" for problem in expected]
