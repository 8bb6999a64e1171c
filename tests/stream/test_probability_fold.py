"""The live filter against the batch one between fits, by every road, and what it refuses to say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.probability import local_level
from eventtape.stream.answers import PROBABILITY
from eventtape.stream.fold import Node, Slice
from eventtape.stream.order import InOrder
from eventtape.stream.probability import ProbabilityFold
from stream.night_rows import T0, batches_of, frame_of
from stream.parity_runs import check_parity, plain, rechunked, same

FEEDS = ("a", "b")
FOLD = ProbabilityFold(first_fit=20, history=70)
SHOWN = ("mean", "sd", "z")


def program(fold=FOLD):
    return (
        Node("in order", FEEDS, InOrder(), feeds=True),
        Node("probability", ("in order",), fold),
    )


def quotes(n, seed, *, tick=0.001):
    """Times of which some are equal, and quotes on a tick."""
    rng = np.random.default_rng(seed)
    ts = T0 + np.cumsum(rng.integers(0, 4, n)) * 20 * SECOND
    y = 0.5 + np.cumsum(0.004 * rng.standard_normal(n)) + 0.003 * rng.standard_normal(n)
    return ts, np.clip(np.round(y / tick) * tick, 0.0, 1.0)


def answered(fold, ts, y, cuts=()):
    """The rows of one feed, cut before the rows named."""
    state, out = fold.start(), []
    frame = frame_of("probability", ts, y)
    ends = [0, *cuts, frame.height]
    for low, high in itertools.pairwise(ends):
        state, answer = fold.step(state, Slice(int(ts[high - 1]), {"a": frame[low:high]}))
        out.append(answer.frames["probability"])
    return pl.concat(out), state["a"]


def shown(frame):
    return np.array([frame[name].to_numpy() for name in SHOWN])


def test_rows_are_those_of_the_batch_filter_between_fits():
    """By the rule, written out: fits at 20, 40 and 80 quotes, on the last 70; judged afterwards."""
    ts, y = quotes(150, 1)
    rows, state = answered(FOLD, ts, y)
    assert rows.schema == PROBABILITY
    assert rows["quote"].to_list() == y.tolist()
    assert np.isnan(shown(rows)[:, :20]).all()
    assert set(rows["status"][:20]) == {"too few observations"}
    assert set(rows["regime"][:20]) == {"unknown"}
    assert set(rows["status"][20:]) == {"ok"}
    fit = local_level.fit(ts[:20], y[:20], tick=0.001)
    whole = local_level.batch(ts[:40], y[:40], q=fit.q, r=fit.r)
    np.testing.assert_array_equal(shown(rows)[:, 20:40], [whole[k][20:] for k in (0, 1, 3)])
    level, _ = local_level.start(int(ts[0]), y[0], q=fit.q, r=fit.r)
    level, _ = local_level.advance(level, ts[1:40], y[1:40])
    for low, high in ((40, 80), (80, 150)):
        fit = local_level.fit(ts[max(low - 70, 0) : low], y[max(low - 70, 0) : low], tick=0.001)
        level = level._replace(q=fit.q, r=fit.r)
        level, piece = local_level.advance(level, ts[low:high], y[low:high])
        np.testing.assert_array_equal(shown(rows)[:, low:high], [piece[k] for k in (0, 1, 3)])
    assert (state.seen, state.fit_at, state.ts.size) == (150, 160, 70)
    names = np.array(local_level.REGIMES)[local_level.regimes(shown(rows)[2])]
    assert rows["regime"].to_list() == names.tolist()


@given(
    n=st.integers(1, 90),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(1, 89), max_size=8),
)
@settings(max_examples=15, derandomize=True, deadline=None)
def test_answers_do_not_depend_on_the_cuts(n, seed, cuts):
    ts, y = quotes(n, seed)
    rng = np.random.default_rng(seed)
    y[rng.random(n) < 0.1] = math.nan
    whole, _ = answered(FOLD, ts, y)
    cut, _ = answered(FOLD, ts, y, sorted({c for c in cuts if c < n}))
    assert cut.equals(whole)
    alone, _ = answered(FOLD, ts, y, range(1, n))
    assert alone.equals(whole)


def two_feeds(n, seed):
    frames = {name: frame_of("probability", *quotes(n, seed + k)) for k, name in enumerate(FEEDS)}
    return batches_of(frames, records=dict.fromkeys(FEEDS, "probability"))


def test_every_road_says_the_same():
    check_parity(program(), two_feeds(60, 3), seeds=(1,), most_rows=64)


@given(seed=st.integers(0, 2**32 - 1), most=st.integers(1, 60))
@settings(max_examples=4, derandomize=True, deadline=None)
def test_feeds_do_not_know_of_each_other(seed, most):
    """Whatever the order between feeds, each one's rows are the same."""
    batches = two_feeds(50, 5)
    by_feed = sorted(batches, key=lambda batch: batch.feed)
    other = rechunked(by_feed, seed, most_rows=most)
    np.random.default_rng(seed).shuffle(turns := [one.feed for one in other])
    piles = {name: [one for one in other if one.feed == name][::-1] for name in FEEDS}
    mixed = plain(program(), [piles[name].pop() for name in turns])
    wanted = plain(program(), batches)
    for name in FEEDS:
        met, want = (
            ran.answers["probability", "probability"].filter(pl.col("feed") == name)
            for ran in (mixed, wanted)
        )
        assert met.equals(want)
    same(plain(program(), by_feed), plain(program(), other), "cut otherwise")


def test_a_quote_that_is_no_number_is_shown_and_passed_over():
    ts, y = quotes(60, 2)
    holes = [5, 20, 33]
    y[holes] = math.nan
    rows, state = answered(FOLD, ts, y)
    without, _ = answered(FOLD, np.delete(ts, holes), np.delete(y, holes))
    kept = np.delete(np.arange(60), holes)
    assert rows[kept.tolist()].equals(without)
    assert np.isnan(shown(rows)[:, holes]).all()
    assert set(rows["status"].gather(holes)) == {"too few observations"}
    assert state.seen == 57


@pytest.mark.parametrize("tick", [0.0, 0.001])
def test_a_quote_that_never_moves_identifies_nothing(tick):
    """Then it moves, and the next fit comes a first fit later, not a doubling later."""
    n = 200
    ts = T0 + np.arange(n) * SECOND
    y = np.full(n, 0.4)
    y[130:] = quotes(70, 4)[1]
    fold = ProbabilityFold(tick=tick, first_fit=20)
    rows, _ = answered(fold, ts, y)
    assert set(rows["status"][:20]) == {"too few observations"}
    assert set(rows["status"][20:140]) == {"not identified"}
    assert np.isnan(shown(rows)[:, :140]).all()
    assert set(rows["status"][140:]) == {"ok"}


def test_a_later_fit_that_finds_nothing_leaves_the_last_ones_variances():
    ts, y = quotes(500, 6)
    ts = T0 + np.arange(500) * SECOND
    y[30:] = y[30]
    rows, state = answered(FOLD, ts, y)  # from 100 on its 70 quotes never move
    assert state.status.value == "not identified"
    assert state.level.q > 0.0
    assert set(rows["status"][20:]) == {"ok"}


def test_quotes_of_one_time_are_looks_at_one_level():
    ts, y = quotes(40, 8)
    ts[25:] = ts[25]
    rows, _ = answered(FOLD, ts, y)
    sd = rows["sd"].to_numpy()[25:]
    assert np.all(np.diff(sd) < 0.0)


def test_wrong_options_and_symbols_are_refused():
    for wrong in (
        {"tick": 1.0},
        {"tick": -0.1},
        {"first_fit": 9},
        {"first_fit": 50, "history": 49},
    ):
        with pytest.raises(InputError):
            ProbabilityFold(**wrong)
    two = pl.concat([frame_of("probability", [T0], [0.5], symbol=s) for s in "xy"])
    with pytest.raises(InputError, match="one symbol"):
        FOLD.step(FOLD.start(), Slice(T0, {"a": two}))
