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
from soc2.model.kubernetes.control_plane import Component
from soc2.model.population import Cause
from soc2.rules.etcd import FlagOff, requires_certificates
from tests.gather.scripted import Answer, scripted

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
    assert found(*bare, env=[{"name": "ETCD_CLIENT_CERT_AUTH", "value": "true"}]) == ([], ["client-cert-auth"])
    assert found(*bare, envFrom=[{"configMapRef": {"name": "etcd"}}]) == ([], ["*"])
    assert found(*GOOD, env=[{"name": "ETCD_CLIENT_CERT_AUTH", "value": "true"}]) == ([], [])
    assert found(*GOOD, env=[{"name": "ETCD_NAME", "value": "a"}, {"name": "POD_IP"}]) == ([], [])
    assert found(env=[{"name": "ETCD_CONFIG_FILE", "value": "/etc/etcd.yaml"}]) == ([], ["*"])


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (["etcd"], True),
        (["/usr/local/bin/etcd"], True),
        ([], True),  # what the image starts
        (["/go-runner", "--log-file=/var/log/etcd.log", "--", "etcd"], True),
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


def gathered(folder: Path, *pods: dict[str, Any], endpoints: tuple[str, ...] = ()) -> Listing[Component]:
    body = json.dumps({"kind": "PodList", "metadata": {}, "items": pods}).encode()
    with scripted(folder, Answer(body=body)) as (gatherer, script):
        gatherer.system = msgspec.structs.replace(gatherer.system, etcd=Etcd(endpoints=endpoints))
        listing = gatherer.get(ControlPlane())
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


@pytest.mark.parametrize("endpoints", [(), ("10.0.0.9:2379",)])
def test_an_etcd_elsewhere_has_to_be_declared(tmp_path: Path, endpoints: tuple[str, ...]) -> None:
    listing = gathered(tmp_path, pod("--etcd-servers=https://a", kind="kube-apiserver"), endpoints=endpoints)
    assert all(status.complete for status in listing.statuses) is bool(endpoints)
