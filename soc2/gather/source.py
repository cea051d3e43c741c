"""Sources and the gatherer that asks each of them at most once in a run, when a check first needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from soc2.gather.codec import Codec
from soc2.model.population import SourceStatus

if TYPE_CHECKING:
    from soc2.evidence import EvidenceStore
    from soc2.gather.aws.connection import AwsConnection
    from soc2.gather.kubernetes.connection import KubeConnection
    from soc2.system import System

T = TypeVar("T")

# Enough to keep both APIs busy; sources mostly wait for the network.
_SOURCES_AT_ONCE = 8


@dataclass(frozen=True)
class Listing(Generic[T]):
    """What a source gave: its items, and how each of the queries behind them went.

    ``exempt`` is the owner's reason when that half of the system is out of scope; there are no items then.
    """

    items: tuple[T, ...]
    statuses: tuple[SourceStatus, ...]
    exempt: str | None = None


class Source(Protocol[T]):
    """A question that can be asked. Implementations are frozen and hashable: equal sources are asked once.

    One with a class attribute ``alone`` that is true is not asked ahead, but only when the check that needs it waits.
    """

    @property
    def name(self) -> str: ...

    def gather(self, gatherer: Gatherer) -> Listing[T]: ...


@dataclass(frozen=True)
class Running:
    """Nothing but that the target runs: what depends on it is out of scope for targets that do not."""

    name: str = "running target"

    def gather(self, gatherer: Gatherer) -> Listing[None]:
        del gatherer
        return Listing((), ())


RUNNING = Running()


@dataclass
class _Answer:
    lock: threading.Lock = field(default_factory=threading.Lock)
    listing: Listing[Any] | None = None


class Gatherer:
    """Asks sources lazily, concurrently and once.

    ``kubernetes`` and ``aws`` connect on first use; a connection that cannot be made becomes the status of every
    source that needs it, and never an exception here.
    """

    def __init__(
        self,
        system: System,
        kubernetes: Callable[[], KubeConnection],
        aws: Callable[[], AwsConnection],
        evidence: EvidenceStore,
        on_progress: Callable[[str, bool], None] = lambda _name, _finished: None,
    ) -> None:
        self.system = system
        self.evidence = evidence
        self.codec = Codec()
        self._connect = {"kubernetes": kubernetes, "aws": aws}
        self._connections: dict[str, Any] = {}
        self._connecting = threading.Lock()
        self._answers: dict[Source[Any], _Answer] = {}
        self._answers_lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_SOURCES_AT_ONCE, thread_name_prefix="source")
        self._on_progress = on_progress

    @property
    def kubernetes(self) -> KubeConnection:
        return self._connection("kubernetes")  # type: ignore[no-any-return]

    @property
    def aws(self) -> AwsConnection:
        return self._connection("aws")  # type: ignore[no-any-return]

    def _connection(self, half: str) -> Any:
        with self._connecting:
            if half not in self._connections:
                self._connections[half] = self._connect[half]()
            return self._connections[half]

    def get(self, source: Source[T]) -> Listing[T]:
        """Return the source's listing; the first caller asks, others wait for it.

        A source may get others from within its ``gather``: the calling thread then does the work itself, so that no
        number of threads can leave all of them waiting for one another.
        """
        with self._answers_lock:
            answer = self._answers.setdefault(source, _Answer())
        with answer.lock:
            if answer.listing is None:
                self._on_progress(source.name, False)
                answer.listing = source.gather(self)
                self._on_progress(source.name, True)
            return answer.listing

    @property
    def identities(self) -> tuple[str, ...]:
        """Return who asked, as each connection that was used knows it."""
        return tuple(connection.identity for _, connection in sorted(self._connections.items()))

    def prefetch(self, sources: Iterable[Source[Any]]) -> list[Future[Listing[Any]]]:
        """Start asking all of them in the background, but for those that must have the process to themselves."""
        wanted = (source for source in dict.fromkeys(sources) if not getattr(source, "alone", False))
        return [self._pool.submit(self.get, source) for source in wanted]

    def close(self) -> None:
        """Drop what was not begun and let go of the connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections.values():
            connection.close()
