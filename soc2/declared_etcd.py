"""The section ``[etcd]`` of ``system.toml``: where etcd listens, and the certificate that may read from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Meta

from soc2.model.network.places import Place
from soc2.section import Name, Section
from soc2.toml_file import TomlFile

_PEM = "write the path of a PEM file, relative to this file"


class Etcd(Section, frozen=True):
    """``endpoints`` are ``host:port``, of clients or of peers: each has to refuse whoever comes without a certificate.

    ``ca`` is a PEM file with the issuers of etcd's own certificates. ``client_cert`` and ``client_key`` are read by one
    writing probe only, which reads what became of its own Secret; ``prefix`` is where the API server keeps its objects
    (its flag ``--etcd-prefix``). ``encryption_config`` is a copy of what its flag ``--encryption-provider-config`` names.
    """

    endpoints: tuple[Name, ...] = ()
    ca: Name | None = None
    client_cert: Name | None = None
    client_key: Name | None = None
    encryption_config: Name | None = None
    prefix: Annotated[str, Meta(pattern=r"^/[\x21-\x7e]*$")] = "/registry"

    @property
    def places(self) -> tuple[Place, ...]:
        return tuple(Place.parse(each) for each in self.endpoints)


def checked_etcd(etcd: Etcd, file: TomlFile) -> Etcd:
    """Return the section with paths made absolute. Raises UsageError with file, line and what is wrong."""
    seen: set[Place] = set()
    for index, text in enumerate(etcd.endpoints):
        try:
            place = Place.parse(text)
        except ValueError as error:
            raise file.error(("etcd", "endpoints", index), str(error), "write it without scheme and path") from None
        if place in seen:
            raise file.error(("etcd", "endpoints", index), f"the endpoint {place} is declared twice")
        seen.add(place)
    if (etcd.client_cert is None) != (etcd.client_key is None):
        given, other = ("client_cert", "client_key") if etcd.client_key is None else ("client_key", "client_cert")
        raise file.error(("etcd", given), f'"{given}" is of no use without "{other}"')
    folder = Path(file.path).parent
    paths = {key: str(folder / name) for key in _FILES if (name := getattr(etcd, key))}
    for key, path in paths.items():
        _require_pem(file, key, path)
    if etcd.encryption_config:
        paths["encryption_config"] = str(folder / etcd.encryption_config)
        if not Path(paths["encryption_config"]).is_file():
            raise file.error(("etcd", "encryption_config"), f"{paths['encryption_config']} is no file", "write its path")
    if "client_key" in paths and not _belong_together(paths["client_cert"], paths["client_key"]):
        raise file.error(("etcd", "client_key"), f"{paths['client_key']} is not the key of the certificate in client_cert")
    return msgspec.structs.replace(etcd, **paths)


_FILES = ("ca", "client_cert", "client_key")


def _require_pem(file: TomlFile, key: str, path: str) -> None:
    what = "private key" if key == "client_key" else "certificate"
    try:
        data = Path(path).read_bytes()
        if key == "client_key":
            load_pem_private_key(data, None)
        else:
            x509.load_pem_x509_certificates(data)
    except OSError as error:
        raise file.error(("etcd", key), f"{path} cannot be read: {error.strerror}", _PEM) from None
    except TypeError:
        raise file.error(("etcd", key), f"the private key in {path} needs a passphrase", "store it without one") from None
    except ValueError:
        raise file.error(("etcd", key), f"{path} holds no {what} in PEM form", _PEM) from None


def _belong_together(certificate: str, key: str) -> bool:
    public = x509.load_pem_x509_certificates(Path(certificate).read_bytes())[0].public_key()
    return public == load_pem_private_key(Path(key).read_bytes(), None).public_key()
