"""Lists of Kubernetes objects: paged, decoded page by page while the next one is fetched, complete or with a Problem."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec

from soc2.evidence import Call
from soc2.gather.codec import Codec, canonical
from soc2.gather.kubernetes.connection import GatherError, KubeConnection, now
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.meta import KubeObject, Metadata
from soc2.model.kubernetes.rbac import SecretMeta
from soc2.model.population import Cause, Problem, SourceStatus

T = TypeVar("T", bound=KubeObject)

_PAGE_SIZE = 500
_RESTARTS = 3
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class _ListMeta(msgspec.Struct):
    resource_version: str = msgspec.field(default="", name="resourceVersion")
    continue_: str = msgspec.field(default="", name="continue")


class _Envelope(msgspec.Struct):
    """What tells a list from anything else that a server or a proxy may answer with status 200."""

    kind: str
    metadata: _ListMeta


# Made on import, by one thread.
_ENVELOPE = msgspec.json.Decoder(_Envelope)


class _Page(msgspec.Struct, Generic[T]):
    items: tuple[T, ...] | None


class _Cell(msgspec.Struct):
    metadata: Metadata


class _Row(msgspec.Struct):
    cells: tuple[Any, ...]
    object: _Cell


class _Table(msgspec.Struct):
    rows: tuple[_Row, ...] | None


@dataclass(frozen=True)
class KubeList(Generic[T]):
    """All objects of one kind, in all namespaces. ``path`` is the list's path on the server.

    An ``optional`` kind comes with an add-on: a server that does not know its path has none of it, and says so to those
    only who may list it. ``older`` are the paths of versions that are asked for where the server does not know the first.
    """

    name: str
    path: str
    kind: type[T]
    namespaced: bool = True
    optional: bool = False
    older: tuple[str, ...] = ()

    def gather(self, gatherer: Gatherer) -> Listing[T]:
        listing = self._listed(gatherer, self.path)
        for path in self.older:
            # A list that was given has a page; without one and without a problem, its path is not known.
            if listing.exempt or any(status.pages or status.problem for status in listing.statuses):
                break
            listing = self._listed(gatherer, path)
        return listing

    def _listed(self, gatherer: Gatherer, path: str) -> Listing[T]:
        accept = "application/json"
        return gather_list(gatherer, self.name, path, accept, self.decode, self._list_kind, optional=self.optional)

    def _list_kind(self, kind: str) -> bool:
        return kind.endswith("List")

    def decode(self, codec: Codec, body: bytes) -> tuple[T, ...]:
        """Decode the items of a page. Raises msgspec.DecodeError."""
        page = codec.decode(body, cast("type[_Page[T]]", _Page[self.kind]))  # type: ignore[name-defined]
        return page.items or ()


@dataclass(frozen=True)
class SecretTable:
    """All Secrets as the server's Table tells them: name, type and number of keys. Their data stays on the server."""

    name: str = "secrets"
    path: str = "/api/v1/secrets"

    def gather(self, gatherer: Gatherer) -> Listing[SecretMeta]:
        return gather_list(gatherer, self.name, self.path, _TABLE, self.decode, lambda kind: kind == "Table")

    def decode(self, codec: Codec, body: bytes) -> tuple[SecretMeta, ...]:
        """Decode the rows of a Table. Raises msgspec.DecodeError."""
        rows = codec.decode(body, _Table).rows or ()
        return tuple(SecretMeta(metadata=row.object.metadata, type=str(row.cells[1]), keys=int(row.cells[2])) for row in rows)


@dataclass
class _Progress:
    pages: int = 0
    resource_version: str = ""


def gather_list(
    gatherer: Gatherer, name: str, path: str, accept: str, decode: Any, is_list: Any, *, optional: bool = False
) -> Listing[Any]:
    """Ask for all pages of a list: ``decode(codec, body)`` makes the records of a page, of which evidence is kept;
    ``is_list(kind)`` tells a list from any other answer."""
    exempt = gatherer.system.kubernetes.absent
    if exempt:
        return Listing((), (), exempt)
    started = now()
    connection = gatherer.kubernetes
    query = {"limit": str(_PAGE_SIZE)}
    if accept == _TABLE:
        query["includeObject"] = "Metadata"
    items: list[Any] = []
    chunks: list[bytes] = []
    progress = _Progress()
    problem = None
    with ThreadPoolExecutor(1, thread_name_prefix=f"decode {name}") as decoder:
        try:
            for restart in range(_RESTARTS + 1):
                pages: list[Future[tuple[tuple[Any, ...], bytes]]] = []
                progress = _Progress()
                try:
                    for body in _pages(connection, path, accept, query, is_list, progress):
                        pages.append(decoder.submit(_decode_page, decode, gatherer.codec, body))
                    break
                except GatherError as error:
                    if optional and error.status == 404:
                        break
                    # 410: the continue token expired. What was read belongs to an older state, so begin anew.
                    if error.status != 410 or restart == _RESTARTS:
                        problem = error.problem
                        break
        except msgspec.DecodeError as error:
            problem = Problem(Cause.MALFORMED, f"{path}: {error}")
        for page in pages:
            try:
                records, kept = page.result()
                items.extend(records)
                chunks.append(kept)
            except (msgspec.DecodeError, IndexError, ValueError) as error:
                problem = Problem(Cause.MALFORMED, f"{path}: {error}")
    sha256 = gatherer.evidence.keep(b"[" + b",".join(filter(None, chunks)) + b"]") if progress.pages else None
    gatherer.evidence.record(
        Call(
            source=name,
            operation=f"GET {path}",
            parameters={**query, "accept": accept},
            identity=connection.identity if not problem or problem.cause is not Cause.UNREACHABLE else "unknown",
            started=started,
            finished=now(),
            pages=progress.pages,
            items=len(items),
            complete=problem is None,
            problem=str(problem) if problem else None,
            resource_version=progress.resource_version or None,
            sha256=sha256,
        )
    )
    status = SourceStatus(name, f"GET {path}", progress.pages, len(items), sha256, problem)
    return Listing(tuple(items), (status,))


def _decode_page(decode: Any, codec: Codec, body: bytes) -> tuple[tuple[Any, ...], bytes]:
    """Return a page's records and their canonical JSON without brackets, made while the next page is fetched."""
    records = decode(codec, body)
    return records, canonical(records)[1:-1]


def _pages(
    connection: KubeConnection, path: str, accept: str, query: dict[str, str], is_list: Any, progress: _Progress
) -> Iterator[bytes]:
    token = ""
    while True:
        body = connection.request("GET", path, {**query, **({"continue": token} if token else {})}, accept).body
        envelope = _ENVELOPE.decode(body)
        if not is_list(envelope.kind):
            raise GatherError(Problem(Cause.MALFORMED, f"{path}: expected a list, got kind {envelope.kind!r}"))
        progress.pages += 1
        progress.resource_version = envelope.metadata.resource_version
        yield body
        token = envelope.metadata.continue_
        if not token:
            return
