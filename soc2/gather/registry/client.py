"""A client of one registry: the distribution API of the Open Container Initiative, as far as images are read by it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode, urlsplit

import msgspec

from soc2.declared_images import RegistryHost
from soc2.gather.registry.challenges import parse_challenges
from soc2.gather.registry.credentials import Login
from soc2.gather.registry.failure import Deadline, PullError
from soc2.gather.registry.printable import printable
from soc2.gather.registry.transport import Answer, Transport
from soc2.model.population import Cause, Problem

_ATTEMPTS = 3
_FIRST_WAIT_SECONDS = 0.25
ANSWER_SECONDS = 120.0
"""How long an answer may take that is no layer."""
_TOKEN_BYTES = 1024 * 1024
_TOKEN = re.compile(r"^[\x21-\x7e]{1,65536}$")
_CLIENT = "soc2-controls"
_STATUSES = {403: Cause.DENIED, 404: Cause.ABSENT, 429: Cause.THROTTLED}
_AGAIN = (429, 500, 502, 503, 504)


class _Token(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None


class RegistryClient:
    """Reads from one registry; ``login`` gives who to be there, None for nobody, and may raise PullError. Thread-safe."""

    def __init__(self, registry: RegistryHost, login: Callable[[], Login | None]) -> None:
        self.transport = Transport(registry)
        self._login = login
        self._authorizing = threading.Lock()
        self._authorizations: dict[str, str] = {}
        self._down: Problem | None = None

    @contextmanager
    def get(self, repository: str, path: str, accept: str, deadline: Deadline) -> Iterator[Answer]:
        """Yield what is at ``/v2/<repository>/<path>``, with status 200. Raises PullError; what fails by chance is tried
        again, and a registry that does not answer at all is not asked again by later calls."""
        if self._down:
            raise PullError(self._down.cause, self._down.detail)
        url = f"{self.transport.base}/v2/{repository}/{path}"
        with ExitStack() as stack:
            for attempt in range(_ATTEMPTS):
                try:
                    answer = stack.enter_context(self._open(repository, url, accept, deadline))
                    break
                except PullError as error:
                    if not error.again or attempt == _ATTEMPTS - 1:
                        if error.problem.cause is Cause.UNREACHABLE or (
                            error.again and error.problem.cause is Cause.TIMED_OUT
                        ):
                            self._down = error.problem
                        raise
                    time.sleep(min(_FIRST_WAIT_SECONDS * 2**attempt, deadline.left))
            yield answer

    def close(self) -> None:
        self.transport.close()

    @contextmanager
    def _open(self, repository: str, url: str, accept: str, deadline: Deadline) -> Iterator[Answer]:
        known = self._authorizations.get(repository)
        with self.transport.get(url, _headers(accept, known), deadline) as answer:
            if answer.status != 401:
                yield _checked(answer, url)
                return
            if answer.redirected:
                # Whoever stores blobs for a registry is none that its credentials are for.
                raise PullError(Cause.UNAUTHENTICATED, f"{answer.host}, where {self.transport.name} leads, answers HTTP 401")
            header = answer.headers.get("WWW-Authenticate", "")
        authorization = self._authorize(repository, header, known, deadline)
        with self.transport.get(url, _headers(accept, authorization), deadline) as answer:
            if answer.status == 401:
                self._authorizations.pop(repository, None)
                raise PullError(Cause.UNAUTHENTICATED, f"{answer.host} refuses the credentials for {repository}")
            yield _checked(answer, url)

    def _authorize(self, repository: str, header: str, known: str | None, deadline: Deadline) -> str:
        """Return the header ``Authorization`` that a challenge asks for. Raises PullError."""
        with self._authorizing:
            newer = self._authorizations.get(repository)
            if newer and newer != known:
                return newer
            by_scheme = {challenge.scheme: challenge.parameters for challenge in reversed(parse_challenges(header))}
            login = self._login()
            if "bearer" in by_scheme:
                found = f"Bearer {self._token(repository, by_scheme['bearer'], login, deadline)}"
            elif "basic" in by_scheme and login and login.user:
                found = login.basic
            else:
                wanted = " or ".join(by_scheme) or "credentials of a kind that it does not say"
                have = "there are none for it" if login is None else "those that there are do not do"
                raise PullError(Cause.UNAUTHENTICATED, f"{self.transport.registry.host} wants {wanted}, and {have}")
            self._authorizations[repository] = found
            return found

    def _token(self, repository: str, asked: dict[str, str], login: Login | None, deadline: Deadline) -> str:
        realm = asked.get("realm", "")
        parts = self.transport.require_safe(realm)
        host = printable(parts.hostname or "")
        server = parts.netloc.rpartition("@")[2].lower()
        if login and not self.transport.registry.trusts(server, self.transport.name):
            raise PullError(
                Cause.UNAUTHENTICATED,
                f"{self.transport.name} has its tokens given by {printable(server)}, to which its credentials are not sent:"
                " that is of another domain, and not declared as tokens of the registry",
            )
        deadline = deadline.sooner(ANSWER_SECONDS, f"an answer of {host}")
        # Never more than is needed, whatever scope the challenge names.
        query = {"service": asked.get("service", ""), "scope": f"repository:{repository}:pull"}
        if login and login.identity_token:
            form = {**query, "grant_type": "refresh_token", "refresh_token": login.identity_token, "client_id": _CLIENT}
            sending = self.transport.post(realm, form, deadline)
        else:
            headers = {"Authorization": login.basic} if login and login.user else {}
            sending = self.transport.get(f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}", headers, deadline)
        with sending as answer:
            if answer.status in (400, 401, 403):
                who = "the credentials" if login else "anonymous access"
                raise PullError(Cause.UNAUTHENTICATED, f"{host} gives no token for {repository}: it refuses {who}")
            if answer.status != 200:
                raise PullError(
                    _STATUSES.get(answer.status, Cause.SERVER_ERROR),
                    f"{host} gives no token for {repository}: HTTP {answer.status}",
                    again=answer.status in _AGAIN,
                )
            body = answer.body(_TOKEN_BYTES, deadline)
        try:
            found = msgspec.json.decode(body, type=_Token)
        except msgspec.DecodeError:
            raise PullError(Cause.MALFORMED, f"{host} answers with something else than a token") from None
        token = found.token or found.access_token or ""
        if not _TOKEN.match(token):
            raise PullError(Cause.MALFORMED, f"{host} answers without a token")
        return token


def _headers(accept: str, authorization: str | None) -> dict[str, str]:
    return {"Accept": accept, **({"Authorization": authorization} if authorization else {})}


def _checked(answer: Answer, url: str) -> Answer:
    """Return an answer that is what was asked for. Raises PullError."""
    if answer.status == 200:
        return answer
    cause = _STATUSES.get(answer.status, Cause.SERVER_ERROR if answer.status >= 500 else Cause.MALFORMED)
    what = urlsplit(url).path.removeprefix("/v2/")
    raise PullError(cause, f"{answer.host} answers HTTP {answer.status} for {what}", again=answer.status in _AGAIN)
