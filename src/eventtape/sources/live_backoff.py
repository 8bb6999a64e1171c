"""How long to wait before asking again: exponential back-off with full jitter.

A wait is drawn evenly from 0 to a top that doubles from failure to failure up to a bound, so that
many clients of one venue do not come back at one moment (Brooker, "Exponential backoff and jitter",
AWS Architecture Blog, 2015). What a venue asks for with ``Retry-After`` is waited for at least.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

__all__ = ["Backoff", "retry_after_s"]

_LONGEST_S = 3_600.0


class Backoff:
    """Waits in seconds: below ``first_s`` after one failure, below ``most_s`` after many."""

    def __init__(self, first_s: float, most_s: float, rng: random.Random) -> None:
        self._first, self._most, self._rng = first_s, most_s, rng
        self._top = first_s

    def next_s(self, at_least_s: float = 0.0) -> float:
        """The wait after one more failure."""
        wait = self._rng.uniform(0.0, min(self._top, self._most))
        self._top = min(2.0 * self._top, self._most)
        return max(wait, at_least_s)

    def reset(self) -> None:
        """Begin anew: things have gone well for a while."""
        self._top = self._first


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that ``Retry-After`` asks for, as a number or a date; 0 if none, an hour at most."""
    text = headers.get("Retry-After", "")
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return 0.0
    # NaN compares false with everything and ends as 0 here.
    return min(wait, _LONGEST_S) if wait > 0.0 else 0.0
