"""What the page and the server tell each other, beside what the figures hold.

The page is plain HTML: its buttons set the first group of properties, its script shows the others,
as text. Bokeh carries each property when it changes and not otherwise.
"""

from __future__ import annotations

from typing import Any

from bokeh.core import properties as p
from bokeh.model import DataModel

__all__ = ["Wire"]


class Wire(DataModel):
    """One screen's choices, and what is said on it outside the figures."""

    paused: Any = p.Bool(default=False)
    at_s: Any = p.Float(default=-1.0)  # look back at this time, seconds since 1970; -1 follows
    chain: Any = p.String(default="")
    in_view: Any = p.List(p.String, default=["*"])  # sections on the screen; * before it is known
    hidden: Any = p.Bool(default=False)  # nobody looks at the page
    seen: Any = p.Int(default=0)  # the last beat that the browser has drawn

    beat: Any = p.Int(default=0)
    drawn_ns: Any = p.String(default="")  # stamp of the newest row in the figures
    said: Any = p.Dict(p.String, p.Any, default={})
    chains: Any = p.List(p.String, default=[])
    tables: Any = p.Dict(p.String, p.Any, default={})
