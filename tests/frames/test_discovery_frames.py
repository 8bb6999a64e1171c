"""Leadership on data frames: the answers of the arrays, sessions kept apart, errors with rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.clock import MINUTE, SECOND, parse_ns
from eventtape.errors import InputError
from eventtape.estimators.discovery.connectedness import connectedness
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.granger import granger
from eventtape.estimators.discovery.group_speeds import group_speeds
from eventtape.estimators.discovery.lead_lag import lead_lag
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.panel_rank import panel_rank
from eventtape.estimators.discovery.panel_speeds import panel_speeds
from eventtape.frames import (
    connectedness_table,
    granger_table,
    group_table,
    lead_lag_table,
    pair_table,
    rank_table,
    resolution_table,
    speed_table,
)
from eventtape.frames.discovery_speeds import regimes_of
from eventtape.frames.price_panel import price_panel
from eventtape.simulate.leader_frame import leader_frame
from eventtape.simulate.price_ticks import asynchronous_ticks

TIME = pl.Datetime("ns", "UTC")
OPEN = parse_ns("2024-11-04T14:30Z")


def frame(columns, ts=None):
    n = len(next(iter(columns.values())))
    stamps = OPEN + MINUTE * np.arange(n) if ts is None else ts
    return pl.DataFrame({"ts": pl.Series(stamps, dtype=pl.Int64).cast(TIME), **columns})


@pytest.fixture(scope="module")
def made():
    return leader_frame(1)


@pytest.fixture(scope="module")
def panel(made):
    return price_panel(made.prices, probabilities=("ODDS",))


def days(n_days, rows):
    return np.concatenate(
        [OPEN + 1440 * MINUTE * d + MINUTE * np.arange(rows) for d in range(n_days)]
    )


def test_the_panel_is_logs_and_probits_with_nights_between(made, panel):
    from scipy.stats import norm

    assert panel.levels.shape == (2340, 10)
    assert np.array_equal(panel.sessions, np.repeat(np.arange(6), 390))
    np.testing.assert_allclose(panel.column("MKT"), np.log(made.prices["MKT"]), rtol=1e-15)
    np.testing.assert_allclose(panel.column("ODDS"), norm.ppf(made.prices["ODDS"]), atol=1e-12)
    levels, rows = panel.broken()
    assert levels.shape[0] == 2345
    assert np.isnan(levels[rows < 0]).all()
    assert np.array_equal(levels[rows >= 0], panel.levels)


def test_sessions_by_gap_and_by_calendar():
    x = np.linspace(1.0, 2.0, 6)
    late = OPEN + MINUTE * np.array([0, 1, 2, 63, 64, 65])
    assert price_panel(frame({"A": x}, late)).sessions.tolist() == [0, 0, 0, 1, 1, 1]
    assert price_panel(frame({"A": x}, late), max_gap_s=3660.0).sessions.tolist() == [0] * 6
    # Hourly rows are not sixty sessions: a gap counts from one and a half of the usual step.
    hourly = OPEN + 90 * MINUTE * np.arange(6)
    assert price_panel(frame({"A": x}, hourly)).sessions.tolist() == [0] * 6
    # XNYS of 4 November 2024 is 14:30 to 21:00; before and after it nothing is kept.
    around = OPEN + MINUTE * np.array([-1, 0, 1, 389, 390, 391])
    kept = price_panel(frame({"A": x}, around), calendar="XNYS", max_gap_s=float("inf"))
    assert ((kept.ts - OPEN) // MINUTE).tolist() == [0, 1, 389, 390]
    with pytest.raises(InputError, match="rows in the hours of XNYS"):
        price_panel(frame({"A": x}, OPEN - 300 * MINUTE + np.arange(6)), calendar="XNYS")


def test_every_row_of_a_session_starts_anew(panel):
    coarse = panel.every(100)
    assert coarse.levels.shape[0] == 6 * 4
    assert np.array_equal(coarse.levels[4], panel.levels[390])


def test_moments_leave_holes_and_nights_out(panel):
    holed = panel.take(("MKT", "FUND1"))
    levels = holed.levels.copy()
    levels[1000, 1] = np.nan
    holed = holed._replace(levels=levels)
    origin = levels[0]
    rows = []
    for t in range(3, 2340):
        window = levels[t - 3 : t + 1]
        if np.isfinite(window).all() and holed.sessions[t - 3] == holed.sessions[t]:
            d = np.diff(window, axis=0)
            rows.append(np.r_[d[2], window[2] - origin, d[1], d[0], 1.0])
    z = np.array(rows)
    state = holed.moments(2)
    assert state.n_rows == 6 * 387 - 4
    np.testing.assert_allclose(state.cross, np.triu(z.T @ z), rtol=1e-10, atol=1e-14)


def test_pairs_are_those_of_the_arrays(made, panel):
    prices = made.prices.select("ts", "MKT", "VENUE2", "VENUE1", "ALONE")
    table = pair_table(prices, n_draws=199)
    found = pair_discovery(
        np.log(prices.drop("ts").to_numpy()),
        sessions=np.repeat(np.arange(6), 390),
        n_draws=199,
    )
    assert table.height == 6
    venues = table.filter(first="VENUE2", second="VENUE1").row(0, named=True)
    at = 3
    assert (found.first[at], found.second[at], found.leader[at]) == (1, 2, 2)
    assert venues["leader"] == "VENUE1"
    for name in ("pils", "pils_lower", "is_first", "component", "pds", "p_none", "q_relation"):
        assert venues[name] == pytest.approx(getattr(found, name)[at], rel=1e-12)
    assert (venues["status"], venues["reason"]) == ("ok", "")
    refused = table.filter(first="MKT", second="ALONE").row(0, named=True)
    assert refused["pils"] is None
    assert refused["status"] == "not identified"
    assert refused["reason"] == str(found.reason[2])


def test_a_pair_asked_for_by_name_in_either_order(panel):
    one = pair_table(panel, pairs=[("VENUE2", "VENUE1")], n_draws=99)
    assert one.select("first", "second", "leader").row(0) == ("VENUE1", "VENUE2", "VENUE1")
    with pytest.raises(InputError, match="a pair of columns among"):
        pair_table(panel, pairs=[("VENUE2", "NOBODY")])


def test_speeds_are_those_of_the_arrays(panel):
    table = speed_table(panel, ["MKT", "ODDS"], lags=2, n_draws=199)
    x, _ = panel.broken()
    assets = [n for n in panel.names if n not in {"MKT", "ODDS"}]
    at = [panel.names.index(n) for n in assets]
    found = panel_speeds(x[:, at], x[:, [0, 9]], 2, n_draws=199)
    assert table.height == 2 * len(assets)
    for name in ("speed", "lower", "upper", "lead", "lead_p", "order_low", "long_run"):
        mine = table[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        np.testing.assert_allclose(mine, getattr(found, name).ravel(), rtol=1e-12)
    q = adjusted(found.lead_p).ravel()
    np.testing.assert_allclose(table["lead_q"].fill_null(np.nan), q, rtol=1e-12)
    slow = table.filter(pl.col("name").str.starts_with("SLOW"))
    assert slow["leader"].to_list() == ["MKT", "ODDS"] * 3
    alone = table.filter(name="ALONE")
    assert alone["reason"].to_list() == ["no long-run response"] * 2
    assert alone["leader"].null_count() == 2


def test_a_price_that_only_stands_still_more_often_is_no_follower():
    """Same price, seen in six rows of ten: half as fast for that alone, and nobody is named."""
    rng = np.random.default_rng(5)
    m = np.cumsum(5e-4 * rng.standard_normal(2340))
    seen = rng.random(2340) < 0.6
    seen[0] = True
    last = np.maximum.accumulate(np.where(seen, np.arange(2340), 0))
    noise = 5e-5 * rng.standard_normal(2340)
    prices = frame({"MKT": np.exp(m), "RARE": np.exp((m + noise)[last])})
    row = speed_table(prices, ["MKT"], lags=6).row(0, named=True)
    assert row["lead_q"] < 1e-6  # slower it is
    assert row["speed"] == pytest.approx(0.6, abs=0.1)
    assert row["leader"] is None
    assert row["reason"] == "apart, but not beyond chance, stale prices or a bounce"


def test_groups_are_those_of_the_arrays(made, panel):
    regimes = regimes_of(made.prices["ODDS"].to_numpy(), (0.45,))
    groups = {"funds": ["MKT", "FUND1", "FUND2"], "slow": ["SLOW1", "SLOW2"]}
    found = group_table(panel, ["MKT"], groups, regimes=regimes, lags=1, n_draws=199)
    x, rows = panel.broken()
    label = np.array([None if r < 0 else regimes[r] for r in rows], dtype=object)
    at = [panel.names.index(n) for n in ("FUND1", "FUND2", "SLOW1", "SLOW2")]
    same = group_speeds(
        x[:, at], x[:, [0]], ["funds", "funds", "slow", "slow"], label, 1, n_draws=199
    )
    assert found.speeds["group"].to_list() == ["funds", "funds", "slow", "slow"]
    assert found.speeds["n_members"].to_list() == [2] * 4  # the market itself is left out
    np.testing.assert_allclose(found.speeds["speed"], same.speed.ravel(), rtol=1e-12)
    apart = found.between_groups
    np.testing.assert_allclose(
        apart["difference"], same.between_groups.difference[0, 1, :, 0], rtol=1e-12
    )
    assert apart["found"].all()
    assert found.between_regimes.columns[2] == "group"
    np.testing.assert_allclose(
        found.between_regimes["difference"], same.between_regimes.difference[0, 1, :, 0], rtol=1e-9
    )


def test_regimes_cut_a_probability():
    p = np.array([0.1, 0.4, 0.5, np.nan, 0.9])
    low, middle, high = "p 0.00 to 0.40", "p 0.40 to 0.60", "p 0.60 to 1.00"
    assert regimes_of(p, (0.4, 0.6)) == [low, middle, middle, None, high]
    with pytest.raises(InputError, match="rising edges"):
        regimes_of(p, (0.6, 0.4))


def test_links_are_those_of_the_arrays(made):
    prices = made.prices.select("ts", "MKT", "SLOW1", "VENUE1")
    x = np.log(prices.drop("ts").to_numpy()).reshape(6, 390, 3)
    returns = np.diff(x, axis=1).reshape(-1, 3)
    table = granger_table(prices, lags=2)
    same = granger(returns, 2)
    assert table.select("cause", "effect").row(0) == ("MKT", "SLOW1")
    np.testing.assert_allclose(table["p_value"], same.p_value[~np.eye(3, dtype=bool)], rtol=1e-12)
    assert table["found"].to_list()[0]
    spill = connectedness_table(prices, n_draws=99)
    both = connectedness(returns, n_draws=99)
    np.testing.assert_allclose(spill.series["net"], both.net, rtol=1e-12)
    np.testing.assert_allclose(spill.table["share"].to_numpy().reshape(3, 3), both.table)
    assert spill.series["total_lower"][0] == pytest.approx(both.total_lower)
    rank = rank_table(prices, lags=1)
    level = np.vstack([np.zeros(3), np.cumsum(returns, axis=0)])
    assert rank["p_value"][0] == pytest.approx(float(panel_rank(level, 1).p_value[0]))


def test_too_few_rows_are_rows_with_a_reason(made):
    few = made.prices.head(12).select("ts", "MKT", "FUND1", "SLOW1")
    for table in (pair_table(few), speed_table(few, ["MKT"]), granger_table(few)):
        assert set(table["status"]) == {"too few observations"}
        assert set(table["reason"]) == {"fewer than ten rows a regressor"}
    spill = connectedness_table(few)
    assert spill.series["net"].null_count() == 3
    assert spill.series["reason"][0] == "fewer than ten rows a regressor"


def test_resolution_says_when_the_step_is_too_coarse(panel):
    pair = [("VENUE1", "VENUE2"), ("MKT", "ALONE")]
    table = resolution_table(panel, (1, 5, 60), pairs=pair, n_draws=199)
    venues = table.filter(first="VENUE1")
    assert venues["step_s"].to_list() == [60.0, 300.0, 3600.0]
    assert venues["leader"].to_list() == ["VENUE1", None, None]
    assert venues["verdict"][0] == "leader named"
    assert venues["verdict"][1] == "too coarse for the claim"
    assert venues["holds_to_s"].to_list() == [60.0] * 3
    assert table.filter(first="MKT")["leader"].null_count() == 3
    by_hand = pair_table(panel.every(5), pairs=pair, n_draws=199)
    shared = ["first", "second", "leader", "pils", "pils_lower", "width", "n_rows", "reason"]
    assert table.filter(step_s=300.0).select(shared).equals(by_hand.select(shared))
    with pytest.raises(InputError, match="multiples that rise"):
        resolution_table(panel, (5, 1))


def test_ticks_lead_by_what_they_were_made_to():
    made = asynchronous_ticks(3, 3600.0, [1.0, 0.5], [0.0, 2.0], volatility=1e-4)
    parts = [
        frame({"price": np.exp(p)}, t).select(pl.lit(name).alias("symbol"), "ts", "price")
        for name, t, p in zip("AB", made.times, made.log_prices, strict=True)
    ]
    ticks = pl.concat(parts)
    row = lead_lag_table(ticks, reach_s=8.0, step_s=0.5, n_draws=199).row(0, named=True)
    lags = (np.arange(-16, 17) * SECOND // 2).astype(np.int64)
    same = lead_lag(
        made.times[0],
        np.log(np.exp(made.log_prices[0])),
        made.times[1],
        np.log(np.exp(made.log_prices[1])),
        lags,
        n_draws=199,
    )
    assert row["lag_s"] == same.lag_s
    assert row["lower"] <= 2.0 <= row["upper"]
    assert (row["first"], row["second"], row["leader"]) == ("A", "B", "A")
    assert lead_lag_table(ticks.reverse().sort("ts"), reach_s=8.0, step_s=0.5).height == 1


def test_stamps_on_a_grid_name_nobody_for_less_than_the_grid():
    """Half a minute behind in truth: ticks say so, bars stamped by the minute must not."""
    made = asynchronous_ticks(5, 14400.0, [1.0, 1.0], [0.0, 30.0], volatility=1e-4)
    parts, bars = [], []
    for name, t, p in zip("AB", made.times, made.log_prices, strict=True):
        whole = frame({"price": np.exp(p)}, t).select(pl.lit(name).alias("symbol"), "ts", "price")
        parts.append(whole)
        ends = whole.group_by_dynamic("ts", every="1m", label="right").agg(pl.col("price").last())
        bars.append(ends.select(pl.lit(name).alias("symbol"), "ts", "price"))
    fine = lead_lag_table(pl.concat(parts), reach_s=90.0, step_s=5.0, n_draws=99).row(0, named=True)
    assert (fine["leader"], fine["stamp_s"] < 1e-6) == ("A", True)
    assert (fine["lower"], fine["upper"]) == pytest.approx((30.0, 30.0), abs=0.5)
    coarse = pl.concat(bars)
    row = lead_lag_table(coarse, reach_s=600.0, step_s=20.0, n_draws=99).row(0, named=True)
    assert (row["leader"], row["stamp_s"]) == (None, 60.0)
    blind = lead_lag_table(coarse, reach_s=600.0, step_s=20.0, stamp_s=0.0, n_draws=99)
    assert blind["leader"].to_list() == ["A"]  # the interval alone excludes 0, by half a second
    wide = lead_lag_table(pl.concat(parts), reach_s=90.0, step_s=5.0, stamp_s=40.0, n_draws=99)
    assert wide["leader"].to_list() == [None]
    with pytest.raises(InputError, match="stamp_s >= 0"):
        lead_lag_table(coarse, stamp_s=-1.0)


@pytest.mark.parametrize(
    ("change", "row", "column", "words"),
    [
        ({"A": [1.0, -2.0, 3.0, 4.0]}, 2, "A", "a finite price above 0"),
        ({"A": [1.0, 2.0, float("inf"), 4.0]}, 3, "A", "a finite price above 0"),
        ({"A": ["1", "2", "3", "4"]}, None, "A", "a column of numbers"),
        ({"A": [None] * 4}, None, "A", "a column of numbers"),
        ({"A": [float("nan")] * 4}, None, "A", "a series with prices"),
        ({"P": [0.2, 0.3, 1.2, 0.4]}, 3, "P", "a probability between 0 and 1"),
        ({"ts": [0, 60, 30, 90]}, 3, "ts", "a time after"),
        ({"ts": [0, 60, 60, 90]}, 3, "ts", "each time once"),
        ({"ts": [0, None, 60, 90]}, 2, "ts", "a time"),
    ],
)
def test_what_cannot_be_used_is_named(change, row, column, words):
    good = {"ts": [0, 30, 60, 90], "A": [1.0, 2.0, 3.0, 4.0], "P": [0.2, 0.3, 0.4, 0.5]}
    data = {**good, **change}
    ts = pl.Series("ts", data.pop("ts"), dtype=pl.Int64) * SECOND
    table = pl.DataFrame({"ts": ts.cast(TIME), **data}, strict=False)
    with pytest.raises(InputError, match=words) as met:
        price_panel(table, probabilities=("P",))
    assert (met.value.row, met.value.column) == (row, column)


def test_times_without_a_zone_and_unknown_names_are_refused(made):
    naive = made.prices.with_columns(pl.col("ts").dt.replace_time_zone(None))
    with pytest.raises(InputError, match="times of type"):
        pair_table(naive)
    with pytest.raises(InputError, match="from_epoch"):
        pair_table(made.prices.with_columns(pl.col("ts").to_physical()))
    with pytest.raises(InputError, match="a Polars frame") as met:
        pair_table({"ts": [1]})
    assert met.value.met == "builtins dict"
    there = made.prices.with_columns(pl.col("ts").dt.convert_time_zone("Asia/Tokyo"))
    assert np.array_equal(price_panel(there).ts, price_panel(made.prices).ts)
    with pytest.raises(InputError, match="a column 'ts'"):
        pair_table(made.prices.drop("ts"))
    with pytest.raises(InputError, match="a column among"):
        speed_table(made.prices, ["SPY"])
    with pytest.raises(InputError, match="members of 'x' among the prices"):
        group_table(made.prices, ["MKT"], {"x": ["NOBODY"]})
    with pytest.raises(InputError, match="a group with a member that is not a factor"):
        group_table(made.prices, ["MKT"], {"x": ["MKT"]})
    with pytest.raises(InputError, match="each name in one group"):
        group_table(made.prices, ["MKT"], {"x": ["FUND1"], "y": ["FUND1"]})
    with pytest.raises(InputError, match="a regime for each"):
        group_table(made.prices, ["MKT"], {"x": ["FUND1"]}, regimes=["a"])


def test_bad_ticks_are_named():
    good = frame({"price": [1.0, 2.0, 3.0]}).select(pl.lit("A").alias("symbol"), "ts", "price")
    with pytest.raises(InputError, match="a column 'price'"):
        lead_lag_table(good.drop("price"))
    with pytest.raises(InputError, match="rising times of one symbol") as met:
        lead_lag_table(pl.concat([good, good[1:]]))
    assert met.value.row == 4
    with pytest.raises(InputError, match="a finite price above 0") as met:
        lead_lag_table(good.with_columns(price=pl.Series([1.0, 0.0, 3.0])))
    assert met.value.row == 2
