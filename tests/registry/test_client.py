"""Requests: which credentials go where, what is asked of which platform, and what is not asked again."""

from __future__ import annotations

import base64
import gzip
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.declared_images import Registries, RegistryHost
from soc2.demo.images import File, image, index
from soc2.errors import UsageError
from soc2.gather.registry.challenges import Challenge, parse_challenges
from soc2.gather.registry.credentials import Login, read_logins
from soc2.gather.registry.ecr import ecr_region
from soc2.gather.registry.facts import LayerFacts
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.kept import KeptFacts
from soc2.gather.registry.pulling import Puller
from soc2.model.image_reference import ImageReference, parse_reference
from tests.registry.pulling import LOGIN, PROGRAM, SECRETS, problems, pull
from tests.registry.server import BASIC, Registry, _Handler
from tests.tls.authority import Authority, pem

IMAGE = image([[PROGRAM]])
LAYER = list(IMAGE.blobs)[1]
B = {"realm": "b"}
DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("registry", "login"),
    [
        (Registry(), None),
        (Registry(authorization="basic"), Login("examiner", "correct-horse")),
        (Registry(authorization="bearer"), Login("examiner", "correct-horse")),
        (Registry(authorization="bearer", anonymous=True), None),
        (Registry(authorization="bearer"), Login(identity_token="refresh")),
    ],
)
def test_images_are_read_with_every_kind_of_credentials(registry: Registry, login: Login | None) -> None:
    with registry:
        assert problems(registry, IMAGE, login=login) == []
    assert len([path for path in registry.paths() if path.startswith("/token")]) == int(registry.authorization == "bearer")


def test_no_more_is_asked_for_than_reading() -> None:
    with Registry(authorization="bearer") as registry:
        pull(registry, IMAGE)
    (asked,) = [path for path in registry.paths() if path.startswith("/token")]
    assert asked == "/token?service=images&scope=repository%3Ateam%2Fapp%3Apull"


def test_a_token_that_has_run_out_is_renewed() -> None:
    other = image([[File(path="other")]])

    def expire(handler: _Handler, body: bytes) -> None:
        handler.registry.tokens.clear()
        handler.answer(200, body)

    with Registry(authorization="bearer", faults={IMAGE.digest: expire}) as registry:
        assert problems(registry, IMAGE, other) == []


@pytest.mark.parametrize("authorization", ["basic", "bearer"])
def test_credentials_are_not_sent_on_to_where_a_layer_lies(authorization: str) -> None:
    with Registry() as store:
        store.add(IMAGE)

        def elsewhere(handler: _Handler, _: bytes) -> None:
            sent = handler.headers.get("Authorization", "")
            target = f"http://{store.address}/blobs/{LAYER}?signature=0123"
            handler.answer(307 if sent else 401, b"", {"Location": target, "WWW-Authenticate": "Basic"})

        with Registry(authorization=authorization, faults={LAYER: elsewhere}) as registry:  # type: ignore[arg-type]
            assert problems(registry, IMAGE) == []
        assert {sent for path, sent in registry.requests if LAYER in path} - {""}
    assert store.requests == [(f"/blobs/{LAYER}?signature=0123", "")]


@pytest.mark.parametrize("challenge", ['Basic realm="blobs"', 'Bearer realm="http://{}/token",service="blobs"'])
def test_credentials_are_not_given_to_where_a_layer_lies_when_it_asks_for_them(challenge: str) -> None:
    with Registry() as store:

        def elsewhere(handler: _Handler, _: bytes) -> None:
            handler.answer(307, b"", {"Location": f"http://{store.address}/blobs/{LAYER}"})

        def ask(handler: _Handler, _: bytes) -> None:
            handler.answer(401, b"", {"WWW-Authenticate": challenge.format(store.address)})

        store.faults = {LAYER: ask}
        with Registry(faults={LAYER: elsewhere}) as registry:
            assert problems(registry, IMAGE) == [
                f"not authenticated: layer {LAYER}: 127.0.0.1, where registry.example leads, answers HTTP 401"
            ]
    assert (store.requests, {sent for _, sent in registry.requests}) == ([(f"/blobs/{LAYER}", "")], {""})


@pytest.mark.parametrize("login", [LOGIN, Login(identity_token="refresh")])
def test_credentials_are_not_sent_for_tokens_to_another_domain(login: Login) -> None:
    with (
        Registry(anonymous=True) as other,
        Registry(authorization="bearer", realm=f"http://{other.address}/token") as registry,
    ):
        assert problems(registry, IMAGE, login=login) == [
            f"not authenticated: registry.example has its tokens given by {other.address}, to which its credentials are "
            "not sent: that is of another domain, and not declared as tokens of the registry"
        ]
        assert other.requests == []
        registry.tokens = other.tokens
        assert problems(registry, IMAGE, login=None) == []


@pytest.mark.parametrize(
    ("host", "declared", "server", "trusted"),
    [
        ("registry-1.docker.io", {}, "auth.docker.io", True),
        ("registry.gitlab.example.com", {}, "gitlab.example.com", True),
        ("registry.example.com:5000", {}, "auth.example.com:5001", True),
        ("ghcr.io", {}, "ghcr.io", True),
        ("ghcr.io", {}, "evil.io", False),
        ("registry.example.com", {}, "evilexample.com", False),
        ("registry.example.com", {}, "registry.example.com.evil.test", False),
        ("10.0.0.7:5000", {}, "10.0.0.7:5000", True),
        ("10.0.0.7:5000", {}, "11.0.0.7:5000", False),
        ("[fd00::7]:5000", {}, "[fd00::8]:5000", False),
        ("localhost:5000", {}, "localhost:5001", False),
        ("registry.example.com", {"tokens": "auth.test:5001"}, "auth.test:5001", True),
        ("registry.example.com", {"tokens": "auth.test:5001"}, "auth.test", False),
        ("registry.example.com", {"address": "10.0.0.7:5000"}, "10.0.0.7:5000", True),
    ],
)
def test_who_may_see_the_credentials_of_a_registry(host: str, declared: dict[str, str], server: str, trusted: bool) -> None:
    assert RegistryHost(host=host, **declared).trusts(server, host) is trusted  # type: ignore[arg-type]


def test_what_is_wrong_where_a_layer_lies_is_told_without_its_signature() -> None:
    with Registry() as store:

        def elsewhere(handler: _Handler, _: bytes) -> None:
            handler.answer(307, b"", {"Location": f"http://{store.address}/blobs/none?signature=0123"})

        with Registry(faults={LAYER: elsewhere}) as registry:
            assert problems(registry, IMAGE) == [
                f"not served: layer {LAYER}: 127.0.0.1 answers HTTP 404 for team/app/blobs/{LAYER}"
            ]


@pytest.mark.parametrize("by_address", [True, False])
def test_registries_are_reached_by_tls_as_they_are_declared(tmp_path: Path, by_address: bool) -> None:
    root = Authority("root")
    (tmp_path / "ca.pem").write_bytes(pem(root.certificate))
    tls = root.issue("registry.example", "127.0.0.1").context(tmp_path)
    with Registry(authorization="bearer", tls=tls) as registry:
        name, address = ("registry.example", registry.address) if by_address else (registry.address, None)
        wanted = {ImageReference(name, "team/app", digest=registry.add(IMAGE)): frozenset[str]()}
        trusted = RegistryHost(host=name, address=address, ca=str(tmp_path / "ca.pem"))
        told = [pulled(host, wanted) for host in (trusted, RegistryHost(host=name, address=address))]
    assert told[0] == []
    assert told[1] == [f"unreachable: no TLS with {name.partition(':')[0]}: unable to get local issuer certificate"]


def test_a_registry_with_anothers_certificate_is_told(tmp_path: Path) -> None:
    root = Authority("root")
    (tmp_path / "ca.pem").write_bytes(pem(root.certificate))
    with Registry(tls=root.issue("other.example").context(tmp_path)) as registry:
        wanted = {ImageReference("registry.example", "team/app", digest=registry.add(IMAGE)): frozenset[str]()}
        host = RegistryHost(host="registry.example", address=registry.address, ca=str(tmp_path / "ca.pem"))
        (found,) = pulled(host, wanted)
    assert found.startswith("unreachable: no TLS with registry.example: its certificate is made out to another name")


def pulled(host: RegistryHost, wanted: dict[ImageReference, frozenset[str]]) -> list[str]:
    pulling = Puller(Registries(hosts=(host,)), lambda _: LOGIN, None, Inspector(image_rules(), SECRETS))
    try:
        return [str(problem) for each in pulling.pull(wanted) for problem in each.problems]
    finally:
        pulling.close()


def test_indexes_lead_to_the_images_of_the_platforms_that_are_asked_for() -> None:
    images = {f"linux/{name}": image([[File(path=name)]], architecture=name) for name in ("amd64", "arm64", "s390x")}
    several = index({**images, "unknown/unknown": image([[File(path="attestation")]])})
    with Registry() as registry:
        (some,) = pull(registry, several, platforms=frozenset({"linux/arm64", "linux/s390x"}))
        (every,) = pull(registry, several)
        assert problems(registry, several, platforms=frozenset({"windows/amd64"}))[0].startswith("not served: ")
    assert [each.platform for each in some.manifests] == ["linux/arm64", "linux/s390x"]
    assert [each.platform for each in every.manifests] == ["linux/amd64", "linux/arm64", "linux/s390x"]


def test_layers_are_read_once_and_known_in_the_next_run(tmp_path: Path) -> None:
    shared = gzip.compress(bytes(1024))
    images = [image([shared, [File(path=str(number))]]) for number in range(3)]
    kept = KeptFacts(tmp_path, "rules")
    with Registry() as registry:
        first = pull(registry, *images, kept=kept)
        assert len([path for path in registry.paths() if "/blobs/" in path]) == 3 + 4
        registry.requests.clear()
        again = pull(registry, *images, kept=KeptFacts(tmp_path, "rules"))
        assert len([path for path in registry.paths() if "/blobs/" in path]) == 3
        registry.requests.clear()
        pull(registry, *images, kept=KeptFacts(tmp_path, "other rules"))
        assert len([path for path in registry.paths() if "/blobs/" in path]) == 3 + 4
    assert [each.facts for each in first] == [each.facts for each in again]


def test_layers_with_secrets_and_broken_facts_are_read_again(tmp_path: Path) -> None:
    token = "ghp_" + "Zx8wQ1mN4vB7cD2fG5hJ9kL3pR6tY0sA1eUo"
    secret = image([[File(path="app/.env", content=f"GITHUB_TOKEN={token}\n".encode())]])
    with Registry() as registry:
        pull(registry, secret, IMAGE, kept=KeptFacts(tmp_path, "rules"))
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path.name for path in kept] == [LAYER.replace(":", "-")]
        registry.requests.clear()
        for broken in (b"broken", altered(kept[0].read_bytes())):
            kept[0].write_bytes(broken)
            assert problems(registry, secret, IMAGE, kept=KeptFacts(tmp_path, "rules")) == []
    assert len([path for path in registry.paths() if "/blobs/" in path]) == 2 * 4


def altered(kept: bytes) -> bytes:
    """Return facts that say something else and can be read."""
    return kept[:-1] + bytes([kept[-1] ^ 1])


def test_facts_are_of_the_layer_that_they_were_kept_for(tmp_path: Path) -> None:
    kept = KeptFacts(tmp_path, "rules")
    facts = LayerFacts(entries=7)
    kept.keep(DIGEST, facts)
    (path,) = (each for each in tmp_path.rglob("*") if each.is_file())
    other = "sha256:" + "0" * 64
    path.with_name(other.replace(":", "-")).write_bytes(path.read_bytes())
    assert (kept.get(DIGEST), kept.get(other)) == (facts, None)


def test_what_others_may_have_written_is_not_taken_for_facts(tmp_path: Path) -> None:
    KeptFacts(tmp_path, "rules").keep(DIGEST, LayerFacts(entries=7))
    tmp_path.chmod(0o777)
    assert KeptFacts(tmp_path, "rules").get(DIGEST) is None
    (tmp_path / "file").write_bytes(b"")
    kept = KeptFacts(tmp_path / "file" / "below", "rules")
    kept.keep(DIGEST, LayerFacts())
    assert kept.get(DIGEST) is None


def test_nothing_is_dropped_but_facts_that_nobody_used_for_long(tmp_path: Path) -> None:
    KeptFacts(tmp_path, "rules").keep(DIGEST, LayerFacts())
    (facts,) = (each for each in tmp_path.rglob("*") if each.is_file())
    others = [facts.with_name("notes"), tmp_path / "photos" / facts.name, tmp_path / "letter"]
    others[1].parent.mkdir()
    for path in (facts, *others):
        path.touch()
        os.utime(path, (0, 0))
    KeptFacts(tmp_path, "rules")
    assert [path for path in (facts, *others) if path.exists()] == others


@pytest.mark.parametrize("text", [f"registry.example/app@{DIGEST}\n", "registry.example/app:v1\n", "registry.example/app\n"])
def test_a_reference_ends_where_its_line_does(text: str) -> None:
    with pytest.raises(ValueError, match="app"):
        parse_reference(text)


def test_facts_that_others_may_have_written_are_not_believed(tmp_path: Path) -> None:
    one, other = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    kept = KeptFacts(tmp_path / "layers", "rules")
    kept.keep(one, LayerFacts(entries=7))
    assert kept.get(one) == LayerFacts(entries=7)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    (file.parent / other.replace(":", "-")).write_bytes(file.read_bytes())
    assert kept.get(other) is None
    written = file.read_bytes()
    file.write_bytes(written[:-1] + bytes([written[-1] ^ 1]))
    assert kept.get(one) is None
    file.write_bytes(written)
    file.parent.chmod(0o777)
    open_to_all = KeptFacts(tmp_path / "layers", "rules")
    open_to_all.keep(other, LayerFacts())
    assert (open_to_all.get(one), open_to_all.get(other)) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", ImageReference("docker.io", "library/nginx")),
        ("nginx:1.27", ImageReference("docker.io", "library/nginx", "1.27")),
        ("team/app", ImageReference("docker.io", "team/app")),
        ("index.docker.io/team/app", ImageReference("docker.io", "team/app")),
        ("localhost/app", ImageReference("localhost", "app")),
        ("registry.example:5000/app", ImageReference("registry.example:5000", "app")),
        ("Registry.Example/app:a@" + DIGEST, ImageReference("registry.example", "app", "a", DIGEST)),
        ("docker-pullable://registry.example/app@" + DIGEST, ImageReference("registry.example", "app", "", DIGEST)),
        ("[::1]:5000/app", ImageReference("[::1]:5000", "app")),
    ],
)
def test_references_name_what_runtimes_fill_in(text: str, expected: ImageReference) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@given(st.text(max_size=12) | st.text("aA1.:/@-_", max_size=20))
def test_anything_else_is_no_reference(text: str) -> None:
    try:
        reference = parse_reference(text)
    except ValueError:
        return
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize("text", ["", DIGEST, "app@sha256:00", "app@md5:" + "0" * 32, "a/UPPER", "a/../b", "app:", "x/y:t/z"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_reference(text)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            'Bearer realm="https://auth.example/token?a=b,c",service="reg\\"istry",scope="repository:a:pull,push"',
            [
                (
                    "bearer",
                    {"realm": "https://auth.example/token?a=b,c", "service": 'reg"istry', "scope": "repository:a:pull,push"},
                )
            ],
        ),
        ("Basic", [("basic", {})]),
        (
            'Negotiate, Basic realm="a", Bearer realm=b',
            [("negotiate", {}), ("basic", {"realm": "a"}), ("bearer", {"realm": "b"})],
        ),
        ("", []),
        ('"', []),
    ],
)
def test_challenges_are_read(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(header) == tuple(Challenge(*each) for each in expected)


@given(st.text(max_size=60))
def test_any_header_is_read_in_the_end(header: str) -> None:
    parse_challenges(header)


def test_logins_are_those_of_docker(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    both = base64.b64encode(b"user:pass:word").decode()
    auths = {
        "https://index.docker.io/v1/": {"auth": both},
        "registry.example:5000": {"username": "u", "password": "p"},
        "token.example": {"identitytoken": "t"},
        "helper.example": {},
    }
    file.write_text(json.dumps({"auths": auths, "credsStore": "desktop"}))
    assert read_logins(file) == {
        "docker.io": Login("user", "pass:word"),
        "registry.example:5000": Login("u", "p"),
        "token.example": Login(identity_token="t"),
    }
    assert "pass" not in repr(read_logins(file))
    assert Login("examiner", "correct-horse").basic == BASIC


@pytest.mark.parametrize("text", ["", "[]", '{"auths": {"a": {"auth": "c2VjcmV0!"}}}', '{"auths": {"a": {"auth": "/w=="}}}'])
def test_a_file_without_credentials_is_an_error_that_shows_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(UsageError) as raised:
        read_logins(file)
    assert str(raised.value) == f"{file}: it holds no credentials of registries; name a file as `docker login` writes it"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
        ("public.ecr.aws", None),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example", None),
        ("evil.example/123456789012.dkr.ecr.eu-west-1.amazonaws.com", None),
    ],
)
def test_registries_of_ecr_are_known_by_their_names(host: str, region: str | None) -> None:
    assert ecr_region(host) == region
