"""Looks at the content of files, for what rules match and for secrets, in one scan."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import yara_x

from soc2.gather.registry.anchors import ANCHORS, NAMESPACE, is_settings, passages, pieces
from soc2.gather.registry.failure import PullError
from soc2.gather.registry.packaged import is_packaged, is_program, is_usual, is_weak
from soc2.gather.registry.yara_rules import YaraRules, load_rules
from soc2.model.image_content import FoundSecret, SecretFinder
from soc2.model.population import Cause

_SCAN_SECONDS = 60
_MATCHES = 10_000
"""How many places of a pattern in a window are told by the scanner: where there are more, all of it is looked at."""
_MOST_SECRETS = 10_001


@dataclass(frozen=True)
class Inspected:
    """The rules that match, with their descriptions, and the secrets, with lines from the beginning of what was looked at."""

    rules: tuple[tuple[str, str], ...]
    secrets: tuple[FoundSecret, ...]


_NOTHING = Inspected((), ())


def image_rules(folders: tuple[str, ...] = ()) -> YaraRules:
    """Return the rules that images are looked at with, those of the user's folders among them. Raises UsageError."""
    return load_rules(folders, added=ANCHORS)


class Inspector:
    """May be used by several threads. Each has a scanner of its own, which has to end in it: so an exception that was raised
    while it was used must not leave the thread, for it leads to the scanner by its traceback."""

    def __init__(self, rules: YaraRules, secrets: SecretFinder) -> None:
        self._rules = rules.rules
        self._secrets = secrets
        self._own = threading.local()

    def _scan(self, content: bytes) -> Sequence[yara_x.Rule]:
        if not hasattr(self._own, "scanner"):
            self._own.scanner = yara_x.Scanner(self._rules)
            self._own.scanner.set_timeout(_SCAN_SECONDS)
            self._own.scanner.max_matches_per_pattern(_MATCHES)
        return self._own.scanner.scan(content).matching_rules  # type: ignore[no-any-return]

    def inspect(self, path: str, content: bytes) -> Inspected:
        """Look at a file, or a window of one. Raises PullError when that takes too long."""
        try:
            matching = self._scan(content)
        except yara_x.TimeoutError:
            raise PullError(Cause.TIMED_OUT, f"looking at {path} takes longer than {_SCAN_SECONDS} s") from None
        except yara_x.ScanError as error:
            raise PullError(Cause.INCONCLUSIVE, f"{path} cannot be looked at: {error}") from None
        packaged = is_packaged(path, content)
        settings = not packaged and is_settings(path, content)
        if not matching and not settings:
            return _NOTHING
        rules = tuple((rule.identifier, _description(rule)) for rule in matching if rule.namespace != NAMESPACE)
        passed_over = is_usual if packaged else is_weak if is_program(content) else None
        secrets = self._secrets.in_file(content, path) if settings else self._around(content, matching)
        told = (each for each in secrets if not (passed_over and passed_over(each.detector)))
        return Inspected(rules, tuple(islice(told, _MOST_SECRETS)))

    def _around(self, content: bytes, matching: Iterable[yara_x.Rule]) -> Iterator[FoundSecret]:
        anchors = [pattern.matches for rule in matching if rule.namespace == NAMESPACE for pattern in rule.patterns]
        crowded = any(len(matches) >= _MATCHES for matches in anchors)
        offsets = (match.offset for matches in anchors for match in matches)
        for passage, lines in pieces(content) if crowded else passages(content, offsets):
            for found in self._secrets.in_file(passage, ""):
                yield FoundSecret(found.detector, found.fingerprint, found.line + lines)


def _description(rule: yara_x.Rule) -> str:
    return next((str(value) for name, value in rule.metadata if name == "description"), "")
