"""Who leads whom: feeds on a circle, an arrow for each leader that its method names.

Only identified and significant edges are drawn, after the control over all pairs; several steps of
one method are one arrow. Beside each other, arrows keep a lane a method. Where nobody leads, the
figure says so.
"""

from __future__ import annotations

import math

import numpy as np
from bokeh.models.annotations import Arrow, LabelSet, NormalHead
from bokeh.plotting import figure

from eventtape.figures import style
from eventtape.figures.words import plain
from eventtape.studies import DiffusionResult
from eventtape.studies.leadership_findings import between, measured_by, q_words, step_words
from eventtape.studies.leadership_rows import Edge, Method

__all__ = ["NO_LEADER", "leadership_network"]

NO_LEADER = "no leader is identified"
COLOURS: dict[Method, tuple[str, str]] = {
    "lead-lag": (style.BLUE, "lead-lag: by how many s"),
    "granger": (style.GREEN, "granger: helps to forecast"),
    "shared trend": (style.VERMILLION, "shared trend: leader's share"),
    "speed": (style.PURPLE, "speed: less the probability's"),
}
_LANE = 0.06  # between the arrows of two methods, radii of the circle
_SHORT = 0.17  # left free at either end for the node
_REACH = 1.5  # half the frame
_WIDEST = 680  # pixels
_MIDDLE, _TOP = 0.3, 0.9  # where a name stands above or below its node, not beside it


def leadership_network(result: DiffusionResult) -> figure:
    """The network of leaders; empty of arrows, and saying so, where none is identified."""
    names = _nodes(result)
    fig = style.frame(
        result,
        title="Who moved first, leader to follower",
        height=430,
        x=style.Limits(-_REACH, _REACH),
        y=style.Limits(-_REACH, _REACH),
    )
    fig.axis.visible = False
    fig.grid.visible = False
    fig.min_border_left = 14
    fig.max_width = _WIDEST  # wider, the circle would be flat
    angle = 0.5 * math.pi - 2.0 * math.pi * np.arange(len(names)) / len(names)
    at = {name: (math.cos(a), math.sin(a)) for name, a in zip(names, angle.tolist(), strict=True)}
    drawn = [_arrows(fig, result, method, at, lane) for lane, method in enumerate(COLOURS)]
    words = [labels for labels in drawn if labels is not None]
    for labels in words:  # over every arrow
        fig.add_layout(labels)
    _feeds(fig, at)
    if not words:
        style.add_refusal(fig, NO_LEADER)
    style.legend_below(fig)
    return fig


def _nodes(result: DiffusionResult) -> list[str]:
    """The feeds asked, the event's own probability first."""
    edges = [edge for edge in result.leadership.edges if edge.leader or edge.method == "lead-lag"]
    names = dict.fromkeys(name for edge in edges for name in (edge.first, edge.second))
    return list(names) or [result.event.primary]


def _arrows(
    fig: figure,
    result: DiffusionResult,
    method: Method,
    at: dict[str, tuple[float, float]],
    lane: int,
) -> LabelSet | None:
    """One arrow a pair and leader of this method; their words, None where there are none."""
    colour, label = COLOURS[method]
    groups: dict[tuple[str, str], list[Edge]] = {}
    for edge in result.leadership.edges:
        if edge.method == method and edge.leader is not None and edge.follower is not None:
            groups.setdefault((edge.leader, edge.follower), []).append(edge)
    if not groups:
        return None
    columns: dict[str, list[float]] = {name: [] for name in ("x0", "y0", "x1", "y1", "x", "y")}
    for leader, follower in groups:
        a, b = np.array(at[leader]), np.array(at[follower])
        along = (b - a) / np.linalg.norm(b - a)
        low, high = sorted((leader, follower))
        turn = np.array(at[high]) - np.array(at[low])  # a lane keeps its side whoever leads
        aside = np.array([-turn[1], turn[0]]) / np.linalg.norm(turn) * _LANE * (lane - 1.5)
        ends = a + _SHORT * along + aside, b - _SHORT * along + aside
        word = ends[0] + (0.28 + 0.12 * lane) * (ends[1] - ends[0])
        numbers = (*ends[0], *ends[1], *word)
        for name, value in zip(columns, numbers, strict=True):
            columns[name].append(float(value))
    data = style.source(
        f"edges {method}",
        **columns,
        leader=[leader for leader, _ in groups],
        follower=[follower for _, follower in groups],
        text=[_words(edges) for edges in groups.values()],
        steps=[", ".join(step_words(edge) for edge in edges) for edges in groups.values()],
        interval=["; ".join(between(edge) or "yes" for edge in edges) for edges in groups.values()],
        q=[max(edge.q_value for edge in edges) for edges in groups.values()],
        q_text=[q_words(max(edges, key=lambda e: e.q_value), result) for edges in groups.values()],
    )
    line = fig.segment(
        "x0", "y0", "x1", "y1", source=data, color=colour, line_width=2, legend_label=label
    )
    head = NormalHead(size=10, fill_color=colour, line_color=colour)
    arrow = Arrow(end=head, source=data, x_start="x0", y_start="y0", x_end="x1", y_end="y1")
    arrow.update(line_color=colour, line_width=2)  # the stubs know its line by another name
    fig.add_layout(arrow)
    words = LabelSet(
        source=data,
        x="x",
        y="y",
        text="text",
        text_align="center",
        text_baseline="middle",
        text_color=colour,
        text_font=style.FONT,
        text_font_size="11px",
        text_font_style="bold",
    )
    tips = [("leader", "@leader"), ("follower", "@follower"), ("at", "@steps")]
    style.add_hover(fig, [line], [*tips, ("interval", "@interval"), ("q", "@q_text")])
    return words


def _words(edges: list[Edge]) -> str:
    """The first step's measure; none for a method that only says yes."""
    return measured_by(edges[0])


def _feeds(fig: figure, at: dict[str, tuple[float, float]]) -> None:
    places = list(at.values())
    data = style.source(
        "feeds",
        x=[x for x, _ in places],
        y=[y for _, y in places],
        word_x=[1.12 * x for x, _ in places],
        word_y=[1.16 * y for _, y in places],
        feed=[plain(name, 14) for name in at],
        align=["center" if abs(x) < _MIDDLE else "left" if x > 0.0 else "right" for x, _ in places],
        baseline=["middle" if abs(y) < _TOP else "bottom" if y > 0.0 else "top" for _, y in places],
    )
    fig.scatter("x", "y", source=data, size=13, color=style.INK, marker="circle")
    fig.text(
        "word_x",
        "word_y",
        "feed",
        source=data,
        text_align="align",
        text_baseline="baseline",
        text_font=style.FONT,
        text_font_size="12px",
        text_color=style.INK,
        text_font_style="bold",
    )
