"""The control plane as its static pods tell it: etcd and the API server, with the settings that rules ask for."""

from __future__ import annotations

from typing import Literal

import msgspec

from soc2.model.deviation import Resource

NAMESPACE = "kube-system"

ComponentKind = Literal["etcd", "kube-apiserver"]


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of the control plane. ``settings`` are (flag, value) of the flags in ``FLAGS`` only, in the order of its command
    line; what etcd takes from its environment stands before. ``unseen`` are (flag, why): flags that something else sets, out
    of sight; ``*`` stands for all that these do not set. ``addresses`` are those of the node of an etcd."""

    kind: ComponentKind
    pod: str
    addresses: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    unseen: tuple[tuple[str, str], ...] = ()

    @property
    def resource(self) -> Resource:
        return Resource("Pod", self.pod, NAMESPACE)

    def value(self, flag: str) -> str:
        """Return the value that counts, which is the last one; empty when the flag is not set."""
        return next((value for name, value in reversed(self.settings) if name == flag), "")

    def values(self, flag: str) -> tuple[str, ...]:
        """Return all values of a flag that takes lists, of each time that it is given."""
        return tuple(part for name, value in self.settings if name == flag for part in value.split(",") if part)

    def is_seen(self, flag: str) -> bool:
        """Tell whether it is shown what the flag is, be it that it is not set."""
        hidden = {name for name, _ in self.unseen}
        return flag not in hidden and ("*" not in hidden or bool(self.value(flag)))

    def is_on(self, flag: str) -> bool:
        return self.value(flag) in TRUE


TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
"""What Go takes for a boolean (strconv.ParseBool)."""

SWITCHES = frozenset({"client-cert-auth", "peer-client-cert-auth", "auto-tls", "peer-auto-tls"})
"""Flags that are on when they are given without a value."""

ETCD_URLS = ("listen-client-urls", "advertise-client-urls", "listen-peer-urls", "initial-advertise-peer-urls")
HTTP_URLS = "listen-client-http-urls"

ETCD_FLAGS = ("etcd-servers", "etcd-servers-overrides", "etcd-cafile", "etcd-certfile", "etcd-keyfile")
"""The flags of the API server that say how it connects to etcd."""

ENCRYPTION = "encryption-provider-config"

FLAGS: dict[ComponentKind, frozenset[str]] = {
    "etcd": SWITCHES | {"trusted-ca-file", "peer-trusted-ca-file", "config-file", HTTP_URLS, *ETCD_URLS},
    "kube-apiserver": frozenset({*ETCD_FLAGS, ENCRYPTION}),
}
"""The flags that are kept of each component: places of files, addresses and switches, none of which is a secret."""
