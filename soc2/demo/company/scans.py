"""The reports of the scanner of images, as Trivy Operator writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from soc2.demo.company.images import declared_images
from soc2.demo.images import Image

_NAMESPACE = "platform"


def scan_reports(variant: str, images: Mapping[str, Image], now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the reports on every image but those that the scanner passes over."""
    for name, declared in declared_images(variant).items():
        scan = declared["scan"]
        if scan == "none":
            continue
        server, _, repository = name.partition("/")
        report = {
            "artifact": {"repository": repository, "digest": images[name].digest},
            "registry": {"server": server},
            "scanner": {"name": "Trivy", "vendor": "Aqua Security", "version": "0.66.0"},
            "updateTimestamp": f"{now - timedelta(hours=scan['hours']):%Y-%m-%dT%H:%M:%SZ}",
        }
        short = repository.rpartition("/")[2]
        found = [_published(each, now) for each in scan["vulnerabilities"]]
        yield _report("VulnerabilityReport", short, {**report, "vulnerabilities": found})
        yield _report("ExposedSecretReport", short, {**report, "secrets": scan["secrets"]})
        yield _report("ConfigAuditReport", short, {**report, "checks": scan["checks"]})
        yield _report("SbomReport", short, {**report, "components": {"components": scan["components"]}})


def _published(declared: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return a vulnerability with when it was published, which is declared in days before now."""
    day = now - timedelta(days=declared["days"])
    return {**{key: value for key, value in declared.items() if key != "days"}, "publishedDate": f"{day:%Y-%m-%dT%H:%M:%SZ}"}


def _report(kind: str, name: str, report: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": f"image-{name}", "namespace": _NAMESPACE}
    return {"apiVersion": "aquasecurity.github.io/v1alpha1", "kind": kind, "metadata": metadata, "report": report}
