"""Finds secrets by the detectors that the rest of the suite has, under the key of the run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from soc2.detectors.secrets import Scanner
from soc2.model.fingerprint import Finding
from soc2.model.image_content import FoundSecret

_LINE = re.compile(r"line (\d+)$")


@dataclass(frozen=True)
class ScannedSecrets:
    """A SecretFinder that asks a scanner."""

    scanner: Scanner

    def in_value(self, name: str, text: str) -> Iterator[FoundSecret]:
        return _found(self.scanner.value(name, text))

    def in_file(self, content: bytes, name: str) -> Iterator[FoundSecret]:
        return _found(self.scanner.scan(content, name) if name else self.scanner.passage(content))


def _found(findings: Iterable[Finding]) -> Iterator[FoundSecret]:
    for each in findings:
        line = _LINE.search(each.place)
        yield FoundSecret(each.detector, each.fingerprint, int(line[1]) if line else 1)
