"""Planted faults: exactly as many as asked for, where the truth says, and nothing else touched."""

from __future__ import annotations

import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.simulate import Blemishes, taq_batches, taq_day
from eventtape.tape.ticks import quote_ticks, trade_ticks

ASKED = Blemishes(locked=11, crossed=13, one_sided=17, duplicates=19, backward=23, absurd=29)
SIZES = {"symbols": 6, "quotes": 40_000, "trades": 9_000, "seconds": 3_600}


def changes(frame):
    """How each row differs from the one above in its symbol."""
    own = [name for name in frame.columns if name not in ("symbol", "ts")]
    step = pl.col("ts").diff().over("symbol").dt.total_nanoseconds()
    repeats = pl.all_horizontal(
        step == 0, *(pl.col(name) == pl.col(name).shift(1).over("symbol") for name in own)
    )
    return frame.select((step < 0).alias("back"), repeats.alias("repeats"))


@pytest.mark.parametrize("order", ["symbol", "time"])
@pytest.mark.parametrize("late_ns", [0, 1_000_000])
def test_faults_are_met_exactly_as_often_as_asked(order, late_ns):
    day = taq_day(1, order=order, late_ns=late_ns, blemishes=ASKED, **SIZES)
    q, t = day.quotes, day.trades
    two_sided = (q["bid"] > 0) & (q["ask"] > 0)
    assert (two_sided & (q["bid"] == q["ask"])).sum() == 11
    assert (two_sided & (q["bid"] > q["ask"])).sum() == 13
    assert (~two_sided).sum() == 17
    assert ((q["bid"] == 0) == (q["bid_size"] == 0)).all()
    assert ((q["ask"] == 0) == (q["ask_size"] == 0)).all()
    assert (q["bid"] == 0).any()
    assert (q["ask"] == 0).any()
    for frame, price in ((q, "ask"), (t, "price")):
        met = changes(frame)
        assert met["back"].sum() == 23
        assert met["repeats"].sum() == 19
        median = frame.select(pl.col(price).median().over("symbol")).to_series()
        assert (frame[price] > 5.0 * median).sum() == 29
    assert q.height == SIZES["quotes"]
    assert t.height == SIZES["trades"]
    for truth, kinds in (
        (day.truth.quotes, ASKED._fields[:6]),
        (day.truth.trades, ASKED._fields[3:6]),
    ):
        counts = dict(truth["fault"].cast(pl.String).value_counts().rows())
        assert {kind: counts.get(kind, 0) for kind in kinds} == {
            kind: getattr(ASKED, kind) for kind in kinds
        }
        assert counts["none"] == truth.height - sum(getattr(ASKED, kind) for kind in kinds)


def test_sound_rows_are_those_of_the_clean_day_and_faults_stay_where_they_are():
    clean, day = taq_day(1, **SIZES), taq_day(1, blemishes=ASKED, **SIZES)
    for one, two, truth in (
        (clean.quotes, day.quotes, day.truth.quotes),
        (clean.trades, day.trades, day.truth.trades),
    ):
        sound = truth["fault"] == "none"
        assert one.filter(sound).equals(two.filter(sound))
        differs = pl.any_horizontal(*(one[c] != two[c] for c in one.columns[1:]))
        assert one.select(differs).to_series().equals(~sound, check_names=False)
    for order in ("symbol", "time"):
        whole = taq_day(1, order=order, blemishes=ASKED, **SIZES)
        batches = taq_batches(1, order=order, batch_rows=333, blemishes=ASKED, **SIZES)
        parts = [pl.concat(part) for part in zip(*batches, strict=True)]
        wanted = (whole.quotes, whole.trades, whole.truth.quotes, whole.truth.trades)
        assert all(a.equals(b) for a, b in zip(parts, wanted, strict=True))
    some = [b.quotes for b in taq_batches(1, only=["SIM002"], blemishes=ASKED, **SIZES)]
    assert pl.concat(some).equals(day.quotes.filter(pl.col("symbol") == "SIM002"))


def test_a_clock_that_goes_back_is_refused_by_the_tape_and_the_other_faults_are_not():
    day = taq_day(1, blemishes=Blemishes(backward=1), **SIZES)
    for make, frame in ((quote_ticks, day.quotes), (trade_ticks, day.trades)):
        with pytest.raises(InputError, match="do not fall"):
            make(frame)
    day = taq_day(1, blemishes=ASKED._replace(backward=0), **SIZES)
    assert quote_ticks(day.quotes).ts.size == SIZES["quotes"]
    assert trade_ticks(day.trades).ts.size == SIZES["trades"]


def test_a_halt_has_no_rows_and_costs_none():
    day = taq_day(2, blemishes=Blemishes(halts=3, halt_seconds=600), **SIZES)
    assert day.quotes.height == SIZES["quotes"]
    assert day.trades.height == SIZES["trades"]
    halts = day.truth.halts
    assert halts["symbol"].n_unique() == 3
    assert ((halts["to"] - halts["from"]).dt.total_seconds() == 600).all()
    for symbol, start, end in halts.rows():
        for frame in (day.quotes, day.trades):
            mine = frame.filter(pl.col("symbol") == symbol)["ts"]
            assert ((mine < start) | (mine >= end)).all()
            assert (mine >= end).any()
    clean = taq_day(2, **SIZES)
    other = pl.col("symbol").is_in(halts["symbol"].implode()).not_()
    assert clean.quotes.filter(other).equals(day.quotes.filter(other))


@pytest.mark.parametrize(
    ("asked", "more", "says"),
    [
        (Blemishes(locked=-1), {}, "locked"),
        (Blemishes(locked=40_000), {}, "faults"),
        (Blemishes(duplicates=5_000), {}, "trades"),
        (Blemishes(halts=7), {}, "halt"),
        (Blemishes(halts=1, halt_seconds=3_600), {}, "halt"),
        (Blemishes(absurd=1), {"late_ns": 5, "late_share": 0.5}, "late"),
    ],
)
def test_faults_that_cannot_be_planted_are_refused(asked, more, says):
    with pytest.raises(InputError, match=says):
        taq_day(1, blemishes=asked, **SIZES, **more)
