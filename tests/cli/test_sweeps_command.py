"""``eventtape sweeps`` as a user meets it: ticks in, windows and one honest answer out."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from cli import tick_day_files as write
from eventtape.cli import app, main, tick_pass
from eventtape.clock import session_of
from eventtape.errors import InputError
from eventtape.simulate import taq_day
from eventtape.sources import (
    read_lean_quotes,
    read_lean_trades,
    read_polygon_quotes,
    read_polygon_trades,
)
from eventtape.studies.iso_leadership import run as study
from eventtape.studies.iso_leadership_rows import IsoConfig, contract
from eventtape.studies.iso_windows import iso_windows

NEXT, SHORT = "2024-11-27", "2024-11-29"  # the last one closes early
CONFIG = IsoConfig(n_shifts=99)
ASKED = ("--shifts", 99)
QUIET = [f"SIM{k:03d}" for k in range(28, 40)]


def run(*arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    done = CliRunner().invoke(app, ["sweeps", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def told(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


def day(date, seed, symbols=12):
    return write.simulated(date, seed=seed, symbols=symbols, quotes=12_000, trades=8_000)


@pytest.fixture(scope="module")
def polygon(tmp_path_factory):
    """A session and a half-day of flat files: their folder, their paths, and what is in them."""
    folder = tmp_path_factory.mktemp("polygon")
    paths = {d: write.polygon(folder, d, *day(d, seed)) for seed, d in enumerate((NEXT, SHORT))}
    frames = {
        d: (read_polygon_trades(trades), read_polygon_quotes(quotes))
        for d, (trades, quotes) in paths.items()
    }
    return folder, paths, frames


@pytest.fixture(scope="module")
def wanted(polygon):
    """The windows of both days, each made of its frames at once."""
    return pl.concat([windows(d, *frames) for d, frames in polygon[2].items()])


def windows(date, trades, quotes, config=CONFIG):
    hours = session_of(date)
    return iso_windows(trades, quotes, session=(hours.open_ns, hours.close_ns), config=config)


def said_of(table, config=CONFIG):
    """What the contract says of these windows."""
    return json.loads(json.dumps(contract(study(table, config))))


def both_days(folder):
    return f"{folder}/trades_*.gz", f"{folder}/quotes_*.gz", "--vendor", "polygon", *ASKED


def test_files_of_two_days_give_the_windows_and_the_study_of_their_frames(
    polygon, wanted, tmp_path
):
    out = tmp_path / "w.parquet"
    said = told(*both_days(polygon[0]), "--out", out)
    assert wanted.height == 12 * (13 + 7)
    # Nobody is quoted at the open, so no score of the first window; it is no other one's next
    assert wanted["score"].null_count() == 2 * 12
    want = wanted.with_columns(pl.lit(value=False).alias("simulated"))
    assert_frame_equal(pl.read_parquet(out), want, check_exact=True)
    answer = said_of(wanted)
    assert {key: said[key] for key in answer} == answer
    assert (said["status"], said["simulated"]) == ("ok", False)
    assert (said["n_rows"], said["n_symbols"], said["n_windows"]) == (12 * 18, 12, 18)
    assert (said["tickers"], said["windows"], said["sessions"]) == (12, 240, [NEXT, SHORT])
    frames = polygon[2].values()
    assert said["rows"] == {
        "trades": sum(trades.height for trades, _ in frames),
        "quotes": sum(quotes.height for _, quotes in frames),
    }
    assert said["health"]["trades"]["symbols"] == 12
    assert json.loads(pq.read_schema(out).metadata[b"eventtape"])["data"] == "real"


@pytest.mark.parametrize("held", [1, 5 * 23_400])
def test_the_size_of_a_run_changes_nothing(polygon, wanted, tmp_path, monkeypatch, held):
    """A run of one symbol, and runs of five: the scores compare all twelve."""
    monkeypatch.setattr(tick_pass, "_HELD_ROWS", held)
    out = tmp_path / "w.parquet"
    said = told(*both_days(polygon[0]), "--out", out)
    assert_frame_equal(pl.read_parquet(out).drop("simulated"), wanted, check_exact=True)
    answer = said_of(wanted)
    assert {key: said[key] for key in answer} == answer


@pytest.mark.parametrize("order", ["symbol", "time"])
def test_one_file_of_both_days(polygon, wanted, tmp_path, monkeypatch, order):
    monkeypatch.setattr(tick_pass, "_HELD_ROWS", 4 * 23_400)
    by = ["symbol", "ts"] if order == "symbol" else ["ts"]
    sides = zip(*polygon[2].values(), strict=True)
    text = pl.col("symbol").cast(pl.String)
    frames = (pl.concat([f.with_columns(text) for f in side]).sort(by, maintain_order=True)
              for side in sides)  # fmt: skip
    paths = write.parquet(tmp_path, "both", *frames)
    out = tmp_path / "w.parquet"
    said = told(*paths, "--vendor", "parquet", "--order", order, *ASKED, "--out", out)
    assert_frame_equal(pl.read_parquet(out).drop("simulated"), wanted, check_exact=True)
    assert said["effect"] == said_of(wanted)["effect"]


def test_options_reach_the_study(polygon, tmp_path):
    config = IsoConfig(every="15m", grid_s=2, max_lag_s=6, n_shifts=0, level=0.9)
    out = tmp_path / "w.parquet"
    said = told(*polygon[1][SHORT], "--vendor", "polygon", "--every", "15m", "--grid-s", 2,
                "--max-lag-s", 6, "--shifts", 0, "--level", 0.9, "--out", out)  # fmt: skip
    want = windows(SHORT, *polygon[2][SHORT], config)
    assert_frame_equal(pl.read_parquet(out).drop("simulated"), want, check_exact=True)
    answer = said_of(want, config)
    assert {key: said[key] for key in answer} == answer
    assert said["placebo_p"] is None


def test_a_simulated_day_says_so_everywhere(tmp_path):
    out = tmp_path / "w.parquet"
    chosen = [part for name in QUIET for part in ("--symbol", name)]
    done = run("--simulate", 3, *chosen, *ASKED, "--out", out)
    assert "SIMULATED" in "".join(done.stdout.splitlines()[:3])
    words = " ".join(done.stdout.split())
    assert "A window with one standard deviation more sweeps (" in words
    assert re.search(r"95% interval [+-]0\.\d{4} to [+-]0\.\d{4}", words)
    assert "the placebo says p = 0." in words
    assert "log_volatility" in words
    made = taq_day(3, streams=0)
    mine = pl.col("symbol").cast(pl.String).is_in(QUIET)
    want = windows("2000-01-03", made.trades.filter(mine), made.quotes.filter(mine))
    got = pl.read_parquet(out)
    assert got["simulated"].all()
    assert_frame_equal(got.drop("simulated"), want, check_exact=True)
    assert json.loads(pq.read_schema(out).metadata[b"eventtape"])["data"] == "simulated"
    answer = study(want, CONFIG)
    assert f"p = {answer.placebo_p:.3f}" in words


def test_too_few_symbols_are_an_answer_with_a_reason(tmp_path):
    paths = write.polygon(tmp_path, SHORT, *day(SHORT, 5, symbols=6))
    out = tmp_path / "w.parquet"
    done = run(*paths, "--vendor", "polygon", *ASKED, "--out", out)
    words = " ".join(done.stdout.split())
    assert "No answer: fewer than ten rows a regressor." in words
    assert "SIMULATED" not in words
    assert pl.read_parquet(out)["score"].count() == 6 * 6


def test_every_column_is_documented(polygon, tmp_path):
    out = tmp_path / "w.parquet"
    run(*polygon[1][SHORT], "--vendor", "polygon", "--shifts", 0, "--out", out)
    page = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", page.partition("| column |")[2], flags=re.MULTILINE)
    assert named == pl.read_parquet(out).columns


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--vendor", "bloomberg"), "a --vendor among"),
        ((), "--vendor, which says how to read the files"),
        (("--vendor", "polygon", "--every", "0m"), "a window of whole grid steps"),
        (("--vendor", "polygon", "--every", "8m"), "whole windows of 8m"),
        (("--vendor", "polygon", "--every", "5s"), "longer than the lag"),
        (("--vendor", "polygon", "--every", "soon"), "a length of time such as 1m"),
        (("--vendor", "polygon", "--grid-s", "7"), "a whole number of grid steps"),
        (("--vendor", "polygon", "--grid-s", "0"), "column 'grid_s': met 0"),
        (("--vendor", "polygon", "--shifts", "-1"), "column 'n_shifts': met -1"),
        (("--vendor", "polygon", "--level", "95"), "level"),
        (("--vendor", "polygon", "--session", "none"), "a calendar"),
        (("--vendor", "polygon", "--session", "MARS"), "an exchange-calendars name"),
        (("--vendor", "polygon", "--policy", "lax"), "a policy among"),
        (("--vendor", "polygon", "--zone", "UTC"), "that --vendor polygon takes"),
        (("--vendor", "polygon", "--symbol", "NONE"), "ticks of NONE"),
        (("--vendor", "polygon", "--out", "no/such/f.parquet"), "a folder that exists"),
        (("--simulate", "1"), "either files or --simulate"),
    ],
)
def test_what_cannot_be_asked_is_said(polygon, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        told(*polygon[1][SHORT], *options)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_far_down_exits_2_and_leaves_what_was_there(polygon, tmp_path, monkeypatch, capsys):
    """The first day is read, scored and written when the second one's file breaks off."""
    folder, paths, _ = polygon
    cut = tmp_path / f"quotes_{SHORT}.csv.gz"
    cut.write_bytes(paths[SHORT][1].read_bytes()[:-2_000])
    (tmp_path / f"quotes_{NEXT}.csv.gz").write_bytes(paths[NEXT][1].read_bytes())
    out = tmp_path / "w.parquet"
    out.write_bytes(b"earlier")
    monkeypatch.setattr(tick_pass, "_HELD_ROWS", 1)
    asked = [f"{folder}/trades_*.gz", f"{tmp_path}/quotes_*.gz", "--vendor", "polygon"]
    monkeypatch.setattr(sys, "argv", ["eventtape", "sweeps", *asked, "--out", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"eventtape: {cut}: wanted a whole gzip file")
    assert out.read_bytes() == b"earlier"
    assert sorted(p.name for p in tmp_path.glob("*.part")) == []


@pytest.mark.real
def test_one_or_two_real_stocks_are_refused_with_a_reason(data_folder, tmp_path):
    """IBM on four days, and BAC on one: their sweeps are counted, and nobody leads a group."""
    folder = data_folder / "tick"
    days = ("20131007", "20131008", "20131009", "20131010")
    names = [f"lean_ibm_{d}_{kind}_tick.zip" for d in days for kind in ("trade", "quote")]
    missing = [name for name in names if not (folder / name).exists()]
    if missing or not list(folder.glob("lean_bac_*_trade_tick.zip")):
        pytest.skip(f"no tick/{missing or 'lean_bac'} in the data folder (set EVENTTAPE_DATA)")
    out = tmp_path / "w.parquet"
    asked = (f"{folder}/lean_*_trade_tick.zip", f"{folder}/lean_*_quote_tick.zip")
    said = told(*asked, "--vendor", "lean", "--out", out)
    assert (said["status"], said["reason"]) == (
        "too few observations", "fewer than ten rows a regressor",
    )  # fmt: skip
    assert said["effect"]["coefficient"] is None
    assert "which takes 5 quoted symbols" in said["findings"][0]["text"]
    got = pl.read_parquet(out)
    assert set(got["symbol"]) == {"IBM", "BAC"}
    assert got["score"].null_count() == got.height == said["windows"]
    assert got["iso_share"].null_count() == 0
    ibm = [read_lean_trades(folder / names[0]), read_lean_quotes(folder / names[1])]
    want = windows("2013-10-07", *ibm)
    first = got.filter(symbol="IBM").sort("window").head(13).drop("simulated")
    assert_frame_equal(first, want, check_exact=True)
