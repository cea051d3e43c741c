"""What is kept of a text that may hide a secret: a keyed digest and the features that rules need, never the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Features:
    """What rules may know of a text.

    ``digest`` is a keyed HMAC-SHA-256, cut to 16 hex digits: equal texts of one run have equal digests, and nobody
    without the run's key can test a guess. ``classes`` names character classes present (lower, upper, digit, other);
    ``entropy`` is Shannon's, in bits per character; ``detectors`` are the secret formats that matched; ``reference``
    says that the text is a placeholder such as ``$(NAME)`` or ``${NAME}``, a path or a URL without a password.
    """

    digest: str
    length: int
    classes: tuple[str, ...]
    entropy: float
    detectors: tuple[str, ...]
    reference: bool


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
