r"""What do f and p alone say about either state? Sharp bounds, with no assumption.

The price at expiry has law f = p f1 + (1 - p) f0, f1 where the outcome happens. Nothing else is
known: f1 is any law with p f1 <= f, and each such f1 is possible. A state of probability r (p, or
1 - p) holds a part r of the mass of f, and the extremes are reached by taking the most favourable
part (Horowitz and Manski 1995). With Q the quantiles of f::

    mean of g(S)     lambda + E[(g - lambda)+] / r,  P(g > lambda) = r;  below: -g
    quantile q       Q(r q)  to  Q(1 - r (1 - q))
    distribution     max(0, 1 - (1 - F(x)) / r)  to  min(1, F(x) / r);   density 0 to f(x) / r
    variance, log S  least: the interval of mass r whose middle is its mean;
                     largest: all but an interval, whose middle is the mean of the rest
    log(m1 / m0)     m1 at an extreme, and m0 = (F - p m1) / (1 - p) with it

Prices are in units of the price, vols per square root of a year. The bounds of state 1 lie within
each other as p rises, those of state 0 as it falls; of the gap neither holds.

Errors are the delta method's through the smile's coefficients and the forward (envelope theorem:
the trimmed part is held fixed), and through p where that has an error. An interval covers the
state's number, not both bounds, with the level given (Imbens and Manski 2004).

What lies beyond the quotes. Options at the last strike fix the mass beyond it and its mean, so what
a bound rests on there is E of the trimmed payoff less the straight line that touches it at that
strike. Where this is over a tenth of the width the bound is not resolved: its place is the tail's
assumption. A mean whose trimming point is quoted rests on no tail; one for a small r does.

Reference: Horowitz and Manski (1995), Econometrica 63, 281-302; Imbens and Manski (2004),
Econometrica 72, 1845-1857.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eventtape.arrays import BoolArray, FloatArray, Status, check_level
from eventtape.errors import InputError
from eventtape.estimators.density.fit import Density
from eventtape.estimators.pricing.terminal_law import TerminalLaw
from eventtape.estimators.states.bounds_interval import Bound, bounds_of
from eventtape.estimators.states.bounds_payoffs import Payoff
from eventtape.estimators.states.bounds_tables import (
    LawTables,
    Trimmed,
    law_tables,
    quantiles_at,
    trimmed_payoffs,
    variances,
)

__all__ = ["OutcomeBounds", "StateBounds", "outcome_bounds"]

_NEGATIVE = 1e-3
_GAP = 1e-8
_ROUNDS, _PLACES = 12, 17
_WITH_NUMBERS = (Status.OK, Status.NOT_RESOLVED)

_Shape = tuple[int, ...]
_Parts = tuple[FloatArray, FloatArray, FloatArray]


class StateBounds(NamedTuple):
    """One state: ``mean`` in price units, ``excess`` m / F - 1, ``vol`` of log S, by ``p``'s shape.

    ``quantiles`` (prices) and ``payoffs`` (undiscounted) have one more axis, in the order asked.
    """

    mean: Bound
    excess: Bound
    vol: Bound
    quantiles: Bound
    payoffs: Bound


class OutcomeBounds(NamedTuple):
    """Sharp bounds for the state where the outcome happens, the one where not, and their gap.

    - ``p``; ``state1``, ``state0``; ``gap``: of log(m1 / m0), positive if the outcome lifts prices.
    - ``negative_mass``: of the density as fitted. It is set to 0 and the rest divided by its mass.
    - ``status``: ``OK``; ``NOT_RESOLVED``, with numbers: the density's own, or a negative mass over
      1e-3, or some bound rests on the tails (see each ``resolved``); ``NOT_RESOLVED`` without: the
      density's mass or mean is not 1 to 1e-8 on the panels; else the density's, without numbers.
    """

    p: FloatArray
    state1: StateBounds
    state0: StateBounds
    gap: Bound
    forward: float
    negative_mass: float
    status: Status


def outcome_bounds(
    density: Density | TerminalLaw,
    p: ArrayLike,
    *,
    p_error: ArrayLike | tuple[ArrayLike, ArrayLike] = 0.0,
    payoffs: Sequence[Payoff] = (),
    probabilities: ArrayLike = (0.05, 0.5, 0.95),
    level: float = 0.95,
) -> OutcomeBounds:
    """Sharp bounds of means, vols, quantiles and payoffs in both states, and of the gap.

    Parameters
    ----------
    density
        As fitted, with errors and quotes that end; or a known law.
    p
        Probability of the outcome, 0 to 1, any shape; at 1 state 1 has the law itself and state 0
        nothing (NaN); NaN where not known.
    p_error
        Standard error of p; or a pair, low and high: p may be anywhere there, and the bounds are of
        all that is possible at any of them.
    payoffs
        Amounts at expiry: :mod:`.bounds_payoffs`.
    probabilities
        Of the quantiles, strictly between 0 and 1, ``(n,)``.
    level
        Of the intervals.

    Raises
    ------
    InputError
        A p or a probability out of range, an error below 0, a p outside its interval.
    """
    check_level(level)
    P = np.asarray(p, np.float64)
    _check_range(P, "p", closed=True)
    q = np.atleast_1d(np.asarray(probabilities, np.float64))
    _check_range(q, "probabilities", closed=False)
    low, high, sd = _given_error(P, p_error)
    status = density.status if isinstance(density, Density) else Status.OK
    tables = law_tables(density, payoffs) if status in _WITH_NUMBERS else None
    if tables is None or not tables.gap < _GAP:
        if status in _WITH_NUMBERS:
            status = Status.NOT_IDENTIFIED if tables is None else Status.NOT_RESOLVED
        return _nothing(P, q.size, len(payoffs), status)
    masses, twice = np.concatenate([low, 1.0 - high]), np.concatenate([sd, sd])
    paid = trimmed_payoffs(tables, masses)
    here = Trimmed(*(x[:, 0, : P.size] for x in paid))
    parts = [*_states(tables, masses, paid, twice, q), _gap(tables, here, low, high, sd)]
    bounds = bounds_of(parts, level)
    *both, gap = bounds
    state1, state0 = (
        StateBounds(*(_laid_out(b, P.shape, slice(i * P.size, (i + 1) * P.size)) for b in both))
        for i in range(2)
    )
    gap = _laid_out(gap, P.shape)
    resolved = all(bool((x.resolved | np.isnan(x.lower)).all()) for x in bounds)
    lost = np.isnan(gap.lower + gap.upper) & (P > 0.0) & (P < 1.0)
    if not resolved or lost.any() or tables.negative_mass > _NEGATIVE:
        status = Status.NOT_RESOLVED
    return OutcomeBounds(P, state1, state0, gap, tables.forward, tables.negative_mass, status)


def _check_range(values: FloatArray, column: str, *, closed: bool) -> None:
    inside = (values >= 0.0) & (values <= 1.0) if closed else (values > 0.0) & (values < 1.0)
    bad = np.flatnonzero(~(inside | (closed & np.isnan(values))))
    if bad.size:
        wanted = "from 0 to 1" if closed else "between 0 and 1"
        row = int(bad[0]) + 1 if values.ndim else None
        raise InputError(wanted, met=float(values.flat[bad[0]]), row=row, column=column)


def _given_error(
    P: FloatArray, p_error: ArrayLike | tuple[ArrayLike, ArrayLike]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The least and largest p and its standard error, ``(n,)`` each."""
    if isinstance(p_error, tuple):
        if len(p_error) != 2:
            raise InputError("a pair, low and high", met=len(p_error), column="p_error")
        low, high = (np.broadcast_to(np.asarray(x, np.float64), P.shape) for x in p_error)
        for x in (low, high):
            _check_range(x, "p_error", closed=True)
        bad = np.flatnonzero((low > P) | (high < P))
        if bad.size:
            met = tuple(float(x.flat[bad[0]]) for x in (low, P, high))
            raise InputError("low <= p <= high", met=met, column="p_error")
        seen = np.where(np.isnan(P), math.nan, 1.0)
        return (low * seen).ravel(), (high * seen).ravel(), np.zeros(P.size)
    sd = np.broadcast_to(np.asarray(p_error, np.float64), P.shape).ravel()
    if not ((sd >= 0.0) & (sd < math.inf)).all():
        raise InputError("an error of 0 or more", met=sd.tolist(), column="p_error")
    return P.ravel().copy(), P.ravel().copy(), sd


def _states(
    tables: LawTables, r: FloatArray, paid: Trimmed, sd: FloatArray, q: FloatArray
) -> list[_Parts]:
    """What the fields of a state are made of; states of probabilities ``r`` ``(n,)``."""
    F = tables.forward
    spread = variances(tables, r)
    whole = r == 1.0
    mean = Trimmed(*(x[:, 0] for x in paid))
    price = Trimmed(*(F * x for x in mean))
    excess = mean._replace(value=mean.value - 1.0, by_forward=0.0 * mean.value)
    root = np.sqrt(np.maximum(spread.value, 0.0) * tables.tau)
    with np.errstate(divide="ignore", invalid="ignore"):
        chain = Trimmed(*(0.5 * x / root for x in spread))
    vol = chain._replace(value=root / tables.tau)
    others = Trimmed(*(x[:, 1:].swapaxes(1, 2) for x in paid))
    return [
        _parts(price, sd, whole),
        _parts(excess, sd, whole),
        _parts(vol, sd, whole),
        _quantiles(tables, r, sd, q),
        _parts(others, sd[:, None], whole[:, None]),
    ]


def _parts(t: Trimmed, sd: FloatArray, whole: BoolArray) -> _Parts:
    """Value, error and the share beyond the quotes; arrays ``(2, n, ...)``."""
    moved = np.where(sd > 0.0, t.by_mass * sd, 0.0)
    error = np.sqrt(t.error**2 + t.by_forward**2 + moved**2)
    width = t.value[1] - t.value[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(whole | (t.beyond == 0.0), 0.0, t.beyond / width)
    return t.value, error, np.where(np.isnan(t.value), math.nan, share)


def _laid_out(bound: Bound, shape: _Shape, rows: slice = slice(None)) -> Bound:
    return Bound._make(x[rows].reshape(shape + x.shape[1:]) for x in bound)


def _quantiles(tables: LawTables, r: FloatArray, sd: FloatArray, q: FloatArray) -> _Parts:
    r = np.where(r > 0.0, r, math.nan)[:, None]
    y, f, by_smile, by_forward = quantiles_at(tables, np.stack([r * q, 1.0 - r * (1.0 - q)]))
    price = tables.forward * np.exp(y)
    by_mass = np.array([q, q - 1.0])[:, None] / f
    error = price * np.sqrt(by_smile**2 + by_forward**2 + (by_mass * sd[:, None]) ** 2)
    outside = (y < tables.quoted[0]) | (y > tables.quoted[1])
    return price, error, np.where(np.isnan(y), math.nan, outside * 1.0)


def _gap(
    tables: LawTables, here: Trimmed, low: FloatArray, high: FloatArray, sd: FloatArray
) -> _Parts:
    """Bounds of log(m1 / m0); over an interval of p, of all that is possible at any p of it."""
    if (high > low).any():
        sides = [_gap_at(tables, _widest(tables, low, high, side)) for side in range(2)]
        t = Trimmed(*(np.stack([a[0], b[1]]) for a, b in zip(*sides, strict=True)))
    else:
        t = _gap_of(here, low, _whole_mean(tables))
    return _parts(t, sd, np.zeros(low.shape, np.bool_))


def _widest(tables: LawTables, low: FloatArray, high: FloatArray, side: int) -> FloatArray:
    """The p at which the gap's bound on this side is furthest out, by ever closer places."""
    begin, end = low, high
    rows = np.arange(low.size)
    for _ in range(_ROUNDS):
        at = begin + (end - begin) * np.linspace(0.0, 1.0, _PLACES)[:, None]
        gap = _gap_at(tables, at.ravel()).value[side].reshape(at.shape)
        gap = np.where(np.isnan(gap), -math.inf, gap if side else -gap)
        best = gap.argmax(axis=0)
        widest = at[best, rows]
        begin, end = at[np.maximum(best - 1, 0), rows], at[np.minimum(best + 1, _PLACES - 1), rows]
    return np.asarray(widest)


def _gap_at(tables: LawTables, p: FloatArray) -> Trimmed:
    mean = trimmed_payoffs(tables, p, count=1)
    return _gap_of(Trimmed(*(x[:, 0] for x in mean)), p, _whole_mean(tables))


def _whole_mean(tables: LawTables) -> float:
    return float(trimmed_payoffs(tables, np.ones(1), count=1).value[0, 0, 0])


def _gap_of(mean: Trimmed, p: FloatArray, whole: float) -> Trimmed:
    """The gap's bounds: m1 at each of its own, m0 with it; NaN where a state has no probability.

    NaN, too, where a mean is not above 0, as rounding leaves one beside a law of absurd width.
    ``whole`` is the law's own mean over the forward: 1, but for negative parts taken out.
    """
    p = np.where((p > 0.0) & (p < 1.0), p, math.nan)
    m1 = np.where(mean.value > 0.0, mean.value, math.nan)
    m0 = (whole - p * m1) / (1.0 - p)
    m0 = np.where(m0 > 0.0, m0, math.nan)
    steep = 1.0 / m1 + p / ((1.0 - p) * m0)
    by_mass = mean.by_mass * steep + (m1 - m0) / ((1.0 - p) * m0)
    return Trimmed(np.log(m1 / m0), by_mass, mean.beyond * steep, mean.error * steep, 0.0 * m1)


def _nothing(P: FloatArray, n_levels: int, n_payoffs: int, status: Status) -> OutcomeBounds:
    def blank(*more: int) -> Bound:
        a, b, c, d, e, f, g, h = np.full((8, *P.shape, *more), math.nan)
        return Bound(a, b, c, d, e, f, g, h, np.zeros((*P.shape, *more), np.bool_))

    def state() -> StateBounds:
        return StateBounds(blank(), blank(), blank(), blank(n_levels), blank(n_payoffs))

    return OutcomeBounds(P, state(), state(), blank(), math.nan, math.nan, status)
