"""Creates what of the company's account holds contents: functions, task definitions, launch templates, stacks, parameters."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from soc2.demo.generated import filled

_ROLE = "arn:aws:iam::123456789012:role/nn-deploy"


def create_contents(client: Callable[[str], Any], company: Mapping[str, Any]) -> None:
    """Create all of them by name. A function has an ``environment``; a task definition is a list of revisions, a launch
    template one of the scripts of its versions; a stack is its template, and a parameter has a type and a value."""
    for name, function in company["functions"].items():
        _function(client("lambda"), name, filled(function))
    for family, revisions in company["tasks"].items():
        for revision in revisions:
            client("ecs").register_task_definition(family=family, containerDefinitions=[{"memory": 256, **filled(revision)}])
    for name, scripts in company["launch_templates"].items():
        _template(client("ec2"), name, [filled(script) for script in scripts])
    for name, template in company["stacks"].items():
        client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(filled(template)))
    for name, parameter in company["parameters"].items():
        client("ssm").put_parameter(Name=name, Type=parameter["type"], Value=filled(parameter["value"]))


def _function(service: Any, name: str, function: Mapping[str, Any]) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", "")
    service.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=_ROLE,
        Handler="main.handle",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": function["environment"]},
    )


def _template(ec2: Any, name: str, scripts: list[str]) -> None:
    first, *later = ({"UserData": base64.b64encode(script.encode()).decode()} for script in scripts)
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=first)
    for data in later:
        ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=data)
