"""The few pieces of HTML the report is made of; text is escaped unless it is already HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from eventtape.arrays import Status

__all__ = ["Column", "Html", "badge", "element", "join", "scrolled", "table"]


class Html(str):
    """Text that is HTML already; every other string is a reader's text and gets escaped."""

    __slots__ = ()


class Column(NamedTuple):
    """A column's heading, and whether it holds numbers (set to the right)."""

    name: str
    numeric: bool = True


def join(parts: Iterable[str]) -> Html:
    """The parts one after another, each escaped unless it is HTML."""
    return Html("".join(p if isinstance(p, Html) else html.escape(p, quote=True) for p in parts))


def element(tag: str, *children: str, **attributes: str) -> Html:
    """``<tag name="value">children</tag>``; a trailing underscore leaves a name (``class_``).

    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value, quote=True)}"'
        for name, value in attributes.items()
    )
    return Html(f"<{tag}{named}>{join(children)}</{tag}>")


def badge(status: Status) -> Html:
    """The status as a coloured word."""
    kind = "ok" if status is Status.OK else "refused"
    return element("span", str(status), class_=f"badge {kind}")


def scrolled(inner: Html, label: str) -> Html:
    """A box that scrolls sideways by itself, reachable by keyboard."""
    return element("div", inner, class_="scroll", role="region", aria_label=label, tabindex="0")


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> Html:
    """A captioned table whose first column heads its rows."""
    head = join(
        element("th", c.name, scope="col", class_="n" if c.numeric else "t") for c in columns
    )
    body = join(element("tr", *_cells(columns, row)) for row in rows)
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", head)),
        element("tbody", body),
    )
    return scrolled(whole, caption)


def _cells(columns: Sequence[Column], row: Sequence[str]) -> list[Html]:
    first, *rest = row
    cells = [element("th", first, scope="row")]
    for column, cell in zip(columns[1:], rest, strict=True):
        cells.append(element("td", cell, class_="n" if column.numeric else "t"))
    return cells
