"""The process that holds an environment: starts its servers, loads the company, waits to be stopped, cleans up.

Usage: ``python -m soc2.demo.supervisor FOLDER VARIANT``. It ends on SIGTERM or SIGINT, and, with ``--lifeline``, when its
standard input is closed. Its own servers end when it does, however that happens.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import msgspec

from soc2.demo.aws.digests import TrailDigests
from soc2.demo.aws.seed import declared_answers, declared_company, seed
from soc2.demo.aws.server import AwsServers
from soc2.demo.build import find_binaries
from soc2.demo.company.cluster import link_nodes, load
from soc2.demo.company.images import company_images, image_ids, push, signatures
from soc2.demo.company.logs.shipping import Shipper
from soc2.demo.company.weaknesses import declared_etcd
from soc2.demo.controlplane import ControlPlane, Protections, remove_folder
from soc2.demo.signing import signing_key
from soc2.demo.state import ALERTS, PROGRESS, SIGNING_KEY, EtcdPlaces, State
from soc2.demo.tls import Endpoints

_WATCH_SECONDS = 0.5


def main() -> None:
    folder, variant = Path(sys.argv[1]), sys.argv[2]
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if "--lifeline" in sys.argv[3:]:
        threading.Thread(target=_watch_lifeline, args=(stopping,), daemon=True).start()
    progress = (folder / PROGRESS).open("a", buffering=1)

    def say(line: str) -> None:
        progress.write(line + "\n")

    failed = False
    try:
        _hold(folder, variant, stopping, say)
    except Exception as error:
        say(f"error: {error}")
        failed = True
    finally:
        progress.close()
    if failed:
        sys.exit(1)
    remove_folder(folder)


def _hold(folder: Path, variant: str, stopping: threading.Event, say: object) -> None:
    assert callable(say)
    with ExitStack() as stack:
        binaries = find_binaries(say)
        started = time.monotonic()
        company = declared_company(variant)
        images = company_images(variant)
        protections = Protections(etcd_tls_only=declared_etcd(variant)["tls_only"])
        cluster = ControlPlane(binaries, folder / "cluster", protections, image_ids=image_ids(images))
        digests = TrailDigests(company)
        answers = declared_answers(company)
        answers["cloudtrail"] = {**answers.get("cloudtrail", {}), **digests.answers}
        cloud = AwsServers(folder / "aws", answers)
        endpoints = Endpoints(folder / "tls")
        stack.callback(endpoints.stop)
        stack.callback(cluster.stop)
        stack.callback(cloud.stop)

        def start_cloud() -> tuple[dict[str, str], Shipper]:
            cloud.start()
            instances = seed(company, cloud.env)
            shipper = Shipper(cloud.env, cluster.audit_log, folder / ALERTS)
            shipper.seed(variant, instances)
            digests.deliver(cloud.env)
            return instances, shipper

        def start_cluster() -> Path:
            cluster.start()
            sign, public = signing_key()
            (folder / SIGNING_KEY).write_bytes(public)
            push(images, signatures(variant, images, sign), cluster.registry)
            admin = cluster.kubeconfig("platform-admin", ("system:masters",))
            load(admin, variant, say)
            return admin

        with ThreadPoolExecutor(2) as pool:
            in_cloud, in_cluster = pool.submit(start_cloud), pool.submit(start_cluster)
            admin = in_cluster.result()
            instances, shipper = in_cloud.result()
            link_nodes(admin, instances)
        shipper.begin(admin, variant)
        state = State(
            pid=os.getpid(),
            variant=variant,
            server=cluster.url,
            admin_kubeconfig=str(admin),
            auditor_kubeconfig=str(cluster.kubeconfig("soc2-auditor")),
            denied_kubeconfig=str(cluster.kubeconfig("soc2-denied")),
            aws_env=cloud.env,
            auditor_aws_env=cloud.auditor_env,
            denied_aws_env=cloud.denied_env,
            registry=cluster.registry,
            audit_log=str(cluster.audit_log),
            aws_access_log=str(cloud.access_log),
            pids={**cluster.pids, **cloud.pids},
            endpoints=endpoints.start(variant),
            etcd=EtcdPlaces(
                endpoints=cluster.etcd_endpoints,
                ca=str(cluster.authority.certificate),
                client_cert=str(cluster.etcd_client.certificate),
                client_key=str(cluster.etcd_client.key),
            ),
        )
        say(f"ready after {time.monotonic() - started:.1f} s")
        state.write(folder)
        children = (*cluster.children, *cloud.children)
        while not stopping.wait(_WATCH_SECONDS):
            ended = [child.name for child in children if not child.running]
            if ended:
                raise RuntimeError(f"these servers ended by themselves: {', '.join(ended)}; look at the logs in {folder}")
            shipper.ship()
            digests.deliver(cloud.env)


def _watch_lifeline(stopping: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stopping.set()


if __name__ == "__main__":
    try:
        main()
    except msgspec.MsgspecError as error:
        sys.exit(str(error))
