"""Clients of one account, by service and region, and the threads on which calls to them run."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError

from soc2.model.population import Cause, Problem

_CALLS_AT_ONCE = 16
_CONFIG = Config(
    retries={"mode": "adaptive", "total_max_attempts": 5},
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=_CALLS_AT_ONCE,
    user_agent_extra="soc2-controls",
)
_DENIED = ("AccessDenied", "UnauthorizedOperation", "AuthorizationError", "Forbidden", "403")
_THROTTLED = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "SlowDown", "BandwidthLimitExceeded")
_UNAUTHENTICATED = (
    "ExpiredToken",
    "InvalidClientTokenId",
    "UnrecognizedClient",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestExpired",
)
_NOT_IMPLEMENTED = ("NotImplemented", "InvalidAction", "UnknownOperation", "501", "404")
_REGION_DISABLED = ("OptInRequired", "RegionDisabled", "SubscriptionRequired")
UNANSWERED = (BotoCoreError, ResponseParserError)
"""What boto3 raises, beside ClientError, when there is no answer or none that can be read."""


class AwsConnection:
    """Sends calls with the credentials of a profile, of the environment, or of ``environment`` when that is given."""

    def __init__(
        self, regions: tuple[str, ...], profile: str | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.regions = regions
        self._profile = profile
        self._environment = environment or {}
        self._clients: dict[tuple[str, str], Any] = {}
        self._creating = threading.Lock()
        self.calls = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="aws")

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(
            profile_name=self._profile,
            aws_access_key_id=self._environment.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=self._environment.get("AWS_SECRET_ACCESS_KEY"),
        )

    def client(self, service: str, region: str) -> Any:
        """Return the client of a service in a region, made once. Making one is not thread-safe in boto3."""
        with self._creating:
            if (service, region) not in self._clients:
                endpoint = self._environment.get("AWS_ENDPOINT_URL")
                client = self._session.client(service, region_name=region, endpoint_url=endpoint, config=_CONFIG)
                if endpoint and service == "s3control":
                    client.meta.events.register("before-sign", partial(_without_account, urlsplit(endpoint).netloc))
                self._clients[service, region] = client
            return self._clients[service, region]

    @cached_property
    def _caller(self) -> dict[str, str]:
        with self._identifying:
            try:
                return dict(self.client("sts", self.regions[0]).get_caller_identity())
            except (ClientError, *UNANSWERED):
                return {}

    @cached_property
    def _identifying(self) -> threading.Lock:
        return threading.Lock()

    @property
    def identity(self) -> str:
        """Return the caller's ARN as STS knows it."""
        return str(self._caller.get("Arn", "unknown"))

    @property
    def account(self) -> str:
        """Return the account id, twelve digits, or the empty string when STS does not tell."""
        return str(self._caller.get("Account", ""))

    def close(self) -> None:
        self.calls.shutdown(wait=True, cancel_futures=True)
        for client in self._clients.values():
            client.close()


def _without_account(host: str, request: AWSRequest, **_: Any) -> None:
    """Take the account's id, which botocore writes in front of the host, away: a host that is given may be an address."""
    url = urlsplit(request.url)
    if url.netloc.endswith(f".{host}"):
        request.url = url._replace(netloc=host).geturl()


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def problem_of(error: Exception) -> Problem:
    """Classify what boto3 raised. The detail has the code or the kind of error, never a message that may hold keys."""
    if isinstance(error, ClientError):
        code = error_code(error)
        return Problem(_cause(code), f"{error.operation_name}: {code}")
    if isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        return Problem(Cause.UNAUTHENTICATED, type(error).__name__)
    if isinstance(error, ReadTimeoutError | ConnectTimeoutError):
        return Problem(Cause.TIMED_OUT, type(error).__name__)
    if isinstance(error, ResponseParserError):
        return Problem(Cause.MALFORMED, "the answer cannot be parsed")
    if isinstance(error, BotoConnectionError | HTTPClientError):
        return Problem(Cause.UNREACHABLE, type(error).__name__)
    return Problem(Cause.SERVER_ERROR, type(error).__name__)


def _cause(code: str) -> Cause:
    for cause, prefixes in (
        (Cause.DENIED, _DENIED),
        (Cause.THROTTLED, _THROTTLED),
        (Cause.UNAUTHENTICATED, _UNAUTHENTICATED),
        (Cause.NOT_IMPLEMENTED, _NOT_IMPLEMENTED),
        (Cause.REGION_DISABLED, _REGION_DISABLED),
    ):
        if any(code.startswith(prefix) for prefix in prefixes):
            return cause
    return Cause.SERVER_ERROR
