"""The DuckDB catalogue: answers equal to the frames, exact times, and no way to change a lake."""

import datetime as dt
from contextlib import closing

import duckdb
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.errors import InputError, LakeError
from eventtape.store import Lake

TIME = pl.Datetime("ns", "UTC")
FIRST = 1_730_844_000_000_000_001  # 2024-11-05T22:00Z and a nanosecond
NAN = float("nan")


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    rng = np.random.default_rng(3)
    for venue in ("kalshi", "polymarket"):
        for day in ("2024-11-05", "2024-11-06"):
            n = 400
            frame = pl.DataFrame(
                {
                    "symbol": rng.choice(["DJT", "KH"], n),
                    "ts": pl.Series(FIRST + np.arange(n) * 1_000_000_007).cast(TIME),
                    "p": rng.random(n),
                    "side": pl.Series(rng.integers(-1, 2, n), dtype=pl.Int8),
                }
            )
            lake.write("ticks", frame, partition={"venue": venue, "day": day})
    lake.write("order", pl.DataFrame({"fit": [0.5, NAN, None, 2.0]}), partition={})
    return lake


def test_a_view_equals_the_frame(lake):
    keys = ["venue", "day", "ts"]
    assert_frame_equal(lake.sql("from ticks").sort(keys), lake.read("ticks").sort(keys))
    assert_frame_equal(
        lake.sql("select venue, symbol, avg(p) p from ticks where day = '2024-11-06' group by all"),
        lake.read("ticks", {"day": "2024-11-06"}).group_by("venue", "symbol").agg(pl.mean("p")),
        check_row_order=False,
    )
    assert lake.sql('select count(*) from "order"').item() == 4
    assert lake.sql("pivot ticks on venue using count(*) group by day").columns == [
        "day", "kalshi", "polymarket",
    ]  # fmt: skip


def test_times_are_exact_utc_and_say_so(lake):
    ticks = lake.read("ticks")
    answer = lake.sql(
        "select min(ts) a, max(ts) b, max(epoch_ns(ts)) c, min(ts)::text d from ticks"
    )
    assert answer.schema["a"] == answer.schema["b"] == TIME
    assert answer["a"].to_physical().item() == ticks["ts"].to_physical().min() == FIRST
    assert answer["b"].to_physical().item() == answer["c"].item() == ticks["ts"].to_physical().max()
    assert answer["d"].item().startswith("2024-11-05 22:00:00.000000001+00")
    sixth = sorted(set(ticks["ts"].to_physical()))[5]
    text = f"2024-11-05 22:00:05.{sixth % 10**9:09d}Z"
    assert lake.sql(f"select count(*) from ticks where ts > '{text}'").item() == 4 * 394
    assert lake.sql(f"select count(*) from ticks where ts = '{text}'").item() == 4


def test_a_text_with_an_offset_is_that_instant(lake):
    for text in ("2024-11-05T22:01:00Z", "2024-11-05T17:01:00-05:00", "2024-11-05 22:01"):
        query = f"select count(*) from ticks where ts < '{text}'"
        assert lake.sql(query).item() == 4 * 60


def test_microsecond_functions_work_after_a_cast_and_the_error_says_so(lake):
    hours = lake.sql(
        "select distinct date_trunc('hour', ts::timestamptz) h,"
        " ts::timestamptz at time zone 'America/New_York' ny from ticks order by ny limit 1"
    )
    assert hours.schema["h"] == pl.Datetime("us", "UTC")
    assert hours["h"].item() == dt.datetime(2024, 11, 5, 22, tzinfo=dt.UTC)
    assert hours.schema["ny"] == pl.Datetime("us")  # local time keeps no zone: it is not UTC
    assert hours["ny"].item() == dt.datetime(2024, 11, 5, 17)  # noqa: DTZ001
    for expression in ("date_trunc('hour', ts)", "ts + interval 1 hour", "max(ts) - min(ts)"):
        with pytest.raises(LakeError, match=r"write ts::TIMESTAMPTZ .* epoch_ns"):
            lake.sql(f"select {expression} from ticks")


def test_an_as_of_join_in_sql(lake):
    joined = lake.sql(
        "select a.ts as mine, b.ts as seen from (from ticks where venue = 'kalshi') a"
        " asof join (from ticks where venue = 'polymarket') b"
        " on a.day = b.day and a.ts >= b.ts"
    )
    assert joined.height == 800
    assert (joined["mine"] == joined["seen"]).all()


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("fit > 1", [2.0, NAN]),  # DuckDB holds NaN above every number, as Polars does
        ("fit < 3", [0.5, 2.0]),
        ("fit between 0 and 1", [0.5]),
        ("fit = 'nan'::double", [NAN]),
        ("isnan(fit)", [NAN]),
        ("fit is null", [None]),
        ("fit > 5", [NAN]),
    ],
)
def test_nan_in_a_result_is_neither_lost_nor_let_through(lake, tmp_path, condition, wanted):
    # With Parquet statistics DuckDB 2.0 gets four of these wrong on its own road.
    query = f'select fit from "order" where {condition} order by fit'
    wanted = pl.DataFrame({"fit": wanted}, schema={"fit": pl.Float64})
    assert_frame_equal(lake.sql(query), wanted)
    lake.export_catalogue(tmp_path / "shell.duckdb")
    with closing(duckdb.connect(tmp_path / "shell.duckdb", read_only=True)) as shell:
        assert_frame_equal(shell.sql(query).pl(), wanted)


def test_files_lists_every_partition(lake):
    files = lake.sql("from files order by 1, 2")
    assert files["table"].to_list() == ["order"] + ["ticks"] * 4
    assert files["partition"][1] == "venue=kalshi, day=2024-11-05"
    assert files["rows"].to_list() == [4] + [400] * 4
    assert files["first_ts"].dtype == TIME
    assert files["first_ts"][1] == lake.read("ticks")["ts"].min()
    assert all((lake.root / file).is_file() for file in files["file"])
    assert lake.sql("show tables")["name"].sort().to_list() == ["files", "order", "ticks"]
    assert set(lake.sql("describe ticks")["column_name"]) == set(lake.read("ticks").columns)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("selec 1", 'syntax error at or near "selec"'),
        ("select nope from ticks", '"nope" not found'),
        ("select * from nope", "nope does not exist"),
        ("select 'x'::int", "Could not convert string 'x'"),
        ("select * from ticks where ts = $1", "parameters"),
        ("select interval 1 day", "epoch_ns of both ends"),
    ],
)
def test_a_query_that_fails_says_what_duckdb_said(lake, query, said):
    with pytest.raises(LakeError) as caught:
        lake.sql(query)
    assert said in str(caught.value)


def attempts(lake, tmp_path):
    file = str(next(lake.root.rglob("*.parquet")))
    elsewhere = str(tmp_path / "out.parquet")
    for path in (file, elsewhere, "out.parquet", ".tmp/out.parquet", str(lake.root / "lake.json")):
        for copy in (
            f"copy (select 1 as x) to '{path}'",
            f"copy (select 1 as x) to '{path}' (format parquet, use_tmp_file false)",
        ):
            yield copy
            yield f"with w as ({copy}) select 1"
            yield f"with w as ({copy}) from w"
            yield f"explain analyze {copy}"
            yield "select * from query('with w as (" + copy.replace("'", "''") + ") select 1')"
            yield f"select 1; {copy}"
    yield from (
        "insert into ticks values (1)",
        "delete from ticks",
        "with w as (delete from ticks) select 1",
        "with w as (insert into ticks (symbol) values ('x')) select 1",
        "with w as (insert into files select * from files) select 1",
        "update files set rows = 1",
        "drop view ticks",
        "create table x as select 1",
        "create or replace view ticks as select 1",
        f"attach '{tmp_path / 'x.duckdb'}'",
        f"export database '{tmp_path / 'export'}'",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "reset lock_configuration",
        "install httpfs",
        f"from read_parquet('{file}')",
        f"from '{file}'",
        f"from read_text('{lake.root / 'lake.json'}')",
        "from glob('*')",
        "from read_csv('https://example.invalid/x.csv')",
        "from frame",  # a Python variable of a caller
        "",
        "-- nothing",
        "select 1; select 2",
        "begin",
    )


def test_a_query_cannot_write_or_look_outside(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame({"secret": [1]})
    before = {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for query in attempts(lake, tmp_path):
        with pytest.raises(LakeError):
            lake.sql(query)
    after = {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert after == before
    assert not [p for p in tmp_path.iterdir() if p != lake.root]
    assert frame.height == 1


def test_an_exported_catalogue_opens_in_a_plain_duckdb(lake, tmp_path):
    path = tmp_path / "shell.duckdb"
    lake.export_catalogue(path)
    lake.export_catalogue(path)  # again, in place
    keys = ["venue", "day", "ts"]
    with closing(duckdb.connect(path, read_only=True)) as shell:
        shell.execute("set timezone = 'UTC'")
        assert_frame_equal(shell.sql("from ticks").pl().sort(keys), lake.read("ticks").sort(keys))
        assert shell.sql("select count(*) from files").fetchall() == [(5,)]
        lake.write("order", pl.DataFrame({"fit": [9.0]}), partition={})
        assert shell.sql('select count(*) from "order"').fetchall() == [(4,)]  # as it was
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lake", "shell.duckdb"]


def test_an_export_below_odd_folders_has_only_the_tables_columns(tmp_path):
    lake = Lake(tmp_path / "year=2024" / "a[1] * ? 'q'")
    lake.write("t", pl.DataFrame({"v": [1]}), partition={"day": "007"})
    lake.write("t", pl.DataFrame({"v": [2]}), partition={"day": "8"})
    lake.export_catalogue(tmp_path / "shell.duckdb")
    with closing(duckdb.connect(tmp_path / "shell.duckdb", read_only=True)) as shell:
        assert shell.sql("from t order by v").pl().rows(named=True) == [
            {"v": 1, "day": "007"},
            {"v": 2, "day": "8"},
        ]


def test_an_export_is_refused_where_it_could_do_harm(lake, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(InputError, match=r"\.duckdb"):
        lake.export_catalogue(notes)
    with pytest.raises(LakeError, match="could not be exported"):
        lake.export_catalogue(tmp_path / "none" / "x.duckdb")
    next(lake.root.rglob("*.parquet")).unlink()
    with pytest.raises(LakeError, match="missing"):
        lake.export_catalogue(tmp_path / "x.duckdb")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lake", "notes.txt"]
