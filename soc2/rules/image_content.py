"""Rules on what is in the images that run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar

from soc2.model.deviation import Deviation
from soc2.model.image_content import ImageUse, LayerFile, RunningImage


@dataclass(frozen=True, kw_only=True)
class SecretInImage(Deviation):
    template: ClassVar[str] = "{where} holds a secret ({detector}, fingerprint {fingerprint}); {run_by}"
    where: str
    detector: str
    fingerprint: str
    run_by: str
    layer: str = ""
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class MalwareInImage(Deviation):
    template: ClassVar[str] = "{where} matches the rule {rule}{description}; {run_by}"
    where: str
    rule: str
    description: str
    run_by: str
    layer: str
    path: str


@dataclass(frozen=True, kw_only=True)
class PrivilegedFileInImage(Deviation):
    template: ClassVar[str] = "{where} gives rights to whoever runs it: {rights}; {run_by}"
    where: str
    rights: str
    run_by: str
    layer: str
    path: str


@dataclass(frozen=True, kw_only=True)
class RootByImage(Deviation):
    template: ClassVar[str] = "the image's user is {user}, and nothing names or demands another one; {run_by}"
    user: str
    run_by: str


@dataclass(frozen=True, kw_only=True)
class UserNotTold(Deviation):
    template: ClassVar[str] = (
        "the image's user is {user}, whose number nothing in the image tells, so it may be root; {run_by}"
    )
    user: str
    run_by: str


def without_secrets(image: RunningImage) -> Iterator[Deviation]:
    """Neither layers, whether later ones delete it or not, nor history and configuration hold a secret."""
    for found in image.content.secrets:
        yield SecretInImage(
            resource=image.resource,
            where=_where(found.file, found.place) if found.file else found.place,
            detector=found.secret.detector,
            fingerprint=found.secret.fingerprint,
            run_by=run_by(image.uses),
            layer=found.file.layer if found.file else "",
            path=found.file.path if found.file else "",
        )


def without_malware(image: RunningImage) -> Iterator[Deviation]:
    """No file of any layer matches a rule for malicious content."""
    for found in image.content.malware:
        yield MalwareInImage(
            resource=image.resource,
            where=_where(found.file),
            rule=found.rule,
            description=f" ({found.description})" if found.description else "",
            run_by=run_by(image.uses),
            layer=found.file.layer,
            path=found.file.path,
        )


def without_privileged_files(allowed: Iterable[str]) -> Callable[[RunningImage], Iterator[Deviation]]:
    """Return the rule that no file has setuid, setgid or capabilities but those of ``image -> path``, as patterns."""
    patterns = [(image.strip(), path.strip()) for image, _, path in (each.partition(" -> ") for each in allowed)]

    def rule(image: RunningImage) -> Iterator[Deviation]:
        names = (image.content.name, image.content.name.partition("@")[0])
        for found in image.content.privileges:
            path = f"/{found.file.path}"
            if any(fnmatchcase(path, of) and any(fnmatchcase(name, wanted) for name in names) for wanted, of in patterns):
                continue
            yield PrivilegedFileInImage(
                resource=image.resource,
                where=_where(found.file),
                rights=found.privilege.rights,
                run_by=run_by(image.uses),
                layer=found.file.layer,
                path=found.file.path,
            )

    return rule


def not_as_root(image: RunningImage) -> Iterator[Deviation]:
    """No image runs as root where its user is the one that counts."""
    uses = tuple(use for use in image.uses if use.as_image_user)
    if uses and image.content.hides_user:
        yield UserNotTold(resource=image.resource, user=image.content.user, run_by=run_by(uses))
    if uses and image.content.uid == 0:
        user = image.content.user
        name = user.partition(":")[0]
        number = "" if name in ("0", "root") else ", which is number 0 in its etc/passwd"
        if name.strip("+-").isdecimal():
            number = ", which runtimes take for number 0" * (name != "0")
        yield RootByImage(
            resource=image.resource,
            user=f"{user}{number}" if user else "not set, which is root",
            run_by=run_by(uses),
        )


def _where(file: LayerFile, place: str = "") -> str:
    at = f"/{file.path}" + (f", {place}," if place else "")
    return f"{at} in layer {file.layer}" + (f" (deleted by layer {file.deleted_by})" if file.deleted_by else "")


def run_by(uses: tuple[ImageUse, ...]) -> str:
    """Say who runs it: pods of a workload differ by the end of their names, so one of them is enough."""
    if not uses:
        return "nothing runs it by this name any more"
    first = f"{uses[0].pod}, container {uses[0].container}"
    return f"it runs in {first}" + (f", and {len(uses) - 1} more" if len(uses) > 1 else "")
