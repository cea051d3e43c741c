"""Starts and stops the AWS servers of an environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
import yaml

from soc2.demo.aws.front import AUDITOR_ACCESS_KEY, DENIED_ACCESS_KEY
from soc2.demo.process import Child, Servers, free_port

REGION = "eu-west-1"
# moto takes any secret; boto3 insists on one.
_ACCESS_KEY = "AKIADEMOEXAMPLE00000"
_READY_SECONDS = 30.0


class AwsServers(Servers):
    """moto and the service in front of it, on free loopback ports. Use it as a context manager."""

    def __init__(self, folder: Path, answers: Mapping[str, Any]) -> None:
        super().__init__(folder)
        self._answers = answers
        self._port = 0
        self.access_log = folder / "aws-access.jsonl"

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def env(self) -> dict[str, str]:
        """Return what boto3 and the aws CLI need in their environment."""
        return self._environment(_ACCESS_KEY)

    @property
    def auditor_env(self) -> dict[str, str]:
        """Return the environment of the examiner, who may do what the shipped policy allows and no more."""
        return self._environment(AUDITOR_ACCESS_KEY)

    @property
    def denied_env(self) -> dict[str, str]:
        """Return the environment of an identity whose every call is denied."""
        return self._environment(DENIED_ACCESS_KEY)

    def start(self) -> None:
        upstream = free_port()
        environment = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "MOTO_IAM_LOAD_MANAGED_POLICIES": "true"}
        module = [sys.executable, "-m", "soc2.demo.aws.moto_server", str(upstream)]
        moto = Child("moto", module, self.folder / "moto.log", environment)
        self.children.append(moto)
        answers = self.folder / "answers.yaml"
        answers.write_text(yaml.safe_dump(dict(self._answers)), encoding="utf-8")
        self._port = free_port()
        arguments = [str(self._port), str(upstream), str(answers), str(self.access_log)]
        front = Child("aws-front", [sys.executable, "-m", "soc2.demo.aws.front", *arguments], self.folder / "aws-front.log")
        self.children.append(front)
        moto.wait_ready(lambda: _answers(upstream), _READY_SECONDS)
        front.wait_ready(lambda: _answers(self._port), _READY_SECONDS)

    def _environment(self, access_key: str) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": "demo",
            "AWS_DEFAULT_REGION": REGION,
        }


def _answers(port: int) -> bool:
    try:
        urllib3.request("GET", f"http://127.0.0.1:{port}/moto-api/", timeout=1, retries=False)
    except urllib3.exceptions.HTTPError:
        return False
    return True
