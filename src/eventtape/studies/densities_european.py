r"""The forward of a chain and its quotes as European ones: what a density is made from.

European chains: put-call parity gives forward and discount, with a rate and a spot as priors where
they are handed in. Where no strike has both a call and a put, the spot carries the forward.

American chains break parity by their early-exercise premia, and the premia need the forward. So in
rounds: premia at the rate r and yield q so far come off (:mod:`~eventtape.estimators.pricing
.deamericanise`), parity of what is left gives forward and rate, the yield follows from the spot::

    q = r - log(F / S) / tau

until neither moves by a twentieth of its error. Without a spot the yield is the one handed in, else
0, and S = F exp((q - r) tau). The errors take the spot as exact.

Cash dividends D_i before expiry, at t_i, are no yield: calls are exercised the night before and at
no other time. Then the premia are those of a tree in which what the spot is worth without them is
lognormal (escrowed, :mod:`~eventtape.estimators.pricing.binomial`)::

    X = S - sum D_i exp(-r t_i),    q = r - log(F / X) / tau,

q being what spot, forward and dividends disagree by; where a yield is handed in, it is q, and X
follows from the forward. A yield in place of a dividend bends parity: where neither was handed in
and residuals are large while spot less prepaid forward is a sum of money, the chain is to be
refused for it (:func:`asks_for_dividend`).

A short chain says little of a rate; then a weak prior stands in for the one nobody gave, 3% +- 3% a
year (European: 3% +- 5%), or the rate its surface shows
(:func:`surface_rate`), and ``rate_share`` says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, Status
from eventtape.estimators.pricing.binomial import binomial
from eventtape.estimators.pricing.binomial_implied_vol import binomial_implied_vol
from eventtape.estimators.pricing.deamericanise import deamericanise
from eventtape.estimators.pricing.forward import (
    ParityForward,
    forward_from_parity,
    parity_verdict,
)
from eventtape.tape.chains import YEAR_NS, Chain

__all__ = ["EuropeanChain", "Known", "asks_for_dividend", "european_chain", "surface_rate"]

_RATE, _RATE_ERROR = 0.03, 0.03  # a year, where nothing else is known of it
_LOOSE_ERROR = 0.05  # of Europeans: their parity needs no premia at that rate
_STEPS = 200  # of the tree of dividends: premia to .0002 at a spot of 450
_LUMP = 1.5e-3  # of the spot: three times what a spot may be off
_BENT = 2.5  # residuals, where 1 is prices uniform in their spreads
_GIVEN_ERROR = 0.005
_SURE = 0.01  # a rate known better than this speaks for its surface
_ROUNDS = 20
_RESTED = 0.05  # of the errors of forward and rate: the last moves count for nothing beside them
_NEAR = 0.05  # where premia hardly tilt the line, for the first forward


class Known(NamedTuple):
    """What is known of a chain beforehand; None where nothing is.

    ``dividends``: ex-date in ns and cash a share; those not before expiry do not count.
    """

    rate: float | None = None
    rate_error: float = _GIVEN_ERROR
    spot: float | None = None
    dividend_yield: float | None = None
    dividends: tuple[tuple[int, float], ...] = ()

    def paid(self, chain: Chain) -> tuple[FloatArray, FloatArray]:
        """Years to each dividend before the chain's expiry, and its cash."""
        mine = [(ns, cash) for ns, cash in self.dividends if chain.at_ns < ns < chain.expiry_ns]
        times = np.array([(ns - chain.at_ns) / YEAR_NS for ns, _ in mine])
        return times, np.array([cash for _, cash in mine])


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


def asks_for_dividend(chain: Chain, known: Known, made: EuropeanChain) -> float:
    """Cash that an American chain's parity says is paid before expiry; 0 where it does not.

    Asked only where neither yield nor dividends were handed in and a spot is known: spot less
    prepaid forward is more than the spot may be off, and pairs are off the line, or there is none.
    """
    found, told = made.forward, known.dividend_yield is not None or known.dividends
    if told or not (math.isfinite(made.spot) and math.isfinite(found.forward)):
        return 0.0
    rate = _RATE if known.rate is None else known.rate
    cash = made.spot - found.forward * math.exp(-rate * chain.tau)
    bent = made.status is not Status.OK or found.scale > _BENT
    return cash if bent and cash > _LUMP * made.spot else 0.0


def _european(chain: Chain, known: Known, spot: float | None) -> EuropeanChain:
    n = chain.strikes.size
    r, r_error = known.rate, known.rate_error
    if r is None:
        r, r_error = _RATE, _LOOSE_ERROR
    found = _parity(chain, chain.bids, chain.asks, known, known.spot, r, r_error)
    if found.pairs_used == 0 and known.spot is None and spot is not None:
        found = _parity(chain, chain.bids, chain.asks, known, spot, r, r_error)
    status, reason = parity_verdict(found)
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
    after, rate, before = found, r, math.nan
    while math.isfinite(after.forward) and rounds < _ROUNDS and not rested:
        found, last_forward = after, after.forward
        # A negative rate out of a short chain's slope would give an option two boundaries
        at_rate = max(rate, 0.0)
        bids, asks, premium = _without_premia(chain, known, last_forward, at_rate, spot)
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
    status, reason = parity_verdict(after)
    if status is Status.OK and rounds == _ROUNDS and not rested:
        swing = abs(after.forward - found.forward)
        if swing > after.forward_error:
            status, reason = Status.NO_CONVERGENCE, "premia and forward do not come to rest"
        after = after._replace(forward_error=math.hypot(after.forward_error, swing))
    if status is Status.OK and not given and after.rate < 0.0 and after.scale > _BENT:
        status, reason = Status.NOT_RESOLVED, "calls and puts agree on no rate of 0 or more"
    known_spot = math.nan if spot is None else spot
    return EuropeanChain(
        bids, asks, premium, at_exercise, after, known_spot, rounds, status, reason
    )


def _without_premia(
    chain: Chain, known: Known, forward: float, rate: float, spot: float | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """European bids and asks at a forward and a rate, and the premium of the mids."""
    bids, tau = _zero_as_none(chain.bids), chain.tau
    times, cash = known.paid(chain)
    if not times.size:
        start, q = _carried(forward, rate, tau, spot, known.dividend_yield)
        made = deamericanise(
            bids, chain.asks, start, chain.strikes, tau, rate, q, is_call=chain.is_call
        )
        return made.bid, made.ask, made.premium
    still = float(cash @ np.exp(-rate * times))
    bare = None if spot is None else spot - still
    prepaid, q = _carried(forward, rate, tau, bare, known.dividend_yield)
    option = (prepaid + still, chain.strikes, tau, rate, q)
    low, high = (
        _off_tree(price, option, chain.is_call, (times, cash)) for price in (bids, chain.asks)
    )
    return low, high, 0.5 * (bids + chain.asks) - 0.5 * (low + high)


def _off_tree(
    price: FloatArray,
    option: tuple[float, FloatArray, float, float, float],
    is_call: BoolArray,
    dividends: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """What the tree that gives an American price gives the European one; NaN where none does."""
    spot, strikes, tau, rate, q = option
    tree: dict[str, Any] = {
        "steps": _STEPS, "dividends": dividends, "dividend_model": "escrowed",
    }  # fmt: skip
    vol = binomial_implied_vol(price, spot, strikes, tau, rate, q, is_call=is_call, **tree).vol
    out, there = np.full(vol.size, math.nan), np.isfinite(vol)
    if there.any():
        out[there] = binomial(
            spot, strikes[there], tau, rate, q, vol[there],
            is_call=is_call[there], exercise="european", **tree,
        ).price  # fmt: skip
    return out


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
        dividends=0.0 if spot is None else _value_today(chain, known, rate),
        near_money=near_money,
    )


def _value_today(chain: Chain, known: Known, rate: float | None) -> float:
    times, cash = known.paid(chain)
    return float(cash @ np.exp(-(rate or 0.0) * times))
