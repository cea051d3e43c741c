"""Finds secrets by the detectors that the rest of the suite has, under the key of the run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from soc2.gather.codec import Codec
from soc2.gather.redaction import Redactor, _detectors
from soc2.model.image_content import FoundSecret, SecretFinder


@dataclass(frozen=True)
class _Formats:
    redactor: Redactor

    def in_value(self, name: str, text: str) -> Iterator[FoundSecret]:
        del name
        for detector, patterns in _detectors():
            for pattern in patterns:
                for found in pattern.finditer(text):
                    digest = self.redactor.fingerprint(found[0]).features.digest
                    yield FoundSecret(detector, digest, text.count("\n", 0, found.start()) + 1)

    def in_file(self, content: bytes, name: str) -> Iterator[FoundSecret]:
        return self.in_value(name, content.decode("latin-1"))


def secret_finder(codec: Codec) -> SecretFinder:
    """Return what finds secrets; its digests are those of the codec's other fingerprints."""
    return _Formats(codec._redactor)
