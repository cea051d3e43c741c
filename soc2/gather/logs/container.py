"""Lines of containers: the files of the container runtime, and what collectors make of them."""

from __future__ import annotations

import re
from typing import Any

from soc2.detect.schema import SCHEMAS
from soc2.gather.logs.records import Unreadable, decode
from soc2.gather.logs.times import utc
from soc2.gather.logs.where import Where, of_metadata, of_path
from soc2.model.logs import LogKind

# <time> stdout|stderr F|P[:more tags] <message>
CRI = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.,]+(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([FP])(?::\S*)?(?: (.*))?$", re.S)
_COLUMNS = tuple(name for name in SCHEMAS[LogKind.CONTAINER].columns if name != "fields")
_WHERE = frozenset(_COLUMNS) - {"message", "level"}
_LEVEL = re.compile(r"""\b(?:level|lvl|severity)=["']?(\w+)""")
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d+ ")
_KLOG_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}
_LEVELS = ("level", "severity", "lvl", "loglevel", "log_level", "levelname", "log.level")
_MESSAGES = ("log", "message", "msg", "MESSAGE", "body", "line", "text")
_TIMES = ("time", "timestamp", "@timestamp", "date", "ts", "_time", "_timestamp", "observed_timestamp")
# What stands beside the metadata of Kubernetes.
_BESIDE = (("stream", "stream"), ("cluster", "cluster_name"), ("cluster", "cluster"))
_METADATA = frozenset(
    [
        "kubernetes",
        "docker",
        "labels",
        "stream",
        "source_type",
        "file",
        "host",
        "hostname",
        "tag",
        "_p",
        "logtag",
        "container_id",
        "container_name",
        "cluster_name",
        "k8s",
        "input",
        "agent",
        "ecs",
        "cloud",
        "orchestrator",
    ]
)


def record(message: str, where: Where, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """The record of a line. A message that is a JSON object is also taken apart into ``fields``."""
    made: dict[str, Any] = {name: value for name, value in where.items() if name in _WHERE}
    made["message"] = message
    if fields is None and message[:1] == "{":
        try:
            inside = decode(message)
        except Unreadable:
            inside = None
        fields = inside if isinstance(inside, dict) else None
    level = _level(message, fields)
    if level is not None:
        made["level"] = level
    if fields:
        made["fields"] = fields
        if "time" not in made and (time := _time(fields)):
            made["time"] = time
    return made


def collected(fields: dict[str, Any], where: Where) -> tuple[str, Where, dict[str, Any] | None] | None:
    """The message that a collector wrapped into JSON, where it comes from, and what else the JSON holds (None: nothing).
    None if there is no message in it."""
    name = next((name for name in _MESSAGES if isinstance(fields.get(name), str)), None)
    if name is None:
        return None
    told = {**where, **_told(fields)}
    time = _time(fields)
    if time is not None:
        told["time"] = time
    others = {key: value for key, value in fields.items() if key not in _METADATA and key not in _TIMES and key != name}
    inner = others.pop("log_processed", None)
    if isinstance(inner, dict):
        others = {**others, **inner}
    return str(fields[name]), told, others or None


def is_collected(fields: dict[str, Any]) -> bool:
    """Whether a JSON object is a line of a container, by the metadata of its collector or of the runtime."""
    if isinstance(fields.get("kubernetes"), dict) or "kubernetes.pod_name" in fields:
        return any(isinstance(fields.get(name), str) for name in _MESSAGES)
    if isinstance(fields.get("log"), str):
        return "stream" in fields or "time" in fields or "date" in fields or "@timestamp" in fields
    return isinstance(fields.get("message"), str) and ("container_name" in fields or "container_id" in fields)


def is_application(fields: dict[str, Any]) -> bool:
    """Whether a JSON object reads like a line that an application logged: a message, and a time or a level."""
    return any(isinstance(fields.get(name), str) for name in ("message", "msg", "log")) and (
        _time(fields) is not None or any(isinstance(fields.get(name), str) for name in _LEVELS)
    )


def _told(fields: dict[str, Any]) -> Where:
    found: Where = {}
    for source in (fields.get("k8s"), fields.get("kubernetes")):
        if isinstance(source, dict):
            found.update(of_metadata(source))
    if found:
        outer = {column: fields[name] for column, name in _BESIDE if isinstance(fields.get(name), str)}
    else:
        flat = {name.removeprefix("kubernetes."): value for name, value in fields.items() if name != "labels"}
        outer = of_metadata(flat)
    if "pod" not in found and "pod" not in outer:
        path = next((fields[name] for name in ("tag", "file") if isinstance(fields.get(name), str)), None)
        outer = {**of_path(path), **outer} if path else outer
    return {**outer, **found}


def _time(fields: dict[str, Any]) -> str | None:
    for name in _TIMES:
        if name in fields and (time := utc(fields[name])):
            return time
    return None


def _level(message: str, fields: dict[str, Any] | None) -> str | None:
    if fields:
        for name in _LEVELS:
            value = fields.get(name)
            if isinstance(value, str | int) and value != "":
                return str(value)
        inner = fields.get("log")
        if isinstance(inner, dict) and isinstance(inner.get("level"), str):
            return str(inner["level"])
    if "level=" in message or "lvl=" in message or "severity=" in message:
        found = _LEVEL.search(message)
        return found[1] if found else None
    klog = _KLOG.match(message)
    return _KLOG_LEVELS[klog[1]] if klog else None
