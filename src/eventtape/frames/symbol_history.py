"""Which name is behind a symbol on a session, and what it is listed as: read before a date only.

A rename ``old, new, from`` says that the company called ``old`` trades as ``new`` from that session
on. Chains are followed (FB to META to the next), and so is a symbol that passes on: once another
company has taken a symbol over, what traded under it before is another name's, and gone.

A listing ``symbol, kind, from, to`` says what a symbol was listed as from one date to another, both
included; ``to`` is null while nobody knows of an end. Kinds are the vendor's (CS common stock, ETF,
ADRC, ...).

Nothing that starts on or after the date is read, and an end on or after it is not yet known.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from eventtape.errors import InputError

__all__ = ["LISTINGS", "RENAMES", "follow", "listings_before", "refuse", "renames_before", "typed"]

RENAMES: dict[str, Any] = {"old": pl.String, "new": pl.String, "from": pl.Date}
LISTINGS: dict[str, Any] = {"symbol": pl.String, "kind": pl.String, "from": pl.Date, "to": pl.Date}
_NEVER = date.max


def typed(frame: pl.DataFrame, schema: dict[str, Any], table: str) -> pl.DataFrame:
    """The columns of ``schema``, text as String, with the ``row`` (0-based) each line came from."""
    missing = [name for name in schema if name not in frame.columns]
    if missing:
        wanted = f"the column(s) {', '.join(missing)}"
        raise InputError(wanted, met=", ".join(frame.columns), file=table, column=missing[0])
    for name, dtype in schema.items():
        met = frame[name].dtype
        text = dtype == pl.String and isinstance(met, pl.Categorical | pl.Enum)
        numeric = dtype == pl.Float64 and met.is_numeric()
        blank = met == pl.Null  # a column of nothing but nulls has no type of its own
        if not (met == dtype or text or numeric or blank):
            raise InputError(f"values of type {dtype}", met=str(met), file=table, column=name)
    columns = [pl.col(name).cast(dtype) for name, dtype in schema.items()]
    return frame.select(columns).with_row_index("row")


def refuse(frame: pl.DataFrame, bad: pl.Expr, column: str, wanted: str, table: str) -> None:
    """Raise for the first row where ``bad`` holds, by its place in the user's table."""
    rows = frame.filter(bad.fill_null(value=False)).sort("row")
    if rows.height:
        met, row = rows[column][0], int(rows["row"][0])
        met = str(met) if isinstance(met, date) else met
        raise InputError(wanted, met=met, file=table, row=row + 1, column=column)


def renames_before(renames: pl.DataFrame | None, day: date) -> pl.DataFrame:
    """The renames in force before that date, checked: columns ``row, old, new, from``."""
    if renames is None:
        renames = pl.DataFrame(schema=RENAMES)
    table = "renames"
    known = typed(renames, RENAMES, table)
    refuse(known, pl.col("from").is_null(), "from", "a date", table)
    known = known.filter(pl.col("from") < day)
    for name in ("old", "new"):
        refuse(known, pl.col(name).is_null(), name, "a symbol", table)
    refuse(known, pl.col("old") == pl.col("new"), "new", "another symbol than the old one", table)
    for name, wanted in (("old", "one new symbol"), ("new", "one old symbol")):
        again = pl.struct(name, "from").is_first_distinct().not_()
        refuse(known, again, name, f"{wanted} a symbol and date (a second row)", table)
    return known


def follow(
    rows: pl.DataFrame, renames: pl.DataFrame, *, since: str, takeovers: bool = True
) -> pl.DataFrame:
    """The rows with ``name``, what their company is called now, and ``gone``, when it passed on.

    ``since`` is the column of dates on which a row's ``symbol`` was in use; a rename counts where
    it is later than that. ``gone`` is null unless another company took the symbol over after the
    row; without ``takeovers`` it always is. ``named`` is when the name came: ``since`` itself where
    nothing was renamed.
    """
    away = renames.select(symbol="old", at="from", _to="new")
    taken = renames.select(symbol="new", at="from", _to=pl.lit(None, pl.String))
    events = pl.concat([away, taken]) if takeovers else away
    # A symbol both left and taken on one day was left by the company that had it.
    events = (
        events.sort("at", pl.col("_to").is_null())
        .unique(["symbol", "at"], keep="first", maintain_order=True)
        .rename({"symbol": "name"})
    )
    rows = rows.with_columns(
        pl.col("symbol").alias("name"),
        pl.col(since).alias("named"),
        pl.lit(None, pl.Date).alias("gone"),
    )
    while True:  # each turn moves every row it finds to a later date, so it ends
        rows = rows.sort("named").join_asof(
            events,
            left_on="named",
            right_on="at",
            by="name",
            strategy="forward",
            allow_exact_matches=False,
            check_sortedness=False,  # both are sorted above
        )
        if rows["at"].null_count() == rows.height:
            return rows.drop("at", "_to").sort("row")
        over = pl.col("at").is_not_null() & pl.col("_to").is_null()
        rows = rows.with_columns(
            pl.coalesce("_to", "name").alias("name"),
            pl.when(over).then("at").otherwise("gone").alias("gone"),
            pl.when(over).then(_NEVER).otherwise(pl.coalesce("at", "named")).alias("named"),
        ).drop("at", "_to")


def listings_before(
    listings: pl.DataFrame, renames: pl.DataFrame, window: list[date], day: date
) -> pl.DataFrame:
    """The listings known before that date: ``name, kind, from, to, spell``.

    ``spell`` counts a name's stays on the market: rows with no session of ``window`` between the
    end of one and the start of the next are one stay (a change of kind, not of company). A row of
    an old symbol that nobody closed follows its company to the new one.
    """
    table = "listings"
    known = typed(listings, LISTINGS, table)
    refuse(known, pl.col("from").is_null(), "from", "a date", table)
    known = known.filter(pl.col("from") < day)
    for name, wanted in (("symbol", "a symbol"), ("kind", "a kind such as CS or ETF")):
        refuse(known, pl.col(name).is_null(), name, wanted, table)
    seen_end = pl.when(pl.col("to") < day).then("to")
    known = known.with_columns(seen_end.alias("to"))
    refuse(known, pl.col("to") < pl.col("from"), "to", "an end not before its start", table)
    known = known.sort("symbol", "from", "row")
    before = pl.col("to").shift(1).fill_null(_NEVER).over("symbol")
    again = (pl.col("from") <= before) & (pl.col("symbol") == pl.col("symbol").shift(1))
    wanted = "listings of a symbol that do not overlap"
    refuse(known, again, "from", wanted, table)
    open_rows = pl.col("to").is_null()
    renamed = follow(known.filter(open_rows), renames, since="from", takeovers=False)
    renamed = renamed.with_columns(pl.col("named").alias("from")).drop("named", "gone")
    closed = known.filter(~open_rows).with_columns(name="symbol")
    known = pl.concat([renamed, closed], how="diagonal").sort("name", "from", "row")
    grid = pl.Series(window, dtype=pl.Date)
    ended = known["to"].fill_null(_NEVER).shift(1, fill_value=_NEVER)
    apart = grid.search_sorted(known["from"], side="left") > grid.search_sorted(ended, side="right")
    new_spell = apart & (known["name"] == known["name"].shift(1)).fill_null(value=False)
    return known.with_columns(new_spell.cast(pl.Int64).cum_sum().alias("spell"))
