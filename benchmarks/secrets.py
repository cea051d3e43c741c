"""Hard-coded secrets: how fast manifest text is searched, and precision and recall on the labelled corpus of the tests.

Usage: ``python -m benchmarks.secrets [MEGABYTES]``. The baseline is detect-secrets: all of its plugins asked about each line
of a megabyte of the same text, without its verification.
"""

from __future__ import annotations

import importlib
import pkgutil
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import detect_secrets.plugins
from detect_secrets.plugins.base import BasePlugin

from soc2.detectors.secrets import Scanner
from tests.secrets.corpus import NEGATIVES, POSITIVES, corpus, score
from tests.secrets.making import Maker

_ROUNDS = 3
_SEEDS = range(10, 20)
_MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {team}
  uid: {uid}
  resourceVersion: "{number}"
  labels: {{app.kubernetes.io/name: {name}, app.kubernetes.io/part-of: {team}, helm.sh/chart: {team}-1.{number}.0}}
  annotations:
    deployment.kubernetes.io/revision: "{number}"
    checksum/config: {digest}
spec:
  replicas: 2
  selector: {{matchLabels: {{app.kubernetes.io/name: {name}}}}}
  template:
    spec:
      serviceAccountName: {name}
      automountServiceAccountToken: false
      containers:
        - name: app
          image: registry.example.com/{team}/{name}@sha256:{digest}
          args: ["--listen=:8080", "--log-level=info", "--upstream=http://{name}-db.{team}.svc:5432"]
          env:
            - name: DB_HOST
              value: {name}-db.{team}.svc.cluster.local
            - name: DB_PASSWORD
              valueFrom: {{secretKeyRef: {{name: {name}-db, key: password}}}}
            - name: FEATURE_FLAGS
              value: checkout,search-{number},recommendations
          resources: {{limits: {{cpu: 500m, memory: 256Mi}}, requests: {{cpu: 100m, memory: 128Mi}}}}
          readinessProbe: {{httpGet: {{path: /ready, port: 8080}}, periodSeconds: 10}}
          volumeMounts: [{{name: settings, mountPath: /etc/{name}}}, {{name: tmp, mountPath: /tmp}}]
      volumes: [{{name: settings, configMap: {{name: {name}}}}}, {{name: tmp, emptyDir: {{}}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: {team}}}
data:
  application.properties: |
    server.port=8080
    spring.application.name={name}
    spring.datasource.url=jdbc:postgresql://{name}-db.{team}.svc:5432/{team}
    spring.datasource.password=${{DB_PASSWORD}}
    management.endpoints.web.exposure.include=health,info,prometheus
    {team}.cache.entries={number}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {team}}}
spec:
  clusterIP: 10.0.{byte}.{rest}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
  selector: {{app.kubernetes.io/name: {name}}}
---
"""
_PLANTED = "# DB_PASSWORD={secret}\n"


def text(size: int) -> bytes:
    """Return at least ``size`` bytes of manifests, in which every hundredth object has a secret."""
    make, parts, length, number = Maker(1), [], 0, 0
    while length < size:
        number += 1
        name = f"{make.dns_name()}-{number}"
        parts.append(
            _MANIFEST.format(
                name=name,
                team=make.word(),
                uid=make.uuid(),
                number=number,
                digest=make.hex(64),
                byte=number % 250,
                rest=number % 199,
            )
        )
        if number % 100 == 0:
            parts.append(_PLANTED.format(secret=make.chars("abcdefghkmnpqrstuvwxyz23456789", 20)))
        length += len(parts[-1])
    return "".join(parts).encode()


def seconds(act: Callable[[], Any]) -> tuple[float, float]:
    """Return (wall, CPU) seconds, the middle of three rounds."""
    rounds = []
    for _ in range(_ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        rounds.append((time.perf_counter() - wall, time.process_time() - cpu))
    return sorted(rounds, key=lambda each: each[1])[_ROUNDS // 2]


def every_plugin() -> list[Any]:
    """Return all plugins of detect-secrets that look at strings."""
    found = []
    for module in pkgutil.iter_modules(detect_secrets.plugins.__path__):
        for kind in vars(importlib.import_module(f"detect_secrets.plugins.{module.name}")).values():
            if isinstance(kind, type) and issubclass(kind, BasePlugin) and not getattr(kind, "__abstractmethods__", None):
                found.append(kind())
    return list({type(plugin): plugin for plugin in found}.values())


def main(megabytes: float) -> None:
    data = text(int(megabytes * 1e6))
    scanner = Scanner()
    planted = data.count(b"# DB_PASSWORD=")
    found = len(scanner.scan(data, "all.yaml"))
    wall, cpu = seconds(lambda: Scanner().scan(data, "all.yaml"))
    size = len(data) / 1e6
    print(f"{size:.1f} MB of manifests: {size / wall:.1f} MB/s, {size / cpu:.1f} MB per CPU second")
    print(f"{found} of {planted} planted secrets found")

    sample = data[: 1 << 20].decode()
    plugins = every_plugin()
    lines = sample.splitlines()
    _, cpu = seconds(lambda: [list(plugin.analyze_string(line)) for line in lines for plugin in plugins])
    print(f"detect-secrets, {len(plugins)} plugins for each line: {len(sample) / 1e6 / cpu:.2f} MB per CPU second")

    results = [score(corpus(seed)) for seed in _SEEDS]
    for name, values in (("precision", [one.precision for one in results]), ("recall", [one.recall for one in results])):
        print(f"{name}: {statistics.mean(values):.4f} (at least {min(values):.4f} of {len(values)} corpora)")
    print(f"each corpus: {POSITIVES} with a secret, {NEGATIVES} without")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 20)
