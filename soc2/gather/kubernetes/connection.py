"""One authenticated connection to an API server: raw requests, retried where that is safe, failures as a Problem."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import ConfigException

from soc2.model.population import Cause, Problem

_USER_AGENT = "soc2-controls"
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_CONNECTIONS = 32
_ATTEMPTS = 5
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_RETRIED = frozenset({429, 500, 502, 503, 504})
_CAUSES = {
    401: Cause.UNAUTHENTICATED,
    403: Cause.DENIED,
    404: Cause.ABSENT,
    410: Cause.TRUNCATED,
    429: Cause.THROTTLED,
    504: Cause.TIMED_OUT,
}


class GatherError(Exception):
    """A source could not be asked; ``problem`` says why."""

    def __init__(self, problem: Problem, status: int = 0) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.status = status


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. ``body`` is never logged: it may hold what must not be written."""

    status: int
    body: bytes

    @property
    def reason(self) -> str:
        """Return the message of a Kubernetes Status object, or the empty string."""
        try:
            return _STATUS.decode(self.body).message
        except msgspec.DecodeError:
            return ""


class _Status(msgspec.Struct):
    message: str = ""


class _UserInfo(msgspec.Struct):
    username: str = ""


class _ReviewStatus(msgspec.Struct):
    user_info: _UserInfo = msgspec.field(default_factory=_UserInfo, name="userInfo")


class _SelfSubjectReview(msgspec.Struct):
    status: _ReviewStatus = msgspec.field(default_factory=_ReviewStatus)


# Made on import, by one thread: several may be the first to need them.
_STATUS = msgspec.json.Decoder(_Status)
_SELF_REVIEW = msgspec.json.Decoder(_SelfSubjectReview)


class KubeConnection:
    """Sends requests with the credentials of a kubeconfig context or of the pod it runs in.

    Nothing is sent before the first request. A configuration that cannot be used raises GatherError on that request,
    so that it becomes the status of the sources that need it.
    """

    def __init__(self, kubeconfig: Path | None = None, context: str | None = None, in_cluster: bool = False) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._in_cluster = in_cluster

    @cached_property
    def _configuration(self) -> client.Configuration:
        configuration = client.Configuration()
        try:
            if self._in_cluster:
                config.load_incluster_config(client_configuration=configuration)
            else:
                path = str(self._kubeconfig) if self._kubeconfig else None
                config.load_kube_config(config_file=path, context=self._context, client_configuration=configuration)
        except (ConfigException, OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
            where = self._kubeconfig or ("the pod's service account" if self._in_cluster else "the default kubeconfig")
            # Only the client's own words: those of a parser may quote the file, which holds credentials.
            why = str(error) if isinstance(error, ConfigException | OSError) else type(error).__name__
            raise GatherError(Problem(Cause.UNREACHABLE, f"{where} cannot be used: {why}")) from None
        configuration.retries = urllib3.Retry(0, redirect=0)
        configuration.connection_pool_maxsize = _CONNECTIONS
        return configuration

    @cached_property
    def _client(self) -> client.ApiClient:
        return client.ApiClient(self._configuration)

    @cached_property
    def _anonymous_pool(self) -> urllib3.PoolManager:
        configuration = self._configuration
        return urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            cert_reqs="CERT_REQUIRED",
            ca_certs=configuration.ssl_ca_cert,
            ca_cert_data=configuration.ca_cert_data,
        )

    @property
    def server(self) -> str:
        return str(self._configuration.host)

    @cached_property
    def identity(self) -> str:
        """Return the user name that the server knows the caller by (SelfSubjectReview)."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = self.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
            return _SELF_REVIEW.decode(answer.body).status.user_info.username or "unknown"
        except (GatherError, msgspec.DecodeError):
            return "unknown"

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.close()

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        accept: str = "application/json",
        body: object = None,
        content_type: str = "application/json",
    ) -> Answer:
        """Send one request and return the answer to it when that is a success; raise GatherError otherwise.

        429 and 5xx and broken connections are tried again, after Retry-After or a growing wait.
        """
        answer = self._retried(method, path, query, accept, body, content_type)
        if 200 <= answer.status < 300:
            return answer
        raise GatherError(_problem(answer), answer.status)

    def try_create(self, path: str, body: object) -> Answer:
        """POST with ``dryRun=All`` and return the answer whatever its status; the API server persists nothing."""
        return self._retried("POST", path, {"dryRun": "All"}, "application/json", body, "application/json")

    def request_anonymously(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET without the caller's credentials and return the answer whatever its status."""
        try:
            url = self.server + path
            answer = self._anonymous_pool.request(
                "GET", url, headers={"User-Agent": _USER_AGENT, **(headers or {})}, timeout=_TIMEOUT, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise GatherError(_transport_problem(error)) from None
        return Answer(answer.status, answer.data)

    def ask(self, path: str, user_agent: str) -> Answer:
        """GET once, as a caller of another name, and return the answer whatever its status. Raises GatherError."""
        try:
            answer = self._send("GET", self.server + path, "application/json", None, "application/json", user_agent)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise GatherError(_transport_problem(error)) from None
        return Answer(answer.status, answer.data)

    def _retried(
        self, method: str, path: str, query: Mapping[str, str] | None, accept: str, body: object, content_type: str
    ) -> Answer:
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        payload = msgspec.json.encode(body) if body is not None else None
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                answer = self._send(method, url, accept, payload, content_type)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                problem = _transport_problem(error)
                if last or problem.cause is Cause.UNAUTHENTICATED:
                    raise GatherError(problem) from None
                time.sleep(_wait_seconds(attempt, None))
                continue
            # A 500 to a dry-run is an answer of the admission chain, not an overload.
            if answer.status not in _RETRIED or last or (method == "POST" and answer.status == 500):
                return Answer(answer.status, answer.data)
            time.sleep(_wait_seconds(attempt, answer.headers.get("Retry-After")))
        raise AssertionError("unreachable")

    def _send(
        self,
        method: str,
        url: str,
        accept: str,
        payload: bytes | None,
        content_type: str,
        user_agent: str = _USER_AGENT,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": user_agent}
        settings: Any = self._configuration.auth_settings()
        for setting in settings.values():
            headers[setting["key"]] = setting["value"]
        if payload is not None:
            headers["Content-Type"] = content_type
        pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        return pool.request(method, url, headers=headers, body=payload, timeout=_TIMEOUT, retries=False)


def now() -> datetime:
    return datetime.now(UTC)


def _wait_seconds(attempt: int, retry_after: str | None) -> float:
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_WAIT_SECONDS)
    # Jitter keeps many clients from coming back at the same moment.
    longest: float = min(_FIRST_WAIT_SECONDS * 2.0**attempt, _LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


def _problem(answer: Answer) -> Problem:
    cause = _CAUSES.get(answer.status, Cause.SERVER_ERROR if answer.status >= 500 else Cause.MALFORMED)
    return Problem(cause, answer.reason or f"HTTP {answer.status}")


def _transport_problem(error: Exception) -> Problem:
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return Problem(Cause.TIMED_OUT, "no answer in time")
    if isinstance(error, urllib3.exceptions.ProtocolError | urllib3.exceptions.IncompleteRead):
        return Problem(Cause.TRUNCATED, "the connection broke before the answer was complete")
    return Problem(Cause.UNREACHABLE, type(error).__name__)
