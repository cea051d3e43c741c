"""Manifests are read as Kubernetes reads them, each with its place, and what is broken spoils nothing else."""

from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.evidence import EvidenceStore
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.lists import KubeList
from soc2.gather.manifests.documents import Broken, Document, read_all, read_bytes, read_text
from soc2.gather.manifests.gatherer import ManifestGatherer
from soc2.model.kubernetes.subjects import pod_subjects
from soc2.rules.pod_security import breaches
from soc2.system import About, System
from tests.rules.pod_strategies import PODS

POD_SOURCES: tuple[KubeList[Any], ...] = sources.POD_SOURCES
SYSTEM = System(system=About(name="test", owner="test"))
NAME = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
OBJECT = st.fixed_dictionaries(
    {
        "apiVersion": st.sampled_from(["v1", "apps/v1", "example.com/v1"]),
        "kind": st.sampled_from(["Pod", "Deployment", "Widget"]),
        "metadata": st.fixed_dictionaries(
            {"name": NAME}, optional={"annotations": st.dictionaries(NAME, st.text(st.characters(codec="utf-8"), max_size=20))}
        ),
    }
)


def gathered(tmp_path: Path, text: str) -> ManifestGatherer:
    return ManifestGatherer(SYSTEM, EvidenceStore(tmp_path / "evidence"), *read_all(None, text.encode()))


@given(st.lists(OBJECT, min_size=1, max_size=5), st.sampled_from(["yaml", "list", "json", "json stream", "json list"]))
def test_every_form_gives_the_same_objects_each_at_its_line(objects: list[dict[str, Any]], form: str) -> None:
    whole = {"apiVersion": "v1", "kind": "List", "items": objects}
    texts = {
        "yaml": lambda: yaml.safe_dump_all(objects, explicit_start=True),
        "list": lambda: yaml.safe_dump(whole, sort_keys=False),
        "json": lambda: "\n---\n".join(json.dumps(item, indent=2) for item in objects),
        "json stream": lambda: "\n".join(json.dumps(item, indent="\t") for item in objects),
        "json list": lambda: json.dumps(whole, indent=1),
    }
    text = texts[form]()
    found = list(read_text(text, "f"))
    assert [item.content for item in found if isinstance(item, Document)] == objects
    assert len(found) == len(objects)
    lines = text.splitlines()
    for item in found:
        assert isinstance(item, Document)
        if form == "json list":
            assert lines[item.line - 1].strip() == "{"
        elif "json" in form:
            assert lines[item.line - 1] == "{"
        else:
            assert lines[item.line - 1].startswith("- ") == (form == "list")
            assert lines[item.line - 1].removeprefix("- ").partition(":")[0] == next(
                iter(sorted(item.content) if form == "yaml" else item.content)
            )


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("apiVersion: v1\nkind: Pod\nspec: a: b", 3, "not valid YAML"),
        ("a: {{ .Values.name }}", 1, "render templates"),
        ("apiVersion: v1\n\n\nkind: [", 5, "not valid YAML"),
        ("\n\nhello", 3, "expected a mapping, got str"),
        ("kind: Pod", 1, "apiVersion is missing"),
        ("a: &a [*a]", 1, "refers to what contains it"),
        ("a: !!python/name:os.system x", 1, "not valid YAML"),
        ("- " * 5000, 1, "deep"),
        ("[" * 100_000, 1, "nesting"),
        ('{"kind": "Pod",\n oops]}', 2, "not valid YAML"),
        ("a: 1\nb: {c: 1, c: 2}", 2, "c is given twice"),
        ('{"a": 1,\n"a": 2}', 1, "a is given twice"),
        ("\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]" for n in range(1, 12))]), 1, "aliases make more"),
    ],
)
def test_a_broken_document_is_named_and_the_rest_is_read(text: str, line: int, what: str) -> None:
    good = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\n"
    found = list(read_text(f"{good}---\n{text}\n---\n{good}", "dir/f.yaml"))
    broken = [item for item in found if isinstance(item, Broken)]
    assert {item.file for item in broken} == {"dir/f.yaml"}
    assert broken[0].line == line + 4
    assert what in broken[0].what
    assert [item.line for item in found if isinstance(item, Document)] == [1, len(text.splitlines()) + 6]


def test_the_last_of_repeated_keys_is_judged(tmp_path: Path) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}
    twice = json.dumps(pod).replace('"spec": {}', '"spec": {"hostPID": false, "hostPID": true}')
    merged = "{<<: &a {x: 1}, <<: *a, y: {<<: *a, x: 2}, apiVersion: v1, kind: Pod}"
    for text in (twice, "#\n" + twice):
        gatherer = gathered(tmp_path, text)
        assert [item.what.partition(" is given")[0] for item in gatherer.broken] == ["not valid: hostPID"]
        assert [item.spec.host_pid for item in gatherer.get(sources.PODS).items] == [True]
    assert gathered(tmp_path, merged).broken == []


def test_scalars_are_those_of_kubernetes() -> None:
    text = "{apiVersion: v1, kind: X, a: 12:30, b: 2024-01-01, c: yes, d: 0644, e: null, f: '1', g: =, h: 1e3, 1: x, true: y}"
    (document,) = read_text("#\n" + text, "f")
    assert isinstance(document, Document)
    expected = {"a": "12:30", "b": "2024-01-01", "c": True, "d": 0o644, "f": "1", "g": "=", "h": 1000, "1": "x", "true": "y"}
    assert document.content == {"apiVersion": "v1", "kind": "X", **expected}


@pytest.mark.parametrize("text", ["", "\n\n", "---\n# nothing\n---\n...\n"])
def test_no_document_at_all_is_missing_evidence(tmp_path: Path, text: str) -> None:
    gatherer = gathered(tmp_path, text)
    assert [str(item) for item in gatherer.broken] == ["-:1: there is no document in it"]
    assert not gatherer.get(sources.PODS).statuses[0].complete


_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\n"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"\xef\xbb\xbf" + _POD.encode(), [1]),
        (f"{_POD}---\n{_POD}".replace("\n", "\r\n").encode(), [1, 5]),
        (f"# a\n\n---\n# b\n---\n{_POD}...\n---\n".encode(), [6]),
        (f"%YAML 1.2\n---\t\n{_POD}--- # c\n{_POD}--- {{apiVersion: v1, kind: Pod}}\n".encode(), [3, 7, 10]),
    ],
)
def test_marks_and_line_ends_of_other_editors_are_read(data: bytes, lines: list[int]) -> None:
    found = list(read_bytes(data, "f"))
    assert [item.line for item in found if isinstance(item, Document)] == lines
    assert len(found) == len(lines)


def test_what_cannot_be_looked_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "good.yaml").write_text(_POD)
    (tmp_path / "text.md").write_text("no manifest")
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "nothing.yaml").symlink_to("missing")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "folder.yaml" / "inner.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Pod"}))
    (tmp_path / "barred").mkdir()
    scandir, read = os.scandir, Path.read_bytes

    def bar(action: Any) -> Any:
        def barred(path: Any) -> Any:
            if Path(path).name == "barred":
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return action(path)

        return barred

    monkeypatch.setattr(os, "scandir", bar(scandir))
    monkeypatch.setattr(Path, "read_bytes", bar(read))
    files, documents, broken = read_all(tmp_path)
    assert files == 5
    assert [Path(item.file).name for item in documents] == ["inner.json", "good.yaml"]
    assert {Path(item.file).name: item.what for item in broken} == {
        "barred": "cannot be read: Permission denied",
        "binary.yaml": "not a text in UTF-8",
        "nothing.yaml": "cannot be read: No such file or directory",
    }


def test_a_large_file_takes_time_in_proportion() -> None:
    found = list(read_text(f"{_POD}---\n" * 20_000, "f"))
    assert [item.line for item in found if isinstance(item, Document)] == list(range(1, 80_001, 4))


_TEMPLATED = [
    ("Deployment", "apps/v1"),
    ("ReplicaSet", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("DaemonSet", "apps/v1"),
    ("Job", "batch/v1"),
    ("ReplicationController", "v1"),
]


@settings(max_examples=30)
@given(PODS)
def test_a_pod_is_judged_the_same_in_every_kind(tmp_path_factory: pytest.TempPathFactory, pod: dict[str, Any]) -> None:
    template = {"metadata": pod["metadata"], "spec": pod["spec"]}
    objects = [
        {"apiVersion": "v1", "kind": "Pod", **pod},
        *({"apiVersion": version, "kind": kind, "spec": {"template": template}} for kind, version in _TEMPLATED),
        {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}},
        {"apiVersion": "v1", "kind": "PodTemplate", "template": template},
    ]
    gatherer = gathered(tmp_path_factory.mktemp("manifests"), yaml.safe_dump_all(objects, explicit_start=True))
    assert gatherer.broken == []
    listings = [gatherer.get(source).items for source in POD_SOURCES]
    subjects = pod_subjects(listings[0], tuple(item for items in listings[1:] for item in items))
    assert len(subjects) == len(objects)
    judged = {
        tuple((item.control, item.field, item.value) for item in breaches(subject, "restricted")) for subject in subjects
    }
    assert len(judged) == 1


def test_what_does_not_fit_its_kind_leaves_other_kinds_complete(tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: Pod\nspec: {containers: 5}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
    gatherer = gathered(tmp_path, text)
    pods, services = gatherer.get(sources.PODS), gatherer.get(sources.SERVICES)
    assert not pods.statuses[0].complete
    assert "-:1: Pod does not fit its schema" in str(pods.statuses[0].problem)
    assert (len(services.items), services.statuses[0].complete) == (1, True)
    assert services.items[0].resource.line == 5


@pytest.mark.parametrize(
    ("pod", "what"),
    [
        ("metadata: []", "$.metadata"),
        ("metadata: {name: 1}", "$.metadata.name"),
        ("metadata: {annotations: [a]}", "$.metadata.annotations"),
        ("metadata: {labels: {a: 1}}", "$.metadata.labels"),
        ("spec: {hostNetwork: 1}", "$.spec.hostNetwork"),
        ("spec: {volumes: [text]}", "$.spec.volumes[0]"),
        ("spec: {volumes: [{name: v, hostPath: /}]}", "Expected `object` as hostPath - at `$.spec.volumes[0]`"),
        (
            "spec: {containers: [{name: a, securityContext: {runAsUser: '0'}}]}",
            "$.spec.containers[0].securityContext.runAsUser",
        ),
        ("spec: {containers: [{name: a, securityContext: {privileged: 'true'}}]}", "$.spec.containers[0].securityContext"),
        ("spec: {containers: [null]}", "$.spec.containers[0]"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_by_its_path(tmp_path: Path, pod: str, what: str) -> None:
    gatherer = gathered(tmp_path, f"apiVersion: v1\nkind: Pod\n{pod}\n---\n{_POD}")
    assert [item.line for item in gatherer.broken] == [1]
    assert what in gatherer.broken[0].what
    assert [item.name for item in gatherer.get(sources.PODS).items] == ["good"]


def test_what_does_not_say_its_kind_may_be_anything(tmp_path: Path) -> None:
    gatherer = gathered(tmp_path, "a: b\n---\napiVersion: example.com/v1\nkind: Widget\n")
    assert all(not gatherer.get(source).statuses[0].complete for source in POD_SOURCES)
    assert gatherer.passed_over == {"Widget.example.com": 1}


def test_values_of_secrets_are_never_kept(tmp_path: Path) -> None:
    text = (
        "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: hunter2-hunter2}, data: {x: aHVudGVyMg==}}"
    )
    gatherer = gathered(tmp_path, "#\n" + text)
    (secret,) = gatherer.get(sources.SECRETS).items
    assert (secret.type, secret.keys) == ("Opaque", 2)
    kept = b"".join(gzip.decompress(path.read_bytes()) for path in tmp_path.rglob("*.gz"))
    assert b"hunter2" not in kept
    assert b"aHVudGVyMg" not in kept
    assert kept.startswith(b"[")
