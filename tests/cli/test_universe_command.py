"""``eventtape universe`` as a user meets it: files in, a table or JSON out, errors in words."""

from __future__ import annotations

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from cli.program_here import program
from eventtape.cli import app
from eventtape.errors import InputError
from eventtape.simulate.daily_volumes import daily_volumes

DATE = "2024-11-05"


def run(*arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    done = CliRunner().invoke(app, ["universe", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Simulated tables as a user's files: volumes as Parquet, the others as CSV."""
    folder = tmp_path_factory.mktemp("universe")
    made = daily_volumes(7, DATE, spread=0.0)
    made.daily.write_parquet(folder / "daily.parquet")
    made.listings.write_csv(folder / "listings.csv")
    made.renames.write_csv(folder / "renames.csv")
    options = ("--listings", folder / "listings.csv", "--renames", folder / "renames.csv")
    return made, folder, (folder / "daily.parquet", "--date", DATE, *options)


def test_json_holds_the_members_and_why_others_are_not(files):
    made, _, asked = files
    done = run(*asked, "--top", 5, "--json")
    said = json.loads(done.stdout)
    assert said["date"] == DATE
    assert said["simulated"] is False
    assert (said["sessions"][0], said["sessions"][-1]) == ("2024-10-08", "2024-11-04")
    for kind in ("ETF", "CS"):
        want = made.truth.filter(kind=kind).head(5)["symbol"].to_list()
        got = [row for row in said["members"] if row["kind"] == kind]
        assert [row["symbol"] for row in got] == want
        assert [row["rank"] for row in got] == [1, 2, 3, 4, 5]
    assert {row["symbol"] for row in said["excluded"]} == {"ABROAD", "GONE", "FRESH", "TAKEN"}


def test_the_table_says_its_sessions_and_who_is_missing(files):
    done = run(*files[2], "--top", 2)
    assert done.exit_code == 0
    assert "20 sessions of XNYS, 2024-10-08 to 2024-11-04" in done.stdout
    assert "SIMULATED" not in done.stdout
    assert "25000.0" in done.stdout  # million dollars a session
    assert "kind ADRC not asked for" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_members_are_written(files, tmp_path, suffix):
    out = tmp_path / "new" / f"members{suffix}"
    run(*files[2], "--top", 3, "--out", out)
    frame = pl.read_csv(out) if suffix == ".csv" else pl.read_parquet(out)
    assert frame.columns[:5] == ["kind", "rank", "symbol", "mean_shares", "mean_dollars"]
    assert frame.height == 6
    run(*files[2], "--top", 3, "--out", out, "--seed-columns")
    frame = pl.read_csv(out) if suffix == ".csv" else pl.read_parquet(out)
    assert frame.columns[-2:] == ["total_volume_dollars_millions", "simulated"]
    assert not frame["simulated"].any()
    assert frame["total_volume_dollars_millions"][0] == 25000.0


def test_without_listings_there_is_one_ranking(files):
    folder = files[1]
    said = json.loads(run(folder / "daily.parquet", "--date", DATE, "--json").stdout)
    assert [row["rank"] for row in said["members"]] == list(range(1, 21))
    assert said["members"][0]["symbol"] == "ABROAD"
    with pytest.raises(InputError, match="--listings to tell kinds apart"):
        run(folder / "daily.parquet", "--date", DATE, "--kind", "ETF")


def test_options_reach_the_choice(files):
    one = json.loads(run(*files[2], "--kind", "ADRC", "--json").stdout)
    assert [row["symbol"] for row in one["members"]] == ["ABROAD"]
    few = json.loads(run(*files[2], "--min-share", 0.5, "--top", 4, "--json").stdout)
    assert "FRESH" in {row["symbol"] for row in few["members"]}
    short = json.loads(run(*files[2], "--sessions", 3, "--json").stdout)
    assert short["sessions"] == ["2024-10-31", "2024-11-01", "2024-11-04"]


def test_what_the_table_does_not_show_is_said(files, tmp_path):
    made, _, asked = files
    holes = made.daily.filter(pl.col("session") != pl.date(2024, 10, 21))
    holes.write_csv(tmp_path / "holes.csv")
    done = run(tmp_path / "holes.csv", *asked[1:], "--top", 99)
    assert "no row on 1 of 20 sessions: 2024-10-21" in done.stderr
    assert "only 60 names of kind ETF, 99 asked for" in done.stderr


def test_simulated_names_are_labelled(tmp_path):
    done = run("--simulate", 3, "--date", DATE, "--top", 3)
    assert "SIMULATED" in done.stdout.splitlines()[1]
    said = json.loads(run("--simulate", 3, "--date", DATE, "--json").stdout)
    assert said["simulated"] is True
    assert len(said["members"]) == 40


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--date", DATE), "a table of daily volumes"),
        (("none.csv", "--date", DATE), "a file with the daily table"),
        (("--simulate", 1, "--date", "tomorrow"), "such as 2024-11-05"),
        (("--simulate", -1, "--date", DATE), "a seed >= 0"),
        (("--simulate", 1, "--date", DATE, "--top", 0), "a top of at least 1"),
        (("--simulate", 1, "--date", DATE, "--min-share", 2), "a min_share"),
        (("--simulate", 1, "--date", DATE, "--calendar", "MARS"), "an exchange-calendars name"),
        (("--simulate", 1, "--date", DATE, "--out", "members.txt"), "ends in .parquet or .csv"),
        (("x.csv", "--simulate", 1, "--date", DATE), "either tables or --simulate"),
    ],
)
def test_what_cannot_be_used_is_said(arguments, words):
    with pytest.raises(InputError, match=words):
        run(*arguments)


def test_a_bad_row_is_said_by_the_program(files, tmp_path):
    """Exit code 2, one line, no traceback, nothing on standard output."""
    made, _, asked = files
    twice = pl.concat([made.daily, made.daily[:1]]).with_columns(pl.col("session").cast(pl.String))
    twice.write_csv(tmp_path / "twice.csv")
    done = program("universe", tmp_path / "twice.csv", *asked[1:], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    row = made.daily.height + 1
    assert done.stderr.startswith(f"eventtape: daily, row {row}, column 'symbol': met")
    assert "one row a symbol and session" in done.stderr
    assert len(done.stderr.splitlines()) == 1
