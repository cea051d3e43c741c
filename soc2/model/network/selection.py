"""Label selectors over many things at once: a set is an int with a bit for each of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from soc2.model.kubernetes.meta import LabelSelector, LabelSelectorRequirement


class Selection:
    """Finds what selectors select among things with labels, by their place in a sequence; each selector once."""

    def __init__(self, labels: Sequence[Mapping[str, str]]) -> None:
        self._everything = (1 << len(labels)) - 1
        self._by_value: dict[tuple[str, str], int] = {}
        self._by_key: dict[str, int] = {}
        self._found: dict[Hashable, int] = {}
        values: dict[tuple[str, str], list[int]] = {}
        for place, given in enumerate(labels):
            for pair in given.items():
                values.setdefault(pair, []).append(place)
        for (key, value), places in values.items():
            found = set_of(places)
            self._by_value[key, value] = found
            self._by_key[key] = self._by_key.get(key, 0) | found

    def select(self, selector: LabelSelector) -> int:
        name = identity(selector)
        found = self._found.get(name)
        if found is None:
            found = self._everything
            for pair in (selector.match_labels or {}).items():
                found &= self._by_value.get(pair, 0)
            for requirement in selector.match_expressions:
                found &= self._requirement(requirement)
            self._found[name] = found
        return found

    def _requirement(self, requirement: LabelSelectorRequirement) -> int:
        match requirement.operator:
            case "In":
                return self._any(requirement)
            case "NotIn":
                return self._everything & ~self._any(requirement)
            case "Exists":
                return self._by_key.get(requirement.key, 0)
            case "DoesNotExist":
                return self._everything & ~self._by_key.get(requirement.key, 0)
        # No server accepts another one, so what it stands in selects nothing.
        return 0

    def _any(self, requirement: LabelSelectorRequirement) -> int:
        found = 0
        for value in requirement.values:
            found |= self._by_value.get((requirement.key, value), 0)
        return found


def identity(selector: LabelSelector) -> Hashable:
    """Return what tells a selector from others."""
    return tuple(sorted((selector.match_labels or {}).items())), selector.match_expressions


def keys_of(selector: LabelSelector) -> Iterator[str]:
    """Yield the names of the labels that a selector looks at."""
    yield from selector.match_labels or ()
    yield from (requirement.key for requirement in selector.match_expressions)


def set_of(places: Sequence[int]) -> int:
    """Return the set of these places: built as bytes, because adding bits to a long int copies it each time."""
    if not places:
        return 0
    bits = bytearray((max(places) >> 3) + 1)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(bits, "little")


def places_in(members: int) -> Iterator[int]:
    """Yield the places of a set, lowest first."""
    for index, byte in enumerate(members.to_bytes((members.bit_length() + 7) >> 3, "little")):
        if byte:
            yield from _PLACES[byte] if not index else (index * 8 + place for place in _PLACES[byte])


_PLACES = tuple(tuple(place for place in range(8) if byte >> place & 1) for byte in range(256))
