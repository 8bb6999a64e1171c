"""Positions built by delta: a calendar strangle neutral to a Greek, a call out of the money."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError
from eventtape.estimators.positions.legs import (
    Legs,
    calendar_strangle,
    long_option,
    strangle,
    times,
)
from eventtape.estimators.positions.points import DAY_NS, YEAR_DAYS
from eventtape.estimators.positions.ratios import Neutral, Ratio, ratio
from eventtape.estimators.positions.strikes import strike_of_delta

__all__ = ["Expiry", "NeutralCalendar", "call_of_delta", "neutral_calendar", "strangle_of_delta"]


class Expiry(NamedTuple):
    """One expiry as the market has it: one volatility for its strikes, and its forward."""

    expiry_ns: int
    vol: float
    carry: float = 1.0  # forward over spot


class NeutralCalendar(NamedTuple):
    """A calendar strangle, near sold and one far bought, and the ratio that makes it neutral."""

    legs: Legs
    carry: FloatArray  # (n_legs,)
    ratio: Ratio


def strangle_of_delta(
    expiry: Expiry, delta: float, spot: float, at_ns: int, *, step: float = 0.0, inverse: bool
) -> Legs:
    """One put and one call bought whose forward deltas are minus and plus ``delta`` (.25).

    ``step`` above 0 rounds the strikes to that distance.
    """
    forward, tau = spot * expiry.carry, _years(expiry, at_ns)
    sides = np.array([False, True])
    strikes = strike_of_delta([-delta, delta], forward, tau, expiry.vol, sides)
    put, call = (_listed(float(strike), step) for strike in strikes)
    return strangle(put, call, expiry.expiry_ns, expiry.vol, inverse=inverse)


def neutral_calendar(
    near: Expiry,
    far: Expiry,
    spot: float,
    at_ns: int,
    *,
    deltas: tuple[float, float] = (0.25, 0.25),
    by: Neutral = "vega",
    step: float = 0.0,
    inverse: bool,
) -> NeutralCalendar:
    """As many near strangles sold against one far bought as take ``by`` out.

    Where there is no such number it is an :class:`InputError` with the reason.
    """
    close, away = (
        strangle_of_delta(e, d, spot, at_ns, step=step, inverse=inverse)
        for e, d in zip((near, far), deltas, strict=True)
    )
    carries = {"near_carry": near.carry, "far_carry": far.carry}
    found = ratio(times(close, -1.0), away, by, spot, at_ns, **carries)
    if found.status is not Status.OK:
        wanted = f"a structure that some ratio makes neutral ({found.reason})"
        raise InputError(wanted, met=by, column="neutral")
    carry = np.repeat([near.carry, far.carry], 2)
    return NeutralCalendar(calendar_strangle(close, away, (-found.quantity, 1.0)), carry, found)


def call_of_delta(
    expiry: Expiry, delta: float, spot: float, at_ns: int, *, step: float = 0.0, inverse: bool
) -> Legs:
    """One call bought whose forward delta is ``delta``."""
    tau = _years(expiry, at_ns)
    strike = float(strike_of_delta(delta, spot * expiry.carry, tau, expiry.vol, True))
    return long_option(_listed(strike, step), expiry.expiry_ns, expiry.vol, inverse=inverse)


def _years(expiry: Expiry, at_ns: int) -> float:
    return (expiry.expiry_ns - at_ns) / (YEAR_DAYS * DAY_NS)


def _listed(strike: float, step: float) -> float:
    if step <= 0.0:
        return strike
    return max(round(strike / step), 1) * step
