"""Rules on data that moves: copies are shared with nobody else, it goes by TLS, and stays where it is declared to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

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
class CopiedAway(Deviation):
    template: ClassVar[str] = "it copies to {target}, {where}"
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
    """Tell whether a name is approved; a unit is with its organization."""
    head, unit, path = name.partition(":ou/")
    names = (name, f"{head}:organization/{path.partition('/')[0]}") if unit else (name,)
    return any(fnmatchcase(one, pattern) for one in names for pattern in patterns)


def requires_tls(store: TransitStore) -> Iterator[Deviation]:
    """A store of data takes connections by TLS only."""
    if store.gap:
        yield TakesPlainText(resource=store.resource, gap=store.gap)


# Services of AWS that Database Migration Service talks to by TLS whatever the mode says. All others are databases.
_ALWAYS_TLS = ("dms-transfer", "dynamodb", "kinesis", "lakehouse", "neptune", "redshift", "s3", "timestream")
_SEARCH = ("elasticsearch", "opensearch")
_KAFKA_TLS = ("ssl-encryption", "ssl-authentication", "sasl-ssl")


def migrates_by_tls(endpoint: MigrationEndpoint) -> Iterator[Deviation]:
    """Data is migrated from and to a database, a broker, a cache or a search domain by TLS."""
    engine, gap = endpoint.engine.lower(), ""
    if engine == "kafka":
        if endpoint.kafka.security_protocol not in _KAFKA_TLS:
            gap = f"data goes to Kafka without TLS (SecurityProtocol {endpoint.kafka.security_protocol or 'not set'})"
    elif engine == "redis":
        if endpoint.redis.ssl_security_protocol == "plaintext":
            gap = "data goes to Redis without TLS (SslSecurityProtocol plaintext)"
    elif engine in _SEARCH:
        if endpoint.search.endpoint_uri.lower().startswith("http:"):
            gap = "data goes to the search domain by plain HTTP (EndpointUri)"
    elif not engine.startswith(_ALWAYS_TLS) and endpoint.ssl_mode in ("", "none"):
        whose = engine or "an engine that is not told"
        gap = f"data goes from or to {whose} without TLS (SslMode {endpoint.ssl_mode or 'not set'})"
    if gap:
        yield TakesPlainText(resource=endpoint.resource, gap=gap)


def stays_in_regions(regions: Iterable[str], accounts: Iterable[str]) -> Callable[[Replica], Iterator[Deviation]]:
    """Return the rule that data is replicated and copied to these regions, and to these accounts. The region of an approved
    account's bucket is not shown, and is not judged here."""
    allowed, known = tuple(regions), tuple(accounts)

    def judged(replica: Replica) -> Iterator[Deviation]:
        if not replica.own and not replica.account:
            where = "which is of no account that is known"
        elif not replica.own and not _known(replica.account, known):
            where = f"of the account {replica.account}, which is neither in scope nor approved"
        elif replica.region and not _known(replica.region, allowed):
            where = f"in the region {replica.region}, where no data is declared to be"
        else:
            return
        if replica.rule is None:
            yield CopiedAway(resource=replica.resource, target=replica.target, where=where)
        else:
            rule = replica.rule or "without a name"
            yield ReplicatedAway(resource=replica.resource, rule=rule, target=replica.target, where=where)

    return judged


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
