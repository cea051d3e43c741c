"""Whose signatures policies on images take."""

from __future__ import annotations

from soc2.model.kubernetes.meta import Record


class Identity(Record, frozen=True):
    """Who may have signed without a key of their own, by patterns: ``*`` (and ``.*`` in regular expressions) is anybody."""

    subject: str = ""
    subject_reg_exp: str = ""

    @property
    def anybody(self) -> bool:
        if self.subject_reg_exp:
            return self.subject_reg_exp.strip("^$") in (".*", ".+")
        return self.subject.strip("*") == ""


class Keyless(Record, frozen=True):
    identities: tuple[Identity, ...] = ()


class AttestorEntry(Record, frozen=True):
    keyless: Identity | None = None


class Attestors(Record, frozen=True):
    """Who have to have signed: all entries or, with a ``count``, so many of them."""

    count: int | None = None
    entries: tuple[AttestorEntry, ...] = ()

    @property
    def anybody(self) -> bool:
        open_to_all = sum(1 for each in self.entries if each.keyless and each.keyless.anybody)
        return 0 < (self.count or len(self.entries)) <= open_to_all
