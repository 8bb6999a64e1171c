"""The premium through time: with a fixed and a moving base, beside the odds, and the spread.

Where nothing was quoted the ground is grey and every line is broken: a straight line over a hole
would look like quotes.
"""

from __future__ import annotations

import math

import numpy as np
from bokeh.models import LinearAxis, Range1d
from bokeh.models.annotations import BoxAnnotation, Span
from bokeh.plotting import figure

from eventtape.arrays import FloatArray, IntArray, Status
from eventtape.estimators.premium.odds_link import Correlation
from eventtape.estimators.premium.premium_history import Gaps, History
from eventtape.figures import style
from eventtape.figures.premium_parts import (
    day_text,
    headed,
    premium_frame,
    refuse,
    runs,
    share_text,
)
from eventtape.figures.smile import TRUTH
from eventtape.figures.words import plain
from eventtape.studies.premium_rows import (
    OddsTogether,
    PremiumResult,
    PremiumRow,
    PremiumSeries,
    Spread,
)

__all__ = ["changes_figure", "history_figure", "odds_figure", "spread_figure", "time_span"]

_HOUR_MS = 3.6e6


def time_span(ts_ns: IntArray) -> Range1d:
    """From the first time to the last, milliseconds, with room to either side."""
    at = ts_ns / 1e6 if ts_ns.size else np.zeros(1)
    room = 0.03 * float(at[-1] - at[0]) or _HOUR_MS
    return Range1d(start=float(at[0]) - room, end=float(at[-1]) + room)


def history_figure(row: PremiumRow, series: PremiumSeries, result: PremiumResult) -> figure:
    """The size of the event at each time, percent: by a base held fixed, and by each time's own."""
    both = ((series.fixed, "fixed base", style.ORANGE), (series.dynamic, "moving base", style.BLUE))
    ends = [100.0 * v for h, _, _ in both for v in (h.size, h.lower, h.upper)]
    truth = np.zeros(0) if row.truth is None else 100.0 * row.truth.size
    y = style.range_over(*ends, 100.0 * series.fitted.size, truth, include=[0.0])
    said = f"size by {day_text(series.expiry_ns)}, {result.config.level:.0%} bands"
    fig = premium_frame(
        result,
        title=f"{headed(row)}\n{said}",
        height=style.WIDE,
        x=time_span(series.dynamic.ts_ns),
        y=style.Limits(max(y.low, -1.0) - (0.08 * (y.high - y.low)), y.high),
        y_label="one sd of the move, %",
        tools=True,
    )
    _clock(fig)
    style.add_zero(fig)
    for start, end in zip(series.gaps.start_ns, series.gaps.end_ns, strict=True):
        _ground(fig, int(start), int(end), style.INK, "gap", 0.15)
    for history, name, colour in both:
        _history(fig, history, series.gaps, name, colour)
    _fitted(fig, series)
    if row.truth is not None:
        data = style.source("true size", x=row.truth.times_ns / 1e6, y=truth)
        name = f"simulated truth, {row.truth.kind}"
        fig.line(
            "x", "y", source=data, color=TRUTH, line_dash="dashed", line_width=2,
            **style.labelled(name, when=np.isfinite(truth).any()),
        )  # fmt: skip
    if row.focus is not None:
        _upright(fig, row.focus.at_ns, "event")
    if not np.isfinite(np.concatenate([h.size for h, _, _ in both])).any():
        refuse(fig, series.dynamic.reason or str(series.dynamic.status))
    style.legend_below(fig, columns=2)
    return fig


def odds_figure(row: PremiumRow, odds: OddsTogether, result: PremiumResult) -> figure:
    """Premium (left, percent) and odds (right) through time; ground where the two parted."""
    level = _words(None if odds.link is None else odds.link.levels, odds)
    fig = premium_frame(
        result,
        title=f"{headed(row)}\nlevels: {level}",
        height=style.WIDE,
        x=time_span(odds.ts_ns),
        y=style.range_over(100.0 * odds.premium),
        y_label="one sd of the move, %",
        tools=True,
    )
    _clock(fig)
    right = style.range_over(odds.odds)
    fig.extra_y_ranges = {"odds": Range1d(start=max(right.low, -0.05), end=min(right.high, 1.05))}
    fig.add_layout(LinearAxis(y_range_name="odds", axis_label="odds"), "right")
    if odds.apart is not None:
        for one in odds.apart.found:
            colour = style.VERMILLION if one.opposed else style.PURPLE
            _ground(fig, one.start_ns, one.end_ns, colour, "apart", 0.18)
    at = odds.ts_ns / 1e6
    data = style.source("premium", x=at, y=100.0 * odds.premium)
    line = fig.line(
        "x", "y", source=data, color=style.BLUE, line_width=2,
        **style.labelled("premium, left", when=np.isfinite(odds.premium).any()),
    )  # fmt: skip
    style.add_hover(fig, [line], [("size", "@y{0.00}%")], clock="x")
    data = style.source("odds", x=at, y=odds.odds)
    line = fig.line(
        "x", "y", source=data, color=style.ORANGE, line_width=2, line_dash="dashed",
        y_range_name="odds",
        **style.labelled(
            f"{plain(odds.label, 18) or 'odds'}, right", when=np.isfinite(odds.odds).any()
        ),
    )  # fmt: skip
    style.add_hover(fig, [line], [("odds", "@y{0.000}")], clock="x")
    if row.focus is not None:
        _upright(fig, row.focus.at_ns, "event")
    style.legend_below(fig, columns=2)
    return fig


def changes_figure(row: PremiumRow, odds: OddsTogether, result: PremiumResult) -> figure:
    """Changes of premium against changes of odds, points; what levels that wander cannot show."""
    step = 1 if odds.link is None else odds.link.change_rows
    dx = 100.0 * (odds.odds[step:] - odds.odds[:-step])
    dy = 100.0 * (odds.premium[step:] - odds.premium[:-step])
    seen = np.isfinite(dx) & np.isfinite(dy)
    found = _words(None if odds.link is None else odds.link.changes, odds)
    x, y = style.range_over(dx[seen], include=[0.0]), style.range_over(dy[seen], include=[0.0])
    over = "a step" if step == 1 else f"{step} steps"
    fig = premium_frame(
        result,
        title=f"{headed(row)}\nchanges: {found}",
        height=style.WIDE,
        x=x,
        y=y,
        x_label=f"change of the odds over {over}, points",
        y_label="change of the size, points",
    )
    style.add_zero(fig)
    style.add_zero(fig, "height")
    data = style.source("changes", x=dx[seen], y=dy[seen], t=odds.ts_ns[step:][seen] / 1e6)
    dots = fig.scatter("x", "y", source=data, size=6, color=style.BLUE, fill_alpha=0.6)
    tips = [("odds", "@x{+0.00}"), ("size", "@y{+0.00}")]
    style.add_hover(fig, [dots], tips, clock="t")
    if not seen.any():
        refuse(fig, odds.reason or "no two rows with both")
    return fig


def spread_figure(row: PremiumRow, spread: Spread, result: PremiumResult) -> figure:
    """Far less near volatility through time, points, its mean, and where it stands now."""
    h, values = spread.history, 100.0 * spread.spread
    ends = [100.0 * v for v in (h.mean, h.mean_lower, h.mean_upper)]
    place = f"now above {h.quantile:.0%} of it" if math.isfinite(h.quantile) else str(h.status)
    at = time_span(spread.ts_ns)
    pair = f"{day_text(spread.far_ns)} less {day_text(spread.near_ns)}"
    fig = premium_frame(
        result,
        title=f"{plain(row.label, 14)} {pair}\n{place}",
        height=style.NARROW + 40,
        x=at,
        y=style.range_over(values, ends),
        y_label="spread, vol points",
        tools=True,
    )
    _clock(fig)
    span = [at.start, at.end]
    if all(math.isfinite(v) for v in ends):
        data = style.source("mean band", x=span, low=[ends[1]] * 2, high=[ends[2]] * 2)
        fig.varea("x", "low", "high", source=data, color=style.GREEN, fill_alpha=0.2)
    data = style.source("mean", x=span, y=[ends[0]] * 2)
    name = "mean it returns to" if h.status is Status.OK else "mean of the sample"
    fig.line(
        "x", "y", source=data, color=style.GREEN, line_dash="dashed",
        **style.labelled(name, when=math.isfinite(ends[0])),
    )  # fmt: skip
    data = style.source("spread", x=spread.ts_ns / 1e6, y=values)
    line = fig.line(
        "x", "y", source=data, color=style.BLUE, line_width=2,
        **style.labelled("spread", when=np.isfinite(values).any()),
    )  # fmt: skip
    style.add_hover(fig, [line], [("spread", "@y{0.00}")], clock="x")
    last = np.flatnonzero(np.isfinite(values))[-1:]
    data = style.source("now", x=spread.ts_ns[last] / 1e6, y=values[last])
    fig.scatter("x", "y", source=data, size=9, color=style.VERMILLION,
                **style.labelled("now", when=last.size))  # fmt: skip
    if not last.size:
        refuse(fig, h.reason or str(h.status))
    style.legend_below(fig, columns=3)
    return fig


def _history(fig: figure, history: History, gaps: Gaps, name: str, colour: str) -> None:
    columns = (history.size, history.lower, history.upper)
    at, size, low, high = _broken(history.ts_ns, gaps, *(100.0 * v for v in columns))
    for k, part in enumerate(runs(np.isfinite(low) & np.isfinite(high))):
        data = style.source(f"{name} band {k}", x=at[part], low=low[part], high=high[part])
        fig.varea("x", "low", "high", source=data, color=colour, fill_alpha=0.18)
    said = [share_text(v / 100.0) for v in size]
    data = style.source(name, x=at, y=size, low=low, high=high, said=said)
    line = fig.line(
        "x", "y", source=data, color=colour, line_width=2,
        **style.labelled(name, when=np.isfinite(size).any()),
    )  # fmt: skip
    fig.scatter("x", "y", source=data, color=colour, size=4)
    tips = [(name, "@said"), ("interval", "@low{0.00} to @high{0.00}")]
    style.add_hover(fig, [line], tips, clock="x")


def _fitted(fig: figure, series: PremiumSeries) -> None:
    """The fit of each whole term structure, dots with their interval."""
    f = series.fitted
    known = np.isfinite(f.size)
    data = style.source(
        "fitted size",
        x=f.ts_ns[known] / 1e6,
        y=100.0 * f.size[known],
        low=100.0 * f.lower[known],
        high=100.0 * f.upper[known],
    )
    fig.segment("x", "low", "x", "high", source=data, color=style.GREEN, line_alpha=0.6)
    dots = fig.scatter(
        "x", "y", source=data, color=style.GREEN, size=6, marker="square",
        **style.labelled("fit of all expiries", when=known.any()),
    )  # fmt: skip
    tips = [("fit", "@y{0.00}%"), ("interval", "@low{0.00} to @high{0.00}")]
    style.add_hover(fig, [dots], tips, clock="x")


def _broken(ts_ns: IntArray, gaps: Gaps, *columns: FloatArray) -> tuple[FloatArray, ...]:
    """Times in milliseconds and the columns, with a row of NaN inside each gap."""
    middles = (gaps.start_ns // 2 + gaps.end_ns // 2).astype(np.int64)
    middles = middles[(middles > ts_ns[:1].max(initial=0)) & (middles < ts_ns[-1:].max(initial=0))]
    at = np.searchsorted(ts_ns, middles, side="right")
    times = np.insert(ts_ns, at, middles) / 1e6
    return times, *(np.insert(v, at, math.nan) for v in columns)


def _words(found: Correlation | None, odds: OddsTogether) -> str:
    if found is None:
        return str(odds.status)
    said = f"r {found.correlation:+.2f}" if math.isfinite(found.correlation) else "no r"
    if math.isfinite(found.lower):
        return f"{said} ({found.lower:+.2f} to {found.upper:+.2f})"
    return f"{said}, {found.status}"


def _clock(fig: figure) -> None:
    """The UTC axis; over weeks a tick is a day and its month, not the month alone."""
    style.utc_axis(fig)
    for axis in fig.xaxis:
        axis.formatter.update(months="%d %b")


def _ground(fig: figure, start: int, end: int, colour: str, name: str, alpha: float) -> None:
    fig.add_layout(
        BoxAnnotation(
            left=start / 1e6, right=end / 1e6, fill_color=colour, fill_alpha=alpha,
            line_color=None, level="underlay", name=name,
        )
    )  # fmt: skip


def _upright(fig: figure, at_ns: int, name: str) -> None:
    fig.add_layout(
        Span(location=at_ns / 1e6, dimension="height", line_color=style.INK, line_dash="dotted",
             name=name)
    )  # fmt: skip
