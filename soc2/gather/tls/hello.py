"""The first message of a TLS client, written by hand, and how a server's first answer reads.

OpenSSL offers only what its build, its security level and the configuration of the machine allow. Whether a server
would still accept TLS 1.0 must not depend on the machine that asks, and needs no more than the first message of each side.

Sources: RFC 5246 (TLS 1.2, and its appendix E on older ones), RFC 6101 (SSLv3), RFC 8446 (TLS 1.3); the numbers are those
of IANA's registries "TLS Parameters" and "TLS ExtensionType Values".
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from soc2.model.network.places import is_address
from soc2.model.tls import Version

_NUMBERS = {
    Version.SSL_3: 0x0300,
    Version.TLS_1_0: 0x0301,
    Version.TLS_1_1: 0x0302,
    Version.TLS_1_2: 0x0303,
    Version.TLS_1_3: 0x0304,
}
_VERSIONS = {number: version for version, number in _NUMBERS.items()}

WEAK_SUITES = {
    0x0001: "TLS_RSA_WITH_NULL_MD5",
    0x0002: "TLS_RSA_WITH_NULL_SHA",
    0x003B: "TLS_RSA_WITH_NULL_SHA256",
    0xC006: "TLS_ECDHE_ECDSA_WITH_NULL_SHA",
    0xC010: "TLS_ECDHE_RSA_WITH_NULL_SHA",
    0x0003: "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
    0x0006: "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
    0x0008: "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA",
    0x0014: "TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA",
    0x0009: "TLS_RSA_WITH_DES_CBC_SHA",
    0x0015: "TLS_DHE_RSA_WITH_DES_CBC_SHA",
    0x0018: "TLS_DH_anon_WITH_RC4_128_MD5",
    0x001B: "TLS_DH_anon_WITH_3DES_EDE_CBC_SHA",
    0x0034: "TLS_DH_anon_WITH_AES_128_CBC_SHA",
    0x003A: "TLS_DH_anon_WITH_AES_256_CBC_SHA",
    0x00A6: "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
    0x00A7: "TLS_DH_anon_WITH_AES_256_GCM_SHA384",
    0xC018: "TLS_ECDH_anon_WITH_AES_128_CBC_SHA",
    0xC019: "TLS_ECDH_anon_WITH_AES_256_CBC_SHA",
    0x0004: "TLS_RSA_WITH_RC4_128_MD5",
    0x0005: "TLS_RSA_WITH_RC4_128_SHA",
    0xC007: "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    0xC011: "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    0x000A: "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
    0x0016: "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA",
    0xC008: "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA",
    0xC012: "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
}
"""Suites without encryption or without authentication, and those whose cipher is broken: export grade, DES, RC4 (RFC 7465)
and triple DES (NIST SP 800-131A revision 2: disallowed after 2023)."""

# What servers use with versions up to 1.2: AES in GCM, CCM and CBC mode, ChaCha20 and Camellia, with every exchange of keys.
_STRONG_SUITES = (
    *(0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9, 0xCCAA, 0x009C, 0x009D, 0x009E, 0x009F, 0xC09C, 0xC09D, 0xC0AC, 0xC0AD),
    *(0xC023, 0xC024, 0xC027, 0xC028, 0x003C, 0x003D, 0x0067, 0x006B),
    *(0xC009, 0xC00A, 0xC013, 0xC014, 0x002F, 0x0035, 0x0033, 0x0039, 0x0032, 0x0038, 0x0041, 0x0084, 0x0045, 0x0088),
)
_SUITES_OF_1_3 = (0x1301, 0x1302, 0x1303, 0x1304, 0x1305)
# x25519, the curves of NIST, x448, and the groups of RFC 7919.
_GROUPS = (0x001D, 0x0017, 0x0018, 0x0019, 0x001E, 0x0100, 0x0101)
# ECDSA, RSA-PSS and RSA with SHA-2, EdDSA, and what only old certificates have.
_SIGNATURES = (
    *(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B, 0x0807, 0x0808, 0x0401, 0x0501, 0x0601),
    *(0x0203, 0x0201, 0x0202),
)
_ALERT, _HANDSHAKE = 21, 22
_RECORD_TYPES = range(20, 25)
_MOST_IN_RECORD = 2**14 + 2048
_CLIENT_HELLO, _SERVER_HELLO = 1, 2
_SUPPORTED_VERSIONS = 43
_WARNING, _CLOSE_NOTIFY = 1, 0
_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    109: "missing_extension",
    112: "unrecognized_name",
    116: "certificate_required",
    120: "no_application_protocol",
}


class Kind(StrEnum):
    CHOSEN = "a version was chosen"
    ALERT = "refused"
    CLOSED = "closed without an answer"
    NOT_TLS = "no TLS"


@dataclass(frozen=True)
class Answer:
    """A server's first answer: the version and the cipher suite that it chose, or with which alert it refused."""

    kind: Kind
    version: Version | None = None
    suite: int = 0
    alert: str = ""


class MalformedAnswer(ValueError):
    """What reads as TLS at first and then is none; the text says how, and quotes nothing."""


def client_hello(version: Version, host: str, suites: Sequence[int] | None = None) -> bytes:
    """Return the record that offers a version (and none above it) to the server of a name or an address."""
    number = _NUMBERS[version]
    modern = version is Version.TLS_1_3
    suites = suites or (_SUITES_OF_1_3 if modern else (*_STRONG_SUITES, *WEAK_SUITES))
    # The last one says that renegotiation is meant to be secure (RFC 5746), which some servers insist on.
    offered = b"".join(_two(suite) for suite in (*suites, *(() if modern else (0x00FF,))))
    legacy = min(number, _NUMBERS[Version.TLS_1_2])
    body = _two(legacy) + os.urandom(32) + _sized(os.urandom(32) if modern else b"", 1) + _sized(offered, 2) + _sized(b"\0", 1)
    if version is not Version.SSL_3:
        body += _sized(_extensions(version, host), 2)
    message = bytes([_CLIENT_HELLO]) + _sized(body, 3)
    return bytes([_HANDSHAKE]) + _two(min(number, _NUMBERS[Version.TLS_1_0])) + _sized(message, 2)


def _extensions(version: Version, host: str) -> bytes:
    found = [(10, _sized(b"".join(map(_two, _GROUPS)), 2)), (11, _sized(b"\0", 1))]
    if not is_address(host):
        found.insert(0, (0, _sized(b"\0" + _sized(host.encode("ascii"), 2), 2)))
    if version in (Version.TLS_1_2, Version.TLS_1_3):
        found.append((13, _sized(b"".join(map(_two, _SIGNATURES)), 2)))
    if version is Version.TLS_1_3:
        # Any 32 bytes are a public key of x25519, and no more is done with what it agrees on.
        share = _two(_GROUPS[0]) + _sized(os.urandom(32), 2)
        found += [(_SUPPORTED_VERSIONS, _sized(_two(_NUMBERS[version]), 1)), (45, _sized(b"\x01", 1)), (51, _sized(share, 2))]
    return b"".join(_two(kind) + _sized(content, 2) for kind, content in found)


def _two(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _sized(content: bytes, width: int) -> bytes:
    """Return the content behind its length, which is ``width`` bytes wide."""
    return len(content).to_bytes(width, "big") + content


def read_answer(data: bytes, ended: bool) -> Answer | None:
    """Return what a server answered, or None when that takes more bytes. ``ended`` says that there will be none.

    Raises MalformedAnswer.
    """
    if not data:
        return Answer(Kind.CLOSED) if ended else None
    if data[0] not in _RECORD_TYPES or data[1:2] not in (b"", b"\x03"):
        return Answer(Kind.NOT_TLS)
    messages = b""
    at = 0
    while len(data) - at >= 5:
        kind, length = data[at], int.from_bytes(data[at + 3 : at + 5], "big")
        if kind not in (_ALERT, _HANDSHAKE) or data[at + 1] != 3:
            raise MalformedAnswer("a record that has no place there")
        if not 0 < length <= _MOST_IN_RECORD:
            raise MalformedAnswer("a record of a length that none has")
        content = data[at + 5 : at + 5 + length]
        if len(content) < length:
            break
        at += 5 + length
        if kind == _ALERT:
            if len(content) != 2 or content[0] not in (1, 2):
                raise MalformedAnswer("an alert that is none")
            # A warning, of an unknown name for example, may come before the answer.
            if content[0] != _WARNING or content[1] == _CLOSE_NOTIFY:
                return Answer(Kind.ALERT, alert=_ALERTS.get(content[1], f"alert {content[1]}"))
            continue
        messages += content
        answer = _read_message(messages)
        if answer:
            return answer
    if ended:
        raise MalformedAnswer("the answer ends before it is complete")
    return None


def _read_message(messages: bytes) -> Answer | None:
    if messages[0] == _CLIENT_HELLO:
        # It echoes what it hears.
        return Answer(Kind.NOT_TLS)
    if messages[0] != _SERVER_HELLO:
        raise MalformedAnswer("another message than the server's first one")
    if len(messages) < 4:
        return None
    length = int.from_bytes(messages[1:4], "big")
    if length > _MOST_IN_RECORD:
        raise MalformedAnswer("a first message of a length that none has")
    body = messages[4 : 4 + length]
    return _read_server_hello(body) if len(body) == length else None


def _read_server_hello(body: bytes) -> Answer:
    number, at = int.from_bytes(body[:2], "big"), 34
    session = body[at] if len(body) > at else 33
    at += 1 + session
    if session > 32 or len(body) < at + 3:
        raise MalformedAnswer("a first message that is too short for what it says")
    suite = int.from_bytes(body[at : at + 2], "big")
    at += 3
    if at < len(body):
        number = _selected_version(body[at:]) or number
    if number not in _VERSIONS:
        raise MalformedAnswer(f"the version 0x{number:04x}, which does not exist")
    return Answer(Kind.CHOSEN, _VERSIONS[number], suite)


def _selected_version(block: bytes) -> int | None:
    """Return the version that the extensions name, as those of TLS 1.3 do."""
    if len(block) != 2 + int.from_bytes(block[:2], "big"):
        raise MalformedAnswer("extensions of another length than they say")
    at = 2
    while at < len(block):
        kind, length = int.from_bytes(block[at : at + 2], "big"), int.from_bytes(block[at + 2 : at + 4], "big")
        content = block[at + 4 : at + 4 + length]
        at += 4 + length
        if at > len(block):
            raise MalformedAnswer("an extension that is longer than all of them")
        if kind == _SUPPORTED_VERSIONS:
            if length != 2:
                raise MalformedAnswer("a choice of version of another length than a version has")
            return int.from_bytes(content, "big")
    return None
