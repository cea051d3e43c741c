"""Whatever bytes a file holds, it is read: records are found, the rest is counted, and nothing raises."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.gather.logs.content import LONGEST_LINE
from soc2.gather.logs.documents import values
from soc2.gather.logs.framing import frame, locate_malformed
from soc2.gather.logs.segments import Framed, Malformed
from soc2.model.logs import LogKind
from tests.logs.framed import frame_bytes, frame_text

AUDIT = b'{"auditID":"a-%d","stage":"ResponseComplete","verb":"get"}'
SYSLOG = b"Dec 10 06:55:46 host sshd[1]: Invalid user u%d from 192.0.2.1"
CRI = b"2026-01-01T00:00:00Z stdout F message %d"
GOOD = st.builds(lambda form, number: form % number, st.sampled_from([AUDIT, SYSLOG, CRI]), st.integers(0, 99))
BAD = st.text("abc xyz{}[]\":,=<'()", min_size=1, max_size=20).map(lambda text: b"~" + text.encode())
SCRAPS = st.sampled_from(
    [
        *(b'{"', b'":', b"[", b"]", b"}", b",", b"\n", b'\\"', b"null", b"\xff", b"\xc3", b"\0", b"\x1e", b"\r\n", b"1e999"),
        *(b"type=SYSCALL msg=audit(1.1:1): ", b"a0=41 ", b"msg='", b"Dec 99 ", b"Feb 29 00:00:00 h p: ", b"<999>1 - - - - - "),
        *(b'"message":', b'"log":', b'"kubernetes":{}', b'"Records":', b'"logEvents":', b'"timestamp":', b'"auditID":'),
        *(b'"MESSAGE":[1,2,300]', b'"_HOSTNAME":', b'"resourceLogs":', b'"body":', b'"eventname":', b'"eventsource":'),
        *(b"2026-01-01T00:00:00Z stdout P ", b"2026-99-01T00:00:00Z stderr F ", b'"ID":"1.1:1"', b"9" * 400, b"\\ud800"),
        *(b"version account-id interface-id", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"PAR1", b"\xef\xbb\xbf", b"\xff\xfe"),
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(SCRAPS, max_size=30).map(b"".join)), st.sampled_from([None, *LogKind]))
@settings(max_examples=150)
def test_no_bytes_raise(content: bytes, kind: LogKind | None) -> None:
    _, framed = frame_bytes(content, kind=kind)
    assert not (framed.segments and framed.unrecognised)
    assert all(0 <= malformed.offset <= len(content) * 2 and malformed.line > 0 for malformed in framed.malformed)


@given(st.lists(st.tuples(st.booleans(), GOOD, BAD), max_size=20))
@settings(max_examples=100)
def test_every_line_is_a_record_or_malformed(lines: list[tuple[bool, bytes, bytes]]) -> None:
    content = b"".join((good if is_good else bad) + b"\n" for is_good, good, bad in lines)
    found, framed = frame_bytes(content)
    assert len(found) == sum(is_good for is_good, _, _ in lines)
    if framed.segments:
        expected = [number for number, (is_good, _, _) in enumerate(lines, 1) if not is_good]
        places = [content[: malformed.offset].count(b"\n") + 1 for malformed in framed.malformed]
        assert [malformed.line for malformed in framed.malformed] == places == expected


@given(st.lists(GOOD, min_size=1, max_size=20), st.integers(0, 2000))
@settings(max_examples=50)
def test_compressed_logs_have_the_same_records(lines: list[bytes], cut: int) -> None:
    content = b"\n".join(lines)
    first, second = content[:cut], content[cut:]
    stored = [
        gzip.compress(first) + gzip.compress(second),
        zstandard.compress(first) + zstandard.compress(second),
        gzip.compress(gzip.compress(content)),
        b"\xef\xbb\xbf" + content,
        content.replace(b"\n", b"\r\n") + b"\r\n",
        content.decode().encode("utf-16"),
    ]
    plain = [(kind, {**record, "@line": 0}) for kind, record in frame_bytes(content)[0]]
    for form in stored:
        assert [(kind, {**record, "@line": 0}) for kind, record in frame_bytes(form)[0]] == plain


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_of_truncated_logs_what_can_be_read_is_kept(compress: Callable[[bytes], bytes]) -> None:
    content = b"".join(SYSLOG % number + b"\n" for number in range(20_000))
    found, framed = frame_bytes(compress(content)[:-1000])
    assert 1000 < len(found) < 20_000
    assert [record["user"] for _, record in found] == [f"u{number}" for number in range(len(found))]
    assert [malformed.line for malformed in framed.malformed] == [len(found) + 1]
    assert framed.malformed[0].offset == content.find(SYSLOG % len(found))
    assert framed.malformed[0].reason.startswith("truncated")


def test_malformed_lines_are_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(SYSLOG % 1 + b"\n\nwhat\xff\n" + SYSLOG % 2 + b"\n")
    framed = frame(path, "auth.log", tmp_path / "spool")
    assert framed.malformed == (Malformed("auth.log", 3, len(SYSLOG % 1) + 2, "no known form"),)
    (aside,) = (tmp_path / "spool" / "malformed").iterdir()
    assert json.loads(aside.read_bytes()) == {
        "origin": "auth.log",
        "line": 3,
        "offset": len(SYSLOG % 1) + 2,
        "reason": "no known form",
        "content": "what\\xff",
    }


def test_malformed_lines_of_logs_read_as_they_are_are_located(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    good = AUDIT % 1 + b"\n"
    path.write_bytes(good * 300 + b'{"auditID"\n' + good + b'{"verb":"get"}\n{"auditID":null}\n{"aud')
    framed = frame(path, "audit", tmp_path / "spool")
    assert framed.malformed == ()
    assert locate_malformed(framed.segments[0], "auditID", tmp_path / "spool") == [
        Malformed("audit", 301, 300 * len(good), "no JSON"),
        Malformed("audit", 303, 301 * len(good) + 11, "no auditID"),
        Malformed("audit", 304, 301 * len(good) + 26, "no auditID"),
        Malformed("audit", 305, 301 * len(good) + 43, "an incomplete last line"),
    ]


def test_a_line_without_end_is_malformed() -> None:
    content = SYSLOG % 1 + b"\n" + b"x" * (LONGEST_LINE + 1) + b"\n" + SYSLOG % 2 + b"\n"
    found, framed = frame_bytes(gzip.compress(content, 1))
    assert [record["user"] for _, record in found] == ["u1", "u2"]
    assert framed.malformed == (Malformed("log", 2, len(SYSLOG % 1) + 1, "a line longer than 64 MiB"),)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text('a"\\{}[],é', max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("ab{", max_size=2), inner, max_size=3)),
    max_leaves=8,
)
OBJECTS = st.lists(
    st.dictionaries(st.text("ab{", min_size=1, max_size=2), JSON, min_size=1, max_size=3), min_size=1, max_size=5
)
LAYOUTS: list[Callable[[list[Any]], str]] = [
    lambda objects: "".join(json.dumps(item) for item in objects),
    lambda objects: "\n".join(json.dumps(item, indent=2) for item in objects),
    lambda objects: json.dumps(objects, indent=1),
    lambda objects: "[" + ",\n".join(json.dumps(item) for item in objects) + "]",
    lambda objects: json.dumps({"x": {"Records": 1}, "Records": objects, "y": [1, {}]}, indent=1),
    lambda objects: json.dumps({"items": objects, "findings": objects[:1]}),
]


@settings(max_examples=150)
@given(OBJECTS, st.sampled_from(LAYOUTS), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_documents_are_taken_apart(objects: list[Any], layout: Callable[[list[Any]], str], sizes: list[int]) -> None:
    text = layout(objects).encode()
    chunks: list[bytes] = []
    rest = text
    while rest:
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(rest[:size])
        rest = rest[size:]
    found = list(values(chunks))
    assert [line.reason for line in found] == [None] * len(found)
    expected = objects + objects[:1] if layout is LAYOUTS[-1] else objects
    assert [json.loads(line.content) for line in found] == expected
    assert all(text[line.offset :].startswith(line.content) for line in found)
    assert [line.number for line in found] == [text[: line.offset].count(b"\n") + 1 for line in found]


def test_a_document_that_breaks_off_is_read_on_behind_the_break() -> None:
    document = json.dumps([{"auditID": "a", "verb": "get", "x": {"y": 1}}, {"auditID": "b", "verb": "get"}], indent=2)
    found, framed = frame_bytes(document.replace('"y": 1', '"y": {').encode())
    assert [record["auditID"] for _, record in found] == ["b"]
    assert [(malformed.line, malformed.reason) for malformed in framed.malformed] == [(2, "an incomplete value")]


def test_prose_is_of_no_known_format() -> None:
    _, framed = frame_bytes(b"It was a dark and stormy night.\n" * 20_000)
    assert framed == Framed(unrecognised=("log",))


def test_answers_without_records_are_none_and_not_malformed() -> None:
    assert frame_text('{"Records":[]}') == []
    assert frame_text('{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","timestamp":1,"message":"CWL"}]}') == []
    assert frame_text("version account-id interface-id srcaddr\n") == []
