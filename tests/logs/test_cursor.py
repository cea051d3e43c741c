"""Local logs that are read run by run, while they are written, rotated and compressed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.gather.logs.content import Content
from soc2.gather.logs.cursor import SETTLED, NewPart, confirmed, read_new
from soc2.gather.logs.framing import frame
from soc2.gather.logs.rotation import Cursor
from soc2.gather.logs.segments import Framed

NOW = 1_800_000_000.0


def stored(cursors: Mapping[str, Cursor]) -> dict[str, Cursor]:
    """The cursors as a caller reads them back."""
    return msgspec.json.decode(msgspec.json.encode(cursors), type=dict[str, Cursor])


def frame_new(parts: Sequence[NewPart], spool: Path) -> Framed:
    return Framed.of(frame(part.path, part.origin, spool, part=part.part) for part in parts)


def records(framed: Framed) -> list[dict[str, Any]]:
    lines = [line.content for segment in framed.segments for line in Content(segment.path).lines()]
    return [json.loads(line) for line in lines if line.strip()]


class Log:
    """A folder with a log that is written to, and what the runs read of it."""

    def __init__(self, folder: Path) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.spool = folder / "spool"
        self.live = self.logs / "app.log"
        self.live.touch()
        self.cursors: dict[str, Cursor] = {}
        self.found: list[str] = []
        self.malformed = 0
        self.runs = 0

    def append(self, content: bytes) -> None:
        with self.live.open("ab") as file:
            file.write(content)
        os.utime(self.live, (NOW, NOW + self.live.stat().st_size))

    def shift(self) -> None:
        for number in range(9, 0, -1):
            for suffix in ("", ".gz", ".zst"):
                older = self.logs / f"app.log.{number}{suffix}"
                if older.exists():
                    older.rename(self.logs / f"app.log.{number + 1}{suffix}")

    def rename(self) -> None:
        self.shift()
        self.live.rename(self.logs / "app.log.1")
        self.live.touch()

    def copy(self) -> None:
        self.shift()
        shutil.copy(self.live, self.logs / "app.log.1")

    def copy_and_truncate(self) -> None:
        self.copy()
        os.truncate(self.live, 0)

    def compress(self, keep: bool = False) -> None:
        for number in range(1, 10):
            old = self.logs / f"app.log.{number}"
            if old.exists():
                if number % 2:
                    old.with_name(old.name + ".gz").write_bytes(gzip.compress(old.read_bytes()))
                else:
                    old.with_name(old.name + ".zst").write_bytes(zstandard.compress(old.read_bytes()))
                if not keep:
                    old.unlink()

    def run(self, now: float = NOW) -> tuple[NewPart, ...]:
        self.runs += 1
        parts, cursors = read_new([self.logs], self.cursors, now)
        framed = frame_new(parts, self.spool / str(self.runs))
        self.found += [record.get("auditID") or record["message"] for record in records(framed)]
        self.malformed += len(framed.malformed)
        self.cursors = stored(confirmed(parts, cursors))
        return parts


def syslog(number: int) -> bytes:
    return b"Dec 10 06:55:46 host cron[1]: message %d\n" % number


def cri(number: int) -> bytes:
    if number % 3:
        return b"2026-01-01T00:00:00Z stdout F message %d\n" % number
    return b"2026-01-01T00:00:00Z stdout P mess\n2026-01-01T00:00:00Z stdout F age %d\n" % number


def audit(number: int) -> bytes:
    return json.dumps({"auditID": f"message {number}", "stage": "Panic", "verb": "get"}).encode() + b"\n"


STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 5)),
    st.tuples(st.just("half"), st.integers(1, 30)),
    st.tuples(st.sampled_from(["rename", "copy_and_truncate", "compress", "run", "run"]), st.none()),
)


@settings(max_examples=100)
@given(st.sampled_from([syslog, cri, audit]), st.lists(STEPS, max_size=25))
def test_every_record_is_read_once(line: Any, steps: list[tuple[str, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder))
        written = 0
        pending = b""
        for name, count in steps:
            if name == "append" and count:
                text = b"".join(line(number) for number in range(written, written + count))
                log.append(pending + text)
                written, pending = written + count, b""
            elif name == "half" and count:
                if not pending:
                    pending = line(written)
                    written += 1
                log.append(pending[:count])
                pending = pending[count:]
            elif name == "run":
                log.run()
            else:
                # A writer ends its line before its file is rotated.
                log.append(pending)
                pending = b""
                getattr(log, name)()
        log.append(pending)
        log.run()
        log.run(NOW + 2 * SETTLED)
        assert sorted(log.found) == sorted(f"message {number}" for number in range(written))
        assert log.malformed == 0


def test_lines_are_numbered_on(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(syslog(0) + syslog(1) + b"Dec 10 06:55")
    assert [part.part.end for part in log.run()] == [2 * len(syslog(0))]
    log.append(b":46 host cron[1]: message 2\n\n" + syslog(3))
    parts, _ = read_new([log.logs], log.cursors, NOW)
    assert [(record["@line"], record["message"]) for record in records(frame_new(parts, tmp_path))] == [
        (3, "message 2"),
        (5, "message 3"),
    ]


def test_what_was_not_stored_is_read_again(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(syslog(0))
    assert [part.part for part in read_new([log.logs], {}, NOW)[0]] == [part.part for part in read_new([log.logs], {}, NOW)[0]]


def test_a_copy_is_not_read_beside_its_log(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(syslog(0))
    log.copy()
    log.run()
    log.compress(keep=True)
    log.append(syslog(1))
    log.run()
    os.truncate(log.live, 0)
    log.append(syslog(2))
    log.run()
    assert log.found == ["message 0", "message 1", "message 2"]


def test_a_log_rotated_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(syslog(0))
    log.run()
    log.append(syslog(1))
    parts, cursors = read_new([log.logs], log.cursors, NOW)
    log.copy_and_truncate()
    log.append(syslog(2))
    log.cursors = confirmed(parts, cursors)
    log.run()
    assert sorted(log.found) == ["message 0", "message 1", "message 2"]


def test_a_log_truncated_and_begun_as_before_is_read_anew(tmp_path: Path) -> None:
    log = Log(tmp_path)
    start = b"".join(syslog(0) for _ in range(200))
    log.append(start + syslog(1))
    log.run()
    os.truncate(log.live, 0)
    log.append(start + syslog(22))
    log.run()
    assert log.found == [*["message 0"] * 200, "message 1", *["message 0"] * 200, "message 22"]


def test_a_settled_log_is_read_to_its_end(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(syslog(0).rstrip())
    log.run()
    assert log.found == []
    log.run(NOW + 2 * SETTLED)
    log.run(NOW + 3 * SETTLED)
    assert log.found == ["message 0"]


def test_a_value_without_a_newline_is_whole(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(audit(0).rstrip())
    log.run()
    log.append(b"\n" + audit(1))
    log.run()
    assert log.found == ["message 0", "message 1"]


def test_gzip_that_is_being_written_is_read_on(tmp_path: Path) -> None:
    log = Log(tmp_path)
    packed = gzip.compress(b"".join(syslog(number) for number in range(5000)), 0)
    path = log.logs / "other.log.1.gz"
    path.write_bytes(packed[:100_000])
    os.utime(path, (NOW, NOW))
    log.run()
    path.write_bytes(packed)
    os.utime(path, (NOW, NOW + 1))
    log.run()
    assert sorted(log.found) == sorted(f"message {number}" for number in range(5000))


def test_the_header_of_a_log_counts_for_what_is_added(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(b"interface-id srcaddr action\neni-1 192.0.2.1 ACCEPT\n")
    first, cursors = read_new([log.logs], {}, NOW)
    log.append(b"eni-2 192.0.2.2 REJECT\n")
    second, _ = read_new([log.logs], stored(confirmed(first, cursors)), NOW)
    assert records(frame_new(second, tmp_path / "spool")) == [
        {"@line": 3, "interface-id": "eni-2", "srcaddr": "192.0.2.2", "action": "REJECT"}
    ]
