"""CC6.3: least privilege, and access control that cannot be switched off unseen."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fixtures.judge import Judge
from soc2.model.access.controls import ControlPower, Guardrail
from soc2.model.access.primitives import SubjectRights
from soc2.model.aws.iam import AccessFinding, Principal
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.detections import Detection
from soc2.model.feeds import Person
from soc2.model.kubernetes.admission import ValidatingAdmissionPolicy, WebhookConfiguration
from soc2.model.kubernetes.joins import AdmissionScope, BoundPolicy, Grant
from soc2.model.kubernetes.rbac import ClusterRole, Role
from soc2.model.population import Population
from soc2.model.probes import MatrixProbe
from soc2.rules import accounts, admission, controls, detections, identities, probes, rbac
from soc2.system import System


@pytest.mark.check(
    "cluster-admins-known",
    severity="critical",
    official=["CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Bind the subject to a role with the rights it needs, or declare it under [access] cluster_admins",
)
def test_cluster_admins_are_known(grants: Population[Grant], judge: Judge, system: System) -> None:
    """Only declared subjects have every right in the cluster or in a namespace."""
    judge(grants, rbac.admins_known(system.access.cluster_admins))


@pytest.mark.check(
    "no-wildcard-roles",
    severity="high",
    official=["CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Name the verbs and resources",
)
def test_roles_name_their_verbs_and_resources(roles: Population[Role | ClusterRole], judge: Judge) -> None:
    """No role beyond the defaults has a wildcard for verbs or resources."""
    judge(roles, rbac.no_wildcards)


@pytest.mark.check(
    "escalation-rights-limited",
    severity="critical",
    seed=True,
    official=["CC6.3", "CC6.1"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Remove the verb, or declare the subject under [access] escalation_holders",
)
def test_escalation_rights_are_limited(subjects_rights: Population[SubjectRights], judge: Judge, system: System) -> None:
    """Only declared subjects may raise their own rights or switch access control off."""
    judge(subjects_rights, rbac.primitives_limited("escalation", system.access.escalation_holders))


@pytest.mark.check(
    "secret-readers-limited",
    severity="high",
    official=["CC6.3", "CC6.1"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["5(1)(f)"],
    kind="configuration",
    remedy="Scope the rule by resourceNames, or declare the subject under [access] secret_readers",
)
def test_secret_readers_are_limited(subjects_rights: Population[SubjectRights], judge: Judge, system: System) -> None:
    """Only declared subjects may read Secrets."""
    judge(subjects_rights, rbac.primitives_limited("secrets", system.access.secret_readers))


@pytest.mark.check(
    "exec-rights-limited",
    severity="high",
    official=["CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Remove the rule, or declare the subject under [access] exec_holders",
)
def test_exec_rights_are_limited(subjects_rights: Population[SubjectRights], judge: Judge, system: System) -> None:
    """Only declared subjects may run commands in the pods of others or reach their ports."""
    judge(subjects_rights, rbac.primitives_limited("execution", system.access.exec_holders))


@pytest.mark.check(
    "workload-creators-limited",
    severity="high",
    official=["CC6.3", "CC6.1"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Remove the rule, or declare the subject under [access] workload_creators",
)
def test_workload_creators_are_limited(subjects_rights: Population[SubjectRights], judge: Judge, system: System) -> None:
    """Only declared subjects may run pods, and so act as any ServiceAccount of the namespace."""
    judge(subjects_rights, rbac.primitives_limited("workloads", system.access.workload_creators))


@pytest.mark.check(
    "access-matrix-holds",
    severity="high",
    official=["CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="probe",
    remedy="Correct the binding, or the line under [[access.matrix]]",
)
def test_the_access_matrix_holds(access_matrix: Population[MatrixProbe], judge: Judge) -> None:
    """Whoever the access matrix names may do what it says, and nothing else."""
    judge(access_matrix, probes.as_declared)


@pytest.mark.check(
    "admission-fails-closed",
    severity="high",
    seed=True,
    official=["CC6.3", "CC6.8"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Set failurePolicy to Fail and run the webhook with several replicas",
)
def test_admission_fails_closed(
    admission_controls: Population[WebhookConfiguration | ValidatingAdmissionPolicy], judge: Judge
) -> None:
    """Webhooks and admission policies refuse when they cannot decide."""
    judge(admission_controls, admission.fails_closed)


@pytest.mark.check(
    "admission-exclusions-declared",
    severity="high",
    seed=True,
    official=["CC6.3", "CC6.8"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Let the selector match the namespace, or declare what is left out under [admission] exclusions",
)
def test_admission_exclusions_are_declared(admission_scopes: Population[AdmissionScope], judge: Judge, system: System) -> None:
    """Validating webhooks and admission policies look at every namespace and object in scope but those declared."""
    judge(admission_scopes, admission.exclusions_declared(system.admission.exclusions))


@pytest.mark.check(
    "admission-policies-enforced",
    severity="high",
    seed=True,
    official=["CC6.3", "CC6.8"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Bind the policy with validationActions: [Deny]",
)
def test_admission_policies_are_enforced(bound_policies: Population[BoundPolicy], judge: Judge) -> None:
    """Every admission policy is bound, and by a binding that denies."""
    judge(bound_policies, admission.enforced)


@pytest.mark.check(
    "cluster-controls-kept",
    severity="critical",
    seed=True,
    official=["CC6.3"],
    hipaa=["164.312(b)", "164.308(a)(4)(ii)(C)"],
    gdpr=["32(1)(b)"],
    kind="probe",
    remedy="Remove the right, or declare the subject under [access] control_owners",
)
def test_only_owners_may_weaken_cluster_controls(
    cluster_control_powers: Population[ControlPower], judge: Judge, system: System
) -> None:
    """Only declared owners may weaken admission control, RBAC, network policies, Pod Security or the agents."""
    judge(cluster_control_powers, controls.kept((*system.access.cluster_admins, *system.access.control_owners)))


@pytest.mark.check(
    "cloud-controls-kept",
    severity="critical",
    seed=True,
    official=["CC6.3"],
    hipaa=["164.312(b)", "164.308(a)(4)(ii)(C)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Deny the actions by a service control policy, or declare the principal under [access] security_principals",
)
def test_only_security_may_weaken_cloud_controls(
    cloud_control_powers: Population[ControlPower], judge: Judge, system: System
) -> None:
    """Only declared principals may stop or weaken CloudTrail, GuardDuty, Config, flow logs, keys and stored logs."""
    judge(cloud_control_powers, controls.kept((*system.access.cloud_admins, *system.access.security_principals)))


@pytest.mark.check(
    "guardrails-attached",
    severity="critical",
    seed=True,
    official=["CC6.3"],
    hipaa=["164.312(b)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Attach a service control policy that denies the actions to all but the security roles",
)
def test_guardrails_are_attached(guardrails: Population[Guardrail], judge: Judge) -> None:
    """Where the account is in an organization, its policies deny switching controls off."""
    judge(guardrails, controls.guarded)


@pytest.mark.check(
    "no-full-cloud-admin",
    severity="critical",
    official=["CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Replace the policy by one that names actions and resources, or declare the principal under [access] cloud_admins",
)
def test_only_declared_principals_are_cloud_admins(
    principals: Population[PrincipalPolicies], judge: Judge, system: System
) -> None:
    """Only declared users and roles may do everything in the account."""
    judge(principals, identities.no_full_admin(system.access.cloud_admins))


@pytest.mark.check(
    "duties-separated",
    severity="high",
    official=["CC6.3"],
    hipaa=["164.308(a)(3)(i)"],
    gdpr=["32(4)"],
    kind="configuration",
    remedy="Move one of the duties to somebody else",
)
def test_duties_are_separated(duty_holders: Population[Person], judge: Judge, system: System) -> None:
    """Nobody has two duties that are to be separate."""
    judge(duty_holders, accounts.separated(system.access.duty_conflicts))


@pytest.mark.check(
    "roles-in-use",
    severity="medium",
    official=["CC6.3"],
    hipaa=["164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(d)"],
    kind="configuration",
    remedy="Delete the role, or its policies until somebody needs it",
)
def test_roles_are_in_use(roles_by_use: Population[Principal], judge: Judge, system: System, as_of: datetime) -> None:
    """Every IAM role was used within the limit."""
    judge(roles_by_use, identities.role_used(system.thresholds.role_unused_days, as_of))


@pytest.mark.check(
    "unused-access-resolved",
    severity="medium",
    event=True,
    official=["CC6.3"],
    hipaa=["164.308(a)(1)(ii)(D)"],
    gdpr=["32(1)(d)"],
    kind="log",
    remedy="Take the unused permissions, roles, keys or passwords away, or archive the finding with the reason",
)
def test_unused_access_is_resolved(
    unused_access: Population[AccessFinding], judge: Judge, system: System, as_of: datetime
) -> None:
    """Every finding of unused access is resolved within the limit."""
    judge(unused_access, identities.unused_access_resolved(system.thresholds.unused_access_days, as_of))


@pytest.mark.check(
    "control-tampering-handled",
    severity="critical",
    event=True,
    official=["CC6.3"],
    hipaa=["164.312(b)", "164.308(a)(6)(ii)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Restore the control, have such attempts alerted at once, and record what each was",
)
def test_tampering_with_access_control_is_handled(
    control_tamperings: Population[Detection], judge: Judge, system: System, as_of: datetime
) -> None:
    """Somebody was told at once of attempts to weaken access control, and found out what they were."""
    limits = system.thresholds
    soon = timedelta(minutes=limits.tampering_alert_minutes)
    judge(control_tamperings, detections.alerted_and_handled(soon, limits.alert_triage_hours, as_of))


@pytest.mark.check(
    "access-changes-reviewed",
    severity="high",
    event=True,
    official=["CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)"],
    gdpr=["5(2)", "32(4)"],
    kind="log",
    remedy="Change access by a pipeline declared under [access] pipelines, or with a ticket that a second person answers for",
)
def test_changes_of_access_are_reviewed(
    access_changes: Population[Detection], judge: Judge, system: System, as_of: datetime
) -> None:
    """Changes of RBAC, IAM and access to EKS came through a pipeline, or with a ticket of a second person."""
    judge(access_changes, detections.changed_by_ticket(timedelta(hours=system.thresholds.ticket_hours), as_of))
