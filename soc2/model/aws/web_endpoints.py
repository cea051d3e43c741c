"""What answers HTTP to the internet: load balancers, stages of APIs and distributions, with the web ACLs before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec import field

from soc2.model.aws.balancers import ClassicBalancer, partition_of
from soc2.model.aws.base import CamelRecord, PascalRecord, aws_resource
from soc2.model.aws.transit import LoadBalancer
from soc2.model.aws.waf import AclAnswer, LoggingAnswer, RuleGroup, WebAcl, stops
from soc2.model.deviation import Resource

_V2 = ":wafv2:"


class EndpointConfiguration(msgspec.Struct, frozen=True):
    """``types`` are ``EDGE``, ``REGIONAL`` or ``PRIVATE``."""

    types: tuple[str, ...] = ()


class RestApi(CamelRecord, frozen=True):
    id: str = ""
    name: str = ""
    endpoint_configuration: EndpointConfiguration = EndpointConfiguration()

    @property
    def key(self) -> str:
        return f"{self.source_region}/{self.id}"

    @property
    def is_private(self) -> bool:
        return self.endpoint_configuration.types == ("PRIVATE",)


class Stage(CamelRecord, frozen=True):
    """``parent_key`` is the key of its API; ``web_acl_arn`` is that of a web ACL of either generation."""

    stage_name: str = ""
    web_acl_arn: str = ""

    @property
    def arn(self) -> str:
        region, _, api = self.parent_key.partition("/")
        return f"arn:{partition_of(region)}:apigateway:{region}::/restapis/{api}/stages/{self.stage_name}"

    @property
    def is_classic(self) -> bool:
        """Tell whether its web ACL is one of the first generation, of which AWS WAF knows nothing any more."""
        return bool(self.web_acl_arn) and _V2 not in self.web_acl_arn


class HttpApi(PascalRecord, frozen=True):
    """``protocol_type`` is ``HTTP`` or ``WEBSOCKET``."""

    api_id: str = ""
    name: str = ""
    protocol_type: str = ""


class Aliases(msgspec.Struct, frozen=True, rename="pascal"):
    items: tuple[str, ...] = ()


class Distribution(PascalRecord, frozen=True):
    """``web_acl_id`` is the ARN of a web ACL, or the id of one of the first generation."""

    id: str = ""
    arn: str = field(default="", name="ARN")
    domain_name: str = ""
    aliases: Aliases = Aliases()
    enabled: bool = True
    web_acl_id: str = field(default="", name="WebACLId")

    @property
    def acl_parameters(self) -> dict[str, str] | None:
        """Return how AWS WAF is asked for its web ACL, or None when it has none of this generation."""
        if not self.enabled or _V2 not in self.web_acl_id:
            return None
        name, _, identifier = self.web_acl_id.partition("/webacl/")[2].partition("/")
        return {"Name": name, "Scope": "CLOUDFRONT", "Id": identifier}


@dataclass(frozen=True)
class WebEndpoint:
    """Something that answers HTTP to the internet. ``what`` tells it in words. It has an ``acl``, or one of the first
    generation (``classic``), or none; what is ``unable`` takes none. ``stops`` says whether the ACL stops anything, and
    ``logging`` what it logs; both are None when that is not known."""

    resource: Resource
    what: str
    acl: WebAcl | None = None
    classic: str = ""
    unable: bool = False
    stops: bool | None = None
    logging: LoggingAnswer | None = None


@dataclass(frozen=True)
class Guards:
    """Answers about web ACLs: by what they are before, how they log by their ARN, and rule groups by their key."""

    acls: dict[str, AclAnswer]
    logging: dict[str, LoggingAnswer]
    groups: dict[str, RuleGroup]

    @classmethod
    def of(cls, acls: Iterable[AclAnswer], logging: Iterable[LoggingAnswer], groups: Iterable[RuleGroup]) -> Guards:
        return cls(
            {each.parent_key: each for each in acls},
            {each.parent_key: each for each in logging},
            {each.parent_key: each for each in groups},
        )

    def endpoint(self, arn: str, resource: Resource, what: str) -> Iterator[WebEndpoint]:
        """Yield the endpoint of that ARN, unless nobody told whether it has a web ACL."""
        answer = self.acls.get(arn)
        if answer is None:
            return
        acl = answer.web_acl
        if acl is None:
            yield WebEndpoint(resource, what)
        else:
            does = stops(acl, answer.source_region, self.groups)
            yield WebEndpoint(resource, what, acl, stops=does, logging=self.logging.get(acl.arn))


def of_balancers(new: Iterable[LoadBalancer], classic: Iterable[ClassicBalancer], guards: Guards) -> Iterator[WebEndpoint]:
    """Yield application load balancers that face the internet, and classic ones that answer HTTP."""
    for balancer in new:
        if balancer.serves_the_web:
            yield from guards.endpoint(balancer.load_balancer_arn, balancer.resource, "an application load balancer")
    for old in classic:
        if old.serves_the_web:
            yield WebEndpoint(old.resource, "a classic load balancer", unable=True)


def of_apis(
    apis: Iterable[RestApi], stages: Iterable[Stage], http_apis: Iterable[HttpApi], guards: Guards
) -> Iterator[WebEndpoint]:
    """Yield stages of REST APIs that are not private, and APIs of the kinds that take no web ACL."""
    names = {api.key: api.name for api in apis}
    for stage in stages:
        api = stage.parent_key.rpartition("/")[2]
        resource = aws_resource("AWS::ApiGateway::Stage", f"{names.get(stage.parent_key, '')}/{api}/{stage.stage_name}")
        if stage.is_classic:
            yield WebEndpoint(resource, "a stage of a REST API", classic=stage.web_acl_arn)
        else:
            yield from guards.endpoint(stage.arn, resource, "a stage of a REST API")
    for each in http_apis:
        kind = {"HTTP": "an HTTP API", "WEBSOCKET": "a WebSocket API"}.get(
            each.protocol_type, f"an API ({each.protocol_type})"
        )
        yield WebEndpoint(aws_resource("AWS::ApiGatewayV2::Api", f"{each.name}/{each.api_id}"), kind, unable=True)


def of_distributions(distributions: Iterable[Distribution], guards: Guards) -> Iterator[WebEndpoint]:
    """Yield distributions that are on."""
    for each in distributions:
        resource = aws_resource("AWS::CloudFront::Distribution", each.id)
        what = f"the distribution of {', '.join(each.aliases.items) or each.domain_name}"
        if each.acl_parameters:
            yield from guards.endpoint(each.arn, resource, what)
        elif each.enabled:
            yield WebEndpoint(resource, what, classic=each.web_acl_id)
