"""CC6.8: only known software runs, and what runs is watched."""

from __future__ import annotations

from datetime import datetime

import pytest

from fixtures.judge import Judge
from soc2.model.aws.compute import Repository
from soc2.model.aws.node_images import NodeImage
from soc2.model.detections import Detection
from soc2.model.image_content import RunningImage
from soc2.model.image_scans import ReportedImage, ScannedImage
from soc2.model.image_signatures import SignedImage
from soc2.model.kubernetes.debugging import NamespaceWays
from soc2.model.kubernetes.delivery import Application, FluxObject
from soc2.model.kubernetes.drift import DeployedPods
from soc2.model.kubernetes.image_guards import GuardedImages
from soc2.model.kubernetes.joins import NodeAgents
from soc2.model.kubernetes.scan_reports import ConfigAuditReport, ExposedSecretReport
from soc2.model.kubernetes.subjects import PodSubject
from soc2.model.population import Population
from soc2.model.probes import AdmissionProbe
from soc2.model.scanners import RegisteredRepository, ScannerState
from soc2.rules import (
    agents,
    cloud_compute,
    detections,
    drift,
    image_content,
    image_policies,
    image_scans,
    image_signatures,
    images,
    node_images,
    probes,
    rbac,
)
from soc2.system import System


@pytest.mark.check(
    "images-from-allowed-registries",
    severity="high",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Mirror the image into an allowed registry",
)
def test_images_come_from_allowed_registries(pods: Population[PodSubject], judge: Judge, system: System) -> None:
    """Every image comes from an allowed registry."""
    judge(pods, images.from_registries(system.images.allowed_registries))


@pytest.mark.check(
    "images-by-digest",
    severity="medium",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Name the image by digest (@sha256:...)",
)
def test_images_are_named_by_digest(pods: Population[PodSubject], judge: Judge) -> None:
    """Every image is named by digest."""
    judge(pods, images.by_digest)


@pytest.mark.check(
    "images-without-malware",
    severity="critical",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Stop what runs the image, find out how the file got into it, and rebuild it from a base that is known",
)
def test_images_hold_no_malware(running_images: Population[RunningImage], judge: Judge) -> None:
    """No file in a layer of a running image is malicious by the rules that are shipped or by the user's own."""
    judge(running_images, image_content.without_malware)


@pytest.mark.check(
    "unknown-image-refused",
    severity="critical",
    seed=True,
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(d)"],
    kind="probe",
    remedy="Mend the scope of the policy that limits registries",
)
def test_an_unknown_image_is_refused(unknown_image_probes: Population[AdmissionProbe], judge: Judge) -> None:
    """A pod with an image of an unknown registry is really refused in every namespace in scope."""
    judge(unknown_image_probes, probes.refused)


@pytest.mark.check(
    "runtime-sensor-on-every-node",
    severity="high",
    seed=True,
    official=["CC6.8", "CC7.2"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Mend the DaemonSet's tolerations and its failing pods",
)
def test_a_runtime_sensor_watches_every_node(node_agents: Population[NodeAgents], judge: Judge, system: System) -> None:
    """The declared runtime sensors run on every node."""
    judge(node_agents, agents.running(system.agents.runtime))


@pytest.mark.check(
    "ecr-tags-immutable",
    severity="medium",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Set tag immutability",
)
def test_ecr_tags_are_immutable(repositories: Population[Repository], judge: Judge) -> None:
    """No tag of an ECR repository can be moved to another image."""
    judge(repositories, cloud_compute.tags_immutable)


@pytest.mark.check(
    "ecr-scanned-on-push",
    severity="high",
    seed=True,
    official=["CC6.8", "CC7.1"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Switch on scanning",
)
def test_ecr_images_are_scanned(repositories_by_scanning: Population[RegisteredRepository], judge: Judge) -> None:
    """Every ECR repository has its images scanned when they are pushed, by a rule of its registry or by its own setting."""
    judge(repositories_by_scanning, cloud_compute.scanned_on_push)


@pytest.mark.check(
    "malware-detections-handled",
    severity="critical",
    event=True,
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)", "164.308(a)(6)(ii)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Isolate the node or pod, record in the feed of alerts what ran there, and rebuild it",
)
def test_malware_is_handled(malware: Population[Detection], judge: Judge, system: System, as_of: datetime) -> None:
    """What the logs show of software that should not run was found out about within the limit."""
    judge(malware, detections.handled(system.thresholds.alert_triage_hours, as_of))


@pytest.mark.check(
    "mutable-tag-refused",
    severity="high",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(d)"],
    kind="probe",
    remedy="Let the policy on images demand a digest (@sha256:...), of init containers too",
)
def test_an_image_by_tag_is_refused(mutable_tag_probes: Population[AdmissionProbe], judge: Judge) -> None:
    """A pod with an image that is named by tag is really refused in every namespace in scope."""
    judge(mutable_tag_probes, probes.refused)


@pytest.mark.check(
    "unsigned-image-refused",
    severity="critical",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(d)"],
    kind="probe",
    remedy="Enforce the policy that verifies signatures, and mend its scope",
)
def test_an_unsigned_image_is_refused(unsigned_image_probes: Population[AdmissionProbe], judge: Judge) -> None:
    """A pod with an image of our registry that nobody signed is really refused in every namespace in scope."""
    judge(unsigned_image_probes, probes.refused)


@pytest.mark.check(
    "known-bad-digest-refused",
    severity="high",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(d)"],
    kind="probe",
    remedy="Add the digest to those that the policy on images refuses, and mend its scope",
)
def test_a_digest_that_is_known_to_be_bad_is_refused(known_bad_probes: Population[AdmissionProbe], judge: Judge) -> None:
    """A pod with a digest that is declared to be bad is really refused in every namespace in scope."""
    judge(known_bad_probes, probes.refused)


@pytest.mark.check(
    "signature-policy-enforced",
    severity="high",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Set the policy to refuse (Enforce, Deny, deny), and let it select the namespace and every allowed registry",
)
def test_a_policy_on_images_is_enforced(
    namespaces_by_image_policy: Population[GuardedImages], judge: Judge, system: System
) -> None:
    """In every namespace in scope a policy is enforced that verifies images, or that limits which may run."""
    judge(namespaces_by_image_policy, image_policies.guarded(system.images.allowed_registries))


@pytest.mark.check(
    "running-images-signed",
    severity="high",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Find out where the image comes from, sign it (cosign sign --key) or build and deploy it anew",
)
def test_running_images_are_signed(images_by_signature: Population[SignedImage], judge: Judge) -> None:
    """Every image that runs has a signature that a declared key verifies."""
    judge(images_by_signature, image_signatures.signed)


@pytest.mark.check(
    "running-digests-scanned",
    severity="high",
    official=["CC6.8", "CC7.1"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(d)"],
    kind="log",
    remedy="Start a scan of the digest, and find out why the scanner passes it over",
)
def test_running_digests_are_scanned(
    images_by_scan: Population[ScannedImage], judge: Judge, system: System, as_of: datetime
) -> None:
    """A scanner looked at every digest that runs within the limit."""
    judge(images_by_scan, image_scans.scanned(system.thresholds.image_scan_days, as_of))


@pytest.mark.check(
    "fixable-vulnerabilities-in-time",
    severity="high",
    official=["CC6.8", "CC7.1"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="log",
    remedy="Rebuild the image with the package that mends it, and deploy that",
)
def test_vulnerabilities_are_fixed_in_time(
    images_by_scan: Population[ScannedImage], judge: Judge, system: System, as_of: datetime
) -> None:
    """No image that runs has a critical or high vulnerability with a fix for longer than the limit."""
    limits = system.thresholds
    judge(images_by_scan, image_scans.in_time(limits.vulnerability_days, limits.image_scan_days, as_of))


@pytest.mark.check(
    "exposed-secrets-resolved",
    severity="critical",
    official=["CC6.8", "CC6.7"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="log",
    remedy="Revoke the secret, and build the image without it",
)
def test_exposed_secrets_are_resolved(
    exposed_secret_reports: Population[ExposedSecretReport | ReportedImage], judge: Judge, system: System, as_of: datetime
) -> None:
    """No scanner reports a secret in an image, and one that is declared to look for them looks at every image that runs."""
    judge(exposed_secret_reports, image_scans.no_secrets_exposed(system.thresholds.image_scan_days, as_of))


@pytest.mark.check(
    "scanners-switched-on",
    severity="high",
    official=["CC6.8", "CC7.1"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Let a rule of the registry scan every repository, and enable Inspector for images where it is relied on",
)
def test_scanners_are_switched_on(
    scanner_states: Population[ScannerState], judge: Judge, system: System, as_of: datetime
) -> None:
    """The scanners of images are on, for every repository."""
    judge(scanner_states, image_scans.switched_on(system.thresholds.image_scan_days, as_of))


@pytest.mark.check(
    "running-digests-declared",
    severity="medium",
    official=["CC6.8"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Find out who changed what runs, and deploy what is declared; name under [images] injected what admission adds",
)
def test_what_runs_is_declared(
    deployed: Population[DeployedPods | Application | FluxObject], judge: Judge, system: System, as_of: datetime
) -> None:
    """Pods run what their workloads declare, all the same, and what is deployed from a repository is what stands there."""
    judge(deployed, drift.as_declared(system.images.injected, as_of))


@pytest.mark.check(
    "node-images-fresh",
    severity="medium",
    official=["CC6.8", "CC7.1"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Update the node group to the newest release, so that its nodes are replaced",
)
def test_images_of_nodes_are_fresh(
    nodes_by_image: Population[NodeImage], judge: Judge, system: System, as_of: datetime
) -> None:
    """The image of no node is older than the limit, and no kubelet too far behind the API server."""
    limits = system.thresholds
    judge(nodes_by_image, node_images.fresh(limits.node_image_days, limits.kubelet_versions_behind, as_of))


@pytest.mark.check(
    "running-containers-closed",
    severity="medium",
    official=["CC6.8", "CC6.3"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Refuse it by an admission policy (CONNECT on pods/exec and pods/attach, UPDATE on pods/ephemeralcontainers), "
    "take the right away, or declare who has it under [access] exec_holders",
)
def test_running_containers_are_closed(ways_into_containers: Population[NamespaceWays], judge: Judge, system: System) -> None:
    """What is not in its image gets into a running container by declared subjects only: by RBAC, or by a policy."""
    judge(ways_into_containers, rbac.ways_guarded(system.access.exec_holders))


@pytest.mark.check(
    "config-audits-resolved",
    severity="medium",
    official=["CC6.8", "CC7.1"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(d)"],
    kind="log",
    remedy="Correct the workload, or find out why its report is not renewed",
)
def test_audits_of_configurations_are_resolved(
    config_audit_reports: Population[ConfigAuditReport], judge: Judge, system: System, as_of: datetime
) -> None:
    """No scanner reports that the configuration of a workload fails a critical or high check."""
    judge(config_audit_reports, image_scans.configured_well(system.thresholds.image_scan_days, as_of))


@pytest.mark.check(
    "running-digests-inventoried",
    severity="low",
    official=["CC6.8", "CC7.1"],
    hipaa=["164.308(a)(5)(ii)(B)"],
    gdpr=["32(1)(d)"],
    kind="log",
    remedy="Find out why the scanner makes no inventory (SBOM) of the image",
)
def test_running_digests_have_an_inventory(
    images_by_inventory: Population[ReportedImage], judge: Judge, system: System, as_of: datetime
) -> None:
    """Where inventories of images are made, every digest that runs has one."""
    judge(images_by_inventory, image_scans.inventoried(system.thresholds.image_scan_days, as_of))
