"""Credentials that are told by what stands around them: private keys, URLs with a password, webhooks, storage keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soc2.detectors.secrets.encoded import decoded_bytes
from soc2.detectors.secrets.formats import is_varied, plugin
from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.stand_ins import stands_for_itself
from soc2.detectors.secrets.words import words

_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40}|OpenVPN Static key V\d)-----|PuTTY-User-Key-File-\d")
_LONGEST_BLOCK = 65_536
_NOT_OF_BODY = re.compile(r"\\[nrt]|[^A-Za-z0-9+/=]")
_HEADER = re.compile(r"^[ \t]*[A-Za-z][A-Za-z-]{1,30}: .*$", re.M)

# The part between ``://`` and ``@``; neither a path nor a space may stand in it.
_USER_INFO = re.compile(r"([^\s/:@\"'<>`\\]{0,200}):([^\s/\"'<>`]{1,400}?)@(?=[^\s\"'<>`@]*(?:[\s\"'<>`]|$))")
_LONGEST_URL = 1200
_SHORTEST_PASSWORD = 3
_LONGEST_PORT = 5
_WORDS = words("users")
_DEFAULTS = frozenset({"password", "passwd", "secret"})

_AROUND: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "hooks.slack.com/",
        "Slack Webhook",
        re.compile(r"hooks\.slack\.com/(?:services|workflows)/(T\w{6,14}/[AB]\w{6,14}/[\w/-]{16,60})"),
    ),
    ("api.telegram.org/bot", "Telegram Bot Token", re.compile(r"bot(\d{8,10}:[\w-]{35})")),
    (":AA", "Telegram Bot Token", re.compile(r"(?<![\w:])(\d{8,10}:AA[\w-]{33})(?![\w-])")),
    ("/api/webhooks/", "Discord Webhook", re.compile(r"discord(?:app)?\.com/api/webhooks/(\d{17,20}/[\w-]{60,72})")),
    (
        "/IncomingWebhook/",
        "Teams Webhook",
        re.compile(r"/webhook(?:b2)?/([\w@-]{36,80}/IncomingWebhook/[0-9a-f]{32}/[\w-]+)"),
    ),
    ("&p=", "password in a URL", re.compile(r"[?&]u=[^&\s]{1,64}&p=([^&\s\"']{3,128})")),
    ("AccountKey=", "Azure Storage Account access key", re.compile(r"AccountKey=([A-Za-z0-9+/]{86}==)")),
    ("SharedAccessKey=", "Azure Shared Access Key", re.compile(r"SharedAccessKey=([A-Za-z0-9+/]{40,60}={0,2})")),
    ("sig=", "Azure SAS Token", re.compile(r"(?:sv=|se=|sp=|sr=)[^\s\"']{0,400}[?&]sig=([A-Za-z0-9%+/]{40,70}(?:%3[dD]|=)?)")),
    ("X-Amz-Credential", "Presigned URL", re.compile(r"X-Amz-Signature=([0-9a-f]{64})")),
    ("/hooks/", "Webhook", re.compile(r"/hooks/(?:catch/\d{1,12}/)?([A-Za-z0-9]{20,40})(?![\w.-])")),
    ("LoginModule", "password of a user", re.compile(r"\buser_[\w.-]{1,64}\s{0,4}=\s{0,4}\\?\"([^\"\\\n]{3,200})")),
    ("@tcp(", "password in a URL", re.compile(r"(?<![\w/@])[\w.-]{1,64}:([^\s@/\"']{3,128})@tcp\(")),
    ("@//", "password in a URL", re.compile(r"(?<![\w/@:])[\w$#.-]{1,64}/([^\s@/\"']{3,128})@//[\w.-]{1,200}[:/]")),
    (
        ":1521",
        "password in a URL",
        re.compile(r"(?<![\w/@:])[\w$#.-]{1,64}/([^\s@/\"']{3,128})@[\w.-]{1,200}:1521\b"),
    ),
    ("={", "password in a connection string", re.compile(r"(?i:;|^)(?i:pwd|password)=\{([^{}\n]{4,200})\}")),
    ("+@", "password of a user", re.compile(r"\buser \S{1,64} (?:[^\s>]\S{0,64} ){0,6}>(\S{4,200})")),
    ("jdbc:oracle", "password in a URL", re.compile(r"jdbc:oracle:\w+:[\w.-]{1,64}/([^\s@/\"']{3,128})@")),
    (
        "chpasswd:",
        "password of a user",
        re.compile(
            r"chpasswd:\s{1,40}\{?\s{0,4}(?:expire:[^\n]{0,20}\s{1,40})?list:\s{0,4}[|>]?[-+]?\s{1,60}(?:- )?[\[\"']{0,2}"
            r"[\w.-]{1,32}:((?!RANDOM\s|R\s)[^\s:\"']{3,200})"
        ),
    ),
)
_JWK = re.compile(r'"(?:d|k)"\s{0,4}:\s{0,4}"([A-Za-z0-9_-]{16,1400})"')


def private_keys(text: str) -> tuple[list[Hit], str]:
    """Return the private keys of a text, and the text without any PEM block: certificates look as random as keys do."""
    if "-----BEGIN " not in text and "PuTTY-User-Key-File" not in text:
        return [], text
    hits, rest, at = [], [], 0
    while match := _BEGIN.search(text, at):
        label = match[1] or "PuTTY PRIVATE KEY"
        following = text.find("-----BEGIN ", match.end(), match.end() + _LONGEST_BLOCK)
        limit = following if following >= 0 else match.end() + _LONGEST_BLOCK
        close = text.find(f"-----END {label}-----", match.end(), limit)
        end = close if close >= 0 else min(_end_of_body(text, match.end()), match.end() + _LONGEST_BLOCK)
        if ("PRIVATE KEY" in label or "Static key" in label) and _is_key(text[match.end() : end]):
            hits.append(Hit(match.start(), text[match.start() : end], _name(label)))
        after = end + len(f"-----END {label}-----") if close >= 0 else end
        rest += [text[at : match.start()], "\n" * text.count("\n", match.start(), after)]
        # Offsets stay what they are.
        rest[-1] = rest[-1].rjust(after - match.start())
        at = after
    return hits, "".join((*rest, text[at:]))


def _end_of_body(text: str, start: int) -> int:
    match = re.compile(r"(?:[A-Za-z0-9+/=\s]|\\[nr])*").match(text, start, start + _LONGEST_BLOCK)
    return match.end() if match else start


def _name(label: str) -> str:
    # What detect-secrets calls it.
    return str(plugin("private_key", "PrivateKeyDetector").secret_type) if "PuTTY" not in label else "Private Key (PuTTY)"


def _is_key(block: str) -> bool:
    body = _NOT_OF_BODY.sub("", _HEADER.sub("", block.replace("\\n", "\n")))
    return len(body) >= 40 and len(set(body)) >= 16


def in_urls(text: str) -> Iterator[Hit]:
    """Yield passwords in URLs such as ``postgres://user:password@host``."""
    at = text.find("://")
    while at >= 0:
        begin = at + 3
        match = _USER_INFO.match(text, begin, begin + _LONGEST_URL)
        if match and _is_password(match[2]) and not (match[1].lower() in _WORDS and match[2].lower() in _DEFAULTS):
            yield Hit(match.start(2), match[2], str(plugin("basic_auth", "BasicAuthDetector").secret_type))
        at = text.find("://", begin)


def _is_password(value: str) -> bool:
    # What is a short number is the port of a host before the ``@`` of something else.
    if len(value) < _SHORTEST_PASSWORD or value in _WORDS or (value.isdigit() and len(value) <= _LONGEST_PORT):
        return False
    return not value.startswith("$") and stands_for_itself(value)


# MD5 and unsalted SHA-1 of a user's password, as htpasswd makes them: guessed so quickly that they are as good as it.
_WEAK_HASH = re.compile(
    r"(?<![\w.@:$-])[\w.@-]{1,64}:(\$apr1\$[./\w]{1,8}\$[./\w]{22}|\$1\$[./\w]{1,8}\$[./\w]{22}|\{SHA\}[A-Za-z0-9+/]{27}=)(?![./\w$])"
)


# host:port:database:user:password, of PostgreSQL.
_PGPASS = re.compile(r"^(?:[\w.-]{1,200}|\*):(?:\d{2,5}|\*):[\w.*-]{1,64}:(?!\d+:)[\w.*-]{1,64}:([^\s:]{3,200})[ \t]*$", re.M)


def in_surroundings(text: str) -> Iterator[Hit]:
    """Yield what stands where only credentials stand."""
    for anchor, detector, pattern in _AROUND:
        # Whether a single sign is there is known much sooner.
        if all(map(text.__contains__, anchor)) and anchor in text:
            for match in pattern.finditer(text):
                if stands_for_itself(match[1]) and is_varied(match[1]):
                    yield Hit(match.start(1), match[1], detector)
    if ":$apr1$" in text or ":$1$" in text or ":{SHA}" in text:
        for match in _WEAK_HASH.finditer(text):
            yield Hit(match.start(1), match[1], "weak hash of a password")
    for match in _PGPASS.finditer(text) if ":5432:" in text or ":*:" in text else ():
        if stands_for_itself(match[1]) and len(match[1]) >= _SHORTEST_PASSWORD:
            yield Hit(match.start(1), match[1], "password of .pgpass")
    if '"kty"' in text:
        for match in _JWK.finditer(text):
            if decoded_bytes(match[1]):
                yield Hit(match.start(1), match[1], "JSON Web Key")
