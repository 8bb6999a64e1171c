"""Trades for tests: the calendar strangle of October 2024, a call, and one without an event."""

from __future__ import annotations

from functools import cache

import numpy as np

from eventtape.clock import parse_ns
from eventtape.estimators.positions.legs import calendar_strangle, long_option, strangle
from eventtape.studies.trade import run
from eventtape.studies.trade_rows import EventSize, Trade, TradeConfig

NEAR, FAR = parse_ns("2024-11-08T08:00Z"), parse_ns("2025-03-28T08:00Z")
AT, MIDNIGHT = parse_ns("2024-10-05T08:00Z"), parse_ns("2024-10-05T00:00Z")
ELECTION = EventSize(parse_ns("2024-11-05T23:00Z"), 0.08, "election")
SMALL = TradeConfig(paths=256, steps=24, points=201)
SPOT, NEAR_VOL, FAR_VOL = 62e3, 0.5523, 0.5778
SCRIPT = "<script>alert(1)</script>"


def calendar(*, inverse=True, at_ns=AT, events=(ELECTION,), name="the calendar strangle"):
    near = strangle(55e3, 72e3, NEAR, NEAR_VOL, inverse=inverse)
    far = strangle(65e3, 75e3, FAR, FAR_VOL, inverse=inverse)
    held = calendar_strangle(near, far, (-3.0, 1.0))
    return Trade(held, SPOT, at_ns, np.ones(4), events, name)


def call(*, inverse=True, events=(ELECTION,)):
    held = long_option(72e3, NEAR, NEAR_VOL, inverse=inverse)
    return Trade(held, SPOT, AT, np.ones(1), events, "a call")


@cache
def good():
    """The calendar strangle in coins."""
    return run(calendar(), SMALL, sources=("as given",))


@cache
def bought():
    """A call in dollars and no event."""
    return run(call(inverse=False, events=()), SMALL)
