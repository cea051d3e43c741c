"""The settings of etcd and of the API server, from the command lines of their static pods in kube-system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from soc2.gather.codec import Codec
from soc2.gather.kubernetes.lists import gather_list
from soc2.gather.redaction import masked
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.control_plane import FALSE, FLAGS, NAMESPACE, SWITCHES, TRUE, Component, ComponentKind
from soc2.model.population import Cause, Problem, SourceStatus

_MIRROR = "kubernetes.io/config.mirror"
_ENDED = ("Succeeded", "Failed")
_SHOWN = 5


class _EnvVar(msgspec.Struct):
    name: str


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


class _Status(msgspec.Struct):
    phase: str = ""


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
    stands there may be a secret. What sets flags out of sight, such as a file, makes the evidence incomplete."""

    name: str = "control plane"
    path: str = f"/api/v1/namespaces/{NAMESPACE}/pods"

    def gather(self, gatherer: Gatherer) -> Listing[Component]:
        listing = gather_list(gatherer, self.name, self.path, "application/json", self.decode, _is_list)
        if listing.exempt or not all(status.complete for status in listing.statuses):
            return listing
        found = listing.items
        unseen = [f"{component.pod}: {why}" for component in found for _, why in component.unseen]
        if found and not gatherer.system.etcd.endpoints and not any(component.kind == "etcd" for component in found):
            unseen.append("the API server has an etcd that is no pod here; declare it under [etcd] endpoints")
        if not unseen:
            return listing
        detail = "; ".join(unseen[:_SHOWN]) + f"; and {len(unseen) - _SHOWN} more" * (len(unseen) > _SHOWN)
        problem = Problem(Cause.INCONCLUSIVE, detail)
        status = SourceStatus(self.name, "flags of the control plane", 0, len(found), None, problem)
        return Listing(listing.items, (*listing.statuses, status))

    def decode(self, codec: Codec, body: bytes) -> tuple[Component, ...]:
        """Decode the pods of a page, and leave out those of other software. Raises msgspec.DecodeError."""
        del codec
        return tuple(_component(kind, pod) for pod in _PODS.decode(body).items or () if (kind := _kind(pod)))


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
    if container is None:
        return Component(kind=kind, pod=pod.metadata.name, unseen=(("*", "none of its containers has its name"),))
    words = [*(container.command or ()), *(container.args or ())]
    start = _start(words, kind, named=bool(container.command))
    if start is None:
        why = "it is started by something else, such as a shell, which gives it its flags"
        return Component(kind=kind, pod=pod.metadata.name, unseen=(("*", why),))
    settings = tuple(_settings(words[start:], kind))
    given = dict(settings)
    if kind == "etcd" and _settings_file(given, container):
        # Etcd passes over all other flags then.
        return Component(kind=kind, pod=pod.metadata.name, unseen=(("*", "its settings stand in a file (config-file)"),))
    unseen = tuple(_unseen_flags(kind, given, container))
    return Component(kind=kind, pod=pod.metadata.name, settings=settings, unseen=unseen)


def _settings_file(given: dict[str, str], container: _Container) -> bool:
    return bool(given.get("config-file")) or any(each.name == "ETCD_CONFIG_FILE" for each in container.env or ())


def _start(words: list[str], kind: ComponentKind, *, named: bool) -> int | None:
    """Return where the flags begin, or None where the program itself is not called by what stands there."""
    if not named:
        return 0
    # Runners such as go-runner name the program behind two dashes.
    first = words.index("--") + 1 if "--" in words else 0
    return next((at + 1 for at in (0, first) if words[at : at + 1] and words[at].rpartition("/")[2] == kind), None)


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


def _unseen_flags(kind: ComponentKind, given: dict[str, str], container: _Container) -> Iterator[tuple[str, str]]:
    """Yield the flags whose value the command line does not show, and why."""
    for flag, value in given.items():
        if any("$(" in part.partition("://")[0] for part in value.split(",")):
            yield flag, f"the value of --{flag} comes from its environment"
        elif flag in SWITCHES and value not in TRUE | FALSE:
            yield flag, f"the value of --{flag} is no boolean"
    if kind != "etcd":
        return
    for variable in container.env or ():
        flag = variable.name.removeprefix("ETCD_").lower().replace("_", "-")
        if variable.name.startswith("ETCD_") and flag in FLAGS[kind] and flag not in given:
            yield flag, f"--{flag} is set by its environment ({variable.name})"
    if container.env_from:
        yield "*", "its environment comes from elsewhere (envFrom)"
