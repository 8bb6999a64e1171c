r"""The forward of a chain and its quotes as European ones: what a density is made from.

European chains: put-call parity gives forward and discount, with a rate and a spot as priors where
they are handed in. Where no strike has both a call and a put, the spot carries the forward.

American chains break parity by their early-exercise premia, and the premia need the forward. So in
rounds: premia at the rate r and yield q so far come off (:mod:`~eventtape.estimators.pricing
.deamericanise`), parity of what is left gives forward and rate, the yield follows from the spot::

    q = r - log(F / S) / tau

until neither moves by a twentieth of its error. Without a spot the yield is the one handed in, else
0, and S = F exp((q - r) tau). A short chain says little of a rate; then a weak prior of 3% +- 3% a
year stands in for the one nobody gave, or the rate its surface shows (:func:`surface_rate`), and
``rate_share`` says so. The errors take the spot as exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.estimators.pricing.deamericanise import deamericanise
from eventtape.estimators.pricing.forward import (
    ForwardSource,
    ParityForward,
    forward_from_parity,
)
from eventtape.tape.chains import Chain

__all__ = ["EuropeanChain", "Known", "european_chain", "surface_rate"]

_RATE, _RATE_ERROR = 0.03, 0.03  # a year, where nothing else is known of it
_GIVEN_ERROR = 0.005
_SURE = 0.01  # a rate known better than this speaks for its surface
_ROUNDS = 20
_RESTED = 0.05  # of the errors of forward and rate: the last moves count for nothing beside them
_NEAR = 0.05  # where premia hardly tilt the line, for the first forward


class Known(NamedTuple):
    """What is known of a chain beforehand; None where nothing is."""

    rate: float | None = None
    rate_error: float = _GIVEN_ERROR
    spot: float | None = None
    dividend_yield: float | None = None


class EuropeanChain(NamedTuple):
    """European bids and asks ``(n,)`` of a chain, in its order, and the forward they imply.

    - ``premium``: early-exercise premium of each mid, NaN where none is known; 0 for Europeans.
    - ``at_exercise``: bid or ask says no volatility, since it is worth exercising at once.
    - ``spot``: NaN where none was known. ``rounds``: of the iteration, 0 for Europeans. Rounds that
      swing by less than the forward's error have their swing added to it.
    - ``status``, ``reason``: ``OK``, or why there is no forward.
    """

    bids: FloatArray
    asks: FloatArray
    premium: FloatArray
    at_exercise: BoolArray
    forward: ParityForward
    spot: float
    rounds: int
    status: Status
    reason: str


def european_chain(chain: Chain, known: Known, *, american: bool) -> EuropeanChain:
    """European quotes and the forward of a chain, or why it has none."""
    spot = known.spot
    if spot is None and math.isfinite(chain.underlying_price):
        spot = chain.underlying_price
    return _american(chain, known, spot) if american else _european(chain, known, spot)


def surface_rate(forwards: Sequence[ParityForward]) -> tuple[float, float] | None:
    """The rate, a year, that chains of one underlying agree on, and its error; None without one."""
    sure = [f for f in forwards if f.status is Status.OK and f.rate_error < _SURE]
    if not sure:
        return None
    weight = np.array([1.0 / f.rate_error**2 for f in sure])
    rates = np.array([f.rate for f in sure])
    mean = float(weight @ rates / weight.sum())
    spread = math.sqrt(float(weight @ (rates - mean) ** 2 / weight.sum()))
    return mean, max(1.0 / math.sqrt(float(weight.sum())), spread, _GIVEN_ERROR)


def _european(chain: Chain, known: Known, spot: float | None) -> EuropeanChain:
    n = chain.strikes.size
    found = _parity(chain, chain.bids, chain.asks, known, known.spot, known.rate, known.rate_error)
    if found.pairs_used == 0 and known.spot is None and spot is not None:
        found = _parity(chain, chain.bids, chain.asks, known, spot, known.rate, known.rate_error)
    status, reason = _verdict(found)
    spot = math.nan if spot is None else spot
    nothing = np.zeros(n, np.bool_)
    return EuropeanChain(
        chain.bids, chain.asks, np.zeros(n), nothing, found, spot, 0, status, reason
    )


def _american(chain: Chain, known: Known, spot: float | None) -> EuropeanChain:
    n = chain.strikes.size
    given = known.rate is not None
    r = known.rate if known.rate is not None else _RATE
    r_error = known.rate_error if given else _RATE_ERROR
    found = _parity(chain, chain.bids, chain.asks, known, None, r, r_error, near_money=_NEAR)
    if found.pairs_used == 0 and spot is not None:
        found = _parity(chain, chain.bids, chain.asks, known, spot, r, r_error)
    bids, asks, premium = (np.full(n, math.nan) for _ in range(3))
    at_exercise, rounds, rested = np.zeros(n, np.bool_), 0, False
    after, rate, before = found, found.rate, math.nan
    while math.isfinite(after.forward) and rounds < _ROUNDS and not rested:
        found, last_forward = after, after.forward
        # A negative rate out of a short chain's slope would give an option two boundaries
        at_rate = max(rate, 0.0)
        start, q = _carried(last_forward, at_rate, chain.tau, spot, known.dividend_yield)
        made = deamericanise(
            _zero_as_none(chain.bids), chain.asks, start, chain.strikes, chain.tau, at_rate, q,
            is_call=chain.is_call,
        )  # fmt: skip
        bids, asks, premium = made.bid, made.ask, made.premium
        at_exercise = _silent(chain.bids, bids) | _silent(chain.asks, asks)
        after = _parity(chain, bids, asks, known, None, r, r_error)
        if after.pairs_used == 0:
            after = found
            break
        moved = after.rate - rate
        rested = (
            abs(after.forward - last_forward) <= _RESTED * after.forward_error
            and abs(moved) <= _RESTED * after.rate_error
        )
        rate, rounds = after.rate, rounds + 1
        if rounds % 2 == 0 and before:
            part = min(max(moved / before, -1.0), 0.8)
            rate += moved * part / (1.0 - part)  # Aitken: rounds approach by equal parts
        before = moved
    status, reason = _verdict(after)
    if status is Status.OK and rounds == _ROUNDS and not rested:
        swing = abs(after.forward - found.forward)
        if swing > after.forward_error:
            status, reason = Status.NO_CONVERGENCE, "premia and forward do not come to rest"
        after = after._replace(forward_error=math.hypot(after.forward_error, swing))
    known_spot = math.nan if spot is None else spot
    return EuropeanChain(
        bids, asks, premium, at_exercise, after, known_spot, rounds, status, reason
    )


def _carried(
    forward: float, rate: float, tau: float, spot: float | None, given: float | None
) -> tuple[float, float]:
    """Spot and yield that give this forward at this rate."""
    if spot is not None and given is None:
        return spot, rate - math.log(forward / spot) / tau
    q = 0.0 if given is None else given
    return forward * math.exp((q - rate) * tau), q


def _silent(quoted: FloatArray, european: FloatArray) -> BoolArray:
    return np.asarray((quoted > 0.0) & ~np.isfinite(european))


def _zero_as_none(prices: FloatArray) -> FloatArray:
    return np.where(prices > 0.0, prices, math.nan)


def _parity(
    chain: Chain,
    bids: FloatArray,
    asks: FloatArray,
    known: Known,
    spot: float | None,
    rate: float | None,
    rate_error: float,
    near_money: float | None = None,
) -> ParityForward:
    """Parity over the strikes of the chain, priors only where there are any."""
    strikes = np.unique(chain.strikes)
    sides = np.full((4, strikes.size), math.nan)
    for right, row in ((True, 0), (False, 2)):
        mine = chain.is_call == right
        at = np.searchsorted(strikes, chain.strikes[mine])
        sides[row, at], sides[row + 1, at] = bids[mine], asks[mine]
    return forward_from_parity(
        strikes,
        *sides,
        tau=chain.tau,
        spot=spot,
        rate=rate,
        rate_error=None if rate is None else rate_error,
        dividend_yield=None if spot is None else known.dividend_yield,
        near_money=near_money,
    )


def _verdict(found: ParityForward) -> tuple[Status, str]:
    """The status a density may rest on: few pairs are usable, broken parity is not."""
    if found.source is ForwardSource.NONE:
        return Status.NOT_IDENTIFIED, "no strike has both a call and a put, and no spot is known"
    if found.status is Status.NOT_RESOLVED:
        return found.status, "calls and puts do not agree on one forward"
    if found.status in {Status.OK, Status.TOO_FEW}:
        return Status.OK, ""
    return found.status, f"forward: {found.status}"
