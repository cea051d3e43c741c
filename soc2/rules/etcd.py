"""Rules on etcd: who may connect to it, and in which form it holds Secrets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.encryption import EncryptionConfiguration
from soc2.model.etcd import EtcdEndpoint, StoredSecret
from soc2.model.kubernetes.control_plane import ENCRYPTION, ETCD_FLAGS, ETCD_URLS, HTTP_URLS, Component

_SECURE = ("https://", "unixs://")
_LISTENING = ("listen-client-urls", "listen-peer-urls")


@dataclass(frozen=True, kw_only=True)
class FlagOff(Deviation):
    template: ClassVar[str] = "--{flag} is {found}; set it to true"
    flag: str
    found: str


@dataclass(frozen=True, kw_only=True)
class FlagOn(Deviation):
    template: ClassVar[str] = "--{flag} is on, so that certificates are made up and nobody can verify them"
    flag: str


@dataclass(frozen=True, kw_only=True)
class FlagMissing(Deviation):
    template: ClassVar[str] = "--{flag} is not set{so}"
    flag: str
    so: str = ""


@dataclass(frozen=True, kw_only=True)
class PlainUrl(Deviation):
    template: ClassVar[str] = "--{flag} has {url}, which is without TLS"
    flag: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Answered(Deviation):
    template: ClassVar[str] = "without a client certificate it answers over {over}: {answer}"
    over: str
    answer: str


@dataclass(frozen=True, kw_only=True)
class NotEncrypted(Deviation):
    template: ClassVar[str] = "Secrets are stored as they are: {why}"
    why: str


@dataclass(frozen=True, kw_only=True)
class StoredInPlainText(Deviation):
    template: ClassVar[str] = "a Secret that was made just now is stored {how} in etcd ({endpoint})"
    how: str
    endpoint: str


def requires_certificates(item: Component | EtcdEndpoint) -> Iterator[Deviation]:
    """Etcd takes connections by TLS with certificates of clients and peers only, and the API server comes with one."""
    if isinstance(item, EtcdEndpoint):
        for attempt in item.attempts:
            if not attempt.refused:
                yield Answered(resource=item.resource, over=attempt.over, answer=attempt.answer)
    elif item.kind == "etcd":
        yield from _etcd(item)
    else:
        yield from _api_server(item)


def _etcd(pod: Component) -> Iterator[Deviation]:
    for switch, file in (("client-cert-auth", "trusted-ca-file"), ("peer-client-cert-auth", "peer-trusted-ca-file")):
        if pod.is_seen(switch) and not pod.is_on(switch):
            yield FlagOff(resource=pod.resource, flag=switch, found=pod.value(switch) or "not set")
        yield from _missing(pod, file, ", so that it is left open whose certificates count")
    for switch in ("auto-tls", "peer-auto-tls"):
        if pod.is_on(switch):
            yield FlagOn(resource=pod.resource, flag=switch)
    for flag in (*ETCD_URLS, HTTP_URLS):
        if flag in _LISTENING:
            yield from _missing(pod, flag, ", so that it listens on localhost without TLS")
        # Given again, it replaces what was given before.
        yield from _plain(pod, flag, pod.value(flag).split(","))


def _api_server(pod: Component) -> Iterator[Deviation]:
    for flag in ETCD_FLAGS:
        if flag != "etcd-servers-overrides":
            yield from _missing(pod, flag)
    yield from _plain(pod, "etcd-servers", pod.values("etcd-servers"))
    overrides = [url for each in pod.values("etcd-servers-overrides") for url in each.partition("#")[2].split(";")]
    yield from _plain(pod, "etcd-servers-overrides", overrides)


def _missing(pod: Component, flag: str, so: str = "") -> Iterator[Deviation]:
    if pod.is_seen(flag) and not pod.value(flag):
        yield FlagMissing(resource=pod.resource, flag=flag, so=so)


def _plain(pod: Component, flag: str, urls: Iterable[str]) -> Iterator[Deviation]:
    for url in map(str.strip, urls):
        # What comes from the environment is told as missing evidence.
        if url and "$(" not in url.partition("://")[0] and not url.lower().startswith(_SECURE):
            yield PlainUrl(resource=pod.resource, flag=flag, url=url)


def encryption_configured(item: Component | EncryptionConfiguration) -> Iterator[Deviation]:
    """The API server is given a configuration of encryption, and the one that is declared encrypts Secrets first of all."""
    if isinstance(item, Component):
        yield from _missing(item, ENCRYPTION, ", so that Secrets are stored as they are")
        return
    providers = item.of_secrets
    if providers is None:
        yield NotEncrypted(resource=item.resource, why="no entry names secrets")
    elif not providers:
        yield NotEncrypted(resource=item.resource, why="the entry for secrets has no provider")
    elif providers[0].name == "identity":
        others = ", ".join(provider.name for provider in providers[1:])
        behind = f" ({others} behind it only reads what was encrypted before)" if others else ""
        yield NotEncrypted(resource=item.resource, why=f"identity stands first for secrets{behind}")
    elif not providers[0].keys:
        yield NotEncrypted(resource=item.resource, why=f"{providers[0].name} stands first for secrets, and has no key")


def stored_encrypted(secret: StoredSecret) -> Iterator[Deviation]:
    """What the API server wrote for a new Secret is encrypted."""
    if not secret.provider:
        yield StoredInPlainText(resource=secret.resource, how="without encryption", endpoint=secret.endpoint)
    elif secret.shows_text:
        yield StoredInPlainText(resource=secret.resource, how="with its text in it", endpoint=secret.endpoint)
