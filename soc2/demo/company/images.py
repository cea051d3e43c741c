"""The images of the company: what its manifests name is really in a registry, with the digests by which they run."""

from __future__ import annotations

import base64
import hashlib
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import urllib3
import yaml

from soc2.demo.company import FOLDER
from soc2.demo.company.weaknesses import merge_patch, weaknesses
from soc2.demo.images import File, Image, deleted, digest_of, image
from soc2.demo.process import StartError
from soc2.demo.signing import Sign, payload, signature_image, signature_tag

_NAMED = re.compile(r"image: *\"?([\w.-]+(?:/[\w.-]+)+)(@sha256:[0-9a-f]{64}|:[\w.-]+)")
_SECONDS = 10.0


def _token() -> bytes:
    """Return a token that was never given to anybody, the same in every run."""
    letters = base64.b64encode(hashlib.sha256(b"northwind").digest()).decode("ascii")
    return f"//npm.northwind.example/:_authToken=npm_{re.sub('[^A-Za-z0-9]', '', letters)[:36]}\n".encode()


def _test_file() -> bytes:
    """Return the test file for scanners, which is put together here: it stands nowhere as it is."""
    parts = ("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR", "-STANDARD-", "ANTIVIRUS", "-TEST-FILE", "!$H+H*")
    return "".join(parts).encode("ascii")


_GENERATED: dict[str, Callable[[], bytes]] = {"npmrc": _token, "test-file": _test_file}


@lru_cache(maxsize=2)
def declared_images(variant: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what images.yaml says of every image that the manifests name, by its name without tag and digest."""
    declared = yaml.safe_load((FOLDER / "images" / "images.yaml").read_text(encoding="utf-8"))
    if variant == "default":
        for weakness in weaknesses("images"):
            for patch in weakness.patch:
                declared = merge_patch(declared, patch)
    return {name: merge_patch(declared["every"], declared.get(name.rpartition("/")[2], {})) for name, _ in _references()}


@lru_cache(maxsize=2)
def company_images(variant: str) -> Mapping[str, Image]:
    """Return every image that the manifests name, by its name without tag and digest."""
    return {name: _image(name, declared) for name, declared in declared_images(variant).items()}


def signatures(variant: str, images: Mapping[str, Image], sign: Sign) -> Iterator[tuple[str, str, Image]]:
    """Yield the signatures of the images, each with the name of its image and its tag: their own, or one that was ``copied``
    from another image."""
    for name, declared in declared_images(variant).items():
        about = {"own": images[name].digest, "copied": digest_of(b"another image")}.get(declared["signature"])
        if about:
            yield name, signature_tag(images[name].digest), signature_image(payload(name, about), sign)


def with_digests(item: Any, images: Mapping[str, Image]) -> Any:
    """Return an object with the digests of the images that it names by digest."""
    if isinstance(item, list):
        return [with_digests(each, images) for each in item]
    if not isinstance(item, dict):
        return item
    found = {key: with_digests(value, images) for key, value in item.items()}
    if isinstance(found.get("image"), str):
        name, by_digest, _ = found["image"].partition("@")
        if by_digest and name in images:
            found["image"] = f"{name}@{images[name].digest}"
    return found


def image_ids(images: Mapping[str, Image]) -> dict[str, str]:
    """Return what runtimes tell of the images that manifests name by tag."""
    tags = {name: tag for name, tag in _references() if not tag.startswith("@")}
    return {f"{name}{tag}": f"{name}@{images[name].digest}" for name, tag in tags.items()}


def push(images: Mapping[str, Image], signed: Iterable[tuple[str, str, Image]], registry: str) -> None:
    """Put images and their signatures into a registry (``host:port``, plain HTTP). Raises StartError."""
    host, _, port = registry.partition(":")
    pool = urllib3.HTTPConnectionPool(host, int(port), maxsize=1)
    by_digest = ((name, each.digest, each) for name, each in images.items())
    for name, place, each in (*by_digest, *signed):
        base = f"/v2/{name.partition('/')[2]}"
        for digest, blob in each.blobs.items():
            _send(pool, "POST", f"{base}/blobs/uploads/?digest={digest}", blob, "application/octet-stream")
        _send(pool, "PUT", f"{base}/manifests/{place}", each.manifest, each.media_type)
    pool.close()


def _send(pool: urllib3.HTTPConnectionPool, method: str, path: str, body: bytes, media_type: str) -> None:
    answer = pool.request(method, path, body=body, headers={"Content-Type": media_type}, timeout=_SECONDS)
    if answer.status != 201:
        raise StartError(f"the registry does not take {path}: HTTP {answer.status}")


def _references() -> Iterator[tuple[str, str]]:
    for path in sorted((FOLDER / "kubernetes").glob("*.yaml")):
        for found in _NAMED.finditer(path.read_text(encoding="utf-8")):
            yield found[1], found[2]


def _image(name: str, declared: Mapping[str, Any]) -> Image:
    layers = [list(_files(layer)) for layer in declared["layers"].values()]
    labels = {"org.opencontainers.image.title": name}
    config = {"User": declared["user"], "Env": ["PATH=/usr/bin:/bin"], "Entrypoint": ["/usr/bin/app"], "Labels": labels}
    return image(layers, config, history=declared["history"])


def _files(layer: Mapping[str, Any]) -> Iterator[File]:
    for path in layer.get("delete", ()):
        yield deleted(path)
    for path, file in layer.get("files", {}).items():
        if "link" in file:
            yield File(path=path, kind=tarfile.LNKTYPE, target=file["link"])
        else:
            content = _GENERATED[file["generate"]]() if "generate" in file else file["text"].encode()
            yield File(path=path, content=content, mode=int(file.get("mode", "644"), 8))
