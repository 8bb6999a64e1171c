"""Who moves first in a panel: a map of all pairs, and dots with intervals for speeds and groups."""

from __future__ import annotations

import math
from typing import Any, cast

import polars as pl
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from eventtape.estimators.discovery.refusals import Reason
from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.panel_leadership_rows import PanelLeadership

__all__ = ["group_figures", "pair_map", "speed_figures"]

ROW, COLUMN = "row leads column", "column leads row"
# Greys by what stands in the way, light to dark: the eye finds the named pairs first.
REFUSED = (
    ("no common trend", "#ececec", (Reason.RANK_0,)),
    ("equality not excluded", "#cfcfcf", (Reason.EQUAL,)),
    ("too coarse a step", "#a9a9a9", (Reason.WIDE, Reason.STALE)),
    ("too few rows", "#939393", (Reason.FEW_ROWS,)),
    ("other reason", "#7d7d7d", ()),
)
_LONGEST = 3.0  # an interval reaches no further than this many widths of the dots themselves
_LABEL = 10
_MOST_GREY = 20  # series in a map that names nobody: more are screens of one grey


def pair_map(result: PanelLeadership) -> figure | None:
    """Every pair as two cells: coloured where a leader is named, grey by reason where none is.

    None where there are no pairs, or many series and nobody named.
    """
    if result.pairs.is_empty():
        return None
    names = [n for n in result.series["name"] if n in _priced(result)]
    if len(names) > _MOST_GREY and result.pairs["leader"].null_count() == result.pairs.height:
        return None
    place = {name: i for i, name in enumerate(names)}
    cells: dict[str, list[dict[str, Any]]] = {}
    for row in result.pairs.iter_rows(named=True):
        for one, other in ((row["first"], row["second"]), (row["second"], row["first"])):
            first = one == row["first"]
            share = row["pils"] if first or row["pils"] is None else 1.0 - row["pils"]
            kind = _kind(row, one)
            cells.setdefault(kind, []).append(
                {
                    "x": place[other],
                    "y": place[one],
                    "pair": f"{one} · {other}",
                    "leader": row["leader"] or "—",
                    "share": "" if share is None else f"{share:.2f}".removeprefix("0"),
                    "why": row["reason"] or "leader named",
                }
            )
    n = len(names)
    fig = _frame(
        result,
        title="Who leads whom\nPILS of the row in each named pair",
        height=170 + 30 * n,
        x=style.Limits(-0.5, n - 0.5),
        y=style.Limits(n - 0.5 + _room(result), -0.5),
    )
    kinds = [(ROW, style.BLUE), (COLUMN, style.ORANGE)]
    kinds += [(name, colour) for name, colour, _ in REFUSED]
    for kind, colour in kinds:
        if kind in cells:
            _cells(fig, kind, colour, cells[kind])
    for axis, across in ((fig.xaxis[0], True), (fig.yaxis[0], False)):
        axis.ticker = list(range(n))
        axis.major_label_overrides = {i: plain(name, _LABEL) for i, name in enumerate(names)}
        axis.major_label_orientation = math.pi / 2 if across else 0.0
    fig.grid.visible = False
    style.legend_below(fig, columns=2)
    return fig


def speed_figures(result: PanelLeadership) -> tuple[figure, ...]:
    """For each factor, the speed of each asset with its interval, beside the factor's own."""
    if result.speeds.is_empty():
        return ()
    figs = []
    for factor in dict.fromkeys(result.speeds["factor"]):
        rows = result.speeds.filter(factor=factor)
        own = rows["factor_speed"].drop_nulls()
        fig = _dots(
            result,
            rows.with_columns(pl.lit("speed").alias("series")),
            label="name",
            title=f"Speed for permanent shocks of {plain(factor, 24)}\n"
            f"{result.config.level:.0%} intervals; the line is {plain(factor, 20)} itself",
            colours={"speed": style.BLUE},
        )
        if len(own):
            line = Span(
                location=float(own.median() or 0.0),  # type: ignore[arg-type]
                dimension="height",
                line_color=style.VERMILLION,
                line_width=2,
            )
            fig.add_layout(line)
        figs.append(fig)
    return tuple(figs)


def group_figures(result: PanelLeadership) -> tuple[figure, ...]:
    """For each factor, the speed of each group in each regime with its interval."""
    if result.groups.is_empty():
        return ()
    palette = (style.SKY, style.ORANGE, style.PURPLE, style.GREEN, style.BLUE, style.VERMILLION)
    regimes = list(dict.fromkeys(result.groups["regime"]))
    colours = {name: palette[i % len(palette)] for i, name in enumerate(regimes)}
    return tuple(
        _dots(
            result,
            result.groups.filter(factor=factor).with_columns(pl.col("regime").alias("series")),
            label="group",
            title=f"Groups by regime, shocks of {plain(factor, 24)}\n"
            f"speed, {result.config.level:.0%} intervals",
            colours=colours,
        )
        for factor in dict.fromkeys(result.groups["factor"])
    )


def _priced(result: PanelLeadership) -> set[str]:
    return {*result.pairs["first"], *result.pairs["second"]}


def _frame(result: PanelLeadership, **options: Any) -> figure:
    """An empty figure of the house; all it asks of a result is whether it is simulated."""
    return style.frame(cast("DiffusionResult", result), **options)


def _room(result: PanelLeadership) -> float:
    """Rows left free below for the word that stands in every simulated figure."""
    return 0.8 if result.simulated else 0.0


def _kind(row: dict[str, Any], one: str) -> str:
    if row["leader"] is not None:
        return ROW if row["leader"] == one else COLUMN
    return next((name for name, _, why in REFUSED if row["reason"] in why), REFUSED[-1][0])


def _cells(fig: figure, kind: str, colour: str, cells: list[dict[str, Any]]) -> None:
    data = style.source(kind, **{key: [cell[key] for cell in cells] for key in cells[0]})
    drawn = fig.rect(
        "x",
        "y",
        0.94,
        0.94,
        source=data,
        fill_color=colour,
        line_color=None,
        **style.labelled(kind),
    )
    style.add_hover(
        fig, [drawn], [("pair", "@pair"), ("leader", "@leader"), ("PILS", "@share"), ("", "@why")]
    )
    if kind in {ROW, COLUMN}:
        fig.text(
            "x",
            "y",
            "share",
            source=data,
            text_align="center",
            text_baseline="middle",
            text_color="#ffffff" if kind == ROW else "#222222",
            text_font=style.FONT,
            text_font_size="11px",
        )


def _dots(
    result: PanelLeadership,
    rows: pl.DataFrame,
    *,
    label: str,
    title: str,
    colours: dict[str, str],
) -> figure:
    """A row a label, a dot and whisker a series; a refusal in words where there is no dot."""
    names = list(dict.fromkeys(rows[label]))
    dots = rows.filter(pl.col("speed").is_not_null())
    x = _limits(dots)
    fig = _frame(
        result,
        title=title,
        height=140 + (26 + 16 * (len(colours) - 1)) * len(names),
        x=x,
        y=style.Limits(len(names) - 0.4 + _room(result), -0.6),
        x_label="part of the long-run response that arrives at once",
    )
    for at, (series, colour) in enumerate(colours.items()):
        shift = 0.0 if len(colours) == 1 else 0.6 * (at / (len(colours) - 1) - 0.5)
        part = rows.filter(series=series)
        y = [names.index(name) + shift for name in part[label]]
        part = part.with_columns(pl.Series("y", y, dtype=pl.Float64))
        _series(fig, part, series, colour, x, legend=len(colours) > 1)
    fig.yaxis.ticker = list(range(len(names)))
    fig.yaxis.major_label_overrides = {i: plain(name, 12) for i, name in enumerate(names)}
    fig.ygrid.visible = False
    if len(colours) > 1:
        style.legend_below(fig, columns=2)
    return fig


def _limits(dots: pl.DataFrame) -> style.Limits:
    """Limits that hold every dot, and intervals as far as they do not drown the dots."""
    if dots.is_empty():
        return style.Limits(0.0, 2.0)
    low, high = style.range_over(dots["speed"].to_list(), include=[0.5, 1.5])
    reach = _LONGEST * (high - low)
    ends = [e for e in (*dots["lower"], *dots["upper"]) if e is not None and math.isfinite(e)]
    kept = [e for e in ends if low - reach <= e <= high + reach]
    return style.range_over([low, high, *kept])


def _series(
    fig: figure, rows: pl.DataFrame, name: str, colour: str, x: style.Limits, *, legend: bool
) -> None:
    known = rows.filter(pl.col("speed").is_not_null())
    low, high = known["lower"].fill_null(-math.inf), known["upper"].fill_null(math.inf)
    data = style.source(
        name,
        y=known["y"].to_list(),
        speed=known["speed"].to_list(),
        lower=[max(e, x.low) for e in low],
        upper=[min(e, x.high) for e in high],
        interval=[f"{a:.2f} to {b:.2f}" for a, b in zip(low, high, strict=True)],
        rows=known["n_rows"].to_list(),
    )
    whiskers = fig.segment("lower", "y", "upper", "y", source=data, color=colour, line_width=2)
    dots = fig.scatter(
        "speed",
        "y",
        source=data,
        size=9,
        color=colour,
        **style.labelled(name, when=legend),
    )
    tips = [("speed", "@speed{0.00}"), ("interval", "@interval"), ("rows", "@rows")]
    style.add_hover(fig, [dots, whiskers], tips)
    refused = rows.filter(pl.col("speed").is_null())
    words = style.source(
        f"refused {name}",
        x=[x.low] * refused.height,
        y=refused["y"].to_list(),
        text=[plain(f"— {why}", 40) for why in refused["reason"]],
    )
    fig.text(
        "x",
        "y",
        "text",
        source=words,
        x_offset=6,
        text_baseline="middle",
        text_font=style.FONT,
        text_font_size="11px",
        text_font_style="italic",
        text_color=style.INK,
    )
