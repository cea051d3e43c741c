"""The scanner: what it says of contents, what it never says, and how long it takes."""

from __future__ import annotations

import base64
import codecs
import time

import pytest
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


def test_texts_in_utf_16_are_read() -> None:
    text = f"[db]\r\nport=80\r\npassword={PASSWORD}\r\nuser=app\r\n" * 4
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        assert [place for _, place in found(mark + text.encode(encoding))] == ["line 3", "line 7", "line 11", "line 15"]


def test_of_what_is_no_text_only_formats_are_told() -> None:
    data = b"\x7fELF\0\0" + f"password={PASSWORD}\0{GITHUB}\0".encode() + b"\0" * 2000
    assert found(data, "usr/bin/app") == [("GitHub Token", "")]


def test_base64_is_decoded_twice() -> None:
    hidden = base64.b64encode(f"user=app\npassword={PASSWORD}\n".encode())
    assert found(b"port=80\nlevel=info\ndata: " + hidden + b"\n") == [("name and randomness, in base64", "line 3")]
    again = base64.b64encode(hidden)
    assert [place for _, place in found(b"port=80\nlevel=info\ndata: " + again + b"\n")] == ["line 3"]
    assert found(b"port=80\nlevel=info\ndata: " + base64.b64encode(again) + b"\n") == []


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
        ({"DbPassword": {"Type": "String", "Default": PASSWORD}}, "DbPassword.Default"),
        ({"files": {"app.conf": f"a=b\npassword={PASSWORD}"}}, "files[app.conf] line 2"),
        ({"password": 12345678}, "password"),
        ({"passwords": [PASSWORD]}, "passwords[0]"),
    ],
)
def test_places_in_values(value: object, place: str) -> None:
    assert [finding.place for finding in Scanner().tree(value)] == [place]


@pytest.mark.parametrize(
    "value",
    [
        {"passwordSecretRef": {"name": "db-credentials", "key": "password"}},
        {"encryptedData": {"password": PASSWORD}},
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
