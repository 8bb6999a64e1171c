"""Frames as people have them: sparse columns, missing minutes, daily rows, odds at 0 or 1."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr

from eventtape.clock import MINUTE, SECOND, parse_ns, sessions
from eventtape.errors import InputError
from eventtape.frames.discovery import pair_table, resolution_table
from eventtape.frames.discovery_links import granger_table
from eventtape.frames.price_panel import price_panel
from eventtape.simulate import independent_walks, yan_zivot
from eventtape.studies.panel_findings import contract, findings
from eventtape.studies.panel_leadership import run
from eventtape.studies.panel_leadership_rows import LeadershipConfig

OPEN = parse_ns("2000-01-03T14:30Z")
DAY = 24 * 60 * MINUTE
QUICK = LeadershipConfig(n_draws=199, placebo_runs=1, resolution=(1, 5))


def frame(ts, columns):
    return pl.DataFrame({"ts": pl.Series(ts).cast(pl.Datetime("ns", "UTC")), **columns})


def two_venues(n, ts=None):
    x = yan_zivot(4, n, np.array([0.8, 0.4]), np.array([0.5, -0.5])).log_prices
    ts = OPEN + MINUTE * np.arange(n) if ts is None else ts
    return frame(ts, {"V1": np.exp(x[:, 0]), "V2": np.exp(x[:, 1])})


def with_sparse(n=1200):
    walk = np.exp(independent_walks(5, n, 1).log_prices[:, 0])
    walk[np.arange(n) % 20 != 0] = np.nan
    return two_venues(n).with_columns(pl.Series("W", walk))


def said(result, words):
    return [f for f in findings(result) if words in f.text]


def test_a_sparse_column_leaves_the_others_their_answer():
    prices = with_sparse()
    result = run(prices, QUICK)
    alone = run(prices.drop("W"), QUICK)
    assert alone.pairs["leader"].to_list() == ["V1"]
    for name in ("pairs", "granger", "spillovers", "rank", "resolution"):
        assert getattr(result, name).equals(getattr(alone, name)), name
    assert result.placebo.equals(alone.placebo)
    assert (result.sparse, alone.sparse) == (("W",), ())
    (told,) = said(result, "too many holes")
    assert told.text.startswith("W: ")
    assert told.status == "too few observations"
    assert json.loads(json.dumps(contract(result)))["sparse"] == ["W"]


def test_sparse_is_by_what_the_others_share():
    n = 400
    full = np.exp(independent_walks(6, n, 5).log_prices)
    at = np.arange(n)
    columns = {
        "LATE": np.where(at < 300, np.nan, full[:, 0]),  # a quarter of the rows
        "A": full[:, 1],
        "MOST": np.where(at < 100, np.nan, full[:, 2]),
        "EVERY2": np.where(at % 2, np.nan, full[:, 3]),  # half of the rows, none beside another
        "B": full[:, 4],
    }
    panel = price_panel(frame(OPEN + MINUTE * at, columns))
    assert panel.sparse() == ("LATE", "EVERY2")
    # Two that share nothing are asked all the same: their refusal says why
    apart = run(frame(OPEN + MINUTE * at, {"A": columns["A"], "C": columns["EVERY2"]}), QUICK)
    assert apart.sparse == ()
    assert apart.pairs["status"].to_list() == ["too few observations"]
    assert apart.granger.is_empty()
    assert [f.status for f in said(apart, "whole panel are not asked")] == ["too few observations"]


def test_no_return_spans_a_hole_or_a_night():
    rng = np.random.default_rng(0)
    x = np.exp(0.01 * rng.standard_normal((300, 3)).cumsum(axis=0))
    x[rng.random(x.shape) < 0.1] = np.nan
    ts = OPEN + MINUTE * np.arange(300)
    ts[150:] += 3 * 3600 * SECOND
    panel = price_panel(frame(ts, {"A": x[:, 0], "B": x[:, 1], "C": x[:, 2]}))
    want = [
        np.log(x[t]) - np.log(x[t - 1])
        for t in range(1, 300)
        if t != 150 and np.isfinite(x[t]).all() and np.isfinite(x[t - 1]).all()
    ]
    np.testing.assert_allclose(panel.returns(), want, atol=1e-15)
    assert len(want) < np.isfinite(x).all(axis=1).sum() - 30


def test_the_pairs_line_has_the_status_of_its_reasons():
    few = run(two_venues(25), QUICK)
    (told,) = said(few, "No leader in any of 1 pairs")
    assert "fewer than ten rows a regressor" in told.text
    assert told.status == "too few observations"
    walks = np.exp(independent_walks(1, 600, 2).log_prices)
    none = run(frame(OPEN + MINUTE * np.arange(600), {"A": walks[:, 0], "B": walks[:, 1]}), QUICK)
    (told,) = said(none, "No leader in any of 1 pairs")
    assert told.status == "not identified"


def test_missing_rows_are_holes_and_not_steps():
    whole = two_venues(2340)
    rng = np.random.default_rng(1)
    kept = np.sort(rng.choice(2340, 900, replace=False))
    kept[[0, -1]] = 0, 2339
    thinned = whole[kept.tolist()]
    there = pl.Series(np.isin(np.arange(2340), kept))
    blanked = whole.with_columns(
        pl.when(there).then(pl.col(name)).otherwise(None).alias(name) for name in ("V1", "V2")
    )
    panel, want = price_panel(thinned), price_panel(blanked)
    assert np.median(np.diff(thinned["ts"].to_physical().to_numpy())) == 2 * MINUTE
    assert (panel.step_s, panel.missing, panel.off_step) == (60.0, 1440, 0.0)
    assert np.array_equal(panel.ts, want.ts)
    assert np.array_equal(panel.levels, want.levels, equal_nan=True)
    assert pair_table(thinned, n_draws=99).equals(pair_table(blanked, n_draws=99))
    assert granger_table(thinned).equals(granger_table(blanked))
    coarse = resolution_table(thinned, (1, 5), n_draws=99)
    assert coarse["step_s"].to_list() == [60.0, 300.0]
    assert np.all(np.diff(panel.every(5).ts) == 5 * MINUTE)


def test_missing_rows_are_told():
    whole = two_venues(600)
    result = run(whole.filter(pl.arange(600) % 7 != 3), QUICK)
    assert (result.step_s, result.missing_rows) == (60.0, 86)
    assert result.series["holes"].to_list() == [86, 86]
    (told,) = said(result, "86 rows of the usual step of 60 s are missing")
    assert told.status == "ok"


def test_rows_on_no_step_are_asked_nothing_at_multiples():
    rng = np.random.default_rng(2)
    ts = OPEN + np.cumsum(rng.integers(SECOND, 120 * SECOND, 600))
    prices = two_venues(600, ts)
    panel = price_panel(prices)
    assert np.array_equal(panel.ts, ts)
    assert panel.off_step > 0.8
    with pytest.raises(InputError, match="rows a step apart in at least 90%") as met:
        resolution_table(prices, (1, 5))
    assert met.value.column == "ts"
    result = run(prices, QUICK)
    assert result.resolution.is_empty()
    assert result.pairs.height == 1
    (told,) = said(result, "off the usual step")
    assert told.text.startswith(f"{panel.off_step:.1%} of the rows")
    assert told.status == "not identified"


def test_seconds_of_trades_are_no_grid_of_seconds():
    """Any whole seconds sit on one: one row in a hundred of it is no panel at a second."""
    rng = np.random.default_rng(3)
    second = np.sort(rng.choice(60_000, 600, replace=False))
    panel = price_panel(two_venues(600, OPEN + SECOND * second))
    assert panel.ts.size == 600
    assert panel.off_step > 0.1


def test_one_row_off_its_minute_moves_no_other():
    ts = OPEN + MINUTE * np.arange(300)
    ts[100] += 30 * SECOND
    ts[200:] += 3 * MINUTE
    panel = price_panel(two_venues(300, ts))
    assert panel.off_step == pytest.approx(2 / 299)
    assert (panel.missing, panel.ts.size) == (3, 303)
    assert np.isnan(panel.levels).any(axis=1).nonzero()[0].tolist() == [200, 201, 202]
    late = np.random.default_rng(4).integers(0, SECOND, 300)
    assert price_panel(two_venues(300, OPEN + MINUTE * np.arange(300) + late)).off_step == 0.0


def trading_days(n):
    known = sessions(date(2015, 1, 2), date(2021, 12, 31), "XNYS")
    return known.close_ns[:n]


@pytest.mark.parametrize("calendar", [None, "XNYS"])
def test_weekends_end_no_session_of_daily_rows(calendar):
    prices = two_venues(1500, trading_days(1500))
    result = run(prices, LeadershipConfig(n_draws=199, placebo_runs=0, resolution=(1,),
                                          calendar=calendar))  # fmt: skip
    assert (result.sessions, result.missing_rows) == (1, 0)
    assert result.pairs["leader"].to_list() == ["V1"]
    minutes = pair_table(two_venues(1500), n_draws=199)
    assert result.pairs["pils"][0] == pytest.approx(minutes["pils"][0], rel=1e-9)


def test_daily_rows_end_a_session_after_five_days_or_the_gap_asked():
    ts = trading_days(1000).copy()
    ts[500:] += 14 * DAY
    prices = two_venues(1000, ts)
    assert price_panel(prices).sessions[[499, 500, 999]].tolist() == [0, 1, 1]
    assert price_panel(prices, max_gap_s=30 * 86400.0).sessions[-1] == 0
    weekly = int((np.diff(ts) > 2 * DAY).sum())
    assert price_panel(prices, max_gap_s=2 * 86400.0).sessions[-1] == weekly > 190


def odds_frame(last):
    x = independent_walks(7, 800, 2).log_prices
    p = ndtr(20.0 * (x[:, 0] - x[0, 0]))
    p = np.clip(p, 0.01, 0.99)
    p[440:445] = [0.0005, 0.0, 1.0, 0.9996, last]
    prices = two_venues(800)
    return prices.with_columns(pl.Series("P", p))


def test_odds_that_reach_the_ends_are_holes_and_counted():
    config = LeadershipConfig(
        probability="P", n_draws=199, placebo_runs=0, resolution=(1,), regime_edges=(0.5,)
    )
    prices = odds_frame(0.999)
    result = run(prices, config)
    assert result.at_ends == (("P", 4),)
    (told,) = said(result, "P is within 0.0005 of 0 or 1 in 4 rows")
    assert told.status == "ok"
    blank = prices.with_columns(
        pl.when(pl.arange(800).is_between(440, 443)).then(None).otherwise("P").alias("P")
    )
    want = run(blank, config)
    assert want.at_ends == ()
    assert want.speeds.height == 2
    assert result.speeds.equals(want.speeds)
    assert contract(result)["at_ends"] == {"P": 4}


@pytest.mark.parametrize("wrong", [-0.001, 1.0001, float("inf")])
def test_odds_beyond_the_ends_are_refused(wrong):
    with pytest.raises(InputError, match="a probability between 0 and 1") as met:
        price_panel(odds_frame(wrong), probabilities=("P",))
    assert (met.value.row, met.value.column, met.value.met) == (445, "P", wrong)


def test_odds_that_are_settled_throughout_are_no_series():
    prices = two_venues(10).with_columns(P=pl.lit(1.0))
    with pytest.raises(InputError, match=r"further than 0\.0005 from 0 and 1"):
        price_panel(prices, probabilities=("P",))
