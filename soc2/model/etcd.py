"""What etcd showed when it was really asked."""

from __future__ import annotations

from typing import Literal

import msgspec

from soc2.model.deviation import Resource


class Attempt(msgspec.Struct, frozen=True):
    """A request without a client certificate, over TLS or in plain text; ``answer`` is what came of it, in words."""

    over: Literal["TLS", "plain text"]
    refused: bool
    answer: str


class EtcdEndpoint(msgspec.Struct, frozen=True):
    """An endpoint of etcd, with what came of requests without a client certificate."""

    name: str
    attempts: tuple[Attempt, ...]

    @property
    def resource(self) -> Resource:
        return Resource("Etcd", self.name)


class StoredSecret(msgspec.Struct, frozen=True):
    """How etcd holds a Secret that was made for that question. ``provider``, ``version`` and ``key`` are those of the
    encryption, and empty without one; ``shows_text`` says that what the Secret holds can be read there."""

    cluster: str
    endpoint: str
    provider: str = ""
    version: str = ""
    key: str = ""
    shows_text: bool = False

    @property
    def resource(self) -> Resource:
        return Resource("APIServer", self.cluster)
