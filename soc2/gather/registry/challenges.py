"""What a server wants of who is not known to it: the header ``WWW-Authenticate`` (RFC 9110, 11.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_SCHEME = re.compile(r"\s*,?\s*([!#$%&'*+.^`|~\w-]+)(?=\s|,|\Z)")
_PARAMETER = re.compile(r"\s*,?\s*([!#$%&'*+.^`|~\w-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([!#$%&'*+.^`|~\w:/?=@-]*))")
_LONGEST = 8192


@dataclass(frozen=True)
class Challenge:
    """A scheme in lower case (``bearer``) with its parameters."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read as many challenges as can be read."""
    header = header[:_LONGEST]
    found: list[Challenge] = []
    at = 0
    while at < len(header):
        parameter = _parameter(header, at)
        if parameter and found:
            found[-1].parameters.setdefault(parameter.name, parameter.value)
            at = parameter.end
            continue
        scheme = _SCHEME.match(header, at)
        if not scheme:
            break
        found.append(Challenge(scheme[1].lower(), {}))
        at = scheme.end()
    return tuple(found)


class _Parameter(NamedTuple):
    name: str
    value: str
    end: int


def _parameter(header: str, at: int) -> _Parameter | None:
    found = _PARAMETER.match(header, at)
    if not found:
        return None
    value = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
    return _Parameter(found[1].lower(), value, found.end())
