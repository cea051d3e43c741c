"""The sections [images] and [registries]: what they mean, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from soc2.declared_images import RegistryHost
from soc2.errors import UsageError
from soc2.system import System, load_system
from tests.tls.authority import Authority, pem


def declared(folder: Path, *lines: str) -> System:
    path = folder / "system.toml"
    path.write_text("\n".join(['[system]\nname = "test"\nowner = "test"', *lines]), encoding="utf-8")
    return load_system(path)


def test_registries_are_reached_as_they_are_declared(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(pem(Authority("root").certificate))
    (tmp_path / "login.json").write_text('{"auths": {}}')
    lines = ['[registries]\ncredentials = "login.json"', '[[registries.hosts]]\nhost = "Registry.Example:5000"']
    lines += ['address = "[::1]:5000"\nca = "ca.pem"', '[[registries.hosts]]\nhost = "index.docker.io"']
    system = declared(tmp_path, *lines)
    assert system.registries.credentials == str(tmp_path / "login.json")
    assert system.registries.hosts == (
        RegistryHost(host="registry.example:5000", address="[::1]:5000", ca=str(tmp_path / "ca.pem")),
        RegistryHost(host="docker.io"),
    )
    assert system.registries.host("other.example") == RegistryHost(host="other.example")


HOST = "[[registries.hosts]]"


@pytest.mark.parametrize(
    ("lines", "line", "what"),
    [
        ([HOST, 'host = "https://registry.example"'], 5, "'https://registry.example' is no name of a registry"),
        ([HOST, 'host = "registry.example/team"'], 5, "'registry.example/team' is no name of a registry"),
        ([HOST, 'host = "registry.example"', 'address = "10.0.0.1"'], 6, "'10.0.0.1' is not of the form host:port"),
        (
            [HOST, 'host = "registry.example"', "insecure = true"],
            6,
            "registry.example is not on loopback, so it has to talk TLS",
        ),
        (
            [HOST, 'host = "localhost:5000"', 'address = "10.0.0.1:80"', "insecure = true"],
            7,
            "localhost:5000 is not on loopback, so it has to talk TLS",
        ),
        ([HOST, 'host = "a.example"', 'ca = "none.pem"'], 6, "none.pem cannot be read as certificates"),
        ([HOST, 'host = "a.example"', HOST, 'host = "A.example"'], 6, "the registry a.example is declared twice"),
        (["[registries]", 'credentials = "none.json"'], 5, "none.json: cannot be read"),
        (["[registries]", "credential = 1"], 5, 'unknown key "credential" in [registries]'),
        (["[registries.limits]", "entries = 0"], 5, "[registries.limits.entries]: "),
        (["[images]", 'privileged_files = ["/usr/bin/su"]'], 5, "images.privileged_files"),
        (["[images]", 'yara_rules = ["none"]'], 5, "none holds no rules of YARA"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, lines: list[str], line: int, what: str) -> None:
    with pytest.raises(UsageError) as raised:
        declared(tmp_path, *lines)
    assert what in raised.value.what
    assert raised.value.line == line


def test_loopback_may_talk_plain_http(tmp_path: Path) -> None:
    system = declared(tmp_path, HOST, 'host = "localhost:5000"', "insecure = true")
    assert system.registries.hosts == (RegistryHost(host="localhost:5000", insecure=True),)


def test_a_broken_rule_of_the_user_is_told_when_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yar").write_text("rule a {\n condition: x }")
    with pytest.raises(UsageError) as raised:
        declared(tmp_path, "[images]", 'yara_rules = ["rules"]')
    assert (raised.value.file, raised.value.line) == (tmp_path / "rules" / "a.yar", 2)
