"""Volatility and odds before an election, spreads of real expiries, levels of real trades."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.estimators.premium.local_median import local_median
from eventtape.estimators.premium.odds_link import odds_link
from eventtape.estimators.premium.premium_history import gaps
from eventtape.estimators.premium.spread_history import spread_history
from eventtape.sources.dvol import read_dvol
from eventtape.sources.option_files import read_option_trades
from eventtape.sources.term_tables import read_term_table
from eventtape.tape import times_ns
from eventtape.tape.records import TIME
from eventtape.tape.sampling import as_of

pytestmark = pytest.mark.real

DAY = 86_400 * 10**9


@pytest.fixture(scope="module")
def file_of(data_folder):
    def file_of(name):
        path = data_folder / name
        if not path.exists():
            pytest.skip(f"no {name} in the data folder (set EVENTTAPE_DATA)")
        return path

    return file_of


def test_volatility_and_odds_of_2024_wander_together_and_do_not_move_together(file_of):
    """0.51 in levels over three months, as the seed's 0.54; worth 3.5 pairs, and -0.12 in changes.

    The textbook's interval of the levels is 0.34 to 0.65.
    """
    dvol = read_dvol(file_of("options/deribit_dvol_btc_daily.json.gz"))
    odds = pl.read_csv(
        file_of("polymarket/polymarket-price-data-daily.csv"), infer_schema_length=0
    ).select(
        pl.col("Timestamp (UTC)").cast(pl.Int64) * 10**9,
        pl.col("Donald Trump").cast(pl.Float64, strict=False),
    )
    at = np.arange(parse_ns("2024-08-06T00:00Z"), parse_ns("2024-11-05T00:00Z"), DAY)
    x = as_of(times_ns(dvol), dvol["iv"].to_numpy(), at, max_age_ns=2 * DAY)
    y = as_of(*(odds.to_series(i).to_numpy() for i in (0, 1)), at, max_age_ns=2 * DAY)
    link = odds_link(x, y)
    assert link.levels.n_rows == 91
    assert link.levels.correlation == pytest.approx(0.509, abs=5e-4)
    assert link.levels.naive_lower > 0.3
    assert link.levels.status is Status.NOT_IDENTIFIED
    assert link.levels.effective == pytest.approx(3.5, abs=0.05)
    assert link.changes.status is Status.OK
    assert link.changes.lower < 0.0 < link.changes.upper
    assert link.changes.correlation == pytest.approx(-0.121, abs=5e-4)


@pytest.mark.parametrize(
    ("far", "near", "status"),
    [("2026-09-25", "2026-06-26", Status.OK), ("2026-12-25", "2026-09-25", Status.NOT_IDENTIFIED)],
    ids=["returns", "wanders"],
)
def test_one_spread_of_2026_returns_and_the_next_may_not(file_of, far, near, status):
    """Half-life of 25SEP26 - 26JUN26: 2.0 to 6.3 days. Of 25DEC26 - 25SEP26: 15 days to never."""
    panel = read_term_table(file_of("options/deribit_atm_term_panel_20251230_20260822.parquet"))
    seen = []
    for expiry in (far, near):
        is_it = pl.col("expiry") == pl.lit(parse_ns(f"{expiry}T08:00Z")).cast(TIME)
        rows = panel.filter((pl.col("label") == "BTC") & is_it)
        seen.append((times_ns(rows), rows["iv"].to_numpy()))
    first = max(int(ts[0]) for ts, _ in seen) // DAY + 1
    at = np.arange(first * DAY, min(int(ts[-1]) for ts, _ in seen), DAY)
    out = spread_history(at, *(as_of(ts, iv, at, max_age_ns=DAY) for ts, iv in seen))
    assert out.status is status
    assert out.n_rows > 170
    if status is Status.OK:
        assert 1.5 < out.half_life_lower < out.half_life < out.half_life_upper < 8.0
        assert out.mean_lower < out.mean < out.mean_upper
        assert out.quantile < 0.1
    else:
        assert out.half_life_lower > 10.0
        assert out.half_life_upper == math.inf


def test_trades_of_one_expiry_give_a_level_with_its_count_and_its_gap(file_of):
    """4APR25, strikes within 3%: 54% before the tariffs of 2 April, 67% four hours after them."""
    trades = read_option_trades(
        file_of("options/deribit_btc_option_trades_20250329_20250406.parquet")
    ).frame
    near = (pl.col("strike") / pl.col("underlying_price")).log().abs() < 0.03
    is_it = pl.col("expiry") == pl.lit(parse_ns("2025-04-04T08:00Z")).cast(TIME)
    rows = trades.filter(near & is_it & pl.col("vendor_iv").is_not_null()).sort("ts")
    hour = 3_600 * 10**9
    level = local_median(times_ns(rows), rows["vendor_iv"].to_numpy(), max_age_ns=6 * hour)
    before, after = (
        int(np.searchsorted(level.ts_ns, parse_ns(t), side="right")) - 1
        for t in ("2025-04-02T12:00Z", "2025-04-03T00:00Z")
    )
    assert level.upper[before] < 0.58 < level.lower[after]
    assert level.n_trades[before] == level.n_trades[after] == 25
    out = gaps(level.ts_ns, longest_ns=6 * hour)
    assert out.start_ns.tolist() == [parse_ns("2025-03-30T11:48Z")]
