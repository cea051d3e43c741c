"""500 manifests, one pod each, through ``--target manifests``, against the same run of a single one.

Usage: ``python -m benchmarks.manifests [COUNT]``. Each run is a process of its own, as a gate in CI starts it.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_ROUNDS = 3
_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: pod-{number}
  labels: {{app: bench}}
spec:
  hostNetwork: {host}
  containers:
    - name: app
      image: registry.example/app:1
      securityContext:
        allowPrivilegeEscalation: false
        runAsNonRoot: true
        capabilities: {{drop: [ALL]}}
        seccompProfile: {{type: RuntimeDefault}}
"""


def run(manifests: Path, reports: Path) -> float:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--target", "manifests"]
    command += ["--manifests", str(manifests), "--report-dir", str(reports)]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - began


def main() -> None:
    count = int(sys.argv[1]) if sys.argv[1:] else 500
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, size in (("one", 1), ("all", count)):
            (folder / label).mkdir()
            for number in range(size):
                text = _POD.format(number=number, host=str(number % 10 == 0).lower())
                (folder / label / f"{number:04d}.yaml").write_text(text)
        rounds = [(run(folder / "one", folder / "reports"), run(folder / "all", folder / "reports")) for _ in range(_ROUNDS)]
    start, whole = sorted(rounds, key=lambda pair: pair[1])[_ROUNDS // 2]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"one manifest {start:.2f} s; {count} manifests {whole:.2f} s = {whole / start:.2f} times; peak {peak:.0f} MB")
    print(f"after start: {whole - start:.2f} s")


if __name__ == "__main__":
    main()
