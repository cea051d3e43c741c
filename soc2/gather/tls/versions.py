"""Offers every declared endpoint each version of TLS by itself, and then only broken cipher suites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from soc2.declared_network import Endpoint
from soc2.gather.source import Gatherer, Listing
from soc2.gather.tls.endpoints import SECONDS, Asked, ask_each
from soc2.gather.tls.hello import WEAK_SUITES, Answer, Kind, MalformedAnswer, client_hello, read_answer
from soc2.gather.tls.wire import Failed, Reach, Unreachable, Wire
from soc2.model.population import Cause, Problem
from soc2.model.tls import Version, Versions

_ORDER = tuple(Version)


@dataclass(frozen=True)
class TlsVersions:
    """The versions of TLS that declared endpoints accept. ``seconds`` is how long each of them may take altogether."""

    seconds: float = SECONDS
    name: str = "TLS versions of endpoints"

    def gather(self, gatherer: Gatherer) -> Listing[Versions]:
        return ask_each(gatherer, self.name, "first messages of TLS 1.3 to SSLv3", self._try)

    def _try(self, endpoint: Endpoint, name: str) -> Asked[Versions]:
        trials = _Trials(endpoint, Reach(endpoint.place, self.seconds))
        try:
            answers = list(trials.offer_all())
            chosen = {answer.version for answer in answers if answer.version}
            weak = trials.offer(Version.TLS_1_2, tuple(WEAK_SUITES)) if chosen else None
        except Unreachable as error:
            return Asked(None, (error.problem,))
        if not chosen:
            return _without_version(endpoint, name, answers, trials.problems)
        suites = (WEAK_SUITES[weak.suite],) if weak and weak.kind is Kind.CHOSEN and weak.suite in WEAK_SUITES else ()
        accepted = tuple(version for version in _ORDER if version in chosen)
        return Asked(Versions(name=name, accepted=accepted, weak_suites=suites), trials.problems)


class _Trials:
    def __init__(self, endpoint: Endpoint, reach: Reach) -> None:
        self._endpoint = endpoint
        self._reach = reach
        self._reached = False
        self._failed: dict[Problem, list[Version]] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is no evidence: each problem once, with the versions that it is of."""
        return tuple(Problem(each.cause, f"{each.detail}{_of(found)}") for each, found in self._failed.items())

    def offer_all(self) -> Iterator[Answer]:
        """Yield the answers that are evidence. Raises Unreachable."""
        # The newest first: most servers take it, so that one that takes long still shows what it is.
        for version in reversed(_ORDER):
            answer = self.offer(version)
            if answer:
                yield answer
            if answer and answer.kind is Kind.NOT_TLS:
                return

    def offer(self, version: Version, suites: Sequence[int] | None = None) -> Answer | None:
        """Return the answer, or None when it is no evidence, which is then among the problems.

        Raises Unreachable when there never was a connection.
        """
        try:
            with self._reach.connect() as wire:
                self._reached = True
                wire.send(client_hello(version, self._endpoint.host, suites))
                return _understood(first_answer(wire), version)
        except Failed as error:
            if isinstance(error, Unreachable) and not self._reached:
                raise
            self._failed.setdefault(error.problem, []).append(version)
        except MalformedAnswer as error:
            self._failed[Problem(Cause.MALFORMED, f"{self._reach.place} answers {version} with {error}")] = []
        return None


def _of(versions: Sequence[Version]) -> str:
    return f" ({', '.join(dict.fromkeys(versions))})" if versions else ""


def first_answer(wire: Wire) -> Answer:
    """Read as much as the first answer takes. Raises Failed and MalformedAnswer."""
    answer = None
    while answer is None:
        ended = not wire.receive(nudge=True)
        answer = read_answer(bytes(wire.received), ended)
    return answer


def _understood(answer: Answer, offered: Version) -> Answer:
    # A server may choose an older version than was offered, which is then one that it accepts.
    if answer.version and _ORDER.index(answer.version) > _ORDER.index(offered):
        raise MalformedAnswer(f"{answer.version}, which was not offered")
    return answer


def _without_version(
    endpoint: Endpoint, name: str, answers: Sequence[Answer], problems: tuple[Problem, ...]
) -> Asked[Versions]:
    alerts = sorted({answer.alert for answer in answers if answer.kind is Kind.ALERT})
    if alerts:
        why = f"{endpoint.place} refuses every version that is offered ({', '.join(alerts)})"
        return Asked(None, (Problem(Cause.INCONCLUSIVE, why), *problems))
    # Silence and answers that cannot be read do not tell that it is no TLS.
    if problems and not any(answer.kind is Kind.NOT_TLS for answer in answers):
        return Asked(None, problems)
    return Asked(Versions(name=name, talks_tls=False))
