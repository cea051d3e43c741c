"""The first messages: what servers answer is read in any pieces, and nothing that they send ends in another error."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.gather.tls.hello import Answer, Kind, MalformedAnswer, client_hello, read_answer
from soc2.model.tls import Version

_NUMBERS = {0x0300 + place: version for place, version in enumerate(Version)}


def record(content: bytes, kind: int = 22) -> bytes:
    return bytes([kind, 3, 1]) + len(content).to_bytes(2, "big") + content


@st.composite
def server_hellos(draw: st.DrawFn) -> tuple[bytes, Answer]:
    number, suite = draw(st.sampled_from(sorted(_NUMBERS))), draw(st.integers(0, 0xFFFF))
    session = draw(st.binary(max_size=32))
    others = draw(st.lists(st.tuples(st.integers(44, 60000), st.binary(max_size=20)), max_size=3))
    by_extension = draw(st.booleans())
    chosen = [(43, number.to_bytes(2, "big"))] * by_extension
    extensions = b"".join(k.to_bytes(2, "big") + len(c).to_bytes(2, "big") + c for k, c in [*others, *chosen])
    body = (0x0303 if by_extension else number).to_bytes(2, "big") + draw(st.binary(min_size=32, max_size=32))
    body += bytes([len(session)]) + session + suite.to_bytes(2, "big") + b"\0"
    body += len(extensions).to_bytes(2, "big") + extensions if extensions else b""
    message = b"\x02" + len(body).to_bytes(3, "big") + body + draw(st.binary(max_size=40))
    cut = draw(st.integers(1, len(message)))
    pieces = [piece for piece in (message[:cut], message[cut:]) if piece]
    return b"".join(map(record, pieces)), Answer(Kind.CHOSEN, _NUMBERS[number], suite)


@given(server_hellos(), st.data())
def test_an_answer_reads_the_same_whatever_pieces_it_comes_in(given_: tuple[bytes, Answer], data: st.DataObject) -> None:
    wire, answer = given_
    assert read_answer(wire, ended=False) == answer
    at = data.draw(st.integers(0, len(wire)))
    assert read_answer(wire[:at], ended=False) in (None, answer)


@given(
    st.one_of(st.binary(max_size=200), st.binary(max_size=80).map(record), server_hellos().map(lambda pair: pair[0])),
    st.data(),
)
def test_whatever_is_sent_is_an_answer_or_malformed(wire: bytes, data: st.DataObject) -> None:
    if wire:
        at = data.draw(st.integers(0, len(wire) - 1))
        wire = wire[:at] + bytes([data.draw(st.integers(0, 255))]) + wire[at + 1 :]
    with contextlib.suppress(MalformedAnswer):
        assert read_answer(wire, ended=True) is not None


@pytest.mark.parametrize("version", [Version.TLS_1_2, Version.TLS_1_3])
@pytest.mark.parametrize("host", ["www.example.test", "192.0.2.1", "2001:db8::1"])
def test_openssl_understands_what_is_offered(version: Version, host: str) -> None:
    """It goes as far as to look for a certificate, which this server does not have."""
    seen: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(client_hello(version, host))
    with pytest.raises(ssl.SSLError, match=r"(?i)no.shared.cipher|no.suitable.signature"):
        server.do_handshake()
    assert seen == [host if "example" in host else None]
