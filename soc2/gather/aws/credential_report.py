"""The IAM credential report: asked for once, waited for, and read row by row."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from soc2.gather.aws.connection import UNANSWERED, problem_of
from soc2.gather.codec import canonical
from soc2.gather.source import Gatherer, Listing
from soc2.model.aws.iam import AccessKey, Credentials
from soc2.model.population import Cause, Problem

_READY_SECONDS = 60
_POLL_SECONDS = 0.5
_COLUMNS = frozenset({"user", "arn", "password_enabled", "mfa_active", "access_key_1_active", "access_key_2_active"})


@dataclass(frozen=True)
class CredentialReport:
    """Every user of the account, and its root as ``<root_account>``, with passwords, MFA and keys."""

    name: str = "credential report"

    def gather(self, gatherer: Gatherer) -> Listing[Credentials]:
        if gatherer.system.aws.absent:
            return Listing((), (), gatherer.system.aws.absent)
        started = datetime.now(UTC)
        problem = None
        rows: tuple[Credentials, ...] = ()
        try:
            client = gatherer.aws.client("iam", gatherer.aws.regions[0])
            rows = parse(_report(client))
        except (ClientError, *UNANSWERED) as error:
            problem = problem_of(error)
        except TimeoutError:
            problem = Problem(Cause.TIMED_OUT, "the report was not ready in time")
        except (ValueError, KeyError) as error:
            problem = Problem(Cause.MALFORMED, f"credential report: {error}")
        sha256 = gatherer.evidence.keep(canonical(rows)) if not problem else None
        status = gatherer.evidence.answered(
            self.name,
            "iam:GetCredentialReport",
            identity=gatherer.aws.identity,
            started=started,
            pages=1 if rows else 0,
            items=len(rows),
            sha256=sha256,
            problem=problem,
        )
        return Listing(rows, (status,))


def _report(client: Any) -> str:
    deadline = time.monotonic() + _READY_SECONDS
    while client.generate_credential_report()["State"] != "COMPLETE":
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(_POLL_SECONDS)
    return bytes(client.get_credential_report()["Content"]).decode()


def parse(text: str) -> tuple[Credentials, ...]:
    """Read the report's CSV. Raises ValueError when a column is missing, KeyError when a row is short."""
    reader = csv.DictReader(io.StringIO(text))
    missing = _COLUMNS - set(reader.fieldnames or ())
    if missing:
        raise ValueError(f"columns are missing: {', '.join(sorted(missing))}")
    return tuple(_row(row) for row in reader)


def _row(row: dict[str, str]) -> Credentials:
    return Credentials(
        user=row["user"],
        arn=row["arn"],
        created=_time(row.get("user_creation_time")),
        password_enabled=row["password_enabled"].lower() == "true",
        password_last_used=_time(row.get("password_last_used")),
        mfa_active=row["mfa_active"].lower() == "true",
        keys=tuple(
            AccessKey(
                number=number,
                active=row[f"access_key_{number}_active"].lower() == "true",
                rotated=_time(row.get(f"access_key_{number}_last_rotated")),
                last_used=_time(row.get(f"access_key_{number}_last_used_date")),
            )
            for number in (1, 2)
        ),
    )


def _time(text: str | None) -> datetime | None:
    """Read a time of the report, which has words such as N/A and no_information in its place."""
    if not text or not text[0].isdigit():
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
