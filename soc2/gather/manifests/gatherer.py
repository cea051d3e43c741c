"""Answers the sources that are lists of Kubernetes objects from manifests; all others need a live target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from soc2.evidence import Call
from soc2.gather.codec import Codec, canonical
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.custom_resources import CUSTOM_RESOURCES, CustomResources, is_custom, shaped
from soc2.gather.kubernetes.facts import PresumedRoles, Version
from soc2.gather.kubernetes.level_trials import LevelTrials
from soc2.gather.kubernetes.lists import KubeList, SecretTable
from soc2.gather.kubernetes.secret_stores import SECRET_STORE_SOURCES
from soc2.gather.kubernetes.unevaluated import LISTS, UnevaluatedPolicies
from soc2.gather.manifests.documents import Broken, Document
from soc2.gather.source import Listing, Source
from soc2.model.kubernetes.custom import CustomResource
from soc2.model.kubernetes.meta import KubeObject, Metadata
from soc2.model.kubernetes.rbac import SecretMeta
from soc2.model.population import Cause, Problem, SourceStatus

if TYPE_CHECKING:
    from soc2.evidence import EvidenceStore
    from soc2.system import System

T = TypeVar("T")

NEEDS_LIVE_TARGET = "not applicable to this target; it needs a live one"
_SHOWN = 10

AnyList = KubeList[Any] | SecretTable
_LISTS: list[AnyList] = [
    *(item for item in vars(sources).values() if isinstance(item, KubeList | SecretTable)),
    *LISTS,
    *SECRET_STORE_SOURCES,
]


def _type(source: AnyList) -> tuple[str, str]:
    """Return the kind and the API group that a list has."""
    if isinstance(source, SecretTable):
        return ("Secret", "")
    return (source.kind.KIND, source.path.split("/")[2] if source.path.startswith("/apis/") else "")


_SOURCES = {_type(source): source for source in _LISTS}
_KINDS = frozenset(kind for kind, _ in _SOURCES)


class _SecretContent(msgspec.Struct):
    metadata: Metadata = Metadata()
    type: str = "Opaque"
    data: dict[str, Any] = {}
    stringData: dict[str, Any] = {}  # noqa: N815


class ManifestGatherer:
    """The gatherer of ``--target manifests``: everything was read before the first check asks.

    ``passed_over`` counts, by kind, the documents of kinds that no check knows (those of custom resources are still
    searched for secrets); ``broken`` are the documents that could not be read or that do not fit their kind, all of them
    known once the object is made.
    """

    def __init__(
        self, system: System, evidence: EvidenceStore, files: int, documents: Iterable[Document], broken: Iterable[Broken]
    ) -> None:
        self.system = system
        self._evidence = evidence
        self.files = files
        self._started = datetime.now(UTC)
        self._codec = Codec()
        self.passed_over: Counter[str] = Counter()
        self.broken = list(broken)
        self.objects = 0
        self._listings: dict[AnyList, Listing[Any]] = {}
        records: dict[AnyList, list[Any]] = {source: [] for source in _SOURCES.values()}
        custom: list[CustomResource] = []
        for document in documents:
            source = _SOURCES.get((document.kind, document.group))
            try:
                if is_custom(document.group):
                    custom.append(self._custom(document))
                if source is None:
                    self.passed_over[document.type] += 1
                    continue
                records[source].append(self._decode(source, document))
                self.objects += 1
            except msgspec.ValidationError as error:
                what = f"{document.kind} does not fit its schema: {error}"
                self.broken.append(Broken(document.file, document.line, what, document.kind))
        self.broken.sort()
        for source, items in records.items():
            self._listings[source] = self._listing(source, items)
        self._custom_resources = self._kept(CUSTOM_RESOURCES.name, "of custom resources", custom, self.broken)

    @property
    def identities(self) -> tuple[str, ...]:
        return (f"{self.files} file{'s' * (self.files != 1)} of manifests",)

    def get(self, source: Source[T]) -> Listing[T]:
        """Return what the manifests hold of a list; any other source is out of scope with the reason."""
        if isinstance(source, KubeList | SecretTable):
            return self._listings[source]
        if isinstance(source, Version | PresumedRoles | LevelTrials):
            return cast("Listing[T]", source.from_manifests())
        if isinstance(source, UnevaluatedPolicies):
            return cast("Listing[T]", source.listed(self.get))
        if isinstance(source, CustomResources):
            return cast("Listing[T]", self._custom_resources)
        return Listing((), (), NEEDS_LIVE_TARGET)

    def prefetch(self, wanted: Iterable[Source[Any]]) -> list[Future[Listing[Any]]]:
        """There is nothing to fetch ahead."""
        del wanted
        return []

    def close(self) -> None:
        """There is nothing to let go of."""

    def _decode(self, source: AnyList, document: Document) -> KubeObject:
        metadata = _metadata(document)
        if not isinstance(source, KubeList) or source.namespaced:
            # Where kubectl creates what names no namespace.
            metadata.setdefault("namespace", "default")
        else:
            metadata.pop("namespace", None)
        body = msgspec.json.encode({**document.content, "metadata": metadata})
        if isinstance(source, KubeList):
            kind: type[KubeObject] = source.kind
            return self._codec.decode(body, kind)
        secret = self._codec.decode(body, _SecretContent)
        return SecretMeta(metadata=secret.metadata, type=secret.type, keys=len({*secret.data, *secret.stringData}))

    def _custom(self, document: Document) -> CustomResource:
        # Whether its kind has namespaces is not known here.
        return self._codec.convert(shaped({**document.content, "metadata": _metadata(document)}), CustomResource)

    def _listing(self, source: AnyList, items: list[Any]) -> Listing[Any]:
        kind, _ = _type(source)
        # What does not say what it is may be anything.
        broken = [entry for entry in self.broken if entry.kind == kind or entry.kind not in _KINDS]
        return self._kept(source.name, f"of kind {kind}", items, broken)

    def _kept(self, name: str, which: str, items: list[Any], broken: list[Broken]) -> Listing[Any]:
        shown = "; ".join(map(str, broken[:_SHOWN])) + f"; and {len(broken) - _SHOWN} more" * (len(broken) > _SHOWN)
        problem = Problem(Cause.MALFORMED, shown) if broken else None
        sha256 = self._evidence.keep(canonical(items))
        self._evidence.record(
            Call(
                source=name,
                operation=f"read documents {which}",
                parameters={},
                identity="the caller",
                started=self._started,
                finished=datetime.now(UTC),
                pages=self.files,
                items=len(items),
                complete=problem is None,
                problem=str(problem) if problem else None,
                sha256=sha256,
            )
        )
        status = SourceStatus(name, f"documents {which}", self.files, len(items), sha256, problem)
        return Listing(tuple(items), (status,))


def _metadata(document: Document) -> dict[str, Any]:
    """Return the metadata with the place of the document. Raises msgspec.ValidationError for what is no object."""
    given = document.content.get("metadata", {})
    if not isinstance(given, dict):
        raise msgspec.ValidationError(f"Expected `object`, got `{type(given).__name__}` - at `$.metadata`")
    return {**given, "origin": {"file": document.file, "line": document.line}}
