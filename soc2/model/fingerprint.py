"""What is kept of texts that may hide a secret: a keyed digest and what detectors found in them, never the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which kubectl keeps a copy of the manifest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret that a detector found. ``fingerprint`` is a keyed HMAC-SHA-256 of it, cut to 16 hex digits; ``place`` tells
    where in the content it stands: a path of fields, a line (from 1), both, or nothing when it is all of the content."""

    detector: str
    fingerprint: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Features:
    """What rules may know of a text.

    ``digest`` is a keyed HMAC-SHA-256, cut to 16 hex digits: equal texts of one run have equal digests, and nobody
    without the run's key can test a guess. ``length`` is in characters.
    """

    digest: str
    length: int
    findings: tuple[Finding, ...] = ()


class Fingerprint:
    """The stand-in for a text. A class of its own, so that the decoder can never leave a plain string in its place."""

    __slots__ = ("encoded", "features")

    def __init__(self, features: Features) -> None:
        self.features = features
        self.encoded: bytes | None = None
        """The features as JSON, kept by the encoder: one fingerprint stands in many places."""

    def __repr__(self) -> str:
        return f"Fingerprint({self.features.digest})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self.features == other.features

    def __hash__(self) -> int:
        return hash(self.features)


class Literals:
    """The stand-in for a whole JSON value, such as a list of arguments or a template: only what was found in it."""

    __slots__ = ("findings",)

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self.findings = tuple(findings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.findings)} findings)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literals) and self.findings == other.findings

    def __hash__(self) -> int:
        return hash(self.findings)


class EncodedLiterals(Literals):
    """The same for an object whose values are base64 of anything, such as the ``binaryData`` of a ConfigMap."""

    __slots__ = ()


class UserData(Literals):
    """The same for the user data of a machine: base64 of a text, of gzip or of a MIME archive."""

    __slots__ = ()


class Annotations(Mapping[str, "str | Fingerprint"]):
    """Annotations by name; the values of those on the plain list are texts, all others are fingerprints."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str | Fingerprint] | None = None) -> None:
        self._values: dict[str, str | Fingerprint] = dict(values or {})

    def __getitem__(self, name: str) -> str | Fingerprint:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Annotations({sorted(self._values)})"

    def text(self, name: str) -> str | None:
        """Return the value of a plain annotation, or None when it is not set or not on the plain list."""
        value: Any = self._values.get(name)
        return value if isinstance(value, str) else None

    def findings(self, told: Iterable[Finding] = ()) -> tuple[tuple[str, Finding], ...]:
        """Return (name, finding) of every secret in an annotation. ``told`` is what was found in the rest of the object:
        kubectl's copy of the manifest repeats it."""
        known = {finding.fingerprint for finding in told}
        return tuple(
            (name, finding)
            for name, value in self._values.items()
            if isinstance(value, Fingerprint)
            for finding in value.features.findings
            if name != APPLIED or finding.fingerprint not in known
        )
