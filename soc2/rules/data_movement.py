"""Rules on data that moves: copies are shared with nobody else, it goes by TLS, and stays where it is declared to be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from soc2.model.aws.copies import EVERYBODY, SharedCopy
from soc2.model.aws.databases import TransitStore
from soc2.model.aws.iam import Analyzer
from soc2.model.aws.movement import (
    ExternalFinding,
    MigrationEndpoint,
    RecoveryPoint,
    Replica,
    SharePrincipal,
    StoredBackups,
    VpcEndpoint,
)
from soc2.model.deviation import Deviation


@dataclass(frozen=True, kw_only=True)
class PublicCopy(Deviation):
    template: ClassVar[str] = "everybody may restore it"


@dataclass(frozen=True, kw_only=True)
class SharedOutside(Deviation):
    template: ClassVar[str] = "it is shared with {whom}, which is neither in scope nor approved"
    whom: str


@dataclass(frozen=True, kw_only=True)
class TakesPlainText(Deviation):
    template: ClassVar[str] = "{gap}"
    gap: str


@dataclass(frozen=True, kw_only=True)
class ReplicatedAway(Deviation):
    template: ClassVar[str] = "the rule {rule} replicates it to {target}, {where}"
    rule: str
    target: str
    where: str


@dataclass(frozen=True, kw_only=True)
class BackupUnencrypted(Deviation):
    template: ClassVar[str] = "the recovery point of {source} is not encrypted"
    source: str


@dataclass(frozen=True, kw_only=True)
class KeyOfAnother(Deviation):
    template: ClassVar[str] = "it is encrypted with {key}, whose policy the account cannot set"
    key: str


@dataclass(frozen=True, kw_only=True)
class OthersLetIn(Deviation):
    template: ClassVar[str] = "somebody from outside is let in, by the finding {finding}; take that away, or archive it"
    finding: str


@dataclass(frozen=True, kw_only=True)
class EndpointOpen(Deviation):
    template: ClassVar[str] = "its policy lets {what} through to {service}"
    what: str
    service: str


def not_shared(approved: Iterable[str]) -> Callable[[SharedCopy], Iterator[Deviation]]:
    """Return the rule that a copy is shared with approved accounts and organizations (ids or ARNs, patterns) only."""
    patterns = tuple(approved)

    def rule(copy: SharedCopy) -> Iterator[Deviation]:
        for whom in copy.shared_with:
            if whom == EVERYBODY:
                yield PublicCopy(resource=copy.resource)
            elif not _known(whom, patterns):
                yield SharedOutside(resource=copy.resource, whom=whom)

    return rule


def _known(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def requires_tls(store: TransitStore) -> Iterator[Deviation]:
    """A store of data takes connections by TLS only."""
    if store.gap:
        yield TakesPlainText(resource=store.resource, gap=store.gap)


# Engines that Database Migration Service talks to by TLS only where the mode says so.
_ENGINES_WITH_MODE = ("aurora", "db2", "docdb", "mariadb", "mongodb", "mysql", "oracle", "postgres", "sqlserver", "sybase")
_KAFKA_TLS = ("ssl-encryption", "ssl-authentication", "sasl-ssl")


def migrates_by_tls(endpoint: MigrationEndpoint) -> Iterator[Deviation]:
    """Data is migrated from and to a database, a broker or a cache by TLS."""
    engine, gap = endpoint.engine, ""
    if engine.startswith(_ENGINES_WITH_MODE) and endpoint.ssl_mode in ("", "none"):
        gap = f"data goes from or to {engine} without TLS (SslMode {endpoint.ssl_mode or 'not set'})"
    elif engine == "kafka" and endpoint.kafka.security_protocol not in _KAFKA_TLS:
        gap = f"data goes to Kafka without TLS (SecurityProtocol {endpoint.kafka.security_protocol or 'not set'})"
    elif engine == "redis" and endpoint.redis.ssl_security_protocol == "plaintext":
        gap = "data goes to Redis without TLS (SslSecurityProtocol plaintext)"
    if gap:
        yield TakesPlainText(resource=endpoint.resource, gap=gap)


def stays_in_regions(regions: Iterable[str], accounts: Iterable[str]) -> Callable[[Replica], Iterator[Deviation]]:
    """Return the rule that buckets are replicated to these regions, and to these accounts. The region of an approved
    account's bucket is not shown, and is not judged here."""
    allowed, known = tuple(regions), tuple(accounts)

    def rule(replica: Replica) -> Iterator[Deviation]:
        if not replica.own and not replica.account:
            where = "which is of no account that is known"
        elif not replica.own and not _known(replica.account, known):
            where = f"of the account {replica.account}, which is neither in scope nor approved"
        elif replica.region and not _known(replica.region, allowed):
            where = f"in the region {replica.region}, where no data is declared to be"
        else:
            return
        yield ReplicatedAway(
            resource=replica.resource, rule=replica.rule or "without a name", target=replica.target, where=where
        )

    return rule


def backup_encrypted(item: StoredBackups) -> Iterator[Deviation]:
    """A recovery point is encrypted, and it and the vaults are with a key that the account manages."""
    if isinstance(item.of, RecoveryPoint) and not item.of.is_encrypted:
        yield BackupUnencrypted(resource=item.resource, source=item.of.resource_arn or "an unknown resource")
    # Not every service tells the key of what it stores in a vault, which is then the vault's.
    elif item.manager != "CUSTOMER" and (item.key or not isinstance(item.of, RecoveryPoint)):
        yield KeyOfAnother(resource=item.resource, key="a key of AWS" if item.manager == "AWS" else item.key or "no key")


def sharing_resolved(approved: Iterable[str]) -> Callable[[Analyzer | ExternalFinding | SharePrincipal], Iterator[Deviation]]:
    """Return the rule that what analyzers found of external access is resolved or archived, and that resources are shared
    with approved accounts only."""
    patterns = tuple(approved)

    def rule(item: Analyzer | ExternalFinding | SharePrincipal) -> Iterator[Deviation]:
        if isinstance(item, ExternalFinding):
            yield OthersLetIn(resource=item.resource, finding=item.id)
        elif (
            isinstance(item, SharePrincipal)
            and item.external
            and not _known(item.account, patterns)
            and not _known(item.principal, patterns)
        ):
            yield SharedOutside(resource=item.resource, whom=item.principal)

    return rule


_PRINCIPAL_KEYS = frozenset({"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount"})
_RESOURCE_KEYS = frozenset({"aws:resourceorgid", "aws:resourceorgpaths", "aws:resourceaccount"})
# The forms of a condition under which a key has to have one of the values; "IfExists" lets through who has none.
_REFUSES = ("stringnotequals", "stringnotequalsignorecase", "stringnotlike")
_DEMANDS = frozenset(
    {"stringequals", "stringequalsignorecase", "stringlike", "foranyvalue:stringlike", "foranyvalue:stringequals"}
)


def keeps_data_inside(endpoint: VpcEndpoint) -> Iterator[Deviation]:
    """What an endpoint lets through is of the organization: who asks, and what is asked for."""
    statements = _statements(endpoint.policy)
    denied = {key for each in statements if each.get("Effect") == "Deny" for key in _refused(each)}
    for statement in statements:
        if statement.get("Effect") != "Allow":
            continue
        keys = denied | set(_demanded(statement.get("Condition")))
        whose = _named_resources(statement.get("Resource"))
        missing = [
            what
            for what, held in (
                ("callers of any account", keys & _PRINCIPAL_KEYS),
                ("requests for what belongs to any account", keys & _RESOURCE_KEYS or whose),
            )
            if not held
        ]
        if missing:
            yield EndpointOpen(resource=endpoint.resource, what=" and ".join(missing), service=endpoint.service)
            return


def _statements(policy: str | None) -> list[dict[str, Any]]:
    """Return the statements of a policy. One that is not told, or not to be read, lets everything through."""
    everything = [{"Effect": "Allow"}]
    try:
        document = json.loads(policy or "")
    except ValueError:
        return everything
    found: Any = document.get("Statement") if isinstance(document, dict) else None
    statements: list[Any] = found if isinstance(found, list) else [found]
    return statements if all(isinstance(each, dict) for each in statements) else everything


def _demanded(condition: Any) -> Iterator[str]:
    for operator, keys in (condition if isinstance(condition, dict) else {}).items():
        if operator.lower() in _DEMANDS and isinstance(keys, dict):
            for key, values in keys.items():
                given = values if isinstance(values, list) else [values]
                # A pattern that everything matches demands nothing.
                if given and not any(str(value).strip("*?") == "" for value in given):
                    yield key.lower()


def _refused(statement: dict[str, Any]) -> Iterator[str]:
    """Yield the key by which a statement refuses everything that has another value of it. With a second condition it refuses
    only what both hold for; whether AWS itself asks may be left out."""
    if any(statement.get(part) not in ("*", ["*"], {"AWS": "*"}) for part in ("Principal", "Action", "Resource")):
        return
    condition = statement.get("Condition")
    conditions = [
        (operator.lower().removesuffix("ifexists"), key.lower())
        for operator, keys in (condition if isinstance(condition, dict) else {}).items()
        for key in (keys if isinstance(keys, dict) else {})
    ]
    other = [each for each in conditions if each != ("bool", "aws:principalisawsservice")]
    if len(other) == 1 and other[0][0] in _REFUSES:
        yield other[0][1]


def _named_resources(resources: Any) -> bool:
    """Tell whether every resource is named: a bucket, for example, and not all buckets."""
    given = resources if isinstance(resources, list) else [resources]
    names = [str(each).split(":", 5)[-1] if str(each).count(":") >= 5 else "*" for each in given if each is not None]
    return bool(names) and not any(name[:1] in ("*", "?") for name in names)
