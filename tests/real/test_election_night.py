"""The real night: facts of the files, and the study's numbers remade by another road."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from eventtape.arrays import Status

pytestmark = pytest.mark.real

START, END = 1_730_844_000, 1_730_872_800  # 22:00Z on 5 November to 06:00Z, seconds


def last_known(stamps, values, at, max_age):
    """The last value stamped at or before each time, NaN where older than ``max_age`` (pandas)."""
    left = pd.DataFrame({"t": at})
    right = pd.DataFrame({"t": stamps, "s": stamps, "v": values})
    joined = pd.merge_asof(left, right, on="t")
    return joined["v"].where(joined["t"] - joined["s"] <= max_age).to_numpy()


@pytest.fixture(scope="session")
def minutes(data_folder):
    """Probability and log prices at each minute, read with pandas and json alone."""
    at = np.arange(START, END + 1, 60)
    history = json.loads((data_folder / "polymarket/winner_trump_1m.json").read_text())["history"]
    p = last_known([h["t"] for h in history], [h["p"] for h in history], at, 300)
    btc = pd.concat(
        pd.read_csv(data_folder / f"crypto/BTCUSDT-1m-2024-11-0{day}.csv", header=None)
        for day in (5, 6)
    )
    out = {"BTC": last_known(btc[0].to_numpy() // 1000 + 60, np.log(btc[4].to_numpy()), at, 300)}
    for name, file, column in (
        ("EURUSD", "fx/EURUSD_1m_2024-10-15_2024-11-30.parquet", "datetime"),
        ("NQ", "futures/NQ1_1m_24h_ratio_backadj.parquet", "time"),
    ):
        frame = pd.read_parquet(data_folder / file)
        stamps = frame[column].astype("datetime64[s, UTC]").astype(np.int64).to_numpy() + 60
        out[name] = last_known(stamps, np.log(frame["close"].to_numpy()), at, 300)
    return p, out


def raw_slope(p, x, steps):
    dx, dp = x[steps:] - x[:-steps], p[steps:] - p[:-steps]
    seen = np.isfinite(dx) & np.isfinite(dp)
    return np.polyfit(dp[seen], dx[seen], 1)[0]


@pytest.mark.parametrize(("market", "elsewhere"), [("BTC", 15.1), ("EURUSD", -3.0), ("NQ", 2.6)])
def test_a_raw_half_hour_regression_is_that_of_elsewhere(minutes, real_result, market, elsewhere):
    """Within half a point of a percent of numbers found elsewhere on other cuts of these files."""
    p, x = minutes
    slope = raw_slope(p, x[market], 30)
    assert slope * 100 == pytest.approx(elsewhere, abs=0.5)
    ours = next(
        c for c in real_result.comparisons if c.market == market and c.method == "overlapping, hac"
    )
    assert ours.gap == pytest.approx(slope, abs=1e-12)


@pytest.mark.parametrize("market", ["BTC", "EURUSD", "NQ"])
def test_one_minute_sees_little_of_it(minutes, market):
    p, x = minutes
    assert abs(raw_slope(p, x[market], 1)) < 0.35 * abs(raw_slope(p, x[market], 30))


@pytest.mark.parametrize("market", ["BTC", "EURUSD", "NQ"])
@pytest.mark.parametrize("horizon", [5, 10, 30, 60])
def test_the_gap_is_that_of_statsmodels(minutes, real_result, market, horizon):
    """Same design built with pandas, fitted by OLS; the interval's centre and the rows agree."""
    p, x = minutes
    lead = min(10, horizon)
    r, dp = pd.Series(np.diff(x[market])), pd.Series(np.diff(p))
    design = pd.concat({j: dp.shift(j) for j in range(-lead, horizon + 1)}, axis=1)
    seen = design.notna().all(axis=1) & r.notna()
    fit = sm.OLS(r[seen].to_numpy(), sm.add_constant(design[seen].to_numpy())).fit()
    row = next(g for g in real_result.gaps if g.market == market and g.horizon_s == horizon * 60.0)
    assert row.estimate.gap == pytest.approx(fit.params[1:].sum(), rel=1e-8)
    assert row.estimate.n_rows == int(seen.sum())


def test_what_the_clocks_cannot_resolve_gets_no_number(real_result):
    refused = {(g.market, g.horizon_s) for g in real_result.gaps if g.status is Status.NOT_RESOLVED}
    assert refused == {(m, 60.0) for m in ("BTC", "EURUSD", "NQ", "CL")} | {("CL", 300.0)}
    for row in real_result.lead_lags:
        assert row.leader is None or row.lag_s > row.resolution_s >= 60.0


def test_the_score_beside_the_files(minutes, real_result):
    p, x = minutes
    half = 240  # 02:00Z
    for market in ("BTC", "EURUSD", "NQ"):
        out = next(s for s in real_result.scores if s.market == market and s.sample == "out")
        assert out.realised == pytest.approx(x[market][-1] - x[market][half], abs=1e-12)
        assert out.probability_move == pytest.approx(p[-1] - p[half], abs=1e-12)
        assert out.lower < out.predicted < out.upper


def test_the_night_as_it_was(real_result):
    trump, kalshi = real_result.probabilities
    assert trump.frame["probability"][-1] > 0.97
    assert (trump.label, kalshi.label) == ("Polymarket", "Kalshi")
    assert kalshi.frame.height == 9
    assert 0.0 < kalshi.overround < 0.05
    clock = real_result.news_clock
    assert clock is not None
    assert clock["counted"].is_sorted() or clock["counted"].diff().min() > -0.01
    assert 0.5 < clock["counted"][-1] < 1.0
    assert not real_result.simulated
