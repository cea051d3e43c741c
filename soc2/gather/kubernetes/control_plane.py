"""The settings of etcd and of the API server, from the command lines of their static pods in kube-system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from soc2.gather.codec import Codec
from soc2.gather.kubernetes.lists import gather_list
from soc2.gather.redaction import masked
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.control_plane import (
    ETCD_FLAGS,
    FALSE,
    FLAGS,
    NAMESPACE,
    SWITCHES,
    TRUE,
    Component,
    ComponentKind,
)
from soc2.model.network.places import Place, ascii_host, is_address
from soc2.model.population import Cause, Problem, SourceStatus

_MIRROR = "kubernetes.io/config.mirror"
_ENDED = ("Succeeded", "Failed")
_SHOWN = 5
_USUAL_PORTS = (2379, 2380)
_RUNNERS = ("go-runner", "kube-log-runner")


class _EnvVar(msgspec.Struct, rename="camel"):
    name: str
    value: str | None = None
    value_from: dict[str, Any] | None = None

    @property
    def is_empty(self) -> bool:
        return self.value_from is None and not self.value

    @property
    def is_seen(self) -> bool:
        return self.value_from is None and "$(" not in (self.value or "")


class _Container(msgspec.Struct, rename="camel"):
    name: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    env: list[_EnvVar] | None = None
    env_from: list[msgspec.Raw] | None = None


class _Spec(msgspec.Struct):
    containers: list[_Container] = []


class _Metadata(msgspec.Struct):
    name: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Address(msgspec.Struct):
    ip: str = ""


class _Status(msgspec.Struct, rename={"host_ip": "hostIP", "pod_ips": "podIPs"}):
    phase: str = ""
    host_ip: str = ""
    pod_ips: list[_Address] | None = None


class _Pod(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


class _Pods(msgspec.Struct):
    items: list[_Pod] | None


_PODS = msgspec.json.Decoder(_Pods)


@dataclass(frozen=True)
class ControlPlane:
    """One item for each pod of etcd and of the API server. Of their command lines only known flags are kept: what else
    stands there may be a secret. What sets flags out of sight, such as a file, makes the evidence incomplete, where it is a
    flag of ``asked``, which are those that rules ask for."""

    name: str = "control plane"
    asked: tuple[tuple[ComponentKind, tuple[str, ...]], ...] = (("etcd", ("*",)), ("kube-apiserver", ETCD_FLAGS))
    path: str = f"/api/v1/namespaces/{NAMESPACE}/pods"

    def gather(self, gatherer: Gatherer) -> Listing[Component]:
        listing = gather_list(gatherer, self.name, self.path, "application/json", self.decode, _is_list)
        if listing.exempt or not all(status.complete for status in listing.statuses):
            return listing
        places = gatherer.system.etcd.places
        asked = dict(self.asked)
        unseen = [text for each in listing.items for text in _out_of_sight(each, asked.get(each.kind, ()), places)]
        if "etcd" in asked:
            unseen += _undeclared(listing.items, places)
        if not unseen:
            return listing
        detail = "; ".join(unseen[:_SHOWN]) + f"; and {len(unseen) - _SHOWN} more" * (len(unseen) > _SHOWN)
        problem = Problem(Cause.INCONCLUSIVE, detail)
        status = SourceStatus(self.name, "flags of the control plane", 0, len(listing.items), None, problem)
        return Listing(listing.items, (*listing.statuses, status))

    def decode(self, codec: Codec, body: bytes) -> tuple[Component, ...]:
        """Decode the pods of a page, and leave out those of other software. Raises msgspec.DecodeError."""
        del codec
        return tuple(_component(kind, pod) for pod in _PODS.decode(body).items or () if (kind := _kind(pod)))


def _out_of_sight(component: Component, asked: Sequence[str], places: Sequence[Place]) -> Iterator[str]:
    """Yield the flags that are asked for and not seen; but where clients' and peers' ports of an etcd are tried, what they
    do counts."""
    tried = {place.port for place in places if place.host in component.addresses}
    if component.kind == "etcd" and len(tried) > 1:
        return
    mend = ""
    if component.kind == "etcd" and component.addresses:
        mend = f"; declare {' and '.join(str(Place(component.addresses[0], port)) for port in _USUAL_PORTS)} to have it tried"
    for flag, why in component.unseen:
        if asked and ("*" in (flag, *asked) or flag in asked):
            yield f"{component.pod}: {why}{mend}"


def _undeclared(found: Sequence[Component], places: Sequence[Place]) -> Iterator[str]:
    """Yield what of an etcd that is no pod is not tried either, because its places are not declared."""
    if any(component.kind == "etcd" for component in found):
        return
    if not places:
        if found:
            yield "the API server has an etcd that is no pod here; declare it under [etcd] endpoints"
        return
    # Its members may be known by other names on their own machine, which is where the API server asks them then.
    used = {url for component in found for url in component.values("etcd-servers") if not _is_local(url)}
    for url in sorted(used):
        if not any(_names(url, place) for place in places):
            yield f"the API server uses {url}, which is not declared under [etcd] endpoints"
    if len({place.port for place in places}) == 1:
        why = f"only endpoints with the port {places[0].port} are declared"
        yield f"{why}; declare those of its clients and of its peers (2379 and 2380, as a rule), as host:port"


def _names(url: str, place: Place) -> bool:
    host, port = _host_and_port(url)
    return host == place.host and port in (None, place.port)


def _is_local(url: str) -> bool:
    host, _ = _host_and_port(url)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")


def _host_and_port(url: str) -> tuple[str, int | None]:
    """Return the host of a URL as a Place has it, empty where there is none, and its port."""
    try:
        parts = urlsplit(url)
        return ascii_host(parts.hostname or ""), parts.port
    except ValueError:
        return "", None


def _is_list(kind: str) -> bool:
    return kind.endswith("List")


def _kind(pod: _Pod) -> ComponentKind | None:
    if pod.status.phase in _ENDED:
        return None
    label = (pod.metadata.labels or {}).get("component")
    static = _MIRROR in (pod.metadata.annotations or {})
    names = {container.name for container in pod.spec.containers}
    return next((kind for kind in FLAGS if label == kind or (static and kind in names)), None)


def _component(kind: ComponentKind, pod: _Pod) -> Component:
    containers = pod.spec.containers
    container = next((each for each in containers if each.name == kind), containers[0] if len(containers) == 1 else None)
    addresses = _addresses(pod.status) if kind == "etcd" else ()
    component = partial(Component, kind=kind, pod=pod.metadata.name, addresses=addresses)
    if container is None:
        return component(unseen=(("*", "none of its containers has its name"),))
    words = [*(container.command or ()), *(container.args or ())]
    if not words:
        return component(unseen=(("*", "its image gives it its command line"),))
    start = _start(words, kind, named=bool(container.command))
    if start is None:
        why = "it is started by something else, such as a shell, which gives it its flags"
        return component(unseen=(("*", why),))
    settings = tuple(_settings(words[start:], kind))
    hidden: list[tuple[str, str]] = []
    if kind == "etcd":
        variables = _etcd_variables(container)
        given = dict(settings)
        if given.get("config-file") or "config-file" in variables:
            # Etcd passes over all other settings then.
            return component(unseen=(("*", "its settings stand in a file (config-file)"),))
        # What the command line says wins.
        added = [(flag, variable) for flag, variable in variables.items() if flag not in given]
        settings = (*((flag, masked(each.value or "")) for flag, each in added if each.is_seen), *settings)
        hidden += [(flag, f"--{flag} is set by its environment ({each.name})") for flag, each in added if not each.is_seen]
        hidden += [("*", "its environment comes from elsewhere (envFrom)")] * bool(container.env_from)
    return component(settings=settings, unseen=(*_unreadable(dict(settings)), *hidden))


def _addresses(status: _Status) -> tuple[str, ...]:
    """Return where the node of a pod of etcd is reached: such a pod has the network of its node."""
    told = (status.host_ip, *(each.ip for each in status.pod_ips or ()))
    return tuple(dict.fromkeys(ascii_host(each) for each in told if is_address(each)))


def _etcd_variables(container: _Container) -> dict[str, _EnvVar]:
    """Return the variables that set known flags of etcd. One that is empty sets nothing; the last one of a name counts."""
    named = {each.name: each for each in container.env or ()}
    known = {f"ETCD_{flag.upper().replace('-', '_')}": flag for flag in FLAGS["etcd"]}
    return {flag: named[name] for name, flag in sorted(known.items()) if name in named and not named[name].is_empty}


def _start(words: list[str], kind: ComponentKind, *, named: bool) -> int | None:
    """Return where the flags begin, or None where the program itself is not called by what stands there."""
    if not named:
        return 0
    # Runners that only keep the log name the program behind flags of their own.
    called = [word.rpartition("/")[2] for word in words]
    sought = called if called[0] in _RUNNERS else called[:1]
    return sought.index(kind) + 1 if kind in sought else None


def _settings(words: list[str], kind: ComponentKind) -> Iterator[tuple[str, str]]:
    """Yield the known flags in their order. One or two dashes are the same to Go; a value is behind ``=`` or the next word,
    but a switch has one behind ``=`` only. The API server takes an underscore for a dash."""
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            return
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if kind == "kube-apiserver":
            name = name.replace("_", "-")
        if name not in FLAGS[kind]:
            continue
        if not equals and name in SWITCHES:
            value = "true"
        elif not equals:
            value = words[index] if index < len(words) else ""
            index += 1
        yield name, masked(value)


def _unreadable(given: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the flags whose value cannot be told from what is given, and why."""
    for flag, value in given.items():
        if any("$(" in part.partition("://")[0] for part in value.split(",")):
            yield flag, f"the value of --{flag} comes from its environment"
        elif flag in SWITCHES and value not in TRUE | FALSE:
            yield flag, f"the value of --{flag} is no boolean"
