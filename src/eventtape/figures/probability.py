"""The event's probability as quoted and filtered, beside the share of the votes counted."""

from __future__ import annotations

import numpy as np
import polars as pl
from bokeh.models import Range1d
from bokeh.plotting import figure

from eventtape.arrays import Status
from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.diffusion_rows import ProbabilitySeries

__all__ = ["news_clock_figure", "probability_figure"]

MARKS = (
    ("moderate", style.ORANGE, "triangle", 7, "moderate (1 < |z| ≤ 2)"),
    ("shock", style.VERMILLION, "diamond", 10, "shock (|z| > 2)"),
)
OTHERS = (style.GREEN, style.PURPLE, style.SKY)


def probability_figure(result: DiffusionResult, *, x_range: Range1d | None = None) -> figure:
    """Quotes, filtered mean with its ±2 sd band, regimes, and every other venue's quotes."""
    primary, *others = result.probabilities
    seen = [series.frame["probability"].to_numpy() for series in result.probabilities]
    fig = style.frame(
        result,
        title=_title(result, primary),
        height=style.WIDE,
        x=x_range or style.time_range(result.event),
        y=style.range_over(*seen),
        y_label="probability",
        tools=True,
    )
    style.utc_axis(fig)
    _band(fig, primary)
    _quotes(fig, primary)
    for series, colour in zip(others, OTHERS * len(others), strict=False):
        _other_venue(fig, series, colour)
    style.legend_below(fig)
    return fig


def news_clock_figure(result: DiffusionResult, *, x_range: Range1d | None = None) -> figure | None:
    """Share of the votes counted by each second; None where the tape has no news clock."""
    clock = result.news_clock
    if clock is None or clock.is_empty():
        return None
    fig = style.frame(
        result,
        title="News clock: votes counted",
        height=130,
        x=x_range or style.time_range(result.event),
        y=style.Limits(0.0, 104.0),
        y_label="%",
    )
    style.utc_axis(fig)
    fig.yaxis.ticker = [0, 50, 100]
    counted = 100.0 * clock["counted"].to_numpy()
    data = style.source("news clock", ts=style.milliseconds(clock["ts"]), counted=counted)
    line = fig.step("ts", "counted", source=data, mode="after", color=style.GREEN, line_width=2)
    style.add_hover(fig, [line], [("counted", "@counted{0.0}%")], clock="ts")
    return fig


def _title(result: DiffusionResult, series: ProbabilitySeries) -> str:
    title = f"Probability: {plain(result.event.outcome, 50)}"
    return title if series.status is Status.OK else f"{title}\nno filter: {series.status}"


def _band(fig: figure, series: ProbabilitySeries) -> None:
    """The filtered mean and its band; nothing where there is no filter."""
    name = plain(series.label)
    if series.status is not Status.OK:
        return
    kept = series.frame.drop_nulls(["mean", "sd"])
    mean, sd = kept["mean"].to_numpy(), kept["sd"].to_numpy()
    data = style.source(
        "filtered",
        ts=style.milliseconds(kept["ts"]),
        mean=mean,
        lower=mean - 2.0 * sd,
        upper=mean + 2.0 * sd,
    )
    fig.varea(
        "ts",
        "lower",
        "upper",
        source=data,
        color=style.SKY,
        alpha=0.5,
        legend_label="filtered mean ±2 sd",
    )
    fig.line(
        "ts",
        "mean",
        source=data,
        color=style.BLUE,
        line_width=1.5,
        legend_label=f"{name}, filtered mean",
    )


def _quotes(fig: figure, series: ProbabilitySeries) -> None:
    frame, name = series.frame, plain(series.label)
    data = style.source("quotes", **_columns(frame))
    dots = fig.scatter(
        "ts",
        "probability",
        source=data,
        size=3,
        color=style.BLUE,
        alpha=0.6,
        legend_label=f"{name}, quotes",
    )
    tips = [(name, "@probability{0.0000}"), ("z", "@z_text"), ("regime", "@regime")]
    style.add_hover(fig, [dots], tips, clock="ts")
    for regime, colour, marker, size, label in MARKS:
        marked = frame.filter(pl.col("regime") == regime)
        data = style.source(regime, **_columns(marked))
        fig.scatter(
            "ts",
            "probability",
            source=data,
            marker=marker,
            size=size,
            color=colour,
            **style.labelled(label, when=marked.height),
        )


def _columns(frame: pl.DataFrame) -> dict[str, object]:
    z = frame["z"].to_list()
    return {
        "ts": style.milliseconds(frame["ts"]),
        "probability": frame["probability"].to_numpy(),
        "regime": frame["regime"].to_list(),
        "z_text": ["—" if v is None or not np.isfinite(v) else f"{v:+.2f}" for v in z],
    }


def _other_venue(fig: figure, series: ProbabilitySeries, colour: str) -> None:
    """Bid to ask as a bar, the probability with the vig out as a ring."""
    frame, name = series.frame, plain(series.label)
    bid, ask = (
        frame[side].cast(pl.Float64).fill_null(np.nan).to_numpy() for side in ("bid", "ask")
    )
    data = style.source(
        f"venue {series.label}",
        ts=style.milliseconds(frame["ts"]),
        probability=frame["probability"].to_numpy(),
        bid=bid,
        ask=ask,
        book=[f"{b:.3f} to {a:.3f}" if b <= a else "—" for b, a in zip(bid, ask, strict=True)],
    )
    if np.any(np.isfinite(bid) & np.isfinite(ask)):
        fig.segment(
            "ts",
            "bid",
            "ts",
            "ask",
            source=data,
            color=colour,
            line_width=9,
            alpha=0.55,
            legend_label=f"{name}, bid to ask",
        )
    rings = fig.scatter(
        "ts",
        "probability",
        source=data,
        size=9,
        line_width=2,
        line_color=colour,
        fill_color=None,
        legend_label=f"{name}, vig removed",
    )
    tips = [(name, "@probability{0.000}"), ("bid to ask", "@book")]
    style.add_hover(fig, [rings], tips, clock="ts")
