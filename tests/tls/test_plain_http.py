"""Plain HTTP of endpoints: what is asked, what is made of the answers, and what is kept of them."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path
from typing import Any

import pytest

from soc2.declared_network import Endpoint
from soc2.gather.tls.plain_http import PlainHttpAnswers
from soc2.model.population import Cause, Problem
from soc2.model.tls import PlainHttp
from soc2.rules.tls import plain_http_refused
from tests.tls.gathering import gather, problem_of
from tests.tls.servers import Server, answering, free_port, http, serving, silent

HOST = "www.example.test"


def endpoint(address: str, host: str = HOST) -> Endpoint:
    return Endpoint(host=host, address="127.0.0.1:1", http=address)


def answered(folder: Path, *answers: bytes, host: str = HOST) -> tuple[PlainHttp | None, Problem | None]:
    with serving(talk=http(*answers)) as server:
        listing = gather(PlainHttpAnswers(), folder, endpoint(server.address, host))
    return (listing.items[0] if listing.items else None), problem_of(listing)


def redirect(status: int, location: str, version: str = "1.1") -> bytes:
    return f"HTTP/{version} {status} Moved\r\nContent-Length: 0\r\nLOCATION:  {location} \r\n\r\n".encode()


@pytest.mark.parametrize(
    "answer",
    [
        *(redirect(status, f"https://{HOST}/") for status in (301, 302, 303, 307, 308)),
        redirect(301, "HTTPS://WWW.Example.Test:443/deep?token=x#y"),
        redirect(301, f"https://{HOST}.", version="1.0"),
        redirect(301, f"https://{HOST}").replace(b"\r\n", b"\n"),
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + redirect(308, f"https://{HOST}/"),
        b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.2, HTTP/1.1\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"",
    ],
)
def test_what_leaves_no_plain_http(tmp_path: Path, answer: bytes) -> None:
    found, problem = answered(tmp_path, answer)
    assert problem is None
    assert found is not None
    assert list(plain_http_refused(found)) == []


@pytest.mark.parametrize(
    ("answer", "status", "target"),
    [
        (b"HTTP/1.1 200 OK\r\nSet-Cookie: session=secret\r\n\r\nhello", 200, ""),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", 404, ""),
        (b"HTTP/1.1 403\r\n\r\n", 403, ""),
        (redirect(301, f"http://{HOST}/"), 301, f" and leads to http://{HOST} instead of https://{HOST}"),
        (redirect(302, "/login"), 302, f" and leads to http://{HOST} instead of https://{HOST}"),
        (redirect(302, f"//{HOST}/login"), 302, f" and leads to http://{HOST} instead of https://{HOST}"),
        (
            redirect(307, "https://other.example.test/"),
            307,
            f" and leads to https://other.example.test instead of https://{HOST}",
        ),
        (
            redirect(307, f"https://{HOST}@other.example.test/"),
            307,
            f" and leads to https://other.example.test instead of https://{HOST}",
        ),
        (
            redirect(307, rf"https://other.example.test\@{HOST}/"),
            307,
            f" and leads to https://other.example.test instead of https://{HOST}",
        ),
        (
            redirect(308, f"https://{HOST}.evil.test/"),
            308,
            f" and leads to https://{HOST}.evil.test instead of https://{HOST}",
        ),
        (redirect(304, f"https://{HOST}/"), 304, ""),
        (redirect(200, f"https://{HOST}/"), 200, ""),
        (redirect(301, "https://[broken/"), 301, ""),
        (b"HTTP/1.1 301 Moved\r\n\r\n", 301, ""),
        (redirect(301, f"https://{HOST}/\r\nLocation: http://{HOST}/"), 301, ""),
    ],
)
def test_what_is_plain_http(tmp_path: Path, answer: bytes, status: int, target: str) -> None:
    found, problem = answered(tmp_path, answer)
    assert problem is None
    assert found is not None
    (deviation,) = plain_http_refused(found)
    assert deviation.fields == {"place": found.place, "status": status, "target": target}


def test_a_redirect_of_an_address_leads_to_that_address(tmp_path: Path) -> None:
    found, _ = answered(tmp_path, redirect(301, "https://[2001:db8::1]/"), host="2001:db8::1")
    assert found is not None
    assert list(plain_http_refused(found)) == []


def test_get_is_asked_where_head_is_unknown(tmp_path: Path) -> None:
    with serving(talk=http(b"HTTP/1.1 405 No\r\n\r\n", redirect(301, f"https://{HOST}/"))) as server:
        (found,) = gather(PlainHttpAnswers(), tmp_path, endpoint(server.address)).items
    assert list(plain_http_refused(found)) == []
    assert [request.split(b"\r\n")[:3] for request in server.requests] == [
        [f"{method} / HTTP/1.1".encode(), f"Host: {HOST}".encode(), b"User-Agent: soc2-controls"] for method in ("HEAD", "GET")
    ]


def test_the_host_has_its_port_where_that_is_not_the_usual_one(tmp_path: Path) -> None:
    with serving(talk=http(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        given = Endpoint(host=HOST, address="127.0.0.1:1", http=server.port)
        gather(PlainHttpAnswers(), tmp_path, given)
    assert f"Host: {HOST}:{server.port}\r\n".encode() in server.requests[0]


def test_nothing_of_the_answer_is_kept_but_where_it_leads(tmp_path: Path) -> None:
    secret = b"HTTP/1.1 301 Moved\r\nSet-Cookie: s=secret\r\nLocation: https://www.example.test/?t=secret\r\n\r\nsecret"
    answered(tmp_path, secret)
    kept = [gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz")]
    assert len(kept) == 1
    assert b"https" in kept[0]
    assert b"secret" not in kept[0] + (tmp_path / "evidence" / "calls.jsonl").read_bytes()


def test_nothing_that_listens_is_a_refusal(tmp_path: Path) -> None:
    listing = gather(PlainHttpAnswers(), tmp_path, endpoint(f"127.0.0.1:{free_port()}"))
    assert [item.outcome for item in listing.items] == ["refused"]
    assert problem_of(listing) is None


def test_an_endpoint_without_plain_http_is_not_asked(tmp_path: Path) -> None:
    listing = gather(PlainHttpAnswers(), tmp_path, Endpoint(host="nowhere.invalid", http=False))
    assert (listing.items, problem_of(listing)) == ((), None)


def test_silence_shows_nothing(tmp_path: Path) -> None:
    with serving(talk=silent) as server:
        listing = gather(PlainHttpAnswers(0.3), tmp_path, endpoint(server.address))
    why = f"{HOST}:443: {server.address} takes the connection and does not answer in time"
    mend = "declare http = false where no plain HTTP is served"
    assert (listing.items, problem_of(listing)) == ((), Problem(Cause.TIMED_OUT, f"{why}; {mend}"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"220 ready\r\n", "answers HTTP with something that is none"),
        (b"HTTP/x\r\n\r\n", "answers HTTP with something that is none"),
        (b"HTTP/1.1 301 Moved\r\nLocat", "the answer of {} ends before its headers do"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, "answers with more than 64 KiB"),
    ],
)
def test_what_is_no_http_is_missing_evidence(tmp_path: Path, answer: bytes, words: str) -> None:
    with serving(answering(answer)) as server:
        listing = gather(PlainHttpAnswers(), tmp_path, endpoint(server.address))
    expected = words.format(server.address) if "{}" in words else f"{server.address} {words}"
    assert (listing.items, problem_of(listing)) == ((), Problem(Cause.MALFORMED, f"{HOST}:443: {expected}"))


def test_an_endless_body_is_not_waited_for(tmp_path: Path) -> None:
    def endless(server: Server, connection: socket.socket) -> Any:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.stopping.wait(0.001):
            connection.sendall(b"x" * 1024)

    with serving(talk=endless) as server:
        (found,) = gather(PlainHttpAnswers(), tmp_path, endpoint(server.address)).items
    assert found.status == 200
