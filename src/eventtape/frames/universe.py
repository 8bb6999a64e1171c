"""Which names to study on a date: the most traded of each kind, as they were known before it.

For a date D and N sessions, with W the last N sessions of the exchange strictly before D and
W_i the sessions of W on which name i has a row::

    mean_dollars_i = (1 / |W_i|) sum_{t in W_i} dollars_it          dollars a session
    members(kind)  = the names of that kind with the ``top`` largest mean_dollars

Point in time: no row of any table that lies on D or after it is looked at, not even to be refused;
a rename or a listing of D itself is not yet known, and neither is an end on or after D.

The rule is the election-day study's (20 ETFs and 20 common stocks, 20 sessions to 2024-11-04). Its
two tables are another thing than their title says: dollars over shares is the VWAP of the one
session 2024-11-04 within 0.1% (SPY 570.37 dollars against 570.36), not that of the 20 (578.62), so
``total_volume_..._millions`` are that day's volumes, neither totals nor means (``tests/real``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.clock import as_date, sessions_before
from eventtape.errors import InputError
from eventtape.frames.symbol_history import (
    follow,
    listings_before,
    refuse,
    renames_before,
    typed,
)

__all__ = ["Universe", "seed_columns", "universe"]

_PRICES = ("dollar_volume", "vwap", "close")  # the first one a row has makes its dollars
_MILLION = 1e6


class Universe(NamedTuple):
    """The names chosen, those that could not be, and the sessions that decided."""

    members: pl.DataFrame  # kind, rank, symbol, mean_shares, mean_dollars, sessions, ...
    excluded: pl.DataFrame  # symbol, kind, mean_dollars, sessions, reason
    day: date
    sessions: tuple[date, ...]  # the N before the date
    empty_sessions: tuple[date, ...]  # those of them on which the table has no row at all


def universe(
    daily: pl.DataFrame,
    day: date | str,
    *,
    top: int = 20,
    sessions: int = 20,
    kinds: Sequence[str] = ("ETF", "CS"),
    listings: pl.DataFrame | None = None,
    renames: pl.DataFrame | None = None,
    min_share: float = 0.9,
    calendar: str = "XNYS",
) -> Universe:
    """The ``top`` names of each kind by mean dollar volume over the ``sessions`` before ``day``.

    ``daily`` has ``symbol, session`` (date), ``volume`` (shares), and dollars as ``dollar_volume``,
    or else ``vwap`` or ``close`` times volume, whichever a row has first; symbols as they stood on
    the session. ``listings`` (``symbol, kind, from, to``) and ``renames`` (``old, new, from``) are
    as in :mod:`eventtape.frames.symbol_history`; without listings, or with ``kinds=()``, there is
    one ranking of all names.

    ``members`` has ``kind, rank, symbol, mean_shares, mean_dollars`` (a session, over the sessions
    the name has a row on), ``sessions`` (how many those are), ``dollars_from`` (which columns made
    the dollars) and ``traded_as`` (its symbols in the window, oldest first). A name with rows on
    fewer than ``min_share`` of the sessions, with no listing or an ended one, or that never traded,
    is in ``excluded`` with the reason. Ties go to the symbol that sorts first.
    """
    if top < 1:
        raise InputError("a top of at least 1 name", met=top)
    if not 0.0 < min_share <= 1.0:
        raise InputError("a min_share above 0 and at most 1", met=min_share)
    if isinstance(kinds, str):
        raise InputError("a sequence of kinds such as ('ETF', 'CS')", met=kinds)
    if kinds and listings is None:
        raise InputError("listings to tell kinds apart, or kinds=() for all names", met=None)
    day, kinds = as_date(day), tuple(kinds)
    window = [when.item() for when in sessions_before(day, sessions, calendar).date]
    known_renames = renames_before(renames, day)
    rows = _window(daily, window, day, calendar)
    if rows.is_empty():
        wanted = f"rows on the sessions {window[0]} to {window[-1]}"
        raise InputError(wanted, met="none", file="daily", column="session")
    rows = follow(rows, known_renames, since="session")
    names = _listed(rows, listings, known_renames, window, day)
    needed = math.ceil(min_share * len(window) - 1e-9)
    reason = _reason(kinds, needed, len(window), listed=listings is not None)
    mine = pl.col("gone").is_null() & ~pl.col("stray")  # else the listing is another company's
    names = names.with_columns(reason.alias("reason"), pl.when(mine).then("kind").alias("kind"))
    seen = set(rows["session"].to_list())
    return Universe(
        _ranked(names.filter(pl.col("reason").is_null()), top, kinds),
        names.filter(pl.col("reason").is_not_null())
        .sort("mean_dollars", "symbol", descending=[True, False])
        .select("symbol", "kind", "mean_dollars", "sessions", "reason"),
        day,
        tuple(window),
        tuple(when for when in window if when not in seen),
    )


def seed_columns(members: pl.DataFrame) -> pl.DataFrame:
    """The members under the column names of the election-day study's tables, two decimals.

    For those who read such tables: ``total_volume_shares_millions`` and
    ``total_volume_dollars_millions`` hold our means a session, in millions.
    """
    return members.select(
        "kind",
        pl.col("symbol").alias("ticker"),
        (pl.col("mean_shares") / _MILLION).round(2).alias("total_volume_shares_millions"),
        (pl.col("mean_dollars") / _MILLION).round(2).alias("total_volume_dollars_millions"),
    )


def _window(daily: pl.DataFrame, window: list[date], day: date, calendar: str) -> pl.DataFrame:
    """The rows of the window, checked, with ``dollars`` and the column they came from."""
    prices = [name for name in _PRICES if name in daily.columns]
    if not prices:
        wanted = f"one of the columns {', '.join(_PRICES)}"
        raise InputError(wanted, met=", ".join(daily.columns), file="daily")
    numbers = dict.fromkeys(("volume", *prices), pl.Float64)
    rows = typed(daily, {"symbol": pl.String, "session": pl.Date, **numbers}, "daily")
    refuse(rows, pl.col("session").is_null(), "session", "a date", "daily")
    rows = rows.filter(pl.col("session").is_between(window[0], day, closed="left"))
    refuse(rows, pl.col("symbol").is_null(), "symbol", "a symbol", "daily")
    on_session = pl.col("session").is_in(window)
    refuse(rows, ~on_session, "session", f"a session of {calendar}", "daily")
    for name in numbers:
        finite = pl.col(name).is_finite() & (pl.col(name) >= 0.0)
        refuse(rows, ~finite, name, "a finite number >= 0", "daily")
    refuse(rows, pl.col("volume").is_null(), "volume", "a number of shares", "daily")
    again = pl.struct("symbol", "session").is_first_distinct().not_()
    refuse(rows, again, "symbol", "one row a symbol and session (a second one)", "daily")
    # A price of 0 beside a volume is a vendor's way to leave it out.
    rows = rows.with_columns(
        pl.when((pl.col(name) > 0.0) | (pl.col("volume") == 0.0)).then(name) for name in prices
    )
    made = [
        pl.col(name) if name == "dollar_volume" else pl.col(name) * pl.col("volume")
        for name in prices
    ]
    idle = pl.when(pl.col("volume") == 0.0).then(0.0)  # nothing traded: it needs no price
    sources = [pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in prices]
    rows = rows.with_columns(
        pl.coalesce(*made, idle).alias("dollars"),
        pl.coalesce(*sources, pl.lit("no trade")).alias("dollars_from"),
    )
    refuse(rows, pl.col("dollars").is_null(), prices[0], f"one of {', '.join(prices)}", "daily")
    return rows.select("row", "symbol", "session", "volume", "dollars", "dollars_from")


def _listed(
    rows: pl.DataFrame,
    listings: pl.DataFrame | None,
    renames: pl.DataFrame,
    window: list[date],
    day: date,
) -> pl.DataFrame:
    """One row a name: its means, kind, when its listing ended; strangers' sessions set apart."""
    if listings is None:
        unknown = pl.lit(None, pl.String).alias("kind"), pl.lit(None, pl.Date).alias("ended")
        return _means(rows.with_columns(stray=False)).with_columns(unknown)
    known = listings_before(listings, renames, window, day)
    latest = known.group_by("name", maintain_order=True).agg(
        pl.col("kind", "spell").last(), pl.col("to").last().alias("ended")
    )
    # A symbol that had an earlier stay on the market: its sessions there are another company's.
    stays = known.select("name", "from", "to", "spell").sort("from")
    rows = (
        rows.sort("named")
        .join_asof(
            stays,
            left_on="named",
            right_on="from",
            by="name",
            strategy="backward",
            check_sortedness=False,
        )
        .join(latest.select("name", now="spell"), on="name", how="left")
    )
    covered = pl.col("spell").is_not_null() & (pl.col("named") <= pl.col("to").fill_null(day))
    other = covered & (pl.col("spell") != pl.col("now"))
    # A rename says by itself whose a row is, unless a listing of that day speaks against it.
    unlisted = (pl.col("named") == pl.col("session")) & ~covered
    stray = pl.col("now").is_not_null() & pl.col("gone").is_null() & (other | unlisted)
    means = _means(rows.with_columns(stray.alias("stray")))
    return means.join(latest.drop("spell"), left_on="symbol", right_on="name", how="left")


def _means(rows: pl.DataFrame) -> pl.DataFrame:
    """Means a session of each name, summed in the order of the sessions."""
    key = ("name", "gone", "stray")
    rows = rows.sort(*key, "session", nulls_last=True)
    names = rows.group_by(key, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("sessions"),
        pl.col("dollars_from").unique().sort().str.join("+"),
        pl.col("symbol").unique(maintain_order=True).str.join("+").alias("traded_as"),
    )
    code = np.repeat(np.arange(names.height), names["sessions"].to_numpy())
    # bincount adds one row after the other; a parallel sum could break a tie another way each run.
    volume, dollars = (
        np.bincount(code, rows[column].to_numpy(), names.height) for column in ("volume", "dollars")
    )
    count = names["sessions"].to_numpy()
    return names.with_columns(
        pl.Series("mean_shares", volume / count, pl.Float64),
        pl.Series("mean_dollars", dollars / count, pl.Float64),
    ).rename({"name": "symbol"})


def _reason(kinds: Sequence[str], needed: int, n: int, *, listed: bool) -> pl.Expr:
    """Why a name cannot be a member, the first reason that holds; null where it can."""
    few = pl.format(
        "rows on {} of {} sessions, fewer than {}", "sessions", pl.lit(n), pl.lit(needed)
    )
    reasons = [
        (pl.col("gone").is_not_null(), pl.format("symbol taken over on {}", "gone")),
        (pl.col("stray"), pl.lit("outside the symbol's present listing")),
        (pl.col("kind").is_null() & listed, pl.lit("no listing before the date")),
        (pl.col("ended").is_not_null(), pl.format("listing ended {}", "ended")),
        (~pl.col("kind").is_in(kinds) & bool(kinds), pl.format("kind {} not asked for", "kind")),
        (pl.col("sessions") < needed, few),
        (pl.col("mean_dollars") == 0.0, pl.lit("no trade in any session")),
    ]
    reason: pl.Expr = pl.lit(None, pl.String)
    for holds, words in reversed(reasons):
        reason = pl.when(holds).then(words).otherwise(reason)
    return reason


def _ranked(names: pl.DataFrame, top: int, kinds: Sequence[str]) -> pl.DataFrame:
    """The largest of each kind in the order of ``kinds``, ties by symbol."""
    names = names.sort("mean_dollars", "symbol", descending=[True, False])
    tables = [names.filter(pl.col("kind") == kind) for kind in dict.fromkeys(kinds)] or [names]
    columns = ["kind", "rank", "symbol", "mean_shares", "mean_dollars", "sessions"]
    return (
        pl.concat([table.head(top).with_row_index("rank", offset=1) for table in tables])
        .select(pl.col(*columns, "dollars_from", "traded_as"))
        .cast({"rank": pl.Int64})
    )
