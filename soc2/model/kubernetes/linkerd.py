"""What Linkerd is told: which ports of which pods it guards, and who may connect to them."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from soc2.model.kubernetes.meta import KubeObject, LabelSelector, Record


class ServerSpec(Record, frozen=True):
    """``pod_selector`` is None for a Server of machines outside of the cluster."""

    pod_selector: LabelSelector | None = None
    port: int | str = 0
    access_policy: str = "deny"


class Server(KubeObject, frozen=True):
    KIND: ClassVar[str] = "Server"

    spec: ServerSpec = ServerSpec()


class Reference(Record, frozen=True):
    """A reference to an object; without a namespace to one of the same namespace."""

    kind: str = ""
    name: str = ""
    group: str = ""
    namespace: str = ""


class LinkerdAuthorizationSpec(Record, frozen=True):
    target_ref: Reference = Reference()
    required_authentication_refs: tuple[Reference, ...] = ()


class LinkerdAuthorizationPolicy(KubeObject, frozen=True):
    KIND: ClassVar[str] = "AuthorizationPolicy"

    spec: LinkerdAuthorizationSpec = LinkerdAuthorizationSpec()


class MeshTlsSpec(Record, frozen=True):
    identities: tuple[str, ...] | None = None
    identity_refs: tuple[Reference, ...] | None = None


class MeshTlsAuthentication(KubeObject, frozen=True):
    KIND: ClassVar[str] = "MeshTLSAuthentication"

    spec: MeshTlsSpec = MeshTlsSpec()


class GuardedNetwork(Record, frozen=True):
    cidr: str = ""
    except_: tuple[str, ...] | None = field(default=None, name="except")


class NetworkAuthenticationSpec(Record, frozen=True):
    networks: tuple[GuardedNetwork, ...] = ()


class NetworkAuthentication(KubeObject, frozen=True):
    KIND: ClassVar[str] = "NetworkAuthentication"

    spec: NetworkAuthenticationSpec = NetworkAuthenticationSpec()


class ServerChoice(Record, frozen=True):
    name: str = ""
    selector: LabelSelector | None = None


class AccountName(Record, frozen=True):
    name: str = ""
    namespace: str = ""


class MeshTlsClient(Record, frozen=True):
    unauthenticated_tls: bool = field(default=False, name="unauthenticatedTLS")
    identities: tuple[str, ...] | None = None
    service_accounts: tuple[AccountName, ...] | None = None


class ServerClient(Record, frozen=True):
    unauthenticated: bool = False
    mesh_tls: MeshTlsClient | None = field(default=None, name="meshTLS")
    networks: tuple[GuardedNetwork, ...] | None = None


class ServerAuthorizationSpec(Record, frozen=True):
    server: ServerChoice = ServerChoice()
    client: ServerClient = ServerClient()


class ServerAuthorization(KubeObject, frozen=True):
    """The older way to say who may connect."""

    KIND: ClassVar[str] = "ServerAuthorization"

    spec: ServerAuthorizationSpec = ServerAuthorizationSpec()
