"""What counts as a policy on images that refuses: each engine's own ways of not doing so are told."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from soc2.catalog import all_checks
from soc2.judge import Verdict
from soc2.model.outcome import Outcome
from tests.case import Case, run_check

CHECK = next(check for check in all_checks() if check.id == "signature-policy-enforced")
PODS = [{"apiGroups": [""], "resources": ["pods"], "operations": ["CREATE"]}]
HOOKS: list[dict[str, Any]] = [
    {"metadata": {"name": name}, "webhooks": [{"name": name, "rules": PODS}]}
    for name in ("validate.kyverno.svc-fail", "policy.sigstore.dev", "validation.gatekeeper.sh")
]
POLICIES: dict[str, dict[str, Any]] = {
    "clusterpolicies.kyverno.io": {
        "validationFailureAction": "Enforce",
        "rules": [
            {
                "name": "all",
                "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
                "verifyImages": [{"imageReferences": ["registry.example/*"], "attestors": [{"entries": []}]}],
            }
        ],
    },
    "policies.kyverno.io": {
        "rules": [
            {
                "name": "all",
                "match": {"resources": {"kinds": ["Deployment", "v1/Pod"]}},
                "exclude": {"any": [{"resources": {"namespaces": ["kube-*"]}}]},
                "preconditions": {"all": [{"key": "{{request.operation}}", "operator": "NotEquals", "value": "DELETE"}]},
                "verifyImages": [{"imageReferences": ["*"], "failureAction": "Enforce", "attestors": [{}]}],
            }
        ],
    },
    "imagevalidatingpolicies.policies.kyverno.io": {
        "matchConstraints": {"resourceRules": PODS},
        "matchImageReferences": [{"glob": "registry.example/team/*"}],
        "validations": [{"expression": "images.containers.all(image, verifyImageSignatures(image, [attestors.ours]) > 0)"}],
    },
    "clusterimagepolicies.policy.sigstore.dev": {
        "images": [{"glob": "registry.example/team/*"}],
        "authorities": [{"name": "ours", "key": {"data": "..."}}],
    },
    "ratifyverification.constraints.gatekeeper.sh": {"match": {"kinds": [{"apiGroups": [""], "kinds": ["Pod"]}]}},
    "validatingadmissionpolicies": {
        "matchConstraints": {"resourceRules": PODS},
        "variables": [{"name": "images", "expression": "object.spec.containers.map(c, c.image)"}],
        "validations": [{"expression": "variables.images.all(i, i.startsWith('registry.example/team/'))"}],
    },
}
KYVERNO, IMAGES, SIGSTORE = (
    "clusterpolicies.kyverno.io",
    "imagevalidatingpolicies.policies.kyverno.io",
    "clusterimagepolicies.policy.sigstore.dev",
)
OWN, RATIFY, VAP = "policies.kyverno.io", "ratifyverification.constraints.gatekeeper.sh", "validatingadmissionpolicies"
NAMESPACED = f"namespaced{IMAGES}"
POLICIES[NAMESPACED] = POLICIES[IMAGES]
KYVERNO_RULE = POLICIES[KYVERNO]["rules"][0]
ANYBODY = {"keyless": {"subject": "*", "issuer": "https://token.example"}}
OPERATION = {"key": "{{ request.operation || 'BACKGROUND' }}", "operator": "Equals"}
CREATED = {**OPERATION, "operator": "AnyIn", "value": ["CREATE", "UPDATE"]}
RULE, PART = "rules.0", "rules.0.verifyImages.0"


def told(kind: str, *changes: tuple[str, Any], **sources: Any) -> str:
    """Return the deviations of a namespace with one policy, whose specification is changed at dotted paths."""
    return "\n".join(item.deviation.message for item in judged(kind, *changes, **sources).deviations)


def judged(kind: str, *changes: tuple[str, Any], **sources: Any) -> Verdict:
    spec = copy.deepcopy(POLICIES[kind])
    for path, value in changes:
        *parents, last = path.split(".")
        place: Any = spec
        for part in parents:
            place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
        place[last] = value
    given = {
        "namespaces": [{"metadata": {"name": "shop", "labels": {"team": "a"}}}],
        "validatingwebhookconfigurations": HOOKS,
        "validatingadmissionpolicybindings": [
            {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"]}}
        ],
        kind: [{"metadata": {"name": "p", **({"namespace": "shop"} if kind in (OWN, NAMESPACED) else {})}, "spec": spec}],
        **sources,
    }
    system = {"admission": {"exclusions": ["p -> condition known"]}}
    return run_check(CHECK, Case(given, system))


@pytest.mark.parametrize("kind", POLICIES)
def test_a_policy_that_refuses_is_enough(kind: str) -> None:
    assert told(kind) == ""


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind != VAP])
def test_without_its_engine_a_policy_does_nothing(kind: str) -> None:
    assert "does nothing: no webhook asks" in told(kind, validatingwebhookconfigurations=[])


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind != VAP])
def test_an_engine_that_is_not_asked_here_does_nothing(kind: str) -> None:
    hooks = copy.deepcopy(HOOKS)
    for hook in hooks:
        hook["webhooks"][0]["namespaceSelector"] = {"matchLabels": {"images": "guarded"}}
    assert "about pods of this namespace" in told(kind, validatingwebhookconfigurations=hooks)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (KYVERNO, [("validationFailureAction", "audit")], "only does audit"),
        (KYVERNO, [(f"{PART}.failureAction", "Audit")], "only does Audit"),
        (
            KYVERNO,
            [("validationFailureActionOverrides", [{"action": "Audit", "namespaces": ["sh*"]}])],
            "only does Audit",
        ),
        (
            KYVERNO,
            [("validationFailureActionOverrides", [{"action": "Audit", "namespaceSelector": {"matchLabels": {"team": "a"}}}])],
            "only does Audit",
        ),
        (KYVERNO, [("admission", False)], "not evaluated when pods are admitted"),
        (KYVERNO, [(f"{PART}.attestors", [])], "it has no attestors"),
        (KYVERNO, [(f"{PART}.imageReferences", ["other.example/*"])], "no policy looks at images of registry.example/team"),
        (KYVERNO, [(f"{PART}.imageReferences", ["registry.example/team:*"])], "no policy looks at images"),
        (KYVERNO, [(f"{PART}.skipImageReferences", ["registry.example/team/*"])], "skips images"),
        (KYVERNO, [(f"{RULE}.match.any.0.resources.namespaces", ["other"])], "does not match all pods"),
        (KYVERNO, [(f"{RULE}.match.any.0.resources.kinds", ["Deployment"])], "does not match all pods"),
        (KYVERNO, [(f"{RULE}.match.any.0.resources.operations", ["UPDATE"])], "does not match all pods"),
        (KYVERNO, [(f"{RULE}.match.any.0.subjects", [{"kind": "User", "name": "ci"}])], "does not match all pods"),
        (KYVERNO, [(f"{RULE}.match.any.0.resources.selector", {"matchLabels": {"a": "b"}})], "does not match all pods"),
        (
            KYVERNO,
            [(f"{RULE}.match.all", [{"resources": {"kinds": ["Pod"], "namespaces": ["x"]}}])],
            "does not match all pods",
        ),
        (KYVERNO, [(f"{RULE}.exclude", {"any": [{"resources": {"namespaces": ["shop"]}}]})], "excludes pods"),
        (KYVERNO, [(f"{RULE}.exclude", {"any": [{"subjects": [{"kind": "User", "name": "ci"}]}]})], "excludes pods"),
        (KYVERNO, [(f"{RULE}.match.any.0.resources.annotations", {"a": "b"})], "does not match all pods"),
        (KYVERNO, [(f"{PART}.required", False)], "does not require what it verifies"),
        (KYVERNO, [("failurePolicy", "Ignore")], "failurePolicy Ignore"),
        (KYVERNO, [("webhookConfiguration.failurePolicy", "Ignore")], "failurePolicy Ignore"),
        (KYVERNO, [("webhookConfiguration.matchConditions", [{"name": "new", "expression": "true"}])], "(condition new)"),
        (KYVERNO, [("applyRules", "One"), ("rules", [{"name": "first"}, KYVERNO_RULE])], "applyRules One"),
        (
            KYVERNO,
            [(f"{PART}.imageReferences", ["registry.example/*:v*"])],
            "such as registry.example/team/soc2-probe:soc",
        ),
        (IMAGES, [("failurePolicy", "Ignore")], "failurePolicy Ignore"),
        (IMAGES, [("matchConstraints.excludeResourceRules", PODS)], "is not about all pods"),
        (IMAGES, [("matchConstraints.resourceRules", [{**PODS[0], "resourceNames": ["web"]}])], "is not about all pods"),
        (NAMESPACED, [("validationActions", ["Audit"])], "only does Audit"),
        (SIGSTORE, [("images", [{"glob": "*/*"}])], "no policy looks at images"),
        (RATIFY, [("match.name", "web-*")], "looks at some pods only (name web-*)"),
        (RATIFY, [("match.source", "Generated")], "source Generated"),
        (VAP, [("failurePolicy", "Ignore")], "failurePolicy Ignore"),
        (VAP, [("matchConstraints.excludeResourceRules", PODS)], "is bound to other requests"),
        (VAP, [("matchConstraints.resourceRules", [{**PODS[0], "resourceNames": ["web"]}])], "is bound to other requests"),
        (VAP, [("matchConstraints.resourceRules", [{**PODS[0], "scope": "Cluster"}])], "there is none"),
        (IMAGES, [("validationActions", ["Audit", "Warn"])], "only does Audit, Warn"),
        (IMAGES, [("evaluation", {"admission": {"enabled": False}})], "not evaluated when pods are admitted"),
        (IMAGES, [("evaluation", {"mode": "JSON"})], "not evaluated when pods are admitted"),
        (IMAGES, [("validations", [])], "verifies nothing"),
        (IMAGES, [("matchConstraints.namespaceSelector", {"matchLabels": {"team": "b"}})], "does not select this namespace"),
        (IMAGES, [("matchConstraints.objectSelector", {"matchLabels": {"team": "b"}})], "looks at some pods only"),
        (IMAGES, [("matchConditions", [{"name": "new", "expression": "true"}])], "(condition new)"),
        (IMAGES, [("matchImageReferences", [{"glob": "other.example/*"}])], "no policy looks at images"),
        (SIGSTORE, [("mode", "warn")], "only does warn"),
        (SIGSTORE, [("authorities", [{"name": "ours"}, {"static": {"action": "pass"}}])], "lets everything pass"),
        (SIGSTORE, [("authorities", [{"keyless": {"identities": [{"subjectRegExp": ".*"}]}}])], "signatures of anybody"),
        (SIGSTORE, [("authorities", [{"keyless": {"identities": [{"issuer": "https://a.example"}]}}])], "of anybody"),
        (KYVERNO, [(f"{PART}.attestors", [{"entries": [ANYBODY]}])], "takes signatures of anybody"),
        (KYVERNO, [(f"{PART}.attestors", [{"count": 1, "entries": [ANYBODY, {"keys": {}}]}])], "takes signatures of anybody"),
        (SIGSTORE, [("images", [])], "is about no images"),
        (SIGSTORE, [("images", [{"glob": "registry.example/*"}])], "no policy looks at images"),
        (SIGSTORE, [("match", [{"resource": "deployments", "group": "apps"}])], "looks at some pods only"),
        (SIGSTORE, [("match", [{"resource": "pods", "selector": {"matchLabels": {"a": "b"}}}])], "looks at some pods only"),
        (RATIFY, [("enforcementAction", "dryrun")], "only does dryrun"),
        (RATIFY, [("enforcementAction", "scoped")], "only does nothing"),
        (RATIFY, [("match.excludedNamespaces", ["sho*"])], "leaves this namespace out"),
        (RATIFY, [("match.namespaces", ["other"])], "leaves this namespace out"),
        (RATIFY, [("match.kinds", [{"apiGroups": ["apps"], "kinds": ["Deployment"]}])], "is not about pods"),
        (RATIFY, [("match.labelSelector", {"matchLabels": {"a": "b"}})], "looks at some pods only"),
        (VAP, [("matchConditions", [{"name": "new", "expression": "true"}])], "(condition new)"),
        (VAP, [("matchConstraints.resourceRules", [{**PODS[0], "operations": ["UPDATE"]}])], "there is none"),
        (VAP, [("variables", []), ("validations", [{"expression": "has(object.metadata.labels)"}])], "there is none"),
    ],
)
def test_what_does_not_refuse_is_told(kind: str, changes: list[tuple[str, Any]], words: str) -> None:
    assert words in told(kind, *changes)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (KYVERNO, [("validationFailureActionOverrides", [{"action": "Audit", "namespaces": ["other"]}])]),
        (KYVERNO, [("validationFailureAction", "Audit"), (f"{PART}.failureAction", "enforce")]),
        (KYVERNO, [(f"{RULE}.match.any.0.resources.namespaceSelector", {"matchLabels": {"team": "a"}})]),
        (KYVERNO, [(f"{PART}.imageReferences", []), (f"{PART}.image", "*"), (f"{PART}.attestors", []), (f"{PART}.key", "k")]),
        (IMAGES, [("matchConditions", [{"name": "known", "expression": "true"}])]),
        (IMAGES, [("matchImageReferences", [])]),
        (KYVERNO, [(f"{RULE}.preconditions", {"any": [CREATED, {"key": "{{ request.object }}"}]})]),
        (KYVERNO, [(f"{RULE}.exclude.all", [{"resources": {"namespaces": ["other"]}}, {"resources": {"kinds": ["Pod"]}}])]),
        (SIGSTORE, [("images", [{"glob": "**"}])]),
        (SIGSTORE, [("authorities", [{"keyless": {"identities": [{"subject": "ci@team.example"}]}}])]),
        (KYVERNO, [(f"{PART}.attestors", [{"entries": [ANYBODY, {"keys": {}}]}])]),
        (KYVERNO, [(f"{PART}.attestors", [{"entries": [{"keyless": {"subject": "https://github.com/team/*"}}]}])]),
        (SIGSTORE, [("match", [{"resource": "pods", "version": "v1"}])]),
        (
            RATIFY,
            [
                ("enforcementAction", "scoped"),
                ("scopedEnforcementActions", [{"action": "deny", "enforcementPoints": [{"name": "*"}]}]),
            ],
        ),
        (VAP, [("matchConditions", [{"name": "known", "expression": "true"}])]),
    ],
)
def test_other_ways_to_refuse_count(kind: str, changes: list[tuple[str, Any]]) -> None:
    assert told(kind, *changes) == ""


@pytest.mark.parametrize(
    ("kind", "policy"), [(OWN, "Policy/shop/p (rule all)"), (NAMESPACED, "NamespacedImageValidatingPolicy/shop/p")]
)
def test_a_policy_of_another_namespace_is_not_this_ones(kind: str, policy: str) -> None:
    two = [{"metadata": {"name": "shop"}}, {"metadata": {"name": "tools"}}]
    assert told(kind, namespaces=two) == f"no policy on images is enforced here: {policy} is another namespace's"


CEL_EXCEPTION = [{"metadata": {"name": "e", "namespace": "shop"}, "spec": {"policyRefs": [{"name": "p"}]}}]


@pytest.mark.parametrize(
    ("kind", "changes", "sources", "words"),
    [
        (KYVERNO, [(f"{RULE}.preconditions", [{"key": "{{ request.object.metadata.labels.x }}"}])], {}, "under preconditions"),
        (KYVERNO, [(f"{RULE}.preconditions", {"any": [{**OPERATION, "value": "UPDATE"}]})], {}, "under preconditions"),
        (
            KYVERNO,
            [(f"{RULE}.preconditions", {"all": [CREATED, {**OPERATION, "value": "UPDATE"}]})],
            {},
            "under preconditions",
        ),
        (KYVERNO, [(f"{RULE}.preconditions", [{**CREATED, "operator": "AnyNotIn"}])], {}, "under preconditions"),
        (KYVERNO, [(f"{RULE}.celPreconditions", [{"name": "x", "expression": "true"}])], {}, "under preconditions"),
        (IMAGES, [("matchImageReferences", [{"expression": "true"}])], {}, "names its images in CEL"),
        (IMAGES, [("validations", [{"expression": "true"}])], {}, "asks for no signature"),
        (SIGSTORE, [("authorities", [{"static": {"action": "pass"}}]), ("policy", {"type": "rego"})], {}, "Rego or CUE"),
        (IMAGES, [], {"policyexceptions.policies.kyverno.io": CEL_EXCEPTION}, "has exceptions"),
        (NAMESPACED, [], {"policyexceptions.policies.kyverno.io": CEL_EXCEPTION}, "has exceptions"),
        (
            VAP,
            [("validations", [{"expression": "variables.images.all(i, !i.endsWith('latest'))"}])],
            {},
            "reads images in CEL",
        ),
    ],
)
def test_what_is_not_evaluated_is_no_evidence(
    kind: str, changes: list[tuple[str, Any]], sources: dict[str, Any], words: str
) -> None:
    verdict = judged(kind, *changes, **sources)
    assert (verdict.outcome, verdict.deviations) == (Outcome.EVIDENCE_MISSING, ())
    assert words in verdict.reason
    # Beside a policy that is enough it takes nothing away.
    own = {"metadata": {"name": "q", "namespace": "shop"}, "spec": POLICIES[OWN]}
    assert judged(kind, *changes, **{**sources, OWN: [own]}).outcome is Outcome.PASS


def test_a_webhook_that_only_resolves_tags_does_not_ask_for_signatures() -> None:
    sources = {"validatingwebhookconfigurations": [], "mutatingwebhookconfigurations": HOOKS}
    assert "no webhook asks" in told(SIGSTORE, **sources)
    assert told(KYVERNO, **sources) == ""


VALIDATE = {"name": "registries", "match": {"any": [{"resources": {"kinds": ["Pod"]}}]}, "validate": {"message": "no"}}
READS_IMAGES = {"validations": [{"expression": "object.spec.containers.all(c, c.image.startsWith('registry.example/'))"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "known"),
    [
        ("validatingpolicies.policies.kyverno.io", READS_IMAGES, False),
        ("validatingpolicies.policies.kyverno.io", {"validations": [{"expression": "has(object.metadata.labels)"}]}, True),
        ("k8sallowedrepos.constraints.gatekeeper.sh", {"parameters": {"repos": ["registry.example/"]}}, False),
        ("k8simagedigests.constraints.gatekeeper.sh", {}, False),
        (KYVERNO, {"validationFailureAction": "Enforce", "rules": [VALIDATE]}, False),
        (KYVERNO, {"validationFailureAction": "Enforce", "rules": [{**VALIDATE, "name": "labels"}]}, True),
    ],
)
def test_other_kinds_of_policies_on_images_leave_it_open(kind: str, spec: dict[str, Any], known: bool) -> None:
    sources = {"namespaces": [{"metadata": {"name": "shop"}}], kind: [{"metadata": {"name": "p"}, "spec": spec}]}
    assert run_check(CHECK, Case(sources)).outcome is (Outcome.FAIL if known else Outcome.EVIDENCE_MISSING)


@pytest.mark.parametrize("kind", [kind for kind in POLICIES if kind != VAP])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"failurePolicy": "Ignore"}, "failurePolicy Ignore"),
        ({"objectSelector": {"matchLabels": {"a": "b"}}}, "objects by label"),
        ({"matchConditions": [{"name": "some", "expression": "true"}]}, "condition some"),
        ({"rules": [{**PODS[0], "operations": ["UPDATE"]}]}, "about pods of this namespace"),
    ],
)
def test_an_engine_has_to_be_asked_about_all_pods(kind: str, change: dict[str, Any], words: str) -> None:
    hooks = [{**hook, "webhooks": [{**hook["webhooks"][0], **change}]} for hook in HOOKS]
    assert words in told(kind, validatingwebhookconfigurations=hooks)


@pytest.mark.parametrize(("processes", "counts"), [(["*"], False), (["audit"], True)])
def test_the_config_of_gatekeeper_leaves_namespaces_out(processes: list[str], counts: bool) -> None:
    config = {"metadata": {"name": "config"}, "spec": {"match": [{"excludedNamespaces": ["sh*"], "processes": processes}]}}
    assert (told(RATIFY, **{"configs.config.gatekeeper.sh": [config]}) == "") is counts


def test_where_a_whole_host_is_allowed_its_folders_count() -> None:
    given: dict[str, Any] = {"images": {"allowed_registries": ["registry.example"]}}
    hooks: dict[str, Any] = {"namespaces": [{"metadata": {"name": "shop"}}], "validatingwebhookconfigurations": HOOKS}
    for glob, outcome in (("registry.example/*", Outcome.FAIL), ("registry.example/**", Outcome.PASS)):
        spec = {**POLICIES[SIGSTORE], "images": [{"glob": glob}]}
        case = Case({**hooks, SIGSTORE: [{"metadata": {"name": "p"}, "spec": spec}]}, given)
        assert run_check(CHECK, case).outcome is outcome


@pytest.mark.parametrize(("namespaces", "counts"), [(["shop"], True), (["other"], False)])
def test_an_exception_is_told_where_it_holds(namespaces: list[str], counts: bool) -> None:
    exception = {
        "metadata": {"name": "e", "namespace": "shop"},
        "spec": {
            "exceptions": [{"policyName": "p", "ruleNames": ["a*"]}],
            "match": {"any": [{"resources": {"kinds": ["Pod"], "namespaces": namespaces}}]},
        },
    }
    assert ("has an exception here (shop/e)" in told(KYVERNO, **{"policyexceptions.kyverno.io": [exception]})) is counts


@pytest.mark.parametrize(("actions", "words"), [(["Audit", "Warn"], "only does Audit, Warn"), ([], "only does nothing")])
def test_a_binding_that_does_not_deny_is_told(actions: list[str], words: str) -> None:
    binding = {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": actions}}
    assert words in told(VAP, validatingadmissionpolicybindings=[binding])


@pytest.mark.parametrize(
    ("narrow", "words"),
    [
        ({"matchResources": {"resourceRules": [{**PODS[0], "resources": ["services"]}]}}, "is bound to other requests"),
        ({"matchResources": {"excludeResourceRules": PODS}}, "is bound to other requests"),
        ({"paramRef": {"name": "x", "parameterNotFoundAction": "Allow"}}, "where its parameters are missing"),
        ({"paramRef": {"name": "x", "parameterNotFoundAction": "Deny"}}, ""),
        ({"matchResources": {"resourceRules": [{**PODS[0], "resources": ["*"]}]}}, ""),
    ],
)
def test_a_binding_that_narrows_is_told(narrow: dict[str, Any], words: str) -> None:
    binding = {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"], **narrow}}
    found = told(VAP, validatingadmissionpolicybindings=[binding])
    assert words in found if words else found == ""
