"""Whatever the detectors know by its format is pointed at in files, so that they are asked about it."""

from __future__ import annotations

import re

import pytest
import yara_x
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.detectors.secrets.formats import _OWN
from soc2.gather.registry.anchors import NAMESPACE, is_settings, passages
from soc2.gather.registry.inspection import image_rules

SCANNER = yara_x.Scanner(image_rules().rules)
# The shortest tokens of each format are those that an expression misses first.
_SHORTEST = {name: re.compile(re.sub(r"\{(\d+),\d*\}", r"{\1}", form), re.ASCII) for name, form in _OWN}
TOKENS = st.one_of(*(st.from_regex(form, fullmatch=True) for form in _SHORTEST.values()))
OTHERS = [
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    "PuTTY-User-Key-File-3: ssh-ed25519",
    "postgres://app:Hq7vR2mXw9@db/app",
    "redis://:Hq7vR2mXw9@cache:6379",
    "https://hooks.slack.com/services/T000/B000/x",
    "https://discord.com/api/webhooks/123456789012345678/x",
    "https://acme.webhook.office.com/webhookb2/x",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=x",
    "https://a.blob.core.windows.net/c?sv=2020&sig=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "https://b.s3.amazonaws.com/k?X-Amz-Credential=a&X-Amz-Signature=0",
    "AKIAQ7ZX4TYUNBVC2MLK",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "password = 'Hq7vR2mXw9'",
    'apiKey: "Hq7vR2mXw9"',
    '{"client_secret":"Hq7vR2mXw9"}',
    "HRKU-12345678-1234-1234-1234-123456789abc",
]


def anchored(text: str) -> bool:
    return any(rule.namespace == NAMESPACE for rule in SCANNER.scan(text.encode("latin-1", "replace")).matching_rules)


@settings(max_examples=100)
@given(TOKENS)
def test_every_format_is_pointed_at(token: str) -> None:
    assert anchored(f"x = {token}\n")


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_known_by_its_surroundings_is_pointed_at(text: str) -> None:
    assert anchored(f"{text}\n")


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"),
        ("PuTTY-User-Key-File-2: ssh-rsa", "Private-MAC: 0123456789abcdef"),
    ],
)
def test_keys_are_passed_on_as_a_whole(begin: str, end: str) -> None:
    key = "\n".join([begin, *["A" * 64] * 40, end])
    content = f"before\n{key}\nafter\n".encode()
    (found,) = passages(content, [content.index(begin.encode()) + (begin.find("PRIVATE") if "PRIVATE" in begin else 0)])
    assert found[1] == 1
    assert found[0].startswith(begin.encode())
    assert end.encode() in found[0]


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("root/.bash_history", "curl -u admin:Hq7vR2mXw9 https://x\n", True),
        ("root/.docker/config.json", '{"auths": {"r.example": {"auth": "dTpIcTd2UjJtWHc5"}}}', True),
        ("srv/.git/config", "[http]\n\textraheader = AUTHORIZATION: basic dTpIcTd2UjJtWHc5\n", True),
        ("root/.kube/config", "users:\n- name: a\n  user:\n    client-key-data: LS0t\n", True),
        ("run/db-password", "Hq7vR2mXw9\n", True),
        ("etc/passwd", "app:x:1000:1000::/:/bin/sh\n", False),
        ("usr/etc/passwd", "app:x:0:0::/:\n", False),
        ("opt/overrides/passwd", "passwd: elevated-privileges 4755\npasswd: elevated-privileges 2755\n", False),
        ("srv/config", "[core]\n\tbare = false\n", False),
    ],
)
def test_files_that_may_say_a_password_are_looked_at_whole(path: str, content: str, expected: bool) -> None:
    assert is_settings(path, content.encode()) is expected
