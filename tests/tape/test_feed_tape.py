from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.tape import TRADE, Feed, Instrument, Tape, empty, times_ns
from eventtape.tape.records import TIME


def feed(label, kind):
    return Feed(Instrument("sim", label, kind), label, TRADE, empty(TRADE), 0, "here")


TAPE = Tape(
    (feed("event", "event contract"), feed("coin", "crypto"), feed("index", "future")),
    simulated=True,
)


def test_instrument_names_its_venue():
    contract = Instrument("kalshi", "PRES-2024-DJT", "event contract")
    assert str(contract) == "kalshi:PRES-2024-DJT"
    assert contract != Instrument("XNAS", "DJT", "stock")


def test_feed_by_label():
    assert TAPE.feed("coin") is TAPE.feeds[1]
    with pytest.raises(InputError) as caught:
        TAPE.feed("oil")
    assert str(caught.value).endswith("met 'oil', wanted one of event, coin, index")


def test_feeds_of_kind_keep_the_order():
    assert [f.label for f in TAPE.of_kind("future", "event contract")] == ["event", "index"]
    assert TAPE.of_kind("stock") == ()


def test_times_are_the_nanoseconds_themselves():
    ns = np.array([0, 1, 1_730_844_000_000_000_001])
    got = times_ns(pl.DataFrame({"ts": pl.Series(ns).cast(TIME)}))
    assert got.dtype == np.int64
    assert got.tolist() == ns.tolist()


@pytest.mark.parametrize("unit", ["us", "ms"])
def test_times_in_another_unit_are_refused(unit):
    """Microseconds, what polars makes of datetimes, would pass for nanoseconds without a word."""
    frame = pl.DataFrame({"ts": pl.Series([1_000_000]).cast(pl.Datetime(unit, "UTC"))})
    with pytest.raises(InputError, match="values of type"):
        times_ns(frame)
