"""Sources decode at the same time. msgspec must work record types out one after the other, or the process crashes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from soc2.gather.codec import Codec
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.lists import KubeList

LISTS = [item for item in vars(sources).values() if isinstance(item, KubeList)]


def test_record_types_are_worked_out_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    real = msgspec.json.Decoder
    counting = threading.Lock()
    second_arrived = threading.Event()
    at_once: list[int] = [0]
    active: list[int] = []

    def slow_decoder(*arguments: Any, **keywords: Any) -> msgspec.json.Decoder[Any]:
        with counting:
            active.append(1)
            at_once[0] = max(at_once[0], len(active))
            if len(active) > 1:
                second_arrived.set()
        # Whoever could come in at the same time does so within this deadline.
        second_arrived.wait(0.02)
        made: msgspec.json.Decoder[Any] = real(*arguments, **keywords)
        with counting:
            active.pop()
        return made

    monkeypatch.setattr(msgspec.json, "Decoder", slow_decoder)
    codec, body = Codec(), b'{"items": [{"metadata": {"name": "x"}}]}'
    with ThreadPoolExecutor(len(LISTS)) as pool:
        names = [records[0].metadata.name for records in pool.map(lambda source: source.decode(codec, body), LISTS)]
    assert names == ["x"] * len(LISTS)
    assert at_once == [1]
