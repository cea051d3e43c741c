"""Every log file, whatever its format, becomes segments: the file itself where DuckDB can read it, or framed NDJSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from soc2.errors import UsageError
from soc2.gather.logs.content import Content, Line
from soc2.gather.logs.records import AS_LOGGED, Unreadable, as_logged
from soc2.gather.logs.recognition import Recogniser
from soc2.gather.logs.segments import Framed, Malformed, Segment
from soc2.gather.logs.sink import Sink
from soc2.model.logs import LogKind

_HEAD = 1 << 20
_SAMPLE = 200
_SUFFIXES = {None: ".ndjson", "gzip": ".ndjson.gz", "zstd": ".ndjson.zst"}


def frame(path: Path, origin: str, spool: Path, kind: LogKind | None = None) -> Framed:
    """Frame one file, whose kind is recognised by its content; ``kind`` is what its source declares, and decides where the
    content leaves it open. Raises UsageError when the file cannot be read."""
    try:
        return _frame(path, origin, spool, kind)
    except OSError as error:
        raise UsageError(f"the log cannot be read: {error.strerror or error}", "let this user read it", path) from error


def frame_paths(paths: Sequence[Path], spool: Path) -> Framed:
    """Frame files and all files in folders, each once, in the order of their names. Raises UsageError."""
    framed = Framed()
    for path in files_of(paths):
        framed += frame(path, str(path), spool)
    return framed


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files among the paths and in the folders among them, sorted within each; a file under two names is named once,
    by the one that is no link. Raises UsageError for a path that is not there."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise UsageError("there is no such file or folder", "name logs that exist", path)
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                real = file.resolve()
                if real not in found or not file.is_symlink():
                    found[real] = file
    return list(found.values())


def locate_malformed(segment: Segment, required: str, spool: Path | None = None) -> list[Malformed]:
    """Find the lines of a segment that is read as it is which are no records: no JSON object, or one without the required
    field. What they say is kept in the spool folder, if there is one."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(msgspec.defstruct("Required", [(required, Any)]))
    found: list[Malformed] = []
    sink = Sink(segment.origin, spool, "located") if spool else None
    for line in Content(segment.path).lines():
        reason = line.reason
        if reason is None and line.content.strip():
            try:
                if getattr(decoder.decode(line.content), required) is None:
                    reason = f"no {required}"
            except msgspec.ValidationError:
                reason = f"no {required}"
            except Unreadable:
                reason = "no JSON" if line.ended else "an incomplete last line"
        if reason is not None:
            found.append(Malformed(segment.origin, line.number, line.offset, reason))
            if sink:
                sink.malformed(line, reason)
    if sink:
        sink.__exit__(None, None, None)
    return found


def _frame(path: Path, origin: str, spool: Path, kind: LogKind | None) -> Framed:
    content = Content(path)
    head = content.head(_HEAD)
    if content.plain and (logged := _direct_kind(head)) and _whole(content):
        return Framed((Segment(logged, _readable(path, content.compression, spool), origin, False),))
    if content.plain:
        content = Content(path)
    with Sink(origin, spool, str(path)) as sink:
        recogniser = Recogniser(kind, origin)
        _take_lines(content.lines(), recogniser, sink)
    if sink.empty:
        return Framed(unrecognised=(origin,) if head.strip() else ())
    return sink.framed()


def _take_lines(lines: Iterator[Line], recogniser: Recogniser, sink: Sink) -> None:
    for line in lines:
        if line.reason is not None:
            sink.malformed(line, line.reason)
            continue
        text = line.content.strip()
        if not text:
            continue
        records = recogniser.records(text)
        if records:
            sink.take(records, line.number)
        else:
            sink.malformed(line, "no known form" if line.ended else "an incomplete last line")


def _direct_kind(head: bytes) -> LogKind | None:
    """The kind of a file whose first lines are all records of it, just as DuckDB wants them."""
    lines = head.split(b"\n")
    if len(lines) > 1:
        lines.pop()
    texts = [text for line in lines[:_SAMPLE] if (text := line.strip())]
    if not texts:
        return None
    return next((kind for kind in AS_LOGGED if all(as_logged(text, kind) for text in texts)), None)


def _whole(content: Content) -> bool:
    """Whether compressed content can be read to its end; the bytes of a plain file are not looked at."""
    if content.compression is not None:
        for _ in content.chunks():
            pass
    return content.problem is None


def _readable(path: Path, compression: str | None, spool: Path) -> Path:
    """The file under a name that tells DuckDB its compression, and that it does not take for a pattern."""
    suffix = {"gzip": ".gz", "zstd": ".zst"}.get(compression or "")
    told = path.suffix == suffix if suffix else path.suffix not in {".gz", ".zst"}
    if told and not set("*?[") & set(str(path)):
        return path
    real = path.resolve()
    link = spool / "links" / (hashlib.sha256(str(real).encode("utf-8", "replace")).hexdigest()[:24] + _SUFFIXES[compression])
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(real)
    return link
