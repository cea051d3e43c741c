"""Searches for a pod that breaks what a namespace claims to enforce and is admitted all the same.

Every attempt is a server-side dry-run. The search is hypothesis': it is bounded by examples and seconds, begins from a seed
that is kept in the evidence, and shrinks what it finds to the smallest pod that shows the gap.
"""

from __future__ import annotations

import copy
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import yaml
from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.facts import server_minor
from soc2.gather.kubernetes.probes import fine_image, pod_of, probe_all
from soc2.gather.kubernetes.sources import NAMESPACES
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.subjects import standards_enforced
from soc2.model.population import Cause, Problem
from soc2.model.probes import SearchProbe

ENFORCE = "pod-security.kubernetes.io/enforce"
LATEST = "latest"
Json = dict[str, Any]
Breaks = Callable[[Json, str, str], tuple[str, ...]]
"""Names the controls of a level, in a version of the standards, that a pod breaks."""

_POD = "spec"
_CONTAINER = "spec.containers.0"
_SECURITY = f"{_CONTAINER}.securityContext"
_PRIVILEGED = f"{_SECURITY}.privileged"
_PORT = {"containerPort": 80}

# What may be wrong with a pod, as (path, value): at least one way to break each control of the Pod Security Standards.
ALTERATIONS: tuple[tuple[str, Any], ...] = (
    (f"{_POD}.hostNetwork", True),
    (f"{_POD}.hostPID", True),
    (f"{_POD}.hostIPC", True),
    (_PRIVILEGED, True),
    (f"{_POD}.volumes", [{"name": "v", "hostPath": {"path": "/"}}]),
    (f"{_POD}.volumes", [{"name": "v", "nfs": {"server": "nfs.example", "path": "/"}}]),
    (f"{_CONTAINER}.ports", [{**_PORT, "hostPort": 80}]),
    (f"{_SECURITY}.capabilities", {"add": ["SYS_ADMIN"]}),
    (f"{_SECURITY}.capabilities", {"add": ["NET_RAW"], "drop": ["ALL"]}),
    (f"{_SECURITY}.capabilities", {}),
    (f"{_SECURITY}.allowPrivilegeEscalation", True),
    (f"{_SECURITY}.allowPrivilegeEscalation", None),
    (f"{_SECURITY}.runAsNonRoot", False),
    (f"{_SECURITY}.runAsNonRoot", None),
    (f"{_SECURITY}.runAsUser", 0),
    (f"{_SECURITY}.seccompProfile", {"type": "Unconfined"}),
    (f"{_SECURITY}.seccompProfile", None),
    (f"{_SECURITY}.appArmorProfile", {"type": "Unconfined"}),
    (f"{_SECURITY}.seLinuxOptions", {"type": "spc_t"}),
    (f"{_SECURITY}.seLinuxOptions", {"user": "system_u"}),
    (f"{_SECURITY}.procMount", "Unmasked"),
    (f"{_SECURITY}.windowsOptions", {"hostProcess": True}),
    (f"{_POD}.hostUsers", False),
    (f"{_POD}.os", {"name": "windows"}),
    (f"{_POD}.runtimeClassName", "privileged"),
    (f"{_POD}.securityContext", {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}),
    (f"{_POD}.securityContext", {"seccompProfile": {"type": "Unconfined"}}),
    (f"{_POD}.securityContext", {"runAsUser": 0}),
    (f"{_CONTAINER}.livenessProbe", {"httpGet": {"port": 80, "host": "169.254.169.254"}}),
    (f"{_CONTAINER}.lifecycle", {"preStop": {"tcpSocket": {"port": 80, "host": "10.0.0.1"}}}),
    (f"{_POD}.initContainers", [{"name": "i", "securityContext": {"privileged": True}}]),
    (f"{_POD}.initContainers", [{"name": "i", "restartPolicy": "Always", "securityContext": {"runAsUser": 0}}]),
)
_CHOICES = st.lists(st.sampled_from(range(len(ALTERATIONS))), min_size=1, max_size=4, unique=True)


@dataclass(frozen=True)
class PodSearch:
    """Searches each in-scope namespace that claims a level; ``breaks`` judges pods, so that nothing is judged here."""

    breaks: Breaks
    # hypothesis and pytest both parse Python; on two threads at once, CPython 3.11 fails ("AST constructor recursion
    # depth mismatch").
    alone: ClassVar[bool] = True
    name: str = "search for a pod that is admitted and should not be"

    def gather(self, gatherer: Gatherer) -> Listing[SearchProbe]:
        namespaces = gatherer.get(NAMESPACES)
        if namespaces.exempt:
            return Listing((), (), namespaces.exempt)
        limits = gatherer.system.search
        image = fine_image(gatherer.system.images)
        server = server_minor(gatherer)
        seed = limits.seed if limits.seed is not None else random.SystemRandom().randrange(2**32)
        search = partial(_search, gatherer.kubernetes, self.breaks, image, seed, limits.examples, limits.seconds)
        calls = [
            partial(
                search, item.name, item.labels[ENFORCE], standards_enforced(item.labels.get(f"{ENFORCE}-version", ""), server)
            )
            for item in namespaces.items
            if gatherer.system.in_scope(item.name) and item.labels.get(ENFORCE) in ("baseline", "restricted")
        ]
        # hypothesis keeps its state in the process, so one namespace after the other.
        query = "POST /api/v1/namespaces/*/pods?dryRun=All"
        parameters = {"seed": seed, "examples": limits.examples, "seconds": limits.seconds}
        return probe_all(gatherer, self.name, query, calls, namespaces.statuses, parameters, at_once=1)


def altered(pod: Json, choices: list[int]) -> Json:
    """Return the pod with the chosen alterations, one after the other."""
    result = copy.deepcopy(pod)
    for choice in choices:
        path, value = ALTERATIONS[choice]
        *parents, last = path.split(".")
        place: Any = result
        for part in parents:
            place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
        if value is None:
            place.pop(last, None)
        elif last == "initContainers":
            image = result["spec"]["containers"][0]["image"]
            place[last] = [{**container, "image": image} for container in value]
        else:
            place[last] = copy.deepcopy(value)
        if path == _PRIVILEGED:
            # The API server takes no pod that says no to this and yes to that.
            place.pop("allowPrivilegeEscalation", None)
    return result


def _search(
    connection: KubeConnection,
    breaks: Breaks,
    image: str,
    seed: int,
    examples: int,
    seconds: float,
    namespace: str,
    level: str,
    version: str,
) -> SearchProbe:
    path = f"/api/v1/namespaces/{namespace}/pods"
    base = admitted_base(connection, path, namespace, image, level)
    ends = time.monotonic() + seconds
    tried = 0

    def gets_past(choices: list[int]) -> bool:
        nonlocal tried
        pod = altered(base, choices)
        if time.monotonic() > ends or not breaks(pod, level, LATEST):
            return False
        tried += 1
        return connection.try_create(path, pod).status in (200, 201)

    found = None
    options = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        # Most gaps let one thing through, so each is tried by itself before hypothesis combines them.
        chosen = next(([choice] for choice in range(len(ALTERATIONS)) if gets_past([choice])), None)
        if chosen is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                chosen = find(_CHOICES, gets_past, settings=options, random=random.Random(seed))  # noqa: S311
        found = altered(base, chosen)
    except NoSuchExample:
        pass
    if not tried:
        detail = f"{namespace}: the search ended before it tried anything; raise [search] seconds or examples"
        raise GatherError(Problem(Cause.INCONCLUSIVE, detail))
    if not found:
        return SearchProbe(namespace, level, version, tried, (), (), "")
    broken, broken_then = breaks(found, level, LATEST), breaks(found, level, version)
    return SearchProbe(namespace, level, version, tried, broken, broken_then, yaml.safe_dump(found, sort_keys=False))


def admitted_base(connection: KubeConnection, path: str, namespace: str, image: str, level: str) -> Json:
    """Return a pod that the namespace admits: the smallest one for its level, or the most careful one."""
    careful = pod_of(image)
    smallest = copy.deepcopy(careful)
    del smallest["spec"]["containers"][0]["securityContext"]
    del smallest["spec"]["containers"][0]["resources"]
    reason = ""
    for pod in (smallest, careful) if level == "baseline" else (careful,):
        answer = connection.try_create(path, pod)
        if answer.status in (200, 201):
            return pod
        reason = answer.reason
        if answer.status == 403 and " cannot create resource " in reason:
            detail = f"the examiner may not create pods in {namespace}, so admission was never asked"
            raise GatherError(Problem(Cause.DENIED, detail), answer.status)
    raise GatherError(Problem(Cause.INCONCLUSIVE, f"{namespace}: no pod at all is admitted to search from: {reason}"))
