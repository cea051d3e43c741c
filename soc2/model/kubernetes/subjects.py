"""Pods and pod templates in one form: what the rules on pod specifications judge."""

from __future__ import annotations

from dataclasses import dataclass

from soc2.model.deviation import Resource
from soc2.model.kubernetes.meta import Metadata
from soc2.model.kubernetes.pods import Pod, PodSpec
from soc2.model.kubernetes.workloads import AnyWorkload

LATEST_STANDARDS = 36
"""The newest version of the Pod Security Standards that is known, as the minor number of the Kubernetes release."""


def standards_of(version: str) -> int:
    """Return the minor number of ``v1.24``; anything else is the newest, as Pod Security itself takes it."""
    major, _, minor = version.partition(".")
    return int(minor) if major == "v1" and minor.isdecimal() else LATEST_STANDARDS


def standards_enforced(pinned: str, server: int | None) -> str:
    """Return the version of the standards that a server of a minor version holds a namespace to that pins another one.

    No server knows later versions than its own. ``latest`` stands for the newest that is known.
    """
    enforced = min(standards_of(pinned), LATEST_STANDARDS if server is None else server)
    return "latest" if enforced >= LATEST_STANDARDS else f"v1.{enforced}"


@dataclass(frozen=True)
class PodSubject:
    """A running pod, or the template of a workload. ``metadata`` is that of the pod or of the template, ``workload`` that of
    the workload which the template belongs to.

    ``standards`` is the version of the Pod Security Standards that it is held to.
    """

    resource: Resource
    metadata: Metadata
    spec: PodSpec
    standards: int = LATEST_STANDARDS
    workload: Metadata | None = None


def pod_subjects(pods: tuple[Pod, ...], workloads: tuple[AnyWorkload, ...]) -> tuple[PodSubject, ...]:
    """Return every pod, and every template that no other listed workload made.

    A ReplicaSet of a Deployment repeats its template; what differs from it shows on the pods, which are all here.
    """
    listed = {workload.metadata.uid for workload in workloads if workload.metadata.uid}
    own = (
        workload
        for workload in workloads
        if not any(owner.controller and owner.uid in listed for owner in workload.metadata.owner_references)
    )
    return (
        *(PodSubject(pod.resource, pod.metadata, pod.spec) for pod in pods),
        *(
            PodSubject(workload.resource, workload.template.metadata, workload.template.spec, workload=workload.metadata)
            for workload in own
        ),
    )
