"""The demo's logs: whole, alike for the same seed, quiet when they are to be, and every attack in them is seen."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.catalog import known_ids
from soc2.demo.company import FOLDER
from soc2.demo.company.logs.flows import HEADER
from soc2.demo.company.logs.planting import ATTACKS, ago, tell
from soc2.demo.company.logs.scene import Day
from soc2.demo.company.logs.store import LOGS, batches, lines, objects, quiet_logs, write
from soc2.demo.company.weaknesses import weaknesses
from soc2.detect.engine import Detector
from soc2.detect.rules import SHIPPED, load_rules
from soc2.gather.logs.framing import frame_paths
from soc2.system import load_system

END = datetime(2026, 6, 1, 12, 34, 56, tzinfo=UTC)
ENDS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))


@settings(max_examples=5)
@given(ENDS, st.integers(1, 30), st.integers(0, 99))
def test_a_day_is_made_again_alike_and_lies_in_its_hours(end: datetime, hours: int, seed: int) -> None:
    day = Day(end, hours, seed)
    made = quiet_logs(day)
    assert made == quiet_logs(day)
    assert all(day.start <= event.time < end for name, events in made.items() if name != "guardduty" for event in events)
    assert {name for name, events in made.items() if not events} == set()


def test_nothing_is_lost_on_the_way_to_the_stores() -> None:
    made = quiet_logs(Day(END))
    for log in LOGS:
        if log.group:
            found = [event["message"] for _, events in batches(made[log.name]) for event in events]
        else:
            texts = [gzip.decompress(content).decode() for _, content in objects(log, made[log.name])]
            found = [line for text in texts for line in text.splitlines() if line != HEADER]
            if log.name == "cloudtrail":
                found = [json.dumps(record, separators=(",", ":")) for text in texts for record in json.loads(text)["Records"]]
        assert Counter(found) == Counter(lines(made[log.name]))


def test_keys_of_what_is_delivered_later_differ() -> None:
    log = next(each for each in LOGS if each.name == "cloudtrail")
    events = quiet_logs(Day(END))[log.name][:4]
    keys = [key for second in range(3) for key, _ in objects(log, events, END + timedelta(seconds=second))]
    assert len(set(keys)) == 3
    assert list(objects(log, [], END)) == []


def test_quiet_hours_raise_no_alarm_and_every_attack_is_seen(tmp_path: Path) -> None:
    day = Day(END, 36)
    made = quiet_logs(day)
    begun = {name: END - timedelta(minutes=60 + 45 * number) for number, name in enumerate(ATTACKS)}
    for name, time in begun.items():
        for log, event in ATTACKS[name](time, day.dice(name)):
            made[log].append(event)
    write({name: sorted(events, key=lambda event: event.time) for name, events in made.items()}, tmp_path / "logs")
    framed = frame_paths([tmp_path / "logs"], tmp_path / "spool")
    assert (framed.malformed, framed.unrecognised) == ((), ())
    with Detector(load_rules([SHIPPED]), tmp_path) as detector:
        detector.add(framed.segments)
        assert sum(scanned.records for scanned in detector.scanned) > 7000
        alerts = [(alert.time, alert.severity) for alert in detector.alerts() if alert.time and alert.time >= day.start]
    assert [(time, severity) for time, severity in alerts if time < min(begun.values()) and severity != "low"] == []
    unseen = {name for name, time in begun.items() if not any(time <= at < time + timedelta(minutes=44) for at, _ in alerts)}
    # It is no attack: a ticket has to explain it.
    assert unseen == {"break-glass-login"}


def test_what_is_planted_is_known_and_rows_come_after_what_they_are_about() -> None:
    declared = {source.name for source in load_system(FOLDER / "system.toml").logs.sources}
    assert len(declared) == len(LOGS)
    planted = weaknesses("logs")
    assert {expected.check for weakness in planted for expected in weakness.expected} <= known_ids()
    patches = yaml.safe_load((FOLDER / "logs" / "incidents.yaml").read_text())
    patches += [patch for weakness in planted for patch in weakness.patch]
    assert {patch["attack"] for patch in patches if "attack" in patch} == ATTACKS.keys()
    assert all(ago(patch["ago"]) < timedelta(hours=24) for patch in patches if "ago" in patch)
    rows = tell(Day(END), "default").alerts
    assert all(row["opened"] <= row.get("triaged", row["opened"]) <= row.get("closed", "9") for row in rows)


def test_silence_and_cuts_take_only_what_they_name() -> None:
    day = Day(END)
    quiet, told = quiet_logs(day), tell(day, "default").logs
    silent = [event for event in quiet["journals"] if event not in told["journals"]]
    assert {event.stream for event in silent} == {"node-2"}
    assert all(END - timedelta(hours=5) <= event.time < END - timedelta(hours=2) for event in silent)
    cut = [event for event in told["flows-of-nodes"] if not lines([event])[0].endswith(" OK")]
    assert {event.stream for event in cut} == {"node-4"}
    handled = [event for event in tell(day, "compliant").logs["flows-of-nodes"] if " 198.51.100.202 " not in event.record]
    assert handled == quiet["flows-of-nodes"]
