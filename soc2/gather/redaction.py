"""Replaces texts that may hide a secret by a keyed fingerprint and features, before anything is kept of them."""

from __future__ import annotations

import hashlib
import hmac
import importlib
import math
import re
import secrets
from collections import Counter
from functools import lru_cache
from typing import Any

from soc2.model.fingerprint import Annotations, Features, Fingerprint

# The format detectors of detect-secrets: each knows one kind of credential by its shape, without guessing.
_DETECTORS = (
    ("artifactory", "ArtifactoryDetector"),
    ("aws", "AWSKeyDetector"),
    ("azure_storage_key", "AzureStorageKeyDetector"),
    ("basic_auth", "BasicAuthDetector"),
    ("discord", "DiscordBotTokenDetector"),
    ("github_token", "GitHubTokenDetector"),
    ("gitlab_token", "GitLabTokenDetector"),
    ("jwt", "JwtTokenDetector"),
    ("mailchimp", "MailchimpDetector"),
    ("npm", "NpmDetector"),
    ("openai", "OpenAIDetector"),
    ("private_key", "PrivateKeyDetector"),
    ("pypi_token", "PypiTokenDetector"),
    ("sendgrid", "SendGridDetector"),
    ("slack", "SlackDetector"),
    ("square_oauth", "SquareOAuthDetector"),
    ("stripe", "StripeDetector"),
    ("telegram_token", "TelegramBotTokenDetector"),
    ("twilio", "TwilioKeyDetector"),
)
_SHORTEST_SECRET = 8
_REFERENCE = re.compile(
    r"^(\$\(\w+\)|\$\{\w+\}|<[^<>]+>|/[\w./-]*|[a-z]+://[^\s:@/]+(:\d+)?(/\S*)?|(true|false)|[\d.]+)$", re.I
)
_CLASSES = (("digit", str.isdigit), ("lower", str.islower), ("upper", str.isupper))

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


@lru_cache(maxsize=1)
def _detectors() -> tuple[tuple[str, tuple[re.Pattern[str], ...]], ...]:
    """Return (name, patterns) of the detectors; loaded on first use because importing them all takes a while."""
    found = []
    for module, name in _DETECTORS:
        detector = getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), name)()
        found.append((str(detector.secret_type), tuple(detector.denylist)))
    return tuple(found)


class Redactor:
    """Makes fingerprints under one key. The key lives in memory only and ends with the run."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        # Replicas of a workload share their environment, so most texts come again.
        self.fingerprint = lru_cache(maxsize=65_536)(self._fingerprint)

    def _fingerprint(self, text: str) -> Fingerprint:
        return Fingerprint(
            Features(
                digest=hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:16],
                length=len(text),
                classes=_classes(text),
                entropy=round(_entropy(text), 2),
                detectors=_matching(text),
                reference=bool(_REFERENCE.match(text)),
            )
        )

    def annotations(self, values: dict[str, Any]) -> Annotations:
        return Annotations(
            {
                name: str(value) if name.startswith(_PLAIN_ANNOTATIONS) else self.fingerprint(str(value))
                for name, value in values.items()
            }
        )


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
    for _, patterns in _detectors():
        for pattern in patterns:
            shown = pattern.sub(lambda found: _hidden(found[0]), shown)
    return shown


def _hidden(found: str) -> str:
    return found if _ACCESS_KEY_ID.fullmatch(found) else MASK


def _matching(text: str) -> tuple[str, ...]:
    if len(text) < _SHORTEST_SECRET:
        return ()
    return tuple(name for name, patterns in _detectors() if any(pattern.search(text) for pattern in patterns))


def _classes(text: str) -> tuple[str, ...]:
    present = [name for name, belongs in _CLASSES if any(map(belongs, text))]
    return (*present, "other") if any(not character.isalnum() for character in text) else tuple(present)


def _entropy(text: str) -> float:
    """Shannon's entropy in bits per character; 0 for the empty text."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) if text else 0.0
