"""Sources made of AWS calls: one call per region, or one call for each item of another source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import msgspec
from botocore.exceptions import ClientError

from soc2.evidence import Call
from soc2.gather.aws.connection import UNANSWERED, AwsConnection, error_code, problem_of
from soc2.gather.codec import canonical
from soc2.gather.source import Gatherer, Listing, Source
from soc2.model.population import Cause, Problem, SourceStatus

P = TypeVar("P")
T = TypeVar("T")
Shape = Callable[[dict[str, Any]], dict[str, Any]]


def _as_it_is(item: dict[str, Any]) -> dict[str, Any]:
    return item


@dataclass(frozen=True)
class AwsList(Generic[T]):
    """The items under ``result`` of an operation, in every region in scope (or in one, for global services).

    An empty ``result`` makes one item of each page. ``home`` is the region of a global service whose parts have to be
    asked for in that very region, ``account`` the name of a parameter that takes the id of the account, ``failures`` where an
    answer lists what it could not tell, each with an ``errorCode``.
    """

    name: str
    service: str
    operation: str
    result: str
    kind: type[T]
    regional: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    absent: frozenset[str] = frozenset()
    shape: Shape = _as_it_is
    home: str = ""
    account: str = ""
    failures: str = ""

    def gather(self, gatherer: Gatherer) -> Listing[T]:
        exempt = gatherer.system.aws.absent
        if exempt:
            return Listing((), (), exempt)
        connection = gatherer.aws
        regions = connection.regions if self.regional else (self.home,) if self.home else connection.regions[:1]
        parameters = {**self.parameters, **({self.account: connection.account} if self.account else {})}
        wanted = [_Wanted(region, dict(parameters), {}) for region in regions]
        return _gather(gatherer, self, wanted, None)


@dataclass(frozen=True)
class AwsDetail(Generic[P, T]):
    """One call for each item of ``parent``, in the parent's region. ``key`` names the parent in the record.

    ``absent`` are the error codes by which the service says that nothing is configured: the record is then made of its
    defaults, with ``configured`` false. An item whose ``parameters`` are None needs no call. ``shape`` makes of an item what
    the record is decoded from.
    """

    name: str
    service: str
    operation: str
    result: str
    kind: type[T]
    parent: Source[P]
    key: Callable[[P], str]
    parameters: Callable[[P], dict[str, Any] | None]
    absent: frozenset[str] = frozenset()
    shape: Shape = _as_it_is

    def gather(self, gatherer: Gatherer) -> Listing[T]:
        listing = gatherer.get(self.parent)
        if listing.exempt:
            return Listing((), (), listing.exempt)
        default = gatherer.aws.regions[0]
        wanted = [
            _Wanted(getattr(item, "source_region", "") or default, parameters, {"ParentKey": self.key(item)})
            for item in listing.items
            if (parameters := self.parameters(item)) is not None
        ]
        # Items that need the very same call, such as web ACLs that several things share, need it once.
        return _gather(gatherer, self, list({repr(one): one for one in wanted}.values()), listing.statuses)


@dataclass(frozen=True)
class _Wanted:
    region: str
    parameters: dict[str, Any]
    extra: dict[str, Any]


@dataclass
class _Got:
    started: datetime
    finished: datetime
    pages: int = 0
    items: list[dict[str, Any]] = field(default_factory=list)
    problem: Problem | None = None


def _gather(gatherer: Gatherer, source: Any, wanted: list[_Wanted], parents: tuple[SourceStatus, ...] | None) -> Listing[Any]:
    connection = gatherer.aws
    account = connection.account
    answers = list(connection.calls.map(lambda one: _call(connection, source, one), wanted))
    items: list[Any] = []
    problems: list[Problem] = []
    for one, got in zip(wanted, answers, strict=True):
        if got.problem:
            problems.append(got.problem)
        added = {"SourceRegion": one.region, "SourceAccount": account, **one.extra}
        for item in got.items:
            try:
                items.append(gatherer.codec.convert({**source.shape(item), **added, **_camel(added)}, source.kind))
            except msgspec.ValidationError as error:
                problems.append(Problem(Cause.MALFORMED, f"{source.operation}: {error}"))
    sha256 = gatherer.evidence.keep(canonical(items))
    query = f"{source.service}:{source.operation}"
    for one, got in zip(wanted, answers, strict=True):
        gatherer.evidence.record(_record(connection, source.name, query, one, got, sha256))
    problem = _merged(problems, len(wanted))
    calls = f" in {', '.join(dict.fromkeys(one.region for one in wanted))}" if parents is None else f" x {len(wanted):,}"
    status = SourceStatus(source.name, query + calls, sum(got.pages for got in answers), len(items), sha256, problem)
    return Listing(tuple(items), (*(parents or ()), status))


def _call(connection: AwsConnection, source: Any, wanted: _Wanted) -> _Got:
    got = _Got(datetime.now(UTC), datetime.now(UTC))
    try:
        client = connection.client(source.service, wanted.region)
        if client.can_paginate(source.operation):
            pages = client.get_paginator(source.operation).paginate(**wanted.parameters)
        else:
            pages = [getattr(client, source.operation)(**wanted.parameters)]
        for page in pages:
            got.pages += 1
            found = _under(page, source.result) if source.result else [page]
            got.items.extend(_as_record(item) for item in found)
            if isinstance(source, AwsList) and source.failures and (failed := page.get(source.failures)):
                got.problem = _untold(failed[0])
    except ClientError as error:
        if error_code(error) in source.absent:
            got.items.append({"Configured": False, "configured": False})
        else:
            got.problem = problem_of(error)
    except (*UNANSWERED, KeyError, TypeError) as error:
        got.problem = problem_of(error)
    got.finished = datetime.now(UTC)
    return got


def _untold(failure: dict[str, Any]) -> Problem:
    code = str(failure.get("errorCode") or "no error code")
    return Problem(
        Cause.DENIED if "DENIED" in code else Cause.INCONCLUSIVE, f"{code}: {failure.get('errorMessage') or 'no reason'}"
    )


def _under(page: dict[str, Any], path: str) -> list[Any]:
    """Return the list at a dotted path; an object there is a list of one, and what is not there is empty."""
    value: Any = page
    for part in path.split("."):
        if isinstance(value, list):
            value = [inner for outer in value for inner in outer.get(part) or []]
        else:
            value = value.get(part)
        if value is None:
            return []
    return value if isinstance(value, list) else [value]


def _as_record(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) else {"Value": item, "value": item}


def _camel(added: dict[str, Any]) -> dict[str, Any]:
    return {key[0].lower() + key[1:]: value for key, value in added.items()}


def _merged(problems: list[Problem], calls: int) -> Problem | None:
    if not problems:
        return None
    worst = min(problems)
    return worst if calls == 1 else Problem(worst.cause, f"{worst.detail} ({len(problems)} of {calls} calls)")


def _record(connection: AwsConnection, name: str, query: str, one: _Wanted, got: _Got, sha256: str) -> Call:
    return Call(
        source=name,
        operation=query,
        parameters={"region": one.region, **one.parameters},
        identity=connection.identity,
        started=got.started,
        finished=got.finished,
        pages=got.pages,
        items=len(got.items),
        complete=got.problem is None,
        problem=str(got.problem) if got.problem else None,
        sha256=sha256,
    )
