"""Where the API server answers, as its answers tell it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from soc2.gather.kubernetes.api_server import ApiServerPlaces, _addresses, _host
from soc2.gather.kubernetes.connection import GatherError
from soc2.model.kubernetes.api_server import ApiServerPlace
from soc2.model.population import Cause
from tests.gather.scripted import Answer, scripted

MINE = ApiServerPlace("127.0.0.1", ("127.0.0.1",), "the examiner's configuration")


def its_own(*places: str) -> Answer:
    clients = [{"clientCIDR": "0.0.0.0/0", "serverAddress": place} for place in places]
    return Answer(body=json.dumps({"kind": "APIVersions", "serverAddressByClientCIDRs": clients}).encode())


def test_the_examiners_place_and_the_servers_own(tmp_path: Path) -> None:
    with scripted(tmp_path, its_own("203.0.113.1:6443", "[2001:db8::1]:443")) as (gatherer, script):
        listing = gatherer.get(ApiServerPlaces())
    told_by = "the server itself"
    assert listing.items == (
        MINE,
        ApiServerPlace("203.0.113.1", ("203.0.113.1",), told_by),
        ApiServerPlace("2001:db8::1", ("2001:db8::1",), told_by),
    )
    assert (script.paths, listing.statuses[0].complete) == (["/api"], True)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(403, b'{"message": "no"}'), Cause.DENIED),
        (Answer(body=b"<html>"), Cause.MALFORMED),
        (its_own(""), Cause.MALFORMED),
        (its_own("[::1"), Cause.MALFORMED),
    ],
)
def test_what_is_not_told_is_missing(answer: Answer, cause: Cause, tmp_path: Path) -> None:
    with scripted(tmp_path, answer) as (gatherer, _):
        listing = gatherer.get(ApiServerPlaces())
    problem = listing.statuses[0].problem
    assert (listing.items, problem and problem.cause) == ((MINE,), cause)


@pytest.mark.parametrize(
    ("place", "host"),
    [
        ("https://api.example:6443/base", "api.example"),
        ("api.example", "api.example"),
        ("https://[2001:db8::1]", "2001:db8::1"),
        ("https://user:secret@API.example", "api.example"),
    ],
)
def test_hosts(place: str, host: str) -> None:
    assert _host(place) == host


@pytest.mark.parametrize("name", ["no-such-name.invalid", "a" * 70 + ".example"])
def test_a_name_without_address_is_missing_evidence(name: str) -> None:
    with pytest.raises(GatherError, match="has no address here"):
        _addresses(name)


@pytest.mark.parametrize(
    ("host", "of_eks"),
    [
        ("ABC.gr7.eu-west-1.eks.amazonaws.com", True),
        ("abc.yl4.cn-north-1.eks.amazonaws.com.cn", True),
        ("abc.eks-cluster.eu-west-1.api.aws", True),
        ("eks.amazonaws.com.example", False),
        ("api.example", False),
        ("10.0.0.1", False),
    ],
)
def test_endpoints_of_eks_are_known_by_their_names(host: str, of_eks: bool) -> None:
    assert ApiServerPlace(host, (), "").of_eks is of_eks
