"""The source of the signatures of the images that run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec

from soc2.gather.codec import canonical
from soc2.gather.kubernetes.connection import now
from soc2.gather.kubernetes.sources import NODES, PODS
from soc2.gather.problems import together
from soc2.gather.registry.client import ANSWER_SECONDS, RegistryClient
from soc2.gather.registry.failure import Deadline, PullError
from soc2.gather.registry.images import registry_logins, untold
from soc2.gather.registry.manifests import decoded, verified
from soc2.gather.registry.signatures import BUNDLE, NOTATION, PAYLOAD, read_bundle, read_payload
from soc2.gather.registry.signing_keys import SigningKey, load_keys
from soc2.gather.source import Gatherer, Listing
from soc2.model.image_reference import ImageReference, is_digest, parse_reference
from soc2.model.image_signatures import ImageSignature, ImageSignatures
from soc2.model.kubernetes.image_uses import RunningDigest, running_digests
from soc2.model.population import Cause, Problem

_AT_ONCE = 8
_MANIFEST_BYTES, _PAYLOAD_BYTES = 8 * 1024 * 1024, 4 * 1024 * 1024
_MOST = 100
"""How many signatures of an image are looked at."""
_MANIFEST = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_ANY_IMAGE = f"{_MANIFEST}, {_INDEX}, application/vnd.docker.distribution.manifest.list.v2+json"


class _Layer(msgspec.Struct):
    digest: str
    media_type: str = msgspec.field(default="", name="mediaType")
    artifact_type: str = msgspec.field(default="", name="artifactType")
    annotations: dict[str, str] | None = None


class _Manifest(msgspec.Struct):
    """A manifest, or an index of those that refer to an image."""

    layers: tuple[_Layer, ...] | None = None
    manifests: tuple[_Layer, ...] | None = None


@dataclass(frozen=True)
class ImageSigners:
    """The signatures of every image that pods in scope run, verified with the keys that are declared."""

    name: str = "signatures of images"

    def gather(self, gatherer: Gatherer) -> Listing[ImageSignatures]:
        pods, nodes = gatherer.get(PODS), gatherer.get(NODES)
        if pods.exempt:
            return Listing((), (), pods.exempt)
        started = now()
        keys = load_keys(gatherer.system.images.keys)
        in_scope = [pod for pod in pods.items if gatherer.system.in_scope(pod.namespace)]
        digests = list(running_digests(in_scope, nodes.items))
        # Without keys nothing could be verified, so nothing is asked for.
        wanted = sorted({digest.reference for digest in digests if digest.reference}) if keys else []
        named = _named(digests)
        registries, logins = gatherer.system.registries, registry_logins(gatherer)
        hosts = sorted({each.registry for each in wanted})
        clients = {name: RegistryClient(registries.host(name), partial(logins, name)) for name in hosts}
        deadline = Deadline(registries.limits.seconds, "reading all signatures")

        def look(reference: ImageReference) -> ImageSignatures | Problem:
            return signatures_of(clients[reference.registry], reference, keys, deadline, named.get(reference, ()))

        try:
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="signatures") as pool:
                answers = list(pool.map(look, wanted))
        finally:
            for client in clients.values():
                client.close()
        found = tuple(each for each in answers if isinstance(each, ImageSignatures))
        problems = [*untold(digests), *(each for each in answers if isinstance(each, Problem))]
        status = gatherer.evidence.answered(
            self.name,
            "GET manifests and payloads of signatures of running digests",
            identity="the declared credentials of each registry",
            started=started,
            pages=len(wanted),
            items=len(found),
            sha256=gatherer.evidence.keep(canonical(found)),
            problem=together(problems),
            parameters={"images": [str(each) for each in wanted], "keys": [key.name for key in keys]},
        )
        return Listing(found, (*pods.statuses, *nodes.statuses, status))


def _named(digests: Iterable[RunningDigest]) -> dict[ImageReference, tuple[ImageReference, ...]]:
    """Return what pods name by another digest than the one that runs: an index, where a runtime tells the image that the index
    has for its platform."""
    found: dict[ImageReference, dict[ImageReference, None]] = {}
    for digest in digests:
        image = next(each.image for _, each in digest.pod.spec.all_containers if each.name == digest.container)
        try:
            named = parse_reference(image).by_digest
        except ValueError:
            continue
        running = digest.reference
        if running and named.digest not in ("", running.digest) and replace(named, digest=running.digest) == running:
            found.setdefault(running, {})[named] = None
    return {running: tuple(names) for running, names in found.items()}


def signatures_of(
    client: RegistryClient,
    reference: ImageReference,
    keys: Iterable[SigningKey],
    deadline: Deadline,
    indexes: Iterable[ImageReference] = (),
) -> ImageSignatures | Problem:
    """Return the signatures of an image, or of one of ``indexes`` that has it, up to the first that a key verifies; a Problem
    when that cannot be told."""
    name = f"{reference.registry}/{reference.repository}"
    own = tuple(key for key in keys if key.signs(name))
    names = tuple(key.name for key in own)
    if not own:
        return ImageSignatures(image=str(reference))
    found: list[ImageSignature] = []
    try:
        for each in (reference, *indexes):
            reader = _Reader(client, each, own, deadline)
            for signature in reader.signatures():
                found.append(signature)
                if signature.key and (each is reference or reader.has(reference.digest)):
                    return ImageSignatures(image=str(reference), keys=names, signatures=(signature,))
        # A registry that does not know the image knows of no signatures either.
        verified(
            client,
            reference.repository,
            f"manifests/{reference.digest}",
            _ANY_IMAGE,
            reference.digest,
            _MANIFEST_BYTES,
            deadline,
        )
    except PullError as error:
        return Problem(error.problem.cause, f"{reference}: {error.problem.detail}")
    if unread := next((each for each in found if each.unread), None):
        return Problem(Cause.NOT_IMPLEMENTED, f"{reference}: {unread.place}: {unread.problem}")
    return ImageSignatures(image=str(reference), keys=names, signatures=tuple(each for each in found if not each.key))


@dataclass
class _Reader:
    client: RegistryClient
    reference: ImageReference
    keys: Sequence[SigningKey]
    deadline: Deadline
    read: int = field(default=0, init=False)

    def signatures(self) -> Iterator[ImageSignature]:
        """Yield what is found by tag, and then what refers to the image. Raises PullError."""
        tag = self.reference.digest.replace(":", "-")
        if own := self._manifest(f"manifests/{tag}.sig", _MANIFEST):
            yield from self._of(own, f"tag {tag[:19]}….sig")
        referrers = self._manifest(f"referrers/{self.reference.digest}", _INDEX)
        # Where a registry does not list what refers to an image, a tag does.
        referrers = referrers or self._manifest(f"manifests/{tag}", _INDEX)
        for each in (referrers.manifests or ()) if referrers else ():
            if each.artifact_type == NOTATION:
                problem = "it was made with Notation, and only those by a declared key are verified"
                yield ImageSignature(place=f"referrer {each.digest[:19]}…", problem=problem, unread=True)
            elif is_digest(each.digest) and _may_sign(each):
                self._count()
                body = self._verified(f"manifests/{each.digest}", _MANIFEST, each.digest, _MANIFEST_BYTES)
                yield from self._of(decoded(body, _Manifest, each.digest), f"referrer {each.digest[:19]}…")

    def has(self, digest: str) -> bool:
        """Tell whether it is an index that leads to a digest. Raises PullError."""
        own = self.reference.digest
        index = decoded(self._verified(f"manifests/{own}", _ANY_IMAGE, own, _MANIFEST_BYTES), _Manifest, own)
        return any(each.digest == digest for each in index.manifests or ())

    def _of(self, manifest: _Manifest, place: str) -> Iterator[ImageSignature]:
        for layer in manifest.layers or ():
            if not is_digest(layer.digest) or not (layer.media_type == PAYLOAD or layer.media_type.startswith(BUNDLE)):
                continue
            self._count()
            content = self._verified(f"blobs/{layer.digest}", "*/*", layer.digest, _PAYLOAD_BYTES)
            if layer.media_type == PAYLOAD:
                yield read_payload(content, layer.annotations or {}, self.reference, self.keys, place)
            else:
                yield from read_bundle(content, self.reference, self.keys, place)

    def _count(self) -> None:
        self.read += 1
        if self.read > _MOST:
            raise PullError(Cause.TRUNCATED, f"it has more than {_MOST} signatures and attestations")

    def _manifest(self, path: str, accept: str) -> _Manifest | None:
        """Return what is there, or None where there is nothing."""
        deadline = self.deadline.sooner(ANSWER_SECONDS, f"an answer of {self.client.transport.name}")
        try:
            with self.client.get(self.reference.repository, path, accept, deadline) as answer:
                body = answer.body(_MANIFEST_BYTES, deadline)
        except PullError as error:
            if error.problem.cause is Cause.ABSENT:
                return None
            raise
        return decoded(body, _Manifest, path)

    def _verified(self, path: str, accept: str, digest: str, limit: int) -> bytes:
        return verified(self.client, self.reference.repository, path, accept, digest, limit, self.deadline)


def _may_sign(referrer: _Layer) -> bool:
    """Tell whether what refers to an image may be a signature; where its kind is not told, it may be."""
    return not referrer.artifact_type or referrer.artifact_type.startswith((BUNDLE, "application/vnd.dev.cosign"))
