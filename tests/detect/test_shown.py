"""What alerts show of a record."""

from __future__ import annotations

from typing import Any

import pytest

from soc2.detect.shown import shown, shown_fields
from soc2.gather.redaction import masked

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("verb", "get", "get"),
        ("responseStatus.code", 403, 403),
        ("userAgent", None, None),
        ("requestParameters.masterUserPassword", SECRET, "[masked]"),
        ("requestObject.data.tls.key", SECRET, "[masked]"),
        ("requestObject.stringData.x", SECRET, "[masked]"),
        ("requestObject.spec.containers.env.value", SECRET, "[masked]"),
        ("requestParameters.secretId", "prod/db", "prod/db"),
        ("command", f"mysql --password={SECRET} notes", "mysql --password=[masked] notes"),
        ("command", f"curl https://bob:{SECRET}@example.com/x", "curl https://[masked]@example.com/x"),
        ("message", f'Authorization: Bearer {SECRET}"', 'Authorization: Bearer [masked]"'),
        ("requestObject.rules.verbs", '["get","list"]', '["get","list"]'),
        ("requestObject.spec", f'{{"env":[{{"value":"{SECRET}"}}],"image":"x"}}', "{env, image}"),
        ("requestObject.subjects", '[{"kind":"User","name":"eve"}]', "{kind, name}"),
        ("message", "{not json", "{not json"),
        ("responseElements.accessKey.accessKeyId", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ],
)
def test_values(name: str, value: Any, expected: Any) -> None:
    assert shown(name, value) == expected


def test_long_values_are_cut() -> None:
    assert shown("message", "a b " * 1000) == "a b " * 250 + "… (4,000 characters)"


def test_fields_of_a_rule() -> None:
    assert shown_fields('{"verb": "get", "password": "x"}') == {"verb": "get", "password": "[masked]"}


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for root from 192.0.2.1 port 22 ssh2",
        "arn:aws:iam::123456789012:user/alice",
        "list secrets in payments/db-credentials",
        "create serviceaccounts/token",
    ],
)
def test_what_only_speaks_of_secrets_is_shown(text: str) -> None:
    assert masked(text) == text
