"""Only a policy's refusal counts, only for the image, and only of everything that is tried."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from soc2.declared_images import Images
from soc2.errors import UsageError
from soc2.gather.kubernetes import connection
from soc2.gather.kubernetes.image_probes import ForbiddenImages, Tried, image_trials, refusing_policy, unproven
from soc2.gather.source import Listing
from soc2.model.population import Cause
from soc2.model.probes import AdmissionProbe
from soc2.system import load_system
from tests.gather.scripted import Answer, scripted
from tests.gather.test_lists import page, refusal

BAD, SIGNED, UNSIGNED = (f"sha256:{each * 64}" for each in "bca")
IMAGES = Images(
    allowed_registries=("registry.example/team", "mirror.example"),
    known_bad=(BAD,),
    signed_fixture=f"registry.example/team/signed@{SIGNED}",
    unsigned_fixture=f"registry.example/team/unsigned@{UNSIGNED}",
)
VAP = "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'images' with binding 'all' denied request: no such registry"
LABELS = VAP.replace("no such registry", "a team label is needed")
KYVERNO = """admission webhook "validate.kyverno.svc-fail" denied the request:

resource Pod/shop/p was blocked due to the following policies

signed:
  check: 'failed to verify image registry.example/team/unsigned: no signatures found'"""
INCONCLUSIVE = Cause.INCONCLUSIVE
ADMITTED = Answer(201, b'{"kind": "Pod"}')


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_FIRST_WAIT_SECONDS", 0.0)


def ask(tmp_path: Path, tried: Tried, *answers: Answer, images: Images = IMAGES) -> Listing[AdmissionProbe]:
    with scripted(tmp_path, page("shop"), *answers) as (gatherer, script):
        gatherer.system = msgspec.structs.replace(gatherer.system, images=images)
        listing = gatherer.get(ForbiddenImages(tried))
        assert all("dryRun=All" in path for path in script.paths[1:])
    return listing


def images_tried(tried: Tried, images: Images = IMAGES) -> list[list[str]]:
    """Return the images of the containers of each pod, group by group."""
    return [
        [container["image"] for trial in group for key in ("initContainers", "containers") for container in _of(trial, key)]
        for group in image_trials(tried, images)
    ]


def _of(trial: object, key: str) -> list[dict[str, str]]:
    return trial.forbidden["spec"].get(key, [])  # type: ignore[attr-defined,no-any-return]


def test_what_is_tried_differs_from_its_twin_in_the_image_alone() -> None:
    for tried in ("unknown image", "mutable tag", "unsigned image", "known-bad digest"):
        for group in image_trials(tried, IMAGES):
            for trial in group:
                place = "initContainers" if trial.tried.endswith("init container") else "containers"
                assert trial.forbidden["spec"][place][0].pop("image") != IMAGES.signed_fixture
                assert trial.fine["spec"][place][0].pop("image") == IMAGES.signed_fixture
                assert trial.forbidden == trial.fine


def test_unknown_images_are_those_that_careless_patterns_let_through() -> None:
    (group,) = image_trials("unknown image", IMAGES)
    assert [trial.tried for trial in group][::2] == [
        "unknown image",
        "unknown image (registry.soc2-probe.invalid/registry.example/team/unknown)",
        "unknown image (registry.example/team-soc2-probe/unknown)",
        "unknown image (registry.soc2-probe.invalid/mirror.example/unknown)",
        "unknown image (mirror.example.registry.soc2-probe.invalid/unknown)",
    ]


def test_a_bad_digest_is_tried_each_and_nothing_without_a_declaration() -> None:
    many = msgspec.structs.replace(IMAGES, known_bad=(BAD, SIGNED))
    repository = "registry.example/team/signed"
    assert [group[0] for group in images_tried("known-bad digest", many)] == [f"{repository}@{BAD}", f"{repository}@{SIGNED}"]
    assert images_tried("known-bad digest", Images()) == []
    assert images_tried("unsigned image", Images()) == []


def test_a_refusal_is_proven_by_the_twin_and_names_the_policy(tmp_path: Path) -> None:
    pair = (refusal(403, LABELS), ADMITTED)
    listing = ask(tmp_path, "unsigned image", *pair, *pair)
    assert [(probe.admitted, probe.policy) for probe in listing.items] == [(False, "images (by all)")]
    assert all(status.complete for status in listing.statuses)


def test_a_policy_that_forgets_init_containers_is_found(tmp_path: Path) -> None:
    listing = ask(tmp_path, "unsigned image", refusal(403, VAP), ADMITTED, ADMITTED)
    assert [(probe.admitted, probe.tried) for probe in listing.items] == [(True, "unsigned image in an init container")]


def test_what_is_admitted_counts_although_something_else_is_not_clear(tmp_path: Path) -> None:
    listing = ask(tmp_path, "unsigned image", refusal(403, "exceeded quota: compute"), ADMITTED)
    assert [probe.admitted for probe in listing.items] == [True]


def test_an_engine_that_says_why_needs_no_twin(tmp_path: Path) -> None:
    pair = (refusal(403, KYVERNO), refusal(403, LABELS))
    listing = ask(tmp_path, "unsigned image", *pair, *pair)
    assert [probe.policy for probe in listing.items] == ["signed (by validate.kyverno.svc-fail)"]


@pytest.mark.parametrize("tried", ["unsigned image", "known-bad digest", "mutable tag"])
def test_an_engine_that_only_repeats_the_image_does_not_say_why(tmp_path: Path, tried: Tried) -> None:
    image = image_trials(tried, IMAGES)[0][0].forbidden["spec"]["containers"][0]["image"]
    pair = (refusal(403, f"{LABELS} on the pod of {image}"), refusal(403, LABELS))
    listing = ask(tmp_path, tried, *pair, *pair, *pair, *pair)
    assert listing.items == ()
    assert not listing.statuses[-1].complete


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ('pods "p" is forbidden: exceeded quota: compute, requested: pods=1', Cause.INCONCLUSIVE),
        ('pods "p" is forbidden: violates PodSecurity "restricted:latest"', Cause.INCONCLUSIVE),
        ('pods "p" is forbidden: error looking up service account shop/default', Cause.INCONCLUSIVE),
        ('pods is forbidden: User "u" cannot create resource "pods" in API group ""', Cause.DENIED),
        ('failed calling webhook "validate.kyverno.svc-fail": context deadline exceeded', Cause.INCONCLUSIVE),
        (LABELS, Cause.INCONCLUSIVE),
        (KYVERNO.replace("no signatures found", "GET https://registry.example/v2: UNAUTHORIZED"), Cause.INCONCLUSIVE),
        (KYVERNO.replace("no signatures found", "MANIFEST_UNKNOWN: manifest unknown"), Cause.INCONCLUSIVE),
        ('pods "p" is forbidden: maximum cpu usage per Container is 1, but limit is 2', Cause.INCONCLUSIVE),
        ('pods "p" is forbidden: unable to create new content in namespace shop because it is being terminated', INCONCLUSIVE),
        ('failed calling webhook "policy.sigstore.dev": Post "https://x": EOF', INCONCLUSIVE),
        ('namespaces "shop" not found', INCONCLUSIVE),
        (VAP.replace("no such registry", "expression 'x' resulted in error: no such key: x"), INCONCLUSIVE),
        (VAP.replace("no such registry", "failed to configure binding: no params found"), INCONCLUSIVE),
        ("", Cause.INCONCLUSIVE),
    ],
)
def test_any_other_refusal_is_missing_evidence(tmp_path: Path, reason: str, cause: Cause) -> None:
    listing = ask(tmp_path, "unsigned image", refusal(403, reason))
    assert listing.items == ()
    problem = listing.statuses[-1].problem
    assert problem is not None
    assert problem.cause is cause


@pytest.mark.parametrize(
    "why",
    [
        'Get "https://registry.example/v2/": dial tcp 10.0.0.1:443: i/o timeout',
        'Get "https://registry.example/v2/": EOF',
        'Get "https://registry.example/v2/": net/http: TLS handshake timeout',
        "GET https://registry.example/v2/team/unsigned/manifests/latest: unexpected status code 503 Service Unavailable",
        "dial tcp: lookup registry.example: server misbehaving",
        "http: server gave HTTP response to HTTPS client",
        "no basic auth credentials",
        "failed to load context: the ConfigMap keys is not there",
        "System error calling external data provider",
        "Internal error occurred",
    ],
)
def test_what_could_not_decide_did_not_refuse_although_its_twin_is_admitted(why: str) -> None:
    assert why_unproven(why) != ""


@pytest.mark.parametrize("why", ["MANIFEST_UNKNOWN: manifest unknown", "unexpected status code 404 Not Found"])
def test_a_signature_that_is_not_there_is_an_answer_in_every_wording(why: str) -> None:
    where = f"GET https://registry.example/v2/team/unsigned/manifests/sha256-{UNSIGNED[7:]}.sig: "
    assert why_unproven(where + why) == ""


def why_unproven(why: str) -> str:
    """Return what keeps a refusal by Kyverno for a reason from counting, where the twin is admitted."""
    refused = refusal(400, KYVERNO.replace("no signatures found", why))
    ((trial, _),) = image_trials("unsigned image", IMAGES)
    return unproven(trial, connection.Answer(400, refused.body), connection.Answer(201, ADMITTED.body))


@pytest.mark.parametrize(
    ("reason", "policy"),
    [
        (VAP, "images (by all)"),
        (KYVERNO, "signed (by validate.kyverno.svc-fail)"),
        ('admission webhook "validation.gatekeeper.sh" denied the request: [repos] no', "repos (by validation.gatekeeper.sh)"),
        (
            'admission webhook "policy.sigstore.dev" denied the request: validation failed: failed policy: ours: spec',
            "ours (by policy.sigstore.dev)",
        ),
        ('admission webhook "images.example" denied the request: no', "images.example"),
        ("image policy webhook backend denied one or more images: no", "image policy webhook"),
        ('violates PodSecurity "baseline:latest"', ""),
        ('failed calling webhook "images.example": EOF', ""),
    ],
)
def test_policies_are_named_as_engines_name_them(reason: str, policy: str) -> None:
    answer = refusal(403, reason)
    assert refusing_policy(connection.Answer(answer.status, answer.body)) == policy


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('unsigned_fixture = "registry.example/team/a:latest"', "not named by digest"),
        (f'unsigned_fixture = "other.example/team/a@{UNSIGNED}"', "comes from no allowed registry"),
        (f'signed_fixture = "registry.example/team-evil/a@{UNSIGNED}"', "comes from no allowed registry"),
        ('signed_fixture = "registry.example/team/a@sha256:12"', "has no digest that is known"),
        ('known_bad = ["sha256:12"]', "does not match"),
    ],
)
def test_images_that_would_prove_nothing_are_mistakes(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "system.toml"
    path.write_text(f'[system]\nname = "s"\nowner = "o"\n[images]\nallowed_registries = ["registry.example/team"]\n{line}\n')
    with pytest.raises(UsageError) as error:
        load_system(path)
    assert (error.value.line, what in error.value.what or "regex" in error.value.what) == (6, True)
