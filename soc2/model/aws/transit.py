"""What encrypts traffic in an account: the listeners of load balancers, and the certificates that they show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from soc2.model.aws.base import PascalRecord, aws_resource
from soc2.model.deviation import Resource
from soc2.model.population import Cause, EvidenceGap, Problem

KEY_TYPES = ("RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1")
"""Every kind of key that a certificate of ACM has."""


class BalancerState(msgspec.Struct, frozen=True, rename="pascal"):
    code: str = ""


class LoadBalancer(PascalRecord, frozen=True):
    """``scheme`` is ``internet-facing`` or ``internal``; ``type`` is ``application``, ``network`` or ``gateway``;
    ``ip_address_type`` is ``ipv4``, ``dualstack`` or ``dualstack-without-public-ipv4``; ``state`` is ``active``,
    ``provisioning``, ``active_impaired`` or ``failed``."""

    load_balancer_arn: str = ""
    load_balancer_name: str = ""
    scheme: str = ""
    type: str = ""
    ip_address_type: str = ""
    state: BalancerState = BalancerState()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::ElasticLoadBalancingV2::LoadBalancer", self.load_balancer_name)

    @property
    def internet_facing(self) -> bool:
        """Tell whether its name leads to public addresses. Gateway load balancers have no scheme, and are not reached by
        addresses of their own."""
        return self.type != "gateway" and self.scheme != "internal"

    @property
    def serves_the_web(self) -> bool:
        """Tell whether it answers HTTP from the internet; one that could not be set up never does."""
        return self.type == "application" and self.internet_facing and self.state.code != "failed"


class Redirect(msgspec.Struct, frozen=True, rename="pascal"):
    """Parts in braces keep what the request has."""

    protocol: str = "#{protocol}"
    host: str = "#{host}"


class FixedResponse(msgspec.Struct, frozen=True, rename="pascal"):
    status_code: str = ""


class ListenerAction(msgspec.Struct, frozen=True, rename="pascal"):
    type: str = ""
    redirect_config: Redirect | None = None
    fixed_response_config: FixedResponse | None = None


class Listener(PascalRecord, frozen=True):
    """``parent_key`` is the ARN of its load balancer; ``ssl_policy`` means something where it ends TLS only."""

    listener_arn: str = ""
    port: int = 0
    protocol: str = ""
    ssl_policy: str = ""

    @property
    def ends_tls(self) -> bool:
        return self.protocol in ("HTTPS", "TLS")


class ListenerRule(PascalRecord, frozen=True):
    """``parent_key`` is the ARN of its listener; the default rule is one of them, whose ``priority`` is ``default``."""

    priority: str = ""
    actions: tuple[ListenerAction, ...] = ()


class SslPolicy(PascalRecord, frozen=True):
    name: str = ""
    ssl_protocols: tuple[str, ...] = ()


class CertificateName(PascalRecord, frozen=True):
    certificate_arn: str = ""


class RenewalSummary(msgspec.Struct, frozen=True, rename="pascal"):
    renewal_status: str = ""


class CloudCertificate(PascalRecord, frozen=True):
    """``type`` is ``AMAZON_ISSUED``, ``IMPORTED`` or ``PRIVATE``; one that was never issued has no ``not_after``."""

    certificate_arn: str = ""
    domain_name: str = ""
    status: str = ""
    type: str = ""
    not_after: datetime | None = None
    in_use_by: tuple[str, ...] = ()
    renewal_eligibility: str = ""
    renewal_summary: RenewalSummary | None = None

    @property
    def resource(self) -> Resource:
        identifier = self.certificate_arn.rpartition("/")[2]
        return aws_resource("AWS::CertificateManager::Certificate", f"{self.domain_name}/{identifier}")


@dataclass(frozen=True)
class UsedListener:
    """A listener with its load balancer; ``protocols`` are the versions of TLS that its policy allows, and ``rules`` what
    it does with plain HTTP. Both are empty for a listener that has no such thing."""

    load_balancer: LoadBalancer
    listener: Listener
    protocols: tuple[str, ...] = ()
    rules: tuple[ListenerRule, ...] = ()

    @property
    def resource(self) -> Resource:
        name = f"{self.load_balancer.load_balancer_name}:{self.listener.port}"
        return aws_resource("AWS::ElasticLoadBalancingV2::Listener", name)


def used_listeners(
    balancers: Iterable[LoadBalancer],
    listeners: Iterable[Listener],
    rules: Iterable[ListenerRule],
    policies: Iterable[SslPolicy],
) -> Iterator[UsedListener]:
    """Join listeners with what they belong to. Raises EvidenceGap when the policy of one is not listed, or no rule."""
    by_arn = {balancer.load_balancer_arn: balancer for balancer in balancers}
    protocols = {(policy.source_region, policy.name): policy.ssl_protocols for policy in policies}
    of_listener: dict[str, list[ListenerRule]] = {}
    for rule in rules:
        of_listener.setdefault(rule.parent_key, []).append(rule)
    for listener in listeners:
        key = (listener.source_region, listener.ssl_policy)
        if listener.ends_tls and key not in protocols:
            why = f"nothing is known of the policy {listener.ssl_policy or '(none)'} in {listener.source_region}"
            raise EvidenceGap("ssl policies", Problem(Cause.INCONCLUSIVE, why))
        given = tuple(of_listener.get(listener.listener_arn, ()))
        if listener.protocol == "HTTP" and not given:
            why = f"no rule of {listener.listener_arn} is listed, not even its default one"
            raise EvidenceGap("rules of HTTP listeners", Problem(Cause.INCONCLUSIVE, why))
        allowed = protocols[key] if listener.ends_tls else ()
        yield UsedListener(by_arn[listener.parent_key], listener, allowed, given)
