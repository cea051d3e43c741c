"""The log canary, a writing probe: a pod that prints one line and ends, and is deleted whatever becomes of the line."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.probes import RESTRICTED_CONTEXT, create_for_probe
from soc2.gather.logs.canary import CanarySearch
from soc2.gather.logs.sightings import MARK
from soc2.gather.source import Gatherer, Listing
from soc2.model.canaries import CanaryPath
from soc2.model.logs import LogKind
from soc2.model.population import Cause, Problem
from soc2.system import System

# Past the time that is given to its line, a pod that still waits for its image need not start any more.
_GRACE_SECONDS = 60


class _Status(msgspec.Struct):
    phase: str = ""
    reason: str = ""


class _Pod(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


_POD = msgspec.json.Decoder(_Pod)


@dataclass(frozen=True)
class LogCanary:
    """One pod in the namespace of writing probes; one item for each declared log of containers.

    Measured is the time from the answer that the pod was created to the first sight of its line: starting it is part of it.
    """

    name: str = "log canary"

    def gather(self, gatherer: Gatherer) -> Listing[CanaryPath]:
        system = gatherer.system
        exempt = system.kubernetes.absent or system.logs.absence(LogKind.CONTAINER)
        if exempt:
            return Listing((), (), exempt)
        search = CanarySearch(gatherer, self.name, system.logs.of(LogKind.CONTAINER), system.logs.log_canary_seconds)
        writer = _Writer(gatherer.kubernetes, system)
        try:
            return search.run(writer.write, 1, doubt=writer.doubt)
        finally:
            writer.delete()


@dataclass
class _Writer:
    connection: KubeConnection
    system: System
    made: list[str] = field(default_factory=list)

    @property
    def _pods(self) -> str:
        return f"/api/v1/namespaces/{self.system.probes.namespace}/pods"

    def write(self, digits: str) -> None:
        """Create the pod that prints the canary of these digits. Raises GatherError."""
        image, allowed = self.system.logs.canary_image, self.system.images.allowed_registries
        if image is None:
            raise GatherError(Problem(Cause.ABSENT, "[logs] canary_image names no image with the command echo"))
        if allowed and not image.startswith(tuple(f"{registry.rstrip('/')}/" for registry in allowed)):
            raise GatherError(Problem(Cause.INCONCLUSIVE, "[logs] canary_image comes from none of the allowed registries"))
        name = f"{MARK}-{digits}"
        # Before the answer: a pod whose answer is lost may exist all the same.
        self.made.append(name)
        body = _pod(name, image, f"{MARK}/{digits}", self._deadline)
        create_for_probe(self.connection, self._pods, body, self.system.probes.namespace)

    def doubt(self) -> Problem | None:
        """Return why a pod may have printed nothing."""
        try:
            status = _POD.decode(self.connection.request("GET", f"{self._pods}/{self.made[-1]}").body).status
        except GatherError as error:
            return error.problem
        except msgspec.DecodeError:
            return Problem(Cause.MALFORMED, "the answer is no pod")
        if status.phase == "Succeeded":
            return None
        found = ", ".join(filter(None, (status.phase, status.reason))) or "of no phase"
        return Problem(Cause.INCONCLUSIVE, f"the pod has not printed its line: it is {found}")

    def delete(self) -> None:
        for name in self.made:
            # It ends by itself and does nothing; the namespace takes no other pod while it is there, so it will be noticed.
            with suppress(GatherError):
                self.connection.request("DELETE", f"{self._pods}/{name}", {"gracePeriodSeconds": "0"})

    @property
    def _deadline(self) -> int:
        return self.system.logs.log_canary_seconds + _GRACE_SECONDS


def _pod(name: str, image: str, line: str, deadline_seconds: int) -> dict[str, Any]:
    little = {"cpu": "10m", "memory": "16Mi"}
    container = {
        "name": "canary",
        "image": image,
        "command": ["echo", line],
        "securityContext": {**RESTRICTED_CONTEXT, "readOnlyRootFilesystem": True},
        "resources": {"requests": little, "limits": little},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "soc2-controls"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "activeDeadlineSeconds": deadline_seconds,
            "containers": [container],
        },
    }
