"""Rolling leadership as it goes along against the batch, by every road, and through holes."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.discovery import rolling_pairs
from eventtape.stream.answers import LEADERSHIP
from eventtape.stream.fold import Node
from eventtape.stream.leadership import LeadershipFold
from eventtape.stream.order import Merged
from eventtape.tape.sampling import on_grid
from stream.night_rows import T0, batches_of, blocks_of, frame_of, late_by
from stream.parity_runs import check_parity, plain, rechunked, restarted

NAMES = ("event", "m0", "m1")
PAIRS = list(itertools.combinations(NAMES, 2))
LATENESS = 5 * SECOND
MEASURES = ("pils", "is_first", "is_last", "component", "p_none", "identified")
FOLD = LeadershipFold(NAMES, SECOND, window=80, every=1, max_age_ns=3 * SECOND)


def program(fold=FOLD):
    return (
        Node("merged", NAMES, Merged(lateness_ns=LATENESS), feeds=True),
        Node("leadership", ("merged",), fold),
    )


def said(ran):
    return ran.answers["leadership", "leadership"]


def chased(n, seed):
    """Quotes a second: ``m0`` moves first, ``m1`` and the probability close half the distance."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, 3))
    for t in range(1, n):
        x[t] = x[t - 1] + 0.002 * rng.standard_normal(3) * [0.3, 1.0, 0.3]
        x[t, [0, 2]] += 0.5 * (x[t - 1, 1] - x[t - 1, [0, 2]])
    ts = T0 + np.arange(n) * SECOND
    offset = rng.integers(1, SECOND, (3, n))
    offset[:, 0] = 1
    values = 0.5 + x[:, 0], np.exp(x[:, 1]), np.exp(x[:, 2])
    records = {"event": "probability", "m0": "trade", "m1": "trade"}
    frames = {
        name: frame_of(records[name], ts + offset[k], values[k]) for k, name in enumerate(NAMES)
    }
    return frames, records


@pytest.fixture(scope="module")
def night():
    return chased(260, 1)


def levels_of(frames, at):
    """Probits and logs on the grid, by the tape's own sampling."""
    columns = [on_grid(frames[name], at, max_age_ns=3 * SECOND) for name in NAMES]
    return np.column_stack([ndtri(columns[0]), *columns[1:]])


def grid_times(rows):
    return rows["ts"].to_physical().unique().sort().to_numpy()


@pytest.mark.parametrize("every", [1, 7])
def test_rows_are_those_of_the_batch(night, every):
    """Bit for bit: every measured window of the tape's own grid, in its order."""
    frames, records = night
    fold = dataclasses.replace(FOLD, every=every)
    rows = said(plain(program(fold), blocks_of(frames, LATENESS, records=records)))
    at = T0 + SECOND * np.arange(1, 260)
    assert rows.schema == LEADERSHIP
    assert list(zip(rows["first"][:3], rows["second"][:3], strict=True)) == PAIRS
    assert grid_times(rows).tolist() == at[::every].tolist()
    first = -(-(FOLD.window - 1) // every) * every
    early = rows.filter(pl.col("ts").to_physical() < at[first])
    assert set(early["status"]) == {"too few observations"}
    assert not early["identified"].any()
    measured = rows.filter(pl.col("ts").to_physical() >= at[first])
    x = levels_of(frames, at)[first + 1 - FOLD.window :]
    wanted = rolling_pairs.batch(x, FOLD.window, FOLD.lags, every=every)
    for name in MEASURES:
        met = measured[name].to_numpy().reshape(-1, 3)
        np.testing.assert_array_equal(met, getattr(wanted, name))
    status = np.where(wanted.identified, "ok", "not identified").ravel().tolist()
    assert measured["status"].to_list() == status
    assert wanted.identified.any()
    shares = measured.filter(pl.col("identified") & (pl.col("first") == "m0"))
    assert (shares["pils"] > 0.5).mean() > 0.9


def test_every_road_says_the_same(night):
    frames, records = night
    fold = dataclasses.replace(FOLD, every=6)
    check_parity(program(fold), blocks_of(frames, LATENESS, records=records), seeds=(1,))


SHORT = dataclasses.replace(FOLD, window=50, every=3)


@pytest.fixture(scope="module")
def short():
    frames, records = chased(130, 2)
    hole = pl.col("ts").to_physical().is_between(T0 + 100 * SECOND, T0 + 106 * SECOND)
    frames["m1"] = frames["m1"].filter(~hole)
    wanted = said(plain(program(SHORT), blocks_of(frames, LATENESS, records=records)))
    assert set(wanted["status"]) == {"ok", "not identified", "too few observations"}
    return frames, records, wanted


@given(
    seed=st.integers(0, 2**32 - 1),
    most=st.integers(1, 300),
    kills=st.lists(st.integers(0, 400), max_size=3),
)
@settings(max_examples=6, derandomize=True, deadline=None)
def test_chunks_interleavings_holes_and_kills_change_nothing(short, seed, most, kills):
    frames, records, wanted = short
    arrivals = late_by(frames, LATENESS, np.random.default_rng(seed))
    cut = rechunked(batches_of(frames, arrivals, records=records), seed, most_rows=most)
    ran = restarted(program(SHORT), cut, [k % (len(cut) + 1) for k in kills])
    assert not any(ran.states["merged"].late.values())
    assert said(ran).equals(wanted)


def test_a_silent_feed_leaves_the_others_their_window_and_comes_back_after_one(night):
    """Measures of the pair that stays are those of its own window of the batch, never of a hole."""
    frames, records = night
    hole = pl.col("ts").to_physical().is_between(T0 + 120 * SECOND, T0 + 130 * SECOND)
    broken = {**frames, "m1": frames["m1"].filter(~hole)}
    fold = dataclasses.replace(FOLD, every=10)
    rows = said(plain(program(fold), blocks_of(broken, LATENESS, records=records)))
    at = grid_times(rows)
    x = levels_of(broken, T0 + SECOND * np.arange(1, 260))
    gone = np.isnan(x[:, 2])
    assert 5 < gone.sum() < 12
    back = int(np.flatnonzero(gone)[-1]) + fold.window
    with_m1 = rows.filter(pl.col("second") == "m1")
    for k, ts in enumerate(at.tolist()):
        row = 10 * k
        mine = with_m1.filter(pl.col("ts").to_physical() == ts)
        inside = row + 1 >= fold.window and not gone[max(row + 1 - fold.window, 0) : row + 1].any()
        few = (mine["status"] == "too few observations").to_list()
        assert few == [not inside] * 2
        assert inside or mine["p_none"].is_nan().all()
    assert at.size > back // 10 + 1
    pair = rows.filter((pl.col("second") == "m0") & (pl.col("status") != "too few observations"))
    assert pair.height == (259 - fold.window) // 10 + 1
    first = -(-int(np.argmax(gone)) // 10) * 10  # measured first with m1 away
    alone = rolling_pairs.batch(x[first + 1 - fold.window :, :2], fold.window, every=10)
    met = pair.filter(pl.col("ts").to_physical() >= at[first // 10])["p_none"].to_numpy()
    until = -(-back // 10) - first // 10
    np.testing.assert_array_equal(met[:until], alone.p_none[:until, 0])


def test_one_feed_may_take_the_place_of_another(night):
    """Between two measured rows: the sums are taken afresh though the panel is no larger."""
    frames, records = night
    at = pl.col("ts").to_physical()
    swapped = {
        "event": frames["event"],
        "m0": frames["m0"].filter(at > T0 + 60 * SECOND),
        "m1": frames["m1"].filter(at < T0 + 130 * SECOND),
    }
    fold = dataclasses.replace(FOLD, every=40)
    rows = said(plain(program(fold), blocks_of(swapped, LATENESS, records=records)))
    known = rows.filter(pl.col("p_none").is_finite())
    pairs = known.select(((at - T0) // SECOND - 1).alias("row"), "second").rows()
    assert pairs == [(80, "m1"), (120, "m1"), (160, "m0"), (200, "m0"), (240, "m0")]
    x = levels_of(swapped, T0 + SECOND * np.arange(1, 242))[161 - fold.window :, :2]
    wanted = rolling_pairs.batch(x, fold.window, every=40)
    np.testing.assert_array_equal(known["p_none"].to_numpy()[2:], wanted.p_none[:, 0])


def test_a_price_that_stands_still_is_not_resolved(night):
    frames, records = night
    slow = {**frames, "m1": frames["m1"].gather_every(3)}
    rows = said(plain(program(), blocks_of(slow, LATENESS, records=records)))
    late = rows.filter(pl.col("ts").to_physical() > T0 + 100 * SECOND)
    with_m1 = late.filter(pl.col("second") == "m1")
    assert set(with_m1["status"]) == {"not resolved"}
    assert with_m1["pils"].is_nan().all()
    assert not with_m1["identified"].any()
    assert late.filter(pl.col("second") == "m0")["identified"].any()


def test_fewer_than_two_feeds_say_nothing(night):
    frames, records = night
    rows = said(plain(program(), blocks_of({"m0": frames["m0"]}, LATENESS, records=records)))
    assert set(rows["status"]) == {"too few observations"}


def test_a_probability_at_its_end_is_a_hole(night):
    frames, records = night
    over = frames["event"].with_columns(
        pl.when(pl.col("ts").to_physical() > T0 + 150 * SECOND)
        .then(1.0)
        .otherwise(pl.col("probability"))
        .alias("probability")
    )
    rows = said(plain(program(), blocks_of({**frames, "event": over}, LATENESS, records=records)))
    late = rows.filter(pl.col("ts").to_physical() > T0 + 155 * SECOND)
    assert set(late.filter(pl.col("first") == "event")["status"]) == {"too few observations"}
    assert "too few observations" not in late.filter(pl.col("first") == "m0")["status"]


@pytest.mark.parametrize(
    "wrong",
    [{"names": ("a",)}, {"step_ns": 0}, {"window": 2}, {"every": 0}, {"every": 81}, {"lags": -1},
     {"false_discovery": 0.0}],
    ids=lambda wrong: "-".join(f"{k} {v}" for k, v in wrong.items()),
)  # fmt: skip
def test_wrong_options_are_refused(wrong):
    with pytest.raises(InputError):
        dataclasses.replace(FOLD, **wrong)
