"""CC6.6: what crosses the boundary is limited and watched."""

from __future__ import annotations

from datetime import datetime

import pytest

from fixtures.judge import Judge
from soc2.model.aws.balancers import Balancer
from soc2.model.aws.chains import GroupDoors
from soc2.model.aws.eks_endpoints import EksEndpoint
from soc2.model.aws.group_records import OpenGroup, WornTogether
from soc2.model.aws.joins import LoggedVpc, UsedGroup
from soc2.model.aws.node_addresses import NodeAddresses
from soc2.model.aws.public_addresses import PublicAddress
from soc2.model.aws.transit import CloudCertificate, UsedListener
from soc2.model.aws.web_endpoints import WebEndpoint
from soc2.model.detections import Detection
from soc2.model.kubernetes.api_server import ApiServerPlace
from soc2.model.kubernetes.approvals import Approval
from soc2.model.kubernetes.attachment import AttachedRoute, OpenGateway
from soc2.model.kubernetes.host_ports import WorkloadPorts
from soc2.model.kubernetes.network import Ingress, Service
from soc2.model.network.connections import ReachedWorkload, WorkloadEgress
from soc2.model.network.declared_lines import DeclaredLine
from soc2.model.network.defaults import NamespaceDefault
from soc2.model.network.flow_delivery import DeliveringVpc
from soc2.model.network.flows import ListedTraffic
from soc2.model.network.mesh.mutual import MeshMember, Unmatched
from soc2.model.network.probed import HandledProbe
from soc2.model.network.seen import SeenPair
from soc2.model.network.selected import PolicyEffect
from soc2.model.population import Population
from soc2.model.tls import Certificates, PlainHttp, Versions
from soc2.rules import (
    balancers,
    cloud_compute,
    cloud_transit,
    detections,
    exposure,
    flows,
    groups,
    mesh,
    network,
    reach,
    tls,
    waf,
)
from soc2.rules import public_addresses as addresses
from soc2.system import System


@pytest.mark.check(
    "default-deny-ingress",
    severity="high",
    seed=True,
    official=["CC6.6", "CC6.1"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Add a NetworkPolicy with an empty podSelector and policyTypes [Ingress], and narrow rules that allow everything",
)
def test_ingress_is_denied_by_default(namespaces_by_default: Population[NamespaceDefault], judge: Judge) -> None:
    """Every namespace in scope denies ingress by default."""
    judge(namespaces_by_default, network.default_deny("Ingress"))


@pytest.mark.check(
    "default-deny-egress",
    severity="high",
    seed=True,
    official=["CC6.6", "CC6.1"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Add a NetworkPolicy with an empty podSelector and policyTypes [Egress], and narrow rules that allow everything",
)
def test_egress_is_denied_by_default(namespaces_by_default: Population[NamespaceDefault], judge: Judge) -> None:
    """Every namespace in scope denies egress by default."""
    judge(namespaces_by_default, network.default_deny("Egress"))


@pytest.mark.check(
    "policies-select-something",
    severity="medium",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Correct the selector or the name of the port, or remove what is not needed",
)
def test_policies_select_something(network_policies: Population[PolicyEffect], judge: Judge) -> None:
    """Every selector of a network policy selects something that is there, and every port that it names exists."""
    judge(network_policies, reach.selects_something)


@pytest.mark.check(
    "restricted-workloads-reached-as-declared",
    severity="critical",
    official=["CC6.6", "CC6.1"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Narrow the rule that lets it through, or declare the connection under [[network.connections]]",
)
def test_restricted_workloads_are_reached_as_declared(restricted_workloads: Population[ReachedWorkload], judge: Judge) -> None:
    """Nothing from outside or other namespaces reaches workloads that hold restricted data but what is declared."""
    judge(restricted_workloads, reach.reached_as_declared)


@pytest.mark.check(
    "no-undeclared-egress-to-metadata",
    severity="high",
    official=["CC6.6", "CC6.1"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Except 169.254.169.254/32 and fd00:ec2::254/128 from the ipBlock, or declare a connection to metadata",
)
def test_nothing_reaches_the_metadata_service_undeclared(workload_egress: Population[WorkloadEgress], judge: Judge) -> None:
    """No workload in scope reaches the metadata service of its node unless that is declared."""
    judge(workload_egress, reach.metadata_as_declared)


@pytest.mark.check(
    "no-undeclared-egress-to-internet",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Narrow the rule to the addresses and ports that are needed, and declare these under [[network.connections]]",
)
def test_nothing_reaches_the_internet_undeclared(workload_egress: Population[WorkloadEgress], judge: Judge) -> None:
    """No workload in scope reaches addresses of the internet but those, and on the ports, that are declared."""
    judge(workload_egress, reach.internet_as_declared)


@pytest.mark.check(
    "declared-connections-hold",
    severity="medium",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Correct or remove the line of [[network.connections]], or widen the policy that stops it",
)
def test_declared_connections_hold(declared_connections: Population[DeclaredLine], judge: Judge) -> None:
    """Every declared connection names workloads that are there, and is possible by the policies."""
    judge(declared_connections, reach.declared_holds)


@pytest.mark.check(
    "exposed-services-approved",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Make the Service a ClusterIP, or approve it under [exposure] services",
)
def test_exposed_services_are_approved(services: Population[Service], judge: Judge, system: System) -> None:
    """Only approved Services are reachable from outside the cluster."""
    judge(services, exposure.service_approved(system.exposure.services))


@pytest.mark.check(
    "ingresses-approved",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Remove the Ingress, or approve it under [exposure] ingresses",
)
def test_ingresses_are_approved(ingresses: Population[Ingress], judge: Judge, system: System) -> None:
    """Only approved Ingresses exist."""
    judge(ingresses, exposure.ingress_approved(system.exposure.ingresses))


@pytest.mark.check(
    "gateways-approved",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Remove it, or approve it under [exposure] gateways or routes; let listeners take routes from chosen namespaces",
)
def test_gateways_are_approved(gateways: Population[OpenGateway | AttachedRoute], judge: Judge, system: System) -> None:
    """Only approved Gateways exist, and only approved routes from other namespaces attach to them."""
    judge(gateways, exposure.gateway_approved(system.exposure.gateways, system.exposure.routes))


@pytest.mark.check(
    "host-ports-approved",
    severity="medium",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Use a Service instead of hostPort and hostNetwork, or approve the port under [exposure] host_ports",
)
def test_host_ports_are_approved(workloads_on_nodes: Population[WorkloadPorts], judge: Judge, system: System) -> None:
    """Only approved ports of nodes are taken by workloads."""
    judge(workloads_on_nodes, exposure.host_ports_approved(system.exposure.host_ports))


@pytest.mark.check(
    "approved-exposure-exists",
    severity="medium",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Remove the entry from its list under [exposure], or correct its name",
)
def test_approved_exposure_exists(approved_exposure: Population[Approval], judge: Judge) -> None:
    """Everything that is approved to be reachable from outside the cluster is there and is reachable."""
    judge(approved_exposure, exposure.still_there)


@pytest.mark.check(
    "load-balancers-approved",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Delete it or make it internal, or approve it (or the Service, Ingress or Gateway that it is of) under [exposure]",
)
def test_load_balancers_are_approved(load_balancers: Population[Balancer], judge: Judge, system: System) -> None:
    """Only approved load balancers of the account are reached from the internet."""
    approved = system.exposure
    in_cluster = {"Service": approved.services, "Ingress": approved.ingresses, "Gateway": approved.gateways}
    judge(load_balancers, balancers.balancer_approved(approved.load_balancers, in_cluster, system.kubernetes.cluster))


@pytest.mark.check(
    "approved-cloud-exposure-exists",
    severity="medium",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Remove the entry from its list under [exposure], or correct its name",
)
def test_approved_exposure_of_the_account_exists(approved_cloud_exposure: Population[Approval], judge: Judge) -> None:
    """Everything of the account that is approved to be reachable from outside is there and is reachable."""
    judge(approved_cloud_exposure, exposure.still_there)


@pytest.mark.check(
    "waf-covers-endpoints",
    severity="medium",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Associate a web ACL whose rules block, and give it a logging configuration",
)
def test_web_acls_cover_what_faces_the_internet(web_endpoints_outside: Population[WebEndpoint], judge: Judge) -> None:
    """A web ACL that stops something and logs is before everything of the account that answers HTTP to the internet."""
    judge(web_endpoints_outside, waf.covered)


@pytest.mark.check(
    "admin-ports-closed",
    severity="critical",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Narrow the source of the rule",
)
def test_admin_ports_are_closed_to_the_world(open_groups: Population[OpenGroup | WornTogether], judge: Judge) -> None:
    """No attached security group opens administration or database ports to the world, by itself or with others."""
    judge(open_groups, groups.admin_ports_closed)


@pytest.mark.check(
    "unused-groups-open-nothing",
    severity="low",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Delete the security group, or narrow the source of the rule before something wears it",
)
def test_unused_groups_open_nothing(unused_groups: Population[OpenGroup], judge: Judge) -> None:
    """No security group that no interface wears opens administration or database ports to the world."""
    judge(unused_groups, groups.opens_nothing_unused)


@pytest.mark.check(
    "admin-ports-not-reached-through-groups",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Narrow one of the rules of the chain, or declare the last of its connections under [[network.connections]]",
)
def test_admin_ports_are_not_reached_through_groups(groups_behind_groups: Population[GroupDoors], judge: Judge) -> None:
    """No administration or database port is open to a group whose wearers the world reaches, but where that is declared."""
    judge(groups_behind_groups, groups.not_reached_through_groups)


@pytest.mark.check(
    "nodes-have-no-public-address",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Run nodes in private subnets, without public or Elastic IP addresses, and let traffic in by a load balancer",
)
def test_nodes_have_no_public_address(nodes_with_addresses: Population[NodeAddresses], judge: Judge) -> None:
    """No worker node has an address of the internet."""
    judge(nodes_with_addresses, addresses.node_not_public)


@pytest.mark.check(
    "public-addresses-approved",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Release or remove the address, or approve it under [exposure] public_addresses",
)
def test_public_addresses_are_approved(public_addresses: Population[PublicAddress], judge: Judge, system: System) -> None:
    """Only approved public addresses lead into the account, or wait to."""
    judge(public_addresses, addresses.address_approved(system.exposure.public_addresses))


@pytest.mark.check(
    "api-server-not-public",
    severity="high",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Give the API server a private address, or waive this with the networks that a firewall limits it to",
)
def test_api_server_is_not_public(api_server_places: Population[ApiServerPlace], judge: Judge) -> None:
    """The API server does not answer at an address of the internet; that of EKS has a check of its own."""
    judge(api_server_places, addresses.api_server_not_public)


@pytest.mark.check(
    "default-security-groups-empty",
    severity="medium",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Remove its rules and give every resource a group of its own",
)
def test_default_security_groups_are_empty(security_groups: Population[UsedGroup], judge: Judge) -> None:
    """The default security group of every VPC has no rules."""
    judge(security_groups, cloud_compute.default_group_empty)


@pytest.mark.check(
    "mesh-mtls-strict",
    severity="medium",
    official=["CC6.6", "CC6.7"],
    hipaa=["164.312(e)(2)(i)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Require mutual TLS (STRICT) and give the workload its proxy, or declare it under [[network.mesh.plaintext]]",
)
def test_the_mesh_takes_nothing_but_mutual_tls(mesh_workloads: Population[MeshMember | Unmatched], judge: Judge) -> None:
    """Workloads of the namespaces where the mesh is a stated control take connections by mutual TLS only."""
    judge(mesh_workloads, mesh.mutual_tls_only)


@pytest.mark.check(
    "eks-endpoint-restricted",
    severity="critical",
    official=["CC6.6"],
    hipaa=["164.312(e)(1)", "164.312(a)(1)"],
    gdpr=["32(1)(b)"],
    kind="configuration",
    remedy="Restrict publicAccessCidrs, or make the endpoint private",
)
def test_eks_endpoints_are_restricted(eks_endpoints: Population[EksEndpoint], judge: Judge) -> None:
    """The API endpoint of every EKS cluster is private or limited to named networks."""
    judge(eks_endpoints, cloud_compute.eks_endpoint)


@pytest.mark.check(
    "old-tls-refused",
    severity="high",
    official=["CC6.6", "CC6.7"],
    hipaa=["164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)"],
    kind="probe",
    remedy="Set the oldest version of the endpoint to TLS 1.2 and leave its cipher suites at their defaults",
)
def test_old_tls_is_refused(tls_endpoints: Population[Versions], judge: Judge) -> None:
    """Every declared endpoint refuses versions of TLS before 1.2, and broken cipher suites."""
    judge(tls_endpoints, tls.old_tls_refused)


@pytest.mark.check(
    "plain-http-refused",
    severity="high",
    official=["CC6.6", "CC6.7"],
    hipaa=["164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)"],
    kind="probe",
    remedy="Close the port, or redirect all of it to https of the same host",
)
def test_plain_http_is_refused(plain_http: Population[PlainHttp], judge: Judge) -> None:
    """No declared endpoint answers plain HTTP with anything but a redirect to HTTPS of the same host."""
    judge(plain_http, tls.plain_http_refused)


@pytest.mark.check(
    "endpoint-certificates-valid",
    severity="high",
    official=["CC6.6", "CC6.7"],
    hipaa=["164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)"],
    kind="probe",
    remedy="Renew the certificate, for the names that are served, from an issuer that clients trust",
)
def test_certificates_of_endpoints_are_valid(
    endpoint_certificates: Population[Certificates], judge: Judge, system: System, as_of: datetime
) -> None:
    """Every declared endpoint presents certificates that clients trust, for its name, for long enough to come."""
    judge(endpoint_certificates, tls.certificates_valid(system.thresholds.certificate_expiry_days, as_of))


@pytest.mark.check(
    "load-balancers-use-tls",
    severity="high",
    official=["CC6.6", "CC6.7"],
    hipaa=["164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Give the listener a policy from TLS 1.2 on (ELBSecurityPolicy-TLS13-1-2-2021-06), or redirect it to HTTPS",
)
def test_load_balancers_use_tls(listeners: Population[UsedListener], judge: Judge) -> None:
    """No listener of a load balancer allows TLS before 1.2 or answers plain HTTP."""
    judge(listeners, cloud_transit.listener_uses_tls)


@pytest.mark.check(
    "cloud-certificates-renew",
    severity="medium",
    official=["CC6.6", "CC6.7"],
    hipaa=["164.312(e)(2)(ii)"],
    gdpr=["32(1)(a)"],
    kind="configuration",
    remedy="Let the service issue and renew it, complete its validation, or delete what nothing uses",
)
def test_cloud_certificates_renew(
    cloud_certificates: Population[CloudCertificate], judge: Judge, system: System, as_of: datetime
) -> None:
    """Certificates of the account are valid for long enough to come, and those in use renew by themselves."""
    judge(cloud_certificates, cloud_transit.certificate_renews(system.thresholds.certificate_expiry_days, as_of))


@pytest.mark.check(
    "vpc-flow-logs",
    severity="high",
    seed=True,
    official=["CC6.6", "CC7.2"],
    hipaa=["164.312(b)"],
    gdpr=["33(1)"],
    kind="configuration",
    remedy="Create a flow log for all traffic",
)
def test_flow_logs_record_every_vpc(vpcs: Population[LoggedVpc], judge: Judge) -> None:
    """An active flow log records the traffic of every VPC."""
    judge(vpcs, cloud_compute.flow_logged)


@pytest.mark.check(
    "flow-logs-deliver",
    severity="high",
    official=["CC6.6", "CC7.2"],
    hipaa=["164.312(b)"],
    gdpr=["33(1)"],
    kind="log",
    remedy="Mend the flow log's delivery, and declare its destination under [[logs.sources]]",
)
def test_flow_logs_deliver(delivering: Population[DeliveringVpc], judge: Judge) -> None:
    """Flow logs of every VPC arrive in declared logs, without silent hours and from every interface in use."""
    judge(delivering, flows.delivers)


@pytest.mark.check(
    "accepted-connections-declared",
    severity="high",
    event=True,
    official=["CC6.6", "CC7.2"],
    hipaa=["164.312(e)(1)", "164.312(b)"],
    gdpr=["32(1)(b)"],
    kind="log",
    remedy="Find out who it was, and remove what lets it through; or declare it under [[network.connections]]",
)
def test_accepted_connections_are_declared(seen_connections: Population[SeenPair], judge: Judge) -> None:
    """Every accepted connection that flow logs show is one of the declared ones."""
    judge(seen_connections, flows.declared)


@pytest.mark.check(
    "listed-addresses-avoided",
    severity="critical",
    event=True,
    official=["CC6.6", "CC6.8", "CC7.2"],
    hipaa=["164.308(a)(1)(ii)(D)", "164.312(b)"],
    gdpr=["32(1)(b)"],
    kind="log",
    remedy="Isolate the end in the account or the cluster, find out what it is, and block the address",
)
def test_listed_addresses_are_avoided(listed_traffic: Population[ListedTraffic], judge: Judge) -> None:
    """No accepted connection is from or to an address on the owner's list."""
    judge(listed_traffic, flows.listed)


@pytest.mark.check(
    "probes-from-outside-handled",
    severity="medium",
    event=True,
    official=["CC6.6", "CC7.3"],
    hipaa=["164.308(a)(6)(ii)", "164.312(e)(1)"],
    gdpr=["32(1)(d)"],
    kind="log",
    remedy="Look into it, record in the feed of alerts what it was, and close what was let in",
)
def test_probes_from_outside_are_handled(
    probes: Population[HandledProbe], judge: Judge, system: System, as_of: datetime
) -> None:
    """Somebody found out about every address outside that was refused at many targets."""
    judge(probes, flows.probes_handled(system.thresholds.alert_triage_hours, as_of))


@pytest.mark.check(
    "network-detections-handled",
    severity="high",
    event=True,
    official=["CC6.6"],
    hipaa=["164.308(a)(6)(ii)", "164.312(e)(1)"],
    gdpr=["33(1)", "33(5)"],
    kind="log",
    remedy="Look into it, record in the feed of alerts what it was, and close the path",
)
def test_attacks_over_the_network_are_handled(
    network_attacks: Population[Detection], judge: Judge, system: System, as_of: datetime
) -> None:
    """What the logs show of attacks over the network was found out about within the limit."""
    judge(network_attacks, detections.handled(system.thresholds.alert_triage_hours, as_of))
