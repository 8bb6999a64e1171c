"""``eventtape lake`` on tables wider than a terminal: every value of a row can be read."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from eventtape.cli import app
from eventtape.store import Lake, Write


@pytest.fixture
def lake(tmp_path):
    wide = {f"a_long_name_{i:02}": [f"value {i} of the first", None] for i in range(25)}
    Lake(tmp_path).write_all([Write("wide", pl.DataFrame(wide), {"dataset": "x"})])
    return tmp_path


def asked(*arguments):
    done = CliRunner().invoke(app, ["lake", *map(str, arguments)], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_wide_table_is_told_row_by_row(lake):
    for said in (
        asked("sql", "select * from wide", "--lake", lake),
        asked("show", "wide", "--lake", lake),
    ):
        lines = said.splitlines()
        assert lines[0] == "row 1"
        assert "  a_long_name_07  value 7 of the first" in lines
        assert lines.count("  a_long_name_07  —") == 1
        assert sum(line.startswith("row ") for line in lines) == 2


def test_a_narrow_table_is_a_table_and_json_stays_rows(lake):
    said = asked("sql", "select a_long_name_00, dataset from wide", "--lake", lake)
    assert "row 1" not in said
    assert "value 0 of the first" in said
    rows = json.loads(asked("sql", "select * from wide", "--lake", lake, "--json"))
    assert rows[0]["a_long_name_24"] == "value 24 of the first"
    assert asked("sql", "select * from wide where false", "--lake", lake) == "no rows\n"
