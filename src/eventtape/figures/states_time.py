"""The gap and the probability over time: what is possible, what was found, what was refused.

The sharp bounds are the band behind; the joint fit is a line in its band; each time's two
lognormals are a dot with its interval, and a cross at the foot where they were refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from bokeh.models import Range1d
from bokeh.plotting import figure
from scipy.special import ndtri

from eventtape.arrays import BoolArray, IntArray
from eventtape.figures import style
from eventtape.figures.smile import TRUTH
from eventtape.figures.states import COLOURS, headed, states_frame
from eventtape.figures.words import interval_text, percent_text, plain
from eventtape.studies.states_rows import BOUNDS, JOINT, GapSeries, StatesResult, StatesRow

__all__ = ["gap_path_figure", "pricing_figure", "snapshot_range"]

_HOUR_MS = 3.6e6


def snapshot_range(row: StatesRow) -> Range1d:
    """From the first snapshot to the last, milliseconds, with room to either side."""
    at = [s.at_ns / 1e6 for s in row.snapshots] or [0.0]
    room = max(0.03 * (at[-1] - at[0]), 0.0) or _HOUR_MS
    return Range1d(start=at[0] - room, end=at[-1] + room)


def gap_path_figure(
    row: StatesRow, result: StatesResult, *, x_range: Range1d | None = None
) -> figure:
    """The gap log(m1 / m0) in percent at each snapshot, by each rung that has one there."""
    shown = [s for s in row.gaps if np.isfinite(s.lower).any()]
    ends = [100.0 * x for s in shown if s.rung in {BOUNDS, JOINT} for x in (s.lower, s.upper)]
    truth = np.zeros(0) if row.truth is None else 100.0 * row.truth.gap
    y = style.range_over(*ends, *(100.0 * s.gap for s in shown), truth, include=[0.0])
    room = 0.08 * (y.high - y.low)
    foot = y.low - 0.3 * room
    y = style.Limits(foot - (2.8 if result.simulated else 1.4) * room, y.high)
    fig = states_frame(
        result,
        title=f"{headed(row, result)}\ngap over time; pale: all possible",
        height=style.WIDE,
        x=x_range or snapshot_range(row),
        y=y,
        y_label="gap, % of log price",
        tools=True,
    )
    _clock(fig)
    style.add_zero(fig)
    for series in sorted(shown, key=lambda s: s.rung != BOUNDS):
        _series(fig, series, result)
    for k, series in enumerate(s for s in row.gaps if s.rung != BOUNDS):
        _crosses(fig, series, foot - 0.6 * k * room)
    if truth.size:
        at = np.array([s.at_ns for s in row.snapshots]) / 1e6
        data = style.source("true gap", x=at, y=truth)
        fig.line(
            "x", "y", source=data, color=TRUTH, line_dash="dashed", line_width=2,
            **style.labelled("simulated truth"),
        )  # fmt: skip
    if not shown:
        style.add_refusal(fig, f"— {row.reason or 'no rung has a gap'}")
    style.legend_below(fig, columns=2)
    return fig


def pricing_figure(
    row: StatesRow, result: StatesResult, *, x_range: Range1d | None = None
) -> figure:
    """The probability as quoted, and the one that prices the options, with its band."""
    given, span = result.probability, x_range or snapshot_range(row)
    fit, reach = row.joint, float(ndtri(0.5 + 0.5 * result.config.level))
    at = row_times(row)[row.fitted] / 1e6
    middle = np.zeros(0) if fit is None else fit.probability
    error = np.zeros(0) if fit is None else reach * fit.probability_error
    low, high = np.clip(middle - error, 0.0, 1.0), np.clip(middle + error, 0.0, 1.0)
    quoted = np.array([s.p for s in row.snapshots])
    truth = np.zeros(0) if row.truth is None else row.truth.p
    y = style.range_over(quoted, [given.low, given.high], low, high, truth)
    room = 0.08 * (y.high - y.low) if result.simulated else 0.0
    fig = states_frame(
        result,
        title=f"{headed(row, result)}\n{plain(f'probability: {result.event}', 32)}",
        height=style.WIDE,
        x=span,
        y=style.Limits(max(y.low, -0.05) - room, min(y.high, 1.05)),
        y_label="probability",
        tools=True,
    )
    _clock(fig)
    _given(fig, result, span)
    _used(fig, row)
    kept = np.isfinite(middle)
    for k, part in enumerate(_runs(kept & np.isfinite(error))):
        data = style.source(f"pricing band {k}", x=at[part], low=low[part], high=high[part])
        fig.varea("x", "low", "high", source=data, color=style.GREEN, fill_alpha=0.25)
    if kept.any():
        data = style.source("pricing", x=at[kept], p=middle[kept], low=low[kept], high=high[kept])
        name = f"pricing, {result.config.level:.0%} band"
        line = fig.line(
            "x", "p", source=data, color=style.GREEN, line_width=2, **style.labelled(name)
        )
        tips = [("pricing", "@p{0.000}"), ("band", "@low{0.000} to @high{0.000}")]
        style.add_hover(fig, [line], tips, clock="x")
    if truth.size:
        data = style.source("true probability", x=row_times(row) / 1e6, y=truth)
        fig.line(
            "x", "y", source=data, color=TRUTH, line_dash="dashed", line_width=2,
            **style.labelled("simulated truth"),
        )  # fmt: skip
    style.legend_below(fig, columns=2)
    return fig


def row_times(row: StatesRow) -> IntArray:
    """The snapshots' times in ns ``(n,)``."""
    return np.array([s.at_ns for s in row.snapshots], np.int64)


def _clock(fig: figure) -> None:
    """The UTC axis; over weeks a tick is a day and its month, not the month alone."""
    style.utc_axis(fig)
    for axis in fig.xaxis:
        axis.formatter.update(months="%d %b")


def _series(fig: figure, series: GapSeries, result: StatesResult) -> None:
    colour, at = COLOURS.get(series.rung, style.PURPLE), series.times_ns / 1e6
    known = np.isfinite(series.lower) & np.isfinite(series.upper)
    alone = np.ones(known.size, np.bool_)
    for part in _runs(known):
        alone[part] = False
    banded = series.rung in {BOUNDS, JOINT}
    data = style.source(
        f"gap {series.rung}",
        alpha=np.where(alone[known], 0.6, 0.04) if banded else np.ones(known.sum()),
        x=at[known],
        gap=100.0 * series.gap[known],
        lower=100.0 * series.lower[known],
        upper=100.0 * series.upper[known],
        said=[percent_text(v) for v in series.gap[known]],
        interval=[
            interval_text(*x) for x in zip(series.lower[known], series.upper[known], strict=True)
        ],
    )
    tips = [("gap", "@said"), (f"{result.config.level:.0%}", "@interval"), ("rung", series.rung)]
    if banded:
        for k, part in enumerate(_runs(known)):
            band = style.source(
                f"{series.rung} band {k}", x=at[part],
                low=100.0 * series.lower[part], high=100.0 * series.upper[part],
            )  # fmt: skip
            fig.varea(
                "x", "low", "high", source=band, color=colour, fill_alpha=0.22,
                **style.labelled("sharp bounds", when=series.rung == BOUNDS),
            )  # fmt: skip
    only = series.rung == BOUNDS and bool(alone[known].all() and known.any())
    whiskers = fig.segment(
        "x", "lower", "x", "upper", source=data, color=colour,
        line_width=5 if series.rung == BOUNDS else 1.5,
        line_alpha="alpha",
        **style.labelled("sharp bounds", when=only),
    )  # fmt: skip
    if series.rung == BOUNDS:
        style.add_hover(fig, [whiskers], tips[1:], clock="x")
        return
    if banded:
        fig.line("x", "gap", source=data, color=colour, line_width=2)
    dots = fig.scatter(
        "x", "gap", source=data, color=colour, size=5 if banded else 7,
        marker="circle" if banded else "square", **style.labelled(series.rung, when=known.any()),
    )  # fmt: skip
    style.add_hover(fig, [dots], tips, clock="x")


def _crosses(fig: figure, series: GapSeries, foot: float) -> None:
    bad = ~np.isfinite(series.lower)
    fates = [str(s) for s, b in zip(series.status, bad, strict=True) if b]
    data = style.source(
        f"refused {series.rung}",
        x=series.times_ns[bad] / 1e6,
        y=np.full(bad.sum(), foot),
        status=fates,
    )
    marks = fig.scatter(
        "x", "y", source=data, marker="x", size=7, line_width=1.5,
        line_color=COLOURS.get(series.rung, style.INK),
        **style.labelled(f"{series.rung}, refused", when=bad.any()),
    )  # fmt: skip
    style.add_hover(fig, [marks], [(series.rung, "@status")], clock="x")


def _given(fig: figure, result: StatesResult, span: Range1d) -> None:
    """The probability as it was handed in: a path, or a number or range for all times."""
    given = result.probability
    name = plain(given.label, 18) or "probability"
    if given.moves:
        data = style.source("quoted", x=given.times_ns / 1e6, p=given.values)
        fig.step(
            "x", "p", source=data, mode="after", color=style.BLUE, line_width=1.2, line_alpha=0.7,
            **style.labelled(f"{name}, quoted"),
        )  # fmt: skip
        return
    ends = [span.start, span.end]
    if math.isfinite(given.low) and given.high > given.low:
        data = style.source("range", x=ends, low=[given.low] * 2, high=[given.high] * 2)
        fig.varea(
            "x", "low", "high", source=data, color=style.BLUE, fill_alpha=0.2,
            **style.labelled(name),
        )  # fmt: skip
        return
    data = style.source("quoted", x=ends, p=[float(given.values[0])] * 2)
    fig.line("x", "p", source=data, color=style.BLUE, **style.labelled(name))


def _used(fig: figure, row: StatesRow) -> None:
    """A dot at every snapshot: filled where the fit used it, or none was made, hollow where not."""
    fitted = np.isin(np.arange(len(row.snapshots)), row.fitted) | (row.joint is None)
    at, p = row_times(row) / 1e6, np.array([s.p for s in row.snapshots])
    known = np.isfinite(p)
    used = "snapshots" if row.joint is None else "snapshots in the fit"
    for name, here, fill in (
        (used, fitted & known, style.BLUE),
        ("snapshots not in it", ~fitted & known, None),
    ):
        data = style.source(name, x=at[here], p=p[here])
        dots = fig.scatter(
            "x", "p", source=data, size=6, line_color=style.BLUE,
            fill_color=fill,
            **style.labelled(name, when=here.any()),
        )  # fmt: skip
        style.add_hover(fig, [dots], [("quoted", "@p{0.0000}")], clock="x")


def _runs(known: BoolArray) -> Iterator[slice]:
    """Stretches of two or more neighbours that are known: a band may not bridge a hole."""
    edges = np.flatnonzero(np.diff(np.r_[0, np.asarray(known, np.int8), 0]))
    for start, stop in edges.reshape(-1, 2):
        if stop - start > 1:
            yield slice(int(start), int(stop))
