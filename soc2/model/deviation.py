"""Deviations: items that do not meet a check, as objects whose wording derives from their fields."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, order=True)
class Resource:
    """The thing a deviation is about.

    ``kind`` is a Kubernetes kind or, for AWS, a CloudFormation type such as ``AWS::S3::Bucket``; ``namespace`` is empty
    for what has none; ``file`` and ``line`` (from 1) point at a manifest when that is what was judged.
    """

    kind: str
    name: str
    namespace: str = ""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One item that does not meet a check. A rule subclasses it with its own fields and a ``template`` over them.

    >>> @dataclass(frozen=True, kw_only=True)
    ... class Privileged(Deviation):
    ...     template = "container {container} is privileged"
    ...     container: str
    """

    template: ClassVar[str]
    resource: Resource

    @property
    def fields(self) -> dict[str, Any]:
        """Everything that tells this deviation from others, without the resource."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "resource"}

    @property
    def message(self) -> str:
        return self.template.format(**self.fields)
