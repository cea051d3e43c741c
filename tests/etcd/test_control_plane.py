"""Settings of the control plane, read from command lines as etcd and the API server read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.declared_etcd import Etcd
from soc2.gather.codec import Codec, canonical
from soc2.gather.kubernetes.control_plane import ControlPlane
from soc2.gather.source import Listing
from soc2.model.kubernetes.control_plane import ENCRYPTION, Component
from soc2.model.population import Cause
from soc2.rules.etcd import FlagOff, requires_certificates
from tests.gather.scripted import Answer, scripted

CONTROL_PLANE = ControlPlane()
GOOD = (
    "--client-cert-auth",
    "--peer-client-cert-auth=1",
    "--trusted-ca-file=/ca",
    "--peer-trusted-ca-file=/ca",
    "--listen-client-urls=https://10.0.0.1:2379",
    "--listen-peer-urls=https://10.0.0.1:2380",
)


def pod(*words: str, kind: str = "etcd", command: list[str] | None = None, **container: Any) -> dict[str, Any]:
    given = {"name": kind, "command": [kind] if command is None else command, "args": list(words), **container}
    return {"metadata": {"name": f"{kind}-1", "labels": {"component": kind}}, "spec": {"containers": [given]}}


def components(*pods: dict[str, Any]) -> tuple[Component, ...]:
    return ControlPlane().decode(Codec(), json.dumps({"items": pods}).encode())


def found(*words: str, **container: Any) -> tuple[list[str], list[str]]:
    """Return the deviations of an etcd, and the flags that are not seen."""
    (component,) = components(pod(*words, **container))
    return [each.message for each in requires_certificates(component)], [flag for flag, _ in component.unseen]


def test_what_is_good_has_no_deviation() -> None:
    assert found(*GOOD) == ([], [])


@pytest.mark.parametrize(
    ("words", "deviations", "unseen"),
    [
        (("-client-cert-auth=false",), ["--client-cert-auth is false; set it to true"], []),
        (("--client-cert-auth=F",), ["--client-cert-auth is F; set it to true"], []),
        # Go takes no value from the next word for a switch.
        (("--client-cert-auth", "false"), [], []),
        (("--client-cert-auth=false", "--client-cert-auth=true"), [], []),
        (("--client-cert-auth=yes",), ["--client-cert-auth is yes; set it to true"], ["client-cert-auth"]),
        (("--client-cert-auth=$(AUTH)",), [], ["client-cert-auth"]),
        (("--trusted-ca-file=",), ["--trusted-ca-file is not set, so that it is left open whose certificates count"], []),
        (("--listen-client-urls=https://a:1, http://b:1",), ["--listen-client-urls has http://b:1, which is without TLS"], []),
        (("--auto-tls=false", "--peer-auto-tls=0"), [], []),
        (("--auto-tls",), ["--auto-tls is on, so that certificates are made up and nobody can verify them"], []),
        (("--listen-client-urls=https://$(IP):2379",), [], []),
        (("--listen-client-urls=$(URLS)",), [], ["listen-client-urls"]),
        (("--listen-client-urls", "HTTPS://a:1"), [], []),
        (("--listen-client-urls=unix://run/etcd",), ["--listen-client-urls has unix://run/etcd, which is without TLS"], []),
        (("--listen-client-urls=http://a:1", "--listen-client-urls=https://a:1"), [], []),
        (("--advertise-client-urls=http://a:1",), ["--advertise-client-urls has http://a:1, which is without TLS"], []),
        (("--listen-metrics-urls=http://a:1", "--name", "etcd", "--data-dir=/var/lib/etcd"), [], []),
        (("--config-file=/etc/etcd.yaml",), [], ["*"]),
    ],
)
def test_flags_as_etcd_reads_them(words: tuple[str, ...], deviations: list[str], unseen: list[str]) -> None:
    shown, hidden = found(*GOOD, *words)
    assert hidden == unseen
    assert shown == [each for each in deviations if unseen != ["client-cert-auth"]]


def test_what_is_set_out_of_sight_is_no_deviation() -> None:
    bare = GOOD[1:]
    assert found(*bare)[0] == ["--client-cert-auth is not set; set it to true"]
    elsewhere = {"name": "ETCD_CLIENT_CERT_AUTH", "valueFrom": {"configMapKeyRef": {"name": "etcd", "key": "auth"}}}
    assert found(*bare, env=[elsewhere]) == ([], ["client-cert-auth"])
    assert found(*bare, env=[{"name": "ETCD_CLIENT_CERT_AUTH", "value": "$(AUTH)"}]) == ([], ["client-cert-auth"])
    assert found(*bare, envFrom=[{"configMapRef": {"name": "etcd"}}]) == ([], ["*"])
    assert found(*GOOD, env=[{"name": "ETCD_CLIENT_CERT_AUTH", "value": "true"}]) == ([], [])
    assert found(*GOOD, env=[{"name": "ETCD_NAME", "value": "a"}, {"name": "POD_IP"}]) == ([], [])
    assert found(env=[{"name": "ETCD_CONFIG_FILE", "value": "/etc/etcd.yaml"}]) == ([], ["*"])
    assert found(*GOOD, env=[{"name": "ETCD_CONFIG_FILE", "value": ""}]) == ([], [])


@pytest.mark.parametrize(
    ("value", "deviations"),
    [
        ("true", []),
        ("1", []),
        ("false", ["--client-cert-auth is false; set it to true"]),
        ("", ["--client-cert-auth is not set; set it to true"]),  # etcd passes over an empty variable
    ],
)
def test_what_the_environment_of_the_pod_says_counts_as_flags_do(value: str, deviations: list[str]) -> None:
    variable = {"name": "ETCD_CLIENT_CERT_AUTH", "value": value}
    assert found(*GOOD[1:], env=[variable]) == (deviations, [])
    assert found(*GOOD[1:], env=[{"name": "ETCD_CLIENT_CERT_AUTH", "value": "false"}, variable]) == (deviations, [])
    # The command line wins.
    assert found(*GOOD, env=[variable]) == ([], [])


def test_all_of_etcd_may_be_set_by_variables() -> None:
    named = [word.removeprefix("--").partition("=") for word in GOOD]
    variables = [{"name": f"ETCD_{flag.replace('-', '_').upper()}", "value": value or "true"} for flag, _, value in named]
    assert found(env=variables) == ([], [])
    assert found(env=variables, command=[]) == ([], ["*"])
    plain = {"name": "ETCD_LISTEN_CLIENT_URLS", "value": "https://10.0.0.1:2379,http://127.0.0.1:2379"}
    assert found(env=[*variables, plain])[0] == ["--listen-client-urls has http://127.0.0.1:2379, which is without TLS"]


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (["etcd"], True),
        (["/usr/local/bin/etcd"], True),
        ([], True),  # what the image starts
        (["/go-runner", "--log-file=/var/log/etcd.log", "--", "etcd"], True),
        (["/go-runner", "--log-file", "/var/log/x.log", "--also-stdout", "/usr/local/bin/etcd"], True),
        (["/go-runner", "--log-file=/var/log/x.log"], False),
        (["/bin/sh", "-c", "etcd --client-cert-auth"], False),
        (["etcd-manager", "--data-dir", "/var/lib/etcd"], False),
        (["etcd-manager", "--data-dir=/var/lib/etcd"], False),
    ],
)
def test_flags_of_another_program_are_not_etcds(command: list[str], seen: bool) -> None:
    assert found(*GOOD, command=command) == ([], [] if seen else ["*"])


def test_whose_pods_count() -> None:
    mirror = {"name": "etcd-2", "annotations": {"kubernetes.io/config.mirror": "abc"}}
    others = [
        {**pod(*GOOD), "status": {"phase": "Failed"}},
        {"metadata": {"name": "etcd-3"}, "spec": {"containers": [{"name": "etcd"}]}},
        {"metadata": {"name": "etcd-backup", "labels": {"component": "etcd-backup"}}, "spec": {"containers": []}},
    ]
    assert [each.pod for each in components({**pod(*GOOD), "metadata": mirror}, *others)] == ["etcd-2"]
    two = [{"name": "a"}, {"name": "b"}]
    (odd,) = components({"metadata": {"name": "x", "labels": {"component": "etcd"}}, "spec": {"containers": two}})
    assert [flag for flag, _ in odd.unseen] == ["*"]
    assert list(requires_certificates(odd)) == []


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["--", "-", "---", "=", "--client-cert-auth", "--trusted-ca-file", "$(X)", ""]),
            st.text(max_size=9),
        )
    ),
    st.text("0123456789abcdef", min_size=32, max_size=32),
)
def test_nothing_but_known_flags_is_kept(words: list[str], secret: str) -> None:
    hidden = (f"--password={secret}", "--token", secret, f"--listen-client-urls=https://root:{secret}@10.0.0.1:2379")
    kept = canonical(components(pod(*hidden, *words), pod(*words, kind="kube-apiserver")))
    assert secret.encode() not in kept
    msgspec.json.decode(kept, type=list[Component])


@given(st.lists(st.sampled_from(["true", "false", "1", "0", "t", "F"]), min_size=1))
def test_the_last_one_counts(values: list[str]) -> None:
    (component,) = components(pod(*GOOD, *(f"--client-cert-auth={value}" for value in values)))
    off = [each for each in requires_certificates(component) if isinstance(each, FlagOff)]
    assert bool(off) is (values[-1] not in ("true", "1", "t"))


def gathered(
    folder: Path, *pods: dict[str, Any], endpoints: tuple[str, ...] = (), source: ControlPlane = CONTROL_PLANE
) -> Listing[Component]:
    body = json.dumps({"kind": "PodList", "metadata": {}, "items": pods}).encode()
    with scripted(folder, Answer(body=body)) as (gatherer, script):
        gatherer.system = msgspec.structs.replace(gatherer.system, etcd=Etcd(endpoints=endpoints))
        listing = gatherer.get(source)
    assert [path.partition("?")[0] for path in script.paths] == ["/api/v1/namespaces/kube-system/pods"]
    return listing


def test_a_file_of_settings_is_no_evidence_and_hides_no_other_pod(tmp_path: Path) -> None:
    listing = gathered(tmp_path, pod("--config-file=/etc/etcd.yaml"), pod("--etcd-servers=http://a", kind="kube-apiserver"))
    problems = [status.problem for status in listing.statuses if status.problem]
    assert [(each.cause, each.detail) for each in problems] == [
        (Cause.INCONCLUSIVE, "etcd-1: its settings stand in a file (config-file)")
    ]
    assert [each.message for item in listing.items for each in requires_certificates(item)] == [
        "--etcd-cafile is not set",
        "--etcd-certfile is not set",
        "--etcd-keyfile is not set",
        "--etcd-servers has http://a, which is without TLS",
    ]


def hidden(folder: Path, *pods: dict[str, Any], endpoints: tuple[str, ...] = ()) -> list[str]:
    statuses = gathered(folder, *pods, endpoints=endpoints).statuses
    return [status.problem.detail for status in statuses if status.problem]


PORT = "only endpoints with the port 2379 are declared; declare those of its clients and of its peers"


@pytest.mark.parametrize(
    ("servers", "endpoints", "problems"),
    [
        ("https://a", (), ["the API server has an etcd that is no pod here; declare it under [etcd] endpoints"]),
        ("https://a:2379", ("A.:2379", "a:2380"), []),
        ("https://a", ("a:2379", "a:2380"), []),
        ("https://[fd00::1]:2379", ("[FD00::1]:2379", "[fd00::1]:2380"), []),
        # As kops has it, which reaches its own on the same machine.
        ("https://127.0.0.1:4001", ("10.0.0.1:4001", "10.0.0.1:2380"), []),
        (
            "https://a:2379,https://b:2379",
            ("a:2379", "a:2380"),
            ["the API server uses https://b:2379, which is not declared under [etcd] endpoints"],
        ),
        ("https://a:2379", ("a:2380",), ["the API server uses https://a:2379, which", "only endpoints with the port 2380"]),
        ("https://a:2379", ("a:2379",), [PORT]),
    ],
)
def test_an_etcd_elsewhere_has_to_be_declared(
    tmp_path: Path, servers: str, endpoints: tuple[str, ...], problems: list[str]
) -> None:
    """All that the API server uses, and what peers use."""
    server = pod(f"--etcd-servers={servers}", kind="kube-apiserver")
    told = "".join(hidden(tmp_path, server, endpoints=endpoints))
    assert [text for text in problems if text not in told] == []
    assert bool(told) is bool(problems)


def test_an_etcd_without_any_pod_is_tried_at_both_ports(tmp_path: Path) -> None:
    assert hidden(tmp_path) == []
    assert hidden(tmp_path, endpoints=("a:2379", "b:2379")) == [f"{PORT} (2379 and 2380, as a rule), as host:port"]
    assert hidden(tmp_path, endpoints=("a:2379", "b:2380")) == []


def test_what_is_hidden_may_be_tried_instead(tmp_path: Path) -> None:
    """RKE2 starts etcd with a file of settings."""
    member = {**pod("--config-file=/config"), "status": {"hostIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "x"}]}}
    assert hidden(tmp_path, member) == [
        "etcd-1: its settings stand in a file (config-file); declare 10.0.0.1:2379 and 10.0.0.1:2380 to have it tried"
    ]
    assert hidden(tmp_path, member, endpoints=("10.0.0.1:2379", "10.0.0.2:2380")) != []
    assert hidden(tmp_path, member, endpoints=("10.0.0.1:2379", "10.0.0.1:2380")) == []


def test_what_etcd_hides_does_not_matter_to_the_api_server(tmp_path: Path) -> None:
    source = ControlPlane("API servers", (("kube-apiserver", (ENCRYPTION,)),))
    shell = pod(kind="kube-apiserver", command=["sh", "-c", "kube-apiserver"])
    odd = pod("--etcd-servers=$(ETCD)", kind="kube-apiserver")
    assert [text for _, text in _problems(tmp_path, source, pod("--config-file=/config"), odd)] == []
    assert [cause for cause, _ in _problems(tmp_path, source, shell)] == [Cause.INCONCLUSIVE]


def _problems(folder: Path, source: ControlPlane, *pods: dict[str, Any]) -> list[tuple[Cause, str]]:
    statuses = gathered(folder, *pods, source=source).statuses
    return [(status.problem.cause, status.problem.detail) for status in statuses if status.problem]
