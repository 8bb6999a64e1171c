"""Election results as they came in: votes, share counted and needle by state and party.

The file is a collection of a newspaper's own timeline: one line a state, candidate and count. Times
are whole seconds, and a state's count was at times published twice within one. Such lines are
all kept, in the file's order: the k-th line (k = 0, 1, ...) of a state and party in one second is
stamped k nanoseconds later. In the election-2024 file the total of votes never falls along that
order, so it is the order of publication.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from eventtape.sources.files import hundredths, numbers, read_table, refuse, whole_numbers
from eventtape.sources.stamps import from_epoch
from eventtape.tape import RESULT, check

__all__ = ["read_results"]

_PERCENT = 100.0


def read_results(path: str | Path) -> pl.DataFrame:
    """Lines of a results timeline: votes counted, share counted and win probability (0 to 1).

    ``share_counted`` is the newspaper's estimate of the share of expected votes already counted
    (``eevp``, in percent in the file). Votes may fall: counters correct themselves.
    """
    file = str(path)
    table = read_table(path, "timestamp", "state", "party", "votes", "win_probability", "eevp")
    percent = numbers(table, "eevp", file=file)
    refuse(percent, (percent < 0) | (percent > _PERCENT), "a percentage, 0 to 100", file=file)
    frame = pl.DataFrame(
        {
            "region": table["state"],
            "ts": from_epoch(whole_numbers(table, "timestamp", file=file), file=file),
            "party": table["party"],
            "votes": numbers(table, "votes", file=file),
            "share_counted": hundredths(percent),
            "win_probability": numbers(table, "win_probability", file=file),
        }
    )
    nth = pl.int_range(pl.len()).over("region", "party", "ts")
    return check(frame.with_columns(pl.col("ts") + pl.duration(nanoseconds=nth)), RESULT, file=file)
