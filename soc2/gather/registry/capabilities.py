"""File capabilities, as Linux keeps them in the attribute ``security.capability``."""

from __future__ import annotations

import struct

# linux/capability.h, by number.
_NAMES = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
]
_REVISIONS = {0x01000000: 1, 0x02000000: 2, 0x03000000: 2}
"""How many words each of the two sets has, by revision."""


def file_capabilities(attribute: bytes) -> tuple[str, ...]:
    """Return the names of the capabilities that a file gives (``cap_net_raw``); ``unknown`` when that cannot be read."""
    if not attribute:
        return ()
    words = _REVISIONS.get(int.from_bytes(attribute[:4], "little") & 0xFF000000)
    if words is None or len(attribute) < 4 + 8 * words:
        return ("unknown",)
    numbers = struct.unpack_from(f"<{2 * words}I", attribute, 4)
    permitted = sum(number << (32 * place) for place, number in enumerate(numbers[::2]))
    return tuple(f"cap_{_name(number)}" for number in range(64) if permitted >> number & 1)


def _name(number: int) -> str:
    return _NAMES[number] if number < len(_NAMES) else str(number)
