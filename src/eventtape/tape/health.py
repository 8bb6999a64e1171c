"""How a feed is doing: what came, what was lost on the way, and how far its clock is from ours."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

__all__ = ["FeedHealth", "FeedState"]

FeedState = Literal["connecting", "live", "stale", "down", "history", "ended"]
"""``stale``: connected, and silent beyond what the feed promises. ``down``: no connection."""


class FeedHealth(NamedTuple):
    """Counts since the start of the run; times are UTC ns, -1 where there was none."""

    feed: str
    state: FeedState = "connecting"
    last_received_ns: int = -1  # wall clock
    last_stamp_ns: int = -1  # the venue's
    rows: int = 0
    batches: int = 0
    reconnects: int = 0
    gaps: int = 0  # holes found in the venue's own sequence
    backfilled: int = 0  # rows fetched afterwards to fill them
    unfilled: int = 0  # holes that could not be filled
    duplicates: int = 0  # rows met before and left out
    late: int = 0  # rows too late for the estimators; the tape has them
    malformed: int = 0  # frames that could not be read; kept aside, not guessed at
    skew_ms: float = math.nan  # least of (our clock at receipt - the venue's stamp), lately
    message: str = ""  # the last thing that went wrong, in words; plain text
