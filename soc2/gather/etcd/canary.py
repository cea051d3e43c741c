"""A writing probe: makes a Secret, reads what etcd holds of it, and deletes it again whatever that is.

Neither the Secret's text nor what etcd holds is kept: only whether it is encrypted, by what, and with the key of which name.
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from functools import partial

from soc2.declared_etcd import Etcd
from soc2.gather.etcd.stored import EtcdKeys, Keys
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.kubernetes.probes import create_for_probe, probe_all
from soc2.gather.source import Gatherer, Listing
from soc2.model.etcd import StoredSecret
from soc2.model.population import Cause, Problem

# What the API server writes before the ciphertext: the provider, the version of its form, and the name of its key.
_ENCRYPTED = re.compile(rb"k8s:enc:([a-z0-9]{1,32}):(v[0-9]{1,3}):([^:\x00-\x1f\x7f]{1,256}):")
_TEXT_BYTES = 24
# Answers to a request to create something by which it was not; 409 may be the answer to a second try of it.
_NOTHING_MADE = (400, 401, 403, 404, 422)


@dataclass(frozen=True)
class SecretCanary:
    """One Secret, in the namespace of writing probes. Asked only where the user switched these on; nothing is made where no
    etcd is declared to read it from."""

    name: str = "a Secret in etcd"

    def gather(self, gatherer: Gatherer) -> Listing[StoredSecret]:
        exempt = gatherer.system.kubernetes.absent
        etcd = gatherer.system.etcd
        if exempt or not (etcd.endpoints and etcd.client_cert):
            return Listing((), (), exempt)
        namespace = gatherer.system.probes.namespace
        cluster = gatherer.system.kubernetes.cluster or "cluster"
        call = partial(look, gatherer.kubernetes, EtcdKeys(etcd), etcd, namespace, cluster)
        query = f"create a Secret in {namespace}, read its key in etcd, and delete it"
        return probe_all(gatherer, self.name, query, [call], ())


def look(connection: KubeConnection, keys: Keys, etcd: Etcd, namespace: str, cluster: str) -> StoredSecret:
    """Make the Secret, look at it in etcd, and delete it. Raises GatherError."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    name, text = f"soc2-canary-{secrets.token_hex(4)}", secrets.token_hex(_TEXT_BYTES)
    metadata = {"name": name, "labels": {"app.kubernetes.io/managed-by": "soc2-controls"}}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"canary": text}}
    try:
        create_for_probe(connection, path, body, namespace)
        endpoint, value = _find(keys, etcd, f"{etcd.prefix.rstrip('/')}/secrets/{namespace}/{name}")
    except GatherError as error:
        # An answer that was lost may be of a Secret that was made; what went wrong first is what is told.
        left = _left(connection, f"{path}/{name}")
        if left and error.status not in _NOTHING_MADE:
            error = GatherError(Problem(error.problem.cause, f"{error.problem.detail}; {left}"), error.status)
        raise error from None
    except BaseException:
        _left(connection, f"{path}/{name}")
        raise
    left = _left(connection, f"{path}/{name}")
    if left:
        raise GatherError(Problem(Cause.INCONCLUSIVE, left))
    return stored(cluster, endpoint, value, text)


def stored(cluster: str, endpoint: str, value: bytes, text: str) -> StoredSecret:
    """Tell what is known of a value without keeping any of it."""
    # A Secret that is stored as JSON has its text in base64.
    forms = (text.encode(), base64.b64encode(text.encode()))
    shown = any(form in value for form in forms)
    prefix = _ENCRYPTED.match(value)
    if prefix is None:
        return StoredSecret(cluster, endpoint, shows_text=shown)
    provider, version, key = (part.decode("utf-8", "replace") for part in prefix.groups())
    return StoredSecret(cluster, endpoint, provider, version, key, shown)


def _find(keys: Keys, etcd: Etcd, key: str) -> tuple[str, bytes]:
    """Return the endpoint that has the key, and its value. Several endpoints may be of several etcds, or of peers."""
    told: list[Problem] = []
    for place in etcd.places:
        try:
            value = keys.read(place, key)
        except GatherError as error:
            told.append(error.problem)
            continue
        if value is not None:
            return str(place), value
        why = (
            f"{key} is not in {place}; is it the etcd of this cluster, and [etcd] prefix the --etcd-prefix of the API server?"
        )
        told.insert(0, Problem(Cause.INCONCLUSIVE, why))
    raise GatherError(Problem(told[0].cause, "; ".join(problem.detail for problem in told)))


def _left(connection: KubeConnection, path: str) -> str:
    """Delete what was made, and return in words what is left of it: nothing, as a rule."""
    try:
        connection.request("DELETE", path)
    except GatherError as error:
        if error.status != 404:
            return f"{path} could not be deleted ({error.problem}); delete it by hand, it holds random digits only"
    return ""
