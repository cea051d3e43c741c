"""What layers hold, one over the other: what is there when a container starts, and what was deleted and is still in them."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.demo.images import File, archive, capable, deleted
from soc2.gather.registry.archive import Archive
from soc2.gather.registry.assembly import assembled
from soc2.gather.registry.capabilities import file_capabilities
from soc2.gather.registry.facts import LayerFacts
from soc2.gather.registry.failure import Deadline
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.layer import read_layer
from soc2.gather.registry.manifests import Configuration, ContainerConfig, Descriptor, Manifest
from soc2.gather.registry.streams import Unpacked
from soc2.model.image_content import ImageContent, ImageUse, LayerFile, RunningImage
from soc2.rules.image_content import RootByImage, UserNotTold, not_as_root
from tests.registry.pulling import EICAR, PROGRAM, SECRETS, content, link

SETUID = File(path="usr/bin/su", content=b"su", mode=0o4755)
TOKEN = "ghp_" + "Zx8wQ1mN4vB7cD2fG5hJ9kL3pR6tY0sA1eUo"
ENV = File(path="app/.env", content=f"# settings\nGITHUB_TOKEN={TOKEN}\n".encode())
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:{}:100::/:/bin/false\n"


def users(number: int) -> File:
    return File(path="etc/passwd", content=PASSWD.format(number).encode())


def privileged(found: ImageContent) -> dict[str, str]:
    return {each.file.path: each.privilege.rights for each in found.privileges}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([[SETUID]], {"usr/bin/su": "setuid 0"}),
        ([[File(path="./usr/bin/su", mode=0o2711, gid=42)]], {"usr/bin/su": "setgid 42"}),
        ([[File(path="/usr/bin/su", mode=0o6755, uid=7)]], {"usr/bin/su": "setuid 7, setgid 0"}),
        ([[capable("bin/ping", b"", 13)]], {"bin/ping": "cap_net_raw"}),
        ([[capable("bin/x", b"", 21, 39)]], {"bin/x": "cap_sys_admin, cap_bpf"}),
        ([[File(path="tmp", kind=tarfile.DIRTYPE, mode=0o7777)]], {}),
        ([[SETUID], [deleted("usr/bin/su")]], {}),
        ([[SETUID], [deleted("usr/bin")]], {}),
        ([[SETUID], [deleted("usr")]], {}),
        ([[SETUID], [File(path="usr/bin/.wh..wh..opq")]], {}),
        ([[SETUID], [File(path="usr/.wh..wh..opq")]], {}),
        ([[SETUID], [File(path=".wh..wh..opq")]], {}),
        ([[SETUID], [File(path="usr/bin/su", mode=0o755)]], {}),
        ([[SETUID], [File(path="usr/bin/su", kind=tarfile.DIRTYPE)]], {}),
        ([[SETUID], [link("usr/bin", "/bin")]], {}),
        ([[SETUID], [link("usr/bin/su", "/bin/true")]], {}),
        ([[SETUID], [File(path="usr/bin", kind=tarfile.DIRTYPE)]], {"usr/bin/su": "setuid 0"}),
        ([[SETUID], [deleted("usr/bin/sudo")]], {"usr/bin/su": "setuid 0"}),
        ([[SETUID], [deleted("usr/bin/su"), SETUID]], {"usr/bin/su": "setuid 0"}),
        ([[SETUID, deleted("usr/bin/su")]], {"usr/bin/su": "setuid 0"}),
        ([[SETUID], [deleted("usr/bin/su")], [SETUID]], {"usr/bin/su": "setuid 0"}),
        ([[SETUID, File(path="usr/bin/su", mode=0o755)]], {}),
        ([[SETUID, link("bin/su", "usr/bin/su", tarfile.LNKTYPE)]], {"usr/bin/su": "setuid 0", "bin/su": "setuid 0"}),
        ([[SETUID], [link("bin/su", "/usr/bin/su", tarfile.LNKTYPE)]], {"usr/bin/su": "setuid 0", "bin/su": "setuid 0"}),
        (
            [[SETUID], [link("bin/su", "usr/bin/su", tarfile.LNKTYPE), deleted("usr/bin/su")]],
            {"bin/su": "setuid 0"},
        ),
        ([[SETUID, link("bin/su", "/usr/bin/su")]], {"usr/bin/su": "setuid 0"}),
        (
            [
                [SETUID],
                [link("a", "usr/bin/su", tarfile.LNKTYPE), link("b", "a", tarfile.LNKTYPE)],
                [deleted("a"), deleted("usr/bin/su")],
            ],
            {"b": "setuid 0"},
        ),
        ([[PROGRAM], [replace(link("a", PROGRAM.path, tarfile.LNKTYPE), mode=0o4755)]], {"a": "setuid 0"}),
        ([[File(path="a", mode=0o2745)]], {}),
        # Nobody can run it.
        ([[File(path="a", mode=0o6644)]], {}),
        # Names that are shown alike are two files.
        ([[File(path="a\n", mode=0o4755), File(path="a\\n")]], {"a\\n": "setuid 0"}),
        ([[File(path="a", mode=0o6745)]], {"a": "setuid 0"}),
    ],
)
def test_privileged_files_are_those_that_are_there_in_the_end(layers: list[list[File]], expected: dict[str, str]) -> None:
    assert privileged(content(*layers)) == expected


@pytest.mark.parametrize("packing", ["gzip", "zstd", ""])
def test_a_deleted_secret_is_told_with_its_layer_and_who_deletes_it(packing: str) -> None:
    found = content([PROGRAM], [ENV], [deleted("app/.env")], packing=packing)
    (secret,) = found.secrets
    assert secret.file == LayerFile(layer=found.layers[1], path="app/.env", deleted_by=found.layers[2])
    assert (secret.place, secret.secret.line) == ("line 2", 2)
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"config": {"Env": ["PATH=/bin", f"GH={TOKEN}"]}}, "environment variable GH"),
        ({"config": {"Env": ["DB_PASSWORD=Hq7vR2mXw9Lk4tZb"]}}, "environment variable DB_PASSWORD"),
        ({"config": {"Labels": {"build": TOKEN}}}, "label build"),
        ({"config": {"Entrypoint": ["app"], "Cmd": ["--token", TOKEN]}}, "argument 3 of its command"),
        ({"config": {"Entrypoint": ["app"], "Cmd": ["--password", "Hq7vR2mXw9"]}}, "argument 3 of its command"),
        ({"config": {"Healthcheck": {"Test": ["CMD", "curl", "-u", "a:Hq7vR2mXw9", "localhost"]}}}, "its health check"),
        ({"config": {"OnBuild": [f"ENV TOKEN={TOKEN}"]}}, "step 1 for images that are built on it"),
        ({"history": ["FROM scratch", f"RUN curl -H 'Authorization: Bearer {TOKEN}' x"]}, "step 2 of its history"),
    ],
)
def test_secrets_in_the_configuration_and_the_history_are_told(options: dict[str, Any], place: str) -> None:
    found = content([PROGRAM], **options)
    assert [(each.place, each.file) for each in found.secrets] == [(place, None)]


def test_secrets_that_docker_s_old_builder_left_are_told() -> None:
    built = ContainerConfig(env=(f"GH={TOKEN}",))
    manifest = Manifest("linux/amd64", (), Configuration(container_config=built, config=ContainerConfig()), {"GH": TOKEN})
    places = [each.place for each in assembled("image", manifest, {}, SECRETS).secrets]
    assert places == ["environment variable GH of the container that it was made of", "label GH"]


def test_a_whiteout_with_content_is_looked_at() -> None:
    found = content([File(path="app/.wh.settings", content=TOKEN.encode())])
    assert [each.file.path for each in found.secrets if each.file] == ["app/.wh.settings"]


@pytest.mark.parametrize(
    ("uid", "complete", "platform", "expected"),
    [
        (None, True, "linux/amd64", ["app"]),
        (None, False, "linux/amd64", []),
        (None, True, "windows/amd64", []),
        (5, True, "linux/amd64", []),
        (0, True, "linux/amd64", ["app, which is number 0 in its etc/passwd"]),
    ],
)
def test_a_user_of_whom_nothing_tells_the_number_may_be_root(
    uid: int | None, complete: bool, platform: str, expected: list[str]
) -> None:
    read = ImageContent(name="a", platform=platform, user="app", uid=uid, complete=complete)
    uses = tuple(ImageUse(image="a", pod="p", container=str(own), as_image_user=own) for own in (True, False))
    told = [each for each in not_as_root(RunningImage(read, uses)) if isinstance(each, RootByImage | UserNotTold)]
    assert [each.user for each in told] == expected


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("app/main.py", f'import os\n\nTOKEN = "{TOKEN}"\n'.encode()),
        ("app/server", b"\x7fELF" + bytes(9000) + b"\0" + TOKEN.encode() + b"\0"),
        ("root/.aws/credentials", b"[default]\naws_secret_access_key = wJa1rXUtnF3MI/K7MD9NG/bPxRfiCYz8k2QvLmTs\n"),
        ("run/secrets/db_password", b"Hq7vR2mXw9Lk4tZb\n"),
        ("srv/many", b"xoxb-\n" * 300_000 + TOKEN.encode() + b"\n"),
        ("entrypoint", b"#!/bin/sh\nexport DB_PASSWORD=Hq7vR2mXw9Lk4tZb\n"),
        ("etc/app/settings.yaml", b"database:\n  password: Hq7vR2mXw9Lk4tZb\n"),
        ("srv/big.log", b"nothing\n" * 3_000_000 + b"token is " + TOKEN.encode() + b"\n" + b"nothing\n" * 300_000),
    ],
)
def test_secrets_are_found_in_every_kind_of_file(path: str, data: bytes) -> None:
    found = content([File(path=path, content=data)])
    assert {(each.file.path if each.file else "", each.secret.line) for each in found.secrets} == {
        (path, data.count(b"\n", 0, max(data.find(TOKEN.encode()), data.find(b"wJa1"), data.find(b"Hq7"))) + 1)
    }


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("etc/nsswitch.conf", b"passwd: files systemd\n"),
        ("usr/lib/python3/dist-packages/pkg/test.py", b'password = "Hq7vR2mXw9Lk4tZb"\n'),
        ("etc/ssl/certs/ca.pem", b"-----BEGIN CERTIFICATE-----\n" + b"Q" * 200 + b"\n-----END CERTIFICATE-----\n"),
        ("app/.env", b"DB_PASSWORD=${DB_PASSWORD}\n"),
        ("app/digests", b"sha256:" + b"0123456789abcdef" * 4),
    ],
)
def test_what_is_no_secret_is_not_told(path: str, data: bytes) -> None:
    assert content([File(path=path, content=data)]).secrets == ()


def test_the_test_file_of_scanners_is_found_wherever_it_is() -> None:
    found = content(
        [File(path="tmp/eicar", content=EICAR)], [deleted("tmp")], [File(path="opt/a.com", content=EICAR + b"\r\n")]
    )
    assert [(each.file.path, each.file.deleted_by, each.rule) for each in found.malware] == [
        ("tmp/eicar", found.layers[1], "eicar_test_file"),
        ("opt/a.com", "", "eicar_test_file"),
    ]


@pytest.mark.parametrize(
    ("user", "layers", "expected"),
    [
        ("", [[]], 0),
        ("root", [[]], 0),
        ("0:1000", [[]], 0),
        ("1000", [[]], 1000),
        ("1000:0", [[users(0)]], 1000),
        ("app", [[users(1000)]], 1000),
        ("app:app", [[users(0)]], 0),
        ("app", [[]], None),
        ("app", [[users(0)], [users(1000)]], 1000),
        ("app", [[users(1000)], [users(0)]], 0),
        ("app", [[users(0)], [deleted("etc/passwd")]], None),
        ("other", [[users(0)]], None),
        ("00", [[users(1000)]], 0),
        ("+0", [[users(1000)]], 0),
        # As some runtimes take a number for a name, and as one had them overflow (CVE-2024-40635, CVE-2026-46680).
        ("7", [[File(path="etc/passwd", content=b"7:x:0:0::/:\n")]], 0),
        ("7", [[File(path="etc/passwd", content=b"7:x:5:0::/:\n")]], 7),
        ("4294967296", [[]], 0),
        ("0", [[File(path="etc/passwd", content=b"0:x:5:5::/:\n")]], 0),
        ("app", [[File(path="etc/passwd", content=b"a:x:1:\x0bapp:x:7:\n app:x:none:0\napp:x:5:0\n")]], 0),
        ("app", [[File(path="etc/passwd", content=b"app\n")]], 0),
    ],
)
def test_the_user_of_an_image_is_a_number_in_the_end(user: str, layers: list[list[File]], expected: int | None) -> None:
    found = content(*layers, config={"User": user})
    assert (found.user, found.uid) == (user, expected)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        (b"", ()),
        (bytes.fromhex("0000000200000000"), ("unknown",)),
        (bytes.fromhex("010000010020000000000000"), ("cap_net_raw",)),
        (bytes.fromhex("0100000300200000000000000100000000000000e8030000"), ("cap_net_raw", "cap_mac_override")),
        (bytes.fromhex("01000002") + bytes(16), ()),
    ],
)
def test_capabilities_are_read_of_every_revision(attribute: bytes, expected: tuple[str, ...]) -> None:
    assert file_capabilities(attribute) == expected


INSPECTOR = Inspector(image_rules(), SECRETS)
PATHS = st.sampled_from(["a", "b", "a/b", "a/b/c", "b/a", "a/c"])
CHANGES = st.lists(
    st.one_of(
        st.builds(lambda path: File(path=path, mode=0o4755), PATHS),
        st.builds(lambda path: File(path=path), PATHS),
        st.builds(lambda path: File(path=path, kind=tarfile.DIRTYPE), PATHS),
        st.builds(deleted, PATHS),
        st.builds(lambda path: File(path=f"{path}/.wh..wh..opq"), PATHS),
    ),
    max_size=4,
    unique_by=lambda file: file.path,
)


@given(st.lists(CHANGES, max_size=4))
def test_layers_lie_over_each_other_as_they_are_unpacked(layers: list[list[File]]) -> None:
    """Hold the answer against a file system in which the layers are unpacked one after the other."""
    consistent = [[file for file in layer if not _beneath_a_file(file, layer)] for layer in layers]
    assert set(privileged(_assembled(consistent))) == _unpacked(consistent)


def _beneath_a_file(file: File, layer: list[File]) -> bool:
    return any(
        other.kind != tarfile.DIRTYPE and ".wh." not in other.path and file.path.startswith(f"{other.path}/")
        for other in layer
    )


def _assembled(layers: list[list[File]]) -> ImageContent:

    facts: dict[str, LayerFacts] = {}
    descriptors = []
    for number, layer in enumerate(layers):
        stream = Unpacked(io.BytesIO(archive(layer)), 1 << 20, Deadline(60, "reading"))
        digest = f"sha256:{number}"
        facts[digest] = read_layer(Archive(stream, 100), stream, INSPECTOR)
        descriptors.append(Descriptor(digest, 0))
    manifest = Manifest("linux/amd64", tuple(descriptors), Configuration(), {})
    return assembled("image", manifest, facts, SECRETS)


def _unpacked(layers: list[list[File]]) -> set[str]:
    there: dict[str, int] = {}
    for layer in layers:
        below = dict(there)
        for file in layer:
            folder, _, name = file.path.rpartition("/")
            if name == ".wh..wh..opq":
                below = {path: mode for path, mode in below.items() if not path.startswith(f"{folder}/")}
            elif name.startswith(".wh."):
                gone = f"{folder}/{name.removeprefix('.wh.')}".lstrip("/")
                below = {path: mode for path, mode in below.items() if path != gone and not path.startswith(f"{gone}/")}
            elif file.kind != tarfile.DIRTYPE:
                below = {path: mode for path, mode in below.items() if not path.startswith(f"{file.path}/")}
        there = {path: mode for path, mode in below.items() if path not in {file.path for file in layer}}
        there |= {file.path: file.mode for file in layer if file.kind != tarfile.DIRTYPE and ".wh." not in file.path}
    return {path for path, mode in there.items() if mode & 0o4000}
