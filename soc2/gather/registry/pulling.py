"""Pulls images for what is in them: manifests first, and then each layer once, however many images have it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from soc2.declared_images import Registries, RegistryLimits
from soc2.gather.registry.archive import Archive
from soc2.gather.registry.assembly import untold_user
from soc2.gather.registry.client import RegistryClient
from soc2.gather.registry.credentials import Logins
from soc2.gather.registry.facts import LayerFacts
from soc2.gather.registry.failure import Deadline, PullError
from soc2.gather.registry.inspection import Inspector
from soc2.gather.registry.kept import KeptFacts
from soc2.gather.registry.layer import read_layer
from soc2.gather.registry.manifests import Descriptor, Manifest, read_manifests
from soc2.gather.registry.streams import Unpacked, VerifiedBlob
from soc2.model.image_reference import ImageReference
from soc2.model.population import Cause, Problem

_MANIFESTS_AT_ONCE = 8
# A layer takes up to 30 MB of memory while it is read, and most of a core.
_LAYERS_AT_ONCE = 2
_ATTEMPTS = 2
_MEBIBYTE = 1024 * 1024
_ENCRYPTED = "+encrypted"


@dataclass(frozen=True)
class Pulled:
    """The manifests that a reference leads to, with the facts of their layers by digest, and what could not be read."""

    reference: ImageReference
    manifests: tuple[Manifest, ...]
    facts: Mapping[str, LayerFacts]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Layer:
    descriptor: Descriptor
    references: list[ImageReference] = field(default_factory=list)


class Puller:
    """Pulls from registries as they are declared; ``inspector`` looks at the files of layers."""

    def __init__(self, registries: Registries, logins: Logins, kept: KeptFacts | None, inspector: Inspector) -> None:
        self._registries, self._logins, self._kept, self._inspector = registries, logins, kept, inspector
        self._clients: dict[str, RegistryClient] = {}
        self._creating = threading.Lock()
        self._deadline = Deadline(self._limits.seconds, "reading all images")
        self.layers_read = 0
        self.layers_known = 0

    @property
    def _limits(self) -> RegistryLimits:
        return self._registries.limits

    def pull(self, wanted: Mapping[ImageReference, frozenset[str]]) -> list[Pulled]:
        """Pull references, each for its platforms (empty: all there are), in their order."""
        references = list(wanted)
        with ThreadPoolExecutor(_MANIFESTS_AT_ONCE, thread_name_prefix="manifests") as pool:
            found = list(pool.map(lambda each: self._manifests(each, wanted[each]), references))
        layers = _layers(zip(references, found, strict=True))
        with ThreadPoolExecutor(_LAYERS_AT_ONCE, thread_name_prefix="layers") as pool:
            read = dict(zip(layers, pool.map(self._facts, layers.values()), strict=True))
        return [self._pulled(reference, each, read) for reference, each in zip(references, found, strict=True)]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client(self, registry: str) -> RegistryClient:
        with self._creating:
            if registry not in self._clients:
                host = self._registries.host(registry)
                self._clients[registry] = RegistryClient(host, lambda: self._logins(registry))
            return self._clients[registry]

    def _manifests(self, reference: ImageReference, platforms: frozenset[str]) -> tuple[Manifest, ...] | Problem:
        try:
            return tuple(read_manifests(self._client(reference.registry), reference, platforms, self._deadline))
        except PullError as error:
            return error.problem

    def _facts(self, layer: _Layer) -> LayerFacts | Problem:
        known = self._kept.get(layer.descriptor.digest) if self._kept else None
        if known:
            self.layers_known += 1
            return known
        for reference in layer.references:
            facts = self._read_from(reference, layer.descriptor)
            if isinstance(facts, LayerFacts):
                self.layers_read += 1
                if self._kept:
                    self._kept.keep(layer.descriptor.digest, facts)
                return facts
        return facts

    def _read_from(self, reference: ImageReference, descriptor: Descriptor) -> LayerFacts | Problem:
        problem = Problem(Cause.INCONCLUSIVE, "")
        for _ in range(_ATTEMPTS):
            try:
                return self._read(reference, descriptor)
            except PullError as error:
                # The exception itself stays here: see Inspector.
                problem, again = error.problem, error.again
            if not again:
                break
        return Problem(problem.cause, f"layer {descriptor.digest}: {problem.detail}")

    def _read(self, reference: ImageReference, descriptor: Descriptor) -> LayerFacts:
        limits = self._limits
        if descriptor.media_type.endswith(_ENCRYPTED):
            raise PullError(Cause.NOT_IMPLEMENTED, "it is encrypted")
        if descriptor.size > limits.layer_mib * _MEBIBYTE:
            raise PullError(
                Cause.TRUNCATED, f"it has {descriptor.size:,} bytes, more than layer_mib = {limits.layer_mib:,} allows"
            )
        deadline = self._deadline.sooner(limits.layer_seconds, "reading it")
        client = self._client(reference.registry)
        with client.get(reference.repository, f"blobs/{descriptor.digest}", "*/*", deadline) as answer:
            blob = VerifiedBlob(answer, descriptor.digest, descriptor.size, deadline)
            unpacked = Unpacked(blob, limits.unpacked_mib * _MEBIBYTE, deadline)
            facts = read_layer(Archive(unpacked, limits.entries), unpacked, self._inspector)
            blob.drain()
        return facts

    def _pulled(
        self,
        reference: ImageReference,
        manifests: tuple[Manifest, ...] | Problem,
        read: Mapping[str, LayerFacts | Problem],
    ) -> Pulled:
        if isinstance(manifests, Problem):
            return Pulled(reference, (), {}, (manifests,))
        results = {each.digest: read[each.digest] for manifest in manifests for each in manifest.layers}
        facts = {digest: each for digest, each in results.items() if isinstance(each, LayerFacts)}
        problems = [each for each in results.values() if isinstance(each, Problem)]
        problems += [
            Problem(Cause.MALFORMED, f"layer {digest}: {fault}") for digest, each in facts.items() for fault in each.faults
        ]
        for manifest in manifests:
            if untold := untold_user(manifest, facts):
                problems.append(Problem(Cause.INCONCLUSIVE, untold))
            unpacked = sum(facts[each.digest].unpacked for each in manifest.layers if each.digest in facts)
            if unpacked > self._limits.image_mib * _MEBIBYTE:
                what = f"its layers have {unpacked:,} bytes, more than image_mib = {self._limits.image_mib:,} allows"
                problems.append(Problem(Cause.TRUNCATED, what))
        return Pulled(reference, manifests, facts, tuple(problems))


def _layers(
    found: Iterable[tuple[ImageReference, Sequence[Manifest] | Problem]],
) -> dict[str, _Layer]:
    """Return every layer by digest, with all references that it can be read by."""
    layers: dict[str, _Layer] = {}
    for reference, manifests in found:
        if isinstance(manifests, Problem):
            continue
        for manifest in manifests:
            for descriptor in manifest.layers:
                layer = layers.setdefault(descriptor.digest, _Layer(descriptor))
                if reference not in layer.references:
                    layer.references.append(reference)
    return layers
