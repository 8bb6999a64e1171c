"""The features command on real zips: one symbol and day each, told beside what is known of them."""

from __future__ import annotations

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from eventtape.cli import app
from eventtape.clock import session_of
from eventtape.frames import microstructure_features
from eventtape.sources import read_lean_quotes, read_lean_trades

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def told(data_folder, tmp_path_factory):
    """What the command says of a stock's zips, and the features it wrote."""
    folder = data_folder / "tick"
    if not list(folder.glob("lean_*_trade_tick.zip")):
        pytest.skip("no tick/lean_*_trade_tick.zip in the data folder (set EVENTTAPE_DATA)")
    out = tmp_path_factory.mktemp("features") / "f.parquet"

    def told(stock):
        names = [str(folder / f"lean_{stock}_*_{kind}_tick.zip") for kind in ("trade", "quote")]
        options = ["--vendor", "lean", "--out", str(out), "--json"]
        done = CliRunner().invoke(app, ["features", *names, *options], catch_exceptions=False)
        return folder, json.loads(done.stdout), pl.read_parquet(out)

    return told


def test_four_days_of_ibm(told):
    folder, said, features = told("ibm")
    days = [f"2013-10-{day:02d}" for day in (7, 8, 9, 10)]
    assert said["sessions"] == days
    assert said["buckets"] == features.height == 4 * 390
    assert said["rows"]["trades"] == 24_293 + 33_381 + 27_042 + 22_415
    for day in days:
        hours = session_of(day)[1:3]
        trades, quotes = (
            read(folder / f"lean_ibm_{day.replace('-', '')}_{kind}_tick.zip")
            for read, kind in ((read_lean_trades, "trade"), (read_lean_quotes, "quote"))
        )
        want = microstructure_features(trades, quotes, session=hours)
        end = pl.col("bucket").cast(pl.Int64)
        mine = features.filter(end.is_between(*hours)).drop("simulated")
        assert_frame_equal(mine, want, check_exact=True)
        iso = mine["num_trades_iso"].sum() / mine["num_trades"].sum()
        assert 0.42 < iso < 0.50  # 43 to 50% of all trades; here of the eligible ones


def test_a_day_of_bac(told):
    _, said, _ = told("bac")
    (row,) = said["summary"]
    assert row["median_spread"] == pytest.approx(0.01)
    assert row["pct_trades_iso"] == pytest.approx(0.293, abs=1e-3)
    assert row["pct_at_quote_other"] == pytest.approx(0.997, abs=1e-3)
    assert said["health"]["quotes"]["far_prices"] == 0
