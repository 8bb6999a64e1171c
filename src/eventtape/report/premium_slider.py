"""The slider beside the stripped term structure: a reader's own size, next to the estimate.

A plain range of the browser and a script of a few lines. A callback inside the figure would need
``eval``, which the page's policy forbids, and Bokeh's own slider a second script.
"""

from __future__ import annotations

import json
import math
from functools import cache
from importlib import resources

import numpy as np

from eventtape.arrays import FloatArray
from eventtape.figures.premium_slider import STEP, Slider
from eventtape.report.html import Html, element, join
from eventtape.report.premium_tables import share

__all__ = ["slider_box", "slider_script", "slider_style"]

_STEP = 100.0 * STEP
_SAYS = (
    ("size", "Size chosen"),
    ("place", "It is"),
    ("rough", "Roughness of what is left, vol points²"),
    ("best", "Roughness at the estimate"),
    ("daily", "Ordinary day left, sd"),
    ("day", "Day of the event, sd"),
    ("mean", "Mean move of the event alone"),
    ("short", "Expiries that hold less"),
)


def slider_box(slider: Slider, source: str, key: str) -> Html:
    """The slider with its marks and numbers; ``source`` is the name of the figure's columns."""
    most = _STEP * math.ceil(100.0 * slider.most / _STEP)
    name = " and ".join(slider.kinds)
    n = int(slider.column[-1])
    together = " together" if len(slider.kinds) > 1 else f", each of {n}" if n > 1 else ""
    others = element(
        "label",
        Html('<input type="checkbox" checked>'),
        " the other events taken out too, at their estimates",
    )
    said = [
        join([element("dt", words), element("dd", "—", data_say=key_)]) for key_, words in _SAYS
    ]
    return element(
        "div",
        element("label", f"Size of {name}{together}, one standard deviation", for_=f"range-{key}"),
        element("div", *_marks(slider, most), Html(_range(key, most, slider)), class_="rail"),
        element("p", element("span", "0%"), element("span", f"{most:.2f}%"), class_="ends"),
        others if slider.others.any() else Html(""),
        element("dl", *said, class_="facts"),
        element("button", "Back to the estimate", type="button"),
        class_="slider",
        data_source=source,
        data_slider=json.dumps(_numbers(slider), allow_nan=False),
    )


@cache
def slider_script() -> Html:
    """The script that moves every slider of the page; it stands after them."""
    return Html(f"<script>\n{_file('premium_slider.js')}</script>")


@cache
def slider_style() -> Html:
    """The slider's style."""
    return Html(f"<style>\n{_file('premium_slider.css')}</style>")


def _range(key: str, most: float, slider: Slider) -> str:
    return (
        f'<input type="range" id="range-{key}" min="0" max="{most:.2f}" step="{_STEP:g}" '
        f'value="{100.0 * slider.start:.4f}">'
    )


def _marks(slider: Slider, most: float) -> list[Html]:
    """The interval as a bar and the estimate as a tick, above the slider's own track."""
    if not math.isfinite(slider.size):
        return []
    at, low, high = (
        f"{min(100.0 * v / most, 1.0):.5f}" for v in (slider.size, slider.lower, slider.upper)
    )
    words = f"estimate {share(slider.size)}, {share(slider.lower)} to {share(slider.upper)}"
    return [
        element("span", class_="interval", title=words, style=f"--from:{low};--to:{high}"),
        element("span", class_="estimate", title=words, style=f"--from:{at}"),
    ]


def _numbers(slider: Slider) -> dict[str, object]:
    """The slider as JSON has it: NaN, which JSON does not know, is null."""
    whole = {
        "variance": _listed(slider.variance),
        "days": _listed(slider.days),
        "column": _listed(slider.column),
        "others": _listed(slider.others),
        "near": slider.near,
    }
    ends = {name: getattr(slider, name) for name in ("size", "lower", "upper", "start")}
    return whole | {name: v if math.isfinite(v) else None for name, v in ends.items()}


def _listed(values: FloatArray) -> list[float]:
    return [float(v) for v in np.asarray(values)]


def _file(name: str) -> str:
    return (resources.files("eventtape.report") / name).read_text(encoding="utf-8")
