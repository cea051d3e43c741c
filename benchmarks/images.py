"""Layers pulled from a registry on loopback and looked at, beside bare unpacking and hashing of the same bytes.

Usage: ``python -m benchmarks.images [FOLDER]``. A layer is made of the files of a folder (the installation of Python unless
given: programs, libraries, sources and their compiled forms), in copies until it is 0.25, 1 and 4 GB long; each is read in a
process of its own, whose CPU time and peak memory are told. One layer is read by one thread.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import IO, cast

import zstandard

from soc2.declared_images import Registries, RegistryHost
from soc2.detectors.secrets import Scanner
from soc2.gather.registry.inspection import Inspector, image_rules
from soc2.gather.registry.pulling import Puller
from soc2.gather.registry.secrets import ScannedSecrets
from soc2.model.image_reference import parse_reference

_LAYERS = (
    *(("gzip", 250_000_000), ("gzip", 1_000_000_000), ("gzip", 4_000_000_000)),
    *(("zstd", 1_000_000_000), ("none", 1_000_000_000)),
)
_HOST = "registry.example"
_PIECE = 1 << 20


def main() -> None:
    if len(sys.argv) > 3 and sys.argv[1] == "measure":
        print(json.dumps(measure(sys.argv[2], sys.argv[3])))
        return
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else sys.base_prefix)
    with tempfile.TemporaryDirectory() as name:
        for packing, size in _LAYERS:
            _show(folder, size, packing, Path(name) / "layer")


def _show(folder: Path, size: int, packing: str, layer: Path) -> None:
    entries, unpacked = write_layer(folder, size, packing, layer)
    digest = _digest(layer)
    config = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
    config_digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    manifest = {
        "schemaVersion": 2,
        "config": {"digest": config_digest, "size": len(config)},
        "layers": [{"digest": digest, "size": layer.stat().st_size}],
    }
    body = json.dumps(manifest).encode()
    reference = f"{_HOST}/bench@sha256:{hashlib.sha256(body).hexdigest()}"
    port = multiprocessing.get_context("fork").Value("i", 0)
    server = multiprocessing.get_context("fork").Process(
        target=serve, args=(port, {reference.partition("@")[2]: body, config_digest: config, digest: layer}), daemon=True
    )
    server.start()
    while not port.value:
        time.sleep(0.01)
    command = [sys.executable, "-m", "benchmarks.images", "measure", f"127.0.0.1:{port.value}", reference]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    server.terminate()
    bare = unpack_and_hash(layer, packing)
    print(
        f"{packing:5} {unpacked / 1e6:6,.0f} MB, {layer.stat().st_size / 1e6:6,.0f} packed, {entries:,} entries: "
        f"{unpacked / 1e6 / found['cpu']:.0f} MB per CPU second, {unpacked / 1e6 / found['wall']:.0f} MB/s, "
        f"peak {found['peak'] / 1e3:.0f} MB, {found['findings']} findings; "
        f"bare {unpacked / 1e6 / bare:.0f} MB per CPU second, {found['cpu'] / bare:.2f} times",
        flush=True,
    )


def measure(address: str, reference: str) -> dict[str, float]:
    """Pull an image and return CPU and wall time in seconds, peak memory in kB, and how much was found."""
    host = RegistryHost(host=_HOST, address=address, insecure=True)
    inspector = Inspector(image_rules(), ScannedSecrets(Scanner()))
    wall, cpu = time.perf_counter(), time.process_time()
    puller = Puller(Registries(hosts=(host,)), lambda _: None, None, inspector)
    (pulled,) = puller.pull({parse_reference(reference): frozenset()})
    assert not pulled.problems, pulled.problems
    (facts,) = pulled.facts.values()
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "findings": len(facts.secrets) + len(facts.malware) + len(facts.privileges),
    }


def write_layer(folder: Path, size: int, packing: str, path: Path) -> tuple[int, int]:
    """Write a layer with copies of a folder's files, and return its entries and its length before it is packed."""
    entries = 0
    with path.open("wb") as file:
        packed: IO[bytes] = file
        if packing == "gzip":
            packed = cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6))
        elif packing == "zstd":
            packed = zstandard.ZstdCompressor(3).stream_writer(file, closefd=False)
        with tarfile.open(fileobj=packed, mode="w|", bufsize=_PIECE) as tar:
            for name, source in _copies(folder):
                if tar.offset >= size:
                    break
                tar.add(source, name, recursive=False)
                tar.members.clear()  # type: ignore[attr-defined]
                entries += 1
        if packed is not file:
            packed.close()
        return entries, tar.offset


def _copies(folder: Path) -> Iterator[tuple[str, Path]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    for number in range(1_000_000):
        for path in files:
            yield f"{number}/{path.relative_to(folder)}", path


def unpack_and_hash(path: Path, packing: str) -> float:
    """Return the CPU seconds that zlib or zstd, and SHA-256 of what is packed, take by themselves."""
    cpu = time.process_time()
    digest = hashlib.sha256()
    unpack: Callable[[bytes], bytes] = bytes
    if packing == "gzip":
        unpack = zlib.decompressobj(31).decompress
    elif packing == "zstd":
        unpack = zstandard.ZstdDecompressor().decompressobj().decompress
    with path.open("rb") as file:
        while piece := file.read(_PIECE // 4):
            digest.update(piece)
            unpack(piece)
    return time.process_time() - cpu


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def serve(port: object, content: dict[str, bytes | Path]) -> None:
    """Serve manifests and blobs by digest, and say on which port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = content[self.path.rpartition("/")[2]]
            self.send_response(200)
            length = len(found) if isinstance(found, bytes) else found.stat().st_size
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if isinstance(found, bytes):
                self.wfile.write(found)
                return
            with found.open("rb") as file:
                while piece := file.read(_PIECE):
                    self.wfile.write(piece)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = HTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_address[1]  # type: ignore[attr-defined]
    server.serve_forever()


if __name__ == "__main__":
    main()
