"""Objects of meshes as their API writes them, and endpoints to try them on."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from soc2.gather.codec import Codec
from soc2.model.deviation import Resource
from soc2.model.kubernetes.istio import AuthorizationPolicy, PeerAuthentication, Sidecar
from soc2.model.kubernetes.meta import KubeObject
from soc2.model.network.endpoints import Endpoint, NamedPort

K = TypeVar("K", bound=KubeObject)

_CODEC = Codec()


def decoded(kind: type[K], name: str, spec: dict[str, Any], **metadata: Any) -> K:
    """Decode an object; ``name`` reads ``namespace/name``."""
    namespace, _, own = name.rpartition("/")
    body = {"metadata": {"name": own, "namespace": namespace, **metadata}, "spec": spec}
    return _CODEC.decode(msgspec.json.encode(body), kind)


def peer(name: str, mode: str | None, labels: dict[str, str] | None = None, **more: Any) -> PeerAuthentication:
    """Make a PeerAuthentication; ``ports`` are modes by port, ``created`` a time."""
    ports, created = more.pop("ports", None), more.pop("created", None)
    spec: dict[str, Any] = {"mtls": {"mode": mode} if mode else None, **more}
    if labels is not None:
        spec["selector"] = {"matchLabels": labels}
    if ports:
        spec["portLevelMtls"] = {str(port): {"mode": each} for port, each in ports.items()}
    return decoded(PeerAuthentication, name, spec, **({"creationTimestamp": created} if created else {}))


def authorization(name: str, action: str | None, *rules: dict[str, Any], **spec: Any) -> AuthorizationPolicy:
    given = {"action": action} if action else {}
    return decoded(AuthorizationPolicy, name, {**given, "rules": list(rules), **spec})


def sidecar(name: str, **spec: Any) -> Sidecar:
    return decoded(Sidecar, name, spec)


def pod(name: str, *containers: str, **fields: Any) -> Endpoint:
    """Make a running pod ``namespace/name``; ``ports`` are numbers by name."""
    namespace, _, own = name.rpartition("/")
    resource = Resource("Pod", own, namespace)
    ports = tuple(NamedPort(port, "TCP", number) for port, number in fields.pop("ports", {}).items())
    return Endpoint(resource, resource, namespace, containers=("app", *containers), ports=ports, **fields)


def template(name: str, **fields: Any) -> Endpoint:
    namespace, _, own = name.rpartition("/")
    resource = Resource("Deployment", own, namespace)
    return Endpoint(resource, resource, namespace, containers=("app",), **fields)
