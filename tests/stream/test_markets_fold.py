"""Gap and implied path as they go along against the estimator on the whole tape, by every road."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.arrays import Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.states.outcome_gap import outcome_gap
from eventtape.simulate import event_night
from eventtape.simulate.event_night import MARKETS as NIGHT_MARKETS
from eventtape.simulate.event_night import NIGHT_NS
from eventtape.stream.answers import MARKETS
from eventtape.stream.election_night import NightConfig
from eventtape.stream.fold import Node, Slice
from eventtape.stream.markets import MarketsFold
from eventtape.stream.order import Merged
from eventtape.tape.batch import HISTORY, Batch, beat
from eventtape.tape.sampling import grid, on_grid
from stream.night_rows import T0, batches_of, blocks_of, frame_of, late_by, walks
from stream.parity_runs import check_parity, plain, rechunked, restarted

FOLD = MarketsFold(
    "event", ("m0", "m1"), 10 * SECOND, 30.0, T0, lead_s=20.0, window=60, every=1,
    max_age_ns=40 * SECOND,
)  # fmt: skip
LATENESS = 20 * SECOND
FEEDS = ("event", "m0", "m1")


def program(fold=FOLD, lateness=LATENESS, quiet=2 * SECOND):
    return (
        Node("merged", FEEDS, Merged(lateness_ns=lateness, quiet_ns=quiet), feeds=True),
        Node("markets", ("merged",), fold),
    )


def said(ran):
    return ran.answers["markets", "markets"]


def gap_of(x, p):
    return outcome_gap(x, p, step_s=10.0, horizon_s=30.0, lead_s=20.0)


def sampled(frames, fold=FOLD):
    newest = max(int(frame["ts"].to_physical().max()) for frame in frames.values())
    at = grid(fold.start_ns, newest, fold.step_ns)
    return at, {
        name: on_grid(frame, at, max_age_ns=fold.max_age_ns) for name, frame in frames.items()
    }


@pytest.fixture(scope="module")
def night():
    return walks(2, 900, seed=1)


@pytest.mark.parametrize("every", [1, 4])
def test_each_row_is_the_estimate_over_the_rows_so_far(night, every):
    """Bit for bit, on the arrays of the whole tape cut at that row."""
    frames, records = night
    fold = dataclasses.replace(FOLD, every=every)
    rows = said(plain(program(fold), blocks_of(frames, LATENESS, records=records)))
    at, levels = sampled(frames)
    p = levels["event"]
    assert rows.schema == MARKETS
    for market in fold.markets:
        x = levels[market]
        mine = rows.filter(pl.col("market") == market)
        assert mine["ts"].to_physical().to_list() == at.tolist()
        np.testing.assert_array_equal(mine["level"].to_numpy(), x)
        np.testing.assert_array_equal(mine["probability"].to_numpy(), p)
        start = int(np.argmax(np.isfinite(x) & np.isfinite(p)))
        identified = 0
        for k in range(at.size):
            last = k - k % every
            inside = slice(max(last + 1 - fold.window, 0), last + 1)
            gap = gap_of(x[inside], p[inside])
            row = mine.row(k, named=True)
            known = [row[name] for name in ("gap", "gap_lower", "gap_upper")]
            np.testing.assert_array_equal(known, [gap.gap, gap.lower, gap.upper])
            seen = math.isfinite(x[k]) and math.isfinite(p[k])
            if not (gap.status is Status.OK and seen):
                implied = [row[n] for n in ("implied", "implied_lower", "implied_upper")]
                assert np.isnan(implied).all() or gap.status is Status.OK
                assert row["status"] == (
                    gap.status if gap.status is not Status.OK else Status.TOO_FEW
                )
                continue
            identified += 1
            move = p[k] - p[start]
            assert row["status"] == "ok"
            assert row["implied"] == x[start] + gap.gap * move
            ends = sorted([x[start] + gap.lower * move, x[start] + gap.upper * move])
            assert [row["implied_lower"], row["implied_upper"]] == ends
        assert identified > 40


def test_every_road_says_the_same(night):
    frames, records = night
    fold = dataclasses.replace(FOLD, every=3)
    check_parity(program(fold), blocks_of(frames, LATENESS, records=records), most_rows=200)


SHORT = dataclasses.replace(FOLD, every=2)


@pytest.fixture(scope="module")
def short():
    frames, records = walks(2, 400, seed=2)
    return (
        frames,
        records,
        said(plain(program(SHORT), blocks_of(frames, LATENESS, records=records))),
    )


@given(
    seed=st.integers(0, 2**32 - 1),
    most=st.integers(1, 300),
    kills=st.lists(st.integers(0, 300), max_size=3),
)
@settings(max_examples=6, derandomize=True, deadline=None)
def test_chunks_interleavings_and_kills_change_nothing(short, seed, most, kills):
    frames, records, wanted = short
    arrivals = late_by(frames, LATENESS, np.random.default_rng(seed))
    cut = rechunked(batches_of(frames, arrivals, records=records), seed, most_rows=most)
    ran = restarted(program(SHORT), cut, [k % (len(cut) + 1) for k in kills])
    assert not any(ran.states["merged"].late.values())
    assert said(ran).equals(wanted)


def test_time_goes_on_by_beats_of_the_clock(short):
    """Live stamps and beats close the same rows with the same answers, and more at the end."""
    frames, records, wanted = short
    quiet = LATENESS + SECOND
    nodes = program(SHORT, quiet=quiet)
    batches = [
        batch._replace(received_ns=int(batch.rows["ts"].to_physical().max()))
        for batch in blocks_of(frames, LATENESS, records=records)
    ]
    end = max(batch.received_ns for batch in batches)
    batches += [beat(end + k * 15 * SECOND) for k in range(1, 6)]
    ran = plain(nodes, batches, finish=False)
    rows = said(ran)
    assert rows.head(wanted.height).equals(wanted)
    closed = (end + 75 * SECOND - quiet - 1 - T0) // SHORT.step_ns
    assert rows.height == 2 * (closed + 1)
    assert rows.height > wanted.height + 8
    assert rows["level"].tail(2).is_nan().all()  # silent for longer than the greatest age
    cut = rechunked(batches, 1, most_rows=5)
    assert said(restarted(nodes, cut, [10, 40], finish=False)).equals(rows)


def test_a_market_that_falls_silent_is_not_seen(night):
    frames, records = night
    quiet = frames["m1"].filter(pl.col("ts").to_physical() < T0 + 600 * SECOND)
    rows = said(plain(program(), blocks_of({**frames, "m1": quiet}, LATENESS, records=records)))
    late = rows.filter(
        (pl.col("market") == "m1") & (pl.col("ts").to_physical() > T0 + 650 * SECOND)
    )
    assert late["level"].is_nan().all()
    assert set(late["status"]) == {"too few observations"}
    assert late["probability"].is_finite().all()
    other = rows.filter(pl.col("market") == "m0")["status"].to_list()
    assert other[-20:] == ["ok"] * 20


def test_nothing_is_implied_before_both_were_seen(night):
    """A market that opens late has no path before, whatever is known of it afterwards."""
    frames, records = night
    opens = T0 + 300 * SECOND
    later = frames["m0"].filter(pl.col("ts").to_physical() >= opens)
    by_block = blocks_of({**frames, "m0": later}, LATENESS, records=records)
    whole = blocks_of({**frames, "m0": later}, 10**12, records=records)  # past and future at once
    for batches, lateness in ((by_block, LATENESS), (whole, 10**12)):
        rows = said(plain(program(lateness=lateness), batches)).filter(pl.col("market") == "m0")
        before = rows.filter(pl.col("ts").to_physical() < opens)
        assert before.height == 30
        assert before["implied"].is_nan().all()


def test_a_horizon_within_the_stamps_doubt_is_not_resolved(night):
    frames, records = night
    fold = dataclasses.replace(FOLD, uncertain_s=(0.0, 30.0), every=20)
    rows = said(plain(program(fold), blocks_of(frames, LATENESS, records=records)))
    assert set(rows.filter(pl.col("market") == "m1")["status"]) == {"not resolved"}
    assert rows.filter(pl.col("market") == "m1")["gap"].is_nan().all()
    assert "ok" in rows.filter(pl.col("market") == "m0")["status"]


def test_a_probability_that_stands_still_identifies_nothing(night):
    frames, records = night
    still = frames["event"].with_columns(pl.lit(0.5).alias("probability"))
    fold = dataclasses.replace(FOLD, every=10)
    rows = said(
        plain(program(fold), blocks_of({**frames, "event": still}, LATENESS, records=records))
    )
    late = rows.filter(pl.col("ts").to_physical() > T0 + 600 * SECOND)
    assert set(late["status"]) == {"not identified"}
    assert late["gap"].is_nan().all()


def test_the_interval_holds_the_gap_that_is_true(night):
    frames, records = night
    fold = dataclasses.replace(FOLD, window=1000, every=30)
    last = said(plain(program(fold), blocks_of(frames, LATENESS, records=records))).tail(2)
    assert (last["gap_lower"] < 0.2).all()
    assert (last["gap_upper"] > 0.2).all()
    assert (last["gap_lower"] > 0.0).all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"markets": ()},
        {"markets": ("event",)},
        {"step_ns": 0},
        {"horizon_s": 35.0},
        {"window": 20},
        {"every": 0},
        {"level": 95.0},
        {"uncertain_s": (1.0,)},
    ],
    ids=lambda wrong: "-".join(
        f"{k} {len(v) if isinstance(v, tuple) else v}" for k, v in wrong.items()
    ),
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(InputError):
        dataclasses.replace(FOLD, **wrong)


def test_a_probability_outside_its_range_is_refused():
    frame = frame_of("probability", [T0, T0 + 1], [0.5, 1.5])
    trades = frame_of("trade", [T0, T0 + 1], [1.0, 1.0])
    with pytest.raises(InputError, match=r"probabilities in \[0, 1\]"):
        FOLD.step(FOLD.start(), Slice(T0 + 10**10 + 1, {"event": frame, "m0": trades}))


@pytest.mark.slow
def test_placebo_intervals_cover_nothing_as_often_as_they_say():
    """100 nights whose markets answer another probability: 0 is the truth for all four.

    400 intervals of 95% at the night's end, markets of one night sharing one noise: 95% within 4
    binomial standard errors of 200 independent ones.
    """
    names = tuple(market.label for market in NIGHT_MARKETS)
    fold = MarketsFold("event", names, 60 * SECOND, 1800.0, NIGHT_NS, every=479)
    nodes = (
        Node("merged", ("event", *names), Merged(lateness_ns=10**15), feeds=True),
        Node("markets", ("merged",), fold),
    )
    covered = []
    for seed in range(100):
        tape = event_night(seed, independent=True).tape
        batches = [
            Batch(name, tape.feed(name).record.name, tape.feed(name).frame,
                  np.arange(tape.feed(name).frame.height), HISTORY)
            for name in ("event", *names)
        ]  # fmt: skip
        last = said(plain(nodes, batches)).tail(4)
        assert set(last["status"]) == {"ok"}
        covered += ((last["gap_lower"] < 0.0) & (last["gap_upper"] > 0.0)).to_list()
    share = float(np.mean(covered))
    assert abs(share - 0.95) < 4.0 * math.sqrt(0.95 * 0.05 / 200), share


def shown(seed, hours, config):
    """Of four markets that know nothing of the event: is 0 outside the interval, look by look."""
    rng, n = np.random.default_rng([40, seed]), round(hours * 3600 / config.step_s) + 1
    names, step_ns = tuple(f"m{k}" for k in range(4)), round(config.step_s) * SECOND
    fold = MarketsFold(
        "event", names, step_ns, config.horizon_s, T0, lead_s=config.lead_s,
        every=config.gap_every, max_age_ns=round(config.max_age_s) * SECOND,
    )  # fmt: skip
    ts = T0 + step_ns * np.arange(n)
    p = np.clip(0.5 + 0.004 * np.cumsum(rng.standard_normal(n)), 0.02, 0.98)
    frames = {"event": frame_of("probability", ts, p)}
    for name in names:
        frames[name] = frame_of("trade", ts, np.exp(3e-4 * np.cumsum(rng.standard_normal(n))))
    _, out = fold.step(fold.start(), Slice(int(ts[-1]) + 1, frames))
    for name in names:
        mine = out.frames["markets"].filter(pl.col("market") == name)[:: config.gap_every]
        mine = mine.filter(pl.col("gap").is_finite())
        outside = ((mine["gap_lower"] > 0.0) | (mine["gap_upper"] < 0.0)).to_numpy()
        yield mine["ts"].to_physical().to_numpy(), outside


@pytest.mark.slow
def test_one_look_keeps_its_level_and_every_look_does_not():
    """100 nights of 8 h, four markets each, options of a night's graph; and their first 3 h.

    One look is wrong on 5% within 4 binomial standard errors of 200 independent numbers.
    """
    config = NightConfig(primary="event", start_ns=T0)
    looks = [look for seed in range(100) for look in shown(seed, 8.0, config)]
    first = float(np.mean([outside[0] for _, outside in looks]))
    rates = {}
    for hours in (3, 8):
        until = [outside[ts <= T0 + hours * 3600 * SECOND] for ts, outside in looks]
        rates[hours] = (
            float(np.mean([outside[-1] for outside in until])),
            float(np.mean([outside.any() for outside in until])),
            float(np.mean([outside.size for outside in until])),
        )
    print(f"first {first:.4f}; last, any, looks: {rates}")  # noqa: T201
    bound = 4.0 * math.sqrt(0.95 * 0.05 / 200)
    for rate in (first, rates[3][0], rates[8][0]):
        assert abs(rate - 0.05) < bound
    assert first < rates[3][1] < rates[8][1]
