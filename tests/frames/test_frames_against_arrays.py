"""The estimators on frames give the array estimators' numbers, and null where they refuse."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.probability import local_level, vig
from eventtape.estimators.states.outcome_gap import outcome_gap
from eventtape.frames import filter_probability, gap_table, join_complementary
from eventtape.simulate import MarketTruth, event_night
from eventtape.tape import PROBABILITY, check, times_ns
from eventtape.tape.records import TIME

S = 10**9
T0 = 1_730_844_000 * S


def probability(seconds, values, *, symbol="a", bid=None, ask=None):
    columns = PROBABILITY.columns
    n = len(values)
    return pl.DataFrame(
        {
            "symbol": [symbol] * n,
            "ts": pl.Series(T0 + np.array(seconds, np.int64) * S).cast(TIME),
            "probability": values,
            "bid": bid if bid is not None else [None] * n,
            "ask": ask if ask is not None else [None] * n,
            "size": [None] * n,
        },
        schema={name: rule.dtype for name, rule in columns.items()},
    )


def quotes(n=200, seed=0):
    rng = np.random.default_rng(seed)
    p = (
        0.5
        + 0.1 * np.tanh(0.05 * np.cumsum(rng.standard_normal(n)))
        + 0.005 * rng.standard_normal(n)
    )
    return probability(np.cumsum(rng.integers(20, 90, n)), np.round(p, 3))


def test_filter_adds_what_the_arrays_say():
    frame = quotes()
    out, fit = filter_probability(frame, tick=0.001)
    ts, y = times_ns(frame), frame["probability"].to_numpy()
    assert fit == local_level.fit(ts, y, tick=0.001)
    want = local_level.batch(ts, y, q=fit.q, r=fit.r)
    assert out.columns == [*frame.columns, "mean", "sd", "z", "regime"]
    assert out.select(frame.columns).equals(frame)
    np.testing.assert_array_equal(out["mean"].to_numpy(), want.mean)
    np.testing.assert_array_equal(out["sd"].to_numpy(), want.sd)
    assert out["z"][0] is None
    np.testing.assert_array_equal(out["z"][1:].to_numpy(), want.z[1:])
    names = [local_level.REGIMES[k] for k in local_level.regimes(want.z)]
    assert out["regime"].to_list() == names
    assert names[0] == "unknown"


def test_filter_with_a_given_fit_does_not_fit():
    frame = quotes()
    fit = local_level.LevelFit(1e-6, 2e-4, math.nan, False, Status.OK)
    out, back = filter_probability(frame, fit=fit)
    assert back is fit
    want = local_level.batch(times_ns(frame), frame["probability"].to_numpy(), q=1e-6, r=2e-4)
    np.testing.assert_array_equal(out["mean"].to_numpy(), want.mean)


@pytest.mark.parametrize(("n", "status"), [(5, Status.TOO_FEW), (50, Status.NOT_IDENTIFIED)])
def test_filter_that_cannot_be_fitted_is_null(n, status):
    out, fit = filter_probability(probability(range(n), [0.4] * n))
    assert fit.status is status
    assert out.height == n
    for name in ("mean", "sd", "z"):
        assert out[name].dtype == pl.Float64
        assert out[name].null_count() == n
    assert set(out["regime"]) == {"unknown"}


def test_filter_refuses_two_symbols_disorder_and_no_number():
    frame = quotes()
    with pytest.raises(InputError, match="one symbol"):
        filter_probability(pl.concat([frame, probability([10**6], [0.5], symbol="b")]))
    with pytest.raises(InputError, match="do not fall"):
        filter_probability(frame.reverse())
    with pytest.raises(InputError, match="finite"):
        filter_probability(frame.with_columns(pl.lit(None, pl.Float64).alias("probability")))
    with pytest.raises(InputError, match="values of type"):
        filter_probability(frame.with_columns(pl.col("ts").dt.cast_time_unit("us")))


def two_contracts():
    yes = probability(
        [0, 60, 120, 180, 300],
        [0.6, 0.6, 0.6, 0.6, 0.6],
        symbol="yes",
        bid=[0.58, 0.59, None, 0.61, 0.60],
        ask=[0.60, 0.61, 0.62, 0.63, 0.61],
    )
    no = probability(
        [0, 60, 120, 240, 300],
        [0.4, 0.4, 0.4, 0.4, 0.4],
        symbol="no",
        bid=[0.41, 0.40, 0.39, 0.39, 0.38],
        ask=[0.43, None, 0.42, 0.41, 0.39],
    )
    return yes, no


@pytest.mark.parametrize("method", ["proportional", "additive", "power"])
def test_join_is_the_arrays_at_shared_times(method):
    """Times 0 and 300 only: at 60 and 120 one side is not quoted, 180 and 240 are not shared."""
    out = join_complementary(*two_contracts(), method=method)
    assert ((times_ns(out) - T0) // S).tolist() == [0, 300]
    mids = np.array([[0.59, 0.42], [0.605, 0.385]])
    np.testing.assert_allclose(
        out["probability"].to_numpy(),
        vig.remove_vig(mids, method=method).probability[:, 0],
        rtol=1e-14,
    )
    np.testing.assert_allclose(out["bid"].to_numpy(), [max(0.58, 1 - 0.43), max(0.60, 1 - 0.39)])
    np.testing.assert_allclose(out["ask"].to_numpy(), [min(0.60, 1 - 0.41), min(0.61, 1 - 0.38)])
    np.testing.assert_allclose(out["overround"].to_numpy(), [0.03, 0.0], atol=1e-15)
    assert set(out["symbol"]) == {"yes"}
    assert out.columns == [*PROBABILITY.columns, "overround"]
    check(out.drop("overround"), PROBABILITY)


def test_join_of_the_complement_is_one_minus():
    yes, no = two_contracts()
    one, two = join_complementary(yes, no), join_complementary(no, yes)
    np.testing.assert_allclose(one["probability"] + two["probability"], 1.0, rtol=1e-14)
    np.testing.assert_allclose(one["bid"] + two["ask"], 1.0, rtol=1e-14)


@pytest.mark.parametrize(("n_yes", "n_no"), [(5000, 40), (40, 5000), (5000, 5000)])
def test_join_keeps_time_in_order_whichever_is_longer(n_yes, n_no):
    """A hash join may return the order of either side: the check would then refuse its own work."""

    def side(n, price):
        bid, ask = [price - 0.01] * n, [price + 0.01] * n
        return probability(range(0, 5000 * 60, 5000 * 60 // n), [price] * n, bid=bid, ask=ask)

    out = join_complementary(side(n_yes, 0.6), side(n_no, 0.4))
    assert out.height == min(n_yes, n_no)
    assert (np.diff(times_ns(out)) > 0).all()


def test_join_without_shared_times_is_refused():
    yes, no = two_contracts()
    with pytest.raises(InputError, match="both contracts are quoted"):
        join_complementary(yes[3:4], no)
    with pytest.raises(InputError, match="both contracts are quoted"):
        join_complementary(yes, no.with_columns(pl.lit(None, pl.Float64).alias("bid")))


def walk_back(ts, values, at, age):
    """The last value at or before each time, not older than ``age``, by a plain loop."""
    out = []
    for t in at:
        before = [k for k in range(len(ts)) if ts[k] <= t]
        out.append(values[before[-1]] if before and t - ts[before[-1]] <= age else math.nan)
    return np.array(out)


MARKETS = (
    MarketTruth("coin", 0.2, 60.0, tick_s=40.0),
    MarketTruth("index", -0.1, 0.0, tick_s=25.0),
)


def test_gap_table_is_the_arrays_on_the_grid():
    """The grid laid and filled by loops, the gap by the array estimator: equal to the last bit."""
    tape = event_night(1, markets=MARKETS, hours=2.0).tape
    event = tape.feed("event").frame
    prices = pl.concat([tape.feed(m.label).frame for m in MARKETS])
    got = gap_table(prices, event, horizons_s=(300.0, 900.0), lead_s=120.0, max_age_s=150.0)
    assert got.height == 4
    assert got["symbol"].to_list() == ["sim:coin", "sim:coin", "sim:index", "sim:index"]
    for row in got.iter_rows(named=True):
        frame = prices.filter(pl.col("symbol") == row["symbol"])
        ts, seen = times_ns(frame).tolist(), times_ns(event).tolist()
        first, last = max(ts[0], seen[0]), min(ts[-1], seen[-1])
        at = list(range(first, last + 1, 60 * S))
        x = np.log(walk_back(ts, frame["price"].to_list(), at, 150 * S))
        p = walk_back(seen, event["probability"].to_list(), at, 150 * S)
        want = outcome_gap(x, p, step_s=60.0, horizon_s=row["horizon_s"], lead_s=120.0)
        assert row["status"] == "ok" == str(want.status)
        for name, value in want._asdict().items():
            assert row[name] == value, name


def test_gap_table_of_rows_in_any_order_of_symbols():
    """Interleaved symbols, as one exchange's trade file has them, are told apart."""
    tape = event_night(2, markets=MARKETS, hours=2.0).tape
    event = tape.feed("event").frame
    apart = pl.concat([tape.feed(m.label).frame for m in MARKETS])
    mixed = apart.sort("ts", maintain_order=True)
    one, two = gap_table(apart, event), gap_table(mixed, event)
    assert one.sort("symbol", "horizon_s").equals(two.sort("symbol", "horizon_s"))


def test_gap_table_takes_bars():
    tape = event_night(3, markets=MARKETS[:1], hours=2.0).tape
    trades = tape.feed("coin").frame
    bars = trades.select("symbol", "ts", pl.col("price").alias("close")).with_columns(
        open=pl.col("close"), high=pl.col("close"), low=pl.col("close"), volume=1.0
    )
    event = tape.feed("event").frame
    assert gap_table(bars, event).equals(gap_table(trades, event))


NUMBERS = ("gap", "se", "lower", "upper", "residual_sd")


def test_gap_table_is_null_where_it_refuses():
    tape = event_night(4, markets=MARKETS[:1], hours=2.0).tape
    prices, event = tape.feed("coin").frame, tape.feed("event").frame
    still = event.with_columns(pl.lit(0.4).alias("probability"))
    got = gap_table(prices, still, horizons_s=(300.0,))
    assert got["status"].to_list() == [str(Status.NOT_IDENTIFIED)]
    short = gap_table(prices, event, horizons_s=(600.0, 3600.0))
    assert short["status"].to_list() == ["ok", str(Status.TOO_FEW)]
    for name in NUMBERS:
        assert got[name].dtype == pl.Float64
        assert got[name].to_list() == [None]
        assert short[name].null_count() == 1
        assert not short[name].is_nan().any()


def test_every_number_is_null_where_refused():
    tape = event_night(4, markets=MARKETS[:1], hours=2.0).tape
    still = tape.feed("event").frame.with_columns(pl.lit(0.4).alias("probability"))
    got = gap_table(tape.feed("coin").frame, still, horizons_s=(300.0,))
    assert got["identifying_share"].to_list() == [None]


def test_gap_table_refuses_two_contracts():
    tape = event_night(5, markets=MARKETS[:1], hours=2.0).tape
    yes = tape.feed("event").frame
    no = yes.with_columns(
        pl.lit("sim:other").alias("symbol"),
        (1.0 - pl.col("probability")).alias("probability"),
        (pl.col("ts") + pl.duration(seconds=1)).dt.cast_time_unit("ns"),
    )
    with pytest.raises(InputError, match=r"one (contract|symbol)"):
        gap_table(tape.feed("coin").frame, pl.concat([yes, no]).sort("ts"))


def test_gap_table_without_common_time_is_refused():
    tape = event_night(6, markets=MARKETS[:1], hours=1.0).tape
    later = tape.feed("event").frame.with_columns(
        (pl.col("ts") + pl.duration(days=1)).dt.cast_time_unit("ns")
    )
    with pytest.raises(InputError, match="start < end"):
        gap_table(tape.feed("coin").frame, later)


@pytest.mark.parametrize("side", ["prices", "probability"])
def test_gap_table_refuses_another_unit_of_time(side):
    tape = event_night(7, markets=MARKETS[:1], hours=1.0).tape
    frames = {"prices": tape.feed("coin").frame, "probability": tape.feed("event").frame}
    frames[side] = frames[side].with_columns(pl.col("ts").dt.cast_time_unit("us"))
    with pytest.raises(InputError, match="values of type"):
        gap_table(**frames)


def test_gap_table_finds_the_gap():
    """Ten nights of two markets: the mean of the gaps is near the truth.

    4 se of the mean by the spread met, plus 5%: quoting noise shrinks a gap a little.
    """
    rows = []
    for seed in range(10):
        tape = event_night([8, seed], markets=MARKETS, hours=4.0).tape
        prices = pl.concat([tape.feed(m.label).frame for m in MARKETS])
        rows.append(
            gap_table(prices, tape.feed("event").frame, horizons_s=(900.0,))["gap"].to_numpy()
        )
    met = np.array(rows)
    for k, market in enumerate(MARKETS):
        slack = 4.0 * met[:, k].std() / math.sqrt(10.0) + 0.05 * abs(market.gap)
        assert abs(met[:, k].mean() - market.gap) < slack
        assert slack < abs(market.gap)  # a test that could not tell the gap from none says nothing


def test_gap_table_refuses_what_its_stamps_cannot_resolve():
    tape = event_night(4, markets=MARKETS[:1], hours=4.0).tape
    prices, quotes = tape.feed("coin").frame, tape.feed("event").frame
    asked = {"horizons_s": (60.0, 300.0, 450.0, 600.0), "stamp_uncertainty_s": 300.0}
    got = gap_table(prices, quotes, **asked)
    refused = str(Status.NOT_RESOLVED)
    assert got["horizon_s"].to_list() == [60.0, 300.0, 450.0, 600.0]
    assert got["status"].to_list() == [refused, refused, refused, "ok"]
    assert got["gap"].is_null().to_list() == [True, True, True, False]
    coarse = gap_table(prices, quotes, horizons_s=(600.0,), step_s=300.0)
    assert got["gap"][3] == coarse["gap"][0]
