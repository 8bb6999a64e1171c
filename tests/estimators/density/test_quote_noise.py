"""Quote noise: formulas by hand, rounding by simulation, and what real quotes say of both."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.estimators.density.quote_noise import (
    QuoteStatus,
    infer_tick,
    quote_kernel,
    quote_noise,
    tick_schedule,
)


def test_formulas_by_hand():
    """1.00 for 10, 1.10 for 30: 30 * 1.00 + 10 * 1.10 over 40, and .01 / 480."""
    out = quote_noise([1.00], [1.10], [10], [30], tick=0.01, vega=[0.5])
    assert out.mid[0] == pytest.approx(1.05)
    assert out.microprice[0] == pytest.approx(1.025)
    assert out.price_variance[0] == pytest.approx(0.01 / 480)
    assert out.vol_variance[0] == pytest.approx(0.01 / 480 / 0.25)
    assert (out.floored[0], out.floor_share, out.status[0]) == (False, 0.0, QuoteStatus.OK)


def test_without_sizes_the_price_is_one_uniform_draw():
    out = quote_noise([1.00, 2.00], [1.10, 2.30], tick=0.05)
    np.testing.assert_allclose(out.price_variance, np.array([0.01, 0.09]) / 12)
    assert np.all(np.isnan(out.microprice))
    assert np.all(np.isnan(out.vol_variance))
    assert out.status.tolist() == [QuoteStatus.NO_SIZE] * 2
    rng = np.random.default_rng(1)
    draws = rng.uniform(2.0, 2.3, 400_000)
    assert np.var(draws) == pytest.approx(out.price_variance[1], rel=0.01)


def test_variance_of_a_price_rounded_twice_is_the_floor():
    """Bid down and ask up to the tick, mid against the mean of the two unrounded: tick^2 / 24."""
    rng = np.random.default_rng(2)
    tick = 0.05
    bid = rng.uniform(1.0, 9.0, 400_000)
    ask = bid + rng.uniform(0.1, 2.0, bid.size)
    shown = 0.5 * (np.floor(bid / tick) + np.ceil(ask / tick)) * tick
    assert np.var(shown - 0.5 * (bid + ask)) == pytest.approx(tick**2 / 24, rel=0.01)
    locked = quote_noise([1.0], [1.0], tick=tick)
    assert locked.price_variance[0] == pytest.approx(tick**2 / 24)
    assert (locked.floored[0], locked.status[0]) == (True, QuoteStatus.LOCKED)


def test_floors_bind_where_they_say():
    """Per lot: under tick / sqrt 2. Whole: under sqrt(Q / 2) ticks, here 5 with Q = 50."""
    spread = np.array([0.0, 0.7, 0.71, 1.0, 4.9, 5.1])
    bids = np.full(6, 10.0)
    size = np.full(6, 25.0)
    lot = quote_noise(bids, bids + spread, size, size, tick=1.0)
    whole = quote_noise(bids, bids + spread, size, size, tick=1.0, rounding="whole")
    assert lot.floored.tolist() == [True, True, False, False, False, False]
    assert whole.floored.tolist() == [True, True, True, True, True, False]
    assert (lot.floor_share, whole.floor_share) == (pytest.approx(2 / 6), pytest.approx(5 / 6))
    np.testing.assert_allclose(lot.price_variance[:2], 1 / 24 / 50)
    np.testing.assert_allclose(whole.price_variance[:5], 1 / 24)
    np.testing.assert_allclose(lot.price_variance[2:], spread[2:] ** 2 / 600)


def test_every_quote_has_its_status():
    nan = math.nan
    cases = [
        (1.0, 1.1, 5, 5, QuoteStatus.OK),
        (1.0, 1.0, 5, 5, QuoteStatus.LOCKED),
        (1.0, 1.1, 0, 0, QuoteStatus.NO_SIZE),
        (1.0, 1.1, -1, 5, QuoteStatus.NO_SIZE),
        (1.0, 1.1, nan, 5, QuoteStatus.NO_SIZE),
        (1.0, 1.1, 0, 5, QuoteStatus.OK),
        (nan, nan, 5, 5, QuoteStatus.MISSING),
        (nan, 1.1, 5, 5, QuoteStatus.ONE_SIDED),
        (1.0, nan, 5, 5, QuoteStatus.ONE_SIDED),
        (1.0, math.inf, 5, 5, QuoteStatus.ONE_SIDED),
        (0.0, 1.1, 5, 5, QuoteStatus.ZERO_BID),
        (0.0, 0.0, 5, 5, QuoteStatus.ZERO_BID),
        (1.2, 1.1, 5, 5, QuoteStatus.CROSSED),
        (-0.1, 1.1, 5, 5, QuoteStatus.NEGATIVE),
    ]
    b, a, qb, qa, want = (np.array(column, float) for column in zip(*cases, strict=True))
    out = quote_noise(b, a, qb, qa, tick=0.1, vega=np.ones(b.size))
    assert out.status.tolist() == want.astype(int).tolist()
    numbers = want <= QuoteStatus.NO_SIZE
    for answer in (out.mid, out.price_variance, out.vol_variance):
        np.testing.assert_array_equal(np.isfinite(answer), numbers)
    assert not np.any(out.floored[~numbers])
    assert out.microprice[5] == 1.0  # nobody bids: all of the weight is on the bid
    # no size counts as one contract, on the spread of a tick
    np.testing.assert_allclose(out.price_variance[2:5], 0.01 / 12)
    for row in (0, 1, 7):
        alone = quote_kernel(b[row], a[row], qb[row], qa[row], 0.1, False)
        assert alone[4] == want[row]
        assert alone[2] == pytest.approx(out.price_variance[row], nan_ok=True)


def test_empty_and_no_vega():
    out = quote_noise([], [])
    assert out.mid.size == 0
    assert math.isnan(out.floor_share)
    flat = quote_noise([1.0, 1.0, math.nan], [2.0, 2.0, 2.0], vega=[0.0, math.nan, 0.0])
    assert flat.vol_variance[0] == math.inf
    assert np.all(np.isnan(flat.vol_variance[1:]))


def test_ticks_are_inferred():
    rng = np.random.default_rng(3)
    low, high = rng.integers(1, 60, 40) * 0.05, rng.integers(30, 900, 40) * 0.10
    assert infer_tick(low) == pytest.approx(0.05)
    assert infer_tick(high) == pytest.approx(0.10)
    assert infer_tick(np.append(low, high)) == pytest.approx(0.05)
    assert infer_tick(rng.integers(1, 99, 40) * 10.5288) == pytest.approx(10.5288)
    assert infer_tick(rng.uniform(1, 9, 40)) <= 1e-5
    assert math.isnan(infer_tick([math.nan, 0.0, -1.0]))
    both = np.concatenate([low[low < 3.0], high[high >= 3.0], [math.nan]])
    np.testing.assert_allclose(tick_schedule(both), np.where(both < 3.0, 0.05, 0.10) + 0 * both)
    inferred = quote_noise(low, low + 0.05)
    np.testing.assert_allclose(inferred.tick, 0.05)


def test_bad_input_is_named():
    for wrong in (
        {"bids": [1.0, 2.0], "asks": [1.0]},
        {"bids": [[1.0]], "asks": [[1.0]]},
        {"bids": ["x"], "asks": [1.0]},
        {"bids": [1.0], "asks": [1.0], "bid_sizes": [1.0]},
        {"bids": [1.0], "asks": [1.0], "tick": -0.1},
        {"bids": [1.0], "asks": [1.0], "vega": [-0.1]},
        {"bids": [1.0], "asks": [1.0], "rounding": "none"},
    ):
        with pytest.raises(InputError):
            quote_noise(**wrong)


def simulated_quotes(seed):
    """Cheap options at one-cent ticks: half spread a cent and 1%, sizes 1 to 50."""
    rng = np.random.default_rng(seed)
    price = np.exp(rng.uniform(math.log(0.03), math.log(6.0), 2000))
    half = 0.01 + 0.01 * price
    bids, asks = np.floor((price - half) * 100) / 100, np.ceil((price + half) * 100) / 100
    return bids, asks, rng.integers(1, 51, 2000), rng.integers(1, 51, 2000)


def test_floor_does_not_bind_on_simulated_quotes():
    quotes = simulated_quotes(4)
    assert quote_noise(*quotes, tick=0.01).floor_share == 0.0
    assert quote_noise(*quotes, tick=0.01, rounding="whole").floor_share == pytest.approx(
        0.5, abs=0.1
    )


@pytest.mark.real
def test_floor_on_the_index_chain_of_2013(data_folder):
    """No quote is touched by the default; the whole tick's floor touches what the file says."""
    path = data_folder / "options" / "rnd_sp500_2013_04_19.csv.gz"
    if not path.exists():
        pytest.skip(
            "no options/rnd_sp500_2013_04_19.csv.gz in the data folder (set EVENTTAPE_DATA)"
        )
    table = pl.read_csv(path, infer_schema_length=None)
    for side, share in (("c", 0.05), ("p", 0.18)):
        names = ("bid", "ask", "bidsize", "asksize")
        b, a, qb, qa = (table[f"{name}.{side}"].to_numpy().astype(float) for name in names)
        ticks = tick_schedule(a)
        np.testing.assert_allclose(ticks[b > 0.0], np.where(a < 3.0, 0.05, 0.10)[b > 0.0])
        default = quote_noise(b, a, qb, qa, tick=ticks)
        assert default.floor_share == 0.0
        assert np.all(default.status[b > 0.0] == QuoteStatus.OK)
        assert np.all(default.status[b == 0.0] == QuoteStatus.ZERO_BID)
        whole = quote_noise(b, a, qb, qa, tick=ticks, rounding="whole")
        assert whole.floor_share == pytest.approx(share, abs=0.005)


@pytest.mark.real
def test_mid_foretells_the_next_minute_better_than_the_microprice(data_folder):
    """The numbers that the file states for GOOG options; 09:35 on, gaps of five minutes at most."""
    path = data_folder / "options" / "lean_goog_options_1m_quotes_20151224.parquet"
    if not path.exists():
        pytest.skip(f"no options/{path.name} in the data folder (set EVENTTAPE_DATA)")
    key = ["cp", "strike", "expiration"]
    table = pl.read_parquet(path).sort(*key, "ts")
    names = {"b": "bid_close", "a": "ask_close", "qb": "bid_size", "qa": "ask_size"}
    table = table.select(*key, "ts", **{k: pl.col(v).cast(pl.Float64) for k, v in names.items()})
    slopes = []
    for minutes in (1, 5):
        later = [pl.col(c).shift(-minutes).over(key).alias(f"{c}_next") for c in ("b", "a", "ts")]
        pairs = table.with_columns(later).filter(
            (pl.col("ts_next") - pl.col("ts") <= pl.duration(minutes=5 * minutes)),
            pl.col("ts").dt.time() >= pl.time(9, 35),
            pl.col("b") > 0,
            pl.col("a") > pl.col("b"),
            pl.col("qa") > 0,
            pl.col("qb") > 0,
            pl.col("b_next") > 0,
            pl.col("a_next") > pl.col("b_next"),
        )
        b, a, qb, qa, b1, a1 = (
            pairs[c].to_numpy() for c in ("b", "a", "qb", "qa", "b_next", "a_next")
        )
        now = quote_noise(b, a, qb, qa)
        half, moved = 0.5 * (a - b), 0.5 * (a1 + b1) - now.mid
        went = moved != 0.0
        X = np.column_stack([np.ones(b.size), np.log(a - b), np.log(qa + qb), np.log(now.mid)])
        slopes.append(np.linalg.lstsq(X[went], np.log(moved[went] ** 2), rcond=None)[0][2])
        if minutes == 1:
            lean = now.microprice - now.mid
            both = went & (lean != 0.0)
            assert (b.size, int(both.sum())) == (44_250, 20_026)
            assert np.mean(np.sign(lean[both]) == np.sign(moved[both])) == pytest.approx(
                0.645, abs=1e-3
            )
            rms = [math.sqrt(np.mean((x / half) ** 2)) for x in (moved, moved - lean)]
            np.testing.assert_allclose(rms, [0.34, 0.50], atol=0.005)
    np.testing.assert_allclose(slopes, [0.0, -0.1], atol=0.05)
