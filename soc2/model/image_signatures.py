"""The signatures of the images that run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from soc2.model.deviation import Resource
from soc2.model.image_content import ImageUse


class ImageSignature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A signature as it was found (``place``), with the file of the key that verifies it, or why none does. One that is
    ``unread`` is of a kind that is not verified by keys, so that it tells nothing."""

    place: str
    key: str = ""
    problem: str = ""
    unread: bool = False


class ImageSignatures(msgspec.Struct, frozen=True, kw_only=True):
    """An image (with its digest), the files of the keys that are declared for it, and its signatures."""

    image: str
    keys: tuple[str, ...] = ()
    signatures: tuple[ImageSignature, ...] = ()

    @property
    def verified(self) -> bool:
        return any(signature.key for signature in self.signatures)


@dataclass(frozen=True)
class SignedImage:
    """An image that runs, with its signatures and who runs it."""

    found: ImageSignatures
    uses: tuple[ImageUse, ...]

    @property
    def resource(self) -> Resource:
        return Resource("Image", self.found.image)


def signed_images(found: Iterable[ImageSignatures], uses: Iterable[ImageUse]) -> Iterator[SignedImage]:
    by_image: dict[str, list[ImageUse]] = {}
    for use in uses:
        by_image.setdefault(use.image, []).append(use)
    for each in found:
        yield SignedImage(each, tuple(by_image.get(each.image, ())))
