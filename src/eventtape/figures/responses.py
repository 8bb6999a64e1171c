"""The path of each market around a unit move of the probability, with its pointwise band."""

from __future__ import annotations

import numpy as np
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.words import interval_text, plain
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import ResponseRow

__all__ = ["response_figures"]

LONG_S = 300.0  # a reach above this reads better in minutes


def response_figures(result: DiffusionResult) -> tuple[figure, ...]:
    """One figure a market: cumulative log return, % per unit of probability, against the delay."""
    return tuple(_response(result, row) for row in result.responses)


def _response(result: DiffusionResult, row: ResponseRow) -> figure:
    curve = row.curve
    finite = np.isfinite(curve.cumulative) & np.isfinite(curve.lower) & np.isfinite(curve.upper)
    if curve.status is not Status.OK:
        finite[:] = False
    per, unit = (60.0, "min") if np.ptp(curve.lags_s) > LONG_S else (1.0, "s")
    lags = curve.lags_s[finite] / per
    mean, lower, upper = (100.0 * v[finite] for v in (curve.cumulative, curve.lower, curve.upper))
    fig = style.frame(
        result,
        title=plain(row.market, 32),
        height=style.NARROW + 30,
        x=style.Limits(float(curve.lags_s.min()) / per, float(curve.lags_s.max()) / per),
        y=style.range_over(mean, lower, upper, include=[0.0]),
        x_label=f"{unit} after the probability's move (negative: market first)",
        y_label="% per unit of probability",
    )
    style.add_zero(fig)
    style.add_zero(fig, "height")
    data = style.source(
        f"response {row.market}",
        lag=lags,
        cumulative=mean,
        lower=lower,
        upper=upper,
        interval=[interval_text(a / 100.0, b / 100.0) for a, b in zip(lower, upper, strict=True)],
    )
    fig.varea(
        "lag",
        "lower",
        "upper",
        source=data,
        color=style.SKY,
        alpha=0.4,
        **style.labelled(f"{result.config.level:.0%} band, pointwise", when=finite.any()),
    )
    line = fig.line(
        "lag",
        "cumulative",
        source=data,
        color=style.BLUE,
        line_width=2,
        **style.labelled("cumulative log return", when=finite.any()),
    )
    dots = fig.scatter("lag", "cumulative", source=data, color=style.BLUE, size=3)
    tips = [("delay", f"@lag{{0.0}} {unit}"), ("return", "@cumulative{+0.00}%")]
    style.add_hover(fig, [line, dots], [*tips, ("band", "@interval")])
    if not finite.any():
        style.add_refusal(fig, f"no curve: {curve.status}")
    style.legend_below(fig)
    return fig
