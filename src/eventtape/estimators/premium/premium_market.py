r"""Is an event large for a market: its size beside that market's ordinary day, over many markets?

Sizes of one event in Bitcoin and in Treasuries are not alike because their days are not. The ratio
event move / ordinary daily move is. Two bases for the ordinary day: 365, where every day counts,
and 252, where a session carries the variance of 365/252 days: its daily move is larger by
sqrt(365/252) = 1.2035 and the ratio smaller by as much. A market that trades all week has the first
as its own, one with sessions the second; compare on one.

The bounds of the ratio are lower size / upper daily move and upper size / lower daily move. They
hold whatever the two errors have in common with chance 2 level - 1 at least, and where a larger
base means a smaller event, as it does when both come from one term structure, with about ``level``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.errors import InputError
from eventtape.estimators.premium.event_premium import Premium

__all__ = ["MarketPremium", "PremiumMarket", "implied_iv", "market_premium", "premium_market"]

_PER_SESSION = math.sqrt(365.0 / 252.0)
_MEAN_OF_SIZE = math.sqrt(2.0 / math.pi)  # E|z| of a standard normal


class MarketPremium(NamedTuple):
    """One market's event and its ordinary day (365 basis), decimals of log return."""

    market: str
    size: float
    lower: float
    upper: float
    daily: float
    daily_lower: float
    daily_upper: float
    status: Status = Status.OK
    reason: str = ""


class PremiumMarket(NamedTuple):
    """Markets by ratio, the largest first, those without a size last; shapes ``(n_markets,)``.

    ``event_day`` is the sd of the day of the event, sqrt(size^2 + daily^2), on the 365 basis;
    ``mean_move`` the mean size of the event's own move, size sqrt(2 / pi).
    """

    markets: tuple[str, ...]
    size: FloatArray
    lower: FloatArray
    upper: FloatArray
    daily_365: FloatArray
    daily_252: FloatArray
    ratio_365: FloatArray
    ratio_365_lower: FloatArray
    ratio_365_upper: FloatArray
    ratio_252: FloatArray
    ratio_252_lower: FloatArray
    ratio_252_upper: FloatArray
    event_day: FloatArray
    mean_move: FloatArray
    order: IntArray  # rows of the input
    statuses: tuple[Status, ...]
    reasons: tuple[str, ...]


def market_premium(market: str, premium: Premium, kind: str) -> MarketPremium:
    """One market's row from its fitted premium; a kind that cannot be told keeps its reason."""
    if kind not in premium.kinds:
        raise InputError(f"one of {', '.join(premium.kinds) or 'no kinds'}", met=kind)
    i = premium.kinds.index(kind)
    return MarketPremium(
        market,
        float(premium.size[i]),
        float(premium.lower[i]),
        float(premium.upper[i]),
        premium.daily,
        premium.daily_lower,
        premium.daily_upper,
        premium.statuses[i],
        premium.reasons[i],
    )


def premium_market(rows: Sequence[MarketPremium]) -> PremiumMarket:
    """Event against ordinary daily move, a ratio with its interval, by market on both bases.

    Numbers of a row whose status is not ``OK`` are NaN, as is a ratio to a base of 0. Raises
    :class:`~eventtape.errors.InputError` for a market named twice and for percent.
    """
    _check(rows)
    order = np.array(sorted(range(len(rows)), key=lambda i: _rank(rows[i])), np.int64)
    rows = [rows[i] for i in order]
    numbers = [row[1:7] if row.status is Status.OK else [math.nan] * 6 for row in rows]
    columns = np.array(numbers, np.float64).reshape(-1, 6).T
    size, lower, upper, daily, daily_lower, daily_upper = columns
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(daily > 0.0, size / daily, math.nan)
        ratio_lower, ratio_upper = lower / daily_upper, upper / daily_lower
    return PremiumMarket(
        markets=tuple(row.market for row in rows),
        size=size,
        lower=lower,
        upper=upper,
        daily_365=daily,
        daily_252=daily * _PER_SESSION,
        ratio_365=ratio,
        ratio_365_lower=ratio_lower,
        ratio_365_upper=ratio_upper,
        ratio_252=ratio / _PER_SESSION,
        ratio_252_lower=ratio_lower / _PER_SESSION,
        ratio_252_upper=ratio_upper / _PER_SESSION,
        event_day=np.hypot(size, daily),
        mean_move=size * _MEAN_OF_SIZE,
        order=order,
        statuses=tuple(row.status for row in rows),
        reasons=tuple(row.reason for row in rows),
    )


def implied_iv(size: float, daily: float, days: float) -> float:
    """The ATM IV that an event and an ordinary day make together, a decimal per sqrt(year).

    sqrt((daily^2 days + size^2) 365 / days); ``daily`` on the 365 basis.

    >>> round(implied_iv(0.032, 0.0085, 33), 4)  # the seed's SPY
    0.1942
    """
    if not (days > 0.0 and size >= 0.0 and daily >= 0.0):
        raise InputError("days above 0, size and daily move not below", met=(days, size, daily))
    return math.sqrt((daily**2 * days + size**2) * 365.0 / days)


def _rank(row: MarketPremium) -> tuple[bool, float]:
    """Sorts by ratio, the largest first and those without one last."""
    without = row.status is not Status.OK or row.daily == 0.0
    return without, 0.0 if without else -row.size / row.daily


def _check(rows: Sequence[MarketPremium]) -> None:
    named: set[str] = set()
    for i, row in enumerate(rows, start=1):
        if row.market in named:
            raise InputError("each market once", met=row.market, row=i)
        named.add(row.market)
        if row.status is not Status.OK:
            continue
        for name, value, most in (("size", row.size, 1.0), ("daily", row.daily, 0.5)):
            if not 0.0 <= value < most:
                raise InputError("a decimal: .08 for 8%", met=value, row=i, column=name)
        for name, low, value, high in (
            ("size", row.lower, row.size, row.upper),
            ("daily", row.daily_lower, row.daily, row.daily_upper),
        ):
            if not low <= value <= high:
                raise InputError(
                    "bounds about the value", met=(low, value, high), row=i, column=name
                )
