"""Rules on the signatures of the images that run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.image_signatures import SignedImage
from soc2.rules.image_content import run_by

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class NotSigned(Deviation):
    template: ClassVar[str] = "{problem}; {run_by}"
    problem: str
    run_by: str


def signed(image: SignedImage) -> Iterator[Deviation]:
    """A key that is declared for the image verifies a signature of it."""
    if image.found.verified:
        return
    signatures = image.found.signatures
    if not image.found.keys:
        problem = "no key is declared for it"
    elif not signatures:
        problem = "nobody signed it"
    else:
        told = "; ".join(f"{each.place}: {each.problem}" for each in signatures[:_SHOWN])
        more = f"; and {len(signatures) - _SHOWN} more" * (len(signatures) > _SHOWN)
        problem = f"none of its signatures holds: {told}{more}"
    yield NotSigned(resource=image.resource, problem=problem, run_by=run_by(image.uses))
