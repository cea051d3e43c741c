"""What is known of a running environment, kept in its folder."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

STATE, PROGRESS, ALERTS, SIGNING_KEY = "state.json", "progress.log", "alerts.csv", "cosign.pub"


class TlsEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint of the company's listens (``host:port``), with TLS and for plain HTTP, and the file of its issuer."""

    address: str
    http: str
    ca: str


class EtcdPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """What ``[etcd]`` of system.toml would tell of the environment's etcd."""

    endpoints: tuple[str, ...] = ()
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """``pid`` is the supervisor's; ``pids`` are those of its servers, by name; ``endpoints`` are by host; ``registry`` is
    where that of the company listens (``host:port``, plain HTTP). Paths are absolute."""

    pid: int
    variant: str
    server: str
    admin_kubeconfig: str
    auditor_kubeconfig: str
    denied_kubeconfig: str
    aws_env: dict[str, str]
    auditor_aws_env: dict[str, str]
    denied_aws_env: dict[str, str]
    audit_log: str
    aws_access_log: str
    pids: dict[str, int]
    registry: str
    endpoints: dict[str, TlsEndpoint] = {}
    etcd: EtcdPlaces = EtcdPlaces()

    def write(self, folder: Path) -> None:
        """Write in one step, so that whoever sees the file sees all of it."""
        staged = folder / f"{STATE}.new"
        staged.write_bytes(msgspec.json.encode(self))
        staged.chmod(0o600)
        staged.rename(folder / STATE)

    @classmethod
    def read(cls, folder: Path) -> State | None:
        try:
            return msgspec.json.decode((folder / STATE).read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.DecodeError):
            return None


def is_supervisor(pid: int, folder: Path) -> bool:
    """Tell whether a process is the supervisor of a folder: a process id alone may have been given to another one."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return False if Path("/proc").is_dir() else _exists(pid)
    except (PermissionError, ProcessLookupError):
        return False
    return str(folder).encode() in command.split(b"\0")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
