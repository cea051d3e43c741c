"""A matrix that a population gives comes to results.json and to the page as it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import jsonschema
import pytest

from fixtures.population import Declared, build_population
from soc2.gather.source import Listing, Source
from soc2.judge import judge
from soc2.model.matrix import Cell, CellState, Matrix
from soc2.model.population import Pictured, Population, SourceStatus
from soc2.results import CheckResult, Run, as_json
from soc2.system import About, System
from tests.test_judge import CHECK, declared, rule

MATRIX = Matrix(
    ("shop/web", "shop/worker"),
    ("shop/api", "shop/db", "internet"),
    (
        Cell(0, 0, CellState.DECLARED, "tcp/8080", "NetworkPolicy/shop/api ingress[0]"),
        Cell(1, 1, CellState.UNDECLARED, "every port", "no NetworkPolicy selects it"),
        Cell(1, 2, CellState.BLOCKED, "tcp/443"),
    ),
    restricted=(1,),
)
SYSTEM = System(system=About(name="s", owner="o"))


def test_the_matrix_is_in_the_results() -> None:
    def get(_: Source[Any]) -> Listing[Any]:
        return Listing((), (SourceStatus("things", "GET", 1, 0, None),))

    pictured = Declared((), lambda _: Pictured(iter(["good", "bad"]), MATRIX), join=True)
    population: Population[str] = build_population(pictured, SYSTEM, get)
    assert (population.items, population.matrix) == (("good", "bad"), MATRIX)
    verdict = judge(CHECK, population, rule, declared())
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    run = Run(
        id="20260601T120000Z-abcdef",
        started=noon,
        finished=noon,
        commit=None,
        target="live",
        system="s",
        identities=(),
        exit_code=1,
        results=(CheckResult(CHECK, verdict, 1.0),),
        not_run=(),
    )
    document = as_json(run)
    jsonschema.validate(document, json.loads(resources.files("soc2").joinpath("data/results.schema.json").read_text()))
    assert document["checks"][0]["matrix"] == {
        "rows": ["shop/web", "shop/worker"],
        "columns": ["shop/api", "shop/db", "internet"],
        "restricted": [1],
        "cells": [
            {"row": 0, "column": 0, "state": "declared", "ports": "tcp/8080", "why": "NetworkPolicy/shop/api ingress[0]"},
            {"row": 1, "column": 1, "state": "undeclared", "ports": "every port", "why": "no NetworkPolicy selects it"},
            {"row": 1, "column": 2, "state": "blocked", "ports": "tcp/443", "why": ""},
        ],
    }


def test_a_population_without_a_picture_has_none() -> None:
    plain = Declared((), lambda _: ["good"], join=True)
    assert build_population(plain, SYSTEM, lambda _: Listing((), ())).matrix is None


@pytest.mark.parametrize(
    ("cells", "restricted"),
    [
        ((Cell(2, 0, CellState.WITHIN, ""),), ()),
        ((Cell(0, -1, CellState.WITHIN, ""),), ()),
        ((Cell(0, 0, CellState.WITHIN, ""), Cell(0, 0, CellState.BLOCKED, "")), ()),
        ((), (1,)),
    ],
)
def test_a_matrix_holds_what_it_shows(cells: tuple[Cell, ...], restricted: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        Matrix(("a", "b"), ("c",), cells, restricted)
