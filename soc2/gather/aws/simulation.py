"""Asks IAM's own simulator about the powers over controls that our evaluator finds, and about some that it does not.

The simulator knows the policies of the principal, its boundary and, in part, those of its organization; it does not know the
policies of resources, so what these say is not asked about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from soc2.gather.aws import sources
from soc2.gather.aws.connection import UNANSWERED, AwsConnection, error_code, problem_of
from soc2.gather.codec import canonical
from soc2.gather.source import Gatherer, Listing
from soc2.model.access.controls import Verdict, control_targets, verdicts
from soc2.model.aws.iam import Simulation
from soc2.model.aws.joins import principal_policies
from soc2.model.population import Cause, Problem, SourceStatus

OPERATION = "iam:SimulatePrincipalPolicy"
NEEDED = (
    sources.AUTHORIZATION_DETAILS,
    sources.SERVICE_CONTROL,
    sources.TRAILS,
    sources.BUCKET_POLICIES,
    sources.DETECTOR_IDS,
    sources.FLOW_LOGS,
    sources.KEYS,
    sources.KEY_POLICIES,
    sources.LOG_GROUPS,
    sources.EKS_CLUSTERS,
)
"""What the questions are made of, in the order of ``control_targets`` after the first two."""

# Enough for what is found in an account, and for one call to each of some principals without any power.
_CALLS = 300
_SAMPLE = 50

Question = tuple[str, str, tuple[str, ...]]
"""Principal, resource and actions: one call."""


@dataclass(frozen=True)
class ControlSimulation:
    """One item: whether the endpoint offers the simulator, and what it said."""

    name: str = "simulated powers over controls"

    def gather(self, gatherer: Gatherer) -> Listing[Simulation]:
        listings = [gatherer.get(source) for source in NEEDED]
        exempt = next((listing.exempt for listing in listings if listing.exempt), None)
        before = tuple(dict.fromkeys(status for listing in listings for status in listing.statuses))
        if exempt:
            return Listing((), (), exempt)
        if not all(status.complete for status in before):
            return Listing((), before)
        details, levels, *listed = (listing.items for listing in listings)
        service_control = tuple(level.documents for level in levels)
        targets = control_targets(*listed)
        every = tuple(verdict for one in principal_policies(details) for verdict in verdicts(one, service_control, targets))
        return self._asked(gatherer, tuple(_questions(every))[:_CALLS], before)

    def _asked(
        self, gatherer: Gatherer, questions: tuple[Question, ...], before: tuple[SourceStatus, ...]
    ) -> Listing[Simulation]:
        started = datetime.now(UTC)
        connection = gatherer.aws
        answers: list[tuple[str, str, str, str]] = []
        problem: Problem | None = None
        offered = True
        for found in connection.calls.map(partial(_simulate, connection), questions):
            if isinstance(found, Problem):
                offered = offered and found.cause is not Cause.NOT_IMPLEMENTED
                problem = problem if found.cause is Cause.NOT_IMPLEMENTED else found
            else:
                answers.extend(found)
        simulation = Simulation(offered, tuple(answers))
        query = (
            f"{OPERATION} x {len(questions):,}"
            if offered
            else f"{OPERATION} (not offered by the endpoint, so nothing is confirmed)"
        )
        sha256 = gatherer.evidence.keep(canonical(simulation))
        status = gatherer.evidence.answered(
            self.name,
            query,
            identity=connection.identity,
            started=started,
            pages=len(questions),
            items=len(answers),
            sha256=sha256,
            problem=problem,
        )
        return Listing((simulation,), (*before, status))


def _questions(every: tuple[Verdict, ...]) -> Iterator[Question]:
    """Yield the powers that were found, those of a kind of resource on the first one; then samples of what was refused."""
    possible: dict[tuple[str, str], dict[str, None]] = {}
    refused: dict[str, dict[str, None]] = {}
    seen: set[tuple[str, str]] = set()
    for verdict in every:
        if verdict.possible and verdict.target.policy is None and (verdict.principal, verdict.action) not in seen:
            seen.add((verdict.principal, verdict.action))
            possible.setdefault((verdict.principal, verdict.arn), {})[verdict.action] = None
        elif not verdict.possible and verdict.arn == "*":
            refused.setdefault(verdict.principal, {})[verdict.action] = None
    for (principal, arn), actions in possible.items():
        yield principal, arn, tuple(actions)
    step = max(1, len(refused) // _SAMPLE)
    for principal in list(refused)[::step]:
        yield principal, "*", tuple(refused[principal])


def _simulate(connection: AwsConnection, question: Question) -> list[tuple[str, str, str, str]] | Problem:
    principal, arn, actions = question
    try:
        client = connection.client("iam", connection.regions[0])
        pages = client.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=principal, ActionNames=list(actions), ResourceArns=[arn]
        )
        return [_answer(principal, arn, result) for page in pages for result in page["EvaluationResults"]]
    except ClientError as error:
        # Whoever was deleted meanwhile has no power any more.
        return [] if error_code(error) == "NoSuchEntity" else problem_of(error)
    except UNANSWERED as error:
        return problem_of(error)
    except KeyError as error:
        return Problem(Cause.MALFORMED, f"{OPERATION}: {error}")


def _answer(principal: str, arn: str, result: dict[str, Any]) -> tuple[str, str, str, str]:
    return principal, result["EvalActionName"], arn, result["EvalDecision"]
