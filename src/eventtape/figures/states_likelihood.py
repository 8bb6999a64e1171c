"""How sharply the quotes tell one gap from another: the profile likelihood of the joint fit.

Twice the fall of the log likelihood below its best, every other parameter at its best for that gap.
The interval is where the fall stays under the critical line.
"""

from __future__ import annotations

import math

import numpy as np
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.smile import TRUTH
from eventtape.figures.states import headed, reason_words, states_frame
from eventtape.figures.words import percent_text
from eventtape.studies.states_rows import JOINT, StatesResult, StatesRow

__all__ = ["profile_figure"]

_ABOVE = 3.5  # critical values that the picture is high


def profile_figure(row: StatesRow, result: StatesResult) -> figure:
    """Twice the fall of the log likelihood by gap, with the critical line and the interval."""
    fit, rung = row.joint, row.rung(JOINT)
    title = f"{headed(row, result)}\nhow well each gap fits"
    found = np.zeros(0) if fit is None else fit.profile.deltas
    ok = np.isfinite(found) if fit is None else np.isfinite(found) & np.isfinite(fit.profile.falls)
    if fit is None or not ok.any():
        return _refused(result, title, rung.reason or str(rung.status))
    at, falls = 100.0 * found[ok], fit.profile.falls[ok]
    critical = fit.profile.critical[ok]
    known = critical[np.isfinite(critical)]
    top = _ABOVE * (float(known.max()) if known.size else 4.0)
    low, high = (100.0 * x for x in fit.interval)
    near = at[falls <= top]
    x = style.range_over(
        near if near.size else at, include=[v for v in (low, high) if math.isfinite(v)]
    )
    refused = rung.status is not Status.OK
    fig = states_frame(
        result,
        title=f"{title}; refused" if refused else title,
        height=style.NARROW + 110,
        x=x,
        y=style.Limits(-0.1 * top, top),
        x_label="gap between the states, % of log price",
        y_label="twice the fall of log likelihood",
        tools=True,
    )
    style.add_zero(fig)
    style.add_zero(fig, "height")
    if math.isfinite(low) and math.isfinite(high):
        band = style.source("interval", x=[low, high], foot=[-0.1 * top] * 2, top=[top] * 2)
        fig.varea(
            "x", "foot", "top", source=band, color=style.BLUE, fill_alpha=0.14,
            **style.labelled(f"{result.config.level:.0%} interval"),
        )  # fmt: skip
    data = style.source("profile", x=at, y=falls, gap=[percent_text(v / 100.0) for v in at])
    line = fig.line(
        "x", "y", source=data, color=style.BLUE, line_width=2, **style.labelled("profile")
    )
    style.add_hover(fig, [line], [("gap", "@gap"), ("fall", "@y{0.00}")])
    limit = style.source("critical", x=at, y=critical)
    fig.line(
        "x", "y", source=limit, color=style.VERMILLION, line_dash="dashed", line_width=1.5,
        **style.labelled("critical"),
    )  # fmt: skip
    if row.truth is not None and row.fitted.size:
        truth = 100.0 * float(np.mean(row.truth.gap[row.fitted]))
        mark = style.source("truth", x=[truth, truth], y=[0.0, top])
        fig.line(
            "x", "y", source=mark, color=TRUTH, line_dash="dashed", line_width=2,
            **style.labelled("simulated truth"),
        )  # fmt: skip
    if refused:
        reason_words(fig, [(x.middle, 0.85 * top, rung.reason or str(rung.status))], "12px")
    style.legend_below(fig, columns=2)
    return fig


def _refused(result: StatesResult, title: str, why: str) -> figure:
    fig = states_frame(
        result,
        title=title,
        height=style.NARROW + 110,
        x=style.Limits(-1.0, 1.0),
        y=style.Limits(0.0, 1.0),
        x_label="gap between the states, % of log price",
        y_label="twice the fall of log likelihood",
    )
    for axis in (*fig.xaxis, *fig.yaxis):
        axis.major_label_text_color = None
    reason_words(fig, [(0.0, 0.5, why)], "12px")
    return fig
