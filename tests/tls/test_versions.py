"""Versions of TLS: what a server would accept is seen, whatever the OpenSSL of this machine offers itself."""

from __future__ import annotations

import socket
import ssl
import warnings
from pathlib import Path

import pytest

from soc2.declared_network import Endpoint
from soc2.gather.tls.hello import WEAK_SUITES
from soc2.gather.tls.versions import TlsVersions
from soc2.model.population import Cause, Problem
from soc2.model.tls import Version, Versions
from tests.tls.authority import Authority, rsa_key
from tests.tls.gathering import gather, problem_of
from tests.tls.servers import Handler, Server, answering, free_port, serving, silent, tls

HOST = "www.example.test"
ROOT = Authority("root")
_LIMITS = {
    Version.TLS_1_0: ssl.TLSVersion.TLSv1,
    Version.TLS_1_1: ssl.TLSVersion.TLSv1_1,
    Version.TLS_1_2: ssl.TLSVersion.TLSv1_2,
    Version.TLS_1_3: ssl.TLSVersion.TLSv1_3,
}
_ORDER = tuple(Version)
_SHORT = 0.5


def endpoint(address: str) -> Endpoint:
    return Endpoint(host=HOST, address=address)


def context(folder: Path, first: Version, last: Version, ciphers: str = "") -> ssl.SSLContext:
    made = ROOT.issue(HOST, key=rsa_key(2048)).context(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version, made.maximum_version = _LIMITS[first], _LIMITS[last]
    if ciphers:
        made.set_ciphers(ciphers)
    return made


@pytest.mark.parametrize(("first", "last"), [(a, b) for a in _LIMITS for b in _LIMITS if _ORDER.index(a) <= _ORDER.index(b)])
@pytest.mark.skipif(not ssl.HAS_TLSv1, reason="the OpenSSL of this machine serves no TLS 1.0")
def test_just_the_versions_that_the_server_accepts_are_told(tmp_path: Path, first: Version, last: Version) -> None:
    with serving(tls(context(tmp_path, first, last))) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    accepted = _ORDER[_ORDER.index(first) : _ORDER.index(last) + 1]
    assert listing.items == (Versions(name=f"{HOST}:443", accepted=accepted),)
    assert problem_of(listing) is None


def server_hello(version: int, suite: int = 0x002F) -> bytes:
    body = version.to_bytes(2, "big") + b"r" * 32 + b"\0" + suite.to_bytes(2, "big") + b"\0"
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x00" + len(message).to_bytes(2, "big") + message


def offered(hello: bytes) -> int:
    """Return the version that a client offers."""
    return 0x0304 if b"\x00\x2b\x00\x03\x02\x03\x04" in hello else int.from_bytes(hello[9:11], "big")


def choosing(*numbers: int) -> Handler:
    def handle(connection: socket.socket) -> None:
        number = offered(connection.recv(4096))
        connection.sendall(server_hello(number) if number in numbers else b"\x15\x03\x00\x00\x02\x02\x46")

    return handle


def test_ssl_3_is_seen_although_no_client_of_this_machine_speaks_it(tmp_path: Path) -> None:
    with serving(choosing(0x0300)) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    assert listing.items == (Versions(name=f"{HOST}:443", accepted=(Version.SSL_3,)),)


def test_a_server_that_chooses_an_older_version_than_offered_accepts_that_one(tmp_path: Path) -> None:
    with serving(answering(server_hello(0x0300))) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    assert listing.items == (Versions(name=f"{HOST}:443", accepted=(Version.SSL_3,)),)


def test_a_server_that_chooses_a_newer_version_than_offered_makes_no_sense(tmp_path: Path) -> None:
    with serving(answering(server_hello(0x0303))) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    assert listing.items == (Versions(name=f"{HOST}:443", accepted=(Version.TLS_1_2,)),)
    wrong = f"{HOST}:443: {server.address} answers TLSv1.1 with TLSv1.2, which was not offered"
    found = problem_of(listing)
    assert found is not None
    assert (found.cause, found.detail.split("; ")[0], len(found.detail.split("; "))) == (Cause.MALFORMED, wrong, 3)


def test_a_suite_that_protects_nothing_is_named(tmp_path: Path) -> None:
    secure = context(tmp_path, Version.TLS_1_2, Version.TLS_1_2, "ALL:eNULL:@SECLEVEL=0")
    with serving(tls(secure)) as server:
        (found,) = gather(TlsVersions(), tmp_path, endpoint(server.address)).items
    assert found.accepted == (Version.TLS_1_2,)
    assert set(found.weak_suites) <= set(WEAK_SUITES.values())
    assert len(found.weak_suites) == 1


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x80\x2e\x01\x00\x02", b"\x16\x09\0\0"]
)
def test_a_port_that_talks_no_tls_is_told_as_such(tmp_path: Path, answer: bytes) -> None:
    with serving(answering(answer)) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    assert listing.items == (Versions(name=f"{HOST}:443", talks_tls=False),)
    assert problem_of(listing) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (server_hello(0x0303)[:20], "the answer ends before it is complete"),
        (b"\x16\x03\x01\x00\x04\x0b\0\0\0", "another message than the server's first one"),
        (b"\x16\x03\x01\xff\xff" + b"\0" * 64, "a record of a length that none has"),
        (server_hello(0x0505), "the version 0x0505, which does not exist"),
        (b"\x15\x03\x01\x00\x02\x09\x09", "an alert that is none"),
        (b"\x17\x03\x03\x00\x05hello", "a record that has no place there"),
    ],
)
def test_garbage_is_malformed_evidence(tmp_path: Path, answer: bytes, words: str) -> None:
    with serving(answering(answer)) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    found = problem_of(listing)
    assert listing.items == ()
    assert found is not None
    assert found.cause is Cause.MALFORMED
    assert found.detail.startswith(f"{HOST}:443: {server.address} answers TLSv1.3 with {words}; ")


def test_a_server_that_refuses_everything_leaves_it_open(tmp_path: Path) -> None:
    with serving(answering(b"\x15\x03\x03\x00\x02\x01\x70\x15\x03\x03\x00\x02\x02\x28")) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    why = f"{HOST}:443: {server.address} refuses every version that is offered (handshake_failure)"
    assert (listing.items, problem_of(listing)) == ((), Problem(Cause.INCONCLUSIVE, why))


def test_a_silent_server_costs_its_own_time_only(tmp_path: Path) -> None:
    good = context(tmp_path, Version.TLS_1_2, Version.TLS_1_3)
    with serving(talk=silent) as quiet, serving(tls(good)) as server:
        listing = gather(TlsVersions(_SHORT), tmp_path, endpoint(quiet.address), endpoint(server.address))
    assert [item.accepted for item in listing.items] == [(Version.TLS_1_2, Version.TLS_1_3)]
    found = problem_of(listing)
    assert found is not None
    # Each reason is told once, whichever versions it is of.
    late, altogether = (
        f"{quiet.address} takes {what} (" for what in ("the connection and does not answer in time", "too long altogether")
    )
    assert found.cause is Cause.TIMED_OUT
    assert (found.detail.count(late), found.detail.count(altogether)) == (1, 1)


def test_whoever_waits_for_the_end_of_a_line_talks_no_tls(tmp_path: Path) -> None:
    """As servers of plain HTTP do, which take the first message for the beginning of a line."""

    def line_by_line(server: Server, connection: socket.socket) -> None:
        del server
        while connection.recv(4096):
            pass
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with serving(talk=line_by_line) as server:
        listing = gather(TlsVersions(_SHORT), tmp_path, endpoint(server.address))
    assert (listing.items, problem_of(listing)) == ((Versions(name=f"{HOST}:443", talks_tls=False),), None)


def test_a_reset_is_a_hang_up_whenever_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reset of a server that takes no time may come before the connection is known to be there."""

    def reset(connection: socket.socket, address: object) -> None:
        del connection, address
        raise ConnectionResetError(104, "Connection reset by peer")

    with serving(answering(b"")) as server:
        monkeypatch.setattr(socket.socket, "connect", reset)
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
        monkeypatch.undo()
    assert (listing.items, problem_of(listing)) == ((Versions(name=f"{HOST}:443", talks_tls=False),), None)


def test_an_echo_is_no_tls(tmp_path: Path) -> None:
    def echo(connection: socket.socket) -> None:
        while data := connection.recv(4096):
            connection.sendall(data)

    with serving(echo) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    assert (listing.items, problem_of(listing)) == ((Versions(name=f"{HOST}:443", talks_tls=False),), None)


def test_a_server_that_drips_is_left_when_its_time_is_over(tmp_path: Path) -> None:
    def drip(server: Server, connection: socket.socket) -> None:
        for byte in server_hello(0x0303) * 20:
            connection.sendall(bytes([byte]))
            if server.stopping.wait(0.02):
                return

    with serving(talk=drip) as server:
        listing = gather(TlsVersions(0.3), tmp_path, endpoint(server.address))
    found = problem_of(listing)
    assert (listing.items, found and found.cause) == ((), Cause.TIMED_OUT)


def test_an_endless_answer_is_not_read_for_ever(tmp_path: Path) -> None:
    warning = b"\x15\x03\x03\x00\x02\x01\x70"
    with serving(answering(warning * 20_000)) as server:
        listing = gather(TlsVersions(), tmp_path, endpoint(server.address))
    found = problem_of(listing)
    assert found is not None
    assert found.detail.startswith(f"{HOST}:443: {server.address} answers with more than 64 KiB (TLSv1.3, TLSv1.2, ")


def test_places_that_cannot_be_reached_are_named(tmp_path: Path) -> None:
    port = free_port()
    nowhere = Endpoint(host="nowhere.invalid")
    listing = gather(TlsVersions(), tmp_path, endpoint(f"127.0.0.1:{port}"), nowhere)
    found = problem_of(listing)
    assert listing.items == ()
    assert found is not None
    assert found.cause is Cause.UNREACHABLE
    assert found.detail.startswith(
        f"{HOST}:443: 127.0.0.1:{port} refuses connections; nowhere.invalid:443: the name nowhere.invalid is not resolved"
    )


def test_several_addresses_of_one_endpoint_are_told_apart(tmp_path: Path) -> None:
    with serving(tls(context(tmp_path, Version.TLS_1_2, Version.TLS_1_2))) as one, serving(answering(b"")) as two:
        listing = gather(TlsVersions(), tmp_path, endpoint(one.address), endpoint(two.address))
    assert listing.items == (
        Versions(name=f"{HOST}:443 at {one.address}", accepted=(Version.TLS_1_2,)),
        Versions(name=f"{HOST}:443 at {two.address}", talks_tls=False),
    )


def test_addresses_of_ipv6_are_tried_too(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(tls(context(tmp_path, Version.TLS_1_3, Version.TLS_1_3)), host="::1") as server:
        listing = gather(TlsVersions(), tmp_path, Endpoint(host="::1", port=server.port))
    assert listing.items == (Versions(name=f"[::1]:{server.port}", accepted=(Version.TLS_1_3,)),)


def test_no_endpoint_is_no_evidence_and_no_problem(tmp_path: Path) -> None:
    listing = gather(TlsVersions(), tmp_path)
    assert (listing.items, problem_of(listing)) == ((), None)
