"""A writing probe: makes a ServiceAccount and a token of it, deletes the account, and waits until the token is refused.

The token lives in this process only. It ends by itself after ten minutes, and with the ServiceAccount in any case.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import msgspec

from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.probes import create_for_probe, probe_all
from soc2.gather.source import Gatherer, Listing
from soc2.model.population import Cause, Problem
from soc2.model.probes import RevocationProbe

_LIFETIME_SECONDS = 600
_POLL_SECONDS = 0.5


class _TokenStatus(msgspec.Struct):
    token: str


class _TokenRequest(msgspec.Struct):
    status: _TokenStatus


_TOKEN_REQUEST = msgspec.json.Decoder(_TokenRequest)


@dataclass(frozen=True)
class TokenRevocation:
    """One probe, in the namespace of writing probes. Asked only where the user switched these on."""

    name: str = "use of a revoked token"

    def gather(self, gatherer: Gatherer) -> Listing[RevocationProbe]:
        exempt = gatherer.system.kubernetes.absent
        if exempt:
            return Listing((), (), exempt)
        namespace = gatherer.system.probes.namespace
        cluster = gatherer.system.kubernetes.cluster or "cluster"
        limit = gatherer.system.thresholds.token_revocation_seconds
        call = partial(_probe, gatherer.kubernetes, namespace, cluster, limit)
        query = f"create, use and delete a ServiceAccount in {namespace}"
        return probe_all(gatherer, self.name, query, [call], ())


def _probe(connection: KubeConnection, namespace: str, cluster: str, limit_seconds: int) -> RevocationProbe:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    name = f"soc2-canary-{secrets.token_hex(4)}"
    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "soc2-controls"}}
    try:
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        create_for_probe(connection, path, body, namespace)
        token = _token(connection, f"{path}/{name}/token")
        accepted = _status(connection, token) == 200
    except BaseException:
        # An answer that was lost may be of a ServiceAccount that was made; what went wrong first is what is told.
        with suppress(GatherError):
            _delete(connection, f"{path}/{name}")
        raise
    _delete(connection, f"{path}/{name}")
    if not accepted:
        detail = "a fresh token was not accepted, so its refusal would tell nothing"
        raise GatherError(Problem(Cause.INCONCLUSIVE, detail))
    started = time.monotonic()
    while _status(connection, token) != 401:
        seconds = time.monotonic() - started
        if seconds > limit_seconds:
            return RevocationProbe(cluster, round(seconds, 1), refused=False)
        time.sleep(_POLL_SECONDS)
    return RevocationProbe(cluster, round(time.monotonic() - started, 1), refused=True)


def _token(connection: KubeConnection, path: str) -> str:
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": _LIFETIME_SECONDS},
    }
    try:
        return _TOKEN_REQUEST.decode(connection.request("POST", path, body=body).body).status.token
    except msgspec.DecodeError:
        # The decoder's own words might quote the answer, which holds the token.
        raise GatherError(Problem(Cause.MALFORMED, "the answer to the TokenRequest has no token")) from None


def _delete(connection: KubeConnection, path: str) -> None:
    try:
        connection.request("DELETE", path)
    except GatherError as error:
        if error.status != 404:
            raise


def _status(connection: KubeConnection, token: str) -> int:
    return connection.request_anonymously("/version", {"Authorization": f"Bearer {token}"}).status
