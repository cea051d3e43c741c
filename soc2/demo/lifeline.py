"""Ends a server of ours when the process that started it is gone."""

from __future__ import annotations

import os
import sys
import threading


def exit_when_parent_is_gone() -> None:
    """End this process as soon as its standard input is closed.

    The parent holds the other end of that pipe, so the kernel closes it however the parent ends, also when killed.
    """

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os._exit(0)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()
