"""The density of the price in either state, beside the market's own and the most it can be.

Densities are in percent of probability per 1% of the forward. No law of a state can be higher than
f over the state's probability, drawn as a light line; that much is known with no assumption.
"""

from __future__ import annotations

import math

import numpy as np
from bokeh.models import NumeralTickFormatter
from bokeh.models.annotations import BoxAnnotation
from bokeh.plotting import figure

from eventtape.arrays import FloatArray, Status
from eventtape.figures import style
from eventtape.figures.smile import TRUTH
from eventtape.figures.states import headed, reason_words, states_frame
from eventtape.studies.states_rows import EXPOSURE, JOINT, Rung, StateCurve, StatesResult, StatesRow

__all__ = ["STATE_0", "STATE_1", "exposure_curve", "state_density_figure"]

STATE_1, STATE_0 = style.BLUE, style.VERMILLION
_SHOWN = 2e-3  # of the highest: below that a density is a line along the axis
_ENVELOPE = 1.25  # heights of the highest density that the frame leaves for the envelope
_REFUSED = 1.6  # with room for the reason above the densities
_BAND = 1.4  # heights of the highest density that a band may take


def state_density_figure(
    row: StatesRow, result: StatesResult, rung: str = JOINT, *, height: int = style.WIDE
) -> figure:
    """Both states' densities by one rung with bands, the density itself, envelope and means."""
    made, title = row.rung(rung), f"{headed(row, result)}\n{rung}"
    if row.grid is None or row.at is None:
        return _empty(result, title, height, row.reason or str(row.status))
    grid, forward = row.grid, row.at.forward
    curve = next((c for c in grid.curves if c.rung == rung), None)
    if rung == EXPOSURE:
        curve = exposure_curve(row)
    f = forward * grid.pdf
    inside = f >= _SHOWN * np.nanmax(f)
    strikes, f = grid.strikes[inside], f[inside]
    drawn = curve is not None and curve.status is Status.OK
    high = _highest(f, curve if drawn else None, inside, forward)
    for truth in (grid.truth_1, grid.truth_0):
        high = max(high, forward * float(np.nan_to_num(truth[inside]).max()))
    top = _ENVELOPE if drawn else _REFUSED
    low = 0.13 * high if result.simulated else 0.02 * high
    fig = states_frame(
        result,
        title=f"{title}: {_subtitle(result, curve, drawn=drawn)}",
        height=height,
        x=style.Limits(float(strikes[0]), float(strikes[-1])),
        y=style.Limits(-low, top * high),
        x_label="price at expiry",
        y_label="probability per 1% of forward, %",
        tools=True,
    )
    fig.xaxis.formatter = NumeralTickFormatter(format="0,0.[0000]")
    _shade(fig, row)
    style.add_zero(fig)
    for name, pdf, colour in (
        ("most state 1 can have", grid.envelope_1, STATE_1),
        ("most state 0 can have", grid.envelope_0, STATE_0),
    ):
        data = style.source(name, x=strikes, y=forward * pdf[inside])
        fig.line(
            "x", "y", source=data, color=colour, line_width=1.2, line_alpha=0.8, line_dash="dotted",
            **style.labelled(name),
        )  # fmt: skip
    data = style.source("density", x=strikes, pdf=f)
    line = fig.line(
        "x", "pdf", source=data, color=style.INK, line_width=2, **style.labelled("market's density")
    )
    style.add_hover(fig, [line], [("price", "@x{0,0.##}"), ("density", "@pdf{0.000}")])
    if drawn and curve is not None:
        _states(fig, curve, strikes, inside, forward)
    for name, pdf in (("truth, state 1", grid.truth_1), ("truth, state 0", grid.truth_0)):
        if np.isfinite(pdf).any():
            data = style.source(name, x=strikes, y=forward * pdf[inside])
            fig.line(
                "x", "y", source=data, color=TRUTH, line_dash="dashed", line_width=1.5,
                **style.labelled("simulated truth"),
            )  # fmt: skip
    _means(fig, made, forward, top * high, drawn=drawn)
    if not drawn:
        middle = 0.5 * float(strikes[0] + strikes[-1])
        reason_words(fig, [(middle, (top - 0.2) * high, _why(made, curve))], "12px")
    style.legend_below(fig, columns=2)
    return fig


def exposure_curve(row: StatesRow) -> StateCurve | None:
    """The exposure's densities on the grid's strikes, NaN beyond those it was read at."""
    calls, grid = row.calls, row.grid
    if calls is None or grid is None:
        return None
    at = calls.strikes[calls.strikes > 0.0]

    def on_grid(y: FloatArray) -> FloatArray:
        return np.interp(grid.strikes, at, y, left=math.nan, right=math.nan)

    mid, low, high = calls.density, calls.density_lower, calls.density_upper
    return StateCurve(
        EXPOSURE,
        *(on_grid(mid[1]), on_grid(low[1]), on_grid(high[1])),
        *(on_grid(mid[0]), on_grid(low[0]), on_grid(high[0])),
        calls.status,
        "",
    )


def _highest(f: FloatArray, curve: StateCurve | None, inside: np.ndarray, forward: float) -> float:
    """What the frame must hold: every density, and a band unless it is far above them."""
    if curve is None:
        return float(np.nanmax(f))
    middle, above = (
        [forward * x[inside] for x in pair if np.isfinite(x[inside]).any()]
        for pair in ((curve.pdf_1, curve.pdf_0), (curve.pdf_1_upper, curve.pdf_0_upper))
    )
    peak = max(float(np.nanmax(x)) for x in (f, *middle))
    bands = max((float(np.nanmax(x)) for x in above), default=peak)
    return max(peak, min(bands, _BAND * peak))


def _states(
    fig: figure, curve: StateCurve, strikes: FloatArray, inside: np.ndarray, forward: float
) -> None:
    for name, colour, sides in (
        ("state 1: it happens", STATE_1, (curve.pdf_1, curve.pdf_1_lower, curve.pdf_1_upper)),
        ("state 0: it does not", STATE_0, (curve.pdf_0, curve.pdf_0_lower, curve.pdf_0_upper)),
    ):
        y, low, high = (forward * x[inside] for x in sides)
        known = np.isfinite(y)
        banded = known & np.isfinite(low) & np.isfinite(high)
        data = style.source(name, x=strikes[known], y=y[known])
        if banded.sum() > 1:
            band = style.source(
                f"{name} band", x=strikes[banded], low=low[banded], high=high[banded]
            )
            fig.varea("x", "low", "high", source=band, color=colour, fill_alpha=0.22)
        # Of an exposure the curves are one pair of many within the bands
        thin = 0.8 if curve.rung == EXPOSURE else 2
        line = fig.line(
            "x", "y", source=data, color=colour, line_width=thin, **style.labelled(name)
        )
        tips = [(name, "@y{0.000}"), ("price", "@x{0,0.##}")]
        style.add_hover(fig, [line], tips)


def _means(fig: figure, made: Rung, forward: float, top: float, *, drawn: bool) -> None:
    marks = [("forward", forward, style.INK)]
    if drawn:
        marks += [("mean 1", made.mean_1.value, STATE_1), ("mean 0", made.mean_0.value, STATE_0)]
    for name, at, colour in marks:
        if math.isfinite(at):
            data = style.source(name, x=[at, at], y=[0.0, top])
            line = fig.line(
                "x", "y", source=data, color=colour, line_width=1.2, line_dash="dotdash",
                **style.labelled(name),
            )  # fmt: skip
            style.add_hover(fig, [line], [(name, "@x{0,0.00}")])


def _shade(fig: figure, row: StatesRow) -> None:
    """A tint beyond the first and last strike used."""
    law = row.at.density if row.at is not None else None
    if law is None:
        return
    for side, strike in (("right", law.tails.low_strike), ("left", law.tails.high_strike)):
        box = BoxAnnotation(
            fill_color=style.INK, fill_alpha=0.12, level="underlay", line_color=None
        )
        setattr(box, side, strike)
        fig.add_layout(box)


def _subtitle(result: StatesResult, curve: StateCurve | None, *, drawn: bool) -> str:
    if not drawn or curve is None:
        return "refused"
    banded = np.isfinite(curve.pdf_1_lower).any()
    return f"{result.config.level:.0%} bands" if banded else "no bands"


def _why(made: Rung, curve: StateCurve | None) -> str:
    said = made.reason or (curve.reason if curve is not None else "")
    status = made.status if curve is None or made.status is not Status.OK else curve.status
    return said or (str(status) if status is not Status.OK else "no density")


def _empty(result: StatesResult, title: str, height: int, why: str) -> figure:
    fig = states_frame(
        result,
        title=title,
        height=height,
        x=style.Limits(0.0, 1.0),
        y=style.Limits(0.0, 1.0),
        x_label="price at expiry",
        y_label="probability per 1% of forward, %",
    )
    for axis in (*fig.xaxis, *fig.yaxis):
        axis.major_label_text_color = None
    reason_words(fig, [(0.5, 0.5, why)], "12px")
    return fig
