"""Members of etcd by themselves, and an API server in front of one, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soc2.declared_etcd import Etcd
from soc2.demo.build import Binaries
from soc2.demo.controlplane import ControlPlane, Protections
from soc2.demo.pki import CertificateAuthority
from soc2.demo.process import Child, free_port, wait_until
from soc2.gather.etcd.stored import EtcdKeys
from soc2.gather.kubernetes.connection import GatherError
from soc2.model.network.places import Place


@contextmanager
def member(binaries: Binaries, folder: Path, *flags: str, scheme: str = "https") -> Iterator[tuple[Place, Path]]:
    """Yield where a member listens for clients, and the file of its issuer. ``flags`` are its own, beside its certificate."""
    authority = CertificateAuthority(folder / "pki")
    pair = authority.server("server")
    port = free_port()
    client, peer = f"{scheme}://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    tls = [f"--cert-file={pair.certificate}", f"--key-file={pair.key}"] if scheme == "https" else []
    command = [
        str(binaries.controlplane),
        "etcd",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        *tls,
        *(flag.format(ca=authority.certificate) for flag in flags),
    ]
    child = Child("etcd", command, folder / "etcd.log")
    place = Place("127.0.0.1", port)
    try:
        child.wait_ready(lambda: "ready to serve client requests" in (folder / "etcd.log").read_text(), 30)
        yield place, authority.certificate
    finally:
        child.stop()


class PlainApiServer(ControlPlane):
    """An API server without encryption that keeps its objects beside those of another, in the same etcd."""

    PREFIX = "/plain"

    def __init__(self, binaries: Binaries, folder: Path, beside: ControlPlane) -> None:
        super().__init__(binaries, folder, Protections(encryption_at_rest=False, audit_log=False))
        self._beside = beside
        self.authority = beside.authority
        self._server = beside.authority.server("beside")
        self.etcd_client = beside.etcd_client

    @property
    def etcd_url(self) -> str:
        return self._beside.etcd_url

    def start(self) -> None:
        self._port = free_port()
        flags = [*self._apiserver_flags(), f"--etcd-prefix={self.PREFIX}"]
        self._start("kube-apiserver", flags).wait_ready(self._api_ready, 60)


def etcd_of(cluster: ControlPlane, prefix: str = "/registry") -> Etcd:
    """Return how a system.toml declares the etcd of an embedded control plane."""
    return Etcd(
        endpoints=(cluster.etcd_url.removeprefix("https://"),),
        ca=str(cluster.authority.certificate),
        client_cert=str(cluster.etcd_client.certificate),
        client_key=str(cluster.etcd_client.key),
        prefix=prefix,
    )


def is_gone(etcd: Etcd, key: str) -> bool:
    """Tell whether etcd has no such key, or will not in a moment."""

    def gone() -> bool:
        try:
            return EtcdKeys(etcd).read(etcd.places[0], key) is None
        except GatherError:
            return False

    return wait_until(gone, 5.0)
