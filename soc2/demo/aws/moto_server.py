"""moto's server as a process of its own, ended when its parent is gone. Usage: ``python -m ... PORT``."""

from __future__ import annotations

import logging
import sys
from datetime import datetime, timedelta

from moto.core.utils import utcnow
from moto.ec2.models import flow_logs, instances
from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeBucket
from werkzeug.serving import WSGIRequestHandler, run_simple

from soc2.demo.lifeline import exit_when_parent_is_gone

_AGE = timedelta(days=100)


class _KeepAlive(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


def _permit(*_: object) -> PermissionResult:
    """moto does not look at conditions: a policy against plain HTTP would refuse every object. The front decides."""
    return PermissionResult.NEUTRAL


def _long_ago() -> datetime:
    """Machines and flow logs of the company are not as new as the demo is."""
    return utcnow() - _AGE


def main() -> None:
    exit_when_parent_is_gone()
    flow_logs.utcnow = instances.utcnow = _long_ago  # type: ignore[attr-defined]
    FakeBucket.get_permission = _permit  # type: ignore[assignment, method-assign]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True, request_handler=_KeepAlive)


if __name__ == "__main__":
    main()
