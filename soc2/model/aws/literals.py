"""What may hold a hard-coded secret: functions, task definitions, user data, stacks and plain parameters.

Of the contents only the findings are kept. Every record has ``findings``, each with its whole place in the resource.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import msgspec

from soc2.model.aws.base import CamelRecord, PascalRecord, aws_resource
from soc2.model.deviation import Resource
from soc2.model.fingerprint import Finding, Literals, UserData


def at(place: str, literals: Literals) -> tuple[Finding, ...]:
    """Return the findings in a part of a resource, with the name of the part before their places."""
    return tuple(replace(found, place=_joined(place, found.place)) for found in literals.findings)


def _joined(place: str, inner: str) -> str:
    if not inner:
        return place
    return (
        f"{place}{inner}" if inner.startswith("[") else f"{place}{' ' if inner.startswith(('line ', 'part ')) else '.'}{inner}"
    )


class DecryptionError(msgspec.Struct, frozen=True, rename="pascal"):
    """Why the service could not decrypt a function's environment."""

    error_code: str = ""


class FunctionEnvironment(msgspec.Struct, frozen=True, rename="pascal"):
    variables: Literals = Literals()
    error: DecryptionError | None = None


class FunctionConfiguration(PascalRecord, frozen=True):
    """One version of a Lambda function."""

    function_name: str = ""
    version: str = ""
    description: Literals = Literals()
    environment: FunctionEnvironment = FunctionEnvironment()

    @property
    def resource(self) -> Resource:
        version = f":{self.version}" if self.version not in ("", "$LATEST") else ""
        return aws_resource("AWS::Lambda::Function", f"{self.function_name}{version}")

    @property
    def findings(self) -> tuple[Finding, ...]:
        return at("Environment", self.environment.variables) + at("Description", self.description)


class TaskName(PascalRecord, frozen=True):
    """The ARN of a task definition's revision."""

    value: str = ""


class TaskDefinition(CamelRecord, frozen=True):
    task_definition_arn: str = ""
    container_definitions: Literals = Literals()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::ECS::TaskDefinition", self.task_definition_arn.rpartition("/")[2])

    @property
    def findings(self) -> tuple[Finding, ...]:
        return at("containerDefinitions", self.container_definitions)


class InstanceData(PascalRecord, frozen=True):
    """The user data of an instance; ``parent_key`` is the instance."""

    value: UserData = UserData()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::Instance", self.parent_key)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return at("UserData", self.value)


class TemplateName(PascalRecord, frozen=True):
    launch_template_id: str = ""


class LaunchData(msgspec.Struct, frozen=True, rename="pascal"):
    user_data: UserData = UserData()


class TemplateVersion(PascalRecord, frozen=True):
    """One version of a launch template: each of them can be launched."""

    launch_template_name: str = ""
    version_number: int = 0
    launch_template_data: LaunchData = LaunchData()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::EC2::LaunchTemplate", f"{self.launch_template_name}:{self.version_number}")

    @property
    def findings(self) -> tuple[Finding, ...]:
        return at("UserData", self.launch_template_data.user_data)


class LaunchConfiguration(PascalRecord, frozen=True):
    launch_configuration_name: str = ""
    user_data: UserData = UserData()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::AutoScaling::LaunchConfiguration", self.launch_configuration_name)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return at("UserData", self.user_data)


class Stack(PascalRecord, frozen=True):
    """A stack's parameters and outputs, which everybody reads who may describe it; NoEcho hides a parameter."""

    stack_name: str = ""
    stack_id: str = ""
    stack_status: str = ""
    description: Literals = Literals()
    parameters: Literals = Literals()
    outputs: Literals = Literals()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::CloudFormation::Stack", self.stack_name)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return at("Parameters", self.parameters) + at("Outputs", self.outputs) + at("Description", self.description)


class StackTemplate(PascalRecord, frozen=True):
    """The template of a stack; ``parent_key`` is the stack."""

    template_body: Literals = Literals()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::CloudFormation::Stack", self.parent_key)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return at("template", self.template_body)


class ParameterName(PascalRecord, frozen=True):
    """A parameter of Systems Manager without its value; ``last_modified_date`` is when it was given that."""

    name: str = ""
    type: str = ""
    last_modified_date: datetime | None = None

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::SSM::Parameter", self.name)


class Parameter(PascalRecord, frozen=True):
    """A parameter of Systems Manager that is no SecureString; ``literal`` is its value under its name."""

    name: str = ""
    literal: Literals = Literals()

    @property
    def resource(self) -> Resource:
        return aws_resource("AWS::SSM::Parameter", self.name)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(replace(found, place=_joined("Value", _line(found.place))) for found in self.literal.findings)


def _line(place: str) -> str:
    """Return the line in a place that begins with the name of the parameter."""
    return place[place.rindex("line ") :] if "line " in place else ""
