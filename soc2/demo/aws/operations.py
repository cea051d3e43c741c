"""Tells from an HTTP request which AWS operation it is, by botocore's own service models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qs, urlsplit

import botocore.session
from botocore.model import OperationModel, ServiceModel

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_S3_CONTROL = "/v20180820/"
_RPC_PATH = re.compile(r"^/service/[^/]+/operation/(\w+)$")

# Where the name in a signature is not the name of the service in botocore.
_SERVICES = {
    "monitoring": "cloudwatch",
    "access-analyzer": "accessanalyzer",
    "elasticloadbalancing": "elbv2",
    "es": "opensearch",
}


@dataclass(frozen=True)
class Request:
    """Who asks for which operation. ``operation`` is empty when it cannot be told."""

    access_key: str
    region: str
    service: str
    operation: str


@cache
def service_model(service: str) -> ServiceModel | None:
    """Return botocore's model of a service, or None when it has none of that name."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return None
    return session.get_service_model(service)


def operation_model(service: str, operation: str) -> OperationModel | None:
    model = service_model(service)
    return model.operation_model(operation) if model and operation in model.operation_names else None


def recognise(method: str, target: str, headers: dict[str, str], body: bytes) -> Request:
    """``headers`` are by lower-case name."""
    signature = _CREDENTIAL.search(headers.get("authorization", ""))
    access_key, region, signing = signature.groups() if signature else ("", "", "")
    service = _SERVICES.get(signing, signing)
    if service == "s3" and target.startswith(_S3_CONTROL):
        service = "s3control"
    if service == "apigateway" and target.startswith("/v2/"):
        service = "apigatewayv2"
    return Request(access_key, region, service, _operation(service, method, target, headers, body))


def _operation(service: str, method: str, target: str, headers: dict[str, str], body: bytes) -> str:
    if "x-amz-target" in headers:
        return headers["x-amz-target"].rpartition(".")[2]
    url = urlsplit(target)
    rpc = _RPC_PATH.match(url.path)
    if rpc:
        return rpc[1]
    if "form-urlencoded" in headers.get("content-type", ""):
        return parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    query = {part.partition("=")[0] for part in url.query.split("&") if part}
    for name, verb, path, keys in _routes(service):
        if verb == method and keys <= query and path.fullmatch(url.path):
            return name
    return ""


@cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], frozenset[str]]]:
    """Return (operation, method, path, query keys) of a REST service, the most specific first."""
    model = service_model(service)
    routes = []
    for name in model.operation_names if model else ():
        http = model.operation_model(name).http if model else {}
        path, _, query = str(http.get("requestUri", "/")).partition("?")
        # "{Name}" is one segment, "{Key+}" any number of them.
        parts = re.split(r"(\{[^}]+\})", path.rstrip("/"))
        pattern = "".join(
            (".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
        )
        keys = frozenset(part.partition("=")[0] for part in query.split("&") if part)
        routes.append((name, str(http.get("method", "POST")), re.compile(pattern + "/?"), keys, path.count("{")))
    routes.sort(key=lambda route: (-len(route[3]), route[4], -len(route[2].pattern)))
    return [route[:4] for route in routes]
