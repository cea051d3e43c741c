"""EC2, EKS and ECR: what runs, and the network around it."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import field

from soc2.model.aws.base import CamelRecord, PascalRecord, Tag, aws_resource, principal_resource
from soc2.model.deviation import Resource


class MetadataOptions(msgspec.Struct, frozen=True, rename="pascal"):
    http_tokens: str = "optional"
    http_put_response_hop_limit: int = 1
    http_endpoint: str = "enabled"


class InstanceState(msgspec.Struct, frozen=True, rename="pascal"):
    name: str = ""


class ProfileReference(msgspec.Struct, frozen=True, rename="pascal"):
    arn: str = ""


class Instance(PascalRecord, frozen=True):
    instance_id: str = ""
    image_id: str = ""
    iam_instance_profile: ProfileReference | None = None
    metadata_options: MetadataOptions = MetadataOptions()
    public_ip_address: str | None = None
    private_ip_address: str | None = None
    state: InstanceState = InstanceState()
    tags: tuple[Tag, ...] = ()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::Instance", self.instance_id)


class Volume(PascalRecord, frozen=True):
    volume_id: str = ""
    encrypted: bool = False
    tags: tuple[Tag, ...] = ()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::Volume", self.volume_id)


class IpRange(msgspec.Struct, frozen=True):
    cidr: str = field(default="", name="CidrIp")


class Ipv6Range(msgspec.Struct, frozen=True):
    cidr: str = field(default="", name="CidrIpv6")


class GroupReference(msgspec.Struct, frozen=True, rename="pascal"):
    """A security group that an interface wears."""

    group_id: str = ""


class GroupPair(msgspec.Struct, frozen=True, rename="pascal"):
    """A security group whose wearers a rule lets in: one of the VPC, of a peered VPC or of another account."""

    group_id: str = ""
    user_id: str = ""
    vpc_peering_connection_id: str = ""
    peering_status: str = ""


class PrefixListReference(msgspec.Struct, frozen=True, rename="pascal"):
    prefix_list_id: str = ""


class IpPermission(msgspec.Struct, frozen=True, rename="pascal"):
    ip_protocol: str = "-1"
    from_port: int | None = None
    to_port: int | None = None
    ip_ranges: tuple[IpRange, ...] = ()
    ipv6_ranges: tuple[Ipv6Range, ...] = ()
    user_id_group_pairs: tuple[GroupPair, ...] = ()
    prefix_list_ids: tuple[PrefixListReference, ...] = ()


class SecurityGroup(PascalRecord, frozen=True):
    group_id: str = ""
    group_name: str = ""
    vpc_id: str = ""
    ip_permissions: tuple[IpPermission, ...] = ()
    ip_permissions_egress: tuple[IpPermission, ...] = ()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::SecurityGroup", self.group_name)


class Association(msgspec.Struct, frozen=True, rename="pascal"):
    public_ip: str = ""


class PrivateAddress(msgspec.Struct, frozen=True, rename="pascal"):
    private_ip_address: str = ""
    association: Association | None = None


class Ipv6Address(msgspec.Struct, frozen=True):
    address: str = field(default="", name="Ipv6Address")


class Attachment(msgspec.Struct, frozen=True, rename="pascal"):
    instance_id: str = ""
    attach_time: datetime | None = None


class NetworkInterface(PascalRecord, frozen=True):
    """``status`` is ``in-use`` when it is attached; ``attachment`` names an instance only where it is one's. A service that
    made it and manages it is named by ``requester_id``, for some by ``interface_type`` alone."""

    network_interface_id: str = ""
    vpc_id: str = ""
    subnet_id: str = ""
    status: str = ""
    description: str = ""
    interface_type: str = ""
    requester_id: str = ""
    requester_managed: bool = False
    groups: tuple[GroupReference, ...] = ()
    private_ip_address: str = ""
    private_ip_addresses: tuple[PrivateAddress, ...] = ()
    ipv6_addresses: tuple[Ipv6Address, ...] = ()
    association: Association | None = None
    attachment: Attachment | None = None
    tags: tuple[Tag, ...] = field(default=(), name="TagSet")

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::NetworkInterface", self.network_interface_id)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return every address of it, private and public."""
        private = (self.private_ip_address, *(each.private_ip_address for each in self.private_ip_addresses))
        six = (each.address for each in self.ipv6_addresses)
        return tuple(dict.fromkeys(filter(None, (*private, *self.public_addresses, *six))))

    @property
    def public_addresses(self) -> tuple[str, ...]:
        """Return the public IPv4 addresses that lead to its private ones."""
        associations = (self.association, *(each.association for each in self.private_ip_addresses))
        return tuple(dict.fromkeys(each.public_ip for each in associations if each and each.public_ip))

    @property
    def of_eks(self) -> bool:
        """Tell whether it is one of the control plane of an EKS cluster: the service made it by its role."""
        return self.requester_id.endswith(":AmazonEKS") and not self.instance_id

    @property
    def instance_id(self) -> str:
        """Return the instance that it is attached to, or the empty string."""
        return self.attachment.instance_id if self.attachment else ""


class Vpc(PascalRecord, frozen=True):
    vpc_id: str = ""
    is_default: bool = False
    tags: tuple[Tag, ...] = ()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::VPC", self.vpc_id)


class FlowLog(PascalRecord, frozen=True):
    flow_log_id: str = ""
    resource_id: str = ""
    flow_log_status: str = ""
    deliver_logs_status: str = ""
    traffic_type: str = ""
    log_destination_type: str = ""
    log_destination: str = ""
    log_group_name: str = ""
    deliver_logs_error_message: str = ""
    log_format: str = ""
    creation_time: datetime | None = None

    @property
    def delivers_all(self) -> bool:
        """Tell whether it is on for accepted and rejected traffic, and does not say that it fails to deliver."""
        return self.flow_log_status == "ACTIVE" and self.traffic_type == "ALL" and self.deliver_logs_status != "FAILED"


class Repository(CamelRecord, frozen=True):
    repository_name: str = ""
    image_tag_mutability: str = ""
    image_scanning_configuration: dict[str, bool] = {}

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::ECR::Repository", self.repository_name)


class ClusterName(CamelRecord, frozen=True):
    value: str = ""


class AccessEntry(CamelRecord, frozen=True):
    """A principal that may enter an EKS cluster: ``value`` is its ARN, ``parent_key`` the cluster."""

    value: str = ""

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EKS::AccessEntry", self.value)

    @property
    def principal(self) -> Resource:
        """Return the role or user that may enter, as IAM's own records name it."""
        return principal_resource(self.value)


class AccessEntryDetail(CamelRecord, frozen=True):
    """What an access entry makes of its principal: a user and a member of groups of the cluster."""

    cluster_name: str = ""
    principal_arn: str = ""
    username: str = ""
    kubernetes_groups: tuple[str, ...] = ()
    type: str = "STANDARD"


class AccessScope(msgspec.Struct, frozen=True):
    """``type`` is ``cluster`` or ``namespace``; the names of namespaces may have wildcards."""

    type: str = "cluster"
    namespaces: tuple[str, ...] = ()


class AssociatedPolicy(msgspec.Struct, frozen=True, rename="camel"):
    policy_arn: str = ""
    access_scope: AccessScope = AccessScope()


class EntryPolicies(CamelRecord, frozen=True):
    """The access policies of one access entry."""

    cluster_name: str = ""
    principal_arn: str = ""
    associated_access_policies: tuple[AssociatedPolicy, ...] = ()


class PodIdentityId(CamelRecord, frozen=True):
    cluster_name: str = ""
    association_id: str = ""


class PodIdentity(CamelRecord, frozen=True):
    """The role that the pods of a ServiceAccount get from EKS Pod Identity."""

    cluster_name: str = ""
    namespace: str = ""
    service_account: str = ""
    role_arn: str = ""
    association_id: str = ""
    disable_session_tags: bool = False


class ClusterLogSetup(msgspec.Struct, frozen=True):
    types: tuple[str, ...] = ()
    enabled: bool = False


class ClusterLogging(msgspec.Struct, frozen=True, rename="camel"):
    cluster_logging: tuple[ClusterLogSetup, ...] = ()


class VpcConfig(msgspec.Struct, frozen=True, rename="camel"):
    endpoint_public_access: bool = False
    endpoint_private_access: bool = False
    public_access_cidrs: tuple[str, ...] = ()


class EncryptionProvider(msgspec.Struct, frozen=True, rename="camel"):
    key_arn: str = ""


class ClusterEncryption(msgspec.Struct, frozen=True, rename="camel"):
    resources: tuple[str, ...] = ()
    provider: EncryptionProvider = EncryptionProvider()


class AccessConfig(msgspec.Struct, frozen=True, rename="camel"):
    """``authentication_mode`` is API, API_AND_CONFIG_MAP or CONFIG_MAP; where it is not told, the ConfigMap counts."""

    authentication_mode: str = "API_AND_CONFIG_MAP"


class EksCluster(CamelRecord, frozen=True):
    name: str = ""
    arn: str = ""
    access_config: AccessConfig = AccessConfig()
    version: str = ""
    logging: ClusterLogging = ClusterLogging()
    resources_vpc_config: VpcConfig = VpcConfig()
    encryption_config: tuple[ClusterEncryption, ...] = ()
    created_at: datetime | None = None
    tags: dict[str, str] | None = None

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EKS::Cluster", self.name)

    @property
    def encrypts_by_itself(self) -> bool:
        """Tell whether EKS encrypts what is in etcd with a key of its own, as it does from Kubernetes 1.28 on."""
        major, _, minor = self.version.partition(".")
        return major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= (1, 28)

    @property
    def log_types(self) -> frozenset[str]:
        return frozenset(kind for setup in self.logging.cluster_logging if setup.enabled for kind in setup.types)
