"""Lays the layers of an image one over the other: what is there when it starts, and what was deleted and is still in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from soc2.gather.registry.facts import FILE, LayerFacts
from soc2.gather.registry.layer import NUMBER
from soc2.gather.registry.manifests import ContainerConfig, Manifest
from soc2.gather.registry.printable import printable
from soc2.model.image_content import (
    FoundSecret,
    ImageContent,
    ImageMalware,
    ImagePrivilege,
    ImageSecret,
    LayerFile,
    PrivilegedFile,
    SecretFinder,
)

_ROOT = "root"
_PASSWD = "etc/passwd"
_WINDOWS = "windows"

Layers = Sequence[tuple[str, LayerFacts]]
"""Digests with facts, from the first layer to the last."""


def assembled(name: str, manifest: Manifest, facts: Mapping[str, LayerFacts], secrets: SecretFinder) -> ImageContent:
    """Return what an image holds, of those of its layers whose facts are known."""
    layers = [(each.digest, facts[each.digest]) for each in manifest.layers if each.digest in facts]
    settings = manifest.configuration.config or ContainerConfig()
    user = printable(settings.user or "")
    return ImageContent(
        name=name,
        platform=manifest.platform,
        user=user,
        uid=None if manifest.configuration.os == _WINDOWS else _uid(user, layers),
        layers=tuple(each.digest for each in manifest.layers),
        privileges=tuple(_privileges(layers)),
        malware=tuple(
            ImageMalware(file=_file(layers, place, each.path), rule=each.rule, description=each.description)
            for place, (_, layer) in enumerate(layers)
            for each in layer.malware
        ),
        secrets=tuple(dict.fromkeys((*_layer_secrets(layers), *_written_secrets(manifest, settings, secrets)))),
        complete=len(layers) == len(manifest.layers) and _users(layers) is not None,
    )


def _file(layers: Layers, place: int, path: str) -> LayerFile:
    hiding = next((digest for digest, layer in layers[place + 1 :] if layer.hides(path)), "")
    return LayerFile(layer=layers[place][0], path=path, deleted_by=hiding)


def _privileges(layers: Layers) -> Iterator[ImagePrivilege]:
    """Yield the privileged files that nothing hides; another name of one that a layer below has is one too."""
    there: dict[str, PrivilegedFile] = {}
    found: dict[str, ImagePrivilege] = {}
    for place, (_, layer) in enumerate(layers):
        linked = [(path, there[target]) for path, target in layer.links if target in there]
        there = {path: each for path, each in there.items() if not layer.hides(path)}
        renamed = [msgspec.structs.replace(each, path=path) for path, each in linked]
        for privilege in (*layer.privileges, *renamed):
            there[privilege.path] = privilege
            found[privilege.path] = ImagePrivilege(file=_file(layers, place, privilege.path), privilege=privilege)
    return (found[path] for path in there)


def untold_user(manifest: Manifest, facts: Mapping[str, LayerFacts]) -> str:
    """Say why nobody can tell whether the user of a configuration is root; empty where that can be told."""
    layers = [(each.digest, facts[each.digest]) for each in manifest.layers if each.digest in facts]
    user = printable((manifest.configuration.config or ContainerConfig()).user or "")
    if manifest.configuration.os == _WINDOWS or _uid(user, layers) is not None or _users(layers) is not None:
        return ""
    return f"its user {user} has a number that cannot be told: /{_PASSWD} is a link or too long"


def _uid(user: str, layers: Layers) -> int | None:
    """Return the number of a configuration's user (``user`` or ``user:group``).

    Runtimes differ: some take a number for a name first, some have it overflow (CVE-2024-40635, CVE-2026-46680). 0 counts
    where any of them has it."""
    name = user.partition(":")[0]
    number = int(name) & 0xFFFFFFFF if NUMBER.match(name) else None
    by_name = (_users(layers) or {}).get(name, 0 if name in ("", _ROOT) else None)
    return 0 if by_name == 0 else by_name if number is None else number


def _users(layers: Layers) -> dict[str, int] | None:
    """Return the users of ``etc/passwd``, or None when there is one that was not read."""
    users: dict[str, int] | None = {}
    for _, layer in layers:
        if layer.hides(_PASSWD):
            unread = layer.users is None and (layer.has(FILE, _PASSWD) or layer.has(FILE, "etc"))
            users = None if unread else layer.users or {}
    return users


def _layer_secrets(layers: Layers) -> Iterator[ImageSecret]:
    for place, (_, layer) in enumerate(layers):
        for each in layer.secrets:
            yield ImageSecret(place=f"line {each.secret.line}", file=_file(layers, place, each.path), secret=each.secret)


def _written_secrets(manifest: Manifest, settings: ContainerConfig, secrets: SecretFinder) -> Iterator[ImageSecret]:
    """Yield the secrets that stand in the configuration, the history and the annotations."""
    told: set[tuple[str, str]] = set()
    for place, key, text in _texts(manifest, settings):
        for found in secrets.in_value(key, text):
            # A command is told by its argument, or else as a whole.
            command = place.partition(" of ")[2] if place.startswith("argument ") else place
            if place == command and (command, found.fingerprint) in told:
                continue
            told.add((command, found.fingerprint))
            yield ImageSecret(place=printable(place), file=None, secret=FoundSecret(found.detector, found.fingerprint))


def _texts(manifest: Manifest, settings: ContainerConfig) -> Iterator[tuple[str, str, str]]:
    configuration = manifest.configuration
    yield from _settings_texts(settings, "")
    if configuration.container_config:
        yield from _settings_texts(configuration.container_config, " of the container that it was made of")
    for name, value in manifest.annotations.items():
        yield f"label {name}", name, value
    if configuration.author:
        yield "its author", "", configuration.author
    for number, step in enumerate(configuration.history or (), 1):
        for text in (step.created_by, step.comment, step.author):
            if text:
                yield f"step {number} of its history", "", text


def _settings_texts(settings: ContainerConfig, of: str) -> Iterator[tuple[str, str, str]]:
    for variable in settings.env or ():
        name, _, value = variable.partition("=")
        yield f"environment variable {name}{of}", name, value
    for name, value in (settings.labels or {}).items():
        yield f"label {name}{of}", name, value
    yield from _arguments((*(settings.entrypoint or ()), *(settings.command or ())), f"its command{of}")
    yield from _arguments((settings.health_check and settings.health_check.test) or (), f"its health check{of}")
    yield from _arguments(settings.shell or (), f"its shell{of}")
    for number, step in enumerate(settings.on_build or (), 1):
        yield f"step {number} for images that are built on it{of}", "", step


def _arguments(arguments: Sequence[str], whose: str) -> Iterator[tuple[str, str, str]]:
    """Yield arguments, each under the name of the option before it, and all of them as the command that they are."""
    before = ""
    for number, argument in enumerate(arguments, 1):
        option = before.startswith("-") and "=" not in before and not argument.startswith("-")
        yield f"argument {number} of {whose}", before.lstrip("-") if option else "", argument
        before = argument
    if len(arguments) > 1:
        yield whose, "", shlex.join(arguments)
