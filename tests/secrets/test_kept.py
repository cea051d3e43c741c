"""End to end: secrets that are planted in every place are found there, and their values are in nothing that a run keeps."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from fixtures.population import DECLARED, build_population
from soc2.catalog import all_checks
from soc2.evidence import EvidenceStore
from soc2.gather.aws.connection import AwsConnection
from soc2.gather.codec import Codec, canonical
from soc2.gather.kubernetes.connection import KubeConnection
from soc2.gather.kubernetes.custom_resources import CUSTOM_RESOURCES
from soc2.gather.kubernetes.sources import CONFIG_MAPS, PODS
from soc2.gather.redaction import Redactor
from soc2.gather.source import Gatherer
from soc2.model.fingerprint import APPLIED, EncodedLiterals
from soc2.model.kubernetes.subjects import PodSubject, pod_subjects
from soc2.model.kubernetes.workloads import Deployment
from soc2.model.outcome import Outcome
from soc2.model.population import Cause
from soc2.rules import literals
from soc2.system import About, Aws, Kubernetes, System
from tests.case import Case, load_populations, run_check
from tests.gather.scripted import Answer, scripted

REGION = "eu-west-1"
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


_POPULATIONS = ("functions", "task_definitions", "user_data", "stacks", "plain_parameters")


def secret(number: int) -> str:
    """Return a password that cannot be mistaken for anything else in what is kept."""
    return f"Zx9q{number:02}L7vT2mK8wR4pN6s"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kept(folder: Path) -> str:
    """Return everything that is written under a folder, unpacked."""
    parts = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            parts.append((gzip.decompress(data) if path.suffix == ".gz" else data).decode())
    return "\n".join(parts)


def assert_not_told(told: str, secrets: int) -> None:
    values = [secret(number) for number in range(secrets)]
    assert [value for value in values if value in told or encoded(value)[:-4] in told] == []


@pytest.fixture(name="aws")
def account(tmp_path: Path) -> Iterator[tuple[Gatherer, Any]]:
    with mock_aws():
        connection = AwsConnection((REGION,), environment=KEYS)
        system = System(system=About(name="t", owner="t"), kubernetes=Kubernetes(absent="none"), aws=Aws(regions=(REGION,)))
        gatherer = Gatherer(system, _no_cluster, lambda: connection, EvidenceStore(tmp_path / "evidence"))
        yield gatherer, lambda service: connection.client(service, REGION)
        gatherer.close()


def _no_cluster() -> KubeConnection:
    raise AssertionError("no cluster here")


def judged(gatherer: Gatherer, name: str) -> tuple[list[str], list[str]]:
    """Return the deviations of a population, and the problems of its sources."""
    load_populations()
    population = build_population(DECLARED[name], gatherer.system, gatherer.get)
    told = [f"{each.resource}: {each.message}" for item in population.items for each in literals.in_content(item)]
    return sorted(told), [str(problem) for _, problem in population.problems]


def test_nothing_of_an_account_is_kept(aws: tuple[Gatherer, Any], tmp_path: Path) -> None:
    gatherer, client = aws
    _functions(client)
    _tasks(client)
    _machines(client)
    _stacks(client)
    _parameters(client)
    found = {
        name: judged(gatherer, name) for name in ("functions", "task_definitions", "user_data", "stacks", "plain_parameters")
    }
    assert {name: problems for name, (_, problems) in found.items()} == {name: [] for name in found}
    said = [line.split(" holds ")[0] for told, _ in found.values() for line in told]
    assert said == [
        "AWS::Lambda::Function/resize: Environment.DB_PASSWORD",
        "AWS::Lambda::Function/resize:1: Environment.DB_PASSWORD",
        "AWS::ECS::TaskDefinition/web:1: containerDefinitions[web].command[2]",
        "AWS::ECS::TaskDefinition/web:1: containerDefinitions[web].environment[API_TOKEN].value",
        "AWS::AutoScaling::LaunchConfiguration/old: UserData line 2",
        "AWS::EC2::Instance/" + gatherer.get(DECLARED["user_data"].sources[0]).items[0].parent_key + ": UserData line 2",
        "AWS::EC2::LaunchTemplate/web:1: UserData part 2 line 2",
        "AWS::CloudFormation::Stack/shop: Outputs[ApiToken].OutputValue",
        "AWS::CloudFormation::Stack/shop: Parameters[AdminPassword].ParameterValue",
        "AWS::CloudFormation::Stack/shop: Parameters[DbPassword].ParameterValue",
        "AWS::CloudFormation::Stack/shop: template.Outputs.ApiToken.Value",
        "AWS::CloudFormation::Stack/shop: template.Parameters.DbPassword.Default",
        "AWS::SSM::Parameter//shop/db-password: Value",
    ]  # fmt: skip
    told = kept(tmp_path) + json.dumps([told for told, _ in found.values()])
    assert "/shop/encrypted" in told
    assert_not_told(told, 12)


def _functions(client: Any) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("f.py", "")
    role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    environment = {"Variables": {"STAGE": "prod", "DB_PASSWORD": secret(0)}}
    client("lambda").create_function(
        FunctionName="resize",
        Runtime="python3.12",
        Role=role,
        Handler="f.f",
        Code={"ZipFile": code.getvalue()},
        Environment=environment,
    )
    client("lambda").publish_version(FunctionName="resize")


def _tasks(client: Any) -> None:
    container = {
        "name": "web",
        "image": "web:1",
        "memory": 64,
        "command": ["serve", "--api-key", secret(1)],
        "environment": [{"name": "API_TOKEN", "value": secret(2)}, {"name": "STAGE", "value": "prod"}],
        "secrets": [{"name": "DB_PASSWORD", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/db"}],
    }
    client("ecs").register_task_definition(family="web", containerDefinitions=[container])


def _machines(client: Any) -> None:
    ec2 = client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, UserData=f"#!/bin/bash\nexport DB_PASSWORD={secret(3)}\n")
    archive = (
        'Content-Type: multipart/mixed; boundary="b"\nMIME-Version: 1.0\n\n'
        "--b\nContent-Type: text/cloud-config\n\n#cloud-config\n"
        f"--b\nContent-Type: text/x-shellscript\n\n#!/bin/bash\nexport TOKEN={secret(4)}\n--b--\n"
    )
    packed = base64.b64encode(gzip.compress(archive.encode())).decode()
    ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"UserData": packed})
    client("autoscaling").create_launch_configuration(
        LaunchConfigurationName="old",
        ImageId=image,
        InstanceType="t3.micro",
        UserData=f"#!/bin/bash\nAPI_KEY={secret(5)} run\n",
    )


def _stacks(client: Any) -> None:
    parameters = {
        "AdminPassword": {"Type": "String"},
        "DbPassword": {"Type": "String", "Default": secret(7)},
    }
    template = {
        "Parameters": parameters,
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"ApiToken": {"Value": secret(8)}},
    }
    given = [{"ParameterKey": "AdminPassword", "ParameterValue": secret(6)}]
    client("cloudformation").create_stack(StackName="shop", TemplateBody=json.dumps(template), Parameters=given)


def _parameters(client: Any) -> None:
    ssm = client("ssm")
    ssm.put_parameter(Name="/shop/db-password", Type="String", Value=secret(10))
    ssm.put_parameter(Name="/shop/stage", Type="String", Value="prod")
    ssm.put_parameter(Name="/shop/encrypted", Type="SecureString", Value=secret(11))


def test_user_data_that_cannot_be_read_is_evidence_missing(aws: tuple[Gatherer, Any], tmp_path: Path) -> None:
    gatherer, client = aws
    bomb = base64.b64encode(gzip.compress(b"\0" * (9 << 20))).decode()
    for name, data in (
        ("bomb", bomb),
        ("cut", base64.b64encode(b"\x1f\x8b\x08\0x").decode()),
    ):
        client("ec2").create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"UserData": data})
    _, (problem,) = judged(gatherer, "user_data")
    assert problem.startswith("malformed answer: describe_launch_template_versions: ")
    assert "2 of 2 calls" in problem
    assert_not_told(kept(tmp_path) + problem, 1)


def test_a_function_whose_environment_is_hidden_is_evidence_missing() -> None:
    (check,) = [check for check in all_checks() if check.id == "functions-hold-no-secrets"]
    hidden = {"FunctionName": "f", "Environment": {"Error": {"ErrorCode": "AccessDeniedException"}}}
    verdict = run_check(check, Case(sources={"lambda functions": [hidden]}))
    assert verdict.outcome is Outcome.EVIDENCE_MISSING
    assert "the environment of f could not be decrypted (1 in all)" in verdict.reason


POD = {
    "metadata": {"name": "p", "namespace": "shop", "annotations": {"team.example.com/api-key": secret(0)}},
    "spec": {
        "volumes": [{"name": "v", "csi": {"driver": "d", "volumeAttributes": {"password": secret(12)}}}, {"name": "w"}],
        "initContainers": [{"name": "i", "command": ["sh", "-c", f"mysql -u root -p{secret(1)}"]}],
        "containers": [
            {
                "name": "c",
                "env": [
                    {"name": "DB_PASSWORD", "value": secret(2)},
                    {"name": "REFERRED", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
                "args": ["--api-token", secret(3), f"--dsn=postgres://app:{secret(4)}@db/app"],
                "livenessProbe": {
                    "exec": {"command": ["redis-cli", "-a", secret(5), "ping"]},
                    "httpGet": {"path": "/", "httpHeaders": [{"name": "Authorization", "value": f"Bearer {secret(6)}"}]},
                },
            }
        ],
    },
}
CONFIG = {
    "metadata": {"name": "c", "namespace": "shop"},
    "data": {"app.properties": f"port=80\nspring.datasource.password={secret(7)}\n", "level": "info"},
    "binaryData": {"settings.json": encoded(json.dumps({"password": secret(8)}))},
}
DEFINITION = {
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": False}, {"name": "v2", "served": True, "storage": True}],
    },
}
THING = {
    "apiVersion": "example.com/v2",
    "kind": "Thing",
    "metadata": {"name": "t", "namespace": "shop"},
    "spec": {"auth": {"password": secret(9)}, "level": "info"},
    "data": {"token": secret(10)},
    "status": {"observed": {"password": secret(11)}},
}


def listed(kind: str, *items: Any) -> Answer:
    return Answer(body=json.dumps({"kind": f"{kind}List", "metadata": {}, "items": items}).encode())


def test_nothing_of_a_cluster_is_kept(tmp_path: Path) -> None:
    answers = (
        listed("Pod", POD),
        listed("ConfigMap", CONFIG),
        listed("CustomResourceDefinition", DEFINITION),
        listed("Thing", THING),
    )
    with scripted(tmp_path, *answers) as (gatherer, script):
        (pod,) = gatherer.get(PODS).items
        (config,) = gatherer.get(CONFIG_MAPS).items
        things = gatherer.get(CUSTOM_RESOURCES)
    assert [status.problem for status in things.statuses] == [None, None]
    assert script.paths[-1] == "/apis/example.com/v2/things?limit=500"
    found = [
        *literals.in_pod(PodSubject(pod.resource, pod.metadata, pod.spec)),
        *literals.in_config_map(config),
        *(each for thing in things.items for each in literals.in_content(thing)),
    ]
    assert sorted(f"{each.resource} {each.fields['place']}" for each in found) == [
        "ConfigMap/shop/c binaryData[settings.json]",
        "ConfigMap/shop/c data[app.properties] line 2",
        "Pod/shop/p containers[c].args[1]",
        "Pod/shop/p containers[c].args[2]",
        "Pod/shop/p containers[c].env[DB_PASSWORD]",
        "Pod/shop/p containers[c].livenessProbe.exec.command",
        "Pod/shop/p containers[c].livenessProbe.httpGet.httpHeaders[Authorization].value",
        "Pod/shop/p initContainers[i].command[2]",
        "Pod/shop/p metadata.annotations[team.example.com/api-key]",
        "Pod/shop/p volumes[v].csi.volumeAttributes.password",
        "Thing.example.com/shop/t data.token",
        "Thing.example.com/shop/t spec.auth.password",
    ]
    told = kept(tmp_path / "evidence") + " ".join(f"{each.message} {each.fields}" for each in found)
    assert "Thing" in told
    assert_not_told(told, 13)


def test_a_kind_that_may_not_be_listed_is_evidence_missing(tmp_path: Path) -> None:
    denied = Answer(403, json.dumps({"kind": "Status", "message": "things.example.com is forbidden"}).encode())
    with scripted(tmp_path, listed("CustomResourceDefinition", DEFINITION), denied) as (gatherer, _):
        listing = gatherer.get(CUSTOM_RESOURCES)
    assert listing.items == ()
    assert [(status.source, status.problem and status.problem.cause) for status in listing.statuses] == [
        ("customresourcedefinitions", None),
        ("contents of things.example.com", Cause.DENIED),
    ]


def test_annotations_of_workloads_and_copies_of_manifests() -> None:
    template = {
        "metadata": {"annotations": {"team.example.com/token": secret(2)}},
        "spec": {"containers": [{"name": "c", "env": [{"name": "DB_PASSWORD", "value": secret(0)}]}]},
    }
    # What was taken out of the environment by hand stays in the copy.
    copied = {"spec": {"template": template}, "removed": {"password": secret(3)}}
    annotations = {APPLIED: json.dumps(copied), "team.example.com/password": secret(1), "istio.io/password": secret(4)}
    workload = {"metadata": {"name": "d", "namespace": "shop", "annotations": annotations}, "spec": {"template": template}}
    codec = Codec()
    deployment = codec.decode(json.dumps({"kind": "Deployment", **workload}).encode(), Deployment)
    (subject,) = pod_subjects((), (deployment,))
    found = list(literals.in_pod(subject))
    assert [each.fields["place"] for each in found] == [
        "containers[c].env[DB_PASSWORD]",
        "spec.template.metadata.annotations[team.example.com/token]",
        f"metadata.annotations[{APPLIED}].removed.password",
        "metadata.annotations[team.example.com/password]",
        "metadata.annotations[istio.io/password]",
    ]
    assert_not_told(canonical(deployment).decode() + str(found), 5)


@pytest.mark.parametrize("text", ["not JSON, password=@", '{"a":' * 5_000 + '"password=@"' + "}" * 5_000, '["password=@"]'])
def test_any_copy_of_a_manifest_is_looked_at(text: str) -> None:
    annotations = Redactor().annotations({APPLIED: text.replace("@", secret(0))})
    assert [name for name, _ in annotations.findings()] == [APPLIED]


def test_packed_binary_data_is_unpacked_within_limits() -> None:
    def found(data: bytes) -> list[str]:
        packed = base64.b64encode(data).decode()
        return [each.place for each in Redactor().literals(EncodedLiterals, {"app.conf.gz": packed}).findings]

    text = f"level=info\npassword={secret(0)}\n".encode()
    assert found(gzip.compress(text)) == found(gzip.compress(gzip.compress(text))) == ["[app.conf.gz] line 2"]
    assert found(gzip.compress(b"level=info\n") + gzip.compress(text)) == ["[app.conf.gz] line 3"]
    assert found(b"\x1f\x8b" + text) == ["[app.conf.gz] line 2"]
    with pytest.raises(TypeError, match="more than 64 MB when unpacked"):
        found(gzip.compress(b"\0" * (65 << 20)))
