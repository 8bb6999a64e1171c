"""Each market's path since the start beside the one its gap and the probability's path imply."""

from __future__ import annotations

import numpy as np
from bokeh.models import Range1d
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import Path
from eventtape.studies.findings import minutes

__all__ = ["market_figures"]


def market_figures(
    result: DiffusionResult, *, x_range: Range1d | None = None
) -> tuple[figure, ...]:
    """One figure a market, log return in % since the start; the implied path is in-sample."""
    x_range = x_range or style.time_range(result.event)
    return tuple(_market(result, path, x_range) for path in result.paths)


def _market(result: DiffusionResult, path: Path, x_range: Range1d) -> figure:
    actual, implied = 100.0 * path.actual, 100.0 * path.implied
    fig = style.frame(
        result,
        title=plain(path.market, 32),
        x=x_range,
        y=style.range_over(actual, implied, include=[0.0]),
        y_label="log return, %",
    )
    style.utc_axis(fig)
    style.add_zero(fig)
    data = style.source(f"path {path.market}", ts=path.ts / 1e6, actual=actual, implied=implied)
    line = fig.line(
        "ts", "actual", source=data, color=style.BLUE, line_width=1.5, legend_label="market"
    )
    fig.line(
        "ts",
        "implied",
        source=data,
        color=style.VERMILLION,
        line_width=2,
        line_dash="dashed",
        legend_label=_implied_label(result, path),
    )
    tips = [("market", "@actual{+0.00}%"), ("implied", "@implied{+0.00}%")]
    if not np.isfinite(implied).any():
        tips = tips[:1]
    style.add_hover(fig, [line], tips, clock="ts")
    if not np.isfinite(actual).any():
        style.add_refusal(fig, "no price seen")
    style.legend_below(fig)
    return fig


def _implied_label(result: DiffusionResult, path: Path) -> str:
    horizon = result.config.headline_s
    status = next(
        (r.status for r in result.gaps if r.market == path.market and r.horizon_s == horizon),
        Status.NOT_IDENTIFIED,
    )
    if status is not Status.OK:
        return f"event-implied: {status}"
    return f"event-implied, in-sample ({minutes(horizon)} gap)"
