"""Registries of the tests are asked again at once."""

from __future__ import annotations

import pytest

from soc2.gather.registry import client


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_FIRST_WAIT_SECONDS", 0.0)
