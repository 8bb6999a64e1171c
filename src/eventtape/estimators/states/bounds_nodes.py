r"""A law of the price as panels of polynomials, on which trimmed expectations are sums.

With y = log(S / F) and f(y) its density, the line is cut into panels on which f, and f times each
payoff, is a polynomial of degree 11 through 12 Gauss-Legendre points, to 1e-11 of its peak. Panels
end at the edges of the quotes, at the smile's own corners and at those of the payoffs, and are
halved until the last Legendre coefficients are that small. An integral up to any point is then a
sum of panels and one polynomial: nothing is integrated again when p moves.

Where f < 0 a fitted density has arbitrage and no law p f1 <= f exists; there f is set to 0, the
rest divided by its mass, and ``negative_mass`` says how much it was.

Slopes of f in the smile's coefficients are turned by H (H' H their covariance), so that a bound
with slope s in f has variance \|H s\|^2. One row more is the forward's: f moves by -f'(y) d log F.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.estimators.density.breeden_litzenberger import Smile, law_of_smile
from eventtape.estimators.density.density_quantities_nodes import (
    law_at,
    quote_edges,
    stretch_ends,
)
from eventtape.estimators.density.smile_columns import PLACES, smile_places, smile_sum
from eventtape.estimators.pricing.terminal_law import TerminalLaw

__all__ = ["POINTS", "WAVES_OF", "Panels", "law_panels", "smile_panels"]

POINTS = 12
NODES, WEIGHTS = np.polynomial.legendre.leggauss(POINTS)
_ORDER = np.arange(POINTS)
WAVES_OF = (_ORDER + 0.5)[:, None] * WEIGHTS * np.polynomial.legendre.legvander(NODES, POINTS - 1).T
_SLOPES_OF = (  # derivative at the nodes, from values at the nodes
    np.stack(
        [
            np.polynomial.legendre.legval(NODES, np.polynomial.legendre.legder(row))
            for row in np.eye(POINTS)
        ],
        axis=1,
    )
    @ WAVES_OF
)
_FIRST_PANELS, _MOST_PANELS, _ROUNDS = 24, 4000, 14
_TOLERANCE = 1e-11
_NEAR, _SAME, _REAL = 1e-5, 1e-12, 1e-6
_DEVIATIONS = 10.0
_FAR = 1e3
_TAIL, _FURTHER, _FAR_VOLS = 1e-10, 0.6, 40
_ROOT_2PI = math.sqrt(2.0 * math.pi)
_HIGHEST = 300.0  # log of the highest price over the forward whose square a float holds, twice over

Payoffs = Callable[[FloatArray], FloatArray]  # e^y of any shape to amounts (q, ...)


class Panels(NamedTuple):
    """The law of y = log(S / F): ``k`` panels of 12 points.

    - ``edges`` ``(k + 1,)``; ``y``, ``density`` ``(k, 12)``; ``values`` ``(q, k, 12)`` of payoffs.
    - ``slopes`` ``(k, 12, m + 1)``: of the density times the weight of a point, in as many
      independent standard errors; the last is the forward's.
    - ``negative_mass``; ``gap``: how far mass and mean on the panels are from 1, the larger.
    """

    edges: FloatArray
    y: FloatArray
    density: FloatArray
    values: FloatArray
    slopes: FloatArray
    negative_mass: float
    gap: float


def smile_panels(smile: Smile, corners: FloatArray, payoffs: Payoffs) -> Panels | None:
    """Panels of a fitted smile's law, or None where its volatility is not positive throughout.

    None, too, where it is so high that the law reaches e^300 times the forward.
    ``corners`` in log moneyness; ``payoffs`` from e^y to the amounts of each.
    """
    v0, q = smile.reference, smile.coefficients
    if not (q.size and np.isfinite(q).all()):
        return None

    def law(y: FloatArray) -> FloatArray:
        x = y.ravel() / v0
        place, sums, out = np.empty((PLACES, x.size)), np.empty((3, x.size)), np.empty((3, x.size))
        smile_places(x, smile.centre, smile.half, place)
        smile_sum(place, smile.half, q, sums)
        law_of_smile(np.exp(np.minimum(y.ravel(), _HIGHEST)), x, v0, sums, out)
        return out

    ends = stretch_ends(smile)
    wings = v0 * _FAR * np.array([-1.0, 1.0])
    seen = np.concatenate([wings, np.linspace(ends[0], ends[1], 200), [0.0]])
    v = law(seen)[0]
    if not np.isfinite(v).all():
        return None
    left, right = v[seen <= 0.0].max(), v[seen >= 0.0].max()
    low, high = -left * (_DEVIATIONS + 0.5 * left), right * (_DEVIATIONS + right)
    if max(-low, high) > _HIGHEST:
        return None
    edges, y, f, g = _refined(
        lambda at: law(at)[1].reshape(at.shape) * np.exp(at),
        _edges(low, high, corners, payoffs, quote_edges(smile)),
        payoffs,
    )
    if not np.isfinite(f).all():
        return None
    slope = law_at(smile, y.ravel()).density_slope
    turned = (smile.factor @ slope).reshape(-1, *y.shape)
    return _panels(edges, y, f, g, turned, smile.forward_error / smile.forward)


def law_panels(law: TerminalLaw, corners: FloatArray, payoffs: Payoffs) -> Panels:
    """Panels of a known law of the price; its slopes are none."""
    F = law.forward
    v = _ROOT_2PI * float(law.call(F)) / F  # at the money, roughly a total volatility
    far = v * np.linspace(-_FAR_VOLS, _FAR_VOLS, 4 * _FAR_VOLS + 1)
    below = np.asarray(law.cdf(F * np.exp(far)))
    low = (1.0 + _FURTHER) * far[below <= _TAIL].max(initial=far[0])
    high = (1.0 + _FURTHER) * far[below >= 1.0 - _TAIL].min(initial=far[-1])

    def density(y: FloatArray) -> FloatArray:
        S = F * np.exp(y)
        return np.asarray(law.pdf(S.ravel()).reshape(y.shape) * S)

    edges, y, f, g = _refined(density, _edges(low, high, corners, payoffs), payoffs)
    return _panels(edges, y, f, g, np.empty((0, *y.shape)), 0.0)


def _edges(
    low: float,
    high: float,
    corners: FloatArray,
    payoffs: Payoffs,
    bends: FloatArray | None = None,
) -> FloatArray:
    """Where panels end at first: evenly, at corners and where payoffs turn; by these nowhere else.

    A panel of no width would have slopes of rounding only; a payoff that turns between two points
    of a panel would hide its least or largest value.
    """
    other = np.linspace(low, high, _FIRST_PANELS + 1)
    if bends is not None:
        other = np.unique(np.append(other, bends[(bends > low) & (bends < high)]))
    near = _NEAR * (high - low)
    inner = np.unique(corners[(corners > low + near) & (corners < high - near)])
    inner = inner[np.diff(inner, prepend=low) > _SAME * (high - low)]
    if inner.size:
        i = np.searchsorted(inner, other)
        gap = np.minimum(
            np.abs(other - inner[np.maximum(i - 1, 0)]),
            np.abs(other - inner[np.minimum(i, inner.size - 1)]),
        )
        other = other[gap > near]
    edges = np.union1d(other, inner)
    turns = _turning_points(edges, payoffs, near)
    return np.union1d(edges, turns) if turns.size else edges


def _turning_points(edges: FloatArray, payoffs: Payoffs, near: float) -> FloatArray:
    """Where a payoff has an extreme inside a panel, no nearer to its edges than ``near``."""
    found = [np.empty(0)]
    half, middle = 0.5 * np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    S = np.exp(middle[:, None] + half[:, None] * NODES)
    g = payoffs(S)
    moves = np.diff(g, axis=2)
    slack = _SAME * np.abs(g).max(axis=(1, 2), initial=0.0)[:, None, None]
    for b, j in np.argwhere((moves > slack).any(axis=2) & (moves < -slack).any(axis=2)):
        slope = np.polynomial.legendre.legder(WAVES_OF @ g[b, j])
        roots = np.polynomial.legendre.legroots(slope)
        s = roots.real[np.abs(roots.imag) < _REAL]
        found.append(middle[j] + half[j] * s[np.abs(s) < 1.0 - near / half[j]])
    return np.concatenate(found)


def _refined(
    density: Callable[[FloatArray], FloatArray],
    edges: FloatArray,
    payoffs: Payoffs,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Edges, points, density and payoffs there, once every panel is a polynomial."""
    left, right = edges[:-1], edges[1:]
    done: list[tuple[FloatArray, ...]] = []
    count, peak = 0, np.zeros(1)
    for turn in range(_ROUNDS):
        y = 0.5 * (left + right)[:, None] + 0.5 * (right - left)[:, None] * NODES
        S = np.exp(y)
        f = density(y)
        g = payoffs(S)
        whole = np.concatenate([f[None], g * f])
        peak = np.maximum(peak, np.abs(whole).reshape(whole.shape[0], -1).max(axis=1))
        last = np.abs(whole @ WAVES_OF[-2:].T)
        good = (last <= _TOLERANCE * peak[:, None, None]).all(axis=(0, 2))
        if turn == _ROUNDS - 1 or count + 2 * good.size > _MOST_PANELS:
            good[:] = True
        done.append((left[good], right[good], y[good], f[good], np.moveaxis(g, 0, 1)[good]))
        if good.all():
            break
        count += int(good.sum())
        middle = 0.5 * (left + right)[~good]
        left, right = (
            np.concatenate([left[~good], middle]),
            np.concatenate([middle, right[~good]]),
        )
    left, right, y, f, g = (np.concatenate(column) for column in zip(*done, strict=True))
    order = np.argsort(left)
    g = np.ascontiguousarray(np.moveaxis(g[order], 0, 1))
    return np.append(left[order], right[order][-1]), y[order], f[order], g


def _panels(
    edges: FloatArray,
    y: FloatArray,
    f: FloatArray,
    g: FloatArray,
    turned: FloatArray,
    forward_error: float,
) -> Panels:
    """The panels put together: negative parts out, slopes of what is left."""
    half = 0.5 * np.diff(edges)[:, None]
    weights = half * WEIGHTS
    whole = f * weights
    gap = max(abs(float(whole.sum()) - 1.0), abs(float((whole * np.exp(y)).sum()) - 1.0))
    shifted = -forward_error * (f @ _SLOPES_OF.T) / half
    slopes = np.concatenate([turned, shifted[None]])
    below = f < 0.0
    negative = -float(whole[below].sum()) if below.any() else 0.0
    if negative:
        f, slopes = np.where(below, 0.0, f), np.where(below, 0.0, slopes)
        mass = float((f * weights).sum())
        change = (slopes * weights).sum(axis=(1, 2)) / mass
        f = f / mass
        slopes = slopes / mass - change[:, None, None] * f
    slopes = np.ascontiguousarray(np.moveaxis(slopes * weights, 0, 2))
    return Panels(edges, y, f, g, slopes, negative, gap)
