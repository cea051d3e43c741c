"""The digest chain of every trail that keeps digests, verified over the window that logs are read of."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from botocore.exceptions import ClientError

from soc2.gather.aws.connection import UNANSWERED, AwsConnection, problem_of
from soc2.gather.aws.sources import TRAIL_STATUS, TRAILS
from soc2.gather.codec import canonical
from soc2.gather.logs.readers import Window
from soc2.gather.logs.verification import DIGEST_DELAY, TrailStore, VerifiedTrail, verify_trail
from soc2.gather.source import Gatherer, Listing
from soc2.model.aws.base import account_in
from soc2.model.aws.monitoring import Trail, TrailStatus
from soc2.model.digests import DigestFault, DigestVerdict
from soc2.model.population import Cause, Problem, SourceStatus

PERMISSIONS = frozenset({"cloudtrail:ListPublicKeys"})
"""What is needed besides the right to read the trail's bucket, which goes with that of reading a declared log there."""

_TRAILS_AT_ONCE = 2
# The first digest after logging began covers up to its first hour, and names none before it.
_FIRST_DIGEST = timedelta(hours=1)


@dataclass(frozen=True)
class TrailDigests:
    """Verdicts on each digest and log file of the trails that log and keep digests."""

    name: str = "trail digests"

    def gather(self, gatherer: Gatherer) -> Listing[DigestVerdict]:
        trails, statuses = gatherer.get(TRAILS), gatherer.get(TRAIL_STATUS)
        if trails.exempt:
            return Listing((), (), trails.exempt)
        before = tuple(dict.fromkeys((*trails.statuses, *statuses.statuses)))
        by_arn = {status.parent_key: status for status in statuses.items}
        wanted = [
            (trail, by_arn[trail.arn])
            for trail in trails.items
            if trail.log_file_validation_enabled and trail.arn in by_arn and by_arn[trail.arn].is_logging
        ]
        since, until = gatherer.system.logs.window(datetime.now(UTC))
        window = Window(since, until)
        with ThreadPoolExecutor(_TRAILS_AT_ONCE, thread_name_prefix="trails") as pool:
            answers = list(pool.map(partial(self._verified, gatherer, window), wanted))
        found = tuple(verdict for verdicts, _ in answers for verdict in verdicts)
        return Listing(found, (*before, *(status for _, status in answers)))

    def _verified(
        self, gatherer: Gatherer, window: Window, asked: tuple[Trail, TrailStatus]
    ) -> tuple[tuple[DigestVerdict, ...], SourceStatus]:
        trail, status = asked
        started = datetime.now(UTC)
        connection = gatherer.aws
        try:
            verified = verify_trail(connection, _store(connection, trail), _proved_since_logging(window, status))
            problem = verified.problem or _missing(verified)
        except (ClientError, *UNANSWERED) as error:
            verified, problem = VerifiedTrail((), 0, 0, None), problem_of(error)
        # A chain of which nothing is there is no broken chain: the evidence is missing.
        bare = _bare_regions(verified)
        verdicts = tuple(verdict for verdict in verified.verdicts if verdict.region not in bare)
        answered = gatherer.evidence.answered(
            self.name,
            f"verify digests and log files of {trail.name} from {window.since:%FT%TZ} to {window.until:%FT%TZ}",
            identity=connection.identity,
            started=started,
            pages=verified.pages + verified.items,
            items=len(verdicts),
            sha256=gatherer.evidence.keep(canonical(verdicts)),
            problem=problem,
            parameters={"bucket": trail.s3_bucket_name, "prefix": trail.s3_key_prefix},
        )
        return verdicts, answered


def _proved_since_logging(window: Window, status: TrailStatus) -> Window:
    """Return the window without the time before the trail logged, of which no digest can tell."""
    begun = status.start_logging_time
    if begun is None or begun + _FIRST_DIGEST <= window.since:
        return window
    return Window(min(begun + _FIRST_DIGEST, window.until), window.until)


def _bare_regions(verified: VerifiedTrail) -> frozenset[str]:
    """Return the regions in which there is no digest at all."""
    there = {verdict.region for verdict in verified.verdicts if verdict.fault is not DigestFault.NONE}
    return frozenset({verdict.region for verdict in verified.verdicts} - there)


def _missing(verified: VerifiedTrail) -> Problem | None:
    """Return a problem when a trail that logs has no digest, in some region or at all."""
    if not verified.verdicts:
        hours = DIGEST_DELAY.total_seconds() / 3600
        return Problem(Cause.INCONCLUSIVE, f"no digest is due yet: they come up to {hours:.0f} hours after what they cover")
    bare = _bare_regions(verified)
    if bare:
        return Problem(Cause.ABSENT, f"it logs, and there is no digest of the window in {', '.join(sorted(bare))}")
    return None


def _store(connection: AwsConnection, trail: Trail) -> TrailStore:
    account = connection.account or account_in(trail.arn)
    organization = next(_organizations(connection, trail), "") if trail.is_organization_trail else ""
    return TrailStore(
        name=trail.name,
        bucket=trail.s3_bucket_name,
        account=account,
        home_region=trail.home_region,
        regions=connection.regions if trail.is_multi_region_trail else (trail.home_region,),
        prefix=trail.s3_key_prefix,
        organization=organization,
    )


def _organizations(connection: AwsConnection, trail: Trail) -> Iterator[str]:
    """Yield the organization in whose folder a trail of an organization delivers: ``o-`` and its id."""
    folder = f"{trail.s3_key_prefix}/AWSLogs/" if trail.s3_key_prefix else "AWSLogs/"
    client = connection.client("s3", connection.regions[0])
    answer = client.list_objects_v2(Bucket=trail.s3_bucket_name, Prefix=f"{folder}o-", Delimiter="/")
    for found in answer.get("CommonPrefixes", ()):
        yield found["Prefix"].removeprefix(folder).rstrip("/")
