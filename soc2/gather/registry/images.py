"""The source of what is in the images that run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from soc2.declared_images import Registries
from soc2.gather.codec import canonical
from soc2.gather.kubernetes.connection import now
from soc2.gather.kubernetes.sources import NODES, PODS
from soc2.gather.problems import together
from soc2.gather.registry.assembly import assembled
from soc2.gather.registry.credentials import Login, Logins, read_logins
from soc2.gather.registry.ecr import ecr_login, ecr_region
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.kept import KeptFacts, cache_folder
from soc2.gather.registry.pulling import Pulled, Puller
from soc2.gather.registry.secrets import ScannedSecrets
from soc2.gather.source import Gatherer, Listing
from soc2.model.image_content import ImageContent, SecretFinder
from soc2.model.image_reference import ImageReference
from soc2.model.kubernetes.image_uses import RunningDigest, running_digests
from soc2.model.population import Cause, Problem


@dataclass(frozen=True)
class RunningImages:
    """What is in every image that pods in scope run, pulled from its registry by digest."""

    name: str = "images"

    def gather(self, gatherer: Gatherer) -> Listing[ImageContent]:
        pods, nodes = gatherer.get(PODS), gatherer.get(NODES)
        if pods.exempt:
            return Listing((), (), pods.exempt)
        started = now()
        in_scope = [pod for pod in pods.items if gatherer.system.in_scope(pod.namespace)]
        digests = list(running_digests(in_scope, nodes.items))
        secrets = ScannedSecrets(gatherer.codec.redactor.scanner)
        rules = image_rules(gatherer.system.images.yara_rules)
        puller = Puller(
            gatherer.system.registries,
            registry_logins(gatherer),
            KeptFacts(cache_folder(), rules.key),
            Inspector(rules, secrets),
        )
        try:
            pulled = puller.pull(_wanted(digests))
        finally:
            puller.close()
        found = tuple(content for each in pulled for content in _contents(each, secrets))
        status = gatherer.evidence.answered(
            self.name,
            "GET manifests, configurations and layers of running digests",
            identity="the declared credentials of each registry",
            started=started,
            pages=len(pulled),
            items=len(found),
            sha256=gatherer.evidence.keep(canonical(found)),
            problem=together([*untold(digests), *_problems(pulled)]),
            parameters={
                "images": [str(each.reference) for each in pulled],
                "layers_read": puller.layers_read,
                "layers_known": puller.layers_known,
            },
        )
        return Listing(found, (*pods.statuses, *nodes.statuses, status))


def _wanted(digests: Iterable[RunningDigest]) -> dict[ImageReference, frozenset[str]]:
    """Return the references in their order, each with the platforms it runs on; none when one of them is not known."""
    platforms: dict[ImageReference, set[str]] = {}
    for digest in digests:
        if digest.reference:
            platforms.setdefault(digest.reference, set()).add(digest.platform)
    return {
        reference: frozenset() if "" in platforms[reference] else frozenset(platforms[reference])
        for reference in sorted(platforms)
    }


def registry_logins(gatherer: Gatherer) -> Logins:
    """Return what gives the login at a registry: a declared one or, at one of ECR, the account's. Raises UsageError."""
    registries: Registries = gatherer.system.registries
    declared = read_logins(Path(registries.credentials)) if registries.credentials else {}

    def login(registry: str) -> Login | None:
        if registry in declared:
            return declared[registry]
        region = ecr_region(registry)
        if region and not gatherer.system.aws.absent:
            return ecr_login(gatherer.aws, registry, region)
        return None

    return login


def _contents(pulled: Pulled, secrets: SecretFinder) -> Iterator[ImageContent]:
    for manifest in pulled.manifests:
        yield assembled(str(pulled.reference), manifest, pulled.facts, secrets)


def _problems(pulled: Iterable[Pulled]) -> Iterator[Problem]:
    """Yield what kept images from being read, once where it is the same for several of them."""
    images: dict[Problem, list[ImageReference]] = {}
    for each in pulled:
        for problem in each.problems:
            images.setdefault(problem, []).append(each.reference)
    for problem, references in images.items():
        others = len(references) - 1
        more = f" and {others} more image{'s' * (others > 1)}" if others else ""
        yield Problem(problem.cause, f"{references[0]}{more}: {problem.detail}")


def untold(digests: Iterable[RunningDigest]) -> Iterator[Problem]:
    """Yield a problem for each container whose image is not told by digest."""
    for digest in digests:
        if digest.reference is None:
            yield Problem(Cause.INCONCLUSIVE, f"{digest.place}: nothing tells the digest and the repository of its image")
