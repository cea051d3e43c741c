"""Endpoints as system.toml declares them: where they lead, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.declared_network import Endpoint
from soc2.errors import UsageError
from soc2.model.network.places import Place, ascii_host
from soc2.system import load_system
from tests.tls.authority import Authority


def declared(folder: Path, *lines: str) -> Endpoint:
    path = folder / "system.toml"
    path.write_text("\n".join(['[system]\nname = "test"\nowner = "test"\n[[network.endpoints]]', *lines]), encoding="utf-8")
    (endpoint,) = load_system(path).network.endpoints
    return endpoint


@pytest.mark.parametrize(
    ("lines", "place", "http"),
    [
        (('host = "WWW.Example.test."',), ("www.example.test", 443), ("www.example.test", 80)),
        (('host = "bücher.example"', "port = 8443"), ("xn--bcher-kva.example", 8443), ("xn--bcher-kva.example", 80)),
        (('host = "a.test"', 'address = "[::1]:8443"', "http = 8080"), ("::1", 8443), ("::1", 8080)),
        (('host = "a.test"', 'address = "127.0.0.1:1"', 'http = "10.0.0.1:2"'), ("127.0.0.1", 1), ("10.0.0.1", 2)),
        (('host = "2001:DB8:0::1"', "http = false"), ("2001:db8::1", 443), None),
        (('host = "a.test"', "http = true"), ("a.test", 443), ("a.test", 80)),
    ],
)
def test_where_endpoints_lead(
    tmp_path: Path, lines: tuple[str, ...], place: tuple[str, int], http: tuple[str, int] | None
) -> None:
    endpoint = declared(tmp_path, *lines)
    assert (endpoint.place, endpoint.http_place) == (place, http)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('host = "https://a.test/"',), "'https://a.test/' is neither a name of DNS nor an address"),
        (('host = "a.test:443"',), "'a.test:443' is neither a name of DNS nor an address"),
        (('host = "10.0.0.300"',), "'10.0.0.300' is neither a name of DNS nor an address"),
        (('host = "a b"',), "'a b' is neither a name of DNS nor an address"),
        (('host = "a.test\\r\\nX: y"',), r"'a.test\r\nX: y' is neither a name of DNS nor an address"),
        (('host = "a.test"', "port = 0"), "expected `int` >= 1"),
        (
            ('host = "a.test"', 'address = "127.0.0.1"'),
            "'127.0.0.1' is not of the form host:port, with a port",
        ),
        (('host = "a.test"', 'address = "::1:443"'), "'::1:443': an address of IPv6 stands in brackets before the port"),
        (('host = "a.test"', 'address = "https://b.test:443"'), "'https://b.test' is neither a name of DNS nor an address"),
        (('host = "a.test"', 'ca = ""'), "expected `str` of length >= 1"),
        (('host = "a.test"', 'http = "80"'), "'80' is not of the form host:port"),
        (('host = "a.test"', 'http = "a.test:99999"'), "'a.test:99999' is not of the form host:port"),
        (('host = "a.test"', 'ca = "none.pem"'), "none.pem cannot be read: No such file or directory"),
        (('host = "a.test"', 'ca = "system.toml"'), "system.toml holds no certificate in PEM form"),
    ],
)
def test_mistakes_are_found_on_their_line(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(UsageError) as error:
        declared(tmp_path, *lines)
    assert words in error.value.what
    assert error.value.line == 4 + len(lines)


def test_an_endpoint_is_declared_once_for_each_place(tmp_path: Path) -> None:
    path = tmp_path / "system.toml"
    entry = '[[network.endpoints]]\nhost = "a.test"\n'
    path.write_text(f'[system]\nname = "test"\nowner = "test"\n{entry}{entry}address = "127.0.0.1:1"\n', encoding="utf-8")
    assert [str(each.place) for each in load_system(path).network.endpoints] == ["a.test:443", "127.0.0.1:1"]
    path.write_text(f'[system]\nname = "test"\nowner = "test"\n{entry}{entry.replace("a.test", "A.test.")}', encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_system(path)
    assert (error.value.what, error.value.line) == ("the endpoint a.test:443 is declared twice", 6)


def test_the_file_of_issuers_stands_beside_system_toml(tmp_path: Path) -> None:
    path = Authority("root").file(tmp_path)
    assert declared(tmp_path, 'host = "a.test"', f'ca = "{Path(path).name}"').ca == path


_LABELS = st.lists(st.text("abz09_-", min_size=1, max_size=9).map(lambda label: f"a{label}z"), min_size=1, max_size=4)
_HOSTS = st.one_of(st.ip_addresses().map(str), _LABELS.map(".".join))


@given(_HOSTS, st.integers(1, 65535))
def test_a_place_reads_as_it_is_written(host: str, port: int) -> None:
    assert Place.parse(str(Place(host, port))) == (host, port)


@given(st.text(max_size=300))
def test_whatever_is_taken_as_a_host_can_stand_in_a_header_and_in_a_handshake(text: str) -> None:
    try:
        host = ascii_host(text)
    except ValueError:
        return
    assert host.isascii()
    assert not set(host) & set(" \r\n\t/\\@?#\0")
    assert ascii_host(host) == host
