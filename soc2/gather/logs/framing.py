"""Every log file, whatever its format, becomes segments: the file itself where DuckDB can read it, or framed NDJSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from soc2.errors import UsageError
from soc2.gather.logs import documents, flow, parquet
from soc2.gather.logs.content import Content, Line
from soc2.gather.logs.framer import Framer
from soc2.gather.logs.recognition import Recogniser, direct_kind
from soc2.gather.logs.records import Unreadable, decode
from soc2.gather.logs.segments import Framed, Malformed, Segment
from soc2.gather.logs.sink import Sink
from soc2.gather.logs.where import of_path
from soc2.model.logs import LogKind

_HEAD: Final = 1 << 20
_HEADER: Final = 1 << 14
_SAMPLE: Final = 200
_PATIENCE: Final = 10_000
"""Lines. A file in whose first ones there is no record is of no known format."""
_SUFFIXES = {None: ".ndjson", "gzip": ".ndjson.gz", "zstd": ".ndjson.zst"}


@dataclass(frozen=True)
class Part:
    """The part of a file to frame: from the byte ``start`` of its uncompressed content, which is the line ``first_line``
    (from 1), to the byte ``end``."""

    start: int = 0
    first_line: int = 1
    end: int | None = None


def frame(
    path: Path,
    origin: str,
    spool: Path,
    kind: LogKind | None = None,
    *,
    part: Part = Part(),
    flow_fields: str | None = None,
) -> Framed:
    """Frame one file, whose kind is recognised by its content; ``kind`` is what its source declares, and decides where the
    content leaves it open. ``flow_fields`` is the format of its VPC flow logs (``${version} ${vpc-id} …``), where they
    have no header. Raises UsageError when the file cannot be read."""
    try:
        return _frame(path, origin, spool, kind, part, flow_fields)
    except OSError as error:
        raise UsageError(f"the log cannot be read: {error.strerror or error}", "let this user read it", path) from error


def frame_paths(paths: Sequence[Path], spool: Path) -> Framed:
    """Frame files and all files in folders, each once, in the order of their names. Raises UsageError."""
    return Framed.of(frame(path, str(path), spool) for path in files_of(paths))


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


def _frame(path: Path, origin: str, spool: Path, kind: LogKind | None, part: Part, flow_fields: str | None) -> Framed:
    content = Content(path)
    head = content.head(_HEAD)
    if head.startswith(parquet.MAGIC):
        return parquet.frame(path, origin, spool, lambda rows: _frame(rows, origin, spool, kind, Part(), flow_fields))
    if part == Part() and content.plain and (logged := direct_kind(_first_lines(head))) and _whole(content):
        return Framed((Segment(logged, _readable(path, content.compression, spool), origin, False),))
    content = Content(path)
    reference = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    fields = flow.header(flow_fields) if flow_fields else None
    with Sink(origin, spool, f"{path}\0{part.start}") as sink:
        recogniser = Recogniser(kind, reference, fields)
        if part.start:
            recogniser.ignored(head[:_HEADER].split(b"\n", 1)[0].decode("utf-8", "replace").strip())
        framer = Framer(sink, recogniser, of_path(origin) or of_path(str(path)))
        if is_document(head):
            _take_values(content, part, framer, sink)
        else:
            patience = _PATIENCE if kind is None and not part.start else None
            _take_lines(content.lines(part.first_line, part.start, part.end), framer, sink, patience)
        framer.finish()
    framed = sink.framed()
    if framed.segments or kind is not None or part.start or content.problem:
        return framed
    return Framed(unrecognised=(origin,) if framed.malformed else ())


def _take_values(content: Content, part: Part, framer: Framer, sink: Sink) -> None:
    last = Line(part.first_line, part.start, b"")
    for last in documents.values(content.chunks(part.start, part.end), part.first_line, part.start):
        framer.value(last)
    if content.problem and last.ended:
        sink.malformed(last._replace(offset=last.offset + len(last.content), content=b""), content.problem)


def _take_lines(lines: Iterable[Line], framer: Framer, sink: Sink, patience: int | None) -> None:
    for line in lines:
        framer.line(line)
        if patience is not None and line.number > patience and sink.empty:
            return


def _first_lines(head: bytes) -> list[bytes]:
    """The first lines that are not blank and whole."""
    lines = head.split(b"\n")
    if len(head) >= _HEAD:
        lines.pop()
    return [text for line in lines[:_SAMPLE] if (text := line.strip())]


def is_document(head: bytes) -> bool:
    """Whether a log that begins so is JSON that does not keep to one value a line."""
    lines = [line for line in head.split(b"\n") if line.strip()]
    if not lines or lines[0].lstrip()[:1] not in (b"{", b"["):
        return False
    if len(lines) == 1 and len(head) >= _HEAD:
        return True
    if _is_json(lines[0]) or len(list(documents.values_in(lines[0]))) > 1:
        return False
    return not any(line[:1] == b"{" and line.rstrip()[-1:] == b"}" and _is_json(line) for line in lines[1:_SAMPLE])


def _is_json(line: bytes) -> bool:
    try:
        decode(line)
    except Unreadable:
        return False
    return True


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
