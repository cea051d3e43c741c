"""Line numbers of records that DuckDB counted."""

from __future__ import annotations

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from soc2.detect.lines import LineNumbers

_LINES = st.lists(st.sampled_from(['{"a":1}', '{"a":2}', "", " ", "\t", "no record", '{"a":']), max_size=30)


@given(_LINES, st.booleans())
def test_every_record_has_the_line_it_stands_on(lines: list[str], zipped: bool) -> None:
    """DuckDB gives a row for every line that is not blank, in order: each is found again by its line number."""
    content = "\n".join(lines).encode()
    with TemporaryDirectory() as folder:
        path = Path(folder) / ("log.jsonl.gz" if zipped else "log.jsonl")
        path.write_bytes(gzip.compress(content) if zipped else content)
        options = "format = 'newline_delimited', columns = {a: 'INTEGER'}, ignore_errors = true"
        rows = duckdb.execute(f"SELECT a FROM read_json('{path}', {options})").fetchall() if content.strip() else []
        numbers = LineNumbers()
        found = [(numbers.line(path, record), a) for record, (a,) in enumerate(rows)]
    read = {'{"a":1}': 1, '{"a":2}': 2}
    assert found == [(number, read.get(line)) for number, line in enumerate(lines, 1) if line.strip()]
