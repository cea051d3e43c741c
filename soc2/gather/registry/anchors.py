"""Where in a file a secret may stand: what formats of secrets begin with, and files of settings.

A detector of secrets takes much longer than a scan for fixed strings, so it gets only the passages around these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

NAMESPACE = "added"
ANCHORS = (Path(__file__).parents[2] / "data" / "secret-anchors.yar").read_text(encoding="utf-8")

_SETTINGS_NAMES = (
    *("credentials", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".pypirc", ".npmrc", ".yarnrc", ".s3cfg", ".boto"),
    *(".terraformrc", ".dockercfg", ".dockerconfigjson", ".git-credentials", ".gitconfig", ".htpasswd", "wp-config.php"),
    *("config.php", "settings.py", "local_settings.py", "secrets.py", ".bash_history", ".zsh_history", ".sh_history"),
    *(".ash_history", ".psql_history", ".mysql_history", ".python_history", "dockerfile", "makefile"),
)
# They come with every system, and speak of passwords that are no one's.
_NO_SETTINGS = ("nsswitch.conf", "openssl.cnf")
_SETTINGS_SUFFIXES = (
    *(".env", ".properties", ".ini", ".conf", ".cfg", ".cnf", ".config", ".yaml", ".yml", ".toml", ".json", ".tfvars"),
    *(".tfstate", ".secret", ".secrets", ".password", ".token", ".key", ".pem", ".envrc", ".xml", ".sh", ".bash", ".ps1"),
    *(".bat", ".sql", ".tf"),
)
_SHELL = (b"#!/bin/sh", b"#!/bin/bash", b"#!/bin/ash", b"#!/usr/bin/env sh", b"#!/usr/bin/env bash", b"#! /bin/sh")
_SETTINGS_BYTES = 512 * 1024
_ONE_VALUE_BYTES = 400
_WORDS = (
    *(b"passw", b"passphrase", b"pwd", b"secret", b"token", b"credential", b"authoriz"),
    *(b"apikey", b"api_key", b"api-key", b"api.key", b"accesskey", b"access_key", b"access-key"),
    *(b"privatekey", b"private_key", b"private-key"),
)
# Of etc/passwd and its like, which are named after what they do not hold.
_USERS = re.compile(rb"\s*[\w.-]+:[x*!]?:\d+:")
_PIECE = 256 * 1024
# A key is a few kilobytes; anything else that is looked for stands on a line.
_BEFORE, _AFTER = 1024, 8192
_LINE_ENDS = (b"\n", b"\0")
_KEY, _KEY_END, _PUTTY = b"PRIVATE KEY", b"PRIVATE KEY-----", b"PuTTY-User-Key-File"


def is_settings(path: str, content: bytes) -> bool:
    """Tell whether a file may say a password in its own words: settings or commands that speak of one, or one that is called
    like a password and holds nothing else."""
    if len(content) > _SETTINGS_BYTES or not content:
        return False
    name = path.rpartition("/")[2].lower()
    if len(content) <= _ONE_VALUE_BYTES and _speaks_of_one(name.encode()) and not _USERS.match(content):
        return True
    if name in _NO_SETTINGS:
        return False
    named = name in _SETTINGS_NAMES or name.endswith(_SETTINGS_SUFFIXES) or name.startswith(".env")
    named = named or content.startswith(_SHELL)
    return named and b"\0" not in content and _speaks_of_one(content)


def _speaks_of_one(content: bytes) -> bool:
    lower = content.lower()
    return any(word in lower for word in _WORDS)


def passages(content: bytes, offsets: Iterable[int]) -> Iterator[tuple[bytes, int]]:
    """Yield what is around the offsets: lines, or whole keys; each with how many lines there are before it."""
    end = 0
    for offset in sorted(offsets):
        if offset < end:
            continue
        first = max(offset - _BEFORE, end)
        start = max([first, *(content.rfind(mark, first, offset) + 1 for mark in _LINE_ENDS)])
        end = _end(content, offset)
        yield content[start:end], content.count(b"\n", 0, start)


def pieces(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield all of it, in pieces that overlap by what a key takes."""
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE + _AFTER], content.count(b"\n", 0, start)


def _end(content: bytes, offset: int) -> int:
    """Return where the line ends, or, of a key, the key."""
    limit = min(len(content), offset + _AFTER)
    if content.startswith(_PUTTY, offset):
        return limit
    if content.startswith(_KEY, offset):
        found = content.find(_KEY_END, offset + len(_KEY_END), limit)
        return found + len(_KEY_END) if found >= 0 else limit
    ends = [found for mark in _LINE_ENDS if (found := content.find(mark, offset, limit)) >= 0]
    return min(ends, default=limit)
