"""Effective rights in a cluster, as its authorizers answer: RBAC, the node authorizer and ``system:masters``.

Written after the behaviour of Kubernetes 1.36 (the RBAC and node authorizers); the suite's tests compare the answers with
those of the real API server. Wildcards: ``*`` for a resource covers subresources too, ``*/name`` one subresource of all
resources, ``pods/*`` nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from soc2.model.kubernetes.joins import Grant
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.rbac import PolicyRule, Subject

MASTERS = "system:masters"
_NODE_USER = "system:node:"
_NODES = "system:nodes"


@dataclass(frozen=True)
class Caller:
    """Who asks: the user name and the groups that authentication found."""

    user: str
    groups: frozenset[str] = frozenset()

    @property
    def node(self) -> str:
        """Return the node's name when the caller is a kubelet, else the empty string."""
        return self.user.removeprefix(_NODE_USER) if self.user.startswith(_NODE_USER) and _NODES in self.groups else ""


@dataclass(frozen=True)
class Question:
    """May the caller do ``verb`` on ``resource`` (``resource`` or ``resource/subresource``)?

    ``namespace`` is empty for cluster-scoped resources and for all namespaces, ``name`` for all objects.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True)
class PathQuestion:
    """May the caller do ``verb`` on a path that is no resource, such as ``/metrics``?"""

    verb: str
    path: str


def caller_of(subject: Subject, namespace: str = "") -> Caller:
    """Return the caller that a binding's subject stands for; a group stands for a caller with just that group.

    ``namespace`` is the binding's: a ServiceAccount without one of its own is in it.
    """
    if subject.kind == "ServiceAccount":
        return service_account(subject.namespace or namespace, subject.name)
    if subject.kind == "Group":
        return Caller("", frozenset({subject.name}))
    return Caller(subject.name, frozenset({"system:authenticated"}))


def service_account(namespace: str, name: str) -> Caller:
    groups = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"}
    return Caller(f"system:serviceaccount:{namespace}:{name}", frozenset(groups))


def node_caller(name: str) -> Caller:
    return Caller(f"{_NODE_USER}{name}", frozenset({_NODES, "system:authenticated"}))


def resource_matches(rule: PolicyRule, resource: str) -> bool:
    """Tell whether a rule's resources cover a resource or ``resource/subresource``."""
    subresource = resource.partition("/")[2]
    return "*" in rule.resources or resource in rule.resources or bool(subresource and f"*/{subresource}" in rule.resources)


def rule_allows(rule: PolicyRule, question: Question | PathQuestion) -> bool:
    """Tell whether one rule allows what is asked."""
    if not ("*" in rule.verbs or question.verb in rule.verbs):
        return False
    if isinstance(question, PathQuestion):
        return any(_path_matches(pattern, question.path) for pattern in rule.non_resource_urls)
    return (
        ("*" in rule.api_groups or question.group in rule.api_groups)
        and resource_matches(rule, question.resource)
        and (not rule.resource_names or question.name in rule.resource_names)
    )


def _path_matches(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


class Authorizer:
    """Answers as the cluster's own chain of authorizers: ``system:masters``, nodes, then RBAC.

    ``node_rules`` are those of the ClusterRole ``system:node``, which the node authorizer holds without any binding;
    ``pods`` tell it which objects a node needs. Both may be empty where nobody asks about nodes.
    """

    def __init__(self, grants: Iterable[Grant], node_rules: Iterable[PolicyRule] = (), pods: Iterable[Pod] = ()) -> None:
        self._by_user: dict[str, list[Grant]] = {}
        self._by_group: dict[str, list[Grant]] = {}
        self._node_rules = tuple(node_rules)
        self._pods = tuple(pods)
        for grant in grants:
            for subject in grant.subjects:
                if subject.kind == "Group":
                    self._by_group.setdefault(subject.name, []).append(grant)
                elif subject.kind == "User":
                    self._by_user.setdefault(subject.name, []).append(grant)
                elif subject.namespace or grant.namespace:
                    user = service_account(subject.namespace or grant.namespace, subject.name).user
                    self._by_user.setdefault(user, []).append(grant)

    def grants_of(self, caller: Caller) -> Iterator[Grant]:
        """Yield every binding that holds for a caller, by its name or one of its groups."""
        yield from self._by_user.get(caller.user, ())
        for group in sorted(caller.groups):
            yield from self._by_group.get(group, ())

    def allows(self, caller: Caller, question: Question | PathQuestion) -> bool:
        """Tell whether the API server would say yes."""
        if MASTERS in caller.groups:
            return True
        if caller.node and self._allows_node(caller.node, question):
            return True
        namespace = question.namespace if isinstance(question, Question) else ""
        return any(
            any(rule_allows(rule, question) for rule in grant.rules)
            for grant in self.grants_of(caller)
            if not grant.namespace or grant.namespace == namespace
        )

    def _allows_node(self, node: str, question: Question | PathQuestion) -> bool:
        if isinstance(question, Question):
            decided = self._node_decision(node, question)
            if decided is not None:
                return decided
        return any(rule_allows(rule, question) for rule in self._node_rules)

    def _node_decision(self, node: str, question: Question) -> bool | None:
        """Return what the node authorizer says of the resources that it treats by itself, or None for all others."""
        resource, _, subresource = question.resource.partition("/")
        verb, name = question.verb, question.name
        own = name == node
        match (question.group, resource):
            case ("", "secrets" | "configmaps"):
                reads = verb in ("get", "list", "watch") and not subresource and bool(question.namespace) and bool(name)
                return reads and (resource, question.namespace, name) in self._needed_by.get(node, ())
            case ("", "persistentvolumeclaims"):
                allowed = (verb == "get" and not subresource) or (verb in ("update", "patch") and subresource == "status")
                return allowed and (resource, question.namespace, name) in self._needed_by.get(node, ())
            case ("", "serviceaccounts"):
                asks = verb == "create" and subresource == "token" and bool(name)
                return asks and (resource, question.namespace, name) in self._needed_by.get(node, ())
            case ("", "nodes"):
                reads = verb in ("get", "list", "watch") and own
                writes = verb in ("create", "update", "patch") and subresource == ""
                return (reads and not subresource) or writes or (subresource == "status" and verb in ("update", "patch"))
            case ("", "pods"):
                runs_here = (resource, question.namespace, name) in self._needed_by.get(node, ())
                if not subresource:
                    return verb in ("create", "delete") or (verb in ("get", "list", "watch") and runs_here)
                return (subresource == "status" and verb in ("update", "patch")) or (
                    subresource == "eviction" and verb == "create"
                )
            case ("coordination.k8s.io", "leases"):
                mine = own or (verb == "create" and not name)
                verbs = ("get", "create", "update", "patch", "delete")
                return verb in verbs and question.namespace == "kube-node-lease" and mine and not subresource
            case ("storage.k8s.io", "csinodes"):
                mine = own or (verb == "create" and not name)
                return verb in ("get", "create", "update", "patch", "delete") and mine and not subresource
        return None

    @cached_property
    def _needed_by(self) -> dict[str, set[tuple[str, str, str]]]:
        """Return, by node, the objects (resource, namespace, name) that its pods need."""
        needed: dict[str, set[tuple[str, str, str]]] = {}
        for pod in self._pods:
            if pod.spec.node_name:
                needed.setdefault(pod.spec.node_name, set()).update(_needs(pod))
        return needed


_VOLUME_RESOURCES = {"secret": "secrets", "configMap": "configmaps", "persistentVolumeClaim": "persistentvolumeclaims"}


def _needs(pod: Pod) -> Iterator[tuple[str, str, str]]:
    yield "pods", pod.namespace, pod.name
    yield "serviceaccounts", pod.namespace, pod.spec.service_account_name or "default"
    for volume in pod.spec.volumes:
        if volume.kind in _VOLUME_RESOURCES and volume.reference:
            yield _VOLUME_RESOURCES[volume.kind], pod.namespace, volume.reference
    for _, container in pod.spec.all_containers:
        for variable in container.env:
            source = variable.value_from
            if source and source.secret_key_ref:
                yield "secrets", pod.namespace, source.secret_key_ref.name
            if source and source.config_map_key_ref:
                yield "configmaps", pod.namespace, source.config_map_key_ref.name
