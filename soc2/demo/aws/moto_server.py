"""moto's server as a process of its own, ended when its parent is gone. Usage: ``python -m ... PORT``."""

from __future__ import annotations

import logging
import sys

from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeBucket
from werkzeug.serving import WSGIRequestHandler, run_simple

from soc2.demo.lifeline import exit_when_parent_is_gone


class _KeepAlive(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"


def _permit(*_: object) -> PermissionResult:
    """moto does not look at conditions: a policy against plain HTTP would refuse every object. The front decides."""
    return PermissionResult.NEUTRAL


def main() -> None:
    exit_when_parent_is_gone()
    FakeBucket.get_permission = _permit  # type: ignore[assignment, method-assign]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True, request_handler=_KeepAlive)


if __name__ == "__main__":
    main()
