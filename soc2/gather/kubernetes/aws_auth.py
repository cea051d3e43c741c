"""Reads the ConfigMap ``kube-system/aws-auth`` of EKS clusters: only its mappings are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from soc2.gather.kubernetes.answers import read_answers
from soc2.gather.kubernetes.connection import GatherError, KubeConnection
from soc2.gather.source import Gatherer, Listing
from soc2.model.kubernetes.aws_auth import AuthMapping
from soc2.model.population import Cause, Problem

_PATH = "/api/v1/namespaces/kube-system/configmaps"
_QUERY = {"fieldSelector": "metadata.name=aws-auth"}
_KEYS = (("mapRoles", "rolearn"), ("mapUsers", "userarn"))


class _Item(msgspec.Struct):
    data: dict[str, str] = {}


class _Items(msgspec.Struct):
    items: list[_Item]


_LIST = msgspec.json.Decoder(_Items)


@dataclass(frozen=True)
class AwsAuth:
    """One item for each mapping; none where the ConfigMap is not there. Asked for by a list, for which there is a right."""

    name: str = "aws-auth"

    def gather(self, gatherer: Gatherer) -> Listing[AuthMapping]:
        query = f"GET {_PATH}?{_QUERY['fieldSelector']}"
        return read_answers(gatherer, self.name, query, "ConfigMap kube-system/aws-auth", _mappings)


def _mappings(connection: KubeConnection) -> Iterator[AuthMapping]:
    for item in _LIST.decode(connection.request("GET", _PATH, _QUERY).body).items:
        try:
            yield from mappings(item.data)
        except ValueError as error:
            raise GatherError(Problem(Cause.MALFORMED, str(error))) from None


def mappings(data: dict[str, str]) -> list[AuthMapping]:
    """Return the mappings of the ConfigMap's texts. Raises ValueError naming the key and the place."""
    found = []
    for key, name in _KEYS:
        where = f"ConfigMap kube-system/aws-auth: {key}"
        try:
            entries: Any = yaml.safe_load(data.get(key, "")) or []
        except yaml.MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise ValueError(f"{where}{line}: {error.problem}") from None
        except (yaml.YAMLError, RecursionError):
            raise ValueError(f"{where} is not YAML") from None
        if not isinstance(entries, list):
            raise ValueError(f"{where} is not a list")
        for number, entry in enumerate(entries, 1):
            try:
                found.append(msgspec.convert({**entry, "arn": entry[name]}, AuthMapping))
            except (msgspec.ValidationError, KeyError, TypeError):
                raise ValueError(f"{where}, entry {number}: expected {name}, username and groups") from None
    return found


AWS_AUTH = AwsAuth()
