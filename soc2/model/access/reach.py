"""What every start in scope reaches: the records that rules on paths judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from soc2.model.access.cloud import ACCOUNT_ADMIN
from soc2.model.access.graph import AccessGraph, AccessPath
from soc2.model.access.kubernetes import ADMISSION_CONTROL, CLUSTER_ADMIN, Start, secrets_of
from soc2.model.access.primitives import SubjectRights
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource
from soc2.model.kubernetes.rbac import Subject


@dataclass(frozen=True)
class Reach:
    """A workload or a human subject, whose rights it uses (``acts_as``), and its shortest path to each target."""

    resource: Resource
    acts_as: str
    to_cluster_admin: AccessPath | None = None
    to_admission_control: AccessPath | None = None
    to_foreign_secrets: AccessPath | None = None
    to_account_admin: AccessPath | None = None
    to_data: tuple[AccessPath, ...] = ()


def is_human(subject: Subject) -> bool:
    """Tell whether a subject may be people: a user or group that is none of Kubernetes' own."""
    return subject.kind in ("User", "Group") and not subject.name.startswith("system:")


def reaches(
    graph: AccessGraph,
    starts: Iterable[Start],
    rights: Iterable[SubjectRights],
    namespaces: Collection[str],
    data: Collection[str] = (),
    users: Iterable[PrincipalPolicies] = (),
    others: Iterable[Resource] = (),
) -> Iterator[Reach]:
    """Yield what workloads and human subjects reach, ``users`` of the AWS account, and ``others`` outside of it.
    ``namespaces`` are those whose Secrets count, ``data`` the names of the stores with restricted data."""
    begin: dict[str, tuple[Resource, str, str]] = {
        str(start.resource): (start.resource, start.account, start.namespace) for start in starts
    }
    begin |= {str(item.subject): (item.resource, str(item.subject), "") for item in rights if is_human(item.subject)}
    begin |= {item.principal.arn: (item.resource, str(item.resource), "") for item in users}
    begin |= {str(item): (item, str(item), "") for item in others}

    def paths(target: str) -> dict[str, AccessPath]:
        return {name: AccessPath(begin[name][0], target, steps) for name, steps in graph.paths_to(target, begin)}

    admin, admission, account = paths(CLUSTER_ADMIN), paths(ADMISSION_CONTROL), paths(ACCOUNT_ADMIN)
    foreign: dict[str, AccessPath] = {}
    # Its own namespace is one of the targets, so the two nearest hold the nearest of another.
    places = {secrets_of(namespace): namespace for namespace in sorted(namespaces)}
    inside = [name for name, (_, _, namespace) in begin.items() if namespace]
    for name, target, steps in graph.nearest(places, inside, most=2):
        # People belong to no namespace; what they may read is judged by who may read Secrets.
        if places[target] != begin[name][2] and name not in foreign:
            foreign[name] = AccessPath(begin[name][0], target, steps)
    stores: dict[str, list[AccessPath]] = {}
    for store in sorted(data):
        for name, path in paths(store).items():
            stores.setdefault(name, []).append(path)
    for name, (resource, acts_as, _) in begin.items():
        yield Reach(
            resource,
            acts_as,
            admin.get(name),
            admission.get(name),
            foreign.get(name),
            account.get(name),
            tuple(stores.get(name, ())),
        )
