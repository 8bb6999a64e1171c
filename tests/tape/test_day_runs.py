"""Days on an exchange's clock, and chunks cut by them: each day is as if the others were not."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.clock import parse_ns
from eventtape.frames.ticks import feature_stream, microstructure_features
from eventtape.tape.days import day_runs, local_days, session_days
from eventtape.tape.paired import paired
from tape.chunked_ticks import cut, quotes, trades

HOUR = 3_600_000_000_000


def spelled(day):
    return day.date.isoformat(), day.hours, day.traded


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        ("2024-11-05T09:00Z", ("2024-11-05", ("14:30", "21:00"), True)),
        ("2024-11-06T04:59Z", ("2024-11-05", ("14:30", "21:00"), True)),
        ("2024-11-06T05:00Z", ("2024-11-06", ("14:30", "21:00"), True)),
        ("2024-11-01T12:00Z", ("2024-11-01", ("13:30", "20:00"), True)),  # daylight saving
        ("2024-11-29T20:00Z", ("2024-11-29", ("14:30", "18:00"), True)),  # closes early
        ("2024-11-28T15:00Z", ("2024-11-28", None, False)),  # Thanksgiving
        ("2024-11-03T05:30Z", ("2024-11-03", None, False)),  # a Sunday of 25 hours
    ],
)
def test_a_day_of_new_york(at, wanted):
    day = session_days("XNYS")(parse_ns(at))
    name, hours, traded = wanted
    if hours is not None:
        hours = tuple(parse_ns(f"{name}T{hour}Z") for hour in hours)
    assert spelled(day) == (name, hours, traded)
    assert day.start_ns <= parse_ns(at) < day.end_ns


def test_days_meet_and_do_not_overlap():
    """Every calendar day of November 2024 in New York, one after the other."""
    for day_of in (session_days("XNYS"), local_days("America/New_York")):
        at, end = parse_ns("2024-11-01T04:00Z"), parse_ns("2024-12-01T05:00Z")
        found = []
        while at < end:
            day = day_of(at)
            assert day.start_ns == at
            assert day == day_of(day.end_ns - 1)
            found.append(day)
            at = day.end_ns
        assert [day.date for day in found] == [date(2024, 11, k) for k in range(1, 31)]
        assert {day.end_ns - day.start_ns for day in found} == {24 * HOUR, 25 * HOUR}


def test_a_session_that_opens_the_evening_before():
    day_of = session_days("CMES")
    evening = day_of(parse_ns("2024-11-04T23:30Z"))  # 17:30 in Chicago
    assert evening.date == date(2024, 11, 5)
    assert evening.open_ns <= parse_ns("2024-11-04T23:30Z") < evening.close_ns
    assert day_of(evening.start_ns - 1).date == date(2024, 11, 4)


def test_without_hours_there_is_nothing_to_cut_to():
    day = local_days("America/New_York")(parse_ns("2024-11-30T15:00Z"))
    assert spelled(day) == ("2024-11-30", None, True)


DAYS = ("2024-11-27", "2024-11-28", "2024-11-29")  # a session, Thanksgiving, a half-day


def ticks(order, seed=5, symbols=4):
    """Random ticks of three days, from before the open to after the close; prices move."""
    rng = np.random.default_rng(seed)
    origin = parse_ns("2024-11-05T14:30:00Z")
    sides = []
    for make, n in ((trades, 1_500), (quotes, 4_000)):
        day = rng.integers(0, len(DAYS), n)
        start = np.array([parse_ns(f"{d}T13:00Z") for d in DAYS])[day] - origin
        at = start + rng.integers(0, 9 * 3_600_000, n) * 1_000_000
        frame = make([f"S{i}" for i in rng.integers(0, symbols, n)], at)
        price = 20.0 + np.cumsum(rng.choice([-0.01, 0.0, 0.01], n)).round(2)
        if make is trades:
            frame = frame.with_columns(pl.Series("price", price))
        else:
            frame = frame.with_columns(pl.Series("bid", price), pl.Series("ask", price + 0.02))
        sides.append(frame.sort(["symbol", "ts"] if order == "symbol" else "ts"))
    return sides


@pytest.mark.parametrize("order", ["symbol", "time"])
@pytest.mark.parametrize("most", [1, 3, 10**6])
@pytest.mark.parametrize("size", [50, 10**9])
def test_each_day_is_as_if_the_others_were_not(order, most, size):
    traded, quoted = ticks(order)
    chunks = paired(cut(traded, size), cut(quoted, size), order)
    found, skipped = {}, 0
    for run in day_runs(chunks, session_days("XNYS"), order, most_symbols=lambda _: most):
        if not run.day.traded:
            skipped += sum(t.height + q.height for t, q in run.chunks)
            continue
        frames = list(feature_stream(run.chunks, session=run.day.hours))
        symbols = pl.concat(frames)["ticker"].n_unique()
        assert order == "time" or symbols <= most
        found.setdefault(run.day, []).extend(frames)
    holiday = pl.col("ts").dt.date() == date(2024, 11, 28)
    assert skipped == sum(side.filter(holiday).height for side in (traded, quoted)) > 0
    assert [day.date.isoformat() for day in sorted(found)] == ["2024-11-27", "2024-11-29"]
    for day, frames in found.items():
        mine = pl.col("ts").dt.date() == day.date  # these ticks are of one date in UTC too
        want = microstructure_features(traded.filter(mine), quoted.filter(mine), session=day.hours)
        got = pl.concat(frames).sort("ticker", "bucket")
        assert_frame_equal(got, want, check_exact=True)
        minutes = 390 if day.date.day == 27 else 210
        assert got.height == 4 * minutes


@pytest.mark.parametrize("size", [1, 7, 10**9])
def test_a_run_of_a_day_holds_whole_symbols_and_not_too_many(size):
    names = np.repeat([f"S{i}" for i in range(7)], [5, 1, 3, 8, 2, 2, 4])
    traded, quoted = trades(names, np.arange(names.size)), quotes(names[6:], np.arange(6, 25))
    runs = []
    chunks = paired(cut(traded, size), cut(quoted, size))
    for run in day_runs(chunks, session_days("XNYS"), most_symbols=lambda _: 2):
        chunked = [side["symbol"] for chunk in run.chunks for side in chunk]
        runs.append(pl.concat(chunked).unique().sort().to_list())
    assert runs == [["S0", "S1"], ["S2", "S3"], ["S4", "S5"], ["S6"]]
