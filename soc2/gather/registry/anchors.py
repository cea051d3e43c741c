"""Where in a file a secret may stand: what formats of secrets begin with, and files of settings.

A detector of secrets takes much longer than a scan for fixed strings, so it gets only the passages around these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

NAMESPACE = "added"
ANCHORS = r"""
rule secrets
{
    strings:
        $aws = /A(KI|SI)A[A-Z2-7]{16}/
        $github = /(gh[pousr]_|github_pat_)\w{20}/
        $gitlab = /gl(pat|dt|ptt|rt|cbt|ft|soat|agent|oas|imt|ffct)-[\w-]{20}/
        $slack = /xox[abeoprs]-/
        $slack_hook = "hooks.slack.com/services/"
        $discord = /discord(app)?\.com\/api\/webhooks\//
        $key = "PRIVATE KEY"
        $putty = "PuTTY-User-Key-File"
        $stripe = /[sr]k_(live|test)_\w{10}/
        $openai = "T3BlbkFJ"
        $anthropic = "sk-ant-"
        $azure = /(AccountKey|SharedAccessKey)=/
        $jwt = /eyJ[\w-]{10,400}\.eyJ/
        $sendgrid = /SG\.[\w-]{16,32}\.[\w-]{16}/
        $npm = /npm_\w{36}/
        $npm_line = "_authToken"
        $pypi = "pypi-AgE"
        $google = /AIza[\w-]{35}/
        $google_oauth = "GOCSPX-"
        $url = /[a-z]:\/\/[^\s:@\/'"<>{}$]{1,64}:[^\s@\/'"<>]{3,100}@[\w.-]/
        $square = /sq0(atp|csp|idp)-/
        $twilio = /\b(AC|SK)[0-9a-f]{32}\b/
        $mailchimp = /[0-9a-f]{32}-us\d{1,2}\b/
        $telegram = /\b\d{8,10}:AA[\w-]{33}/
        $digitalocean = /do[opr]_v1_[0-9a-f]{20}/
        $vault = /\bhv[sbr]\.[\w-]{20}/
        $age = "AGE-SECRET-KEY-1"
        $hugging_face = /\bhf_[A-Za-z]{30}/
        $doppler = "dp.pt."
        $shopify = /shp(at|ca|pa|ss)_[0-9a-fA-F]{32}/
        $linear = "lin_api_"
    condition:
        any of them
}
"""

_SETTINGS_NAMES = (
    *(
        "credentials",
        ".netrc",
        "_netrc",
        ".pgpass",
        ".my.cnf",
        ".pypirc",
        ".npmrc",
        ".yarnrc",
        ".s3cfg",
        ".boto",
        ".terraformrc",
    ),
    *(".dockercfg", ".dockerconfigjson", ".git-credentials", ".gitconfig", ".htpasswd", "wp-config.php", "config.php"),
    *("settings.py", "local_settings.py", "secrets.py", ".bash_history", ".zsh_history", ".sh_history", ".ash_history"),
    *(".psql_history", ".mysql_history", ".python_history"),
)
_SETTINGS_SUFFIXES = (
    *(".env", ".properties", ".ini", ".conf", ".cfg", ".cnf", ".config", ".yaml", ".yml", ".toml", ".json", ".tfvars"),
    *(".tfstate", ".secret", ".secrets", ".password", ".token", ".key", ".pem", ".envrc"),
)
_SETTINGS_BYTES = 512 * 1024
_WORDS = re.compile(rb"(?i)passw|passphrase|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|credential|auth")
# A key is a few kilobytes; anything else that is looked for stands on a line.
_BEFORE, _AFTER = 1024, 8192
_LINE_END = (b"\n", b"\0")


def is_settings(path: str, content: bytes) -> bool:
    """Tell whether a file may say a password in its own words: a file of settings that speaks of one."""
    if len(content) > _SETTINGS_BYTES or not content:
        return False
    name = path.rpartition("/")[2].lower()
    named = name in _SETTINGS_NAMES or name.endswith(_SETTINGS_SUFFIXES) or name.startswith((".env", "env."))
    return named and b"\0" not in content and _WORDS.search(content) is not None


def passages(path: str, content: bytes, offsets: Iterable[int]) -> Iterator[tuple[str, int]]:
    """Yield the texts that are to be looked at, each with how many lines there are before it."""
    if is_settings(path, content):
        yield content.decode("utf-8", "replace"), 0
        return
    end = -1
    for offset in sorted(offsets):
        if offset < end:
            continue
        start = max(max(content.rfind(mark, max(0, offset - _BEFORE), offset) for mark in _LINE_END) + 1, offset - _BEFORE, 0)
        end = _end(content, offset)
        yield content[start:end].decode("utf-8", "replace"), content.count(b"\n", 0, start)


def _end(content: bytes, offset: int) -> int:
    """Return where the line ends, or, of a key, the key."""
    limit = min(len(content), offset + _AFTER)
    if content.startswith(b"PRIVATE KEY", offset):
        found = content.find(b"PRIVATE KEY-----", offset + 16, limit)
        return found + 16 if found >= 0 else limit
    ends = [found for mark in _LINE_END if (found := content.find(mark, offset, limit)) >= 0]
    return min(ends, default=limit)
