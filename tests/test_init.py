"""``soc2 init`` writes a description that loads, from whatever it can reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from soc2.cli import main
from soc2.demo.controlplane import ControlPlane
from soc2.system import load_system


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


@pytest.mark.controlplane
def test_it_describes_the_cluster_it_finds(control_plane: ControlPlane, tmp_path: Path) -> None:
    kubeconfig = control_plane.kubeconfig("initiator", ("system:masters",))
    output = tmp_path / "system.toml"
    assert main(["init", "--kubeconfig", str(kubeconfig), "--output", str(output)]) == 0
    system = load_system(output)
    assert (system.target.kube_context, system.target.kubeconfig) == ("demo", str(kubeconfig))
    assert not system.in_scope("kube-system")
    (found,) = [line for line in output.read_text().splitlines() if line.startswith("# namespaces found: ")]
    assert "default" in found
    assert "kube-system" not in found
    assert "# What the policies of the cluster let through today" in output.read_text()
    stranger = control_plane.kubeconfig("stranger")
    assert main(["init", "--kubeconfig", str(stranger), "--output", str(output), "--force"]) == 0
    assert "# What the policies let through today is not known: " in output.read_text()
    assert load_system(output).network.connections == ()


def test_what_it_cannot_reach_becomes_a_comment(tmp_path: Path) -> None:
    output = tmp_path / "system.toml"
    assert main(["init", "--output", str(output)]) == 0
    assert load_system(output).system.name == "my system"
    assert "there is no current context" in output.read_text()
    assert "# not found: EndpointConnectionError" in output.read_text()


def test_it_overwrites_nothing_unless_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "system.toml"
    output.write_text("mine")
    assert main(["init", "--output", str(output)]) == 4
    assert output.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert main(["init", "--output", str(output), "--force"]) == 0
    assert output.read_text() != "mine"
