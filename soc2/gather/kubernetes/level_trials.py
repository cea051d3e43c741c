"""Proves what guards the namespaces that claim no Pod Security level: pods that break baseline are sent, by dry-run.

Policies of any engine count by what they refuse, not by being there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.facts import server_minor
from soc2.gather.kubernetes.pod_search import ALTERATIONS, ENFORCE, Breaks, admitted_base, altered
from soc2.gather.kubernetes.probes import fine_image, inconclusive, probe_all, refused_by_policy
from soc2.gather.kubernetes.sources import NAMESPACES
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.subjects import standards_enforced
from soc2.model.probes import LevelProbe

_INVALID = 422


@dataclass(frozen=True)
class LevelTrials:
    """Tries each in-scope namespace without a level, until a pod that breaks baseline is admitted; ``breaks`` judges pods."""

    breaks: Breaks
    name: str = "dry-runs of pods that break baseline"

    def gather(self, gatherer: Gatherer) -> Listing[LevelProbe]:
        namespaces = gatherer.get(NAMESPACES)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        image = fine_image(gatherer.system.images)
        # Whoever enforces baseline by Pod Security's own defaults can only enforce what the server knows.
        version = standards_enforced("", server_minor(gatherer))
        calls = [
            partial(_try_level, gatherer.kubernetes, self.breaks, image, version, item.name)
            for item in namespaces.items
            if gatherer.system.in_scope(item.name) and item.labels.get(ENFORCE) not in ("baseline", "restricted")
        ]
        return probe_all(gatherer, self.name, "POST /api/v1/namespaces/*/pods?dryRun=All", calls, namespaces.statuses)

    def from_manifests(self) -> Listing[LevelProbe]:
        """There is nobody to ask, so nothing is proven."""
        return Listing((), ())


def _try_level(connection: KubeConnection, breaks: Breaks, image: str, version: str, namespace: str) -> LevelProbe:
    path = f"/api/v1/namespaces/{namespace}/pods"
    # Each pod that is tried differs from this one in one point, so a refusal can only be about that.
    base = admitted_base(connection, path, namespace, image, "baseline")
    refused = 0
    for choice in range(len(ALTERATIONS)):
        pod = altered(base, [choice])
        controls = breaks(pod, "baseline", version)
        if not controls:
            continue
        answer = connection.try_create(path, pod)
        if answer.status in (200, 201):
            return LevelProbe(namespace, refused, controls)
        if refused_by_policy(answer):
            refused += 1
        elif answer.status != _INVALID:
            # A pod that the API server itself finds invalid cannot exist and tells nothing; anything else is no answer.
            raise GatherError(inconclusive(namespace, answer), answer.status)
    return LevelProbe(namespace, refused, ())
