"""Whatever goes wrong becomes a problem with its cause, in bounded memory and time, and nothing is written anywhere."""

from __future__ import annotations

import gzip
import os
import random
import resource
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from soc2.demo.images import File, Image, archive, digest_of, image, index
from soc2.gather.registry.credentials import Login
from tests.registry.pulling import PROGRAM, link, problems, pull, puller, reference
from tests.registry.server import Misbehave, Registry, _Handler

# Of a seed, for the names of tests have their digests in them.
RANDOM = random.Random(7)  # noqa: S311
IMAGE = image([[PROGRAM, File(path="etc/motd", content=RANDOM.randbytes(50_000))]])
LAYER = list(IMAGE.blobs)[1]
CONFIG = next(iter(IMAGE.blobs))


def status(code: int) -> Misbehave:
    return lambda handler, _: handler.answer(code, b"{}")


def cut(handler: _Handler, body: bytes) -> None:
    """Say how long the answer is, and hang up in its middle."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def shortened(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body[:-10])


def lengthened(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body + bytes(10))


def altered(handler: _Handler, body: bytes) -> None:
    handler.answer(200, body[:-1] + bytes([body[-1] ^ 1]))


def silent(handler: _Handler, body: bytes) -> None:
    """Send a byte now and then, as if it went on for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for byte in body[:100]:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def unpacked_as(*layers: bytes) -> Image:
    return image(layers)


@pytest.mark.parametrize(
    ("end", "fault", "expected"),
    [
        (IMAGE.digest, status(404), f"not served: registry.example answers HTTP 404 for team/app/manifests/{IMAGE.digest}"),
        (IMAGE.digest, status(403), f"access denied: registry.example answers HTTP 403 for team/app/manifests/{IMAGE.digest}"),
        (IMAGE.digest, status(500), f"server error: registry.example answers HTTP 500 for team/app/manifests/{IMAGE.digest}"),
        (IMAGE.digest, status(429), f"throttled: registry.example answers HTTP 429 for team/app/manifests/{IMAGE.digest}"),
        (IMAGE.digest, altered, f"malformed answer: digest mismatch: {IMAGE.digest} was asked for, and "),
        (CONFIG, altered, f"malformed answer: digest mismatch: {CONFIG} was asked for, and "),
        (LAYER, altered, f"malformed answer: layer {LAYER}: "),
        (LAYER, status(404), f"not served: layer {LAYER}: registry.example answers HTTP 404 for team/app/blobs/{LAYER}"),
        (LAYER, cut, f"truncated: layer {LAYER}: registry.example broke the connection off before the answer was complete"),
        (LAYER, shortened, f"truncated: layer {LAYER}: "),
        (LAYER, lengthened, f"malformed answer: layer {LAYER}: {LAYER} is longer than the "),
        (CONFIG, cut, "truncated: registry.example broke the connection off before the answer was complete"),
    ],
)
def test_what_a_registry_answers_wrong_is_told(end: str, fault: Misbehave, expected: str) -> None:
    with Registry(faults={end: fault}) as registry:
        (found,) = problems(registry, IMAGE)
    assert found.startswith(expected)


def test_a_registry_that_is_down_is_told_and_not_asked_again_and_again() -> None:
    with Registry() as registry:
        address = registry.address
    registry = Registry()
    pulling = puller(_At(address))
    started = time.monotonic()
    pulled = pulling.pull({reference(digest_of(bytes([number]))): frozenset() for number in range(50)})
    assert time.monotonic() - started < 5
    assert {str(problem) for each in pulled for problem in each.problems} == {"unreachable: no connection to registry.example"}


class _At(Registry):
    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    @property
    def address(self) -> str:
        return self._address


@pytest.mark.parametrize(
    ("registry", "login", "expected"),
    [
        (
            Registry(authorization="basic"),
            Login("examiner", "wrong"),
            "not authenticated: registry.example refuses the credentials for team/app",
        ),
        (
            Registry(authorization="basic"),
            None,
            "not authenticated: registry.example wants basic, and there are none for it",
        ),
        (
            Registry(authorization="bearer"),
            Login("examiner", "wrong"),
            "not authenticated: 127.0.0.1 gives no token for team/app: it refuses the credentials",
        ),
        (
            Registry(authorization="bearer"),
            None,
            "not authenticated: 127.0.0.1 gives no token for team/app: it refuses anonymous access",
        ),
        (
            Registry(authorization="bearer"),
            Login(identity_token="revoked"),
            "not authenticated: 127.0.0.1 gives no token for team/app: it refuses the credentials",
        ),
        (
            Registry(authorization="bearer", faults={"/token": lambda handler, _: handler.answer(200, b'{"token": "a\\nb"}')}),
            None,
            "malformed answer: 127.0.0.1 answers without a token",
        ),
        (
            Registry(authorization="bearer", realm="http://registry.test/token"),
            Login("examiner", "correct-horse"),
            "inconclusive: registry.example leads to an address without TLS, which is not followed",
        ),
    ],
)
def test_refused_credentials_are_told(registry: Registry, login: Login | None, expected: str) -> None:
    with registry:
        assert problems(registry, IMAGE, login=login) == [expected]


def test_a_layer_that_comes_too_slowly_is_told() -> None:
    with Registry(faults={LAYER: silent}) as registry:
        assert problems(registry, IMAGE, layer_seconds=0.2) == [
            f"timed out: layer {LAYER}: reading it takes longer than 0.2 s"
        ]


def test_a_manifest_that_comes_too_slowly_is_told() -> None:
    with Registry(faults={IMAGE.digest: silent}) as registry:
        assert problems(registry, IMAGE, seconds=0.2) == ["timed out: reading all images takes longer than 0.2 s"]


def test_a_registry_that_redirects_for_ever_is_told() -> None:
    def round_and_round(handler: _Handler, _: bytes) -> None:
        handler.answer(307, b"", {"Location": handler.path})

    with Registry(faults={LAYER: round_and_round}) as registry:
        (found,) = problems(registry, IMAGE)
    assert found == f"malformed answer: layer {LAYER}: registry.example redirects more than 5 times"


_NO_ADDRESS = "malformed answer: {}registry.example leads to what is no address"
_NO_TLS = "inconclusive: {}registry.example leads to an address without TLS, which is not followed"
_METADATA = "inconclusive: {{}}registry.example leads to {}, which is no registry's and is not asked"
ADDRESSES = {
    "https://[::1": _NO_ADDRESS,
    "http://127.0.0.1:99999/": _NO_ADDRESS,
    "http://127.0.0.1:port/": _NO_ADDRESS,
    "https://169.254.169.254/latest/api/token": _METADATA.format("169.254.169.254"),
    "http://[::ffff:169.254.169.254]/": _METADATA.format("::ffff:169.254.169.254"),
    "https://[fd00:ec2::254]/": _METADATA.format("fd00:ec2::254"),
    "http://192.0.2.1/": _NO_TLS,
    "file:///etc/passwd": _NO_TLS,
    "https:///token": _NO_TLS,
}


@pytest.mark.parametrize(("address", "expected"), ADDRESSES.items())
def test_addresses_that_are_none_or_no_registrys_are_not_asked(address: str, expected: str) -> None:
    def away(handler: _Handler, _: bytes) -> None:
        handler.answer(302, b"", {"Location": address})

    with Registry(faults={LAYER: away}) as registry:
        assert problems(registry, IMAGE) == [expected.format(f"layer {LAYER}: ")]
    with Registry(authorization="bearer", realm=address) as registry:
        assert problems(registry, IMAGE) == [expected.format("")]


def _endless(begin: bytes, more: bytes) -> Misbehave:
    def answer(handler: _Handler, _: bytes) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(begin)
            while True:
                handler.wfile.write(more)

    return answer


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 1000),
    ],
)
def test_an_answer_that_never_begins_or_never_ends_is_told(begin: bytes, more: bytes) -> None:
    with Registry(faults={LAYER: _endless(begin, more)}) as registry:
        (found,) = problems(registry, IMAGE, layer_seconds=0.2)
    assert found == f"timed out: layer {LAYER}: reading it takes longer than 0.2 s"


@pytest.mark.parametrize(
    ("passwd", "user", "told"),
    [
        ([link("etc/passwd", "/etc/other")], "app", True),
        ([link("etc/passwd", "etc/other", tarfile.LNKTYPE)], "app:0", True),
        ([link("etc", "/usr/etc")], "app", True),
        ([File(path="etc/passwd", content=b"a:x:1:1::/:\n" * 90_000)], "app", True),
        ([link("etc/passwd", "/etc/other")], "1000", False),
        ([link("etc/passwd", "/etc/other")], "root", False),
        ([File(path="etc/passwd", content=b"a:x:1:1::/:\n")], "app", False),
        ([PROGRAM], "app", False),
    ],
)
def test_a_user_of_whom_nobody_can_tell_who_that_is_is_told(passwd: list[File], user: str, told: bool) -> None:
    with Registry() as registry:
        found = problems(registry, image([[File(path="etc/passwd", content=b"app:x:0:0::/:\n")], passwd], {"User": user}))
    expected = f"inconclusive: its user {user} has a number that cannot be told: /etc/passwd is a link or too long"
    assert found == [expected] * told


_ZEROS = bytes(16 * 1024 * 1024)
BOMB = gzip.compress(_ZEROS) * 6
ZSTD_BOMB = zstandard.compress(_ZEROS) * 6
# Its packer says that all of it has to be held to unpack it.
_WIDE = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27)).compressobj()
WIDE = _WIDE.compress(bytes(1000)) + _WIDE.flush()
ENTRIES = archive(File(path=f"f{number}") for number in range(30))


@pytest.mark.parametrize(
    ("layer", "limits", "expected"),
    [
        (BOMB, {"unpacked_mib": 1}, "truncated: layer {}: it is longer than 1,048,576 bytes when it is unpacked"),
        (ZSTD_BOMB, {"unpacked_mib": 1}, "truncated: layer {}: it is longer than 1,048,576 bytes when it is unpacked"),
        (
            RANDOM.randbytes(1_100_000),
            {"layer_mib": 1},
            "truncated: layer {}: it has 1,100,000 bytes, more than layer_mib = 1 allows",
        ),
        (ENTRIES, {"entries": 29}, "truncated: layer {}: it has more than 29 entries"),
        (
            b"no archive at all" * 100,
            {},
            "malformed answer: layer {}: a header of the archive has no number where one belongs",
        ),
        (b"BZh91AY&SY" + bytes(100), {}, "operation not implemented: layer {}: it is packed by bzip2"),
        (gzip.compress(archive([PROGRAM]))[:-20], {}, "truncated: layer {}: it ends before what is packed in it does"),
        (archive([PROGRAM])[:600], {}, "truncated: layer {}: the archive ends within an entry"),
        (
            WIDE,
            {},
            "malformed answer: layer {}: it cannot be unpacked: ",
        ),
        (
            gzip.compress(archive([File(path="../../etc/cron.d/job\x1b", content=b"x"), PROGRAM])),
            {},
            "malformed answer: layer {}: ../../etc/cron.d/job\\x1b leads out of the root",
        ),
        (
            gzip.compress(archive([link("usr/x", "../../../etc/shadow", tarfile.LNKTYPE)])),
            {},
            "malformed answer: layer {}: usr/x -> ../../../etc/shadow leads out of the root",
        ),
        (
            gzip.compress(archive([link("a", "b"), link("b", "/c/d"), link("c/d", "../a"), link("fine", "a/b")])),
            {},
            "malformed answer: layer {}: 3 symbolic links lead back to themselves, such as a, b, c/d",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_layer_that_cannot_be_read_to_its_end_is_told(layer: bytes, limits: dict[str, int], expected: str) -> None:
    with Registry() as registry:
        (found,) = problems(registry, unpacked_as(layer), **limits)
    assert found.startswith(expected.format(digest_of(layer)))


def test_bombs_are_read_in_bounded_memory() -> None:
    header = tarfile.TarInfo("zeros")
    header.size = 6 * len(_ZEROS)
    layers = [packed(header.tobuf()) + bomb for packed, bomb in ((gzip.compress, BOMB), (zstandard.compress, ZSTD_BOMB))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with Registry() as registry:
        assert problems(registry, unpacked_as(*layers)) == []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_all_layers_of_an_image_together_are_limited() -> None:
    layers = [archive([File(path=f"f{number}", content=RANDOM.randbytes(400_000))]) for number in range(3)]
    with Registry() as registry:
        found = problems(registry, image(layers), image_mib=1)
    assert found == ["truncated: its layers have 1,228,800 bytes, more than image_mib = 1 allows"]


def test_one_image_that_cannot_be_read_does_not_hide_another() -> None:
    other = image([[PROGRAM]])
    with Registry(faults={LAYER: altered}) as registry:
        broken, sound = pull(registry, IMAGE, other)
    assert (len(broken.problems), len(sound.problems)) == (1, 0)
    assert [each.digest for manifest in sound.manifests for each in manifest.layers] == list(sound.facts)


def test_what_one_image_says_wrongly_of_a_layer_is_not_held_against_another() -> None:
    size = str(len(IMAGE.blobs[LAYER])).encode()
    lying = Image(IMAGE.manifest.replace(b'"size":' + size, b'"size":1'), IMAGE.media_type, IMAGE.blobs)
    with Registry() as registry:
        assert [each.problems for each in pull(registry, lying, IMAGE)] == [(), ()]


def test_a_connection_that_breaks_once_is_tried_again() -> None:
    broken: list[int] = []

    def once(handler: _Handler, body: bytes) -> None:
        if broken:
            handler.answer(200, body)
        else:
            broken.append(1)
            cut(handler, body)

    with Registry(faults={LAYER: once}) as registry:
        assert problems(registry, IMAGE) == []


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        (b"[1", "malformed answer: "),
        (b"[" * 100_000, "malformed answer: "),
        (b'{"schemaVersion": 1, "fsLayers": []}', "operation not implemented: the manifest "),
        (b'{"schemaVersion": 2}', "operation not implemented: the manifest "),
        (b'{"schemaVersion": 2, "layers": []}', "malformed answer: the manifest names no configuration"),
        (
            b'{"schemaVersion": 2, "config": {"digest": "md5:00", "size": 1}, "layers": []}',
            "malformed answer: the manifest ",
        ),
        (b'{"schemaVersion": 2, "manifests": []}', "not served: registry.example/team/app@"),
        (
            b'{"schemaVersion": 2, "config": {"digest": "sha256:%b", "size": -1}, "layers": []}' % (b"0" * 64),
            "malformed answer: the manifest ",
        ),
    ],
)
def test_a_manifest_that_is_none_is_told(manifest: bytes, expected: str) -> None:
    with Registry() as registry:
        (found,) = problems(registry, Image(manifest, "application/json", {}))
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("config", "key"),
    [({"user": "root", "User": "app"}, "user"), ({"ENV": ["A=b"]}, "ENV"), ({"Labels": {"user": "a", "User": "b"}}, "")],
)
def test_a_key_that_runtimes_read_and_nobody_looks_at_is_told(config: dict[str, object], key: str) -> None:
    with Registry() as registry:
        found = problems(registry, image([[PROGRAM]], config))
    assert [each.partition(" has ")[2] for each in found] == [f"a key '{key}', which runtimes read by another case"] * bool(
        key
    )


def test_other_layers_than_those_that_run_are_told() -> None:
    twice = IMAGE.manifest[:-1] + b',"Layers":[]}'
    with Registry() as registry:
        (found,) = problems(registry, Image(twice, IMAGE.media_type, IMAGE.blobs))
    assert found.endswith(" has a key 'Layers', which runtimes read by another case")


def nested(inner: Image) -> Image:
    outer = index({"linux/amd64": inner})
    return replace(outer, manifests={**outer.manifests, **inner.manifests})


def test_an_index_within_an_index_is_followed() -> None:
    other = image([[File(path="other")]], architecture="arm64")
    with Registry() as registry:
        (found,) = pull(
            registry, nested(index({"linux/x86_64": IMAGE, "linux/arm64": other})), platforms=frozenset({"linux/amd64"})
        )
    assert ([each.platform for each in found.manifests], list(found.facts), found.problems) == (["linux/amd64"], [LAYER], ())


def test_more_images_than_an_index_should_have_are_told() -> None:
    others = {f"linux/v{number}": image([], architecture=f"v{number}") for number in range(200)}
    with Registry() as registry:
        assert problems(registry, index(others))[0].endswith("leads to more than 200 manifests")


def test_nothing_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hostile = [
        File(path="/escaped", content=b"x"),
        File(path="../escaped", content=b"x"),
        link("out", str(tmp_path)),
        File(path="out/escaped", content=b"x"),
        File(path="a/" * 2000 + "deep", content=b"x"),
    ]
    opened = _written(monkeypatch)
    with Registry() as registry:
        assert len(problems(registry, image([hostile]))) == 1
    assert opened == []
    assert list(tmp_path.iterdir()) == []


def _written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which every file is added that is opened for writing."""
    opened: list[str] = []
    real: Callable[..., int] = os.open

    def watched(path: str, flags: int, *rest: int, **options: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            opened.append(path)
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", watched)
    return opened
