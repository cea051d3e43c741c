"""The HTTP API of a Prometheus: GET with a token from the environment, failures as a Problem."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3

from soc2.gather.logs.readers import Stopped
from soc2.model.population import Cause, Problem

_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_RETRIES = urllib3.Retry(3, redirect=0, status_forcelist=(429, 502, 503, 504), backoff_factor=0.5, raise_on_status=False)
_CAUSES = {401: Cause.UNAUTHENTICATED, 403: Cause.DENIED, 404: Cause.ABSENT, 429: Cause.THROTTLED, 504: Cause.TIMED_OUT}


class HttpApi:
    """Asks for JSON below ``url``. ``token_env`` names the environment variable that holds a bearer token, if any."""

    def __init__(self, url: str, token_env: str | None = None) -> None:
        self._url = url.rstrip("/")
        # Without what stands before an @, which is no business of a report.
        self._shown = re.sub(r"//[^/@]*@", "//", self._url)
        self._headers = {"Accept": "application/json", "User-Agent": "soc2-controls"}
        if token_env:
            token = os.environ.get(token_env, "")
            if not token:
                raise Stopped(Problem(Cause.UNAUTHENTICATED, f"the environment variable {token_env} is not set"))
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(maxsize=4)

    def get(self, path: str, query: Mapping[str, str]) -> Any:
        """Return the decoded answer. Raises Stopped, whose problem never quotes what was answered."""
        try:
            answer = self._pool.request(
                "GET", f"{self._url}{path}?{urlencode(query)}", headers=self._headers, timeout=_TIMEOUT, retries=_RETRIES
            )
        except urllib3.exceptions.HTTPError as error:
            kind = Cause.TIMED_OUT if isinstance(error, urllib3.exceptions.TimeoutError) else Cause.UNREACHABLE
            raise Stopped(Problem(kind, f"{self._shown}: {type(error).__name__}")) from None
        if answer.status != 200:
            cause = _CAUSES.get(answer.status, Cause.SERVER_ERROR if answer.status >= 500 else Cause.MALFORMED)
            raise Stopped(Problem(cause, f"{self._shown}{path}: HTTP {answer.status}"))
        try:
            return msgspec.json.decode(answer.data)
        except msgspec.DecodeError:
            raise Stopped(Problem(Cause.MALFORMED, f"{self._shown}{path}: no JSON")) from None
