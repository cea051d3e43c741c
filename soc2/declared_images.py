"""The sections ``[images]`` and ``[registries]`` of ``system.toml``: what images may be and hold, and how they are read."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from soc2.errors import UsageError
from soc2.gather.registry.credentials import read_logins
from soc2.gather.registry.signing_keys import read_key, split_key
from soc2.gather.registry.yara_rules import load_rules, rule_files
from soc2.model.image_reference import parse_reference, registry_name
from soc2.model.network.places import Place
from soc2.section import Name, Section
from soc2.toml_file import TomlFile

_MEBIBYTES = Annotated[int, Meta(ge=1, le=1024 * 1024)]
_SECONDS = Annotated[float, Meta(gt=0, le=86_400)]


class Images(Section, frozen=True):
    """Registries (prefixes of image references) that images may come from; ``privileged_files`` are files with setuid, setgid
    or capabilities that images may have, as patterns over ``image -> path``, for example
    ``registry.example/tools/* -> /usr/bin/ping``; ``yara_rules`` are folders with rules of the user's own.

    What may not be deployed is tried with ``known_bad`` digests, with ``unsigned_fixture``, an image of an allowed registry
    that nobody signed, and with ``signed_fixture``, one that every policy should let through; both by digest. ``keys`` are
    files of public keys with which signatures of images are verified, for all of them or, as ``pattern -> file``, for some.
    ``scanners`` are those that look at images; where none is named, whichever does so counts.
    ``injected`` are names of containers, as patterns, that admission adds to pods."""

    allowed_registries: tuple[str, ...] = ()
    privileged_files: tuple[Annotated[str, Meta(pattern=r"^[^>]+ -> /.+$")], ...] = ()
    yara_rules: tuple[Name, ...] = ()
    known_bad: tuple[Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$")], ...] = ()
    unsigned_fixture: Name | None = None
    signed_fixture: Name | None = None
    keys: tuple[Name, ...] = ()
    injected: tuple[Name, ...] = ()
    scanners: tuple[Literal["trivy", "ecr", "inspector"], ...] = ()


class RegistryHost(Section, frozen=True):
    """A registry that is not simply reached by its name: ``address`` (``host:port``) is where it is, ``ca`` the file of who
    issued its certificate; one that is ``insecure`` talks plain HTTP, which only an address of loopback may. ``tokens`` is the
    server (``host`` or ``host:port``) that gives its tokens, where that is of another domain."""

    host: Name
    address: Name | None = None
    ca: Name | None = None
    insecure: bool = False
    tokens: Name | None = None

    def trusts(self, server: str, name: str) -> bool:
        """Tell whether the credentials for the registry, which is asked by ``name``, may be sent to a server that it names for
        tokens: itself, another one of its domain (``auth.example.com`` for ``registry.example.com``), or ``tokens``."""
        if server in (name, self.address, self.tokens):
            return True
        domain = host_of(name).partition(".")[2]
        if "." not in domain or _is_address(host_of(name)):
            return False
        return f".{host_of(server)}".endswith(f".{domain}")


class RegistryLimits(Section, frozen=True):
    """How much is read, in MiB, numbers and seconds: of a layer as it is sent, of a layer and of all layers of an image when
    they are unpacked, entries of a layer, time for a layer and for all images. What exceeds them is missing evidence."""

    layer_mib: _MEBIBYTES = 4096
    unpacked_mib: _MEBIBYTES = 16_384
    image_mib: _MEBIBYTES = 65_536
    entries: Annotated[int, Meta(ge=1, le=100_000_000)] = 1_000_000
    layer_seconds: _SECONDS = 900
    seconds: _SECONDS = 7200


class Registries(Section, frozen=True):
    """``credentials`` is a file as ``docker login`` and ``kubernetes.io/dockerconfigjson`` have it; of registries of ECR,
    the account's own credentials will do."""

    credentials: Name | None = None
    hosts: tuple[RegistryHost, ...] = ()
    limits: RegistryLimits = RegistryLimits()

    def host(self, name: str) -> RegistryHost:
        """Return how a registry is reached."""
        return next((each for each in self.hosts if each.host == name), RegistryHost(host=name))


def checked_images(images: Images, file: TomlFile) -> Images:
    """Return the section with its folders beside ``file``. Raises UsageError with file and line, also of a rule."""
    folders = tuple(_beside(file, folder) for folder in images.yara_rules)
    for index, folder in enumerate(folders):
        if not rule_files(Path(folder)):
            mend = "name a folder of .yar or .yara files"
            raise file.error(("images", "yara_rules", index), f"{folder} holds no rules of YARA", mend)
    if folders:
        load_rules(folders)
    for key in ("unsigned_fixture", "signed_fixture"):
        _check_fixture(images, key, file)
    keys = tuple(_checked_key(entry, index, file) for index, entry in enumerate(images.keys))
    return msgspec.structs.replace(images, yara_rules=folders, keys=keys)


def _checked_key(entry: str, index: int, file: TomlFile) -> str:
    """Return an entry of ``keys`` with its file beside ``file``. Raises UsageError with file and line."""
    pattern, name = split_key(entry)
    path = _beside(file, name)
    try:
        read_key(Path(path))
    except UsageError as error:
        raise file.error(("images", "keys", index), error.what, error.mend) from None
    return f"{pattern} -> {path}" if pattern else path


def _check_fixture(images: Images, key: str, file: TomlFile) -> None:
    """Raise UsageError unless an image differs from others in just one point: it is ours, and by digest."""
    image = getattr(images, key)
    if image is None:
        return
    try:
        reference = parse_reference(image)
    except ValueError as error:
        raise file.error(("images", key), str(error)) from None
    if not reference.digest:
        raise file.error(("images", key), f"{image} is not named by digest", "write it as repository@sha256:...")
    prefixes = tuple(f"{registry.rstrip('/')}/" for registry in images.allowed_registries)
    if not image.startswith(prefixes):
        mend = "name one of ours, so that a refusal cannot be about the registry"
        raise file.error(("images", key), f"{image} comes from no allowed registry", mend)


def checked_registries(registries: Registries, file: TomlFile) -> Registries:
    """Return the section with its files beside ``file``. Raises UsageError with file and line."""
    hosts = tuple(_checked_host(each, index, file) for index, each in enumerate(registries.hosts))
    for index, each in enumerate(hosts):
        if any(each.host == before.host for before in hosts[:index]):
            raise file.error(("registries", "hosts", index), f"the registry {each.host} is declared twice")
    if registries.credentials is None:
        return msgspec.structs.replace(registries, hosts=hosts)
    path = _beside(file, registries.credentials)
    try:
        read_logins(Path(path))
    except UsageError as error:
        raise file.error(("registries", "credentials"), f"{path}: {error.what}", error.mend) from None
    return msgspec.structs.replace(registries, hosts=hosts, credentials=path)


def _checked_host(host: RegistryHost, index: int, file: TomlFile) -> RegistryHost:
    where = ("registries", "hosts", index)
    try:
        name = registry_name(host.host)
    except ValueError as error:
        mend = "write it as references of images do, for example registry.example:5000"
        raise file.error((*where, "host"), str(error), mend) from None
    try:
        place = Place.parse(host.address) if host.address else None
    except ValueError as error:
        raise file.error((*where, "address"), str(error)) from None
    if host.insecure and not is_loopback(place.host if place else host_of(name)):
        raise file.error((*where, "insecure"), f"{name} is not on loopback, so it has to talk TLS", "declare its ca instead")
    try:
        tokens = registry_name(host.tokens) if host.tokens else None
    except ValueError as error:
        raise file.error((*where, "tokens"), str(error), "write it as host or host:port") from None
    ca = _beside(file, host.ca) if host.ca else None
    if ca:
        try:
            ssl.create_default_context(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise file.error((*where, "ca"), f"{ca} cannot be read as certificates: {error.strerror or 'no PEM'}") from None
    return msgspec.structs.replace(host, host=name, ca=ca, tokens=tokens)


def host_of(registry: str) -> str:
    """Return the host of a registry without its port."""
    host, colon, port = registry.rpartition(":")
    return host if colon and port.isdigit() and not host.endswith(":") else registry


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address stands for this machine itself."""
    return ip_address(host.strip("[]")).is_loopback if _is_address(host) else host == "localhost"


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _beside(file: TomlFile, name: str) -> str:
    return str(file.path.parent / Path(name).expanduser())
