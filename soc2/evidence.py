"""Evidence: what every source returned, kept compressed and hashed beside a record of the call that fetched it."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from soc2.model.population import Problem, SourceStatus


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One query to one source, as an auditor needs it to repeat it. Times are UTC; ``sha256`` is that of the
    canonical JSON (keys sorted, UTF-8, no white space) of what was kept, whose file is ``<sha256>.json.gz``."""

    source: str
    operation: str
    parameters: dict[str, Any]
    identity: str
    started: datetime
    finished: datetime
    pages: int
    items: int
    complete: bool
    problem: str | None = None
    resource_version: str | None = None
    sha256: str | None = None


class EvidenceStore:
    """Keeps evidence in ``folder``: ``calls.jsonl`` and one compressed file for each distinct answer. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, canonical: bytes) -> str:
        """Store canonical JSON once and return its SHA-256 as 64 hex digits."""
        digest = hashlib.sha256(canonical).hexdigest()
        path = self.folder / f"{digest}.json.gz"
        with self._lock:
            known = path.exists()
            path.touch()
        if not known:
            # No time stamp and no name inside: equal evidence gives equal files.
            path.write_bytes(gzip.compress(canonical, compresslevel=1, mtime=0))
        return digest

    def record(self, call: Call) -> None:
        """Append one call to ``calls.jsonl``."""
        line = msgspec.json.encode(call) + b"\n"
        with self._lock, (self.folder / "calls.jsonl").open("ab") as calls:
            calls.write(line)

    def answered(
        self,
        source: str,
        query: str,
        *,
        identity: str,
        started: datetime,
        pages: int,
        items: int,
        sha256: str | None,
        problem: Problem | None,
        parameters: Mapping[str, Any] = MappingProxyType({}),
    ) -> SourceStatus:
        """Record a source's one query, answered just now, and return how it went."""
        self.record(
            Call(
                source=source,
                operation=query,
                parameters=dict(parameters),
                identity=identity,
                started=started,
                finished=datetime.now(UTC),
                pages=pages,
                items=items,
                complete=problem is None,
                problem=str(problem) if problem else None,
                sha256=sha256,
            )
        )
        return SourceStatus(source, query, pages, items, sha256, problem)
