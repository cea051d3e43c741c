"""A matrix of who can talk to whom, as a report draws it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class CellState(StrEnum):
    DECLARED = "declared"
    """It is possible, and declared."""
    UNDECLARED = "undeclared"
    """It is possible, and nothing declares it."""
    BLOCKED = "blocked"
    """It is declared, and some policy stops it."""
    WITHIN = "within"
    """It is possible, and needs no declaration: within a namespace, say."""


class Cell(msgspec.Struct, frozen=True):
    """A connection from a row to a column, both by index; what has no cell is impossible, and not declared.

    ``ports`` is how a report names them; ``why`` what lets it through or stops it.
    """

    row: int
    column: int
    state: CellState
    ports: str
    why: str = ""


class Matrix(msgspec.Struct, frozen=True):
    """Rows are sources and columns targets, by name; ``restricted`` are the columns that hold restricted data.

    Raises ValueError when a cell or a restricted column is outside, or two cells are the same place.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[Cell, ...]
    restricted: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        places = {(cell.row, cell.column) for cell in self.cells}
        if len(places) != len(self.cells):
            raise ValueError("two cells of a matrix are the same place")
        rows, columns = range(len(self.rows)), range(len(self.columns))
        if not all(row in rows and column in columns for row, column in places) or not set(self.restricted) <= set(columns):
            raise ValueError("a cell or a restricted column is outside its matrix")
