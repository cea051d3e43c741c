"""Commands that take a password without naming it, as shells, user data and Dockerfiles use them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soc2.detectors.secrets.hits import Hit
from soc2.detectors.secrets.names import Naming
from soc2.detectors.secrets.values import is_pair, is_secret

_WORD = r"(?:\"([^\"\n]{1,400})\"|'([^'\n]{1,400})'|([^\s\"'|;&<>()]{1,400}))"
_GAP = r"[^\n|;]{0,200}?"

STEMS = (
    "basic ",
    "identified by",
    "securestring",
    "rabbitmqctl",
    "login",
    "redis-cli",
    "net user",
    "openssl",
    "sudo -s",
    "ldap",
    "sqlplus",
    "mc alias",
    " -p",
    "\t-p",
    " -u",
    "\t-u",
    "--user",
)
"""What a line must hold, beside the words for secrets, to be looked at for commands."""

_COMMANDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("chpasswd", re.compile(r"echo\s+(?:-\w+\s+)?[\"']?[\w$.{}-]{1,64}:([^\s\"']{1,200})[\"']?\s*\|[^\n|]{0,40}chpasswd")),
    ("sshpass", re.compile(rf"sshpass\s+-p\s*{_WORD}")),
    ("mysql", re.compile(rf"(?:mysql|mysqldump|mysqladmin|mariadb)\s{_GAP}\s-p{_WORD}")),
    ("mariadb", re.compile(rf"mariadb[\w-]*\s{_GAP}\s-p{_WORD}")),
    ("curl", re.compile(rf"curl\s{_GAP}(?:-u|--user)[ =]?[\"']?[^\s:\"']{{1,100}}:([^\s\"']{{1,200}})")),
    ("etcdctl", re.compile(rf"etcdctl\s{_GAP}--user[ =][^\s:]{{1,100}}:([^\s\"']{{1,200}})")),
    ("openssl", re.compile(rf"openssl\s+(?:enc|aes[\w-]*|des[\w-]*)\s{_GAP}-k\s+{_WORD}")),
    ("zip", re.compile(rf"\b(?:un)?zip\s{_GAP}-P\s*{_WORD}")),
    ("7z", re.compile(rf"\b7z[ar]?\s{_GAP}\s-p{_WORD}")),
    ("ldap", re.compile(rf"\bldap(?:search|add|modify|delete|passwd|whoami|modrdn|compare)\s{_GAP}\s-w\s*{_WORD}")),
    ("sqlcmd", re.compile(rf"\bsqlcmd\s{_GAP}\s-P\s*{_WORD}")),
    ("mc alias set", re.compile(rf"\bmc\s+alias\s+set\s+\S+\s+\S+\s+\S+\s+{_WORD}")),
    ("community", re.compile(rf"^\s*r[ow]community6?\s+(?!public\b){_WORD}")),
    ("community", re.compile(rf"\bsnmp-server community\s+(?!public\b){_WORD}")),
    ("sqlplus", re.compile(r"\bsqlplus\s(?:-\w+\s){0,3}[\"']?[\w$#.]{1,60}/([^\s@/\"']{1,128})")),
    # Clients of many things: a user, and beside it, with one letter, the password.
    (
        " -u",
        re.compile(
            rf"\s-(?:u|U|-user|-username)(?:[ =]|(?<=u))[\w.@-]{{1,64}}\s+-[pP][ =]?(?![\d.:]+(?:[\s\"']|$)|[a-z]+=){_WORD}"
        ),
    ),
    ("--user", re.compile(rf"\s--user(?:name)?[ =][\w.@-]{{1,64}}\s+-[pP][ =]?(?![\d.:]+(?:[\s\"']|$)|[a-z]+=){_WORD}")),
    ("redis-cli", re.compile(rf"redis-cli\s{_GAP}-a\s+{_WORD}")),
    ("login", re.compile(rf"(?:docker|podman|helm registry|nerdctl|oras)\s+login\s{_GAP}\s-p\s*{_WORD}")),
    ("login", re.compile(rf"\baz\s+login\s{_GAP}\s(?:-p|--password)\s+{_WORD}")),
    ("mongo", re.compile(rf"mongo\w*\s{_GAP}\s-p\s*{_WORD}")),
    ("rabbitmqctl", re.compile(rf"rabbitmqctl\s+(?:add_user|change_password)\s+\S{{1,64}}\s+{_WORD}")),
    ("stats auth", re.compile(r"^\s*stats auth\s+[^\s:]{1,64}:(\S{1,200})")),
    ("--password-stdin", re.compile(rf"echo\s+(?:-\w+\s+)?{_WORD}\s*\|[^\n|]{{0,80}}--password-stdin")),
    ("htpasswd", re.compile(rf"htpasswd\s+-\w*b\w*\s+(?:-\w+\s+)*[^\s]{{1,200}}\s+[^\s]{{1,100}}\s+{_WORD}")),
    ("pass:", re.compile(r"-pass(?:in|out)?\s+[\"']?pass:([^\s\"']{1,200})")),
    ("-u", re.compile(r"\s-U\s*[\"']?[\w.\\/-]{1,64}%([^\s\"']{1,128})")),
    ("lftp", re.compile(r"\blftp\s[^\n|;]{0,200}?-u\s+[\w.-]{1,64},([^\s\"',]{1,128})")),
    ("auth=(", re.compile(r"\bauth=\(\s*[\"'][^\"'\n]{1,100}[\"']\s*,\s*[\"']([^\"'\n]{1,200})[\"']\s*\)")),
    ("password is", re.compile(r"\bpassword is:?\s+[\"'`]?((?=[^\s\"'`]*\d)[^\s\"'`,]{4,100})", re.I)),
    ("sudo -s", re.compile(rf"echo\s+(?:-\w+\s+)?{_WORD}\s*\|\s*sudo\s+-S")),
    ("psk", re.compile(r"\bPSK\s+\"([^\"\n]{1,200})\"")),
    ("securestring", re.compile(r"ConvertTo-SecureString\s+([^\s\"'$()-][^\s\"'()]{2,200})\s+-AsPlainText", re.I)),
    ("login=", re.compile(r"\blogin=[^\s:]{1,100}:([^\s\"']{1,200})")),
    ("password(", re.compile(r"\bpassword\(\s*'([^'\n]{1,200})'\s*\)", re.I)),
    (
        "identified by",
        re.compile(r"\b(?:create|alter)\s+(?:user|role)\s+\S{1,100}\s+identified\s+by\s+([^\s'\";]{3,200})", re.I),
    ),
    ("net user", re.compile(rf"net user\s+(?:\"[^\"\n]{{1,60}}\"|[^\s/\"]{{1,60}})\s+(?!/){_WORD}", re.I)),
    (
        "securestring",
        re.compile(
            r"ConvertTo-SecureString\s+(?:-(?:String|AsPlainText|Force)\s+){0,3}(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})')",
            re.I,
        ),
    ),
    ("requirepass", re.compile(rf"^\s*(?:requirepass)\s+{_WORD}")),
    ("masterauth", re.compile(rf"^\s*(?:masterauth)\s+{_WORD}")),
    ("rootpw", re.compile(rf"^\s*rootpw\s+(?:--plaintext\s+)?(?!--){_WORD}")),
    ("--stdin", re.compile(rf"echo\s+(?:-\w+\s+)?{_WORD}\s*\|[^\n|]{{0,40}}passwd\s[^\n|]{{0,60}}--stdin")),
    (
        "identified by",
        re.compile(r"identified\s+(?:with\s+\w+\s+)?by\s+(?:password\s+)?(?:'([^'\n]{1,200})'|\"([^\"\n]{1,200})\")", re.I),
    ),
    ("password", re.compile(r"\b(?:with\s+)?(?:encrypted\s+)?password\s+(?:=\s*)?N?'([^'\n]{1,200})'", re.I)),
    ("password", re.compile(r"\b(?:login|machine|default)\s+\S{1,100}\s+(?:login\s+\S{1,100}\s+)?password\s+(\S{1,200})")),
    (
        "openssl passwd",
        re.compile(r"(?:useradd|usermod)\s[^\n|;]{0,200}?-p\s+[\"']?\$\(openssl passwd[^)\n]{0,40}?\s([^\s)\"']{1,200})\)"),
    ),
)
_BEARER = re.compile(r"\b(?:bearer|token|apikey)\s+([A-Za-z0-9._~+/=-]{8,4096})", re.I)
_BASIC = re.compile(r"\bbasic\s+([A-Za-z0-9+/=_-]{8,1024})", re.I)


def in_commands(line: str, lower: str, start: int) -> Iterator[Hit]:
    """Yield passwords in the commands of a line; ``lower`` is the line in small letters, ``start`` where it begins."""
    for anchor, pattern in _COMMANDS:
        if anchor in lower:
            for match in pattern.finditer(line):
                group = match.lastindex or 1
                if is_secret(match[group], Naming.PASSWORD):
                    yield Hit(start + match.start(group), match[group], "password in a command")
    if "bearer" in lower or "authorization" in lower or "apikey " in lower:
        for match in _BEARER.finditer(line):
            if is_secret(match[1], Naming.KEY):
                yield Hit(start + match.start(1), match[1], "bearer token")
    if "basic" in lower:
        for match in _BASIC.finditer(line):
            if is_pair(match[1]):
                yield Hit(start + match.start(1), match[1], "basic authentication")
