"""Frames texts and reads back what they became."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from soc2.gather.logs.content import Content
from soc2.gather.logs.framing import frame
from soc2.gather.logs.segments import Framed
from soc2.model.logs import LogKind

Found = list[tuple[LogKind, dict[str, Any]]]


def read(framed: Framed) -> Found:
    """The records of all segments, in the order of kinds."""
    return [
        (segment.kind, json.loads(line.content))
        for segment in framed.segments
        for line in Content(segment.path).lines()
        if line.content.strip()
    ]


def frame_bytes(content: bytes, origin: str = "log", kind: LogKind | None = None) -> tuple[Found, Framed]:
    """What a file of these bytes became."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes(content)
        framed = frame(path, origin, Path(folder) / "spool", kind)
        return read(framed), framed


def frame_text(content: str, origin: str = "log", kind: LogKind | None = None) -> Found:
    """The records of a file of which nothing is malformed."""
    found, framed = frame_bytes(content.encode(), origin, kind)
    assert framed.malformed == ()
    assert framed.unrecognised == ()
    return found
