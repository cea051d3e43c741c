"""A Secret as etcd holds it, from real API servers with and without encryption; nothing of it is left anywhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soc2.declared_etcd import Etcd
from soc2.demo.build import Binaries
from soc2.demo.company.cluster import _PATHS
from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.evidence import EvidenceStore
from soc2.gather.etcd.canary import SecretCanary, look, stored
from soc2.gather.etcd.stored import EtcdKeys
from soc2.gather.kubernetes.connection import Answer, GatherError, KubeConnection
from soc2.gather.source import Gatherer, Listing
from soc2.model.etcd import StoredSecret
from soc2.model.network.places import Place
from soc2.model.population import Cause, Problem
from soc2.rules.etcd import stored_encrypted
from soc2.system import About, Kubernetes, Probes, System
from tests.conftest import ROOT
from tests.etcd.members import PlainApiServer, etcd_of, is_gone

NAMESPACE = "default"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


def gathered(cluster: ControlPlane, etcd: Etcd, folder: Path) -> Listing[StoredSecret]:
    system = System(
        system=About(name="t", owner="t"),
        kubernetes=Kubernetes(cluster="t"),
        etcd=etcd,
        probes=Probes(writing=True, namespace=NAMESPACE),
    )
    connection = KubeConnection(cluster.kubeconfig("deployer", ("system:masters",)))
    gatherer = SimpleNamespace(system=system, evidence=EvidenceStore(folder / "evidence"), kubernetes=connection)
    try:
        listing = SecretCanary().gather(cast(Gatherer, gatherer))
        left = json.loads(connection.request("GET", SECRETS).body)["items"]
    finally:
        connection.close()
    assert [item for item in left if item["metadata"]["name"].startswith("soc2-canary")] == []
    kept = b"".join(path.read_bytes() for path in (folder / "evidence").rglob("*") if path.is_file())
    assert b'canary":' not in kept
    return listing


@pytest.mark.controlplane
def test_encrypted_secrets_are_ciphertext_in_etcd(control_plane: ControlPlane, tmp_path: Path) -> None:
    etcd = etcd_of(control_plane)
    listing = gathered(control_plane, etcd, tmp_path)
    assert [status.problem for status in listing.statuses] == [None]
    assert listing.items == (StoredSecret("t", etcd.endpoints[0], "secretbox", "v1", "demo"),)
    assert list(stored_encrypted(listing.items[0])) == []


@pytest.mark.controlplane
def test_the_shipped_rights_are_enough(control_plane: ControlPlane) -> None:
    """In a namespace of this test's own; the Secret cannot be read with them."""
    rights = (ROOT / "deploy" / "kubernetes" / "writing-probes.yaml").read_text().replace("soc2-canary", "etcd-canary")
    admin = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    for item in yaml.safe_load_all(rights):
        if item["kind"] == "RoleBinding":
            item["subjects"] = [{"kind": "User", "name": "etcd-prober", "apiGroup": "rbac.authorization.k8s.io"}]
        admin.request("POST", _PATHS[item["kind"]].format(item["metadata"].get("namespace", "")), body=item)
    secrets = "/api/v1/namespaces/etcd-canary/secrets"
    connection = KubeConnection(control_plane.kubeconfig("etcd-prober"))

    def may_write() -> bool:
        return connection.try_create(secrets, {"metadata": {"name": "trial"}}).status == 201

    assert wait_until(may_write, 20.0)
    found = look(connection, EtcdKeys(etcd_of(control_plane)), etcd_of(control_plane), "etcd-canary", "t")
    assert (found.provider, found.shows_text) == ("secretbox", False)
    assert connection.ask(secrets, "tester").status == 403
    assert json.loads(admin.request("GET", secrets).body)["items"] == []
    connection.close()
    admin.close()


@pytest.mark.controlplane
def test_without_encryption_the_text_stands_in_etcd(binaries: Binaries, control_plane: ControlPlane, tmp_path: Path) -> None:
    with PlainApiServer(binaries, tmp_path / "plain", control_plane) as plain:
        etcd = etcd_of(control_plane, PlainApiServer.PREFIX)
        listing = gathered(plain, etcd, tmp_path)
        elsewhere = gathered(plain, etcd_of(control_plane, "/elsewhere"), tmp_path)
    assert listing.items == (StoredSecret("t", etcd.endpoints[0], shows_text=True),)
    assert [each.message for each in stored_encrypted(listing.items[0])] == [
        f"a Secret that was made just now is stored without encryption in etcd ({etcd.endpoints[0]})"
    ]
    (status,) = elsewhere.statuses
    assert status.problem
    assert status.problem.cause is Cause.INCONCLUSIVE
    assert "--etcd-prefix" in status.problem.detail


@pytest.mark.controlplane
def test_who_has_no_certificate_of_etcd_reads_nothing(control_plane: ControlPlane, tmp_path: Path) -> None:
    stranger = type(control_plane.authority)(tmp_path / "other").client("stranger")
    etcd = Etcd(
        endpoints=etcd_of(control_plane).endpoints,
        ca=str(control_plane.authority.certificate),
        client_cert=str(stranger.certificate),
        client_key=str(stranger.key),
    )
    (status,) = gathered(control_plane, etcd, tmp_path).statuses
    assert status.problem
    assert status.problem.cause in (Cause.UNAUTHENTICATED, Cause.UNREACHABLE)


@pytest.mark.controlplane
def test_the_key_is_gone_from_etcd(control_plane: ControlPlane) -> None:
    etcd = etcd_of(control_plane)
    connection = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    keys = Recorded(b"k8s:enc:kms:v2:main:")
    look(connection, keys, etcd, NAMESPACE, "t")
    connection.close()
    (key,) = keys.asked
    assert is_gone(etcd, key)


class Recorded:
    """Answers with one value for every key, and keeps which were asked for."""

    def __init__(self, value: bytes | GatherError | None) -> None:
        self.value = value
        self.asked: list[str] = []

    def read(self, place: Place, key: str) -> bytes | None:
        del place
        self.asked.append(key)
        if isinstance(self.value, GatherError):
            raise self.value
        return self.value


class Scripted:
    """An API server: ``created`` and ``deleted`` are the statuses that it answers with."""

    def __init__(self, created: int = 201, deleted: int = 200) -> None:
        self.statuses = {"POST": created, "DELETE": deleted}
        self.calls: list[tuple[str, str]] = []

    def request(self, method: str, path: str, body: object = None) -> Answer:
        del body
        self.calls.append((method, path))
        if self.statuses[method] >= 400:
            raise GatherError(Problem(Cause.DENIED, f"no {method}"), self.statuses[method])
        return Answer(self.statuses[method], b"{}")


ETCD = Etcd(endpoints=("a:1", "b:2"), client_cert="c", client_key="k", prefix="/registry/")


def looked(api: Scripted, keys: Recorded) -> StoredSecret:
    return look(cast(KubeConnection, api), keys, ETCD, NAMESPACE, "t")


@pytest.mark.parametrize("value", [b"k8s:enc:aescbc:v1:one:\x00", None, GatherError(Problem(Cause.TIMED_OUT, "late"))])
@pytest.mark.parametrize("created", [201, 403, 504])
def test_it_is_deleted_whatever_happens(value: bytes | GatherError | None, created: int) -> None:
    """An answer that was lost may belong to a Secret that was made."""
    api, keys = Scripted(created), Recorded(value)
    if created == 201 and isinstance(value, bytes):
        assert looked(api, keys) == StoredSecret("t", "a:1", "aescbc", "v1", "one")
    else:
        with pytest.raises(GatherError):
            looked(api, keys)
    assert [method for method, _ in api.calls] == ["POST", "DELETE"]
    name = api.calls[1][1].rpartition("/")[2]
    assert set(keys.asked) <= {f"/registry/secrets/{NAMESPACE}/{name}"}


def test_a_secret_that_cannot_be_deleted_is_told() -> None:
    with pytest.raises(GatherError, match="no DELETE"):
        looked(Scripted(deleted=403), Recorded(b"k8s:enc:aescbc:v1:one:"))
    assert looked(Scripted(deleted=404), Recorded(b"k8s\x00")).provider == ""


def test_what_is_left_and_what_to_prepare_is_told() -> None:
    late = GatherError(Problem(Cause.TIMED_OUT, "late"))
    with pytest.raises(GatherError, match=r"timed out: late; .*/soc2-canary-[0-9a-f]{8} could not be deleted .*no DELETE"):
        looked(Scripted(deleted=503), Recorded(late))
    for status in (403, 404):
        with pytest.raises(
            GatherError, match=f"no POST; deploy/kubernetes/writing-probes.yaml .* namespace {NAMESPACE}"
        ) as error:
            looked(Scripted(created=status, deleted=403), Recorded(None))
        assert "could not be deleted" not in str(error.value)
    with pytest.raises(GatherError, match=r"no POST; .* could not be deleted"):
        looked(Scripted(created=504, deleted=504), Recorded(None))


def test_one_that_stops_the_run_leaves_nothing() -> None:
    class Stopped(Recorded):
        def read(self, place: Place, key: str) -> bytes | None:
            super().read(place, key)
            raise KeyboardInterrupt

    api = Scripted()
    with pytest.raises(KeyboardInterrupt):
        looked(api, Stopped(None))
    assert [method for method, _ in api.calls] == ["POST", "DELETE"]


def test_an_etcd_without_the_key_hides_no_trouble_with_another() -> None:
    class Second(Recorded):
        def read(self, place: Place, key: str) -> bytes | None:
            if place.host == "a":
                raise GatherError(Problem(Cause.DENIED, f"{place}: HTTP 403"))
            return super().read(place, key)

    with pytest.raises(GatherError, match=r"^inconclusive: .* is not in b:2; .*--etcd-prefix.*; a:1: HTTP 403"):
        looked(Scripted(), Second(None))


def test_one_etcd_of_several_has_it() -> None:
    class Second(Recorded):
        def read(self, place: Place, key: str) -> bytes | None:
            super().read(place, key)
            return b"k8s:enc:kms:v2:main:" if place.host == "b" else None

    assert looked(Scripted(), Second(None)) == StoredSecret("t", "b:2", "kms", "v2", "main")


@pytest.mark.parametrize(
    ("value", "encrypted"),
    [
        (b"k8s:enc:kms:v2:aws-encryption-provider:\x08\x01", True),
        (b"k8s:enc:secretbox:v1:key-1:" + bytes(40), True),
        (b"k8s:enc:aesgcm:v1:key1:" + bytes(12), True),
        (b"k8s:enc:kms:v1:vault:" + bytes(12), True),
        ("k8s:enc:aescbc:v1:schlüssel:".encode() + bytes(16), True),
        (b"k8s:enc:", False),
        (b"k8s:enc:identity", False),
        (b"k8s:enc:aescbc:v1::x", False),
        (b" k8s:enc:aescbc:v1:key:x", False),
        (b"k8s\x00\n\x0c\n\x02v1\x12\x06Secret", False),
        (b'{"kind":"Secret","data":{"x":"k8s:enc:aescbc:v1:key:"}}', False),
        (b"", False),
    ],
)
def test_what_counts_as_encrypted(value: bytes, encrypted: bool) -> None:
    assert bool(stored("t", "e", value, "text").provider) is encrypted


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(min_size=24, max_size=24), st.booleans())
def test_a_text_in_the_value_is_always_seen(before: bytes, after: bytes, raw: bytes, as_json: bool) -> None:
    text = raw.hex()
    inner = base64.b64encode(text.encode()) if as_json else text.encode()
    found = stored("t", "e", b"k8s:enc:aescbc:v1:one:" + before + inner + after, text)
    assert found == StoredSecret("t", "e", "aescbc", "v1", "one", shows_text=True)
    assert [each.message.partition(" in etcd")[0] for each in stored_encrypted(found)] == [
        "a Secret that was made just now is stored with its text in it"
    ]
