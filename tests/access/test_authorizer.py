"""Our answer to "may this caller do that" equals the real authorizer's, on RBAC objects that hypothesis makes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.gather.codec import Codec
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.model.access.rbac import Authorizer, Caller, PathQuestion, Question, caller_of, node_caller, service_account
from soc2.model.kubernetes.joins import cluster_role_rules, grants
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.rbac import ClusterRole, ClusterRoleBinding, Role, RoleBinding, Subject

pytestmark = pytest.mark.controlplane

RBAC = "/apis/rbac.authorization.k8s.io/v1"
_EACH = 40
# 1,000 questions in the default profile.
_QUESTIONS = _EACH * (settings().max_examples // 12)
_SERIAL = itertools.count()
Json = dict[str, Any]

NAMESPACES = ("rbac-a", "rbac-b")
VERBS = ("get", "list", "update", "create", "use", "*")
GROUPS = ("", "apps", "*")
RESOURCES = ("pods", "pods/log", "pods/*", "*", "*/log", "*/exec", "deployments", "deployments/scale", "secrets", "nodes")
NAMES = ("x", "y")
PATHS = ("/metrics", "/logs", "/logs/kubelet.log", "/logs/*", "/me*", "*", "/healthz", "/custom")


def some(values: tuple[str, ...], least: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=2, unique=True)


RESOURCE_RULE = st.fixed_dictionaries(
    {"verbs": some(VERBS), "apiGroups": some(GROUPS), "resources": some(RESOURCES)}, optional={"resourceNames": some(NAMES)}
)
PATH_RULE = st.fixed_dictionaries({"verbs": some(("get", "post", "*")), "nonResourceURLs": some(PATHS)})
USERS = ("user-a", "user-b")
USER_GROUPS = ("group-a", "group-b", "system:authenticated", "system:serviceaccounts:rbac-a", "system:unauthenticated")
SUBJECT = (
    st.sampled_from(USERS).map(lambda name: {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"})
    | st.sampled_from(USER_GROUPS).map(lambda name: {"kind": "Group", "name": name, "apiGroup": "rbac.authorization.k8s.io"})
    | st.sampled_from(NAMESPACES).map(lambda namespace: {"kind": "ServiceAccount", "name": "default", "namespace": namespace})
)
BINDING = st.fixed_dictionaries(
    {
        "subjects": st.lists(SUBJECT, min_size=1, max_size=2),
        "namespace": st.sampled_from(["", *NAMESPACES]),
        "role": st.sampled_from(["rules", "paths", "aggregated", "role", "missing"]),
    }
)
WORLD = st.fixed_dictionaries(
    {
        "rules": st.lists(RESOURCE_RULE, min_size=1, max_size=3),
        "paths": st.lists(PATH_RULE, max_size=2),
        "role": st.lists(RESOURCE_RULE, min_size=1, max_size=2),
        "bindings": st.lists(BINDING, min_size=1, max_size=4),
    }
)
CALLER = (
    st.builds(
        Caller,
        st.sampled_from([*USERS, "nobody"]),
        st.frozensets(st.sampled_from([*USER_GROUPS[:3]]), max_size=2),
    )
    | st.builds(service_account, st.sampled_from(NAMESPACES), st.sampled_from(["default", "other"]))
    | st.sampled_from(["node-a", "node-b"]).map(node_caller)
    | st.just(Caller("root", frozenset({"system:masters"})))
    | st.just(Caller("system:anonymous", frozenset({"system:unauthenticated"})))
)
QUESTION = st.builds(
    Question,
    st.sampled_from(["get", "list", "update", "create", "delete", "use", "patch"]),
    st.sampled_from(["", "", "", "apps", "coordination.k8s.io"]),
    st.sampled_from(
        [
            "pods",
            "pods/log",
            "pods/exec",
            "pods/status",
            "deployments",
            "deployments/scale",
            "secrets",
            "configmaps",
            "nodes",
            "nodes/status",
            "serviceaccounts/token",
            "persistentvolumeclaims",
            "leases",
            "services",
        ]
    ),
    st.sampled_from(["", *NAMESPACES, "kube-node-lease"]),
    st.sampled_from(["", *NAMES, "node-a", "default"]),
) | st.builds(
    PathQuestion, st.sampled_from(["get", "post"]), st.sampled_from(["/metrics", "/logs", "/logs/a", "/version", "/x"])
)


def _concrete(value: str) -> st.SearchStrategy[str]:
    """What a rule's value may be meant to cover, or is just beside it."""
    resource, slash, subresource = value.partition("/")
    if slash:
        return st.sampled_from([resource, f"pods/{subresource}", f"{resource}/log", "pods/log"]).map(
            lambda text: text.replace("*/", "deployments/").replace("/*", "/exec").replace("*", "pods")
        )
    return st.sampled_from([value, f"{value}/log"]).map(lambda text: text.replace("*", "secrets"))


@st.composite
def aimed(draw: st.DrawFn, world: Json) -> tuple[Caller, Question | PathQuestion]:
    """Ask on behalf of somebody who is bound about what a rule speaks of, or about something close to it."""
    binding = draw(st.sampled_from(world["bindings"]))
    subject = draw(st.sampled_from(binding["subjects"]))
    caller = caller_of(Subject(subject["kind"], subject["name"], subject.get("namespace", "")))
    chosen = {"rules": ["rules"], "paths": ["paths"], "role": ["role"]}.get(binding["role"], ["rules", "paths"])
    rules = [rule for name in chosen for rule in world[name]] or world["rules"]
    rule = draw(st.sampled_from(rules))
    verb = draw(st.sampled_from([*rule["verbs"], "delete"])).replace("*", "list")
    if "nonResourceURLs" in rule:
        path = draw(st.sampled_from(rule["nonResourceURLs"]))
        return caller, PathQuestion(verb, draw(st.sampled_from([path, path + "x", path.rstrip("*")])).replace("*", "b") or "/")
    return caller, Question(
        verb,
        draw(st.sampled_from(rule["apiGroups"])).replace("*", "batch"),
        draw(st.sampled_from(rule["resources"]).flatmap(_concrete)),
        draw(st.sampled_from([binding["namespace"], binding["namespace"], *NAMESPACES])),
        draw(st.sampled_from([*rule.get("resourceNames", [""]), "", "x"])),
    )


CASE = WORLD.flatmap(
    lambda world: st.tuples(
        st.just(world), st.lists(aimed(world) | aimed(world) | st.tuples(CALLER, QUESTION), min_size=_EACH, max_size=_EACH)
    )
)


@pytest.fixture(scope="module")
def api(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    connection = KubeConnection(control_plane.kubeconfig("tester", ("system:masters",)))
    for namespace in NAMESPACES:
        connection.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
    pods = f"/api/v1/namespaces/{NAMESPACES[0]}/pods"
    pod = {
        "metadata": {"name": "x"},
        "spec": {
            "nodeName": "node-a",
            "volumes": [
                {"name": "s", "secret": {"secretName": "x"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "x"}},
            ],
            "containers": [
                {
                    "name": "a",
                    "image": "a",
                    "env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "y", "key": "k"}}}],
                }
            ],
        },
    }
    connection.request("POST", "/api/v1/nodes", body={"metadata": {"name": "node-a"}})
    assert wait_until(lambda: connection.try_create(pods, pod).status == 201, 20.0)
    connection.request("POST", pods, body=pod)
    settled = Question("get", "", "secrets", NAMESPACES[0], "x")
    assert wait_until(lambda: asked(connection, node_caller("node-a"), settled), 20.0)
    yield connection
    connection.request("DELETE", f"{pods}/x", {"gracePeriodSeconds": "0"})
    connection.close()


def listed(api: KubeConnection, kind: type[Any], plural: str, group: str = RBAC) -> tuple[Any, ...]:
    items = json.loads(api.request("GET", f"{group}/{plural}").body)["items"]
    return tuple(Codec().decode(msgspec.json.encode(item), kind) for item in items)


def asked(api: KubeConnection, caller: Caller, question: Question | PathQuestion) -> bool:
    spec: Json = {"user": caller.user, "groups": sorted(caller.groups)}
    if isinstance(question, PathQuestion):
        spec["nonResourceAttributes"] = {"verb": question.verb, "path": question.path}
    else:
        resource, _, subresource = question.resource.partition("/")
        spec["resourceAttributes"] = {
            "verb": question.verb,
            "group": question.group,
            "version": "v1",
            "resource": resource,
            "subresource": subresource,
            "namespace": question.namespace,
            "name": question.name,
        }
    answer = api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body={"spec": spec})
    return bool(json.loads(answer.body)["status"]["allowed"])


def create(api: KubeConnection, world: Json, serial: int) -> list[str]:
    """Create the objects of a world and return their paths."""
    made: list[str] = []

    def post(path: str, body: Json) -> None:
        api.request("POST", path, body=body)
        made.append(f"{path}/{body['metadata']['name']}")

    label = {f"aggregate-{serial}": "true"}
    for name, labels in (("rules", label), ("paths", label)):
        metadata = {"name": f"{name}-{serial}", "labels": labels}
        post(f"{RBAC}/clusterroles", {"metadata": metadata, "rules": world[name]})
    aggregation = {"clusterRoleSelectors": [{"matchLabels": label}]}
    post(f"{RBAC}/clusterroles", {"metadata": {"name": f"aggregated-{serial}"}, "aggregationRule": aggregation, "rules": []})
    for namespace in NAMESPACES:
        path = f"{RBAC}/namespaces/{namespace}/roles"
        post(path, {"metadata": {"name": f"role-{serial}"}, "rules": world["role"]})
    for index, binding in enumerate(world["bindings"]):
        namespace = binding["namespace"]
        kind = "Role" if binding["role"] == "role" and namespace else "ClusterRole"
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": f"{binding['role']}-{serial}"}
        path = f"{RBAC}/namespaces/{namespace}/rolebindings" if namespace else f"{RBAC}/clusterrolebindings"
        post(path, {"metadata": {"name": f"b{index}-{serial}"}, "subjects": binding["subjects"], "roleRef": reference})
    return made


def settle(api: KubeConnection, serial: int) -> list[str]:
    """Wait until controllers and the authorizer's caches have caught up: what was made last of each kind holds."""

    def aggregated() -> bool:
        roles = listed(api, ClusterRole, "clusterroles")
        wanted = cluster_role_rules(roles)[f"aggregated-{serial}"]
        found = next(role.rules or () for role in roles if role.name == f"aggregated-{serial}")
        return set(wanted) == set(found)

    assert wait_until(aggregated, 20.0)
    rules = [{"verbs": ["get"], "apiGroups": ["sentinel"], "resources": ["sentinels"]}]
    name, made = f"sentinel-{serial}", []
    for place, role, binding in (
        (RBAC, "clusterroles", "clusterrolebindings"),
        (f"{RBAC}/namespaces/{NAMESPACES[0]}", "roles", "rolebindings"),
    ):
        user = {"kind": "User", "name": f"{name}-{role}", "apiGroup": "rbac.authorization.k8s.io"}
        reference = {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role" if role == "roles" else "ClusterRole",
            "name": name,
        }
        api.request("POST", f"{place}/{role}", body={"metadata": {"name": name}, "rules": rules})
        api.request("POST", f"{place}/{binding}", body={"metadata": {"name": name}, "subjects": [user], "roleRef": reference})
        made += [f"{place}/{role}/{name}", f"{place}/{binding}/{name}"]
        namespace = NAMESPACES[0] if role == "roles" else ""
        question = Question("get", "sentinel", "sentinels", namespace)
        caller = Caller(f"{name}-{role}", frozenset({"x"}))
        assert wait_until(lambda c=caller, q=question: asked(api, c, q), 20.0)  # type: ignore[misc]
    return made


def test_our_answers_are_those_of_the_real_authorizer(api: KubeConnection) -> None:
    seen: list[bool] = []

    @settings(
        max_examples=-(-_QUESTIONS // _EACH),
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
    @given(CASE)
    def agree(case: tuple[Json, list[tuple[Caller, Question | PathQuestion]]]) -> None:
        world, questions = case
        serial = next(_SERIAL)
        made = create(api, world, serial)
        try:
            made += settle(api, serial)
            cluster_roles = listed(api, ClusterRole, "clusterroles")
            joined = grants(
                listed(api, Role, "roles"),
                cluster_roles,
                listed(api, RoleBinding, "rolebindings"),
                listed(api, ClusterRoleBinding, "clusterrolebindings"),
            )
            node_rules = next(role.rules or () for role in cluster_roles if role.name == "system:node")
            ours = Authorizer(joined, node_rules, listed(api, Pod, "pods", "/api/v1"))
            with ThreadPoolExecutor(8) as pool:
                theirs = list(pool.map(lambda pair: asked(api, *pair), questions))
            wrong = [
                (caller, question, answer)
                for (caller, question), answer in zip(questions, theirs, strict=True)
                if ours.allows(caller, question) != answer
            ]
            assert wrong == [], "the last value is the real authorizer's answer"
            seen.extend(theirs)
        finally:
            for path in made:
                api.request("DELETE", path)

    agree()
    assert len(seen) >= _QUESTIONS
    assert seen.count(True) > len(seen) // 5, "too few questions are answered with yes to tell anything"
