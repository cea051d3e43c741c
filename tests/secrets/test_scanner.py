"""The scanner: what it says of contents, what it never says, and how long it takes."""

from __future__ import annotations

import base64
import codecs
import gzip
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from soc2.detectors.secrets import Scanner
from soc2.model.fingerprint import Finding
from tests.secrets.corpus import corpus
from tests.secrets.known_secrets import Pair, pairs
from tests.secrets.making import Maker

PASSWORD = "Zx9qL7vT2mK8wR4pN6s"
GITHUB = "gh" + "p_" + "Zx9qL7vT2mK8wR4pN6sA1b2C3d4E5f6G7h8I"
SIZE = 1 << 18


def found(data: bytes, name: str = "app.conf") -> list[tuple[str, str]]:
    return [(finding.detector, finding.place) for finding in Scanner().scan(data, name)]


def test_places_are_lines() -> None:
    text = f"a=1\nb=2\npassword={PASSWORD}\n\ntoken: {GITHUB}\npassword={PASSWORD}\n"
    assert found(text.encode()) == [
        ("name and randomness", "line 3"),
        ("GitHub Token", "line 5"),
        ("name and randomness", "line 6"),
    ]


def test_a_short_file_is_judged_by_its_name() -> None:
    assert found(PASSWORD.encode() + b"\n", "run/secrets/db_password") == [("name and randomness", "")]
    assert found(PASSWORD.encode() + b"\n", "etc/hostname") == []


def test_a_private_key_is_one_finding_of_several_lines() -> None:
    key = Maker(1).rsa_shaped_key()
    assert found(f"# keys\n{Maker(2).certificate()}{key}".encode()) == [("Private Key", "line 22")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_texts_are_read(encoding: str) -> None:
    text = f"[db]\r\nport=80\r\npassword={PASSWORD}\r\nuser=app\r\n" * 4
    assert [place for _, place in found(text.encode(encoding))] == ["line 3", "line 7", "line 11", "line 15"]


def test_a_mark_alone_hides_nothing() -> None:
    assert found(codecs.BOM_UTF16_LE + f"\nport=80\npassword={PASSWORD}\n".encode()) == [("name and randomness", "line 3")]


DER_KEYS = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
)


@pytest.mark.parametrize("key", DER_KEYS, ids=["RSA", "EC", "Ed25519"])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_private_keys_in_der(key: Any, form: PrivateFormat) -> None:
    if form is PrivateFormat.TraditionalOpenSSL and isinstance(key, ed25519.Ed25519PrivateKey):
        return
    der = key.private_bytes(Encoding.DER, form, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert found(der) == [("Private Key (DER)", "")]
    assert [each.detector for each in Scanner().value("x", base64.b64encode(der).decode())] == ["Private Key (DER)"]
    assert found(public) == [] == list(Scanner().value("x", base64.b64encode(public).decode()))


LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
FORMATS: dict[str, Callable[[Maker], str]] = {
    "Dynatrace Token": lambda make: f"dt0c01.{make.chars(LETTERS, 24).upper()}.{make.chars(LETTERS, 64).upper()}",
    "LaunchDarkly Key": lambda make: f"sdk-{make.uuid()}",
    "Contentful Token": lambda make: f"CFPAT-{make.chars(LETTERS, 43)}",
    "Groq Key": lambda make: f"gsk_{make.chars(LETTERS, 52)}",
    "OpenRouter Key": lambda make: f"sk-or-v1-{make.hex(64)}",
    "SonarQube Token": lambda make: f"squ_{make.hex(40)}",
    "Brevo Key": lambda make: f"xkeysib-{make.hex(64)}-{make.chars(LETTERS, 16)}",
    "Netlify Token": lambda make: f"nfp_{make.chars(LETTERS, 36)}",
    "HubSpot Token": lambda make: f"pat-na1-{make.uuid()}",
    "Trello Token": lambda make: f"ATTA{make.hex(64)}",
    "CircleCI Token": lambda make: f"CCIPAT_{make.chars(LETTERS, 22)}_{make.hex(40)}",
    "JFrog Reference Token": lambda make: f"cmVmdGtu{make.chars(LETTERS, 56)}",
    "AWS Session Token": lambda make: f"IQoJb3JpZ2luX2Vj{make.chars(LETTERS, 300)}",
    "Heroku API Key": lambda make: f"HRKU-{make.chars(LETTERS, 60)}",
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_told_whatever_they_are_called(name: str) -> None:
    for seed in range(5):
        token = FORMATS[name](Maker(seed))
        assert [each.detector for each in Scanner().value("settings", f"level=info\nx: {token}\n")] == [name]


def test_of_what_is_no_text_only_formats_are_told() -> None:
    data = b"\x7fELF\0\0" + f"password={PASSWORD}\0{GITHUB}\0".encode() + b"\0" * 2000
    assert found(data, "usr/bin/app") == [("GitHub Token", "")]


def test_base64_is_decoded_twice() -> None:
    hidden = base64.b64encode(f"user=app\npassword={PASSWORD}\n".encode())
    assert found(b"port=80\nlevel=info\ndata: " + hidden + b"\n") == [("name and randomness, in base64", "line 3")]
    again = base64.b64encode(hidden)
    assert [place for _, place in found(b"port=80\nlevel=info\ndata: " + again + b"\n")] == ["line 3"]
    assert found(b"port=80\nlevel=info\ndata: " + base64.b64encode(again) + b"\n") == []


def test_gzip_in_base64_is_unpacked_within_limits() -> None:
    packed = base64.b64encode(gzip.compress(f"user=app\npassword={PASSWORD}\n".encode()))
    harmless = base64.b64encode(gzip.compress(b"server { listen 80; return 200; }\n" * 3))
    bomb = base64.b64encode(gzip.compress(b"\n" * (30 << 20) + f"password={PASSWORD}\n".encode()))
    assert found(b"port=80\nlevel=info\nrelease: " + packed) == [("name and randomness, in base64", "line 3")]
    assert found(b"port=80\nlevel=info\nrelease: " + harmless) == []
    began = time.thread_time()
    assert found(b"port=80\nlevel=info\n" + bomb * 10) == []
    assert time.thread_time() - began < 2


def test_base64_in_lines_is_joined() -> None:
    hidden = base64.encodebytes(f"level=info\npassword={PASSWORD}\n{'x' * 99}\n".encode())
    assert found(b"port=80\ndata: |\n" + hidden) == [("name and randomness, in base64", "line 3")]


def test_long_files_are_read_in_pieces_at_lines() -> None:
    line = b"x" * 99 + b"\n"
    data = line * 60_000 + f"password={PASSWORD}\n".encode() + line * 60_000 + f"password={PASSWORD}\n".encode()
    assert found(data) == [("name and randomness", "line 60001"), ("name and randomness", "line 120002")]


def test_equal_secrets_of_one_run_have_equal_fingerprints() -> None:
    one, other = Scanner(), Scanner()

    def fingerprints(scanner: Scanner) -> set[str]:
        whole = scanner.value("DB_PASSWORD", PASSWORD)
        inside = scanner.value("app.properties", f"level=info\nspring.datasource.password={PASSWORD}\n")
        encoded = scanner.value("x", base64.b64encode(f"password={PASSWORD}\n".encode()).decode())
        return {finding.fingerprint for finding in (*whole, *inside, *encoded)}

    assert len(fingerprints(one)) == len(fingerprints(other)) == 1
    assert fingerprints(one) != fingerprints(other)
    assert Scanner(b"k" * 32).value("password", PASSWORD) == Scanner(b"k" * 32).value("password", PASSWORD)


@given(st.integers(0, 10**9))
def test_a_finding_never_holds_the_secret(seed: int) -> None:
    make = Maker(seed)
    pair: Pair = make.random.choice(pairs(make))()
    for finding in Scanner().value(pair.name, f"level=info\n{pair.name}: {pair.value}\n"):
        said = f"{finding.detector} {finding.place} {finding.fingerprint}"
        assert not any(part in said for part in pair.value.split() if len(part) > 5)


@given(st.binary(max_size=600), st.text(max_size=20))
def test_any_bytes_can_be_scanned(data: bytes, name: str) -> None:
    assert all(isinstance(finding, Finding) for finding in Scanner().scan(data, name))


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_text_can_be_looked_at(text: str, name: str) -> None:
    scanner = Scanner()
    assert scanner.value(name, text) == scanner.value(name, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_value_can_be_walked(value: object) -> None:
    Scanner().tree(value)


def test_what_is_nested_too_deeply_is_refused() -> None:
    value: object = "x"
    for _ in range(151):
        value = [value]
    with pytest.raises(TypeError, match="nested more than 150 levels deep"):
        Scanner().tree(value)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": {"password": PASSWORD}}, "a.password"),
        ({"env": [{"name": "DB_PASSWORD", "value": PASSWORD}]}, "env[DB_PASSWORD].value"),
        (
            {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": PASSWORD}]},
            "Parameters[DbPassword].ParameterValue",
        ),
        ({"args": ["run", "--api-key", PASSWORD]}, "args[2]"),
        ({"args": ["run", f"--api-key={PASSWORD}"]}, "args[1]"),
        ({"args": ["--redis-password=Winter2024!", "--log-level=info"]}, "args[0]"),
        ({"args": ["mysql", "-u", "root", f"-p{PASSWORD}", "orders"]}, "args"),
        ({"DbPassword": {"Type": "String", "Default": PASSWORD}}, "DbPassword.Default"),
        ({"files": {"app.conf": f"a=b\npassword={PASSWORD}"}}, "files[app.conf] line 2"),
        ({"password": 12345678}, "password"),
        ({"passwords": [PASSWORD]}, "passwords[0]"),
        ({"apiKeys": [{"key": PASSWORD, "owner": "bob"}]}, "apiKeys[0].key"),
        ({"apiKeys": {GITHUB: "bob"}}, "apiKeys"),
        ({"apiKeys": [{"name": GITHUB}]}, "apiKeys[0].name"),
        ({"clients": {"9f2c4e8a1b7d3f605c9e2a4b": {"password": PASSWORD}}}, "clients[…].password"),
        (
            {"headers": [{"name": "Authorization", "value": "Basic YWRtaW46aHVudGVyMmh1bnRlcjI="}]},
            "headers[Authorization].value",
        ),
    ],
)
def test_places_in_values(value: object, place: str) -> None:
    assert [finding.place for finding in Scanner().tree(value)] == [place]


@pytest.mark.parametrize(
    "value",
    [
        {"passwordSecretRef": {"name": "db-credentials", "key": "password"}},
        {"encryptedData": {"password": PASSWORD}},
        {"password": {"name": "db", "key": "password"}},
        {"MasterUserPassword": {"Ref": "P"}, "ManageMasterUserPassword": True},
        {"replicas": 3, "maxTokens": 4096, "enabled": True},
        {"MasterUserPassword": {"Ref": "DbPassword"}},
        {"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]},
    ],
)
def test_values_without_a_secret(value: object) -> None:
    assert Scanner().tree(value) == ()


HOSTILE = {
    "one letter": "a" * SIZE,
    "spaces": " " * SIZE,
    "names of secrets": "password" * (SIZE // 8),
    "assignments": "password=" * (SIZE // 9),
    "open quotes": 'password="' * (SIZE // 10),
    "quotes that close": 'a="b' * (SIZE // 4),
    "URLs": "://a:" * (SIZE // 5),
    "URL without an end": "x://" + "a:" * (SIZE // 2),
    "tokens without an end": "eyJ" * (SIZE // 3),
    "parts of tokens": "eyJh." * (SIZE // 5),
    "anchors": "sk-gh" + "p_AKIA" * (SIZE // 6),
    "small anchors": "key-" * (SIZE // 4),
    "keys without an end": f"-----BEGIN RSA {'PRIVATE'} KEY-----\n" * (SIZE // 32),
    "headings": "password:\n" * (SIZE // 10),
    "deep headings": "".join(f"{' ' * (i % 60)}secret:\n" for i in range(SIZE // 38)),
    "names beside values": "- name: password\n" * (SIZE // 17),
    "blanks before a comment": ("password: " + " " * 4000 + "\n") * (SIZE // 4011),
    "flags": "--password " * (SIZE // 11),
    "elements": "<password " * (SIZE // 10),
    "commands": "curl -u mysql -p " * (SIZE // 17),
    "random base64": base64.b64encode(Maker(1).data(SIZE * 3 // 4)).decode(),
    "random lines": "\n".join(Maker(2).base64(48) for _ in range(SIZE // 65)),
    "random names": "\n".join(f"secret_{Maker(i).hex(8)}: {Maker(i).hex(40)}" for i in range(3_000)),
    "JSON in one line": '{"password":{"type":"string"},"a":[' * (SIZE // 35),
    "tables": "user,password\n" * (SIZE // 14),
    "rows": "user,password\n" + "bob,tiger-12\n" * (SIZE // 13),
    "properties": "<name>password</name><value>" * (SIZE // 29),
    "insertions": "insert into x (password) values ('a'," * (SIZE // 37),
    "data URLs": "data:text/plain," * (SIZE // 16),
    "base64 in lines": base64.encodebytes(b"password=x\n" * (SIZE // 16)).decode(),
    "pairs": '{"name":"password",' * (SIZE // 19),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_contents_take_bounded_time(name: str) -> None:
    """Twice the bytes take no more than some three times as long, and a quarter of a megabyte a second or two.

    The best of several measurements is judged: what else the machine does makes one longer, never shorter.
    """
    text = HOSTILE[name]
    half, whole = (best_time(data.encode()) for data in (text[: len(text) // 2], text))
    assert whole < 2
    assert whole < max(3.5 * half, 0.7)


def best_time(data: bytes) -> float:
    """Return the least of three times in seconds that this thread computed for a scan; one short enough is not repeated."""
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        Scanner().scan(data, "x")
        best = min(best, time.thread_time() - began)
        if best < 0.2:
            break
    return best


def test_findings_stand_in_order() -> None:
    scanner = Scanner()
    texts = [sample.content for sample in corpus(5, 300, 0) if sample.place == "config map: file"]
    for content in texts:
        ((name, text),) = content["data"].items()
        lines = [int(finding.place.removeprefix("line ")) for finding in scanner.value(name, text) if finding.place]
        assert lines == sorted(lines)
