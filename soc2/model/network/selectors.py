"""What label selectors select whatever comes, and their words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod

from soc2.model.kubernetes.meta import LabelSelector, LabelSelectorRequirement

NAME_LABEL = "kubernetes.io/metadata.name"
"""The API server sets it on every namespace."""
_MOST = 2_000
"""Up to so many sets of labels are tried. Beyond, only a selector that is empty selects everything."""
_OPERATORS = {"In": "in", "NotIn": "not in", "Exists": "exists", "DoesNotExist": "does not exist"}


def select_everything(selectors: Iterable[LabelSelector], always: Sequence[str] = ()) -> bool:
    """Tell whether every set of labels, also one that nobody has yet, is selected by at least one of the selectors.

    ``always`` are labels that everything has. Tried on every value that the selectors speak of, another one, and none.
    """
    every = tuple(selectors)
    if any(_selects_everything(each, always) for each in every):
        return True
    if len(every) == 1:
        return False
    values: dict[str, set[str | None]] = {}
    for each in every:
        for key, value in (each.match_labels or {}).items():
            values.setdefault(key, set()).add(value)
        for requirement in each.match_expressions:
            values.setdefault(requirement.key, set()).update(requirement.values)
    for key, known in values.items():
        known.add("any other " + "".join(map(str, known)))
        if key not in always:
            known.add(None)
    if not every or prod(map(len, values.values())) > _MOST:
        return False
    return all(
        any(selects(selector, dict(zip(values, labels, strict=True))) for selector in every)
        for labels in product(*values.values())
    )


def _selects_everything(selector: LabelSelector, always: Sequence[str]) -> bool:
    """Tell whether nothing that a selector asks for can fail."""
    return not selector.match_labels and all(
        (each.operator == "NotIn" and not each.values) or (each.operator == "Exists" and each.key in always)
        for each in selector.match_expressions
    )


def selects(selector: LabelSelector, labels: Mapping[str, str | None]) -> bool:
    """Tell whether a selector selects something with these labels; it does not have those that are None.

    No server accepts an operator that is not known here, so what it stands in selects nothing.
    """
    present = {key: value for key, value in labels.items() if value is not None}
    known = all(each.operator in _OPERATORS for each in selector.match_expressions)
    return known and selector.matches(present)


def selector_words(selector: LabelSelector) -> str:
    """Return a selector as reports show it: ``app=web and tier in (one, two)``; nothing for an empty one."""
    equal = [f"{key}={value}" for key, value in sorted((selector.match_labels or {}).items())]
    return " and ".join((*equal, *map(_requirement_words, selector.match_expressions)))


def _requirement_words(requirement: LabelSelectorRequirement) -> str:
    values = f" ({', '.join(requirement.values)})" if requirement.values else ""
    return f"{requirement.key} {_OPERATORS.get(requirement.operator, requirement.operator)}{values}"
