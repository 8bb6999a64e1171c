"""What the study's methods cover in simulation, as last measured and shipped with the package.

Remake it with ``eventtape validate --nights 1000 --first-seed 1000 --json``, written to
``measured.json`` beside this file; a slow test holds the shipped numbers to a new measurement. A
row measured on fewer nights, the first of them, names its own ``nights``.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["coverage", "measured"]


@cache
def measured() -> dict[str, Any]:
    """Nights, first seed, design, and the rows of rates."""
    text = files("eventtape.studies").joinpath("measured.json").read_text()
    return dict(json.loads(text))


def coverage(detail: str) -> float:
    """The share of simulated nights whose interval for a gap held the true one, by method."""
    rows = measured()["rates"]
    return next(
        float(row["rate"])
        for row in rows
        if row["quantity"] == "gap covered" and row["detail"] == detail
    )
