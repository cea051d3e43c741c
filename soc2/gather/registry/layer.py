"""Reads a layer: one pass over its archive, after which nothing is left of it but facts."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from soc2.gather.registry.archive import FOLDER as FOLDER_ENTRY
from soc2.gather.registry.archive import HARD_LINK, REGULAR, SYMBOLIC_LINK, Archive, Entry
from soc2.gather.registry.capabilities import file_capabilities
from soc2.gather.registry.facts import FILE, FOLDER, OPAQUE, WHITEOUT, LayerFacts, name_digest, name_index
from soc2.gather.registry.failure import PullError
from soc2.gather.registry.inspection import Inspector
from soc2.gather.registry.printable import printable
from soc2.gather.registry.streams import Unpacked
from soc2.model.image_content import MaliciousFile, PrivilegedFile, SecretFile
from soc2.model.population import Cause

WINDOW = 8 * 1024 * 1024
"""How much of a file is looked at as one; longer ones are looked at in windows, each of which begins within the one before."""
_OVERLAP = 64 * 1024
_WHITEOUT, _OPAQUE, _AUFS = ".wh.", ".wh..wh..opq", ".wh..wh."
_SETS_ID = 0o6000
_PASSWD = "etc/passwd"
NUMBER = re.compile(r"[+-]?[0-9]{1,18}\Z")
"""A user or group by number, as runtimes read it."""
_PASSWD_BYTES = 1024 * 1024
_MOST = 10_000
"""How many findings of a kind, links or users are kept of a layer."""
_MOST_LINKS = 200_000
_FAULTS_SHOWN = 3


def read_layer(archive: Archive, unpacked: Unpacked, inspector: Inspector) -> LayerFacts:
    """Read an archive to its end. Raises PullError when it is not complete, not well formed or holds too much."""
    reading = _Reading(inspector)
    for entry in archive:
        reading.take(entry, archive)
    archive.drain()
    return reading.facts(archive.entries, unpacked.seen)


def rooted(name: str) -> tuple[str, bool]:
    """Return a path from the root of the image, and whether the name leads out of it."""
    parts: list[str] = []
    out = False
    for part in name.split("/"):
        if part == "..":
            out = out or not parts
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    # No two names may be shown alike: one would stand for the other.
    return printable("/".join(parts).replace("\\", "\\\\")), out


@dataclass
class _Reading:
    inspector: Inspector
    names: array[int] = field(default_factory=lambda: array("Q"))
    privileges: dict[str, PrivilegedFile] = field(default_factory=dict)
    malware: dict[MaliciousFile, None] = field(default_factory=dict)
    secrets: dict[SecretFile, None] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    symbolic: dict[str, str] = field(default_factory=dict)
    users: dict[str, int] | None = None
    outside: list[str] = field(default_factory=list)

    def take(self, entry: Entry, archive: Archive) -> None:
        path, out = rooted(entry.path)
        if out:
            self.outside.append(printable(entry.path))
        folder, _, base = path.rpartition("/")
        if base.startswith(_WHITEOUT):
            self._whiteout(folder, base)
            # Nobody unpacks what is in it, but whoever has the layer has that, too.
            if entry.kind == REGULAR and entry.size:
                self._look(path, entry, archive)
            return
        if entry.kind == FOLDER_ENTRY:
            self.names.append(name_digest(FOLDER, path))
            return
        self.names.append(name_digest(FILE, path))
        # A later entry of the same name takes the place of an earlier one.
        self.privileges.pop(path, None)
        self.links.pop(path, None)
        self.symbolic.pop(path, None)
        if entry.kind == REGULAR:
            self._privileged(path, entry)
            self._look(path, entry, archive)
        elif entry.kind == HARD_LINK:
            self._hard_link(path, entry)
        elif entry.kind == SYMBOLIC_LINK:
            self.symbolic[path] = rooted(entry.target if entry.target.startswith("/") else f"{folder}/{entry.target}")[0]
            _bounded(len(self.symbolic), "symbolic links", _MOST_LINKS)
        if path == _PASSWD and entry.kind != REGULAR:
            self.users = None

    def _whiteout(self, folder: str, base: str) -> None:
        if base == _OPAQUE:
            self.names.append(name_digest(OPAQUE, folder))
        elif not base.startswith(_AUFS):
            self.names.append(name_digest(WHITEOUT, f"{folder}/{base.removeprefix(_WHITEOUT)}".lstrip("/")))

    def _hard_link(self, path: str, entry: Entry) -> None:
        target, out = rooted(entry.target)
        if out:
            self.outside.append(printable(f"{entry.path} -> {entry.target}"))
        known = self.privileges.get(target)
        if known:
            self.privileges[path] = msgspec.structs.replace(known, path=path)
            return
        # Some runtimes give the file what stands beside its other name.
        self._privileged(path, entry)
        self.links[path] = self.links.get(target, target)
        _bounded(len(self.links), "hard links", _MOST_LINKS)

    def _privileged(self, path: str, entry: Entry) -> None:
        capabilities = file_capabilities(entry.capability)
        if not entry.mode & _SETS_ID and not capabilities:
            return
        file = PrivilegedFile(path=path, mode=entry.mode, uid=entry.uid, gid=entry.gid, capabilities=capabilities)
        if file.rights:
            self.privileges[path] = file
            _bounded(len(self.privileges), "privileged files")

    def _look(self, path: str, entry: Entry, archive: Archive) -> None:
        for number, (window, lines) in enumerate(_windows(archive, entry.size)):
            if path == _PASSWD and number == 0:
                self.users = _users(window)
            found = self.inspector.inspect(path, window)
            for rule, description in found.rules:
                self.malware.setdefault(MaliciousFile(path=path, rule=rule, description=description))
            for secret in found.secrets:
                shifted = msgspec.structs.replace(secret, line=secret.line + lines)
                self.secrets.setdefault(SecretFile(path=path, secret=shifted))
        _bounded(len(self.malware), "malicious files")
        _bounded(len(self.secrets), "secrets")

    def facts(self, entries: int, unpacked: int) -> LayerFacts:
        loops = _loops(self.symbolic)
        faults = [
            *_fault("leads out of the root", "entries lead out of the root", self.outside),
            *_fault("is a symbolic link that leads back to itself", "symbolic links lead back to themselves", loops),
        ]
        facts = LayerFacts(
            entries=entries,
            unpacked=unpacked,
            privileges=tuple(self.privileges.values()),
            malware=tuple(self.malware),
            secrets=tuple(self.secrets),
            users=self.users,
            faults=tuple(faults),
            names=name_index(self.names),
        )
        below = tuple((path, target) for path, target in self.links.items() if not facts.has(FILE, target))
        return msgspec.structs.replace(facts, links=below)


def _windows(archive: Archive, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield the content in windows, each with how many lines there are before it."""
    if size <= WINDOW:
        yield archive.all_content(), 0
        return
    window = bytearray()
    lines = 0
    for piece in archive.content():
        window += piece
        if len(window) >= WINDOW:
            yield bytes(window), lines
            lines += window.count(b"\n", 0, len(window) - _OVERLAP)
            del window[:-_OVERLAP]
    yield bytes(window), lines


def _users(content: bytes) -> dict[str, int] | None:
    """Read ``etc/passwd`` as runtimes do: the first line of a name counts, and what is no number is 0. None for one that is
    too long."""
    if len(content) > _PASSWD_BYTES:
        return None
    users: dict[str, int] = {}
    for line in content.decode("utf-8", "replace").split("\n"):
        name, *rest = line.strip().split(":")
        number = rest[1] if len(rest) > 1 else ""
        if name:
            users.setdefault(name, int(number) if NUMBER.match(number) else 0)
        if len(users) > _MOST:
            return None
    return users


def _loops(links: dict[str, str]) -> list[str]:
    """Return the symbolic links that lead back to themselves over others."""
    ends: dict[str, bool] = {}
    for start in links:
        chain: dict[str, None] = {}
        path = start
        while path in links and path not in ends and path not in chain:
            chain[path] = None
            path = links[path]
        loop = path in chain or ends.get(path, False)
        ends.update(dict.fromkeys(chain, loop))
    return [path for path, loop in ends.items() if loop]


def _fault(one: str, several: str, paths: list[str]) -> list[str]:
    if not paths:
        return []
    if len(paths) == 1:
        return [f"{paths[0]} {one}"]
    return [f"{len(paths):,} {several}, such as {', '.join(paths[:_FAULTS_SHOWN])}"]


def _bounded(count: int, what: str, most: int = _MOST) -> None:
    if count > most:
        raise PullError(Cause.TRUNCATED, f"it has more than {most:,} {what}")
