"""Who can come in from outside the account: by the trust of roles and by the policies of stores."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from soc2.model.access.cloud import Store
from soc2.model.access.graph import AccessGraph
from soc2.model.access.iam import Decision, Document, Policies, Request, evaluate, principals_named, statements, trusts
from soc2.model.aws.base import account_in
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource

_ACCOUNT = re.compile(r"^(?:arn:[\w-]+:(?:iam|sts)::)?(\d{12})(?::.+)?$")
ANYONE = Resource("AWS::Account", "anyone")
# An identity that nobody meant: an account and an address (of a block for documentation, RFC 5737) that nobody has, and
# none of the keys by which trusts are commonly limited.
_NOBODYS_ACCOUNT = "000000000000"
_NOBODYS: dict[str, str | None] = {
    "aws:principalaccount": _NOBODYS_ACCOUNT,
    "aws:principalarn": f"arn:aws:iam::{_NOBODYS_ACCOUNT}:user/anyone",
    "aws:principalorgid": None,
    "aws:sourceaccount": None,
    "aws:sourcearn": None,
    "aws:sourceip": "203.0.113.1",
    "aws:sourcevpc": None,
    "aws:sourcevpce": None,
    "sts:externalid": None,
    "aws:securetransport": "true",
}
# What their own account lets them do is theirs to decide, so only what lets them in counts.
_THEIR_OWN = Policies(({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}},))
# Identity providers whose identities are those of a cluster, which the graph has by themselves.
_OF_CLUSTERS = "oidc.eks."
# Subjects as they begin in the tokens of providers where everybody can have an account; a trust in "repo:*" trusts them all.
_SUBJECTS = {
    "token.actions.githubusercontent.com": "repo:anyone/anything:ref:refs/heads/main",
    "gitlab.com": "project_path:anyone/anything:ref_type:branch:ref:main",
    "app.terraform.io": "organization:anyone:project:anything:workspace:anything:run_phase:apply",
}


@dataclass(frozen=True)
class Outsider:
    """Somebody outside: by which names policies may speak of them, and what is known of their requests."""

    resource: Resource
    principals: tuple[str, ...]
    context: Mapping[str, str | None]
    action: str = "sts:AssumeRole"

    @property
    def node(self) -> str:
        return str(self.resource)


def outsiders(
    principals: Iterable[PrincipalPolicies],
    stores: Iterable[Store],
    own_accounts: Collection[str],
    let_in: Iterable[str] = (),
) -> tuple[Outsider, ...]:
    """Return everybody outside whom a trust or a store's policy names: anyone, other accounts, and anyone with an identity
    of a provider that many share. ``let_in`` are the ARNs of principals that a cluster lets in, of other accounts too."""
    documents = [one.principal.assume_role_policy_document for one in principals if one.principal.role_name]
    documents += [store.policy for store in stores]
    named = sorted({*let_in, *(name for document in documents for name in _named(document))})
    own = {*own_accounts, *(account_in(one.principal.arn) for one in principals)}
    found = []
    if "*" in named:
        found.append(Outsider(ANYONE, (f"arn:aws:iam::{_NOBODYS_ACCOUNT}:user/anyone",), _NOBODYS))
    by_account: dict[str, list[str]] = {}
    for name in named:
        match = _ACCOUNT.match(name)
        if match and match[1] not in own:
            by_account.setdefault(match[1], []).append(name)
    for account, names in by_account.items():
        arns = tuple(f"arn:aws:iam::{account}:root" if name == account else name for name in names)
        found.append(Outsider(Resource("AWS::Account", account), arns, {"aws:principalaccount": account}))
    for name in named:
        issuer = name.partition(":oidc-provider/")[2]
        if issuer and not issuer.startswith(_OF_CLUSTERS):
            subject = _SUBJECTS.get(issuer.lower(), "anyone:anything")
            context = {f"{issuer.lower()}:sub": subject, f"{issuer.lower()}:aud": "sts.amazonaws.com"}
            resource = Resource("AWS::IAM::OIDCProvider", issuer)
            found.append(Outsider(resource, (name,), context, "sts:AssumeRoleWithWebIdentity"))
    return tuple(found)


def add_outsiders(
    graph: AccessGraph, found: Iterable[Outsider], principals: Iterable[PrincipalPolicies], stores: Iterable[Store]
) -> None:
    """Add which roles they may assume and which stores they may read."""
    roles = [one.principal for one in principals if one.principal.role_name]
    stores = tuple(stores)
    for outsider in found:
        for name in outsider.principals:
            if name in graph:
                graph.add(outsider.node, name, "be this principal")
        for role in roles:
            request = Request(outsider.action, role.arn, outsider.context)
            for name in outsider.principals:
                _add(graph, outsider, role.arn, outsider.action, trusts(role.assume_role_policy_document, name, request))
        for store in stores:
            speaks = store.policy is not None and not (store.closed and outsider.resource == ANYONE)
            for action, arn in store.reads if speaks else ():
                for name in outsider.principals:
                    request = Request(action, arn, outsider.context)
                    _add(
                        graph, outsider, store.node, action, evaluate(_THEIR_OWN, request, store.policy, name, delegated=True)
                    )


def _add(graph: AccessGraph, outsider: Outsider, target: str, action: str, decision: Decision) -> None:
    if decision is Decision.ALLOW:
        graph.add(outsider.node, target, action)
    elif decision is Decision.UNDECIDABLE:
        graph.add(outsider.node, target, f"{action} (if its conditions hold)")


def _named(document: Document | None) -> Iterator[str]:
    for statement in statements(document):
        if statement.get("Effect") == "Allow":
            yield from principals_named(statement)
