"""Replaces texts that may hide a secret by what detectors find in them, before anything is kept of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from soc2.detectors.secrets import Scanner
from soc2.detectors.secrets.formats import patterns
from soc2.detectors.secrets.trees import shown
from soc2.gather.user_data import BrokenGzip, unzipped, user_data_texts
from soc2.model.fingerprint import APPLIED, Annotations, EncodedLiterals, Features, Finding, Fingerprint, Literals, UserData

_SHORTEST_SECRET = 8
_LONGEST_CONTENT = 64 << 20
_DEEPEST = 4

# Annotations whose values rules read, and which are no place for secrets.
_PLAIN_ANNOTATIONS = (
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    "eks.amazonaws.com/role-arn",
    "kubernetes.io/ingress.class",
    "kubernetes.io/service-account.name",
    "rbac.authorization.kubernetes.io/autoupdate",
    "service.beta.kubernetes.io/aws-load-balancer-internal",
    "service.beta.kubernetes.io/aws-load-balancer-scheme",
    "service.beta.kubernetes.io/azure-load-balancer-internal",
    "service.beta.kubernetes.io/load-balancer-source-ranges",
    "networking.gke.io/load-balancer-type",
    "cloud.google.com/load-balancer-type",
    "alb.ingress.kubernetes.io/scheme",
    "soc2-controls/",
    "sidecar.istio.io/inject",
    "sidecar.istio.io/interceptionMode",
    "traffic.sidecar.istio.io/",
    "ambient.istio.io/redirection",
    "ambient.istio.io/bypass-inbound-capture",
    "istio.io/",
    "linkerd.io/inject",
    "config.linkerd.io/default-inbound-policy",
    "config.linkerd.io/skip-inbound-ports",
    "config.linkerd.io/skip-subnets",
)


class Redactor:
    """Puts stand-ins in the place of texts, with what one scanner finds in them."""

    def __init__(self, scanner: Scanner | None = None) -> None:
        self.scanner = scanner or Scanner()
        self._kept: dict[type[Literals], Callable[[Any], tuple[Finding, ...]]] = {
            Literals: self.scanner.tree,
            EncodedLiterals: self._encoded,
            UserData: self._user_data,
        }
        # Replicas of a workload share their annotations, so most texts come again.
        self.fingerprint = lru_cache(maxsize=16_384)(self._fingerprint)

    def _fingerprint(self, text: str, name: str = "") -> Fingerprint:
        findings = self._in_manifest(text) if name == APPLIED else self.scanner.value(name, text)
        return Fingerprint(Features(self.scanner.digest(text), len(text), findings))

    def _in_manifest(self, text: str) -> tuple[Finding, ...]:
        try:
            return self.scanner.tree(msgspec.json.decode(text))
        except (msgspec.DecodeError, RecursionError, TypeError, UnicodeError):
            return self.scanner.value("", text)

    def annotations(self, values: dict[str, Any]) -> Annotations:
        return Annotations(
            {
                name: str(value) if self._is_plain(name, str(value)) else self.fingerprint(str(value), name)
                for name, value in values.items()
            }
        )

    def _is_plain(self, name: str, text: str) -> bool:
        return name.startswith(_PLAIN_ANNOTATIONS) and not self.scanner.value(name, text)

    def variable(self, name: str, value: Any) -> Literals:
        """Return what is found in a value that is known by its name."""
        return Literals(self.scanner.tree(value, name))

    def literals(self, kind: type[Literals], value: Any) -> Literals:
        """Return what is found in a value. Raises TypeError when it is not of the form that the kind has."""
        return kind(self._kept[kind](value))

    def _encoded(self, value: Any) -> tuple[Finding, ...]:
        if not isinstance(value, dict):
            raise TypeError("Expected `object`")
        return tuple(
            replace(found, place=f"[{shown(str(name))}] {found.place}".rstrip())
            for name, encoded in value.items()
            for found in self.scanner.scan(_content(encoded), str(name))
        )

    def _user_data(self, value: Any) -> tuple[Finding, ...]:
        return tuple(
            replace(found, place=" ".join(filter(None, (part, found.place))))
            for part, text in user_data_texts(value)
            for found in self.scanner.value("", text)
        )


def _content(encoded: Any) -> bytes:
    data = _bytes(encoded)
    try:
        for _ in range(_DEEPEST):
            data = unzipped(data, _LONGEST_CONTENT)
    except BrokenGzip:
        pass
    return data


def _bytes(encoded: Any) -> bytes:
    try:
        return base64.b64decode(str(encoded), validate=False)
    except (binascii.Error, ValueError):
        # What it holds is not to be told, even where it is wrong.
        raise TypeError("Expected base64") from None


# What follows these words in a command line, a URL or a log message is a secret, whatever its shape.
_NAMED = re.compile(
    r"((?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|credential|authorization|auth|cookie)[\w-]*"
    r"[\"']?(?:\s*[=:]\s*|\s+(?=\S{16}))[\"']?(?:basic\s+|bearer\s+)?)([^\s\"'&;,}]{4,})",
    re.I,
)
_IN_URL = re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")
_ACCESS_KEY_ID = re.compile(r"\W?(AKIA|ASIA)[A-Z0-9]{16}\W?")  # a name, not a secret
MASK = "[masked]"


@lru_cache(maxsize=65_536)
def masked(text: str) -> str:
    """Return a text that is to be shown, such as a log message, without what looks like a credential in it."""
    shown = _IN_URL.sub(MASK, _NAMED.sub(lambda found: found[1] + _hidden(found[2]), text))
    if len(text) < _SHORTEST_SECRET:
        return shown
    for pattern in patterns():
        shown = pattern.sub(lambda found: _hidden(found[0]), shown)
    return shown


def _hidden(found: str) -> str:
    return found if _ACCESS_KEY_ID.fullmatch(found) else MASK
