"""Declared answers: what the service in front of moto says by itself, validated against botocore's service models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.model import OperationModel
from botocore.validate import ParamValidator
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from soc2.demo.aws.operations import operation_model
from soc2.demo.company.times import relative_time
from soc2.errors import UsageError


@dataclass(frozen=True)
class HttpAnswer:
    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Declared:
    """An answer of an operation, or the code of an error that it gives. ``when`` is a text that has to stand in the
    request (its path or body), empty for any request."""

    operation: OperationModel
    result: dict[str, Any] | None
    error: str | None
    when: str = ""

    def http(self) -> HttpAnswer:
        if self.error is not None or self.result is None:
            return error_answer(protocol_of(self.operation), self.error or "InternalFailure", "declared for the demo")
        service = self.operation.service_model.service_name
        # moto's serializers want moto's own flavour of botocore's models.
        operation = get_service_model(service).operation_model(self.operation.name)
        answer = get_serializer_class(service, protocol_of(self.operation))(operation).serialize(self.result)
        body = answer["body"]
        content_type = answer["headers"].get("Content-Type", "application/json")
        return HttpAnswer(answer["status_code"], content_type, body.encode() if isinstance(body, str) else body)


def protocol_of(operation: OperationModel) -> str:
    return str(operation.service_model.resolved_protocol)


def read_answers(declared: Mapping[str, Any], file: str, now: datetime) -> dict[tuple[str, str], tuple[Declared, ...]]:
    """Read ``service: {Operation: answer}``; an answer ``{error: Code}`` is an error, and a list of answers with ``when``
    depends on the request. A text such as ``-3h`` or ``+9d`` in the place of a time is that long before or after ``now``.
    Raises UsageError naming file and operation."""
    answers = {}
    for service, operations in declared.items():
        for name, given in operations.items():
            operation = operation_model(service, name)
            if operation is None:
                raise UsageError(f"there is no operation {service}.{name}", file=file)
            several = given if isinstance(given, list) else [given]
            answers[service, name] = tuple(_read_answer(operation, answer, file, now) for answer in several)
    return answers


def _read_answer(operation: OperationModel, given: Mapping[str, Any], file: str, now: datetime) -> Declared:
    when, answer = str(given.get("when", "")), {key: value for key, value in given.items() if key != "when"}
    if set(answer) == {"error"}:
        return Declared(operation, None, str(answer["error"]), when)
    result = _with_times(answer, operation.output_shape, now)
    report = ParamValidator().validate(result, operation.output_shape)
    if report.has_errors():
        name = f"{operation.service_model.service_name}.{operation.name}"
        raise UsageError(f"the answer of {name} is not valid: {report.generate_report()}", file=file)
    return Declared(operation, result, None, when)


def _with_times(value: Any, shape: Any, now: datetime) -> Any:
    kind = getattr(shape, "type_name", "")
    if kind == "structure" and isinstance(value, dict):
        return {key: _with_times(item, shape.members.get(key), now) for key, item in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_with_times(item, shape.member, now) for item in value]
    moment = relative_time(value, now) if isinstance(value, str) else None
    if moment:
        # Some services write times as ISO 8601 strings in plain string members.
        return moment if kind == "timestamp" else moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return value


def error_answer(protocol: str, code: str, message: str, status: int = 403) -> HttpAnswer:
    """Return an error in the form of a protocol, as botocore parses it."""
    inner = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    match protocol:
        case "ec2":
            body = f"<Response><Errors>{inner}</Errors><RequestID>demo</RequestID></Response>"
        case "query":
            body = f"<ErrorResponse>{inner}<RequestId>demo</RequestId></ErrorResponse>"
        case "rest-xml":
            body = inner
        case "smithy-rpc-v2-cbor":
            return HttpAnswer(status, "application/cbor", _cbor_map({"__type": code, "message": message}))
        case _:
            return HttpAnswer(status, "application/json", f'{{"__type":"{code}","message":"{message}"}}'.encode())
    return HttpAnswer(status, "text/xml", body.encode())


def _cbor_map(value: dict[str, str]) -> bytes:
    """Encode a small map of short texts (RFC 8949: major types 5 and 3, lengths below 256)."""

    def text(item: str) -> bytes:
        encoded = item.encode()
        return (bytes([0x60 + len(encoded)]) if len(encoded) < 24 else bytes([0x78, len(encoded)])) + encoded

    return bytes([0xA0 + len(value)]) + b"".join(text(key) + text(item) for key, item in value.items())


def utc_now() -> datetime:
    return datetime.now(UTC)
