"""One law made ready for many trimmings: coefficients, running sums and slopes of its panels.

Made once a density; each function here then gives bounds for any number of masses r. In the arrays
of two rows the first is the lower bound, the second the upper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.density.fit import Density
from eventtape.estimators.pricing.terminal_law import TerminalLaw
from eventtape.estimators.states.bounds_frames import frame_payoffs
from eventtape.estimators.states.bounds_kernel import payoff_bounds, quantile_bounds
from eventtape.estimators.states.bounds_nodes import (
    NODES,
    POINTS,
    WAVES_OF,
    Panels,
    law_panels,
    smile_panels,
)
from eventtape.estimators.states.bounds_payoffs import Payoff
from eventtape.estimators.states.bounds_variance import variance_bounds

__all__ = ["LawTables", "Trimmed", "law_tables", "quantiles_at", "trimmed_payoffs", "variances"]

_SIGNS = (-1.0) ** np.arange(POINTS)
_ORDER = np.arange(POINTS)
_STEEP = 0.5 * _ORDER * (_ORDER + 1.0)  # P_l'(1)
_POINTS = np.concatenate([[-1.0], NODES, [1.0]])


class Trimmed(NamedTuple):
    """Bounds ``(2, ..., n)`` at n masses, and what their errors are made of.

    - ``value``; ``by_mass``: its derivative in the mass; ``beyond``: the part beyond the quotes, in
      the value's units; ``error``: standard error from the smile; ``by_forward``: from the
      forward, of the law at fixed strikes.
    """

    value: FloatArray
    by_mass: FloatArray
    beyond: FloatArray
    error: FloatArray
    by_forward: FloatArray


class LawTables(NamedTuple):
    """The panels, k of them, in the form the kernels take.

    - ``density`` ``(k, 12)``: coefficients; ``total`` ``(k + 1,)``: mass up to each edge.
    - ``payoffs``: E over F first, then those asked for, then minus each (for the lower bounds):
      ``g`` ``(q, k, 14)``, coefficients ``waves`` and, times f, ``product``;
      ``span`` ``(q, k, 2)``, least and largest of each panel; ``rising``.
    - ``moments`` ``(3, k, 12)`` and ``totals`` ``(3, k + 1)``: of f, y f, y^2 f.
    - ``quoted`` ``(2,)``: y where quotes end (infinite for a law that is known); ``quoted_panels``;
      ``outside``: mass and E[S / F] beyond each; ``at_edges``: S / F, g, slope at each.
    - ``slopes`` ``(k, 12, m + 1)`` and their sums over panels, times 1, y, y^2 and each payoff.
    """

    forward: float
    tau: float
    negative_mass: float
    gap: float
    edges: FloatArray
    y: FloatArray
    density: FloatArray
    total: FloatArray
    g: FloatArray
    waves: FloatArray
    product: FloatArray
    span: FloatArray
    rising: FloatArray
    moments: FloatArray
    totals: FloatArray
    quoted: FloatArray
    quoted_panels: FloatArray
    outside: FloatArray
    at_edges: FloatArray
    slopes: FloatArray
    slope_sums: FloatArray
    payoff_slope_sums: FloatArray
    slope_totals: FloatArray


def law_tables(law: Density | TerminalLaw, payoffs: Sequence[Payoff]) -> LawTables | None:
    """The tables of a law, or None where a fitted smile is none."""
    F = float(law.forward)
    corners = [x for payoff in payoffs for x in payoff.corners]
    amounts = _checked(payoffs, F)
    ends = np.array(law.tails[:2] if isinstance(law, Density) else (0.0, math.inf))
    with np.errstate(divide="ignore"):
        quoted = np.log(ends / F)
        marks = np.log(np.concatenate([np.asarray(corners, np.float64), ends]) / F)
    panels: Panels | None
    if isinstance(law, Density):
        panels = smile_panels(law.smile, marks, amounts)
    else:
        panels = law_panels(law, marks, amounts)
    return None if panels is None else _tables(panels, F, float(law.tau), quoted)


def _checked(payoffs: Sequence[Payoff], F: float) -> Callable[[FloatArray], FloatArray]:
    """Amounts ``(q, ...)`` of all payoffs at prices over F."""

    def pays(x: FloatArray) -> FloatArray:
        S, out = F * x, np.empty((len(payoffs), *x.shape))
        for row, payoff in zip(out, payoffs, strict=True):
            g = np.asarray(payoff.amounts(S), np.float64)
            if g.shape != x.shape:
                raise InputError(f"amounts of shape {x.shape}, as the prices", met=g.shape)
            row[...] = g
        if not np.isfinite(out).all():
            raise InputError("finite amounts at every price", met=float(out[~np.isfinite(out)][0]))
        return out

    return pays


def _tables(panels: Panels, F: float, tau: float, quoted: FloatArray) -> LawTables:
    edges, y, f = panels.edges, panels.y, panels.density
    half = 0.5 * np.diff(edges)
    k = half.size
    S = np.exp(y)
    g = np.concatenate([S[None], panels.values])
    q, waves = g.shape[0], g @ WAVES_OF.T
    framed, span = np.empty((2 * q, k, POINTS + 2)), np.empty((2 * q, k, 2))
    rising = np.empty(2 * q)
    frame_payoffs(g, waves, framed, span, rising)
    waves, product = _both(waves), _both((g * f) @ WAVES_OF.T)
    moments = np.stack([f, y * f, y * y * f]) @ WAVES_OF.T
    parts = 2.0 * half * moments[:, :, 0]
    totals = np.concatenate([np.zeros((3, 1)), np.cumsum(parts, axis=1)], axis=1)
    growth = 2.0 * half * ((S * f) @ WAVES_OF[0])
    ends = np.clip(np.searchsorted(edges, quoted), 0, k)  # both are edges, or beyond them
    outside = np.array(
        [
            [parts[0, : ends[0]].sum(), growth[: ends[0]].sum()],
            [parts[0, ends[1] :].sum(), growth[ends[1] :].sum()],
        ]
    )
    # Slopes at the edges are those of the panels within the quotes
    a, b = min(int(ends[0]), k - 1), max(int(ends[1]) - 1, 0)
    at = np.exp(edges[[a, b + 1]])
    steep = np.stack(
        [
            -(waves[:, a] * _SIGNS) @ _STEEP / half[a] / at[0],
            waves[:, b] @ _STEEP / half[b] / at[1],
        ],
        axis=1,
    )
    value = np.stack([framed[:, a, 0], framed[:, b, -1]], axis=1)
    at_edges = np.stack([np.broadcast_to(at, value.shape), value, steep], axis=2)
    slopes = panels.slopes
    by_power = np.stack([np.ones_like(y), y, y * y])
    slope_sums = np.einsum("hkj,kjm->hkm", by_power, slopes)
    payoff_slope_sums = _both(np.matmul(g.swapaxes(0, 1), slopes).swapaxes(0, 1))
    return LawTables(
        F, tau, panels.negative_mass, panels.gap, edges, np.ascontiguousarray(y),
        np.ascontiguousarray(moments[0]), totals[0].copy(), framed, waves,
        product, span, rising, moments, totals, quoted, ends.astype(np.float64),
        outside, np.ascontiguousarray(at_edges), slopes, slope_sums,
        payoff_slope_sums,
        np.concatenate([np.zeros((1, slopes.shape[2])), np.cumsum(slope_sums[0], axis=0)]),
    )  # fmt: skip


def _both(of_payoffs: FloatArray) -> FloatArray:
    """What belongs to payoffs ``(q, ...)``, then to the negative of each."""
    return np.concatenate([of_payoffs, -of_payoffs])


def trimmed_payoffs(t: LawTables, masses: FloatArray, *, count: int | None = None) -> Trimmed:
    """Bounds ``(2, q, n)`` of S / F and of the payoffs; of the first ``count`` of them only."""
    q = t.g.shape[0] // 2
    count = q if count is None else count
    pick = slice(None) if count == q else np.r_[0:count, q : q + count]
    g, waves, product = t.g[pick], t.waves[pick], t.product[pick]
    out = np.empty((5, g.shape[0], masses.size))
    payoff_bounds(
        masses, _POINTS, WAVES_OF, t.edges, t.density, t.total, t.quoted_panels, t.outside, g,
        waves, product, t.span[pick], t.rising[pick], t.at_edges[pick], t.slopes, t.slope_sums[0],
        t.payoff_slope_sums[pick], out,
    )  # fmt: skip
    out = out.reshape(5, 2, count, masses.size)[:, ::-1].copy()
    out[[0, 1, 4], 0] = 0.0 - out[[0, 1, 4], 0]  # no -0.0
    value, level, beyond, variance, by_forward = out
    return Trimmed(value, (level - value) / masses, beyond, np.sqrt(variance), by_forward)


def quantiles_at(
    t: LawTables, levels: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Log prices over F with that much below them, density there, errors from smile and forward.

    Any shape.
    """
    out = np.empty((4, levels.size))
    quantile_bounds(
        np.ascontiguousarray(levels.ravel()), WAVES_OF, t.edges, t.density, t.total, t.slopes,
        t.slope_totals, out,
    )  # fmt: skip
    y, f, variance, by_forward = out.reshape(4, *levels.shape)
    return y, f, np.sqrt(variance), by_forward


def variances(t: LawTables, masses: FloatArray) -> Trimmed:
    """Bounds ``(2, n)`` of the variance of log S, not annualised; the forward does not move it."""
    out = np.empty((4, 2, masses.size))
    variance_bounds(
        masses, WAVES_OF, t.edges, t.y, t.moments, t.totals, t.quoted, t.outside, t.slopes,
        t.slope_sums, out,
    )  # fmt: skip
    value, level, beyond, variance = out
    return Trimmed(value, (level - value) / masses, beyond, np.sqrt(variance), 0.0 * value)
