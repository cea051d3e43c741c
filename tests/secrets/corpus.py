"""The labelled corpus: objects in which a secret is planted, and objects that only look as if, each in a place of its kind.

Every object goes through the same decoding as what a live target answers. Formats and shapes come from the providers'
documentation and from what projects really write (``making.py``, ``known_secrets.py``, ``look_alikes.py``), not from the
detectors.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from soc2.gather.aws.sources import PARAMETERS
from soc2.gather.codec import Codec
from soc2.gather.kubernetes.custom_resources import shaped
from soc2.model.aws.literals import FunctionConfiguration, LaunchConfiguration, Parameter, StackTemplate, TaskDefinition
from soc2.model.fingerprint import Finding
from soc2.model.kubernetes.cluster import ConfigMap
from soc2.model.kubernetes.custom import CustomResource
from soc2.model.kubernetes.pods import Pod
from soc2.model.kubernetes.subjects import PodSubject
from soc2.rules import literals
from tests.secrets import known_secrets, look_alikes
from tests.secrets.known_secrets import Pair, Text
from tests.secrets.making import Maker

POSITIVES = 2_600
NEGATIVES = 5_200


@dataclass(frozen=True)
class Sample:
    """One object; ``kind`` names the maker of what is in it, ``place`` where it stands, ``secret`` the label."""

    kind: str
    place: str
    secret: bool
    content: Any


@dataclass(frozen=True)
class Score:
    """How a detector did: true and false positives and negatives, and the samples that it got wrong."""

    right: int
    missed: tuple[Sample, ...]
    wrong: tuple[Sample, ...]

    @property
    def recall(self) -> float:
        return self.right / (self.right + len(self.missed))

    @property
    def precision(self) -> float:
        return self.right / (self.right + len(self.wrong))


def corpus(seed: int, positives: int = POSITIVES, negatives: int = NEGATIVES) -> Iterator[Sample]:
    """Yield labelled samples; the same seed makes the same ones."""
    make = Maker(seed)
    for source, secret, count in ((known_secrets, True, positives), (look_alikes, False, negatives)):
        pairs, texts = source.pairs(make), source.texts(make)
        for _ in range(count):
            maker: Any = make.random.choice(pairs if make.random.random() < 0.6 else texts)
            given = maker()
            places = _PAIR_PLACES if isinstance(given, Pair) else _TEXT_PLACES
            # What is several lines long cannot stand in some of the places.
            name = make.random.choice([name for name, place in places.items() if place.lines or "\n" not in given[1]])
            yield Sample(maker.__name__, name, secret, places[name].put(given, make))


def score(samples: Iterator[Sample]) -> Score:
    """Look for secrets in every sample as a run does."""
    codec = Codec()
    right, missed, wrong = 0, [], []
    for sample in samples:
        found = findings(codec, sample)
        if sample.secret:
            right += bool(found)
            missed += [] if found else [sample]
        else:
            wrong += [sample] if found else []
    return Score(right, tuple(missed), tuple(wrong))


def findings(codec: Codec, sample: Sample) -> list[Any]:
    """Return what is found in a sample."""
    place = sample.place.partition(":")[0]
    if place == "pod":
        pod = codec.convert(sample.content, Pod)
        return list(literals.in_pod(PodSubject(pod.resource, pod.metadata, pod.spec)))
    if place == "config map":
        return list(literals.in_config_map(codec.convert(sample.content, ConfigMap)))
    kinds: dict[str, Any] = {
        "custom resource": CustomResource,
        "function": FunctionConfiguration,
        "task": TaskDefinition,
        "user data": LaunchConfiguration,
        "stack": StackTemplate,
        "parameter": Parameter,
    }
    content = sample.content
    if place == "parameter":
        content = PARAMETERS.shape(content)
    elif place == "custom resource":
        content = shaped(content)
    found: tuple[Finding, ...] = codec.convert(content, kinds[place]).findings
    return list(found)


@dataclass(frozen=True)
class _Place:
    put: Callable[[Any, Maker], Any]
    lines: bool = True


def _pod(**container: Any) -> dict[str, Any]:
    return {"metadata": {"name": "app", "namespace": "shop"}, "spec": {"containers": [{"name": "app", **container}]}}


def _env(pair: Pair, _: Maker) -> Any:
    return _pod(env=[{"name": "LOG_LEVEL", "value": "info"}, {"name": pair.name, "value": pair.value}])


def _flag(pair: Pair, make: Maker) -> Any:
    flag = "--" + re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z])(?=[A-Z])", "-", pair.name).lower())
    args = make.random.choice(([f"{flag}={pair.value}"], [flag, pair.value]))
    return _pod(args=["--verbose", *args])


def _annotation(pair: Pair, _: Maker) -> Any:
    return {**_pod(), "metadata": {"name": "app", "annotations": {f"team.example.com/{pair.name}": pair.value}}}


def _entry(pair: Pair, _: Maker) -> Any:
    return {"metadata": {"name": "c"}, "data": {"LOG_LEVEL": "info", pair.name: pair.value}}


def _properties(pair: Pair, make: Maker) -> Any:
    separator = make.one("=", " = ", ": ")
    return {"metadata": {"name": "c"}, "data": {"app.conf": f"log.level=info\n{pair.name}{separator}{pair.value}\nport=80\n"}}


def _json_entry(pair: Pair, make: Maker) -> Any:
    text = json.dumps({"app": {"level": "info", pair.name: pair.value, "port": 80}}, indent=make.random.choice((None, 2)))
    return {"metadata": {"name": "c"}, "data": {"app.json": text}}


def _spec(pair: Pair, _: Maker) -> Any:
    spec = {"replicas": 2, "config": {pair.name: pair.value, "level": "info"}}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}


def _function(pair: Pair, _: Maker) -> Any:
    return {"FunctionName": "f", "Environment": {"Variables": {"STAGE": "prod", pair.name: pair.value}}}


def _task(pair: Pair, _: Maker) -> Any:
    container = {
        "name": "app",
        "image": "app:1",
        "environment": [{"name": "STAGE", "value": "prod"}, {"name": pair.name, "value": pair.value}],
    }
    return {"taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/app:1", "containerDefinitions": [container]}


def _export(pair: Pair, _: Maker) -> Any:
    return _user_data(f"#!/bin/bash\nexport {re.sub(r'[^A-Za-z0-9]', '_', pair.name)}='{pair.value}'\nexec app\n")


def _stack_default(pair: Pair, _: Maker) -> Any:
    parameters = {"Stage": {"Type": "String", "Default": "prod"}, pair.name: {"Type": "String", "Default": pair.value}}
    return {"StackName": "s", "TemplateBody": {"Parameters": parameters, "Resources": {}}}


def _parameter(pair: Pair, _: Maker) -> Any:
    return {"Name": f"/shop/prod/{pair.name}", "Type": "String", "Value": pair.value}


def _user_data(text: str) -> Any:
    return {"UserData": base64.b64encode(text.encode()).decode()}


def _file(text: Text, _: Maker) -> Any:
    return {"metadata": {"name": "c"}, "data": {text.name: text.content}}


def _binary_file(text: Text, _: Maker) -> Any:
    return {"metadata": {"name": "c"}, "binaryData": {text.name: base64.b64encode(text.content.encode()).decode()}}


def _command(text: Text, _: Maker) -> Any:
    return _pod(command=["/bin/sh", "-c", text.content])


def _spec_text(text: Text, _: Maker) -> Any:
    spec = {"files": [{"name": text.name, "content": text.content}]}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}


def _machine(text: Text, make: Maker) -> Any:
    if make.random.random() < 0.2:
        return {"UserData": base64.b64encode(gzip.compress(text.content.encode(), mtime=0)).decode()}
    return _user_data(text.content)


def _stack_text(text: Text, _: Maker) -> Any:
    indented = "\n".join(f"          {line}" for line in text.content.splitlines())
    machine = "  Machine:\n    Type: AWS::EC2::Instance\n    Properties:\n      UserData:\n        Fn::Base64: |\n"
    template = f"Resources:\n{machine}{indented}\n"
    return {"StackName": "s", "TemplateBody": template}


_PAIR_PLACES = {
    "pod: environment": _Place(_env),
    "pod: arguments": _Place(_flag),
    "pod: annotation": _Place(_annotation),
    "config map: entry": _Place(_entry),
    "config map: properties": _Place(_properties, lines=False),
    "config map: JSON": _Place(_json_entry),
    "custom resource": _Place(_spec),
    "function": _Place(_function),
    "task": _Place(_task),
    "user data: export": _Place(_export, lines=False),
    "stack: default": _Place(_stack_default),
    "parameter": _Place(_parameter),
}
_TEXT_PLACES = {
    "config map: file": _Place(_file),
    "config map: binary file": _Place(_binary_file),
    "pod: command": _Place(_command),
    "custom resource": _Place(_spec_text),
    "user data: file": _Place(_machine),
    "stack: user data": _Place(_stack_text),
}
