"""Every pair of markets in one figure: a strip a pair, coloured by correlation at each lag."""

from __future__ import annotations

import numpy as np
from bokeh.models import LinearColorMapper
from bokeh.models.annotations import ColorBar
from bokeh.plotting import figure

from eventtape.figures import style
from eventtape.figures.lead_lag import verdict, with_event
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import LeadLagRow, second_behind_first

__all__ = ["lead_lag_map"]

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


def lead_lag_map(result: DiffusionResult) -> figure | None:
    """All other pairs, a strip each, coloured by correlation; None where there is no other pair."""
    rows = [row for row in result.lead_lags if not with_event(result, row)]
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
    drawn = [(float(i), *second_behind_first(row)) for i, row in enumerate(rows)]
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
