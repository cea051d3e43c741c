"""CC6.2: credentials are granted and withdrawn; unauthorized access is prevented and detected."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from fixtures.judge import Judge
from soc2.model.aws.compute import AccessEntry, EksCluster
from soc2.model.aws.iam import Credentials
from soc2.model.detections import Detection
from soc2.model.feeds import LiveIdentity
from soc2.model.kubernetes.certificates import ClientCertificate
from soc2.model.kubernetes.joins import BoundAccounts, Grant
from soc2.model.kubernetes.rbac import SecretMeta
from soc2.model.population import Population
from soc2.model.probes import RevocationProbe
from soc2.rules import accounts, certificates, cloud_compute, detections, identities, probes, rbac
from soc2.system import System


@pytest.mark.check(
    "no-long-lived-tokens",
    severity="medium",
    official=["CC6.2", "CC6.1"],
    hipaa=["164.308(a)(5)(ii)(D)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Delete the Secret and use bound tokens (TokenRequest)",
)
def test_service_accounts_use_bound_tokens(secrets: Population[SecretMeta], judge: Judge) -> None:
    """No Secret holds a ServiceAccount token that never expires."""
    judge(secrets, rbac.no_long_lived_token)


@pytest.mark.check(
    "no-rights-for-everyone",
    severity="critical",
    seed=True,
    official=["CC6.2", "CC6.3"],
    hipaa=["164.308(a)(4)(ii)(C)", "164.312(a)(1)"],
    gdpr=["25(2)", "32(4)"],
    kind="configuration",
    remedy="Delete the binding, or name the subjects",
)
def test_nothing_is_granted_to_everyone(grants: Population[Grant], judge: Judge) -> None:
    """Nothing beyond the defaults is granted to anonymous or to all authenticated callers."""
    judge(grants, rbac.not_for_everyone)


@pytest.mark.check(
    "control-plane-logs-on",
    severity="critical",
    seed=True,
    official=["CC7.2"],
    hipaa=["164.312(b)"],
    gdpr=["32(1)(d)"],
    kind="configuration",
    remedy="Enable the missing log types",
)
def test_control_plane_logs_are_on(eks_clusters: Population[EksCluster], judge: Judge) -> None:
    """Every EKS cluster delivers all five control plane logs, the audit log among them."""
    judge(eks_clusters, cloud_compute.eks_logs)


@pytest.mark.check(
    "access-keys-rotated",
    severity="medium",
    official=["CC6.2", "CC6.1"],
    hipaa=["164.308(a)(5)(ii)(D)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Rotate the key, or replace it with a role",
)
def test_access_keys_are_rotated(iam_users: Population[Credentials], judge: Judge, system: System, as_of: datetime) -> None:
    """No active access key is older than the limit."""
    judge(iam_users, identities.keys_rotated(system.thresholds.access_key_max_age_days, as_of))


@pytest.mark.check(
    "no-dormant-credentials",
    severity="medium",
    official=["CC6.2"],
    hipaa=["164.308(a)(4)(ii)(C)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Disable the credential",
)
def test_no_credential_is_dormant(iam_users: Population[Credentials], judge: Judge, system: System, as_of: datetime) -> None:
    """No enabled credential is unused for longer than the limit."""
    judge(iam_users, identities.not_dormant(system.thresholds.credential_unused_days, as_of))


@pytest.mark.check(
    "eks-access-entries-known",
    severity="high",
    official=["CC6.2", "CC6.3"],
    hipaa=["164.308(a)(3)(ii)(A)", "164.308(a)(4)(ii)(B)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Delete the access entry, or declare the principal under [access] eks_principals",
)
def test_eks_access_entries_are_known(access_entries: Population[AccessEntry], judge: Judge, system: System) -> None:
    """Only declared principals may enter an EKS cluster."""
    judge(access_entries, identities.entry_known(system.access.eks_principals))


@pytest.mark.check(
    "identities-on-roster",
    severity="high",
    official=["CC6.2"],
    hipaa=["164.308(a)(3)(ii)(A)", "164.308(a)(4)(ii)(B)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Remove the binding or the user, or have it entered on the roster",
)
def test_every_identity_is_on_the_roster(rostered_identities: Population[LiveIdentity], judge: Judge) -> None:
    """Every user and group with access is on the roster."""
    judge(rostered_identities, accounts.on_roster)


@pytest.mark.check(
    "leavers-have-no-access",
    severity="critical",
    official=["CC6.2"],
    hipaa=["164.308(a)(3)(ii)(C)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Remove the binding, or disable the user and its keys",
)
def test_leavers_have_no_access(
    leaving_identities: Population[LiveIdentity], judge: Judge, system: System, as_of: datetime
) -> None:
    """Nobody has access after leaving."""
    judge(leaving_identities, accounts.left_without_access(system.thresholds.leaver_days, as_of))


@pytest.mark.check(
    "access-reviewed",
    severity="high",
    official=["CC6.2"],
    hipaa=["164.308(a)(4)(ii)(C)"],
    gdpr=["32(1)(d)"],
    kind="configuration",
    remedy="Review the access, and remove what the review decided to remove",
)
def test_access_is_reviewed(
    reviewed_identities: Population[LiveIdentity], judge: Judge, system: System, as_of: datetime
) -> None:
    """Access was reviewed in time, by somebody else, and removed where so decided."""
    judge(reviewed_identities, accounts.reviewed(system.thresholds.access_review_days, as_of))


@pytest.mark.check(
    "no-orphan-bindings",
    severity="medium",
    official=["CC6.2", "CC6.3"],
    hipaa=["164.308(a)(3)(ii)(A)", "164.308(a)(4)(ii)(B)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Remove the binding, or the subject from it",
)
def test_bindings_name_what_exists(binding_targets: Population[BoundAccounts], judge: Judge) -> None:
    """Every ServiceAccount and role that a binding names exists."""
    judge(binding_targets, rbac.no_orphans)


@pytest.mark.check(
    "client-certificates-known",
    severity="medium",
    event=True,
    official=["CC6.2"],
    hipaa=["164.312(d)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="configuration",
    remedy="Issue no such certificates; else declare the user under [access] certificate_users and shorten the validity",
)
def test_client_certificates_are_known(
    issued_certificates: Population[ClientCertificate], judge: Judge, system: System
) -> None:
    """Client certificates are approved for declared users only, and for a short time, as they cannot be revoked."""
    limit = system.thresholds.client_certificate_days
    judge(issued_certificates, certificates.known_and_short_lived(system.access.certificate_users, limit))


@pytest.mark.check(
    "revoked-token-refused",
    severity="high",
    official=["CC6.2"],
    hipaa=["164.312(d)"],
    gdpr=["32(4)", "5(1)(f)"],
    kind="writing_probe",
    remedy="Shorten the lifetime of tokens, and how long the authenticator in front of the API server remembers them",
)
def test_a_revoked_token_is_refused(token_revocations: Population[RevocationProbe], judge: Judge, system: System) -> None:
    """A token of a ServiceAccount is really refused soon after the ServiceAccount is deleted."""
    judge(token_revocations, probes.token_refused(system.thresholds.token_revocation_seconds))


@pytest.mark.check(
    "unauthorized-access-handled",
    severity="high",
    event=True,
    official=["CC6.2", "CC6.1"],
    hipaa=["164.308(a)(5)(ii)(C)", "164.308(a)(6)(ii)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Look into it, record in the feed of alerts what it was, and close the way in",
)
def test_unauthorized_access_is_handled(
    unauthorized_accesses: Population[Detection], judge: Judge, system: System, as_of: datetime
) -> None:
    """What the logs show of unauthorized access was found out about within the limit."""
    judge(unauthorized_accesses, detections.handled(system.thresholds.alert_triage_hours, as_of))


@pytest.mark.check(
    "privileged-logins-explained",
    severity="high",
    event=True,
    official=["CC6.2"],
    hipaa=["164.312(a)(2)(ii)"],
    gdpr=["32(4)"],
    kind="log",
    remedy="File a review of the use with a ticket, and do daily work without such identities",
)
def test_uses_of_root_and_break_glass_are_explained(
    privileged_uses: Population[Detection], judge: Judge, system: System, as_of: datetime
) -> None:
    """A ticket explains every use of root and of break-glass identities."""
    judge(privileged_uses, detections.ticketed(timedelta(hours=system.thresholds.ticket_hours), as_of))
