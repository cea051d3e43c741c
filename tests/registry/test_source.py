"""The source: which images run by what the cluster tells of its pods, and what is made of those that cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from soc2.declared_images import Registries, RegistryHost
from soc2.demo.images import File, image, index
from soc2.evidence import EvidenceStore
from soc2.gather.codec import Codec
from soc2.gather.kubernetes.sources import NODES, PODS
from soc2.gather.registry.images import RunningImages
from soc2.gather.source import Gatherer, Listing, Source
from soc2.model.image_content import ImageUse
from soc2.model.image_reference import ImageReference
from soc2.model.kubernetes.cluster import Node
from soc2.model.kubernetes.image_uses import image_uses, running_digests
from soc2.model.kubernetes.pods import Pod
from soc2.system import About, Kubernetes, OutOfScope, System
from tests.registry.pulling import HOST, PROGRAM
from tests.registry.server import PASSWORD, USER, Registry

D = "sha256:" + "d" * 64
E = "sha256:" + "e" * 64
IMAGE = image([[PROGRAM]])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def pod(name: str = "a", image: str = "app:1", image_id: str | None = None, **more: Any) -> Pod:
    statuses = [{"name": "main", "image": image, "imageID": image_id}] if image_id is not None else []
    item = {
        "metadata": {"name": name, "namespace": more.pop("namespace", "shop")},
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": image}], **more.pop("spec", {})},
        "status": {"phase": "Running", "containerStatuses": statuses, **more.pop("status", {})},
    }
    assert not more
    return Codec().convert(item, Pod)


def node(architecture: str = "arm64") -> Node:
    item = {"metadata": {"name": "n1"}, "status": {"nodeInfo": {"operatingSystem": "linux", "architecture": architecture}}}
    return Codec().convert(item, Node)


class Known(Gatherer):
    """A gatherer that knows pods and nodes."""

    def __init__(self, system: System, folder: Path, pods: tuple[Pod, ...], nodes: tuple[Node, ...], aws: Any = None) -> None:
        super().__init__(system, lambda: None, lambda: aws, EvidenceStore(folder / "evidence"))  # type: ignore[arg-type, return-value]
        self._known: dict[Source[Any], Listing[Any]] = {PODS: Listing(pods, ()), NODES: Listing(nodes, ())}

    def get(self, source: Source[Any]) -> Listing[Any]:
        return self._known.get(source) or super().get(source)


def gathered(
    registry: Registry, folder: Path, *pods: Pod, host: str = HOST, aws: Any = None, **registries: Any
) -> Listing[Any]:
    declared = RegistryHost(host=host, address=registry.address, insecure=True)
    system = System(
        system=About(name="test", owner="test"),
        kubernetes=Kubernetes(out_of_scope=(OutOfScope(namespaces="kube-*", reason="run by the provider"),)),
        registries=Registries(hosts=(declared,), **registries),
    )
    gatherer = Known(system, folder, pods, (node(),), aws)
    try:
        return gatherer.get(RunningImages())
    finally:
        gatherer.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod(image_id=f"{HOST}/team/app@{D}"), ImageReference(HOST, "team/app", digest=D)),
        (pod(image_id=f"docker-pullable://{HOST}/team/app@{D}"), ImageReference(HOST, "team/app", digest=D)),
        (pod(image=f"{HOST}/team/app:2@{E}", image_id=f"{HOST}/team/app@{D}"), ImageReference(HOST, "team/app", digest=D)),
        # Runtimes that tell an image's own id, or nothing, run what the pod names.
        (pod(image=f"{HOST}/team/app@{E}", image_id=D), ImageReference(HOST, "team/app", digest=E)),
        (pod(image=f"{HOST}/team/app@{E}", image_id=""), ImageReference(HOST, "team/app", digest=E)),
        (pod(image=f"{HOST}/team/app@{E}"), ImageReference(HOST, "team/app", digest=E)),
        (pod(image_id=f"docker://{D}"), None),
        (pod(image_id=""), None),
    ],
)
def test_what_runs_is_what_the_runtime_tells(given: Pod, expected: ImageReference | None) -> None:
    (found,) = running_digests([given], [node()])
    assert (found.reference, found.platform) == (expected, "linux/arm64")


@pytest.mark.parametrize(
    "given",
    [
        pod(image="app:1"),
        pod(image_id=f"{HOST}/team/app@{D}", status={"phase": "Succeeded"}),
        pod(status={"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}),
    ],
    ids=["not started", "ended", "waiting"],
)
def test_what_does_not_run_is_not_asked_for(given: Pod) -> None:
    assert list(running_digests([given], [])) == []


@pytest.mark.parametrize(
    ("shared", "own", "expected"),
    [
        (None, None, True),
        ({}, {"privileged": False}, True),
        ({"runAsUser": 0}, None, False),
        (None, {"runAsUser": 7}, False),
        ({"runAsNonRoot": True}, None, False),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, True),
        ({"runAsNonRoot": False}, {"runAsNonRoot": True}, False),
    ],
)
def test_the_user_of_the_image_counts_where_the_pod_says_nothing(shared: Any, own: Any, expected: bool) -> None:
    container = {"name": "main", "image": f"{HOST}/team/app@{D}", "securityContext": own}
    given = pod(image_id="", spec={"containers": [container], "securityContext": shared})
    assert list(image_uses(running_digests([given], []))) == [
        ImageUse(image=f"{HOST}/team/app@{D}", pod="shop/a", container="main", as_image_user=expected)
    ]


def test_images_of_running_pods_are_read_for_the_platforms_of_their_nodes(tmp_path: Path) -> None:
    several = index(
        {f"linux/{name}": image([[File(path=name, mode=0o4755)]], architecture=name) for name in ("amd64", "arm64")}
    )
    with Registry() as registry:
        digest = registry.add(several)
        running = pod(image_id=f"{HOST}/team/app@{digest}")
        elsewhere = pod("b", image_id=f"{HOST}/team/other@{E}", namespace="kube-system")
        listing = gathered(registry, tmp_path, running, elsewhere)
    (status,) = listing.statuses
    assert (status.problem, status.items, status.pages) == (None, 1, 1)
    (found,) = listing.items
    assert (found.name, found.platform) == (f"{HOST}/team/app@{digest}", "linux/arm64")
    assert [each.file.path for each in found.privileges] == ["arm64"]


def test_what_cannot_be_read_is_told_of_each_image(tmp_path: Path) -> None:
    with Registry() as registry:
        good = registry.add(IMAGE)
        names = (f"{HOST}/team/app@{good}", f"{HOST}/team/app@{D}", "", f"127.0.0.1:1/app@{E}")
        listing = gathered(registry, tmp_path, *(pod(f"p{number}", image_id=name) for number, name in enumerate(names)))
    assert [each.name for each in listing.items] == [f"{HOST}/team/app@{good}"]
    assert str(listing.statuses[0].problem) == (
        "inconclusive: shop/p2, container main: nothing tells the digest and the repository of its image; "
        f"unreachable: 127.0.0.1:1/app@{E}: no connection to 127.0.0.1; "
        f"not served: {HOST}/team/app@{D}: {HOST} answers HTTP 404 for team/app/manifests/{D}"
    )


def test_what_is_wrong_with_several_images_is_told_once(tmp_path: Path) -> None:
    with Registry() as registry:
        names = [f"127.0.0.1:1/app{number}@{D}" for number in range(20)]
        listing = gathered(registry, tmp_path, *(pod(f"p{number}", image_id=name) for number, name in enumerate(names)))
    expected = f"unreachable: 127.0.0.1:1/app0@{D} and 19 more images: no connection to 127.0.0.1"
    assert str(listing.statuses[0].problem) == expected


def test_nothing_is_asked_where_there_is_no_kubernetes(tmp_path: Path) -> None:
    system = System(system=About(name="test", owner="test"))
    gatherer = Known(system, tmp_path, (), ())
    gatherer._known[PODS] = Listing((), (), "there is none")
    assert gatherer.get(RunningImages()) == Listing((), (), "there is none")
    gatherer.close()


def test_declared_credentials_come_first(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(msgspec.json.encode({"auths": {HOST: {"username": USER, "password": PASSWORD}}}))
    with Registry(authorization="bearer") as registry:
        running = pod(image_id=f"{HOST}/team/app@{registry.add(IMAGE)}")
        listing = gathered(registry, tmp_path, running, credentials=str(file))
    assert listing.statuses[0].problem is None
    assert PASSWORD.encode() not in kept(tmp_path)


def test_nothing_that_is_kept_holds_a_secret(tmp_path: Path) -> None:
    token = "ghp_" + "Zx8wQ1mN4vB7cD2fG5hJ9kL3pR6tY0sA1eUo"
    config = {"Env": [f"GH_TOKEN={token}"]}
    leaking = image([[File(path="app/.env", content=f"A={token}".encode()), PROGRAM]], config, history=[f"RUN {token}"])
    with Registry() as registry:
        listing = gathered(registry, tmp_path, pod(image_id=f"{HOST}/team/app@{registry.add(leaking)}"))
    assert len(listing.items[0].secrets) == 3
    assert b"app/.env" in kept(tmp_path)
    assert token.encode() not in kept(tmp_path)


def kept(folder: Path) -> bytes:
    """Return what a run leaves behind, as evidence and for the next run."""
    files = [path for name in ("evidence", "cache") for path in (folder / name).rglob("*") if path.is_file()]
    return b"".join(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in files)
