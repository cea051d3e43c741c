"""Registries of ECR: the account's own credentials are exchanged for a login there."""

from __future__ import annotations

import base64
import re

from botocore.exceptions import ClientError

from soc2.gather.aws.connection import UNANSWERED, AwsConnection, problem_of
from soc2.gather.registry.credentials import Login
from soc2.gather.registry.failure import PullError
from soc2.model.population import Cause

_ECR = re.compile(
    r"^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.(?:com(?:\.cn)?|eu)|on\.(?:aws|amazonwebservices\.com\.cn))$"
)
ECR_PERMISSIONS = frozenset({"ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"})
"""What reading images of a registry of ECR needs."""


def ecr_region(host: str) -> str | None:
    """Return the region of a registry of ECR, or None when it is another one."""
    found = _ECR.match(host)
    return found[1] if found else None


def ecr_login(connection: AwsConnection, host: str, region: str) -> Login:
    """Return the login that the account's credentials are given for twelve hours. Raises PullError."""
    try:
        answer = connection.client("ecr", region).get_authorization_token()
        token = answer["authorizationData"][0]["authorizationToken"]
        user, _, password = base64.b64decode(token).decode("utf-8").partition(":")
    except (ClientError, *UNANSWERED) as error:
        problem = problem_of(error)
        raise PullError(problem.cause, f"no authorization for {host}: {problem.detail}") from None
    except (LookupError, ValueError, TypeError):
        raise PullError(Cause.MALFORMED, f"no authorization for {host}: ecr:GetAuthorizationToken gives none") from None
    return Login(user, password)
