"""system.toml: what is valid loads as it was written, and lines are found where keys stand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc2.criteria import CRITERIA
from soc2.demo.company import FOLDER
from soc2.errors import UsageError
from soc2.system import System, load_system
from soc2.toml_file import TomlFile
from soc2.waivers import load_waivers

WORD = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=3, max_size=12)
WORDS = st.lists(WORD, max_size=3).map(tuple)
SYSTEMS = st.fixed_dictionaries(
    {"system": st.fixed_dictionaries({"name": WORD, "owner": WORD, "criteria": st.lists(st.sampled_from(list(CRITERIA)))})},
    optional={
        "kubernetes": st.fixed_dictionaries(
            {"cluster": WORD},
            optional={"out_of_scope": st.lists(st.fixed_dictionaries({"namespaces": WORD, "reason": WORD}), max_size=3)},
        ),
        "images": st.fixed_dictionaries({"allowed_registries": st.lists(WORD, max_size=3)}),
        "exposure": st.fixed_dictionaries({}, optional={"services": st.lists(WORD, max_size=2)}),
        "thresholds": st.fixed_dictionaries({}, optional={"node_zones": st.integers(1, 10)}),
        "inherited": st.lists(
            st.fixed_dictionaries({"check": WORD, "provider": WORD, "report": WORD, "reviewed": st.dates()}), max_size=2
        ),
    },
)


@given(SYSTEMS)
def test_whatever_is_valid_loads_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("s") / "system.toml"
    path.write_text(_toml(content), encoding="utf-8")
    assert load_system(path) == msgspec.convert(content, System)


@given(SYSTEMS, st.data())
def test_an_unknown_key_is_found_on_its_line(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], data: st.DataObject
) -> None:
    lines = _toml(content).splitlines()
    places = [number for number, line in enumerate(lines, 1) if "=" in line]
    line = data.draw(st.sampled_from(places))
    lines.insert(line, "zzz_unknown = 1")
    path = tmp_path_factory.mktemp("s") / "system.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(UsageError) as error:
        load_system(path)
    assert (error.value.line, "zzz_unknown" in error.value.what) == (line + 1, True)


def test_lines_of_arrays_and_inline_tables(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text('[a]\nlist = [\n  "x = 1",\n  "[b]",\n]\ntext = """\n[c]\nd = 1\n"""\n[b]\ninner = { e = 1 }\n')
    file = TomlFile.read(path)
    assert (file.line(("a", "list")), file.line(("a", "text")), file.line(("b",)), file.line(("b", "inner", "e"))) == (
        2,
        6,
        10,
        11,
    )
    assert ("c",) not in file.lines


def test_namespaces_out_of_scope_have_their_reason() -> None:
    system = load_system(FOLDER / "system.toml")
    assert system.scope_reason("kube-system") == "run by the provider"
    assert system.in_scope("payments")
    assert system.in_scope("")


def test_an_incomplete_waiver_is_kept_for_the_check_it_names(tmp_path: Path) -> None:
    good = (FOLDER / "waivers.toml").read_text()
    path = tmp_path / "waivers.toml"
    path.write_text(good + '[[waiver]]\ncheck = "tier1-spread"\n')
    waivers = load_waivers(path, frozenset({"tier1-spread"}))
    assert [waiver.expires for waiver in waivers.valid] == [date(2027, 3, 1)]
    assert [(entry.check, entry.line) for entry in waivers.malformed] == [("tier1-spread", len(good.splitlines()) + 1)]


def test_a_waiver_of_an_unknown_check_is_a_mistake_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text('[[waiver]]\ncheck = "tier1-spred"\nresource = "x"\n')
    with pytest.raises(UsageError) as error:
        load_waivers(path, frozenset({"tier1-spread"}))
    assert str(error.value) == f'{path}:2: unknown check "tier1-spred"; did you mean "tier1-spread"?'


def test_an_inherited_control_names_one_thing(tmp_path: Path) -> None:
    path = tmp_path / "system.toml"
    path.write_text(
        '[system]\nname = "x"\nowner = "y"\n[[inherited]]\nprovider = "AWS"\nreport = "SOC 2"\nreviewed = 2026-01-01\n'
    )
    with pytest.raises(UsageError, match="either check or criterion"):
        load_system(path)


def _toml(content: dict[str, Any]) -> str:
    lines: list[str] = []
    for name, section in content.items():
        for table in section if isinstance(section, list) else [section]:
            lines.append(f"[[{name}]]" if isinstance(section, list) else f"[{name}]")
            nested = {key: value for key, value in table.items() if _is_tables(value)}
            lines += [f"{key} = {_value(value)}" for key, value in table.items() if key not in nested]
            for key, entries in nested.items():
                for entry in entries:
                    lines.append(f"[[{name}.{key}]]")
                    lines += [f"{inner} = {_value(value)}" for inner, value in entry.items()]
    return "\n".join(lines) + "\n"


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
