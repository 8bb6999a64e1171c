"""The stripped term structure at a size the reader chooses: its picture, and what a page needs.

What is left at size e is iv(e) = sqrt((w - others - e² c) / T), with w the market's total variance,
c the events of the kind looked at before each expiry and ``others`` the fitted variance of the
other kinds. An expiry that holds less than that has no volatility. :func:`stripped` draws the
first picture; the page's script, ``report/premium_slider.js``, has the same line for the rest.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from bokeh.plotting import figure

from eventtape.arrays import FloatArray
from eventtape.estimators.premium.day_weights import YEAR_DAYS
from eventtape.estimators.premium.ridges import event_counts, events_at
from eventtape.figures import style
from eventtape.figures.premium_parts import (
    curve,
    event_lines,
    expiry_axis,
    headed,
    premium_frame,
    roomy,
    side_by_side,
)
from eventtape.studies.premium_rows import PremiumResult, PremiumRow

__all__ = ["STEP", "Slider", "slider_figure", "slider_of", "stripped"]

STEP = 0.0005  # of the slider


class Slider(NamedTuple):
    """What the slider moves and what it needs; arrays ``(n,)``, one value an expiry."""

    kinds: tuple[str, ...]
    variance: FloatArray  # total, of the market
    days: FloatArray
    column: FloatArray  # events of the kind before each expiry; of a ridge, its part of the sum
    others: FloatArray  # variance of the other kinds, as fitted; 0 where there are none
    size: float  # the estimate and its interval; NaN where it was refused
    lower: float
    upper: float
    start: float  # where the slider stands first
    most: float
    near: int  # row of the first expiry after the event


def slider_of(row: PremiumRow) -> Slider | None:
    """The slider of the event looked at, or None where no expiry includes it."""
    if row.focus is None or row.near < 0:
        return None
    term, found = row.term, row.found
    events = events_at([e.at_ns for e in row.events], [e.kind for e in row.events])
    kinds, counts = event_counts(term, events)
    if row.focus.kind not in kinds:
        return None
    column = counts[:, kinds.index(row.focus.kind)]
    names = found.kinds or (row.focus.kind,)
    if len(names) > 1:
        column = column / column[-1]
    others = _others(row, kinds, counts, names, found.size**2 * column)
    after = column > 0.0
    if not after.any():
        return None
    room = term.variance[after] / column[after]
    most = math.sqrt(float(room.min()))  # there the first expiry has nothing left
    most = max(1.1 * most, 1.2 * found.upper if math.isfinite(found.upper) else 0.0)
    start = next((s for s in (found.size, *(s.size for s in row.strips)) if math.isfinite(s)), 0.0)
    return Slider(
        names, term.variance, term.days, column, others, found.size, found.lower, found.upper,
        STEP * round(min(start, most) / STEP), most, row.near,
    )  # fmt: skip


def _others(
    row: PremiumRow,
    kinds: tuple[str, ...],
    counts: FloatArray,
    names: tuple[str, ...],
    own: FloatArray,
) -> FloatArray:
    """Variance of the kinds not looked at before each expiry ``(n,)``; 0 where none is known."""
    p, total = row.premium, np.zeros(counts.shape[0])
    for k, kind in enumerate(kinds):
        if kind in names or not counts[-1, k]:
            continue
        variance = float(p.variance[p.kinds.index(kind)])
        if not math.isfinite(variance):  # on a ridge of its own: what the fit leaves for it
            rest = (p.fitted_iv**2 - p.base_iv**2) * row.term.days / YEAR_DAYS - own
            return np.where(np.isfinite(rest), np.maximum(rest, 0.0), 0.0)
        total += max(variance, 0.0) * counts[:, k]
    return total


def stripped(slider: Slider, size: float, *, others: bool = True) -> FloatArray:
    """Volatility a year without events of this size, ``(n,)``; NaN where it takes more than all."""
    left = slider.variance - size**2 * slider.column - (slider.others if others else 0.0)
    clean: FloatArray = np.where(left >= 0.0, left, np.nan)
    return np.sqrt(clean / slider.days * YEAR_DAYS)


def slider_figure(
    row: PremiumRow, result: PremiumResult, slider: Slider, *, name: str = "stripped"
) -> figure:
    """The market's curve, the fit's without events, and the reader's, whose source has ``name``."""
    first = 100.0 * stripped(slider, slider.start)
    market, base = 100.0 * row.term.iv, 100.0 * row.premium.base_iv
    far = 1.5 * slider.upper if math.isfinite(slider.upper) else 0.7 * slider.most
    y = style.range_over(market, base, first, 100.0 * stripped(slider, far))
    fig = premium_frame(
        result,
        title=f"{headed(row)}\nwhat is left at the size chosen",
        height=style.WIDE,
        x=side_by_side(row.term),
        y=roomy(y),
        y_label="volatility, % a year",
    )
    expiry_axis(fig, row.term)
    curve(fig, "market", market, style.BLUE)
    curve(fig, "fit without events", base, style.SKY, dash="dotted")
    curve(fig, name, first, style.VERMILLION, label="at the size chosen")
    event_lines(fig, row)
    style.legend_below(fig, columns=2)
    return fig
