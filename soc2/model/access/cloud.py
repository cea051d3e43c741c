"""The edges that an AWS account gives to the graph of access: who can become which principal, and who reaches which data.

Which combinations of actions escalate privileges is the data of cloudsplaining; what they act on is judged here, resource by
resource, so that a boundary, a service control policy and an explicit deny cut a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from cloudsplaining.shared.constants import PRIVILEGE_ESCALATION_METHODS

from soc2.model.access.graph import AccessGraph
from soc2.model.access.iam import (
    Decision,
    Document,
    Policies,
    Request,
    action_patterns,
    evaluate,
    like,
    names_principal,
    principals_named,
    statements,
    trusts,
)
from soc2.model.access.kubernetes import Start, account
from soc2.model.aws.base import account_in
from soc2.model.aws.iam import Principal
from soc2.model.aws.joins import PrincipalPolicies
from soc2.model.deviation import Resource
from soc2.model.kubernetes.rbac import ServiceAccount

ACCOUNT_ADMIN = "every action in the account"
_ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"
_WEB_IDENTITY = "sts:AssumeRoleWithWebIdentity"

# The service that runs with a passed role, by the prefix of the action that starts it.
_RUNS_AS = {
    "ec2": "ec2.amazonaws.com",
    "lambda": "lambda.amazonaws.com",
    "glue": "glue.amazonaws.com",
    "cloudformation": "cloudformation.amazonaws.com",
    "datapipeline": "datapipeline.amazonaws.com",
    "codebuild": "codebuild.amazonaws.com",
    "sagemaker": "sagemaker.amazonaws.com",
    "ecs": "ecs-tasks.amazonaws.com",
    "apprunner": "tasks.apprunner.amazonaws.com",
    "bedrock-agentcore": "bedrock-agentcore.amazonaws.com",
}
# Actions by which a user's credentials are had, and by which a principal widens its own policies.
_TAKES_USER = ("iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile")
_REWRITES = "iam:UpdateAssumeRolePolicy"
_WIDENS_USER = ("iam:AttachUserPolicy", "iam:PutUserPolicy")
_WIDENS_ROLE = ("iam:AttachRolePolicy", "iam:PutRolePolicy")
_WIDENS_POLICY = ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion")
_WIDENS_GROUP = ("iam:AttachGroupPolicy", "iam:PutGroupPolicy")
# What shows that somebody may do everything.
_EVERYTHING = (
    "iam:CreateUser",
    "s3:DeleteBucket",
    "kms:ScheduleKeyDeletion",
    "ec2:TerminateInstances",
    "organizations:LeaveOrganization",
)


@dataclass(frozen=True)
class Store:
    """A store of data: its resource, what to ask of IAM to know who reads it, and its own policy, which counts too;
    ``closed`` says that a block of public access takes the effect from what that policy gives to everybody.

    The policies of the keys it is encrypted with are not asked, so that a reader may be told who lacks the key.
    """

    resource: Resource
    reads: tuple[tuple[str, str], ...]
    policy: Document | None = None
    closed: bool = False

    @property
    def node(self) -> str:
        return str(self.resource)


def store_of(
    resource: Resource, region: str, account_id: str, policy: Document | None = None, *, closed: bool = False
) -> Store:
    """Return the store with the actions (and the ARNs they act on) that yield its data."""
    name = resource.name
    match resource.kind:
        case "AWS::S3::Bucket":
            objects = (f"arn:aws:s3:::{name}/object", *objects_in((policy,)).get(name, ()))
            return Store(resource, tuple(("s3:GetObject", arn) for arn in objects), policy, closed)
        case "AWS::DynamoDB::Table":
            arn = f"arn:aws:dynamodb:{region}:{account_id}:table/{name}"
            return Store(resource, tuple((f"dynamodb:{verb}", arn) for verb in ("GetItem", "Query", "Scan")))
        case _:
            arn = f"arn:aws:rds:{region}:{account_id}:db:{name}"
            return Store(resource, (("rds:CreateDBSnapshot", arn), ("rds:CreateDBInstanceReadReplica", arn)))


def objects_in(documents: Iterable[Document | None]) -> dict[str, list[str]]:
    """Return, by bucket, an object for each part of it that a statement allows something on: a right to read one folder
    is a right to read data."""
    found: dict[str, list[str]] = {}
    for document in documents:
        for statement in statements(document):
            given = statement.get("Resource") if statement.get("Effect") == "Allow" else None
            for pattern in given if isinstance(given, list) else [given]:
                bucket, separator, key = str(pattern).rpartition(":::")[2].partition("/")
                if separator and ":s3:::" in str(pattern):
                    found.setdefault(bucket, []).append(
                        f"arn:aws:s3:::{bucket}/{key.replace('*', 'object').replace('?', 'x')}"
                    )
    return found


def add_account(
    graph: AccessGraph,
    principals: Iterable[PrincipalPolicies],
    stores: Iterable[Store],
    service_control: tuple[tuple[Document, ...], ...] = (),
) -> None:
    """Add what the principals of an account can do to each other and to its data."""
    every = tuple(principals)
    stores = tuple(stores)
    others = _Others.of(every)
    for one in every:
        asker = Asker(one, service_control)
        me = one.principal.arn
        graph.add(ACCOUNT_ADMIN, me, "become any principal")
        for target, how in (*_to_everything(asker), *_to_principals(asker, others), *_to_data(asker, stores)):
            graph.add(me, target, how)
    for store in stores:
        graph.add(ACCOUNT_ADMIN, store.node, "read it")


class Asker:
    """Asks IAM, as far as the policies tell, what one user or role may do."""

    def __init__(self, one: PrincipalPolicies, service_control: tuple[tuple[Document, ...], ...]) -> None:
        self.one = one
        self.arn = one.principal.arn
        documents = tuple(document for _, document in one.documents)
        self.objects = objects_in(documents)
        self.policies = Policies(documents, one.boundary, None, service_control)
        tags = {f"aws:principaltag/{tag.key}".lower(): tag.value for tag in one.principal.tags}
        self.context: dict[str, str | None] = {
            "aws:principalarn": self.arn,
            "aws:principalaccount": account_in(self.arn) or None,
            "aws:username": one.principal.user_name or None,
            # Whoever asks is free to ask by TLS.
            "aws:securetransport": "true",
            **tags,
        }
        self._patterns = [pattern for document in documents for pattern in action_patterns(document)]

    def may(self, action: str, resource: str, resource_policy: Document | None = None) -> str | None:
        """Return in words that it may, or None. What cannot be decided is said to be so."""
        if resource_policy is None and not self.speaks_of(action):
            return None
        decision = self.decide(action, resource, resource_policy=resource_policy)
        if decision is Decision.ALLOW:
            return action
        return f"{action} (if its conditions hold)" if decision is Decision.UNDECIDABLE else None

    def decide(
        self,
        action: str,
        resource: str,
        context: Mapping[str, str | None] = MappingProxyType({}),
        resource_policy: Document | None = None,
        *,
        delegated: bool = False,
    ) -> Decision:
        """Return what IAM says, with more of the request's context and the resource's own policy where they are known."""
        request = Request(action, resource, {**self.context, **context})
        return evaluate(self.policies, request, resource_policy, self.arn, delegated=delegated)

    def speaks_of(self, action: str) -> bool:
        """Tell, fast, whether any statement could be about an action."""
        wanted = action.lower()
        return any(like(pattern, wanted) for pattern in self._patterns)


def _to_everything(asker: Asker) -> Iterator[tuple[str, str]]:
    if all(asker.may(action, "*") == action for action in _EVERYTHING):
        yield ACCOUNT_ADMIN, "do everything"
        return
    if asker.policies.boundary is not None:
        # Whatever it attaches to itself, the boundary stays.
        return
    principal = asker.one.principal
    own: list[tuple[tuple[str, ...], str]] = [(_WIDENS_USER if principal.user_name else _WIDENS_ROLE, principal.arn)]
    own += [(_WIDENS_POLICY, attached.policy_arn) for attached in principal.attached_managed_policies]
    own += [(_WIDENS_GROUP, f"arn:aws:iam::{account_in(principal.arn)}:group/{group}") for group in principal.group_list]
    for actions, resource in own:
        for action in actions:
            words = asker.may(action, resource)
            if words and ":aws:policy/" not in resource:
                yield ACCOUNT_ADMIN, f"{words} on itself"


@dataclass(frozen=True)
class _Others:
    """The principals of an account by what can be done to them; few roles trust AWS principals, so those are told apart
    once and not by every principal anew."""

    users: tuple[Principal, ...]
    roles: tuple[Principal, ...]
    assumable: tuple[Principal, ...]

    @classmethod
    def of(cls, principals: Iterable[PrincipalPolicies]) -> _Others:
        every = tuple(one.principal for one in principals)
        roles = tuple(item for item in every if not item.user_name)
        assumable = tuple(item for item in roles if _trusts_aws(item.assume_role_policy_document))
        return cls(tuple(item for item in every if item.user_name), roles, assumable)


def _to_principals(asker: Asker, others: _Others) -> Iterator[tuple[str, str]]:
    for principal, how in (*_taken(asker, others.users), *_rewritten(asker, others.roles), *_passed(asker, others.roles)):
        if principal.arn != asker.arn:
            yield principal.arn, how
    for role in others.assumable:
        if role.arn != asker.arn and (words := _assumes(asker, role.arn, role.assume_role_policy_document)):
            yield role.arn, words


def _taken(asker: Asker, users: Iterable[Principal]) -> Iterator[tuple[Principal, str]]:
    for user in users if any(map(asker.speaks_of, _TAKES_USER)) else ():
        for action in _TAKES_USER:
            if words := asker.may(action, user.arn):
                yield user, words


def _rewritten(asker: Asker, roles: Iterable[Principal]) -> Iterator[tuple[Principal, str]]:
    for role in roles if asker.speaks_of(_REWRITES) else ():
        if words := asker.may(_REWRITES, role.arn):
            yield role, words


def _passed(asker: Asker, roles: Iterable[Principal]) -> Iterator[tuple[Principal, str]]:
    if not asker.speaks_of("iam:PassRole"):
        return
    ways = [way for way in _passing() if all(asker.may(action, "*") for action in way[1])]
    for role in roles if ways else ():
        if passed := asker.may("iam:PassRole", role.arn):
            for service, actions in ways:
                trusted = trusts(role.assume_role_policy_document, service, Request("sts:AssumeRole", "*"))
                if trusted in (Decision.ALLOW, Decision.UNDECIDABLE):
                    yield role, f"{passed} with {' and '.join(actions)}"


def _trusts_aws(trust: Document | None) -> bool:
    # Where NotPrincipal stands instead, it may be anybody.
    return any("Principal" not in statement or principals_named(statement, "AWS") for statement in statements(trust))


def _assumes(asker: Asker, role: str, trust: Document | None) -> str | None:
    decision = trusts(trust, asker.arn, Request("sts:AssumeRole", role, asker.context))
    if decision not in (Decision.ALLOW, Decision.UNDECIDABLE):
        return None
    allowing = (statement for statement in statements(trust) if statement.get("Effect") == "Allow")
    named = any(asker.arn in principals_named(statement, "AWS") for statement in allowing)
    # A role that trusts the whole account leaves it to the identity's own policies.
    words = "sts:AssumeRole" if named else asker.may("sts:AssumeRole", role)
    return f"{words} (if the trust's conditions hold)" if words and decision is Decision.UNDECIDABLE else words


def _to_data(asker: Asker, stores: Iterable[Store]) -> Iterator[tuple[str, str]]:
    for store in stores:
        own = asker.objects.get(store.resource.name, ()) if store.resource.kind == "AWS::S3::Bucket" else ()
        for action, arn in (*store.reads, *(("s3:GetObject", each) for each in own)):
            if words := asker.may(action, arn, store.policy):
                yield store.node, words


@cache
def _passing() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return, for every way to pass a role, the service that then runs with it and the other actions it takes."""
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    for actions in PRIVILEGE_ESCALATION_METHODS.values():
        others = tuple(action for action in actions if action != "iam:passrole")
        service = _RUNS_AS.get(others[0].partition(":")[0]) if others and len(others) < len(actions) else None
        if service:
            found[(service, others)] = None
    return tuple(found)


def add_identities(
    graph: AccessGraph, starts: Iterable[Start], accounts: Iterable[ServiceAccount], principals: Iterable[PrincipalPolicies]
) -> None:
    """Add which ServiceAccounts may assume which roles by the tokens that their pods can have for AWS."""
    known = tuple(accounts)
    annotated = {(item.namespace, item.name) for item in known if item.metadata.annotations.text(_ROLE_ANNOTATION)}
    for start in starts:
        if (start.namespace, start.spec.service_account_name or "default") in annotated:
            graph.add(str(start.resource), identity_of(start.account), "use the token for AWS that is mounted in it")
    for item in known:
        name = account(item.namespace, item.name)
        graph.add(name, identity_of(name), "run a pod with a token for AWS")
    by_user = {f"system:serviceaccount:{item.namespace}:{item.name}": item for item in known}
    for role in (item.principal for item in principals if item.principal.role_name):
        trust = role.assume_role_policy_document
        for provider in _providers(trust):
            issuer = provider.partition("oidc-provider/")[2].lower()
            for user in _named_subjects(trust, provider, issuer) or by_user:
                context = {f"{issuer}:sub": user, f"{issuer}:aud": "sts.amazonaws.com"}
                if user not in by_user:
                    continue
                who = identity_of(account(by_user[user].namespace, by_user[user].name))
                decision = trusts(trust, provider, Request(_WEB_IDENTITY, "*", context))
                if decision is Decision.ALLOW:
                    graph.add(who, role.arn, _WEB_IDENTITY)
                elif decision is Decision.UNDECIDABLE:
                    graph.add(who, role.arn, f"{_WEB_IDENTITY} (if the trust's conditions hold)")


def _named_subjects(trust: Document | None, provider: str, issuer: str) -> tuple[str, ...]:
    """Return the only tokens that a trust can be about, when every statement on the provider names them without wildcards."""
    found: dict[str, None] = {}
    for statement in statements(trust):
        if not names_principal(statement, provider):
            continue
        named = [
            str(value)
            for operator, keys in (statement.get("Condition") or {}).items()
            if operator in ("StringEquals", "StringLike")
            for key, values in keys.items()
            if key.lower() == f"{issuer}:sub"
            for value in (values if isinstance(values, list) else [values])
        ]
        if not named or any("*" in name or "?" in name for name in named):
            return ()
        found.update(dict.fromkeys(named))
    return tuple(found)


def identity_of(name: str) -> str:
    """Return the node of what a ServiceAccount's pods are for AWS."""
    return f"AWS identity of {name}"


def _providers(trust: Document | None) -> tuple[str, ...]:
    named = (name for statement in statements(trust) for name in principals_named(statement, "Federated"))
    return tuple(dict.fromkeys(name for name in named if "oidc-provider/" in name))


def is_for_people(role: Principal) -> bool:
    """Tell whether people take a role, through a SAML identity provider."""
    trust = role.assume_role_policy_document
    named = (name for statement in statements(trust) for name in principals_named(statement, "Federated"))
    return any(":saml-provider/" in name for name in named)
