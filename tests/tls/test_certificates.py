"""Certificates of endpoints, as real servers present them."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from soc2.declared_network import Endpoint
from soc2.gather.tls.certificates import TlsCertificates
from soc2.model.deviation import Deviation
from soc2.model.population import Cause, Problem
from soc2.model.tls import Certificates
from soc2.rules.tls import NotTrusted, certificates_valid
from tests.tls.authority import Authority, Issued, rsa_key, self_signed
from tests.tls.gathering import gather, problem_of
from tests.tls.servers import Handler, Server, answering, free_port, serving, silent, tls

HOST = "www.example.test"
ROOT = Authority("root")
MIDDLE = Authority("middle", ROOT)
_RSA_WITH = bytes.fromhex("2a864886f70d0101")


def presented(folder: Path, issued: Issued, host: str = HOST) -> Certificates:
    """Return what is gathered of an endpoint that presents this."""
    with serving(tls(issued.context(folder))) as server:
        listing = gather(TlsCertificates(), folder, Endpoint(host=host, address=server.address, ca=ROOT.file(folder)))
    assert problem_of(listing) is None
    (found,) = listing.items
    assert isinstance(found, Certificates)
    return found


def judged(found: Certificates) -> list[str]:
    return [deviation.message for deviation in deviations(found)]


def deviations(found: Certificates) -> list[Deviation]:
    return list(certificates_valid(30, datetime.now(UTC))(found))


@pytest.mark.parametrize("issuer", [ROOT, MIDDLE])
@pytest.mark.parametrize(
    ("names", "host"),
    [
        ((HOST,), HOST),
        (("*.example.test",), HOST),
        (("other.example.test", "WWW.Example.Test"), HOST),
        (("127.0.0.1",), "127.0.0.1"),
        (("::1",), "::1"),
    ],
)
def test_what_clients_trust_has_no_deviation(tmp_path: Path, issuer: Authority, names: tuple[str, ...], host: str) -> None:
    found = presented(tmp_path, issuer.issue(*names), host)
    assert judged(found) == []
    assert [each.subject for each in found.chain] == [f"CN={names[0]}", "CN=middle"][: 1 + (issuer is MIDDLE)]


@pytest.mark.parametrize("names", [("other.example.test",), ("*.test",), ("*.www.example.test",), ("192.0.2.1",), ()])
def test_a_certificate_for_another_name(tmp_path: Path, names: tuple[str, ...]) -> None:
    shown = ", ".join(names) or "no name"
    assert judged(presented(tmp_path, ROOT.issue(*names))) == [f"its certificate is made out to {shown}, not to {HOST}"]


def test_a_common_name_is_no_name(tmp_path: Path) -> None:
    address = ROOT.issue("127.0.0.1", HOST)
    assert judged(presented(tmp_path, address, "127.0.0.2")) == [
        f"its certificate is made out to {HOST}, 127.0.0.1, not to 127.0.0.2"
    ]


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ((-90, -2.5), ["its certificate expired 2 days ago"]),
        ((-90, 9.5), ["its certificate expires in 9 days"]),
        ((-90, 0.1), ["its certificate expires in less than a day"]),
        ((1.5, 90), ["its certificate is not valid before"]),
    ],
)
def test_dates_are_told_apart_from_trust(tmp_path: Path, days: tuple[float, float], words: list[str]) -> None:
    found = judged(presented(tmp_path, ROOT.issue(HOST, days=days)))
    assert [message[: len(word)] for message, word in zip(found, words, strict=True)] == words


def test_an_expired_certificate_of_nobody_is_both(tmp_path: Path) -> None:
    foreign = Authority("foreign").issue(HOST, days=(-9, -1.5))
    reason, ends = judged(presented(tmp_path, foreign))
    assert reason.startswith("clients do not trust its chain of certificates: ")
    assert ends.startswith("its certificate expired 1 day ago")


def test_an_expired_issuer_is_told_as_such(tmp_path: Path) -> None:
    old = Authority("old", ROOT, days=(-20, -10))
    (deviation,) = deviations(presented(tmp_path, old.issue(HOST)))
    assert isinstance(deviation, NotTrusted)
    assert deviation.reason == "an issuer in its chain: certificate has expired"


def test_an_issuer_that_expires_soon_is_told_as_such(tmp_path: Path) -> None:
    ending = Authority("ending", ROOT, days=(-20, 9.5))
    (told,) = judged(presented(tmp_path, ending.issue(HOST)))
    assert told.startswith("the certificate of CN=ending in its chain expires in 9 days (")
    assert judged(presented(tmp_path, Authority("lasting", ROOT, days=(-20, 30.5)).issue(HOST))) == []


def test_self_signed_and_incomplete_chains_are_not_trusted(tmp_path: Path) -> None:
    alone = MIDDLE.issue(HOST)
    for issued, words in (
        (self_signed(HOST), f"self-signed certificate (CN={HOST} is not trusted)"),
        (
            Issued(alone.certificate, alone.key),
            "unable to get local issuer certificate (CN=middle is neither presented nor trusted)",
        ),
        (
            Authority("foreign").issue(HOST),
            "unable to get local issuer certificate (CN=foreign is neither presented nor trusted)",
        ),
    ):
        (deviation,) = deviations(presented(tmp_path, issued))
        assert isinstance(deviation, NotTrusted)
        assert deviation.reason == words


def test_whose_issuer_is_not_declared_is_told_where_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", Authority("public").file(tmp_path))
    with serving(tls(ROOT.issue(HOST).context(tmp_path))) as server:
        (found,) = gather(TlsCertificates(), tmp_path, Endpoint(host=HOST, address=server.address)).items
    assert found.distrust == (
        "unable to get local issuer certificate (CN=root is neither presented nor trusted); "
        "an issuer of your own is declared as ca"
    )


def test_what_the_owner_trusts_may_be_no_root(tmp_path: Path) -> None:
    alone = MIDDLE.issue(HOST)
    with serving(tls(Issued(alone.certificate, alone.key).context(tmp_path))) as server:
        trusting = Endpoint(host=HOST, address=server.address, ca=MIDDLE.file(tmp_path))
        (found,) = gather(TlsCertificates(), tmp_path, trusting).items
    assert judged(found) == []


def test_what_is_presented_beside_the_chain_does_no_harm(tmp_path: Path) -> None:
    good = MIDDLE.issue(HOST)
    expired = Authority("expired", days=(-20, -10))
    crowded = Issued(good.certificate, good.key, (expired.certificate, MIDDLE.certificate, ROOT.certificate))
    found = presented(tmp_path, crowded)
    assert judged(found) == []
    assert [each.subject for each in found.chain] == [f"CN={HOST}", "CN=middle", "CN=root"]


def test_weak_keys_and_signatures(tmp_path: Path) -> None:
    der = self_signed(HOST, key=rsa_key(1024))
    # Nothing here signs with SHA-1 any more: the algorithms are renamed (sha256WithRSAEncryption, sha1WithRSAEncryption).
    renamed = der.certificate.public_bytes(Encoding.DER).replace(_RSA_WITH + b"\x0b", _RSA_WITH + b"\x05")
    found = judged(presented(tmp_path, Issued(x509.load_der_x509_certificate(renamed), der.key)))
    assert found[1:] == [
        f"the certificate of CN={HOST} has a key of 1024 bits, where RSA takes 2048",
        f"the certificate of CN={HOST} is signed with SHA1",
    ]


def test_without_a_trust_store_nobody_is_distrusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with serving(tls(ROOT.issue(HOST).context(tmp_path))) as server:
        listing = gather(TlsCertificates(), tmp_path, Endpoint(host=HOST, address=server.address))
    why = f"{HOST}:443: {server.address}: the examiner's machine has no trust store, and no ca is declared"
    assert (listing.items, problem_of(listing)) == ((), Problem(Cause.INCONCLUSIVE, why))


def test_the_server_is_told_which_name_is_meant(tmp_path: Path) -> None:
    fallback = ROOT.issue("fallback.example.test").context(tmp_path)
    right = ROOT.issue(HOST).context(tmp_path)

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        if name == HOST:
            connection.context = right

    fallback.sni_callback = choose
    with serving(tls(fallback)) as server:
        (found,) = gather(
            TlsCertificates(), tmp_path, Endpoint(host=HOST, address=server.address, ca=ROOT.file(tmp_path))
        ).items
    assert judged(found) == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_of_the_client_shows_its_own(tmp_path: Path, version: ssl.TLSVersion) -> None:
    mutual = ROOT.issue(HOST).context(tmp_path)
    mutual.maximum_version = version
    mutual.verify_mode = ssl.CERT_REQUIRED
    mutual.load_verify_locations(ROOT.file(tmp_path))
    for trusted, expected in ((ROOT, 0), (Authority("other"), 1)):
        with serving(tls(mutual)) as server:
            known = Endpoint(host=HOST, address=server.address, ca=trusted.file(tmp_path))
            listing = gather(TlsCertificates(), tmp_path, known)
        assert problem_of(listing) is None
        assert len(judged(listing.items[0])) == expected


def test_a_large_chain_is_read_up_to_the_bound(tmp_path: Path) -> None:
    for padding, judgeable in ((30_000, True), (70_000, False)):
        large = ROOT.issue(HOST, padding=padding).context(tmp_path)
        with serving(tls(large)) as server:
            known = Endpoint(host=HOST, address=server.address, ca=ROOT.file(tmp_path))
            listing = gather(TlsCertificates(), tmp_path, known)
        found = problem_of(listing)
        if judgeable:
            assert (found, judged(listing.items[0])) == (None, [])
        else:
            assert found == Problem(Cause.MALFORMED, f"{HOST}:443: {server.address} answers with more than 64 KiB")


@pytest.mark.parametrize(
    ("handler", "cause"),
    [
        (answering(b"\x15\x03\x03\x00\x02\x02\x70"), Cause.INCONCLUSIVE),
        (answering(b"\x16\x03\x03\x00\x40\x02\x00"), Cause.MALFORMED),
        (answering(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00"), Cause.MALFORMED),
    ],
)
def test_a_handshake_that_fails_is_missing_evidence(tmp_path: Path, handler: Handler, cause: Cause) -> None:
    good = ROOT.issue(HOST).context(tmp_path)
    with serving(handler) as bad, serving(tls(good)) as server:
        ca = ROOT.file(tmp_path)
        broken, fine = (Endpoint(host=HOST, address=each.address, ca=ca) for each in (bad, server))
        listing = gather(TlsCertificates(), tmp_path, broken, fine)
    found = problem_of(listing)
    assert found is not None
    assert (found.cause, bad.address in found.detail) == (cause, True)
    assert [judged(item) for item in listing.items] == [[]]


def test_a_port_without_tls_presents_no_certificate(tmp_path: Path) -> None:
    for answer in (b"220 mail.example.test ESMTP\r\n", b""):
        with serving(answering(answer)) as server:
            listing = gather(TlsCertificates(), tmp_path, Endpoint(host=HOST, address=server.address))
        assert problem_of(listing) is None
        assert judged(listing.items[0]) == ["it talks no TLS: it hangs up, or answers with something else"]


def test_silence_and_refusal_name_the_place(tmp_path: Path) -> None:
    port = free_port()
    with serving(talk=silent) as quiet:
        endpoints = [Endpoint(host=HOST, address=address) for address in (quiet.address, f"127.0.0.1:{port}")]
        listing = gather(TlsCertificates(0.3), tmp_path, *endpoints)
    late = f"{HOST}:443 at {quiet.address}: {quiet.address} takes the connection and does not answer in time"
    refused = f"unreachable: {HOST}:443 at 127.0.0.1:{port}: 127.0.0.1:{port} refuses connections"
    assert problem_of(listing) == Problem(Cause.TIMED_OUT, f"{late}; {refused}")


def test_nothing_is_sent_after_the_handshake(tmp_path: Path) -> None:
    heard: list[bytes] = []
    good = ROOT.issue(HOST).context(tmp_path)

    def listen(server: Server, connection: socket.socket) -> None:
        del server
        with good.wrap_socket(connection, server_side=True) as secure:
            heard.append(secure.recv(1024))

    with serving(talk=listen) as server:
        gather(TlsCertificates(), tmp_path, Endpoint(host=HOST, address=server.address, ca=ROOT.file(tmp_path)))
    assert heard == [b"", b""]
