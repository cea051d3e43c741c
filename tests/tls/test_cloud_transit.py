"""Listeners of load balancers joined with what they belong to."""

from __future__ import annotations

import pytest

from soc2.model.aws.transit import Listener, ListenerRule, LoadBalancer, SslPolicy, UsedListener, used_listeners
from soc2.model.population import Cause, EvidenceGap, Problem
from soc2.rules.cloud_transit import PolicyAllowsOld, listener_uses_tls

BALANCER = LoadBalancer(load_balancer_arn="arn:nlb", load_balancer_name="nlb", scheme="internal")
OLD = SslPolicy(name="old", ssl_protocols=("TLSv1.2", "SSLv3"), source_region="eu-west-1")


def listener(protocol: str, policy: str = "", region: str = "eu-west-1") -> Listener:
    return Listener(
        listener_arn="arn:l", parent_key="arn:nlb", port=443, protocol=protocol, ssl_policy=policy, source_region=region
    )


@pytest.mark.parametrize("protocol", ["HTTPS", "TLS"])
def test_whoever_ends_tls_is_judged_by_its_policy(protocol: str) -> None:
    (record,) = used_listeners([BALANCER], [listener(protocol, "old")], [], [OLD])
    assert list(listener_uses_tls(record)) == [
        PolicyAllowsOld(resource=record.resource, policy="old", protocols="SSLv3", scheme="internal")
    ]


@pytest.mark.parametrize("protocol", ["TCP", "UDP", "TCP_UDP", "GENEVE"])
def test_what_passes_through_is_nobody_s_tls(protocol: str) -> None:
    (record,) = used_listeners([BALANCER], [listener(protocol, "old")], [], [OLD])
    assert record == UsedListener(BALANCER, listener(protocol, "old"))
    assert list(listener_uses_tls(record)) == []


@pytest.mark.parametrize(("policy", "region"), [("new", "eu-west-1"), ("old", "eu-north-1"), ("", "eu-west-1")])
def test_an_unknown_policy_is_missing_evidence(policy: str, region: str) -> None:
    with pytest.raises(EvidenceGap) as gap:
        list(used_listeners([BALANCER], [listener("HTTPS", policy, region)], [], [OLD]))
    why = f"nothing is known of the policy {policy or '(none)'} in {region}"
    assert gap.value.status.problem == Problem(Cause.INCONCLUSIVE, why)


def test_plain_http_without_a_rule_is_missing_evidence() -> None:
    """The default rule is always one of them."""
    with pytest.raises(EvidenceGap):
        list(used_listeners([BALANCER], [listener("HTTP")], [ListenerRule(parent_key="arn:other")], []))
