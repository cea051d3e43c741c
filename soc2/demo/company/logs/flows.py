"""VPC flow logs of an ordinary day, in the default format of version 2."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from soc2.demo.company.logs.scene import ACCOUNT, BASTION, ENDPOINT, NODES, PROXY, Day, Event, Node

HEADER = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
_BALANCER = "10.20.14.5"
_TCP = 6


def event(
    time: datetime,
    at: Node,
    source: str,
    target: str,
    ports: tuple[int, int],
    volume: tuple[int, int],
    *,
    accepted: bool = True,
) -> Event:
    """Return one line: of a minute, from ``time``; ``ports`` are those of source and target, ``volume`` packets and bytes."""
    start, end = int(time.timestamp()), int((time + timedelta(seconds=59)).timestamp())
    action = "ACCEPT" if accepted else "REJECT"
    numbers = f"{ports[0]} {ports[1]} {_TCP} {volume[0]} {volume[1]} {start} {end}"
    return Event(time, at.name, f"2 {ACCOUNT} {at.interface} {source} {target} {numbers} {action} OK")


def quiet(day: Day) -> Iterator[Event]:
    """Yield the flows of a day without anything out of the ordinary, of nodes, databases and endpoints."""
    for each in (*NODES, PROXY, ENDPOINT):
        dice = day.dice(f"flows {each.name}")
        for number, time in enumerate(day.times(dice, 6)):
            yield _flow(dice, each, number, time)


def _flow(dice: random.Random, at: Node, number: int, time: datetime) -> Event:
    packets = dice.randrange(10, 400)
    volume = (packets, packets * dice.randrange(60, 900))
    port = dice.randrange(32768, 60999)
    if at is ENDPOINT:
        return event(time, at, dice.choice(NODES).address, at.address, (port, 443), volume)
    if at is PROXY:
        return event(time, at, dice.choice(NODES).address, at.address, (port, 5432), volume)
    match number % 6:
        case 0:
            return event(time, at, _BALANCER, at.address, (port, 30443), volume)
        case 1:
            return event(time, at, at.address, PROXY.address, (port, 5432), volume)
        case 2:
            return event(time, at, at.address, "10.20.15.1", (port, 443), volume)
        case 3:
            return event(time, at, BASTION, at.address, (port, 10250), volume)
        case 4:
            # Somebody on the internet knocks, and is refused; from another place each time.
            stranger = f"203.0.113.{dice.randrange(1, 255)}"
            return event(time, at, stranger, at.address, (port, dice.choice((80, 443, 8080, 8443))), (1, 44), accepted=False)
        case _:
            other = dice.choice([one for one in NODES if one is not at])
            return event(time, at, at.address, other.address, (port, dice.choice((53, 8080, 9090))), volume)
