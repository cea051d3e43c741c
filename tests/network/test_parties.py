"""What the two ends and the ports of a declared connection may be called, and what is refused."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc2.errors import UsageError
from soc2.model.network.parties import Kind, Party, parse_party
from soc2.model.network.ports import PortRange, PortSet
from soc2.system import load_system

NAMESPACE = st.builds(str.__add__, st.sampled_from("az09*?"), st.text("az09*?-", max_size=8))
NAME = st.builds(str.__add__, st.sampled_from("az09*?"), st.text("az09*?.-", max_size=8))


@settings(max_examples=100)
@given(NAMESPACE, NAME, NAME)
def test_patterns_name_the_workloads_that_they_match(namespace: str, workload: str, other: str) -> None:
    party = parse_party(f"{namespace}/{workload}")
    assert party == Party(Kind.WORKLOAD, f"{namespace}/{workload}")
    if not set("*?") & set(namespace + workload):
        assert party.names_workload(f"{namespace}/{workload}")
        assert party.names_workload(f"{namespace}/{other}") == (other == workload)


@settings(max_examples=100)
@given(st.ip_addresses(v=4) | st.ip_addresses(v=6), st.integers(0, 128))
def test_addresses_and_networks(address: object, bits: int) -> None:
    network = ip_network(f"{address}/{min(bits, 32 if '.' in str(address) else 128)}", strict=False)
    assert parse_party(str(network)) == Party(Kind.ADDRESSES, network=network)
    assert parse_party(str(address)) == Party(Kind.ADDRESSES, network=ip_network(str(address)))


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("internet", Party(Kind.INTERNET)),
        ("nodes", Party(Kind.NODES)),
        ("metadata", Party(Kind.METADATA)),
        ("aws:bastion-*", Party(Kind.MACHINE, "bastion-*")),
        ("aws:eni/0a1b", Party(Kind.MACHINE, "eni/0a1b")),
        ("*/*", Party(Kind.WORKLOAD, "*/*")),
        ("1password/api", Party(Kind.WORKLOAD, "1password/api")),
        ("notes/metadata", Party(Kind.WORKLOAD, "notes/metadata")),
    ],
)
def test_words(text: str, party: Party) -> None:
    assert parse_party(text) == party


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "notes",
        "notes/",
        "/api",
        "notes/api/8080",
        "10.0.0.1/24",
        "10.0.0.300",
        "300.0.0.0/8",
        "10.0.0.0/33",
        "fd00::1/64",
        "aws:",
        "AWS:bastion",
        "Internet",
        "tcp://notes/api",
        " notes/api",
        "notes/api\n",
        "notes/a pi",
    ],
)
def test_what_is_no_party_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is none of namespace/workload, nodes"):
        parse_party(text)


@settings(max_examples=200)
@given(st.text(max_size=12) | st.from_regex(r"[0-9a-f.:/*]{0,12}", fullmatch=True))
def test_any_text_is_a_party_or_refused(text: str) -> None:
    try:
        party = parse_party(text)
    except ValueError:
        return
    known = {Kind.WORKLOAD: party.pattern, Kind.MACHINE: f"aws:{party.pattern}"}
    assert known.get(party.kind, text) == text
    assert party.network is None or party.network == ip_network(text)


def connection(folder: Path, *lines: str) -> Path:
    path = folder / "system.toml"
    head = ("[system]", 'name = "a"', 'owner = "b"', "[[network.connections]]", 'from = "a/b"', 'reason = "meant"')
    path.write_text("\n".join((*head, *lines)), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (('to = "c"',), ":7: 'c' is none of namespace/workload"),
        (('to = "c/d"', 'ports = ["tcp/80", "443"]'), ":8: '443' is no port or range of ports"),
        (('to = "c/d"', 'ports = ["TCP/80"]'), ":8: 'TCP/80' is no port"),
        (('to = "c/d"', 'ports = ["icmp/1"]'), ":8: 'icmp/1' is no port"),
        (('to = "c/d"', 'ports = ["tcp/65536"]'), ":8: 'tcp/65536' is no port"),
        (('to = "c/d"', 'ports = ["tcp/90-80"]'), ":8: 'tcp/90-80' is no port"),
        (('to = "c/d"', 'ports = ["tcp/٣"]'), ":8: 'tcp/٣' is no port"),
        (('to = "c/d"', 'ports = ["tcp/80\\n"]'), ":8: 'tcp/80\\n' is no port"),
    ],
)
def test_a_slip_is_told_with_its_line(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        load_system(connection(tmp_path, *lines))
    assert message in str(raised.value)


def test_declared_ports(tmp_path: Path) -> None:
    path = connection(tmp_path, 'to = "10.0.0.0/8"', 'ports = ["tcp/443", "sctp/1-65535"]')
    declared = load_system(path).network.connections[0].declared
    assert declared.ports == PortSet.of([PortRange("TCP", 443, 443), PortRange("SCTP", 1, 65535)])
    assert declared.text == "a/b -> 10.0.0.0/8 (tcp/443, sctp/1-65535)"
