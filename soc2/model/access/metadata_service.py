"""Which pods reach the metadata service of their node's instance, and so the credentials of its role.

Source: the documentation of EC2's instance metadata options. The hop limit counts the answer to the request for a session
token only: where tokens are optional, a pod gets along without one. Of NetworkPolicies, the peers by address count; they
hold where the cluster's network enforces them, and never for pods on the host's network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from soc2.model.aws.compute import Instance
from soc2.model.kubernetes.network import EgressRule, NetworkPolicy, NetworkPolicyPort

_ADDRESS = ipaddress.ip_address("169.254.169.254")
_PORT = 80


def answers_pods(instance: Instance) -> str | None:
    """Return in words why an instance's metadata service answers pods with a network of their own, or None."""
    options = instance.metadata_options
    if options.http_endpoint != "enabled":
        return None
    if options.http_tokens != "required":
        return "it needs no session token"
    if options.http_put_response_hop_limit > 1:
        return f"its hop limit is {options.http_put_response_hop_limit}"
    return None


def answers_its_host(instance: Instance) -> bool:
    return instance.metadata_options.http_endpoint == "enabled"


def may_connect(labels: dict[str, str], policies: Iterable[NetworkPolicy]) -> bool:
    """Tell whether the NetworkPolicies of its namespace let a pod with these labels connect to the metadata service."""
    selecting = [item for item in policies if _limits_egress(item) and item.spec.pod_selector.matches(labels)]
    return not selecting or any(_allows(rule) for item in selecting for rule in item.spec.egress)


def _limits_egress(policy: NetworkPolicy) -> bool:
    return "Egress" in policy.spec.policy_types or (not policy.spec.policy_types and bool(policy.spec.egress))


def _allows(rule: EgressRule) -> bool:
    if rule.ports and not any(_covers_port(port) for port in rule.ports):
        return False
    return not rule.to or any(peer.ip_block and _in_block(peer.ip_block.cidr, peer.ip_block.except_) for peer in rule.to)


def _covers_port(port: NetworkPolicyPort) -> bool:
    if port.protocol != "TCP":
        return False
    if port.port is None:
        return True
    # A named port is one of the destination's pod; the metadata service is no pod.
    return isinstance(port.port, int) and port.port <= _PORT <= (port.end_port or port.port)


def _in_block(cidr: str, beside: Iterable[str]) -> bool:
    return _contains(cidr) and not any(_contains(block) for block in beside)


def _contains(cidr: str) -> bool:
    try:
        return _ADDRESS in ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
