"""The endpoints of a cluster: its running pods, and a template of every workload that has none and may make some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from soc2.model.deviation import Resource
from soc2.model.fingerprint import Annotations
from soc2.model.kubernetes.meta import Metadata
from soc2.model.kubernetes.owners import Owners
from soc2.model.kubernetes.pods import Container, Pod, PodSpec, PodStatus
from soc2.model.kubernetes.workloads import AnyWorkload, Job
from soc2.model.network.endpoints import Endpoint, NamedPort

_FINISHED = ("Succeeded", "Failed")
_MESHES = ("istio.io", "linkerd.io")
"""Domains of the annotations that a mesh reads."""


def endpoints_of(pods: Sequence[Pod], workloads: Sequence[AnyWorkload]) -> tuple[Endpoint, ...]:
    """Return every pod that is not finished, and the template of every workload that none of these belongs to, but for
    Jobs that are finished.

    What finally owns a pod is looked for over the listed workloads (Pod, ReplicaSet, Deployment); where an owner is not
    among them, it is what the last owner reference names.
    """
    owners = Owners(workloads)
    running = tuple(
        _endpoint(pod.resource, owners.outermost(pod), pod.metadata, pod.spec, pod.status)
        for pod in pods
        if pod.status.phase not in _FINISHED
    )
    served = {endpoint.workload for endpoint in running}
    templates = (
        _endpoint(each.resource, owners.outermost(each), _of_template(each), each.template.spec, PodStatus())
        for each in workloads
        if not owners.listed(each) and owners.outermost(each) not in served and not (isinstance(each, Job) and each.finished)
    )
    return (*running, *templates)


def _of_template(workload: AnyWorkload) -> Metadata:
    template = workload.template.metadata
    return Metadata(namespace=workload.namespace, labels=template.labels, annotations=template.annotations)


def _endpoint(resource: Resource, workload: Resource, metadata: Metadata, spec: PodSpec, status: PodStatus) -> Endpoint:
    serving = tuple(_serving(spec))
    return Endpoint(
        resource=resource,
        workload=workload,
        namespace=metadata.namespace,
        labels=metadata.labels or {},
        service_account=spec.service_account_name or "default",
        host_network=spec.host_network,
        ports=tuple(
            NamedPort(port.name, port.protocol, port.container_port) for each in serving for port in each.ports if port.name
        ),
        addresses=_addresses(spec, status),
        node=spec.node_name,
        containers=tuple(each.name for each in serving),
        annotations=_of_meshes(metadata.annotations),
    )


def _serving(spec: PodSpec) -> Iterator[Container]:
    """Yield the containers that run along: an init container that is always restarted is a sidecar."""
    yield from spec.containers
    yield from (each for each in spec.init_containers if each.restart_policy == "Always")


def _addresses(spec: PodSpec, status: PodStatus) -> tuple[str, ...]:
    known = tuple(each.ip for each in status.pod_ips if each.ip) or (status.pod_ip,)
    return tuple(filter(None, known)) or tuple(filter(None, (status.host_ip if spec.host_network else "",)))


def _of_meshes(annotations: Annotations) -> dict[str, str]:
    texts = {name: annotations.text(name) for name in annotations if name.partition("/")[0].endswith(_MESHES)}
    return {name: text for name, text in texts.items() if text is not None}
