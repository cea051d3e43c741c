"""Sources decode at the same time, and the process survives it."""

from __future__ import annotations

import subprocess
import sys

# Types are worked out once in a process, so each try needs a process of its own.
_PROGRAM = """
import threading
from soc2.gather.codec import Codec
from soc2.gather.kubernetes import sources
from soc2.gather.kubernetes.lists import KubeList
codec = Codec()
body = b'{"items": [{"metadata": {"name": "x", "annotations": {"a": "b"}}}]}'
lists = [item for item in vars(sources).values() if isinstance(item, KubeList)]
start = threading.Barrier(len(lists))
found = []
def decode(source):
    start.wait()
    found.append(source.decode(codec, body)[0].metadata.name)
threads = [threading.Thread(target=decode, args=(source,)) for source in lists]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert found == ["x"] * len(lists)
"""


def test_first_uses_of_record_types_do_not_race() -> None:
    tries = [subprocess.Popen([sys.executable, "-c", _PROGRAM]) for _ in range(12)]
    assert [one.wait(60) for one in tries] == [0] * len(tries)
