"""Who moved first: the Hayashi-Yoshida correlation of two feeds at every lag, against no link.

Positive lags are the second behind the first. Pairs with the event's own probability get a figure
each; the others share one map, a strip a pair.
"""

from __future__ import annotations

import math

import numpy as np
from bokeh.models import LinearColorMapper
from bokeh.models.annotations import BoxAnnotation, ColorBar
from bokeh.plotting import figure

from eventtape.figures import style
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import LeadLagRow

__all__ = ["lead_lag_figures", "lead_lag_map", "verdict"]

# Blue (moved opposite) through white to brown-orange (moved together).
DIVERGING = (
    "#2166ac",
    "#5a9bc8",
    "#a6cde2",
    "#dbe9f1",
    "#f7f7f7",
    "#fbe5cf",
    "#f5bd83",
    "#dd7f2b",
    "#a94a06",
)
MARK_AT = 0.88  # of the way up the frame: where an interval is drawn


def lead_lag_figures(result: DiffusionResult) -> tuple[figure, ...]:
    """One figure for each pair with the event's own probability."""
    return tuple(_pair(result, row) for row in result.lead_lags if _primary(result, row))


def lead_lag_map(result: DiffusionResult) -> figure | None:
    """All other pairs, a strip each, coloured by correlation; None where there is no other pair."""
    rows = [row for row in result.lead_lags if not _primary(result, row)]
    if not rows:
        return None
    reach = max(float(np.abs(row.lags_s).max()) for row in rows)
    strength = np.concatenate([row.correlation for row in rows])
    strength = np.abs(strength[np.isfinite(strength)])
    most = float(strength.max()) if strength.size else 1.0
    fig = style.frame(
        result,
        title="Between markets",
        height=120 + 42 * len(rows),
        x=style.Limits(-1.04 * reach, 1.04 * reach),
        y=style.Limits(len(rows) - 0.3, -0.75),
        x_label="s by which the second is behind the first",
    )
    fig.yaxis.visible = False
    fig.grid.visible = False
    fig.min_border_left = 14
    colours = LinearColorMapper(palette=DIVERGING, low=-most, high=most, nan_color="#e4e6e8")
    _strips(fig, rows, colours)
    style.add_zero(fig, "height")
    _strip_marks(fig, rows)
    bar = ColorBar(
        color_mapper=colours, height=8, title="correlation", padding=4, background_fill_alpha=0.0
    )
    fig.add_layout(bar, "below")
    return fig


def verdict(row: LeadLagRow) -> tuple[str, str]:
    """``event leads coin`` and ``by 88 s (86 to 90 s)``, or the pair and why there is no leader."""
    if row.leader is None or row.follower is None:
        return f"{style.plain(row.first, 18)} · {style.plain(row.second, 18)}", str(row.status)
    return (
        f"{style.plain(row.leader, 18)} leads {style.plain(row.follower, 18)}",
        f"by {row.lag_s:.0f} s ({row.lower:.0f} to {row.upper:.0f} s)",
    )


def _primary(result: DiffusionResult, row: LeadLagRow) -> bool:
    return result.event.primary in {row.first, row.second}


def _as_drawn(row: LeadLagRow) -> tuple[float, float, float]:
    """Lag and interval of the second behind the first, the figure's sign; NaN where refused."""
    if row.leader is not None and row.leader == row.second:
        return -row.lag_s, -row.upper, -row.lower
    return row.lag_s, row.lower, row.upper


def _pair(result: DiffusionResult, row: LeadLagRow) -> figure:
    lags, correlation = row.lags_s, row.correlation
    band = row.null_band
    first, second = style.plain(row.first), style.plain(row.second)
    edge = [band, -band] if math.isfinite(band) else []
    low, high = style.range_over(correlation, include=[0.0, *edge])
    y = style.Limits(low, high + 0.22 * (high - low))  # room for the interval
    fig = style.frame(
        result,
        title="\n".join(verdict(row)),
        height=style.NARROW + 40,
        x=style.Limits(float(lags.min()), float(lags.max())),
        y=y,
        x_label=f"s by which {second} is behind {first}",
        y_label="correlation",
    )
    style.add_zero(fig)
    _doubt(fig, row)
    finite = np.isfinite(correlation)
    if edge:
        ends = style.source(
            f"null {first} {second}",
            lag=[lags.min(), lags.max()],
            lower=[-band] * 2,
            upper=[band] * 2,
        )
        fig.varea(
            "lag",
            "lower",
            "upper",
            source=ends,
            color=style.INK,
            alpha=0.16,
            legend_label=f"no link, {result.config.level:.0%} of the time",
        )
    data = style.source(f"pair {first} {second}", lag=lags[finite], correlation=correlation[finite])
    line = fig.line(
        "lag",
        "correlation",
        source=data,
        color=style.BLUE,
        line_width=2,
        **style.labelled("correlation at each lag", when=finite.any()),
    )
    style.add_hover(fig, [line], [("lag", "@lag s"), ("correlation", "@correlation{0.000}")])
    _interval(fig, row, y.low + MARK_AT * (y.high - y.low))
    if not finite.any():
        style.add_refusal(fig, str(row.status))
    style.legend_below(fig)
    return fig


def _doubt(fig: figure, row: LeadLagRow) -> None:
    """The lags these stamps cannot tell from none."""
    if math.isfinite(row.resolution_s) and row.resolution_s > 0.0:
        fig.add_layout(
            BoxAnnotation(
                left=-row.resolution_s,
                right=row.resolution_s,
                fill_color=style.ORANGE,
                fill_alpha=0.12,
                line_color=None,
                name="stamp uncertainty",
            )
        )


def _interval(fig: figure, row: LeadLagRow, at: float) -> None:
    """The interval above the curve; its marker only where a lag was given."""
    lag, lower, upper = _as_drawn(row)
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return
    data = style.source(
        f"lag {style.plain(row.first)} {style.plain(row.second)}",
        lag=[lag],
        lower=[lower],
        upper=[upper],
        y=[at],
    )
    fig.segment(
        "lower",
        "y",
        "upper",
        "y",
        source=data,
        color=style.VERMILLION,
        line_width=4,
        legend_label="interval of the lag",
    )
    if math.isfinite(lag):
        fig.scatter("lag", "y", source=data, size=11, marker="diamond", color=style.VERMILLION)


def _strips(fig: figure, rows: list[LeadLagRow], colours: LinearColorMapper) -> None:
    step = [float(np.median(np.diff(row.lags_s))) for row in rows]
    data = style.source(
        "map",
        lag=np.concatenate([row.lags_s for row in rows]),
        y=np.concatenate([np.full(row.lags_s.size, float(i)) for i, row in enumerate(rows)]),
        width=np.concatenate([np.full(r.lags_s.size, s) for r, s in zip(rows, step, strict=True)]),
        correlation=np.concatenate([row.correlation for row in rows]),
        pair=[f"{row.first} · {row.second}" for row in rows for _ in row.lags_s],
    )
    cells = fig.rect(
        "lag",
        "y",
        "width",
        0.4,
        source=data,
        line_color={"field": "correlation", "transform": colours},  # closes the seams
        fill_color={"field": "correlation", "transform": colours},
    )
    tips = [("pair", "@pair"), ("lag", "@lag s"), ("correlation", "@correlation{0.000}")]
    style.add_hover(fig, [cells], tips)
    beyond = [
        (float(lag), i + 0.27, s)
        for i, (row, s) in enumerate(zip(rows, step, strict=True))
        for lag in row.lags_s[np.abs(row.correlation) > row.null_band]
    ]
    marks = style.source(
        "beyond no link",
        lag=[b[0] for b in beyond],
        y=[b[1] for b in beyond],
        width=[b[2] for b in beyond],
    )
    fig.rect("lag", "y", "width", 0.07, source=marks, line_color=None, fill_color=style.INK)
    words = style.source(
        "verdicts",
        x=[float(row.lags_s.min()) for row in rows],
        y=[i - 0.27 for i in range(len(rows))],
        text=[": ".join(verdict(row)) for row in rows],
        status=[str(row.status) for row in rows],
    )
    fig.text(
        "x",
        "y",
        "text",
        source=words,
        text_font_size="11px",
        text_font=style.FONT,
        text_baseline="bottom",
        text_color=style.INK,
    )


def _strip_marks(fig: figure, rows: list[LeadLagRow]) -> None:
    drawn = [(float(i), *_as_drawn(row)) for i, row in enumerate(rows)]
    data = style.source(
        "map lags",
        y=[d[0] for d in drawn],
        lag=[d[1] for d in drawn],
        lower=[d[2] for d in drawn],
        upper=[d[3] for d in drawn],
    )
    fig.segment("lower", "y", "upper", "y", source=data, color="#000000", line_width=2)
    fig.scatter(
        "lag",
        "y",
        source=data,
        size=9,
        marker="diamond",
        fill_color="#ffffff",
        line_color="#000000",
    )
