"""A list is complete, or its status says why not: never an empty list in the place of an answer."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from soc2.gather.kubernetes.sources import LINKERD_SERVERS, NAMESPACES, PODS, SECRETS
from soc2.model.population import Cause
from tests.gather.scripted import Answer, scripted

_NO_WAIT = {"Retry-After": "0"}


def page(*names: str, token: str = "", kind: str = "NamespaceList") -> Answer:
    metadata = {"resourceVersion": "7", "continue": token}
    body = {"kind": kind, "metadata": metadata, "items": [{"metadata": {"name": name}} for name in names]}
    return Answer(body=json.dumps(body).encode())


def refusal(status: int, message: str = "no") -> Answer:
    body = json.dumps({"kind": "Status", "message": message}).encode()
    return Answer(status, body, _NO_WAIT)


def test_pages_are_joined(tmp_path: Path) -> None:
    with scripted(tmp_path, page("a", "b", token="next"), page("c")) as (gatherer, script):
        listing = gatherer.get(NAMESPACES)
    assert [item.name for item in listing.items] == ["a", "b", "c"]
    (status,) = listing.statuses
    assert (status.pages, status.items, status.problem) == (2, 3, None)
    assert script.paths == ["/api/v1/namespaces?limit=500", "/api/v1/namespaces?limit=500&continue=next"]


def test_a_source_is_asked_once(tmp_path: Path) -> None:
    with scripted(tmp_path, page("a")) as (gatherer, script):
        assert gatherer.get(NAMESPACES) is gatherer.get(NAMESPACES)
        assert len(script.paths) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_overload_is_tried_again(tmp_path: Path, status: int) -> None:
    with scripted(tmp_path, refusal(status), refusal(status), page("a")) as (gatherer, _):
        listing = gatherer.get(NAMESPACES)
    assert [item.name for item in listing.items] == ["a"]
    assert listing.statuses[0].complete


def test_an_expired_token_begins_the_list_anew(tmp_path: Path) -> None:
    with scripted(tmp_path, page("old", token="t"), refusal(410), page("new")) as (gatherer, _):
        listing = gatherer.get(NAMESPACES)
    assert [item.name for item in listing.items] == ["new"]
    assert listing.statuses[0].complete


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (refusal(403, "forbidden"), Cause.DENIED),
        (refusal(401), Cause.UNAUTHENTICATED),
        (refusal(404), Cause.ABSENT),
        (refusal(429), Cause.THROTTLED),
        (refusal(503), Cause.SERVER_ERROR),
        (refusal(504), Cause.TIMED_OUT),
        (refusal(410), Cause.TRUNCATED),
        (Answer(body=b"<html>welcome</html>"), Cause.MALFORMED),
        (Answer(body=b'{"kind": "Status", "metadata": {}}'), Cause.MALFORMED),
        (Answer(body=b'{"kind": "NamespaceList", "metadata": {}}'), Cause.MALFORMED),
        (Answer(body=b'{"kind": "NamespaceList", "metadata": {}, "items": [{"metadata": {"name": 7}}]}'), Cause.MALFORMED),
        (Answer(body=b'{"kind": "NamespaceList"', announced=9999), Cause.TRUNCATED),
    ],
    ids=lambda value: value.value if isinstance(value, Cause) else "",
)
def test_whatever_goes_wrong_becomes_the_status(tmp_path: Path, answer: Answer, cause: Cause) -> None:
    with scripted(tmp_path, answer) as (gatherer, _):
        listing = gatherer.get(NAMESPACES)
    (status,) = listing.statuses
    assert status.problem is not None
    assert status.problem.cause is cause
    assert not status.complete


def test_a_second_page_that_is_denied_leaves_the_first_as_partial(tmp_path: Path) -> None:
    with scripted(tmp_path, page("a", token="t"), refusal(403)) as (gatherer, _):
        listing = gatherer.get(NAMESPACES)
    assert [item.name for item in listing.items] == ["a"]
    assert not listing.statuses[0].complete


def test_an_unreachable_server_is_a_status(tmp_path: Path) -> None:
    with scripted(tmp_path, page("a")) as (gatherer, _):
        pass
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("not: [a kubeconfig")
    from soc2.gather.kubernetes.connection import KubeConnection

    broken = KubeConnection(kubeconfig)
    gatherer._connections["kubernetes"] = broken
    listing = gatherer.get(PODS)
    assert listing.items == ()
    assert listing.statuses[0].problem is not None
    assert listing.statuses[0].problem.cause is Cause.UNREACHABLE


def test_texts_that_may_be_secret_are_not_kept(tmp_path: Path) -> None:
    words = ["in-the-environment", "in-the-arguments", "in-an-annotation"]
    pod: dict[str, Any] = {
        "metadata": {"name": "p", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": words[2]}},
        "spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": words[0]}], "args": [words[1]]}]},
    }
    body = {"kind": "PodList", "metadata": {}, "items": [pod]}
    with scripted(tmp_path, Answer(body=json.dumps(body).encode())) as (gatherer, _):
        assert len(gatherer.get(PODS).items) == 1
    kept = b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in (tmp_path / "evidence").iterdir()
    )
    assert b'"digest"' in kept
    assert not [word for word in [*words, "not-to-be-written"] if word.encode() in kept]


def test_secrets_are_asked_for_as_a_table(tmp_path: Path) -> None:
    row = {"cells": ["db", "Opaque", 2, "1d"], "object": {"metadata": {"name": "db", "namespace": "shop"}}}
    body = {"kind": "Table", "metadata": {"resourceVersion": "1"}, "rows": [row]}
    with scripted(tmp_path, Answer(body=json.dumps(body).encode())) as (gatherer, script):
        (secret,) = gatherer.get(SECRETS).items
    assert (secret.name, secret.namespace, secret.type, secret.keys) == ("db", "shop", "Opaque", 2)
    assert "includeObject=Metadata" in script.paths[0]


def test_a_server_that_does_not_speak_tables_gives_no_secrets(tmp_path: Path) -> None:
    whole = {"kind": "SecretList", "metadata": {}, "items": [{"metadata": {"name": "db"}, "data": {"p": "c2VjcmV0"}}]}
    with scripted(tmp_path, Answer(body=json.dumps(whole).encode())) as (gatherer, _):
        listing = gatherer.get(SECRETS)
    assert listing.items == ()
    assert listing.statuses[0].problem is not None


@pytest.mark.parametrize(
    ("answers", "paths", "names", "problem"),
    [
        ((page("a", kind="ServerList"),), ("v1beta3",), ["a"], None),
        ((refusal(404), page("a", kind="ServerList")), ("v1beta3", "v1beta2"), ["a"], None),
        ((refusal(404), page(kind="ServerList")), ("v1beta3", "v1beta2"), [], None),
        ((refusal(404),), ("v1beta3", "v1beta2", "v1beta1"), [], None),
        ((refusal(403),), ("v1beta3",), [], Cause.DENIED),
        ((refusal(404), refusal(403)), ("v1beta3", "v1beta2"), [], Cause.DENIED),
    ],
)
def test_older_versions_are_asked_for_where_the_newest_is_not_served(
    tmp_path: Path, answers: tuple[Answer, ...], paths: tuple[str, ...], names: list[str], problem: Cause | None
) -> None:
    with scripted(tmp_path, *answers) as (gatherer, script):
        listing = gatherer.get(LINKERD_SERVERS)
    assert script.paths == [f"/apis/policy.linkerd.io/{version}/servers?limit=500" for version in paths]
    (status,) = listing.statuses
    assert ([item.name for item in listing.items], status.problem and status.problem.cause) == (names, problem)
