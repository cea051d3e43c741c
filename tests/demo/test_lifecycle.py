"""Environments start quickly, can stand side by side, and leave nothing behind, however they end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLError, create_default_context

import pytest

from soc2.demo.build import Binaries
from soc2.demo.cli import add_parser
from soc2.demo.company.cluster import objects
from soc2.demo.company.weaknesses import all_weaknesses
from soc2.demo.controlplane import ControlPlane, Protections
from soc2.demo.environment import Environment, running, start
from soc2.demo.process import wait_until
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.probes import UnauthorizedRequests
from tests.conftest import ROOT, examine

pytestmark = pytest.mark.controlplane


@pytest.fixture(scope="module")
def unprotected(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with all its protections off."""
    off = Protections(
        audit_log=False,
        encryption_at_rest=False,
        pod_security=False,
        rbac=False,
        node_restriction=False,
        anonymous_only_for_health=False,
        etcd_client_certificates=False,
    )
    with ControlPlane(binaries, tmp_path_factory.mktemp("unprotected"), off) as cluster:
        yield cluster


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_is_up_and_down_quickly(binaries: Binaries, tmp_path: Path) -> None:
    cluster = ControlPlane(binaries, tmp_path / "cp")
    began = time.monotonic()
    cluster.start()
    up = time.monotonic() - began
    pids = list(cluster.pids.values())
    began = time.monotonic()
    cluster.stop()
    down = time.monotonic() - began
    assert up < 20, f"up after {up:.1f} s"
    assert down < 5, f"down after {down:.1f} s"
    assert not [pid for pid in pids if alive(pid)]


def test_a_killed_supervisor_takes_its_servers_along_and_the_next_start_cleans_up(own_state: Path, tmp_path: Path) -> None:
    environment = start("compliant", print, detached=True)
    os.kill(environment.state.pid, signal.SIGKILL)
    pids = list(environment.state.pids.values())
    assert wait_until(lambda: not [pid for pid in pids if alive(pid)], 5.0), "servers outlived their supervisor"
    assert environment.folder.exists()
    assert environment.folder not in [item.folder for item in running()]
    following = end_suite(tmp_path, signal.SIGKILL)
    assert not environment.folder.exists()
    assert own_state in following.folder.parents


def test_an_interrupted_suite_leaves_nothing_running(own_state: Path, tmp_path: Path) -> None:
    assert own_state in end_suite(tmp_path, signal.SIGINT).folder.parents


def end_suite(reports: Path, number: signal.Signals) -> Environment:
    """Start the suite, end it when its environment is up, and return that: nothing of it runs any longer."""
    before = {item.folder for item in running()}
    command = [sys.executable, "-m", "pytest", "--target", "demo", "--demo-variant", "compliant"]
    suite = subprocess.Popen(
        [*command, "--report-dir", str(reports), "tests_controls"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A shell starts background jobs with SIGINT ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    started: list[Environment] = []

    def found() -> bool:
        started[:] = [item for item in running() if item.folder not in before]
        return bool(started) or suite.poll() is not None

    try:
        # Beside other work on two cores, an environment takes more than a minute.
        assert wait_until(found, 240.0)
        assert started, "the suite ended before its environment was up"
        (environment,) = started
        pids = [environment.state.pid, *environment.state.pids.values()]
        suite.send_signal(number)
        suite.wait(30)
    finally:
        suite.kill()
    assert wait_until(lambda: not [pid for pid in pids if alive(pid)], 10.0)
    assert not [path for path in reports.iterdir() if path.name == "latest"], "an ended run is not complete"
    assert wait_until(lambda: not environment.folder.exists(), 10.0)
    return environment


def test_two_stand_side_by_side(control_plane: ControlPlane, unprotected: ControlPlane) -> None:
    assert unprotected.url != control_plane.url
    for cluster in (control_plane, unprotected):
        connection = KubeConnection(cluster.kubeconfig("side", ("system:masters",)))
        assert connection.identity == "side"
        connection.close()


def test_everything_listens_on_loopback_only(default_demo: Environment) -> None:
    inodes = {
        str(link.readlink())
        for pid in default_demo.state.pids.values()
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if _is_socket(link)
    }
    listening = []
    for table, loopback in (("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in inodes:
                listening.append(columns[1].split(":")[0] in (loopback, "0000000000000000FFFF00000100007F"))
    assert len(listening) >= 7
    assert all(listening)


def _is_socket(link: Path) -> bool:
    try:
        return str(link.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False


def test_etcd_refuses_whoever_has_no_certificate(control_plane: ControlPlane) -> None:
    context = create_default_context(cafile=str(control_plane.authority.certificate))
    with pytest.raises((SSLError, urllib.error.URLError, ConnectionError)):
        urllib.request.urlopen(control_plane.etcd_url + "/v3/kv/range", b"{}", context=context, timeout=5)  # noqa: S310


def write_secret(cluster: ControlPlane) -> None:
    connection = KubeConnection(cluster.kubeconfig("writer", ("system:masters",)))
    metadata = {"name": "canary", "namespace": "default"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"word": "plain-canary"}}
    connection.request("POST", "/api/v1/namespaces/default/secrets", body=body)
    connection.close()


def test_secrets_are_ciphertext_in_etcd(control_plane: ControlPlane) -> None:
    write_secret(control_plane)
    stored = control_plane.etcd_value("/registry/secrets/default/canary")
    assert stored.startswith(b"k8s:enc:secretbox:v1:")
    assert b"plain-canary" not in stored


def test_each_protection_can_be_switched_off(unprotected: ControlPlane, binaries: Binaries, tmp_path: Path) -> None:
    write_secret(unprotected)
    assert b"plain-canary" in unprotected.etcd_value("/registry/secrets/default/canary")
    assert not unprotected.audit_log.exists()
    nobody = KubeConnection(unprotected.kubeconfig("nobody"))
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": labels}}
    nobody.request("POST", "/api/v1/namespaces", body=body)
    assert wait_until(lambda: _privileged_admitted(nobody), 20.0)
    nobody.close()
    with ControlPlane(binaries, tmp_path / "anonymous", Protections(anonymous_only_for_health=False)) as cluster:
        nobody = KubeConnection(cluster.kubeconfig("nobody"))
        assert nobody.request_anonymously("/api/v1/namespaces").status == 403, "known as system:anonymous"
        nobody.close()


def _privileged_admitted(connection: KubeConnection) -> bool:
    container = {"name": "c", "image": "x", "securityContext": {"privileged": True}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    return connection.try_create("/api/v1/namespaces/strict/pods", pod).status == 201


def test_with_protections_on_the_same_is_refused(control_plane: ControlPlane) -> None:
    connection = KubeConnection(control_plane.kubeconfig("nobody-here"))
    assert connection.request_anonymously("/api/v1/namespaces").status == 401
    assert connection.request_anonymously("/readyz").status == 200
    with pytest.raises(GatherError, match="access denied"):
        connection.request("GET", "/api/v1/secrets")
    connection.close()
    events = [json.loads(line) for line in control_plane.audit_log.read_text().splitlines()]
    denied = [event for event in events if event["user"].get("username") == "nobody-here"]
    assert denied[-1]["annotations"]["authorization.k8s.io/decision"] == "forbid"
    assert UnauthorizedRequests().name


def test_the_examiner_cannot_create_what_it_may_dry_run(default_demo: Environment) -> None:
    connection = KubeConnection(default_demo.auditor_kubeconfig)
    context = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/northwind/x@sha256:" + "0" * 64
    container = {"name": "c", "image": image, "securityContext": context}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    assert connection.try_create("/api/v1/namespaces/platform/pods", pod).status == 201
    with pytest.raises(GatherError, match="dry-run only"):
        connection.request("POST", "/api/v1/namespaces/platform/pods", body=pod)
    connection.close()


def test_every_weakness_names_objects_that_exist() -> None:
    assert len(objects("default")) != len(objects("compliant"))
    weaknesses = all_weaknesses()
    assert len({weakness.id for weakness in weaknesses}) == len(weaknesses) >= 20
    assert all(weakness.expected for weakness in weaknesses)


def test_the_commands_print_what_a_shell_needs(default_demo: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    for words in (["demo", "status"], ["demo", "kubeconfig", "--user", "auditor"]):
        arguments = parser.parse_args(words)
        assert arguments.run(arguments) == 0
    printed = capsys.readouterr().out
    assert f"export KUBECONFIG={default_demo.admin_kubeconfig}" in printed
    assert f"export AWS_ENDPOINT_URL={default_demo.aws_env['AWS_ENDPOINT_URL']}" in printed
    assert printed.splitlines()[-1] == str(default_demo.auditor_kubeconfig)
    with socket.create_connection(("127.0.0.1", int(default_demo.state.server.rpartition(":")[2])), 5):
        pass


def test_writing_probes_find_what_they_need(default_demo: Environment, tmp_path: Path) -> None:
    """The rights that the suite ships are enough, and nothing that they made is left."""
    run = examine(tmp_path, "--target", "demo", "--writing-probes", "-k", "encrypted_in_etcd")
    assert {item["id"]: item["outcome"] for item in run.results["checks"]} == {"secrets-encrypted-at-rest": "pass"}
    connection = KubeConnection(default_demo.admin_kubeconfig)
    left = json.loads(connection.request("GET", "/api/v1/namespaces/soc2-canary/secrets").body)["items"]
    connection.close()
    assert left == []
