"""What a pass over ticks tells in a terminal: how much, how healthy, and what each ticker shows."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

NONE = "—"
_SHOWN = 20  # tickers in the terminal; --json has all
_MANY = 0.05  # crossed books: a national best bid and offer has 0.1% and less
_FEW = 0.5  # trades within the hours: nine in ten and more, as a rule
_HEALTH = (
    ("rows", "rows used"),
    ("symbols", "symbols"),
    ("iso", "intermarket sweeps"),
    ("ineligible", "ineligible trades"),
    ("odd_lots", "odd lots"),
    ("one_sided", "one-sided books"),
    ("empty_books", "books with neither side"),
    ("locked", "locked books"),
    ("crossed", "crossed books"),
    ("exact_duplicates", "rows that repeat another"),
    ("far_prices", "absurd prices (half off)"),
)
_OF_ONE_SIDE = {
    "trades": {"iso", "ineligible", "odd_lots"},
    "quotes": {"one_sided", "empty_books", "locked", "crossed"},
}


def warn(told: dict[str, Any], symbols: list[str] | None, tickers: set[str]) -> None:
    """Say on standard error what the tables alone would not."""
    for day, rows in told["not_traded"].items():
        print(f"eventtape: {day} is no session: {rows:,} rows left out", file=sys.stderr)
    missing = sorted(set(symbols or ()) - tickers)
    if missing:
        print(f"eventtape: no tick of {', '.join(missing)}", file=sys.stderr)
    for kind in told["rows"]:
        if kind not in told["health"]:
            print(f"eventtape: no row of {kind}", file=sys.stderr)
    books = told["health"].get("quotes", {"rows": 0})
    if books["rows"] and books["crossed"] > _MANY * books["rows"]:
        share = books["crossed"] / books["rows"]
        print(
            f"eventtape: {share:.0%} of the books are crossed: quotes of several venues taken for "
            "one book (--exchange), or two clocks (--zone)?",
            file=sys.stderr,
        )
    _warn_of_trades(told)


def _warn_of_trades(told: dict[str, Any]) -> None:
    summary, prints = told.get("summary", []), told["health"].get("trades", {"rows": 0})
    eligible = prints["rows"] - prints.get("ineligible", 0)
    within = sum(row["num_trades"] for row in summary)
    if eligible and within < _FEW * eligible:
        print(
            f"eventtape: only {within:,} of {eligible:,} eligible trades are within the hours: is "
            "the clock of the file another (--zone)?",
            file=sys.stderr,
        )
    bare = [r["ticker"] for r in summary if r["num_trades"] and r["median_spread"] is None]
    if bare:
        print(f"eventtape: trades but no quotes of {', '.join(bare[:_SHOWN])}", file=sys.stderr)


def show(told: dict[str, Any], signed_out: Path | None, lake: Path | None) -> None:
    """Print the banner where simulated, the totals, the health table and the tickers."""
    console = Console()
    banner(console, simulated=told["simulated"])
    totals(told)
    console.print(health(told["health"]))
    console.print(_tickers(told["summary"]))
    if len(told["summary"]) > _SHOWN:
        print(f"{len(told['summary'])} tickers, the {_SHOWN} most traded shown; --json has all")
    print(f"Written: {told['out']}")
    if signed_out is not None:
        print(f"Signed trades: {signed_out}")
    if lake is not None:
        print(f"In the lake {lake}: table features")


def banner(console: Console, *, simulated: bool) -> None:
    """The red line over whatever no market made."""
    if simulated:
        console.print(
            Panel("SIMULATED DATA: no number below is a market's", style="bold white on red")
        )


def totals(told: dict[str, Any]) -> None:
    """Rows, tickers, answers, seconds and speed, in one line."""
    rows = ", ".join(f"{n:,} {kind}" for kind, n in told["rows"].items())
    days = told["sessions"]
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}, {len(days)} days"
    answers = f"{told['buckets']:,} buckets" if "buckets" in told else f"{told['books']:,} books"
    print(
        f"{span}: {rows}; {told['tickers']:,} tickers, {answers} in {told['seconds']:.1f} s "
        f"({told['rows_per_second']:,} rows/s)"
    )


def health(sides: dict[str, dict[str, Any]]) -> Table:
    """Counts by side with their share of the rows; what the readers dropped or changed below."""
    table = Table(title="Health of the ticks")
    table.add_column("")
    for kind in sides:
        table.add_column(kind, justify="right")
    for key, words in _HEALTH:
        cells = [
            NONE
            if any(key in of for other, of in _OF_ONE_SIDE.items() if other != kind)
            else _counted(side[key], side["rows"], share=key not in {"rows", "symbols"})
            for kind, side in sides.items()
        ]
        if set(cells) != {NONE}:
            table.add_row(words, *cells)
    seen = {name for side in sides.values() for name, n in side["seen_by_reader"].items() if n}
    for name in sorted(seen - {"rows"}):
        counts = (side["seen_by_reader"].get(name, 0) for side in sides.values())
        table.add_row(f"reader: {escape(name)}", *(f"{n:,}" if n else NONE for n in counts))
    return table


def _counted(n: int, rows: int, *, share: bool) -> str:
    return f"{n:,} ({n / rows:.2%})" if share and n else f"{n:,}"


def _tickers(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Eligible trades and quotes of the hours", box=SIMPLE_HEAD, padding=0)
    table.add_column("ticker", no_wrap=True)
    columns = {
        "num_trades": "trades",
        "pct_trades_iso": "ISO,\ntrades",
        "pct_volume_iso": "ISO,\nvolume",
        "pct_at_quote_iso": "at quote,\nISO",
        "pct_at_quote_other": "at quote,\nothers",
        "pct_quote_test": "signed by\nquote",
        "pct_tick_test": "signed\nby tick",
        "median_spread": "median\nspread, c",
    }
    for words in columns.values():
        table.add_column(words, justify="right", no_wrap=True)
    for row in sorted(rows, key=lambda r: (-r["num_trades"], r["ticker"]))[:_SHOWN]:
        table.add_row(escape(row["ticker"]), *(_cell(name, row[name]) for name in columns))
    return table


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return NONE
    if name.startswith("num_"):
        return f"{value:,}"
    return f"{100.0 * value:.2f}" if name == "median_spread" else f"{value:.1%}"
