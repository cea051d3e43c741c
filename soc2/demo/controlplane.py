"""The real Kubernetes control plane on loopback: etcd, API server, controllers, scheduler, KWOK and a registry."""

from __future__ import annotations

import base64
import json
import re
import secrets
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext, create_default_context
from types import MappingProxyType

import yaml

from soc2.demo.build import Binaries
from soc2.demo.pki import CertificateAuthority, KeyPair, write_private
from soc2.demo.process import Child, Servers, free_port, wait_until

_READY_SECONDS = 60.0
_AUDIT_POLICY = Path(__file__).with_name("audit-policy.yaml")
_STAGE_IMAGE = re.compile(r"^( *)- image: \{\{ (\S*\.image) \| Quote \}\}$", re.M)
_SERVICE_RANGE = "10.96.0.0/16"


@dataclass(frozen=True, kw_only=True)
class Protections:
    """The protections of the control plane. All are on; a test switches one off to see the checks on it fail."""

    audit_log: bool = True
    encryption_at_rest: bool = True
    pod_security: bool = True
    rbac: bool = True
    node_restriction: bool = True
    anonymous_only_for_health: bool = True
    etcd_client_certificates: bool = True
    etcd_tls_only: bool = True


class ControlPlane(Servers):
    """A control plane of its own in ``folder``; several can run at once. Use it as a context manager."""

    def __init__(
        self,
        binaries: Binaries,
        folder: Path,
        protections: Protections | None = None,
        image_ids: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """``image_ids`` are what its nodes tell of the images that pods name by tag."""
        super().__init__(folder)
        self._image_ids = image_ids
        self.protections = protections or Protections()
        self.audit_log = folder / "audit.log"
        self._binaries = binaries
        self.authority = CertificateAuthority(folder / "pki")
        self._server = self.authority.server("server")
        self.etcd_client: KeyPair = self.authority.client("etcd-client")
        self._port = 0
        self._etcd_port = 0
        self._plain_etcd_port = 0
        self._etcd_peer_port = 0
        self._registry_port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    @property
    def etcd_url(self) -> str:
        scheme = "https" if self.protections.etcd_client_certificates else "http"
        return f"{scheme}://127.0.0.1:{self._etcd_port}"

    @property
    def etcd_endpoints(self) -> tuple[str, ...]:
        """Return where etcd listens for clients and for peers, as ``host:port``."""
        ports = [self._etcd_port, self._etcd_peer_port]
        if not self.protections.etcd_tls_only:
            ports.append(self._plain_etcd_port)
        return tuple(f"127.0.0.1:{port}" for port in ports)

    @property
    def registry(self) -> str:
        """Return host and port of the OCI registry (plain HTTP)."""
        return f"127.0.0.1:{self._registry_port}"

    def start(self) -> None:
        self._port, self._etcd_port, self._registry_port = free_port(), free_port(), free_port()
        self._plain_etcd_port, self._etcd_peer_port = free_port(), free_port()
        etcd = self._start("etcd", self._etcd_flags())
        registry = self._start("registry", [f"--address={self.registry}", f"--directory={self._subfolder('registry')}"])
        registry.wait_ready(lambda: _listening(self._registry_port), _READY_SECONDS)
        etcd.wait_ready(lambda: _listening(self._etcd_port), _READY_SECONDS)
        apiserver = self._start("kube-apiserver", self._apiserver_flags())
        apiserver.wait_ready(self._api_ready, _READY_SECONDS)
        for name in ("kube-controller-manager", "kube-scheduler"):
            self._start(name, self._client_flags(name))
        self._start_kwok()

    def kubeconfig(self, user: str, groups: tuple[str, ...] = ()) -> Path:
        """Mint a client certificate for ``user`` and return a kubeconfig, readable by its owner only, that uses it."""
        pair = self.authority.client(user, groups)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "demo",
            "clusters": [
                {"name": "demo", "cluster": {"server": self.url, "certificate-authority": str(self._ca)}},
            ],
            "users": [{"name": user, "user": {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": user}}],
        }
        name = user.replace(":", "-").replace("/", "-")
        return write_private(self.folder / f"{name}.kubeconfig", yaml.safe_dump(config).encode())

    @property
    def _ca(self) -> Path:
        return self.authority.certificate

    def _subfolder(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def _start(self, name: str, flags: list[str]) -> Child:
        command = [str(self._binaries.controlplane), name, *flags]
        child = Child(name, command, self.folder / f"{name}.log", {"GOMAXPROCS": "4"})
        self.children.append(child)
        return child

    def _etcd_flags(self) -> list[str]:
        plain = "" if self.protections.etcd_tls_only else f",http://127.0.0.1:{self._plain_etcd_port}"
        flags = [
            f"--data-dir={self._subfolder('etcd')}",
            f"--listen-client-urls={self.etcd_url}{plain}",
            f"--advertise-client-urls={self.etcd_url}",
            "--unsafe-no-fsync",  # the data does not outlive the environment
            "--log-level=warn",
        ]
        peer = f"https://127.0.0.1:{self._etcd_peer_port}"
        flags += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
        flags += [f"--initial-cluster=default={peer}", "--peer-client-cert-auth", f"--peer-trusted-ca-file={self._ca}"]
        flags += [f"--peer-cert-file={self._server.certificate}", f"--peer-key-file={self._server.key}"]
        if self.protections.etcd_client_certificates:
            flags += ["--client-cert-auth", f"--trusted-ca-file={self._ca}"]
            flags += [f"--cert-file={self._server.certificate}", f"--key-file={self._server.key}"]
        return flags

    def _apiserver_flags(self) -> list[str]:
        on = self.protections
        signing_key = self.authority.signing_key("service-accounts")
        flags = [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={self._server.certificate}",
            f"--tls-private-key-file={self._server.key}",
            f"--client-ca-file={self._ca}",
            f"--etcd-servers={self.etcd_url}",
            f"--service-cluster-ip-range={_SERVICE_RANGE}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={signing_key}",
            f"--service-account-key-file={signing_key}",
            f"--authorization-mode={'Node,RBAC' if on.rbac else 'AlwaysAllow'}",
            "--allow-privileged=true",
            "--profiling=false",
            "--endpoint-reconciler-type=none",
            "--shutdown-delay-duration=0s",
        ]
        if on.etcd_client_certificates:
            flags += [f"--etcd-cafile={self._ca}", f"--etcd-certfile={self.etcd_client.certificate}"]
            flags += [f"--etcd-keyfile={self.etcd_client.key}"]
        if on.node_restriction:
            flags.append("--enable-admission-plugins=NodeRestriction")
        if not on.pod_security:
            flags.append("--disable-admission-plugins=PodSecurity")
        if on.anonymous_only_for_health:
            flags.append(f"--authentication-config={self._authentication_config()}")
        if on.encryption_at_rest:
            flags.append(f"--encryption-provider-config={self._encryption_config()}")
        if on.audit_log:
            flags += [f"--audit-policy-file={_AUDIT_POLICY}", f"--audit-log-path={self.audit_log}"]
            flags += ["--audit-log-maxbackup=10", "--audit-log-maxsize=100"]
        return flags

    def _authentication_config(self) -> Path:
        paths = [{"path": path} for path in ("/livez", "/readyz", "/healthz", "/version")]
        config = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "anonymous": {"enabled": True, "conditions": paths},
        }
        return write_private(self.folder / "authentication.yaml", yaml.safe_dump(config).encode())

    def _encryption_config(self) -> Path:
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        providers = [{"secretbox": {"keys": [{"name": "demo", "secret": key}]}}, {"identity": {}}]
        config = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [{"resources": ["secrets"], "providers": providers}],
        }
        return write_private(self.folder / "encryption.yaml", yaml.safe_dump(config).encode())

    def _client_flags(self, name: str) -> list[str]:
        kubeconfig = self.kubeconfig(f"system:{name}")
        flags = [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1"]
        flags += [f"--secure-port={free_port()}", f"--tls-cert-file={self._server.certificate}"]
        flags += [f"--tls-private-key-file={self._server.key}", "--profiling=false"]
        if name == "kube-controller-manager":
            signing_key = self.folder / "pki" / "service-accounts.key"
            flags += [f"--root-ca-file={self._ca}", f"--service-account-private-key-file={signing_key}"]
            flags += ["--use-service-account-credentials=true", f"--cluster-signing-cert-file={self._ca}"]
            flags += [f"--cluster-signing-key-file={self.authority.key}"]
        return flags

    def _start_kwok(self) -> None:
        stages = subprocess.run([self._binaries.kwok, "stages"], capture_output=True, check=True).stdout
        config = self.folder / "kwok-stages.yaml"
        config.write_text(_with_image_ids(stages.decode(), self._image_ids))
        kubeconfig = self.kubeconfig("kwok", ("system:masters",))
        command = [
            str(self._binaries.kwok),
            f"--kubeconfig={kubeconfig}",
            f"--config={config}",
            "--manage-all-nodes=false",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{free_port()}",
        ]
        # kwok looks for further configuration in the user's home; the environment must not depend on it.
        home = self._subfolder("kwok-home")
        self.children.append(Child("kwok", command, self.folder / "kwok.log", {"HOME": str(home)}))

    def _api_ready(self) -> bool:
        # With a certificate, because an API server that authorizes everything takes no anonymous requests.
        context = self._tls_context()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", context=context, timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _tls_context(self) -> SSLContext:
        context = create_default_context(cafile=str(self._ca))
        context.load_cert_chain(self.etcd_client.certificate, self.etcd_client.key)
        return context

    def etcd_value(self, key: str) -> bytes:
        """Read one key straight from etcd, with etcd's client certificate (for tests of encryption at rest)."""
        context = self._tls_context()
        body = json.dumps({"key": base64.b64encode(key.encode()).decode()}).encode()
        request = urllib.request.Request(f"{self.etcd_url}/v3/kv/range", data=body, method="POST")  # noqa: S310
        tls = context if self.etcd_url.startswith("https") else None
        with urllib.request.urlopen(request, context=tls, timeout=5) as answer:  # noqa: S310
            found = json.load(answer).get("kvs", [])
        return base64.b64decode(found[0]["value"]) if found else b""


def _with_image_ids(stages: str, image_ids: Mapping[str, str]) -> str:
    """Return KWOK's stages with what runtimes tell of images: those that pods name by digest, and of others their own."""

    def told(found: re.Match[str]) -> str:
        value = f"{{{{ {found[2]} | Quote }}}}"
        for image, identity in image_ids.items():
            value = f'{{{{ if eq {found[2]} "{image}" }}}}"{identity}"{{{{ else }}}}{value}{{{{ end }}}}'
        return f"{found[0]}\n{found[1]}  imageID: {value}"

    return _STAGE_IMAGE.sub(told, stages)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def remove_folder(folder: Path) -> bool:
    """Delete an environment's folder; retry while a server that was just killed still writes."""

    def gone() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    return wait_until(gone, 3.0)
