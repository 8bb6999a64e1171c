"""``eventtape leadership`` as a user meets it: a table in, a page, JSON and lake tables out."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from cli.program_here import program
from eventtape.cli import app
from eventtape.errors import InputError
from eventtape.simulate.leader_frame import leader_frame
from eventtape.store import Lake

QUICK = ("--n-draws", 199, "--placebo-runs", 1, "--resolution", "1,5")


def run(folder, *arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    where = ("--out", folder / "out", "--lake", folder / "lake")
    done = CliRunner().invoke(app, ["leadership", *map(str, (*arguments, *where))])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def prices():
    return leader_frame(1).prices


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    return folder, run(folder, "--simulate", 1, *QUICK)


def test_the_terminal_says_who_leads_and_that_it_is_simulated(simulated):
    folder, done = simulated
    said = " ".join(done.stdout.split())
    assert "SIMULATED" in said.split("Who moves first")[0]
    assert "VENUE1 leads VENUE2" in said
    assert "no common trend found" in said
    assert "Placebo" in said
    assert "Truth: VENUE1 leads VENUE2 (speeds 0.80 and 0.40, PILS 0.80)" in said
    assert "data simulated" in said
    assert (folder / "out" / "leadership.html").is_file()


def test_the_page_is_labelled_and_fetches_nothing(simulated):
    page = (simulated[0] / "out" / "leadership.html").read_text(encoding="utf-8")
    assert "SIMULATED DATA" in page
    assert "default-src 'none'" in page
    body = page.rpartition("<body>")[2].split("<script")[0]
    assert "http://" not in body
    assert "https://" not in body
    assert "Truth: VENUE1 leads VENUE2" in body
    for key in ("findings", "pairs", "identities", "speeds", "groups", "resolution", "panel"):
        assert f'href="#{key}"' in body
        assert f'id="{key}"' in body
    for words in ("Pairs of prices", "Speeds", "Groups and regimes", "Resolution", "Placebo"):
        assert words in body


def test_lake_tables_are_those_of_the_json(simulated):
    folder, _ = simulated
    told = json.loads((folder / "out" / "leadership.json").read_text(encoding="utf-8"))
    lake = Lake(folder / "lake")
    rows = lake.read("leadership_pairs", {"data": "simulated", "dataset": "simulated-1"})
    assert rows["leader"].to_list() == [row["leader"] for row in told["pairs"]]
    assert lake.read("leadership_speeds").height == len(told["speeds"])


def test_csv_and_parquet_say_the_same(tmp_path, prices):
    few = prices.select("ts", "MKT", "SLOW1", "ODDS")
    few.write_parquet(tmp_path / "p.parquet")
    few.with_columns(pl.col("ts").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(tmp_path / "p.csv")
    asked = ("--market", "MKT", "--probability", "ODDS", "--json", *QUICK)
    one, two = (
        json.loads(run(tmp_path, tmp_path / name, *asked).stdout) for name in ("p.parquet", "p.csv")
    )
    assert one["simulated"] is False
    assert (one.pop("data"), two.pop("data")) == ("as given (p.parquet)", "as given (p.csv)")
    pairs = Lake(tmp_path / "lake").read("leadership_speeds", {"data": "given", "dataset": "p"})
    assert pairs.height == len(one["speeds"])
    assert one["speeds"][0]["leader"] == "MKT"
    assert one == two


def test_a_file_that_says_it_is_simulated_is_believed(tmp_path, prices):
    few = prices.select("ts", "MKT", "SLOW1").with_columns(simulated=pl.lit(value=True))
    few.write_parquet(tmp_path / "p.parquet")
    told = json.loads(run(tmp_path, tmp_path / "p.parquet", "--json", *QUICK).stdout)
    assert told["simulated"] is True
    assert [row["name"] for row in told["series"]] == ["MKT", "SLOW1"]


def test_options_reach_the_study(tmp_path, prices):
    contract = prices["ODDS"].shift(1).fill_null(0.5)
    prices.with_columns(NO=1.0 - contract).write_parquet(tmp_path / "p.parquet")
    told = json.loads(
        run(
            tmp_path,
            tmp_path / "p.parquet",
            *("--step", "5m", "--market", "MKT", "--group", "a=FUND1,FUND2", "--group", "b=SLOW1"),
            *("--same", "VENUE1,VENUE2", "--classes", "FUND1,FUND2", "--contract", "ODDS,-NO"),
            *("--probability", "ODDS", "--level", 0.9, "--json", *QUICK),
        ).stdout
    )
    assert told["step_s"] == 300.0
    assert told["config"]["level"] == 0.9
    assert {row["group"] for row in told["groups"]} == {"a", "b"}
    assert [row["kind"] for row in told["identities"]] == [
        "same security",
        "share classes",
        "one contract",
    ]


def test_a_step_takes_the_last_value_seen_in_it(prices):
    from eventtape.clock import MINUTE
    from eventtape.sources.wide_prices import at_step

    holed = prices.select("ts", "MKT").with_columns(
        pl.when(pl.int_range(pl.len()) != 4).then("MKT").alias("MKT")
    )
    coarse = at_step(holed, 5 * MINUTE)
    assert coarse.height == 6 * 78
    assert coarse["ts"][0] == prices["ts"][4]  # 14:31 to 14:35
    assert coarse["MKT"][0] == prices["MKT"][3]
    assert coarse["MKT"][1] == prices["MKT"][9]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a table of prices"),
        (("none.csv",), "no such file"),
        (("x.csv", "--simulate", 1), "either a table of prices or --simulate"),
        (("--simulate", -1), "a seed >= 0"),
        (("--simulate", 1, "--market", "SPY"), "a price column among"),
        (("--simulate", 1, "--group", "funds"), "a group such as"),
        (("--simulate", 1, "--same", "VENUE1"), "at least two different columns"),
        (("--simulate", 1, "--classes", "A,B,C"), "two share classes"),
        (("--simulate", 1, "--resolution", "1,x"), "numbers with commas"),
        (("--simulate", 1, "--edges", "0.6,0.4"), "rising regime edges"),
        (("--simulate", 1, "--gap", "long"), "a length of time"),
        (("--simulate", 1, "--level", 95), "a level between 0 and 1"),
        (("--simulate", 1, "--step", "10s"), "a step no finer than the rows, 60 seconds apart"),
        (("--simulate", 1, "--gap", "30s"), "--gap no shorter than the rows, 60 seconds apart"),
        (("--simulate", 1, "--group", "a=SLOW1", "--group", "a=SLOW2"), "each group once"),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, arguments, words):
    with pytest.raises(InputError, match=words):
        run(tmp_path, *arguments)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "lake").exists()


def test_where_the_page_goes_must_be_a_folder(tmp_path):
    (tmp_path / "out").write_text("here already", encoding="utf-8")
    with pytest.raises(InputError, match="a folder for --out"):
        run(tmp_path, "--simulate", 1)


def test_times_of_another_zone_are_the_same_times(tmp_path, prices):
    few = prices.select("ts", "MKT", "SLOW1").head(600)
    few.write_parquet(tmp_path / "a.parquet")
    there = few.with_columns(pl.col("ts").dt.convert_time_zone("America/New_York"))
    there.write_parquet(tmp_path / "b.parquet")
    one, two = (
        json.loads(run(tmp_path, tmp_path / name, "--json", *QUICK).stdout)
        for name in ("a.parquet", "b.parquet")
    )
    assert one | {"data": ""} == two | {"data": ""}


@pytest.mark.parametrize(
    ("ts", "words"),
    [
        (pl.col("ts").to_physical(), "pl.from_epoch"),
        (pl.col("ts").dt.replace_time_zone(None), "times with their zone"),
    ],
)
def test_times_in_parquet_have_a_zone(tmp_path, prices, ts, words):
    path = tmp_path / "p.parquet"
    prices.select(ts, "MKT", "SLOW1").write_parquet(path)
    with pytest.raises(InputError, match=words) as met:
        run(tmp_path, path, "--step", "5m")
    assert (met.value.file, met.value.column) == (str(path), "ts")


def test_a_bad_row_is_said_by_the_program(tmp_path):
    """Exit code 2, one line, no traceback, nothing written."""
    lines = ["ts,A,B", "2024-11-05T14:30Z,1,2", "2024-11-05T14:31Z,-1,2", "2024-11-05T14:32Z,1,2"]
    (tmp_path / "bad.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    where = {"cwd": tmp_path, "EVENTTAPE_LAKE": str(tmp_path / "lake")}
    done = program("leadership", tmp_path / "bad.csv", "--out", tmp_path / "out", **where)
    assert (done.returncode, done.stdout) == (2, "")
    want = f"eventtape: {tmp_path / 'bad.csv'}, row 2, column 'A': met -1.0, "
    assert done.stderr == want + "wanted a finite price above 0\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["ts,A", "2024-11-05T14:30,1"], "a time zone"),
        (["ts,A", "2024-11-05T14:30Z,one"], "a number or a blank"),
        (["A,B", "1,2"], "a column 'ts'"),
        (["ts,A,A", "2024-11-05T14:30Z,1,2"], "each column once"),
        (["ts,A,B"], "rows of prices"),
        (
            ["ts,A", *(f"2024-11-05T14:3{i}Z,{i + 1}" for i in range(4))],
            "at least two series",
        ),
    ],
)
def test_bad_tables_name_file_and_column(tmp_path, lines, words):
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=words) as met:
        run(tmp_path, path)
    assert met.value.file == str(path)
