"""Archives are read as Python's own reader reads them, whatever the pieces are, and broken ones end in one error."""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import tarfile
from collections.abc import Iterator

import msgspec
import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from soc2.demo.images import File, archive
from soc2.gather.registry.archive import Archive
from soc2.gather.registry.facts import LayerFacts
from soc2.gather.registry.failure import Deadline, PullError
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.layer import read_layer, rooted
from soc2.gather.registry.streams import Unpacked
from tests.registry.pulling import SECRETS

INSPECTOR = Inspector(image_rules(), SECRETS)
KINDS = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=9)
NAMES = st.builds(
    lambda word, times: "/".join([word] * times),
    st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=9).filter(
        lambda word: word.strip(".")
    ),
    st.sampled_from([1, 2, 12, 40]),
)
FILES = st.builds(
    File,
    path=NAMES,
    content=st.binary(max_size=600),
    mode=st.integers(0, 0o7777) | st.just(0o4755),
    uid=st.sampled_from([0, 1000, 2**21, 2**31]),
    gid=st.sampled_from([0, 1000, 2**21, 2**31]),
    kind=st.sampled_from(KINDS),
    target=NAMES,
)
FORMATS = st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])


def in_members(data: bytes) -> bytes:
    return gzip.compress(data[:700]) + gzip.compress(data[700:])


PACKINGS = st.sampled_from([bytes, gzip.compress, zstandard.compress, in_members])


class Pieces:
    """A stream that gives pieces of a few sizes, over and over."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = io.BytesIO(data)
        self._sizes = sizes
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        self._at += 1
        wanted = self._sizes[self._at % len(self._sizes)]
        return self._data.read(wanted if size < 0 else min(size, wanted))


def entries(data: bytes, sizes: list[int]) -> Iterator[tuple[object, ...]]:
    read = Archive(Unpacked(Pieces(data, sizes), 1 << 24, Deadline(60, "reading")), 1000)
    for entry in read:
        content = b"".join(read.content())
        yield entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.target, content
    read.drain()


def written(files: list[File], form: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.type, entry.mode, entry.linkname = file.kind, file.mode, file.target if file.kind in b"12" else ""
            entry.uid, entry.gid = file.uid, file.gid
            entry.size = len(file.content) if file.kind == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()


@given(st.lists(FILES, max_size=3), FORMATS, PACKINGS, st.lists(st.integers(1, 3000), min_size=1, max_size=5))
def test_entries_are_those_that_were_written(files: list[File], form: int, pack: object, sizes: list[int]) -> None:
    assert callable(pack)
    data = written(files, form)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [
            (
                each.name,
                each.type if each.type in (b"1", b"2", b"3", b"5", b"6") else b"0",
                each.mode,
                each.uid,
                each.gid,
                each.linkname,
                tar.extractfile(each).read() if each.isreg() else b"",  # type: ignore[union-attr]
            )
            for each in tar.getmembers()
        ]
    found = [(str(path).rstrip("/"), *rest) for path, *rest in entries(pack(data), sizes)]
    assert found == expected


@given(st.binary(max_size=600) | st.builds(lambda files: archive(files), st.lists(FILES, max_size=2)), st.data())
def test_broken_archives_end_in_one_error(data: bytes, draw: st.DataObject) -> None:
    broken = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 4)) if broken else 0):
        broken[draw.draw(st.integers(0, len(broken) - 1))] = draw.draw(st.integers(0, 255))
    cut = draw.draw(st.integers(0, len(broken)))
    stream = Unpacked(Pieces(bytes(broken[:cut]), [512]), 1 << 24, Deadline(60, "reading"))
    with contextlib.suppress(PullError):
        facts = read_layer(Archive(stream, 1000), stream, INSPECTOR)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=LayerFacts) == facts


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b"]), max_size=8).map("/".join))
@example("../../etc/passwd")
@example("/etc/../../passwd")
def test_no_path_leads_out_of_the_root(name: str) -> None:
    path, out = rooted(name)
    depths = [0]
    for part in name.split("/"):
        depths.append(depths[-1] + {"..": -1, ".": 0, "": 0}.get(part, 1) if depths[-1] >= 0 else -1)
    assert ".." not in path.split("/")
    assert not path.startswith("/")
    assert out == (min(depths) < 0)


def test_sparse_files_are_read_without_their_holes() -> None:
    text = b"within a hole"
    map_of_it = f"1\n4096\n{len(text)}\n".encode().ljust(512, b"\0")
    header = tarfile.TarInfo("./GNUSparseFile.0/sparse")
    header.size = len(map_of_it) + len(text)
    header.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "sparse",
        "GNU.sparse.realsize": "9999999",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(header, io.BytesIO(map_of_it + text))
        tar.addfile(tarfile.TarInfo("next"))
    found = [(path, content) for path, _, _, _, _, _, content in entries(packed.getvalue(), [512])]
    assert found == [("sparse", text), ("next", b"")]


@settings(max_examples=100)
@given(
    st.lists(st.binary(max_size=300) | st.builds(lambda n: bytes(n), st.integers(0, 300_000)), min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_what_is_cut_off_at_the_end_is_told(texts: list[bytes], checksum: bool, known: bool, draw: st.DataObject) -> None:
    pack = zstandard.ZstdCompressor(write_checksum=checksum, write_content_size=known).compress
    frames = [pack(text) for text in texts]
    packed = b"\x51\x2a\x4d\x18\3\0\0\0abc".join([b"", *frames])
    cut = draw.draw(st.integers(len(packed) - len(frames[-1]) + 1, len(packed)))
    sizes = draw.draw(st.lists(st.integers(1, 3000), min_size=1, max_size=3))
    stream = Unpacked(Pieces(packed[:cut], sizes), 1 << 24, Deadline(60, "reading"))
    told = contextlib.nullcontext() if cut == len(packed) else pytest.raises(PullError, match="it ends before what is packed")
    with told:
        assert b"".join(iter(stream.read, b"")) == b"".join(texts)


def header(path: str, content: bytes = b"", kind: bytes = b"0", records: bytes = b"") -> bytes:
    """Return an entry as it stands in an archive, with a pax header before it."""
    entry = tarfile.TarInfo(path)
    entry.type, entry.size = kind, len(content)
    padded = entry.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)
    return (header("pax", records, b"x") if records else b"") + padded


def record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n"
    return f"{len(body) + 2}{body}".encode() if len(body) > 8 else f"{len(body) + 1}{body}".encode()


def with_mode(block: bytes, mode: bytes) -> bytes:
    changed = block[:100] + mode + block[108:148] + b" " * 8 + block[156:]
    return changed[:148] + b"%06o\0 " % sum(changed) + changed[156:]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (header("pax", record("path", "harmless"), b"g") + header("real"), ["real"]),
        (header("pax", record("path", "b"), b"x") + header("pax", record("uid", "7"), b"x") + header("real"), ["real"]),
        (header("pax", record("path", "b"), b"x") + header("pax", record("comment", "c"), b"g") + header("real"), ["real"]),
        (header("long", b"real\0", b"L") + header("own", records=record("path", "b")), ["real"]),
        (header("real", records=record("GNU.sparse.name", "b")), ["real"]),
        (header("a") + bytes(512), ["a"]),
        (header("a") + bytes(512) + header("b"), "the archive goes on behind its end"),
        (with_mode(header("a"), b"644\0abc\0"), ["a"]),
    ],
)
def test_entries_are_those_that_runtimes_unpack(data: bytes, expected: object) -> None:
    try:
        found: object = [path for path, *_ in entries(data, [512])]
    except PullError as error:
        found = str(error)[: len(str(expected))]
    assert found == expected


@pytest.mark.parametrize("key", ["SCHILY.xattr.security.capability", "LIBARCHIVE.xattr.security.capability"])
def test_capabilities_are_read_as_both_writers_have_them(key: str) -> None:
    value = bytes.fromhex("0100000200200000") + bytes(12)
    told = base64.b64encode(value).rstrip(b"=") if key.startswith("LIB") else value
    file = File(path="ping", mode=0o755, attributes={key: told.decode("utf-8", "surrogateescape")})
    stream = Unpacked(io.BytesIO(archive([file])), 1 << 20, Deadline(60, "reading"))
    (found,) = read_layer(Archive(stream, 10), stream, INSPECTOR).privileges
    assert found.capabilities == ("cap_net_raw",)
