"""What probes found: how a system answered when it was really asked."""

from __future__ import annotations

from dataclasses import dataclass

from soc2.model.deviation import Resource


@dataclass(frozen=True)
class AdmissionProbe:
    """A server-side dry-run of a pod that ought to be refused. ``answer`` is the API server's message, ``policy`` the policy
    that refused it, where the probe asks for one."""

    namespace: str
    tried: str
    admitted: bool
    answer: str
    policy: str = ""

    @property
    def resource(self) -> Resource:
        return Resource("Namespace", self.namespace)


@dataclass(frozen=True)
class RequestProbe:
    """A request that ought to be refused: as whom, for which path, and the HTTP status that came back."""

    caller: str
    path: str
    status: int

    @property
    def resource(self) -> Resource:
        return Resource("APIServer", self.path)


@dataclass(frozen=True)
class AccessProbe:
    """A SubjectAccessReview: may ``user`` of ``groups`` do ``verb`` on ``resource_name``? ``reason`` is the authorizer's."""

    user: str
    groups: tuple[str, ...]
    verb: str
    group: str
    resource_name: str
    namespace: str
    allowed: bool
    reason: str

    @property
    def resource(self) -> Resource:
        return Resource("User", self.user)


@dataclass(frozen=True)
class SearchProbe:
    """A search for a pod that breaks the level that a namespace claims and is admitted: how many were tried, and the
    smallest one found (YAML; empty when there is none) with the controls that it breaks.

    ``version`` is the one that is enforced: what the namespace pins the level to, or the server's own when that is older,
    or ``latest``; ``controls_of_version`` are the controls that the pod breaks in that version.
    """

    namespace: str
    level: str
    version: str
    tried: int
    controls: tuple[str, ...]
    controls_of_version: tuple[str, ...]
    manifest: str

    @property
    def resource(self) -> Resource:
        return Resource("Namespace", self.namespace)


@dataclass(frozen=True)
class LevelProbe:
    """Dry-runs of pods that break baseline, in a namespace that claims no level: how many a policy refused, and the
    controls that the first pod breaks that was admitted (none when all were refused)."""

    namespace: str
    refused: int
    admitted: tuple[str, ...]

    @property
    def resource(self) -> Resource:
        return Resource("Namespace", self.namespace)


@dataclass(frozen=True)
class MatrixProbe:
    """A question of the access matrix: may ``subject`` do ``verb`` on ``resource_name`` (``resource.group``), should it
    be allowed, and what the authorizer said."""

    subject: str
    verb: str
    resource_name: str
    namespace: str
    expected: bool
    allowed: bool

    @property
    def resource(self) -> Resource:
        kind, _, rest = self.subject.partition("/")
        namespace, _, name = rest.rpartition("/") if kind == "ServiceAccount" else ("", "", rest)
        return Resource(kind, name, namespace)


@dataclass(frozen=True)
class RevocationProbe:
    """A token of a ServiceAccount that was made, used, and used again after the ServiceAccount was deleted: for how many
    seconds it was still accepted, and whether it was refused at all before the probe gave up."""

    cluster: str
    seconds: float
    refused: bool

    @property
    def resource(self) -> Resource:
        return Resource("APIServer", self.cluster)
