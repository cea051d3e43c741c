"""CC6.1: privileges cannot be escalated, and access to systems and data is restricted."""

from __future__ import annotations

import pytest

from fixtures.judge import Judge
from soc2.model.access.reach import Reach
from soc2.model.aws.compute import Instance, Volume
from soc2.model.aws.iam import AccountSummary, Credentials
from soc2.model.aws.joins import CustomerKey, StoredBucket
from soc2.model.aws.storage import DbInstance
from soc2.model.image_content import RunningImage
from soc2.model.kubernetes.joins import GuardedNamespace
from soc2.model.kubernetes.subjects import PodSubject
from soc2.model.population import Population
from soc2.model.probes import AccessProbe, AdmissionProbe, RequestProbe, SearchProbe
from soc2.rules import cloud_compute, cloud_storage, identities, image_content, paths, pod_security, probes
from soc2.rules import namespaces as namespace_rules
from soc2.system import System


@pytest.mark.check(
    "pod-host-namespaces",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove hostNetwork, hostPID and hostIPC",
)
def test_pods_stay_out_of_host_namespaces(pods: Population[PodSubject], judge: Judge) -> None:
    """Pods use no network, process or IPC namespace of the host."""
    judge(pods, pod_security.host_namespaces)


@pytest.mark.check(
    "pod-privileged",
    severity="critical",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove securityContext.privileged",
)
def test_containers_are_not_privileged(pods: Population[PodSubject], judge: Judge) -> None:
    """No container is privileged."""
    judge(pods, pod_security.privileged)


@pytest.mark.check(
    "pod-capabilities-baseline",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove the capability from securityContext.capabilities.add",
)
def test_containers_add_no_dangerous_capability(pods: Population[PodSubject], judge: Judge) -> None:
    """Containers add no capability beyond those that runtimes give by default."""
    judge(pods, pod_security.capabilities_baseline)


@pytest.mark.check(
    "pod-host-path",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Use a PersistentVolumeClaim, emptyDir or projected volume",
)
def test_pods_mount_no_host_path(pods: Population[PodSubject], judge: Judge) -> None:
    """No volume mounts a path of the node."""
    judge(pods, pod_security.host_path_volumes)


@pytest.mark.check(
    "pod-host-ports",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove hostPort and use a Service",
)
def test_containers_take_no_host_port(pods: Population[PodSubject], judge: Judge) -> None:
    """No container takes a port of the node."""
    judge(pods, pod_security.host_ports)


@pytest.mark.check(
    "pod-apparmor",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Use the RuntimeDefault profile",
)
def test_apparmor_is_not_switched_off(pods: Population[PodSubject], judge: Judge) -> None:
    """AppArmor is switched off for no container."""
    judge(pods, pod_security.app_armor_profile)


@pytest.mark.check(
    "pod-selinux",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove seLinuxOptions, or use type container_t without user and role",
)
def test_selinux_options_are_safe(pods: Population[PodSubject], judge: Judge) -> None:
    """SELinux options are those for containers."""
    judge(pods, pod_security.selinux_options)


@pytest.mark.check(
    "pod-proc-mount",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove procMount",
)
def test_proc_stays_masked(pods: Population[PodSubject], judge: Judge) -> None:
    """The masks over /proc stay, unless the pod has its own user namespace."""
    judge(pods, pod_security.proc_mount)


@pytest.mark.check(
    "pod-seccomp-baseline",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Use seccompProfile type RuntimeDefault",
)
def test_seccomp_is_not_switched_off(pods: Population[PodSubject], judge: Judge) -> None:
    """Seccomp is switched off for no container."""
    judge(pods, pod_security.seccomp_baseline)


@pytest.mark.check(
    "pod-sysctls",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove the sysctl, or set it on the node",
)
def test_pods_set_only_safe_sysctls(pods: Population[PodSubject], judge: Judge) -> None:
    """Pods set only sysctls that are known as safe."""
    judge(pods, pod_security.sysctls)


@pytest.mark.check(
    "pod-windows-host-process",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove windowsOptions.hostProcess",
)
def test_no_windows_container_is_a_host_process(pods: Population[PodSubject], judge: Judge) -> None:
    """No Windows container runs as a process of the host."""
    judge(pods, pod_security.windows_host_process)


@pytest.mark.check(
    "pod-probe-hosts",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove host from httpGet and tcpSocket",
)
def test_probes_stay_with_their_pod(pods: Population[PodSubject], judge: Judge) -> None:
    """Probes and lifecycle hooks connect to the pod itself."""
    judge(pods, pod_security.host_probes)


@pytest.mark.check(
    "pod-privilege-escalation",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Set securityContext.allowPrivilegeEscalation: false and drop ALL capabilities",
)
def test_containers_cannot_escalate_privileges(pods: Population[PodSubject], judge: Judge) -> None:
    """No container may gain more privileges than its parent process."""
    judge(pods, pod_security.privilege_escalation)


@pytest.mark.check(
    "pod-run-as-non-root",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Set securityContext.runAsNonRoot: true",
)
def test_containers_run_as_non_root(pods: Population[PodSubject], judge: Judge) -> None:
    """Every container is bound not to run as root."""
    judge(pods, pod_security.run_as_non_root)


@pytest.mark.check(
    "pod-run-as-user",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Set securityContext.runAsUser to another id, or leave it to the image",
)
def test_no_user_id_is_root(pods: Population[PodSubject], judge: Judge) -> None:
    """No container names user id 0."""
    judge(pods, pod_security.run_as_user)


@pytest.mark.check(
    "images-do-not-run-as-root",
    severity="medium",
    official=["CC6.1", "CC6.8"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Set USER to another number than 0 in the image, or securityContext.runAsUser and runAsNonRoot in its pods",
)
def test_images_do_not_run_as_root(running_images: Population[RunningImage], judge: Judge) -> None:
    """No container runs as root because its image says so, or says nothing."""
    judge(running_images, image_content.not_as_root)


@pytest.mark.check(
    "images-without-privileged-files",
    severity="medium",
    official=["CC6.1", "CC6.8"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove setuid, setgid and capabilities when the image is built, or list the file under [images] privileged_files",
)
def test_images_hold_no_privileged_files(running_images: Population[RunningImage], judge: Judge, system: System) -> None:
    """No file of a running image has setuid, setgid or capabilities, but those that are listed."""
    judge(running_images, image_content.without_privileged_files(system.images.privileged_files))


@pytest.mark.check(
    "pod-seccomp-restricted",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Set seccompProfile type RuntimeDefault on the pod",
)
def test_every_container_has_a_seccomp_profile(pods: Population[PodSubject], judge: Judge) -> None:
    """Every container has a seccomp profile."""
    judge(pods, pod_security.seccomp_restricted)


@pytest.mark.check(
    "pod-capabilities-restricted",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Set capabilities.drop: [ALL]",
)
def test_containers_drop_all_capabilities(pods: Population[PodSubject], judge: Judge) -> None:
    """Every container drops all capabilities and adds none but NET_BIND_SERVICE."""
    judge(pods, pod_security.capabilities_restricted)


@pytest.mark.check(
    "pod-volume-kinds",
    severity="medium",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Use configMap, secret, emptyDir, projected, csi, ephemeral, image or persistentVolumeClaim",
)
def test_volumes_are_of_safe_kinds(pods: Population[PodSubject], judge: Judge) -> None:
    """Volumes are of kinds without a door to the node or to shared storage."""
    judge(pods, pod_security.restricted_volumes)


@pytest.mark.check(
    "pod-proc-mount-restricted",
    severity="low",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove procMount",
)
def test_proc_stays_masked_everywhere(pods: Population[PodSubject], judge: Judge) -> None:
    """The masks over /proc stay, also with a user namespace."""
    judge(pods, pod_security.proc_mount_restricted)


@pytest.mark.check(
    "namespace-pod-security-level",
    severity="high",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Label the namespace pod-security.kubernetes.io/enforce: restricted",
)
def test_namespaces_enforce_a_pod_security_level(guarded_namespaces: Population[GuardedNamespace], judge: Judge) -> None:
    """Every namespace in scope enforces the Pod Security level baseline or restricted, or other policies really do."""
    judge(guarded_namespaces, namespace_rules.pod_security_level)


@pytest.mark.check(
    "privileged-pod-refused",
    severity="critical",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="probe",
    remedy="Enforce Pod Security in the namespace, or mend the policy engine's scope",
)
def test_a_privileged_pod_is_refused(privileged_pod_probes: Population[AdmissionProbe], judge: Judge) -> None:
    """A privileged pod is really refused in every namespace in scope."""
    judge(privileged_pod_probes, probes.refused)


@pytest.mark.check(
    "no-path-to-cluster-admin",
    severity="critical",
    seed=True,
    official=["CC6.1", "CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove the right in one of the hops, or declare the subject under [access] cluster_admins",
)
def test_no_path_leads_to_cluster_admin(cluster_reach: Population[Reach], judge: Judge, system: System) -> None:
    """No workload and nobody undeclared can come to have every right in the cluster, by whatever hops."""
    judge(cluster_reach, paths.none_to_cluster_admin(system.access.unlimited))


@pytest.mark.check(
    "no-path-to-admission-control",
    severity="critical",
    seed=True,
    official=["CC6.1", "CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove the right in one of the hops, or declare the subject under [access] escalation_holders",
)
def test_no_path_leads_to_admission_control(cluster_reach: Population[Reach], judge: Judge, system: System) -> None:
    """No workload and nobody undeclared can come to weaken or switch off admission control."""
    declared = (*system.access.unlimited, *system.access.escalation_holders)
    judge(cluster_reach, paths.none_to_admission_control(declared))


@pytest.mark.check(
    "no-path-to-foreign-secrets",
    severity="high",
    seed=True,
    official=["CC6.1", "CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove the right in one of the hops, or declare the subject under [access] secret_readers",
)
def test_no_path_leads_to_secrets_of_others(cluster_reach: Population[Reach], judge: Judge, system: System) -> None:
    """No workload can come to read the Secrets of another namespace."""
    declared = (*system.access.unlimited, *system.access.secret_readers)
    judge(cluster_reach, paths.none_to_foreign_secrets(declared))


@pytest.mark.check(
    "no-path-to-cloud-admin",
    severity="critical",
    official=["CC6.1", "CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove the right or narrow the trust in one of the hops, or declare the principal under [access] cloud_admins",
)
def test_no_path_leads_to_cloud_admin(data_reach: Population[Reach], judge: Judge, system: System) -> None:
    """No workload, nobody undeclared and nobody outside can come to do everything in the account."""
    judge(data_reach, paths.none_to_account_admin(system.access.unlimited))


@pytest.mark.check(
    "no-path-to-restricted-data",
    severity="critical",
    official=["CC6.1", "CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="configuration",
    remedy="Remove the right or narrow the trust in one of the hops, or declare the reader under [access] data_readers",
)
def test_no_path_leads_to_restricted_data(data_reach: Population[Reach], judge: Judge, system: System) -> None:
    """Only declared workloads and people can come to read restricted data, through the cluster and IAM alike."""
    judge(data_reach, paths.none_to_data(system.access.data_readers))


@pytest.mark.check(
    "no-pod-gets-past-its-level",
    severity="critical",
    seed=True,
    official=["CC6.1"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="probe",
    remedy="Set enforce-version to latest, and remove exemptions of users, runtime classes and namespaces from Pod Security",
)
def test_no_pod_gets_past_the_level_of_its_namespace(pod_searches: Population[SearchProbe], judge: Judge) -> None:
    """A search finds no pod that breaks the level a namespace claims and is admitted."""
    judge(pod_searches, probes.nothing_gets_past)


@pytest.mark.check(
    "anonymous-requests-refused",
    severity="critical",
    official=["CC6.1", "CC6.6"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["32(1)(b)", "5(1)(f)"],
    kind="probe",
    remedy="Restrict anonymous authentication to the health paths",
)
def test_requests_without_rights_are_refused(unauthorized_requests: Population[RequestProbe], judge: Judge) -> None:
    """Requests without credentials and with unissued tokens are refused."""
    judge(unauthorized_requests, probes.unauthorized)


@pytest.mark.check(
    "strangers-are-refused",
    severity="critical",
    official=["CC6.1"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["25(2)", "32(1)(b)"],
    kind="probe",
    remedy="Remove bindings to system:authenticated, system:unauthenticated and system:serviceaccounts",
)
def test_subjects_without_bindings_may_do_nothing(strangers_access: Population[AccessProbe], judge: Judge) -> None:
    """Subjects that no binding names may do nothing that matters."""
    judge(strangers_access, probes.stranger_refused)


@pytest.mark.check(
    "root-account-protected",
    severity="critical",
    official=["CC6.1"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["32(1)(b)", "5(1)(f)"],
    kind="configuration",
    remedy="Set up a second factor for root and delete its access keys",
)
def test_the_root_user_is_protected(account_summary: Population[AccountSummary], judge: Judge) -> None:
    """The root user has a second factor and no access keys."""
    judge(account_summary, identities.root_protected)


@pytest.mark.check(
    "iam-users-have-mfa",
    severity="high",
    official=["CC6.1"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["32(1)(b)", "5(1)(f)"],
    kind="configuration",
    remedy="Enforce MFA, or move the user to federated access",
)
def test_console_users_have_a_second_factor(iam_users: Population[Credentials], judge: Judge) -> None:
    """Every IAM user with a console password has a second factor."""
    judge(iam_users, identities.has_mfa)


@pytest.mark.check(
    "imdsv2-required",
    severity="high",
    official=["CC6.1"],
    hipaa=["164.312(a)(1)", "164.312(d)"],
    gdpr=["32(1)(b)", "5(1)(f)"],
    kind="configuration",
    remedy="Set HttpTokens to required and the hop limit to 1",
)
def test_instance_metadata_needs_a_token(instances: Population[Instance], judge: Judge) -> None:
    """Instance metadata needs a session token and answers no further than the node."""
    judge(instances, cloud_compute.imdsv2)


@pytest.mark.check(
    "volumes-encrypted",
    severity="high",
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Copy the volume through an encrypted snapshot and switch on encryption by default",
)
def test_volumes_are_encrypted(volumes: Population[Volume], judge: Judge) -> None:
    """Every EBS volume is encrypted."""
    judge(volumes, cloud_compute.volume_encrypted)


@pytest.mark.check(
    "databases-encrypted",
    severity="high",
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Restore the database from an encrypted snapshot",
)
def test_databases_are_encrypted(databases: Population[DbInstance], judge: Judge) -> None:
    """Every RDS instance is encrypted."""
    judge(databases, cloud_storage.database_encrypted)


@pytest.mark.check(
    "buckets-encrypted-with-the-right-key",
    severity="high",
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Set default encryption to SSE-KMS with a key of the account",
)
def test_restricted_buckets_use_a_customer_key(
    bucket_encryption: Population[StoredBucket], judge: Judge, system: System
) -> None:
    """Buckets with restricted data are encrypted with a customer managed key."""
    judge(bucket_encryption, cloud_storage.bucket_encrypted(system.data.restricted))


@pytest.mark.check(
    "kms-keys-rotate",
    severity="medium",
    official=["CC6.1"],
    hipaa=["164.312(a)(2)(iv)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Enable automatic key rotation",
)
def test_customer_keys_rotate(customer_keys: Population[CustomerKey], judge: Judge) -> None:
    """Symmetric customer managed keys rotate."""
    judge(customer_keys, cloud_storage.key_rotates)
