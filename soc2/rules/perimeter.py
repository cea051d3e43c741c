"""Rules on the policies of VPC endpoints, which keep data inside where they let through only what is of the organization."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from soc2.model.aws.movement import VpcEndpoint
from soc2.model.deviation import Deviation

_PRINCIPAL_KEYS = frozenset({"aws:principalorgid", "aws:principalorgpaths", "aws:principalaccount", "aws:principalarn"})
# S3 had a key of its own before there was one for all services.
_RESOURCE_KEYS = frozenset({"aws:resourceorgid", "aws:resourceorgpaths", "aws:resourceaccount", "s3:resourceaccount"})
# What AWS makes of the ARN of a user or a role in a policy.
_UNIQUE = re.compile(r"A(?:ID|RO)A[A-Z0-9]+\Z")
_OF_SERVICES = "aws:principalisawsservice"
# The forms of a condition under which a key has to have one of the values; "IfExists" lets through who has none.
_DEMANDS = frozenset(
    f"{quantifier}{operator}"
    for quantifier in ("", "foranyvalue:")
    for operator in ("stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike")
)
# The forms that refuse every other value, and whoever has none. Of a key with several values, all have to be others.
_REFUSES = frozenset(
    f"{quantifier}{operator}"
    for quantifier in ("", "forallvalues:")
    for operator in ("stringnotequals", "stringnotequalsignorecase", "stringnotlike", "arnnotequals", "arnnotlike")
)


@dataclass(frozen=True, kw_only=True)
class EndpointOpen(Deviation):
    template: ClassVar[str] = "its policy lets {what} through to {service}"
    what: str
    service: str


def keeps_data_inside(endpoint: VpcEndpoint) -> Iterator[Deviation]:
    """What an endpoint lets through is of the organization: who asks, and what is asked for. AWS's own services, which ask for
    others, may be let through."""
    statements = _statements(endpoint.policy)
    every_action = ("*", f"{endpoint.service.rpartition('.')[2]}:*")
    denied = {key for each in statements if each.get("Effect") == "Deny" for key in _refused(each, every_action)}
    for statement in statements:
        conditions = list(_conditions(statement))
        if statement.get("Effect") != "Allow" or ("bool", _OF_SERVICES, ("true",)) in conditions:
            continue
        keys = denied | {key for operator, key, values in conditions if operator in _DEMANDS and _pinned(key, values)}
        missing = [
            what
            for what, held in (
                ("callers of any account", keys & _PRINCIPAL_KEYS or _named_callers(statement.get("Principal"))),
                ("requests for what belongs to any account", keys & _RESOURCE_KEYS or _named_resources(statement)),
            )
            if not held
        ]
        if missing:
            yield EndpointOpen(resource=endpoint.resource, what=" and ".join(missing), service=endpoint.service)
            return


def _statements(policy: str | None) -> list[dict[str, Any]]:
    """Return the statements of a policy. One that is not told, or not to be read, lets everything through."""
    everything = [{"Effect": "Allow"}]
    try:
        document = json.loads(policy or "")
    except (ValueError, RecursionError):
        return everything
    found: Any = document.get("Statement") if isinstance(document, dict) else None
    statements: list[Any] = found if isinstance(found, list) else [found]
    return statements if all(isinstance(each, dict) for each in statements) else everything


def _conditions(statement: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield operator, key and values of every condition, all in lower case."""
    condition = statement.get("Condition")
    for operator, keys in (condition if isinstance(condition, dict) else {}).items():
        for key, values in (keys if isinstance(keys, dict) else {}).items():
            yield operator.lower(), key.lower(), tuple(str(each).lower() for each in _listed(values))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _pinned(key: str, values: tuple[str, ...]) -> bool:
    """Tell whether a key has one of these values for nobody outside: none is a pattern of accounts or of organizations."""
    return bool(values) and all(_pins(key, value) for value in values)


def _pins(key: str, value: str) -> bool:
    if value.startswith("${"):
        # What is asked for may be held to be of who asks, but nothing else that comes with the request proves anything.
        return key in _RESOURCE_KEYS and value[2:].rstrip("}") in _PRINCIPAL_KEYS
    if key == "aws:principalarn":
        return _account(value).isdigit()
    return _literal(value.partition("/")[0])


def _literal(text: str) -> bool:
    return bool(text) and not any(character in text for character in "*?$")


def _account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def _refused(statement: dict[str, Any], every_action: tuple[str, ...]) -> Iterator[str]:
    """Yield the key by which a statement refuses everything that has another value of it. With a second condition it refuses
    only what both hold for; but AWS's own services may be left out."""
    everybody = statement.get("Principal") in ("*", ["*"], {"AWS": "*"}, {"AWS": ["*"]})
    everything = "*" in _listed(statement.get("Resource"))
    if not (everybody and everything and any(each in every_action for each in _listed(statement.get("Action")))):
        return
    plain = [(operator.removesuffix("ifexists"), key, values) for operator, key, values in _conditions(statement)]
    held = [each for each in plain if each != ("bool", _OF_SERVICES, ("false",))]
    if len(held) == 1 and held[0][0] in _REFUSES and _pinned(*held[0][1:]):
        yield held[0][1]


def _named_callers(principal: Any) -> bool:
    """Tell whether every caller is of an account that is named, or is a user or a role by the id that AWS keeps of it."""
    if not isinstance(principal, dict) or set(principal) != {"AWS"}:
        return False
    names = [str(each) for each in _listed(principal["AWS"])]
    return bool(names) and all(_UNIQUE.match(name) or (_account(name) or name).isdigit() for name in names)


def _named_resources(statement: dict[str, Any]) -> bool:
    """Tell whether every resource is of an account that is named, or is a bucket whose whole name is told: whoever likes may
    have a bucket that begins like another."""
    names = [str(each).split(":", 5) for each in _listed(statement.get("Resource"))]
    return bool(names) and all(len(name) == 6 and _literal(name[4] or name[5].partition("/")[0]) for name in names)
