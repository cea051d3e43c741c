"""The service control policies above the account, level by level: its own, those of its units and those of the root."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from soc2.gather.aws.connection import UNANSWERED, error_code, problem_of
from soc2.gather.codec import canonical
from soc2.gather.source import Gatherer, Listing
from soc2.model.aws.iam import ControlLevel
from soc2.model.population import Cause, Problem

_NO_ORGANIZATION = "AWSOrganizationsNotInUseException"
OPERATIONS = ("DescribeOrganization", "ListParents", "ListPoliciesForTarget", "DescribePolicy")


@dataclass(frozen=True)
class ServiceControl:
    """One item for each level; none when the account belongs to no organization, or manages it: then they do not bind it."""

    name: str = "service control policies"

    def gather(self, gatherer: Gatherer) -> Listing[ControlLevel]:
        if gatherer.system.aws.absent:
            return Listing((), (), gatherer.system.aws.absent)
        started = datetime.now(UTC)
        connection = gatherer.aws
        levels: list[ControlLevel] = []
        problem = None
        try:
            client = connection.client("organizations", connection.regions[0])
            manager = client.describe_organization()["Organization"].get("MasterAccountId")
            target = connection.account if connection.account != manager else ""
            while target:
                levels.append(ControlLevel(target, _documents(client, target)))
                parents = client.list_parents(ChildId=target)["Parents"] if not target.startswith("r-") else []
                target = parents[0]["Id"] if parents else ""
        except ClientError as error:
            levels = []
            if error_code(error) != _NO_ORGANIZATION:
                problem = problem_of(error)
        except UNANSWERED as error:
            problem = problem_of(error)
        except (KeyError, ValueError, msgspec.DecodeError) as error:
            problem = Problem(Cause.MALFORMED, f"organizations: {error}")
        sha256 = gatherer.evidence.keep(canonical(levels)) if not problem else None
        query = "organizations:ListPoliciesForTarget of the account and what is above it"
        status = gatherer.evidence.answered(
            self.name,
            query,
            identity=connection.identity,
            started=started,
            pages=len(levels),
            items=len(levels),
            sha256=sha256,
            problem=problem,
        )
        return Listing(tuple(levels), (status,))


def _documents(client: Any, target: str) -> tuple[Any, ...]:
    pages = client.get_paginator("list_policies_for_target").paginate(TargetId=target, Filter="SERVICE_CONTROL_POLICY")
    names = [policy["Id"] for page in pages for policy in page["Policies"]]
    return tuple(msgspec.json.decode(client.describe_policy(PolicyId=name)["Policy"]["Content"]) for name in names)
