"""A lake that was damaged from outside says which file, and what is whole stays usable."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from eventtape.errors import LakeError
from eventtape.store import Lake


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path)
    for day in "12":
        rows = pl.DataFrame({"v": np.random.default_rng(int(day)).random(1000)})
        lake.write("t", rows, partition={"day": day})
    lake.write("whole", pl.DataFrame({"v": [1.0]}), partition={})
    return lake


def file_of(lake, row=0):
    return lake.root / lake.partitions("t")["file"][row]


def flip(path):
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 0xFF
    path.write_bytes(payload)


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "other columns": lambda path: pl.DataFrame({"w": ["x"]}).write_parquet(path),
    "scrambled": lambda path: path.write_bytes(path.read_bytes()[::-1]),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("row", [0, 1])
def test_a_damaged_file_is_named_and_the_rest_stays_readable(lake, damage, row):
    path = file_of(lake, row)
    DAMAGE[damage](path)
    for call in (lake.read, lake.show, lambda t: lake.sql(f"select sum(v) from {t}")):
        if call == lake.show and row == 1 and damage == "scrambled":
            continue  # its rows are not needed for the first ten
        with pytest.raises(LakeError) as caught:
            call("t")
        assert str(path) in str(caught.value)
    assert len(lake.verify()) == 1
    assert str(path) in lake.verify()[0]
    assert lake.read("whole")["v"].to_list() == [1.0]
    assert lake.sql("select v from whole").item() == 1.0
    assert lake.read("t", {"day": "21"[row]}).height == 1000
    assert lake.tables().height == 2


@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "a folder"])
def test_writing_the_same_rows_again_mends_the_file(lake, damage):
    rows = lake.read("t", {"day": "1"}).drop("day")
    DAMAGE[damage](file_of(lake))
    lake.write("t", rows, partition={"day": "1"})
    assert lake.verify() == ()
    assert lake.read("t").height == 2000


def test_dropping_the_damaged_part_mends_the_table(lake):
    file_of(lake).unlink()
    with pytest.raises(LakeError, match="write that partition again or drop it"):
        lake.write("t", pl.DataFrame({"v": [1.0]}), partition={"day": "3"})
    lake.drop("t", {"day": "1"})
    lake.write("t", pl.DataFrame({"v": [1.0]}), partition={"day": "3"})
    assert lake.read("t").height == 1001
    assert lake.vacuum().files == 0


def test_a_changed_byte_in_the_data_is_found_by_verify(lake):
    path = file_of(lake)
    flip(path)
    assert lake.verify() == (f"{path}: damaged, its bytes are not those that were written",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"format": "web app", "version": 1, "tables": {}}',
        '{"format": "eventtape lake", "version": 1}',
        '{"format": "eventtape lake", "version": 1, "tables": []}',
        '{"format": "eventtape lake", "version": 1, "tables": {"../x": {"keys": [], "parts": []}}}',
        '{"format": "eventtape lake", "version": 1, "tables": {"t": {"keys": []}}}',
        '{"format": "eventtape lake", "version": 1, "tables": {"t": {"keys": [], "parts": [{}]}}}',
        b"\xff\xfe",
    ],
)
def test_a_corrupt_manifest_is_named_and_nothing_is_deleted(lake, text):
    path = lake.root / "lake.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(lake, "lake.json.*manifest")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("digest", "../../../etc/passwd"),
        ("digest", None),
        ("rows", "7"),
        ("first_ts", 1.5),
        ("partition", {"day": "../.."}),
        ("partition", {"venue": "1"}),
        ("partition", None),
        ("unknown", 1),
    ],
)
def test_a_manifest_with_a_part_that_cannot_be_is_refused(lake, field, value):
    path = lake.root / "lake.json"
    document = json.loads(path.read_text())
    document["tables"]["t"]["parts"][0][field] = value
    path.write_text(json.dumps(document))
    refused(lake, "lake.json.*manifest")


def test_a_later_version_is_refused_by_number(lake):
    path = lake.root / "lake.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    refused(lake, r"lake.json: lake version 2, and this eventtape reads version 1")


def test_a_lost_manifest_is_not_an_empty_lake(lake):
    (lake.root / "lake.json").unlink()
    refused(lake, "lake.json: missing")


def test_a_lake_copied_elsewhere_is_the_same_lake(lake, tmp_path):
    copy = Lake(tmp_path / "copy")
    shutil.copytree(lake.root, copy.root, ignore=shutil.ignore_patterns("*.lock", "copy"))
    assert copy.read("t").equals(lake.read("t"))
    assert copy.vacuum().files == 0
    copy.write("t", pl.DataFrame({"v": [1.0]}), partition={"day": "3"})
    assert copy.verify() == ()


def refused(lake, match):
    before = set(lake.root.rglob("*.parquet"))
    rows = pl.DataFrame({"v": [1.0]})
    for call in (
        lake.tables,
        lake.vacuum,
        lake.verify,
        lambda: lake.read("t"),
        lambda: lake.drop("t"),
        lambda: lake.sql("select 1"),
        lambda: lake.write("t", rows, partition={"day": "9"}),
    ):
        with pytest.raises(LakeError, match=match):
            call()
    assert set(lake.root.rglob("*.parquet")) == before
    assert not list((lake.root / "staging").iterdir())
