"""The section [etcd] of system.toml: paths beside the file, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from soc2.demo.pki import CertificateAuthority
from soc2.errors import UsageError
from soc2.model.network.places import Place
from soc2.system import System, load_system


def loaded(folder: Path, section: str) -> System:
    authority = CertificateAuthority(folder / "pki")
    authority.client("client")
    key = ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (folder / "locked.key").write_bytes(locked)
    path = folder / "system.toml"
    path.write_text(f'[system]\nname = "t"\nowner = "t"\n[etcd]\n{section}\n')
    return load_system(path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    section = 'endpoints = ["etcd-1:2379", "[2001:db8::1]:2380"]\nca = "pki/ca.crt"\nclient_cert = "pki/client.crt"'
    etcd = loaded(tmp_path, f'{section}\nclient_key = "pki/client.key"\nencryption_config = "pki/ca.key"').etcd
    assert etcd.encryption_config == str(tmp_path / "pki/ca.key")
    assert etcd.places == (Place("etcd-1", 2379), Place("2001:db8::1", 2380))
    assert (etcd.ca, etcd.client_cert) == (str(tmp_path / "pki/ca.crt"), str(tmp_path / "pki/client.crt"))
    assert etcd.prefix == "/registry"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('endpoints = ["https://etcd-1:2379"]', "write it without scheme and path"),
        ('endpoints = ["etcd-1"]', "not of the form host:port"),
        ('endpoints = ["etcd-1:2379", "ETCD-1.:2379"]', "the endpoint etcd-1:2379 is declared twice"),
        ('ca = "missing.crt"', "cannot be read"),
        ('ca = "pki"', "cannot be read"),
        ('ca = "system.toml"', "holds no certificate in PEM form"),
        ('client_cert = "pki/client.crt"', '"client_cert" is of no use without "client_key"'),
        ('client_key = "pki/client.key"', '"client_key" is of no use without "client_cert"'),
        ('client_cert = "pki/client.crt"\nclient_key = "pki/client.crt"', "holds no private key in PEM form"),
        ('client_cert = "pki/client.crt"\nclient_key = "locked.key"', "needs a passphrase"),
        ('client_cert = "pki/client.crt"\nclient_key = "pki/ca.key"', "is not the key of the certificate"),
        ('prefix = "registry"', "prefix"),
        ('encryption_config = "missing.yaml"', "missing.yaml is no file"),
        ('endpoint = "etcd-1:2379"', 'did you mean "endpoints"?'),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, section: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        loaded(tmp_path, section)
    assert message in str(error.value)
    assert error.value.line
    assert error.value.line >= 4
