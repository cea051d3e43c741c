"""Who one is to a registry: from a file as ``docker login`` writes it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from soc2.errors import UsageError

# Docker Hub is written as the address of an interface that is long gone.
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Login:
    """A user with a password, or a token that is exchanged for others. Neither is ever shown."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """Return the value of the header ``Authorization``."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")


Logins = Callable[[str], Login | None]
"""What gives the login at a registry, by its host. Raises PullError."""


class _Auth(msgspec.Struct):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _File(msgspec.Struct):
    auths: dict[str, _Auth] = {}


def read_logins(path: Path) -> dict[str, Login]:
    """Return the logins of a file by host. Raises UsageError, which never shows what the file holds."""
    mend = "name a file as `docker login` writes it"
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        return {_host(name): _login(auth) for name, auth in file.auths.items() if auth != _Auth()}
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", mend, path) from None
    except (msgspec.DecodeError, binascii.Error, ValueError):
        raise UsageError("it holds no credentials of registries", mend, path) from None


def _host(name: str) -> str:
    host = name.partition("://")[2] or name
    host = host.partition("/")[0].lower()
    return "docker.io" if host in _HUB else host


def _login(auth: _Auth) -> Login:
    user, password = auth.username, auth.password
    if auth.auth:
        user, _, password = base64.b64decode(auth.auth, validate=True).decode("utf-8").rstrip("\0").partition(":")
    return Login(user, password, auth.identitytoken)
