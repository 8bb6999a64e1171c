"""What a section of the report is made of."""

from __future__ import annotations

from typing import NamedTuple

from bokeh.plotting import figure

from eventtape.report.html import Html

__all__ = ["Section"]


class Section(NamedTuple):
    """A heading, sentences, figures (wide ones, then a grid of small ones), tables below."""

    key: str
    title: str
    prose: tuple[str, ...]
    caption: str
    wide: tuple[figure, ...]
    small: tuple[figure, ...]
    below: Html
    last: tuple[figure, ...] = ()  # wide ones that come after the grid
    note: Html = Html("")  # what must be read with the figures, set before them
    marks: tuple[tuple[str, str], ...] = ()  # headings inside to jump to: key and title
