"""The term structure with its kink, what is left without the events, and where the variance is."""

from __future__ import annotations

import math

import numpy as np
from bokeh.plotting import figure
from scipy.special import ndtri

from eventtape.arrays import FloatArray
from eventtape.estimators.premium.day_weights import YEAR_DAYS
from eventtape.estimators.premium.named import strip_table
from eventtape.estimators.premium.term_structure import TermStructure
from eventtape.figures import style
from eventtape.figures.premium_parts import (
    curve,
    event_lines,
    expiry_axis,
    expiry_names,
    headed,
    premium_frame,
    refuse,
    roomy,
    runs,
    share_text,
    side_by_side,
)
from eventtape.studies.premium_rows import PremiumResult, PremiumRow

__all__ = ["STEP", "bucket_figure", "strip_figure", "term_figure"]

STEP = 0.01  # of a size: the strip is drawn at the estimate and a point to either side
_TALL = style.WIDE + 60


def term_figure(row: PremiumRow, result: PremiumResult) -> figure:
    """Market volatility with its errors, as fitted, and without the events; percent a year."""
    term, p, level = row.term, row.premium, result.config.level
    reach = float(ndtri(0.5 + 0.5 * level)) * term.error
    iv, half = 100.0 * term.iv, 100.0 * reach
    base, low, high, fitted = (
        100.0 * v for v in (p.base_iv, p.base_lower, p.base_upper, p.fitted_iv)
    )
    fig = premium_frame(
        result,
        title=f"{headed(row)}\nvolatility to each expiry, {level:.0%} intervals",
        height=_TALL,
        x=side_by_side(term),
        y=roomy(style.range_over(iv - half, iv + half, base, low, high, fitted)),
        y_label="volatility, % a year",
        tools=True,
    )
    expiry_axis(fig, term)
    at = np.arange(iv.size, dtype=np.float64)
    known = np.isfinite(low) & np.isfinite(high)
    for k, part in enumerate(runs(known)):
        data = style.source(f"base band {k}", x=at[part], low=low[part], high=high[part])
        fig.varea("x", "low", "high", source=data, color=style.GREEN, fill_alpha=0.22)
    curve(fig, "without events", base, style.GREEN)
    curve(fig, "fitted", fitted, style.ORANGE, dash="dashed")
    data = style.source(
        "market",
        x=at,
        y=iv,
        low=iv - half,
        high=iv + half,
        expiry=expiry_names(term),
        days=term.days,
        said=[share_text(v) for v in term.iv],
        error=[share_text(v) for v in reach],
        without=[share_text(v) for v in p.base_iv],
    )
    fig.segment("x", "low", "x", "high", source=data, color=style.BLUE, line_width=2)
    dots = fig.scatter("x", "y", source=data, size=7, color=style.BLUE, **style.labelled("market"))
    tips = [
        ("expiry", "@expiry"), ("days", "@days{0.00}"), ("market", "@said ± @error"),
        ("without events", "@without"),
    ]  # fmt: skip
    style.add_hover(fig, [dots], tips)
    event_lines(fig, row)
    if not known.any():
        refuse(fig, p.reason or str(p.status))
    style.legend_below(fig, columns=3)
    return fig


def strip_figure(row: PremiumRow, result: PremiumResult) -> figure:
    """The market's volatility, and less one event at the table's size and a point to either side.

    A curve stops at an expiry that holds less variance than the size takes.
    """
    term, focus = row.term, row.focus
    after = np.zeros(term.iv.size, np.bool_) if focus is None else term.expiries_ns > focus.at_ns
    size = row.strips[0].size if row.strips else math.nan
    steps = (-1, 0, 1) if after.any() and math.isfinite(size) else ()
    curves = {
        k: 100.0 * strip_table(term, after, size + k * STEP).stripped_iv
        for k in steps
        if 0.0 <= size + k * STEP < 1.0
    }
    name = "no event" if focus is None else f"one {focus.kind}"
    fig = premium_frame(
        result,
        title=f"{headed(row)}\nless {name}, at three sizes",
        height=_TALL,
        x=side_by_side(term),
        y=roomy(style.range_over(100.0 * term.iv, *curves.values())),
        y_label="volatility, % a year",
        tools=True,
    )
    expiry_axis(fig, term)
    curve(fig, "market", 100.0 * term.iv, style.BLUE)
    looks = {-1: (style.SKY, "dotted"), 0: (style.GREEN, "solid"), 1: (style.ORANGE, "dashed")}
    for k, left in curves.items():
        colour, dash = looks[k]
        curve(fig, f"less {share_text(size + k * STEP)}", left, colour, dash=dash)
    event_lines(fig, row)
    if not curves:
        refuse(fig, row.reason or str(row.status))
    style.legend_below(fig, columns=2)
    return fig


def bucket_figure(row: PremiumRow, result: PremiumResult) -> figure:
    """Variance a day between one expiry and the next, %², with the events' share on top.

    A bar below zero is a base that falls from one expiry to the next: it is drawn, not hidden.
    """
    term, p = row.term, row.premium
    days = np.diff(term.days, prepend=0.0)
    market, base, both = (_a_day(iv, term, days) for iv in (term.iv, p.base_iv, p.fitted_iv))
    total = 2e4 * term.iv * term.error * term.days / YEAR_DAYS
    error = np.hypot(total, np.r_[0.0, total[:-1]]) / days
    fig = premium_frame(
        result,
        title=f"{headed(row)}\nvariance a day between expiries",
        height=_TALL,
        x=style.Limits(-1.05, term.iv.size - 0.4),
        y=roomy(style.range_over(market, base, both, include=[0.0])),
        y_label="variance a day, %²",
        tools=True,
    )
    expiry_axis(fig, term)
    style.add_zero(fig)
    known = np.isfinite(both - base)
    columns = {
        "x": np.arange(days.size) - 0.5,  # from the expiry before to its own
        "until": expiry_names(term),
        "days": days,
        "base": base,
        "both": both,
        "share": both - base,
        "market": market,
        "low": market - error,
        "high": market + error,
    }
    data = style.source("buckets", **columns)
    bars = fig.vbar(
        "x", 0.92, "base", 0.0, source=data, color=style.GREEN, fill_alpha=0.7,
        **style.labelled("without events", when=known.any()),
    )  # fmt: skip
    rest = fig.vbar(
        "x", 0.92, "both", "base", source=data, color=style.VERMILLION, fill_alpha=0.8,
        **style.labelled("events", when=known.any()),
    )  # fmt: skip
    fig.segment("x", "low", "x", "high", source=data, color=style.BLUE, line_width=2)
    dots = fig.scatter(
        "x", "market", source=data, size=6, color=style.BLUE, **style.labelled("market, ± 1 sd")
    )
    tips = [
        ("until", "@until"), ("days", "@days{0.00}"), ("market", "@market{0.00} %² a day"),
        ("without events", "@base{0.00}"), ("events", "@share{0.00}"),
    ]  # fmt: skip
    style.add_hover(fig, [bars, rest, dots], tips)
    event_lines(fig, row)
    if not known.any():
        refuse(fig, p.reason or str(p.status))
    style.legend_below(fig, columns=3)
    return fig


def _a_day(iv: FloatArray, term: TermStructure, days: FloatArray) -> FloatArray:
    """Variance a day between expiries, %², of volatilities a year."""
    a_day: FloatArray = 1e4 * np.diff(iv**2 * term.days / YEAR_DAYS, prepend=0.0) / days
    return a_day
