"""Writing and reading the lake: what goes in comes back, and only what was named changes."""

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.errors import InputError
from eventtape.store import Lake, Vacuumed, Write
from eventtape.tape import BAR, PROBABILITY, RESULT, TRADE, Record, check, empty

TIME = pl.Datetime("ns", "UTC")
FIRST = 1_730_844_000_000_000_001  # an odd nanosecond, lost by any microsecond on the way


def records(record: Record, n: int = 50) -> pl.DataFrame:
    """Made-up rows of a record, nulls where the record allows them."""
    rng = np.random.default_rng(7)
    columns = {}
    for name, column in record.columns.items():
        if name == "ts":
            values = pl.Series(FIRST + 977 * np.arange(n)).cast(TIME)
        elif column.dtype == pl.String:
            values = pl.Series(["x"] * n) if not column.nullable else pl.Series(map(str, range(n)))
        elif column.dtype == pl.Int8:
            values = pl.Series(rng.integers(-1, 2, n), dtype=pl.Int8)
        else:
            values = pl.Series({"low": [0.1], "high": [0.9]}.get(name, [0.5]) * n)
        if column.nullable:
            values = (
                values.to_frame("v").select(pl.when(pl.int_range(n) % 3 > 0).then("v")).to_series()
            )
        columns[name] = values.cast(column.dtype)
    return check(pl.DataFrame(columns), record)


def ticks(n: int = 3, start: int = FIRST, step: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        {"ts": pl.Series(start + step * np.arange(n)).cast(TIME), "p": np.arange(n) / 10}
    )


def files_of(lake: Lake) -> set[str]:
    return {str(p.relative_to(lake.root)) for p in lake.root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("record", [TRADE, PROBABILITY, BAR, RESULT], ids=lambda r: r.name)
def test_a_record_comes_back_exactly(tmp_path, record):
    lake, frame = Lake(tmp_path / "lake"), records(record)
    lake.write(record.name, frame, partition={"venue": "kalshi", "day": "2024-11-05"})
    back = lake.read(record.name)
    assert back.columns == [*frame.columns, "venue", "day"]
    assert_frame_equal(back.drop("venue", "day"), frame)
    assert_frame_equal(check(back, record), frame)
    assert back["ts"].dtype == TIME
    assert back["ts"].to_physical()[0] == FIRST


@pytest.mark.parametrize("record", [TRADE, PROBABILITY, BAR, RESULT], ids=lambda r: r.name)
def test_a_part_without_rows_comes_back(tmp_path, record):
    lake = Lake(tmp_path)
    lake.write("t", empty(record), partition={"day": "1"})
    assert_frame_equal(lake.read("t").drop("day"), empty(record))
    assert lake.tables()["rows"].to_list() == [0]
    assert lake.tables()["first_ts"].to_list() == [None]


def test_result_columns_of_many_types_come_back_exactly(tmp_path):
    frame = pl.DataFrame(
        {
            "status": pl.Series(["ok", "too few", None], dtype=pl.Enum(["ok", "too few"])),
            "name": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
            "fit": [0.1, float("nan"), None],
            "small": pl.Series([1.5, None, float("inf")], dtype=pl.Float32),
            "n": pl.Series([0, None, 2**64 - 1], dtype=pl.UInt64),
            "day": [dt.date(2024, 11, 5), None, dt.date(1969, 1, 1)],
            "took": pl.Series([1, None, 3]).cast(pl.Duration("ns")),
            "us": pl.Series([1, None, 3]).cast(pl.Datetime("us", "UTC")),
            "local": pl.Series([1, None, 3]).cast(pl.Datetime("ns", "America/New_York")),
            "price": pl.Series([Decimal("1.50"), None, Decimal(2)], dtype=pl.Decimal(10, 2)),
            "path": [[0.1, float("nan")], [], None],
            "state": [{"a": 1}, {"a": None}, None],
            "blob": [b"\x00", b"", None],
            "yes": [True, False, None],
        }
    )
    lake = Lake(tmp_path)
    lake.write("fit", frame, partition={})
    assert_frame_equal(lake.read("fit"), frame)


def test_a_type_parquet_cannot_hold_is_refused_and_nothing_is_made(tmp_path):
    lake = Lake(tmp_path / "lake")
    with pytest.raises(InputError, match="Parquet"):
        lake.write("t", pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}), partition={})
    assert not lake.root.exists()


def test_a_write_replaces_exactly_its_partition(tmp_path):
    lake = Lake(tmp_path)
    for day in "123":
        lake.write("t", ticks(3, int(day)), partition={"day": day, "venue": "a"})
    before = {p: p.read_bytes() for p in (tmp_path / "tables").rglob("*.parquet")}
    lake.write("t", ticks(5, 2), partition={"venue": "a", "day": "2"})  # key order is no matter
    assert lake.read("t", {"day": "2"}).height == 5
    assert lake.read("t").height == 11
    assert all(path.read_bytes() == old for path, old in before.items())
    assert lake.partitions("t")["day"].to_list() == ["1", "2", "3"]
    folder = (tmp_path / lake.partitions("t")["file"][1]).parent
    assert folder == tmp_path / "tables" / "t" / "day=2" / "venue=a"


def test_where_picks_partitions_and_rows_keep_their_order(tmp_path):
    lake = Lake(tmp_path)
    shuffled = ticks(20)[::-1]
    lake.write_all(
        Write("t", shuffled.with_columns(k=pl.lit(f"{day}{venue}")), {"day": day, "venue": venue})
        for day in ("2", "10", "1")
        for venue in ("b", "a")
    )
    assert lake.read("t")["k"].unique(maintain_order=True).to_list() == [
        "1a", "1b", "10a", "10b", "2a", "2b",
    ]  # fmt: skip
    assert lake.read("t", {"venue": "a"})["k"].unique(maintain_order=True).to_list() == [
        "1a", "10a", "2a",
    ]  # fmt: skip
    one = lake.read("t", {"venue": "a", "day": "10"})
    assert_frame_equal(one.select("ts", "p"), shuffled)
    assert one.select("day", "venue").unique().rows() == [("10", "a")]
    assert_frame_equal(lake.scan("t", {"day": "2"}).collect(), lake.read("t", {"day": "2"}))
    assert_frame_equal(lake.show("t", 7), lake.read("t").head(7))


@pytest.mark.parametrize(
    ("table", "where"), [("nope", None), ("t", {"day": "3"}), ("t", {"p": "1"}), ("t", {"a": "1"})]
)
def test_what_the_lake_does_not_have_is_an_error_not_an_empty_frame(tmp_path, table, where):
    lake = Lake(tmp_path)
    lake.write("t", ticks(), partition={"day": "1"})
    for read in (lake.read, lake.scan):
        with pytest.raises(InputError, match=r"nope|\{'day': '3'\}|'p'|'a'"):
            read(table, where)


def test_an_empty_lake_reads_as_empty_and_makes_nothing(tmp_path):
    lake = Lake(tmp_path / "none")
    assert lake.tables().height == 0
    assert lake.vacuum() == Vacuumed(0, 0)
    assert lake.verify() == ()
    assert lake.sql("from files").height == 0
    for call in (lake.read, lake.show, lake.scan, lake.partitions, lake.drop):
        with pytest.raises(InputError, match="none yet"):
            call("t")
    assert not lake.root.exists()


def test_tables_says_what_is_there(tmp_path):
    lake = Lake(tmp_path)
    lake.write("b", ticks(3, 100), partition={"day": "1"})
    lake.write("b", ticks(4, 50), partition={"day": "2"})
    lake.write("a", pl.DataFrame({"x": [1.0]}), partition={})
    table = lake.tables()
    assert table.columns == [
        "table", "partitions", "rows", "bytes", "first_ts", "last_ts", "written",
    ]  # fmt: skip
    assert table["table"].to_list() == ["a", "b"]
    assert table["partitions"].to_list() == [1, 2]
    assert table["rows"].to_list() == [1, 7]
    assert table["first_ts"].to_physical().to_list() == [None, 50]
    assert table["last_ts"].to_physical().to_list() == [None, 102]
    assert table["bytes"].sum() == sum(p.stat().st_size for p in tmp_path.rglob("*.parquet"))
    assert abs(table["written"][0] - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert lake.partitions("a").rows()[0][:2] == (1, table["bytes"][0])


def test_the_same_content_writes_nothing(tmp_path):
    lake = Lake(tmp_path)
    frame = pl.concat([ticks(500), ticks(500, 10**18)], rechunk=False)
    first = lake.write("t", frame, partition={"day": "1"})
    before, manifest = files_of(lake), (tmp_path / "lake.json").read_bytes()
    for same in (frame, frame.rechunk(), pl.concat([frame[:3], frame[3:]])):
        assert lake.write("t", same, partition={"day": "1"}) == first
    assert files_of(lake) == before
    assert (tmp_path / "lake.json").read_bytes() == manifest


def test_a_commit_of_many_is_all_or_nothing(tmp_path):
    lake = Lake(tmp_path)
    lake.write("t", ticks(3), partition={"day": "1"})
    before = files_of(lake)

    def broken():
        yield Write("t", ticks(9), {"day": "1"})
        yield Write("u", ticks(9), {})
        raise RuntimeError("the feed broke")

    with pytest.raises(RuntimeError, match="the feed broke"):
        lake.write_all(broken())
    bad = [Write("t", ticks(9), {"day": "1"}), Write("t", ticks(9), {"no": "1"})]
    with pytest.raises(InputError, match="partition keys"):
        lake.write_all(bad)
    assert files_of(lake) == before
    assert lake.read("t").height == 3

    parts = lake.write_all([Write("t", ticks(9), {"day": "1"}), ("u", ticks(4), {})])
    assert [part.rows for part in parts] == [9, 4]
    assert lake.tables()["rows"].to_list() == [9, 4]
    assert lake.write_all([]) == ()


def test_one_partition_twice_in_a_commit_is_refused(tmp_path):
    lake = Lake(tmp_path)
    with pytest.raises(InputError, match="at most once"):
        lake.write_all([Write("t", ticks(1), {"day": "1"}), Write("t", ticks(2), {"day": "1"})])
    assert lake.tables().height == 0


@pytest.mark.parametrize(
    "frame",
    [
        ticks().with_columns(pl.col("p").cast(pl.Float32)),
        ticks().with_columns(q=1),
        ticks().select("p", "ts"),
        ticks().drop("p"),
    ],
)
def test_other_columns_than_the_table_has_are_refused_naming_a_file(tmp_path, frame):
    lake = Lake(tmp_path)
    lake.write("t", ticks(), partition={"day": "1"})
    with pytest.raises(InputError, match="columns of the rest of table 't'") as caught:
        lake.write("t", frame, partition={"day": "2"})
    assert caught.value.file == str(tmp_path / lake.partitions("t")["file"][0])
    with pytest.raises(InputError, match="columns of the rest of table 'u'"):
        lake.write_all([Write("u", ticks(), {"day": "1"}), Write("u", frame, {"day": "2"})])
    lake.write("t", frame, partition={"day": "1"})  # the only part: the table may change
    assert_frame_equal(lake.read("t").drop("day"), frame)


def test_the_keys_of_a_table_are_fixed(tmp_path):
    lake = Lake(tmp_path)
    lake.write("t", ticks(), partition={"day": "1"})
    for partition in ({}, {"venue": "1"}, {"day": "1", "venue": "a"}):
        with pytest.raises(InputError, match=r"\['day'\] of table 't'"):
            lake.write("t", ticks(), partition=partition)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", "/a", ".a", "A", "1a", "a b", "a\n", "a\0", "é", "files"]
)
def test_bad_names_are_refused_before_anything_is_made(tmp_path, name):
    lake = Lake(tmp_path / "lake")
    with pytest.raises(InputError, match="table name"):
        lake.write(name, ticks(), partition={})
    if name != "files":
        with pytest.raises(InputError, match="partition key"):
            lake.write("t", ticks(), partition={name: "1"})
    assert not lake.root.exists()


@pytest.mark.parametrize(
    "value",
    [
        *["", ".", "..", "../x", "a/b", "/", ".a", "a b", "a\n", "a\0", "a=b", "a%2F", "a*", "é"],
        *["NULL", "__HIVE_DEFAULT_PARTITION__", "x" * 121, 1, None],
    ],
)
def test_bad_partition_values_are_refused(tmp_path, value):
    lake = Lake(tmp_path / "lake")
    with pytest.raises(InputError, match="partition value"):
        lake.write("t", ticks(), partition={"day": value})
    assert not lake.root.exists()


@pytest.mark.parametrize("value", ["00123", "-1", "+1.5e-3", "kalshi:PRES-2024-DJT", "a,b@c", "_"])
def test_values_stay_text_in_frames_and_in_sql(tmp_path, value):
    lake = Lake(tmp_path)
    lake.write("t", ticks(1), partition={"k": value})
    lake.write("t", ticks(1), partition={"k": "other"})
    assert lake.read("t", {"k": value})["k"].to_list() == [value]
    assert lake.sql(f"select k from t where k = '{value}'")["k"].to_list() == [value]


@pytest.mark.parametrize(
    "columns", [["day"], ["Day"], ["a", "A"], [""], ["__file"], []], ids=",".join
)
def test_columns_that_sql_would_confuse_are_refused(tmp_path, columns):
    frame = pl.DataFrame({name: [1.0] for name in columns})
    with pytest.raises(InputError, match="column"):
        Lake(tmp_path).write("t", frame, partition={"day": "1"})


def test_a_lake_below_odd_folders_works(tmp_path, monkeypatch):
    root = tmp_path / "day=9" / "a [1]*? %2F 'q' é"
    root.mkdir(parents=True)
    monkeypatch.chdir(root)
    lake = Lake("x/../lake")
    lake.write("t", ticks(), partition={"day": "1"})
    lake.write("t", ticks(), partition={"day": "2"})
    monkeypatch.chdir(tmp_path)
    assert lake.read("t")["day"].to_list() == ["1"] * 3 + ["2"] * 3
    assert lake.sql("select distinct day from t order by 1")["day"].to_list() == ["1", "2"]


def test_drop_takes_out_one_partition_or_the_table(tmp_path):
    lake = Lake(tmp_path)
    for day in "123":
        lake.write("t", ticks(), partition={"day": day})
    lake.drop("t", {"day": "2"})
    assert lake.partitions("t")["day"].to_list() == ["1", "3"]
    for wrong in ({"day": "2"}, {}, {"venue": "a"}):
        with pytest.raises(InputError, match=r"table 't'"):
            lake.drop("t", wrong)
    lake.drop("t", {"day": "1"})
    lake.drop("t", {"day": "3"})
    assert lake.tables().height == 0
    lake.write("t", ticks().select("p"), partition={"venue": "a"})  # a new table of that name
    lake.drop("t")
    assert lake.tables().height == 0


def test_vacuum_removes_what_is_not_named_and_nothing_else(tmp_path):
    lake = Lake(tmp_path)
    lake.write("t", ticks(1), partition={"day": "1"})
    lazy = lake.scan("t")
    lake.write("t", ticks(2), partition={"day": "1"})
    lake.write("u", ticks(2), partition={"day": "1"})
    lake.drop("u")
    assert lazy.collect().height == 1  # the replaced file is still there
    (tmp_path / "staging" / "1-ab.tmp").write_bytes(b"torn")
    (tmp_path / "tables" / "notes.txt").write_text("mine")
    orphan = tmp_path / "tables" / "t" / "day=1" / f"{'0' * 64}.parquet"
    orphan.write_bytes(b"12345")
    size = lambda: sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())  # noqa: E731
    before = size()
    removed = lake.vacuum()
    assert removed.files == 4
    assert removed.disk_bytes == before - size()
    assert lake.read("t").height == 2
    assert not (tmp_path / "tables" / "u").exists()
    assert (tmp_path / "tables" / "notes.txt").exists()
    assert lake.vacuum() == Vacuumed(0, 0)
    assert lake.verify() == ()


def test_many_partitions_in_one_commit(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # the disk's speed is not the matter here
    lake = Lake(tmp_path)
    lake.write_all(Write("t", ticks(5, k), {"day": str(k)}) for k in range(300))
    assert lake.read("t").height == 1500
    assert lake.sql("select count(*) from t where day = '7'").item() == 5
