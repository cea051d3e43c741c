"""Where the whole records of a log that is still written to end."""

from __future__ import annotations

from soc2.gather.logs.container import CRI
from soc2.gather.logs.records import Unreadable, decode


def whole_lines(text: bytes) -> int:
    """The number of bytes that are whole lines; a last JSON value is whole without a newline. The lines of a container whose
    last part is not there yet (flag ``P``) are not whole."""
    end = text.rfind(b"\n") + 1
    rest = text[end:]
    if rest and _is_json(rest):
        return len(text)
    return _before_parts(text, end)


def _before_parts(text: bytes, end: int) -> int:
    """Where the first part of a line begins that no last part follows; else ``end``."""
    last = text.rfind(b"\n", 0, end - 1) + 1
    if CRI.match(text[last:end].decode("utf-8", "replace").rstrip("\r\n")) is None:
        return end
    waiting: dict[str, int] = {}
    at = 0
    while at < end:
        behind = text.find(b"\n", at, end) + 1
        found = CRI.match(text[at:behind].decode("utf-8", "replace").rstrip("\r\n"))
        if found is not None:
            if found[3] == "P":
                waiting.setdefault(found[2], at)
            else:
                waiting.pop(found[2], None)
        at = behind
    return min(waiting.values(), default=end)


def _is_json(text: bytes) -> bool:
    if text.strip()[:1] not in (b"{", b"[") or text.strip()[-1:] not in (b"}", b"]"):
        return False
    try:
        decode(text)
    except Unreadable:
        return False
    return True
