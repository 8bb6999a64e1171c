"""Who moved first: the Hayashi-Yoshida correlation of two feeds at every lag, against no link.

Positive lags are the second behind the first. Pairs with the event's own probability get a figure
each; the others share the map of :mod:`.lead_lag_map`.
"""

from __future__ import annotations

import math

import numpy as np
from bokeh.models.annotations import BoxAnnotation
from bokeh.plotting import figure

from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import LeadLagRow, second_behind_first

__all__ = ["lead_lag_figures", "verdict", "with_event"]

MARK_AT = 0.88  # of the way up the frame: where an interval is drawn


def lead_lag_figures(result: DiffusionResult) -> tuple[figure, ...]:
    """One figure for each pair with the event's own probability."""
    return tuple(_pair(result, row) for row in result.lead_lags if with_event(result, row))


def verdict(row: LeadLagRow) -> tuple[str, str]:
    """``event leads coin`` and ``by 88 s (86 to 90 s)``, or the pair and why there is no leader."""
    if row.leader is None or row.follower is None:
        return f"{plain(row.first, 18)} · {plain(row.second, 18)}", str(row.status)
    return (
        f"{plain(row.leader, 18)} leads {plain(row.follower, 18)}",
        f"by {row.lag_s:.0f} s ({row.lower:.0f} to {row.upper:.0f} s)",
    )


def with_event(result: DiffusionResult, row: LeadLagRow) -> bool:
    """Whether one of the two is the event's own probability."""
    return result.event.primary in {row.first, row.second}


def _pair(result: DiffusionResult, row: LeadLagRow) -> figure:
    lags, correlation = row.lags_s, row.correlation
    band = row.null_band
    first, second = plain(row.first), plain(row.second)
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
    lag, lower, upper = second_behind_first(row)
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return
    data = style.source(
        f"lag {plain(row.first)} {plain(row.second)}",
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
