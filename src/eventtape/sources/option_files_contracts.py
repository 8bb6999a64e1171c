"""Which contract a symbol names, how it is exercised, and the moment at which it settles.

Three ways of writing a contract are read: the OCC's (root, YYMMDD, C or P, strike in thousandths:
``SPXW230914C01200000``), Deribit's (``BTC-14JUN25-96000-C``) and Binance's
(``BTC-231229-34000-C``).

A listed American option settles at the close of the last session on or before its date, which is
the Friday before for the Saturday expiries of old and 13:00 on a half day. The roots in ``RULES``
differ: index options are European and settle in cash, those with a.m. settlement at the opening of
that session (SPX; not SPXW). Deribit and Binance settle at 08:00 UTC. A coin-margined Deribit
contract is inverse: price and payoff are in the coin.

An adjusted contract or a mini has a root that ends in a digit (``SPY7``): it delivers something
else than its name says and is left out.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape import clock
from eventtape.sources.option_files_rows import Given, Ledger

__all__ = [
    "RULES",
    "Rule",
    "binance_contracts",
    "dates_of",
    "deribit_contracts",
    "is_call_of",
    "listed",
    "occ_contracts",
    "occ_symbols",
    "rule_of",
    "session_closes",
]


class Rule(NamedTuple):
    """How the contracts of a root are exercised and settled, and on what."""

    style: str
    settlement: str
    at_open: bool = False
    underlying: str | None = None  # None: the root itself


_INDEX = Rule("european", "cash")
RULES = {
    **{root: _INDEX._replace(at_open=True) for root in ("SPX", "NDX", "RUT", "DJX", "VIX")},
    **dict.fromkeys(("XSP", "XEO", "MRUT", "XND"), _INDEX),
    "SPXW": _INDEX._replace(underlying="SPX"),
    "SPXPM": _INDEX._replace(underlying="SPX"),
    "NDXP": _INDEX._replace(underlying="NDX"),
    "RUTW": _INDEX._replace(underlying="RUT"),
    "VIXW": _INDEX._replace(at_open=True, underlying="VIX"),
    "OEX": Rule("american", "cash"),
}
"""Roots that are not American options on a share; every other one is."""

_SHARE = Rule("american", "physical")
_OCC = r"^(?:O:)?([A-Z][A-Z0-9./]*?)\s*(\d{6})([CP])(\d{8})$"
_DERIBIT = r"^([A-Z]+(?:_[A-Z]+)?)-(\d{1,2}[A-Z]{3}\d{2})-(\d+(?:d\d+)?)-([CP])$"
_BINANCE = r"^([A-Z0-9]+)-(\d{6})-(\d+(?:\.\d+)?)-([CP])$"
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_UTC = pl.Datetime("ns", "UTC")
_DAYS_BACK = 10  # the longest stretch without a session is shorter


def rule_of(root: str) -> Rule:
    """The rule of a root; one that is not in ``RULES`` is an American option on a share."""
    return RULES.get(root, _SHARE)


def occ_contracts(symbols: pl.Series, ledger: Ledger) -> pl.DataFrame:
    """Columns ``symbol, root, date, is_call, strike`` of OCC symbols; others are bad rows."""
    parts = _parts(symbols, _OCC, ledger, "an OCC symbol such as SPXW230914C01200000")
    date = parts["2"].str.to_date("%y%m%d", strict=False)
    _real_date(symbols, date, parts["2"], ledger)
    return pl.DataFrame(
        {
            "symbol": (parts["1"] + parts["2"] + parts["3"] + parts["4"]).alias("symbol"),
            "root": parts["1"],
            "date": date,
            "is_call": parts["3"] == "C",
            "strike": pl.Series(parts["4"].cast(pl.Float64).to_numpy() / 1000.0, nan_to_null=True),
        }
    )


def deribit_contracts(symbols: pl.Series, ledger: Ledger) -> pl.DataFrame:
    """Columns ``symbol, underlying, expiry, strike, is_call, style, settlement`` of Deribit names.

    A name with a currency pair (``XRP_USDC-30JUN23-0d625-C``) is linear: cash, not inverse; its
    strike writes the decimal point as a d.
    """
    parts = _parts(symbols, _DERIBIT, ledger, "a Deribit name such as BTC-14JUN25-96000-C")
    text = parts["2"].str.zfill(7)
    month = text.str.slice(2, 3).replace_strict(
        {name: f"{at:02d}" for at, name in enumerate(_MONTHS, 1)}, default=None
    )
    date = (text.str.slice(5, 2) + month + text.str.slice(0, 2)).str.to_date("%y%m%d", strict=False)
    _real_date(symbols, date, parts["2"], ledger)
    linear = parts["1"].str.contains("_", literal=True)
    strike = parts["3"].str.replace("d", ".", literal=True).cast(pl.Float64)
    return _crypto(symbols, parts["1"], date, strike, parts["4"] == "C").with_columns(
        pl.when(linear).then(pl.lit("cash")).otherwise(pl.lit("inverse")).alias("settlement")
    )


def binance_contracts(symbols: pl.Series, ledger: Ledger) -> pl.DataFrame:
    """The columns of :func:`deribit_contracts` of Binance names; they settle in cash (USDT)."""
    parts = _parts(symbols, _BINANCE, ledger, "a Binance name such as BTC-231229-34000-C")
    date = parts["2"].str.to_date("%y%m%d", strict=False)
    _real_date(symbols, date, parts["2"], ledger)
    strike = parts["3"].cast(pl.Float64)
    return _crypto(symbols, parts["1"], date, strike, parts["4"] == "C")


def listed(contracts: pl.DataFrame, given: Given, ledger: Ledger) -> pl.DataFrame:
    """Columns ``symbol, underlying, expiry, strike, is_call, style, settlement`` of listed options.

    ``contracts`` has ``symbol, root, date, is_call, strike``; a style or settlement the caller
    states goes before the root's rule. Adjusted contracts are left out.
    """
    roots = contracts["root"]
    ledger.drop(roots.str.contains(r"\d$"), "adjusted or mini contract")
    unique = [root for root in roots.unique() if root is not None]
    rules = {root: rule_of(root) for root in unique}

    def by_root(pick: dict[str, str]) -> pl.Series:
        return roots.replace_strict(pick, default=None, return_dtype=pl.String)

    at_open = roots.replace_strict(
        {root: rule.at_open for root, rule in rules.items()}, default=None, return_dtype=pl.Boolean
    )
    under = {root: rule.underlying or root for root, rule in rules.items()}
    return pl.DataFrame(
        {
            "symbol": contracts["symbol"],
            "underlying": by_root(under),
            "expiry": _settled(contracts["date"], at_open),
            "strike": contracts["strike"],
            "is_call": contracts["is_call"],
            "style": by_root({root: given.style or r.style for root, r in rules.items()}),
            "settlement": by_root(
                {root: given.settlement or r.settlement for root, r in rules.items()}
            ),
        }
    )


def occ_symbols(contracts: pl.DataFrame) -> pl.Series:
    """OCC symbols of ``root, date, is_call, strike``, for files that have the parts alone."""
    right = pl.when(pl.col("is_call")).then(pl.lit("C")).otherwise(pl.lit("P"))
    thousandths = (pl.col("strike") * 1000).round().cast(pl.Int64).cast(pl.String).str.zfill(8)
    day = pl.col("date").dt.strftime("%y%m%d")
    return contracts.select((pl.col("root") + day + right + thousandths).alias("symbol"))["symbol"]


def is_call_of(values: pl.Series, ledger: Ledger) -> pl.Series:
    """True for calls and false for puts of a column that says C, P, call or put."""
    letter = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    known = letter.is_in(["c", "p", "call", "put", "calls", "puts"])
    ledger.reject(values, ~known.fill_null(value=False), "C, P, call or put", "no call or put")
    return letter.str.starts_with("c")


def dates_of(values: pl.Series, ledger: Ledger) -> pl.Series:
    """Dates of a column of dates, midnights, ISO text or whole numbers such as 20241220."""
    if isinstance(values.dtype, pl.Datetime):
        return values.dt.date()
    if values.dtype == pl.Date:
        return values
    text = values.cast(pl.String).str.strip_chars().str.slice(0, 10)
    date = text.str.to_date("%Y-%m-%d", strict=False)
    date = date.fill_null(text.str.to_date("%Y%m%d", strict=False))
    wanted = "a date such as 2024-12-20 or 20241220"
    ledger.reject(values, date.is_null(), wanted, f"no date in '{values.name}'")
    return date


def session_closes(dates: pl.Series) -> pl.Series:
    """UTC close of the last New York session on or before each date: the clock of an end of day."""
    return _settled(dates, pl.Series([False]).new_from_index(0, dates.len()))


def _parts(symbols: pl.Series, pattern: str, ledger: Ledger, wanted: str) -> dict[str, pl.Series]:
    parts = symbols.str.strip_chars().str.extract_groups(pattern).struct.unnest()
    ledger.reject(symbols, parts["1"].is_null(), wanted, "unparsable symbol")
    return {name: parts[name] for name in parts.columns}


def _real_date(symbols: pl.Series, date: pl.Series, text: pl.Series, ledger: Ledger) -> None:
    bad = date.is_null() & text.is_not_null()
    ledger.reject(symbols, bad, "a symbol with a date of the calendar", "unparsable symbol")


def _crypto(
    symbols: pl.Series, coin: pl.Series, date: pl.Series, strike: pl.Series, is_call: pl.Series
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": symbols.str.strip_chars().alias("symbol"),
            "underlying": coin,
            "expiry": date.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC").dt.offset_by("8h"),
            "strike": strike,
            "is_call": is_call,
        }
    ).with_columns(pl.lit("european").alias("style"), pl.lit("cash").alias("settlement"))


def _settled(dates: pl.Series, at_open: pl.Series) -> pl.Series:
    """The open or the close of the last New York session on or before each date."""
    known = dates.drop_nulls()
    if known.is_empty():
        return pl.Series([None], dtype=_UTC).new_from_index(0, dates.len())
    first, last = known.min(), known.max()
    sessions = clock.sessions(first - timedelta(days=_DAYS_BACK), last)  # type: ignore[operator,arg-type]
    unique = known.unique()
    at = np.searchsorted(sessions.date, unique.to_numpy().astype("datetime64[D]"), "right") - 1

    def moments(ns: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
        by_date = dict(zip(unique.to_list(), ns[at].tolist(), strict=True))
        return dates.replace_strict(by_date, default=None, return_dtype=pl.Int64)

    opens, closes = moments(sessions.open_ns), moments(sessions.close_ns)
    table = pl.DataFrame({"open": opens, "close": closes, "at_open": at_open})
    picked = pl.when("at_open").then("open").otherwise("close").cast(_UTC)
    return table.select(picked.alias("expiry"))["expiry"]
