"""Connections without a client certificate, to real members of etcd and to servers that behave oddly."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path
from typing import NoReturn

import pytest

from soc2.declared_etcd import Etcd
from soc2.demo.build import Binaries
from soc2.demo.controlplane import ControlPlane
from soc2.evidence import EvidenceStore
from soc2.gather.etcd.attempts import EtcdAttempts
from soc2.gather.source import Gatherer, Listing
from soc2.model.etcd import Attempt, EtcdEndpoint
from soc2.model.population import Cause, Problem
from soc2.rules.etcd import requires_certificates
from soc2.system import About, Kubernetes, System
from tests.etcd.members import member
from tests.tls.authority import Authority
from tests.tls.servers import Handler, Server, answering, free_port, serving, silent

OPEN = "HTTP 200 to GET /version"


def tried(folder: Path, *endpoints: str, ca: Path | None = None, seconds: float = 5.0) -> Listing[EtcdEndpoint]:
    etcd = Etcd(endpoints=endpoints, ca=str(ca) if ca else None)
    system = System(system=About(name="t", owner="t"), kubernetes=Kubernetes(cluster="t"), etcd=etcd)
    gatherer = Gatherer(system, _none, _none, EvidenceStore(folder / "evidence"))
    try:
        return gatherer.get(EtcdAttempts(seconds))
    finally:
        gatherer.close()


def _none() -> NoReturn:
    raise AssertionError("etcd is no part of an API")


def attempts(listing: Listing[EtcdEndpoint]) -> tuple[Attempt, ...]:
    assert [status.problem for status in listing.statuses] == [None]
    (found,) = listing.items
    return found.attempts


def problem(listing: Listing[EtcdEndpoint]) -> Problem:
    assert listing.items == ()
    (status,) = listing.statuses
    assert status.problem
    return status.problem


@pytest.mark.controlplane
def test_etcd_refuses_whoever_has_no_certificate(control_plane: ControlPlane, tmp_path: Path) -> None:
    """Over TLS 1.3 the handshake succeeds, and the refusal comes with the first answer."""
    endpoint = control_plane.etcd_url.removeprefix("https://")
    listing = tried(tmp_path, endpoint, ca=control_plane.authority.certificate)
    secure, plain = attempts(listing)
    assert secure == Attempt("TLS", refused=True, answer="the alert certificate required")
    assert (plain.over, plain.refused) == ("plain text", True)
    assert [each for item in listing.items for each in requires_certificates(item)] == []


@pytest.mark.controlplane
def test_etcd_with_tls_alone_lets_everybody_in(binaries: Binaries, tmp_path: Path) -> None:
    with member(binaries, tmp_path) as (place, ca):
        listing = tried(tmp_path, str(place), ca=ca)
    assert attempts(listing)[0] == Attempt("TLS", refused=False, answer=OPEN)
    assert [each.message for each in requires_certificates(listing.items[0])] == [
        f"without a client certificate it answers over TLS: {OPEN}"
    ]


@pytest.mark.controlplane
def test_etcd_without_tls_lets_everybody_in(binaries: Binaries, tmp_path: Path) -> None:
    with member(binaries, tmp_path, scheme="http") as (place, _):
        found = attempts(tried(tmp_path, str(place)))
    assert found == (Attempt("plain text", refused=False, answer=OPEN),)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_of_tls_refuse_in_their_own_way(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """What a server of OpenSSL says is not what one of Go says."""
    authority = Authority("root")
    context = authority.issue("127.0.0.1").context(tmp_path)
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file(tmp_path))
    with serving(_once(context, b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        secure, plain = attempts(tried(tmp_path, server.address))
    assert (secure.refused, plain.refused) == (True, True)
    assert secure.answer.startswith("the alert ")


@pytest.mark.parametrize(
    ("answer", "refused", "words"),
    [
        (b"HTTP/1.1 400 No required SSL certificate was sent\r\n\r\n", True, "HTTP 400"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n<h1>Client certificate required</h1>", True, "HTTP 403"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False, "HTTP 404 to GET /version"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", False, "HTTP 500 to GET /version"),
        (b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64", False, "HTTP/2 to GET /version"),
    ],
)
def test_what_counts_as_an_answer(tmp_path: Path, answer: bytes, refused: bool, words: str) -> None:
    context = Authority("root").issue("127.0.0.1").context(tmp_path)
    with serving(_once(context, answer)) as server:
        secure, _ = attempts(tried(tmp_path, server.address))
    assert secure == Attempt("TLS", refused=refused, answer=words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "HTTP 401"),  # for want of a password, perhaps
        (b"HTTP/1.1 403 Forbidden\r\n\r\nsystem:anonymous", "HTTP 403"),  # an API server
        (b"-ERR unknown command 'GET'\r\n", "something that is no HTTP"),
    ],
)
def test_what_is_no_answer_about_a_certificate(tmp_path: Path, answer: bytes, words: str) -> None:
    context = Authority("root").issue("127.0.0.1").context(tmp_path)
    with serving(_once(context, answer)) as server:
        secure = problem(tried(tmp_path, server.address, seconds=2))
    with serving(answering(answer)) as server:
        plain = problem(tried(tmp_path, server.address))
    assert (secure.cause, plain.cause) == (Cause.INCONCLUSIVE, Cause.INCONCLUSIVE)
    assert f" answers {words} over TLS and does not say that it wants a certificate; is it etcd?" in secure.detail
    assert f" talks no TLS and says {words} in plain text; is it etcd?" in plain.detail


@pytest.mark.controlplane
@pytest.mark.parametrize("closed", [False, True])
def test_an_etcd_that_talks_grpc_only(binaries: Binaries, tmp_path: Path, closed: bool) -> None:
    """Since its JSON has a port of its own, the other one takes no HTTP/1.1."""
    flags = ["--client-cert-auth", "--trusted-ca-file={ca}"] * closed
    with member(binaries, tmp_path, *flags, f"--listen-client-http-urls=https://127.0.0.1:{free_port()}") as (place, ca):
        secure, _ = attempts(tried(tmp_path, str(place), ca=ca))
    answer = "the alert certificate required" if closed else "HTTP/2, as gRPC begins"
    assert secure == Attempt("TLS", refused=closed, answer=answer)


def _once(context: ssl.SSLContext, answer: bytes) -> Handler:
    def handle(connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as secure:
            if secure.recv(4096):
                secure.sendall(answer)

    return handle


def test_one_who_only_hangs_up_shows_nothing(tmp_path: Path) -> None:
    """A load balancer without members behind it does that, too."""
    context = Authority("root").issue("127.0.0.1").context(tmp_path)
    with serving(_once(context, b"")) as server:
        found = problem(tried(tmp_path, server.address, seconds=1))
    assert found.cause is Cause.INCONCLUSIVE
    assert "does not say that it wants a certificate" in found.detail


@pytest.mark.parametrize("said", [b"", b"\x00", b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail ESMTP\r\n"])
def test_one_who_talks_neither_tls_nor_http(tmp_path: Path, said: bytes) -> None:
    with serving(answering(said)) as server:
        found = problem(tried(tmp_path, server.address))
    assert found.cause is Cause.INCONCLUSIVE
    assert found.detail.endswith("in plain text; is it etcd?")


def test_what_is_let_in_counts_whatever_else_is_left_open(tmp_path: Path) -> None:
    """Over TLS everybody is let in; plain text gets no answer at all."""
    context = Authority("root").issue("127.0.0.1").context(tmp_path)
    let_in = _once(context, b"HTTP/1.1 200 OK\r\n\r\n")

    def talk(server: Server, connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK) == b"\x16":
            let_in(connection)
        else:
            silent(server, connection)

    with serving(talk=talk) as server:
        listing = tried(tmp_path, server.address, seconds=1)
    assert [each.attempts for each in listing.items] == [(Attempt("TLS", refused=False, answer=OPEN),)]
    assert [status.problem.cause for status in listing.statuses if status.problem] == [Cause.TIMED_OUT]


def test_one_who_says_nothing(tmp_path: Path) -> None:
    with serving(talk=silent) as server:
        found = problem(tried(tmp_path, server.address, seconds=0.5))
    assert found.cause is Cause.TIMED_OUT


def test_nobody_listens_there(tmp_path: Path) -> None:
    found = problem(tried(tmp_path, f"127.0.0.1:{free_port()}"))
    assert found.cause is Cause.UNREACHABLE


def test_another_server_than_the_owner_means(tmp_path: Path) -> None:
    context = Authority("root").issue("127.0.0.1").context(tmp_path)
    other = Authority("other").file(tmp_path)
    with serving(_once(context, b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        found = problem(tried(tmp_path, server.address, ca=Path(other)))
    assert found.cause is Cause.INCONCLUSIVE
    assert "not of the declared ca" in found.detail


def test_one_that_is_down_does_not_hide_another(tmp_path: Path) -> None:
    with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        listing = tried(tmp_path, f"127.0.0.1:{free_port()}", server.address)
    assert [item.name for item in listing.items] == [server.address]
    assert listing.statuses[0].problem is not None
