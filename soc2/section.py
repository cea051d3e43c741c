"""The base of all sections of ``system.toml``, and the types that several of them use."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Days = Annotated[int, Meta(ge=1, le=3650)]
Reason = Annotated[str, Meta(min_length=3)]
Name = Annotated[str, Meta(min_length=1)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Immutable, and an unknown key is an error."""
