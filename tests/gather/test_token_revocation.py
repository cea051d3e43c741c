"""The writing probe: off unless switched on, done with the shipped rights on the real control plane, nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import yaml

from soc2.demo.company.cluster import _PATHS
from soc2.demo.controlplane import ControlPlane
from soc2.demo.process import wait_until
from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes.connection import Answer, GatherError, KubeConnection
from soc2.gather.kubernetes.token_revocation import TokenRevocation, _probe
from soc2.gather.source import Gatherer, Listing
from soc2.model.population import Cause, Problem
from soc2.model.probes import RevocationProbe
from soc2.system import System, load_system
from tests.conftest import ROOT, examine

RIGHTS = ROOT / "deploy" / "kubernetes" / "writing-probes.yaml"
ACCOUNTS = "/api/v1/namespaces/soc2-canary/serviceaccounts"


@pytest.fixture(scope="module")
def prober(control_plane: ControlPlane) -> Iterator[KubeConnection]:
    """A connection with the shipped rights for writing probes and no others."""
    admin = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    for item in yaml.safe_load_all(RIGHTS.read_text()):
        if item["kind"] == "RoleBinding":
            item["subjects"] = [{"kind": "User", "name": "prober", "apiGroup": "rbac.authorization.k8s.io"}]
        metadata = item["metadata"]
        path = _PATHS[item["kind"]].format(metadata.get("namespace", ""))
        admin.request("POST", path, body=item)
    connection = KubeConnection(control_plane.kubeconfig("prober", ()))

    def may_write() -> bool:
        return connection.try_create(ACCOUNTS, {"metadata": {"name": "trial"}}).status == 201

    assert wait_until(may_write, 20.0)
    yield connection
    connection.close()
    admin.close()


def gathered(connection: KubeConnection, folder: Path) -> Listing[RevocationProbe]:
    path = folder / "system.toml"
    path.write_text('[system]\nname = "t"\nowner = "t"\n[probes]\nwriting = true\n')
    system: System = load_system(path)
    gatherer = SimpleNamespace(system=system, evidence=EvidenceStore(folder / "evidence"), kubernetes=connection)
    return TokenRevocation().gather(cast(Gatherer, gatherer))


@pytest.mark.controlplane
def test_a_real_token_is_refused_and_nothing_is_left(
    control_plane: ControlPlane, prober: KubeConnection, tmp_path: Path
) -> None:
    listing = gathered(prober, tmp_path)
    assert listing.statuses[0].complete, listing.statuses
    (probe,) = listing.items
    assert probe.refused
    assert probe.seconds < 60
    admin = KubeConnection(control_plane.kubeconfig("deployer", ("system:masters",)))
    left = json.loads(admin.request("GET", ACCOUNTS).body)["items"]
    assert {item["metadata"]["name"] for item in left} <= {"default"}
    admin.close()
    events = [json.loads(line) for line in control_plane.audit_log.read_text().splitlines()]
    own = [event for event in events if event["user"].get("username") == "prober" and "dryRun" not in event["requestURI"]]
    writes = {(event["verb"], event["objectRef"]["resource"], event["objectRef"].get("subresource", "")) for event in own}
    expected = {("create", "serviceaccounts", ""), ("create", "serviceaccounts", "token"), ("delete", "serviceaccounts", "")}
    assert writes - {("create", "selfsubjectreviews", "")} == expected
    kept = b"".join(path.read_bytes() for path in (tmp_path / "evidence").rglob("*") if path.is_file())
    assert b"eyJ" not in kept


@pytest.mark.controlplane
def test_the_check_runs_only_when_switched_on(control_plane: ControlPlane, prober: KubeConnection, tmp_path: Path) -> None:
    assert prober
    kubeconfig = control_plane.kubeconfig("prober", ())
    system = tmp_path / "system.toml"
    system.write_text('[system]\nname = "t"\nowner = "t"\n[aws]\nabsent = "the test has none"\n')
    options = ["--target", "live", "--system", str(system), "--kubeconfig", str(kubeconfig), "-k", "revoked"]
    off = examine(tmp_path / "off", *options)
    assert (off.outcome("revoked-token-refused"), off.exit_code) == ("probe_disabled", 0)
    assert not (off.folder / "evidence" / "calls.jsonl").exists()
    on = examine(tmp_path / "on", *options, "--writing-probes")
    assert (on.outcome("revoked-token-refused"), on.exit_code) == ("pass", 0)


class Scripted:
    """Answers the calls of the probe; ``accepted`` are the statuses with which the token is met, the last one for ever."""

    def __init__(self, *accepted: int, created: int = 201) -> None:
        self.accepted = list(accepted)
        self.created = created
        self.calls: list[str] = []

    def request(self, method: str, path: str, body: object = None) -> Answer:
        del path, body
        self.calls.append(method)
        if method == "POST" and self.created != 201:
            raise GatherError(Problem(Cause.DENIED, "no"), self.created)
        return Answer(201, b'{"status": {"token": "a-token"}}')

    def request_anonymously(self, path: str, headers: dict[str, str]) -> Answer:
        assert (path, headers) == ("/version", {"Authorization": "Bearer a-token"})
        return Answer(self.accepted.pop(0) if len(self.accepted) > 1 else self.accepted[0], b"")


def probe(script: Scripted) -> RevocationProbe:
    return _probe(cast(KubeConnection, script), "ns", "c", limit_seconds=1)


def test_a_token_that_stays_good_is_found() -> None:
    found = probe(Scripted(200))
    assert (found.refused, found.seconds >= 1) == (False, True)


def test_a_token_that_was_never_good_tells_nothing() -> None:
    script = Scripted(401)
    with pytest.raises(GatherError, match="inconclusive"):
        probe(script)
    assert script.calls[-1] == "DELETE"


def test_without_the_right_nothing_is_claimed() -> None:
    with pytest.raises(GatherError, match="access denied"):
        probe(Scripted(200, created=403))
