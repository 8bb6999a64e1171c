"""One-second streams: the factors can be had back from the weights, and gaps are as asked."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.simulate import (
    FACTORS,
    TaqConfig,
    stream_batches,
    stream_frame,
    stream_truth,
    stream_weights,
    taq_market,
)
from eventtape.tape.ticks import quote_ticks

S = 10**9
N, T = 2_000, 600


def arrays(seed=1, **more):
    """All batches of a stretch, put together: name -> (seconds, streams)."""
    batches = list(stream_batches(seed, **{"streams": N, "last": T, **more}))
    names = [name for name in batches[0]._fields if name != "names"]
    return {name: np.concatenate([getattr(b, name) for b in batches]) for name in names}


@pytest.fixture(scope="module")
def books():
    return arrays()


@pytest.fixture(scope="module")
def truth():
    return stream_truth(TaqConfig(seed=1, streams=N))


@pytest.mark.parametrize("batch_seconds", [1, 37, 10_000])
def test_batches_and_stretches_change_no_row(books, batch_seconds):
    again = arrays(batch_seconds=batch_seconds)
    part = arrays(batch_seconds=batch_seconds, first=250, last=300)
    for name, values in books.items():
        np.testing.assert_array_equal(again[name], values)
        np.testing.assert_array_equal(part[name], values[250:300])


def test_weights_sum_and_load_as_they_must(truth):
    sums = truth.weights.sum(axis=0)
    np.testing.assert_allclose(sums, [1.0, 0.0, 0.0, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(truth.weights.T @ truth.beta, np.eye(5), atol=1e-12)
    assert truth.cap.sum() == pytest.approx(1.0, rel=1e-12)
    long = stream_weights(truth)
    assert long.height == 5 * N
    hml = long.filter(pl.col("factor") == "HML")
    assert hml["symbol"].to_list() == list(truth.names)
    np.testing.assert_array_equal(hml["weight"], truth.weights[:, FACTORS.index("HML")])


def test_weighted_returns_are_the_factors_plus_known_noise(books, truth):
    """Efficient prices: sum w r - F has mean 0 and the standard deviation of sum w s e, 4 se."""
    market = taq_market(TaqConfig(seed=1, streams=N))
    price = books["efficient"]
    returns = price[1:] / price[:-1] - 1.0
    noise = returns @ truth.weights - market.factors[1:T]
    wanted = np.sqrt((truth.weights**2).T @ truth.volatility**2)
    assert np.abs(noise.std(axis=0) / wanted - 1.0).max() < 4.0 / math.sqrt(2 * (T - 1))
    assert np.abs(noise.mean(axis=0) / wanted).max() < 4.0 / math.sqrt(T - 1)
    own = returns - market.factors[1:T] @ truth.beta.T
    ratio = own.std(axis=0) / truth.volatility
    assert abs(ratio.mean() - 1.0) < 4.0 / math.sqrt(2 * N * T)
    assert abs(np.corrcoef(own[:, 0], own[:, 1])[0, 1]) < 4.0 / math.sqrt(T - 1)


def test_the_shown_mids_carry_the_market_factor(books, truth):
    """Cent grid, old quotes and missing rows and all: R2 of the market at one second above .85."""
    market = taq_market(TaqConfig(seed=1, streams=N))
    mid = (books["bid"] + books["ask"]) / 2
    r = mid[1:] / mid[:-1] - 1.0
    known = np.isfinite(r)
    w = np.where(known, truth.weights[:, 0], 0.0)
    mkt = np.sum(w * np.where(known, r, 0.0), axis=1) / w.sum(axis=1)
    assert np.corrcoef(mkt, market.factors[1:T, 0])[0, 1] ** 2 > 0.85


def test_missing_and_stale_are_as_many_as_asked(books, truth):
    missing = np.isnan(books["bid"])
    assert abs(missing.mean() - 0.01) < 4.0 * math.sqrt(0.01 * 0.99 / missing.size)
    assert truth.stale.sum() == round(0.05 * N)
    age = books["age_s"]
    assert np.nanmin(age) > 0.0
    fresh = np.where(np.isnan(age), np.nan, age <= 1.0)[1:]
    seen = np.nanmean(fresh, axis=0)
    assert abs(np.nanmean(fresh[:, truth.stale]) - 0.02) < 0.005
    late = 4.5 * np.sqrt(truth.quotes * (1 - truth.quotes) / (0.98 * T)) + 1e-9
    assert (np.abs(seen - truth.quotes) <= late + 2.0 / T).all()
    # an old quote stands, and is a second older every second
    whole = ~np.isnan(age[1:]) & ~np.isnan(age[:-1])
    carried = whole & (age[1:] > 1.0)
    np.testing.assert_array_equal(books["bid"][1:][carried], books["bid"][:-1][carried])
    np.testing.assert_allclose((age[1:] - age[:-1])[carried], 1.0, atol=1e-9)
    assert carried.sum() > 100_000


def test_fresh_books_are_about_the_efficient_price_on_the_cent_grid(books):
    fresh = books["age_s"] <= 1.0
    bid, ask, price = (books[name][fresh] for name in ("bid", "ask", "efficient"))
    assert (ask - bid).min() > 0.009
    np.testing.assert_array_equal(bid, np.rint(100.0 * bid) / 100.0)
    assert np.abs((bid + ask) / 2 - price).max() <= 0.005 + 1e-9


def test_frames_are_ordered_by_time_and_pass_the_door():
    frames = [stream_frame(b) for b in stream_batches(2, streams=300, last=60, batch_seconds=25)]
    frame = pl.concat(frames)
    assert frame.columns == ["symbol", "ts", "bid", "bid_size", "ask", "ask_size", "age_s"]
    assert frame["ts"].is_sorted()
    assert frame["ts"][0].timestamp() == TaqConfig(seed=2).start_ns / S + 1.0
    ticks = quote_ticks(frame)
    assert len(ticks.names) == 300
    books = arrays(2, streams=300, last=60)
    assert frame.height == np.isfinite(books["bid"]).sum()
    mine = frame.filter(pl.col("symbol") == "STR0123")
    kept = np.isfinite(books["bid"][:, 123])
    np.testing.assert_array_equal(mine["ask_size"], books["ask_size"][kept, 123])
    np.testing.assert_array_equal(mine["ts"].dt.epoch("ns"), books["ts"][kept])


def test_an_amplified_stretch_amplifies_the_streams_too():
    market = taq_market(TaqConfig(seed=3, streams=500))
    truth = stream_truth(TaqConfig(seed=3, streams=500))
    price = arrays(3, streams=500, amplified=((300, 600, 2.3),))["efficient"]
    own = price[1:] / price[:-1] - 1.0 - market.factors[1:T] @ truth.beta.T
    ratio = own[300:].std() / own[:299].std()
    assert ratio == pytest.approx(2.3, rel=4.0 / math.sqrt(500 * 300))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"streams": 0}, "streams to simulate"),
        ({"streams": 49}, "50 to"),
        ({"first": 5, "last": 5}, "first < last"),
        ({"last": 23_401}, "first < last"),
        ({"batch_seconds": 0}, "one second"),
        ({"missing_share": 1.5}, "missing_share"),
    ],
)
def test_streams_that_cannot_be_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        stream_batches(1, **options)
