"""What ``eventtape trade`` reads from its options: legs, expiries, volatilities, events."""

from __future__ import annotations

import re
from datetime import datetime, time
from pathlib import Path
from typing import NamedTuple

from eventtape.clock import as_date, format_ns, parse_ns, zone
from eventtape.errors import InputError

__all__ = [
    "GivenLeg",
    "Terms",
    "event_of",
    "expiry_ns",
    "given_legs",
    "moment",
    "pairs",
    "terms_of",
]

_LEG = re.compile(r"([+-]?\d*\.?\d+)\s+(\d*\.?\d+)\s*([CPcp])\s+(\S+?)(?:\s*@\s*(\S+))?")
_CODE = re.compile(r"(\d{1,2})([A-Za-z]{3})(\d{2})")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class GivenLeg(NamedTuple):
    """One leg as it was typed; ``vol`` None where the expiry's holds."""

    quantity: float
    strike: float
    is_call: bool
    expiry_ns: int
    vol: float | None


class Terms(NamedTuple):
    """Volatilities and forwards by expiry, as typed or as a file has them."""

    vols: dict[int, float]
    forwards: dict[int, float]
    at_ns: int | None  # of the file's snapshot
    spot: float | None  # of the file's snapshot
    sources: tuple[str, ...]
    notes: tuple[str, ...]


def given_legs(text: str, *, inverse: bool) -> tuple[GivenLeg, ...]:
    """``-3 55000 P 2024-11-08, +1 65000 P 2025-03-28 @.58`` as legs."""
    found = []
    for row, part in enumerate(text.split(","), 1):
        match = _LEG.fullmatch(part.strip())
        if match is None:
            wanted = "a leg such as -3 55000 P 2024-11-08, and @.58 behind it for its volatility"
            raise InputError(wanted, met=part.strip(), row=row, column="legs")
        vol = None if match[5] is None else _decimal(match[5], "legs")
        until = expiry_ns(match[4], inverse=inverse)
        found.append(
            GivenLeg(float(match[1]), float(match[2]), match[3].upper() == "C", until, vol)
        )
    return tuple(found)


def expiry_ns(text: str, *, inverse: bool) -> int:
    """When options settle: a moment with its zone, a date or Deribit's code (8NOV24).

    A day alone is 08:00 UTC for options settled in coins, else 16:00 in New York.

    >>> expiry_ns("8NOV24", inverse=True) == parse_ns("2024-11-08T08:00Z")
    True
    """
    if ":" in text:
        return parse_ns(text)
    code = _CODE.fullmatch(text)
    if code is not None and code[2].lower() in _MONTHS:
        month = _MONTHS.index(code[2].lower()) + 1
        text = f"20{code[3]}-{month:02d}-{int(code[1]):02d}"
    day = as_date(text, what="expiry")
    hour, place = (8, "UTC") if inverse else (16, "America/New_York")
    return parse_ns(datetime.combine(day, time(hour), zone(place)).isoformat())


def moment(text: str) -> int:
    """A moment with its zone, or a date, which is 00:00 UTC."""
    return parse_ns(text if ":" in text else f"{as_date(text).isoformat()}T00:00Z")


def pairs(text: str, column: str, *, inverse: bool) -> dict[int, float]:
    """``2024-11-08=.5523,2025-03-28=.5778`` by expiry."""
    found: dict[int, float] = {}
    for part in text.split(","):
        key, sign, value = part.strip().partition("=")
        if not sign:
            raise InputError("EXPIRY=NUMBER, and a comma between two", met=part, column=column)
        until = expiry_ns(key.strip(), inverse=inverse)
        if until in found:
            raise InputError("one value an expiry", met=key.strip(), column=column)
        found[until] = _decimal(value, column)
    return found


def terms_of(text: str, *, at_ns: int | None, label: str | None, inverse: bool) -> Terms:
    """Volatilities by expiry: as typed, of a table's last snapshot by ``at_ns``, or of quotes."""
    if "=" in text and not Path(text).is_file():
        return Terms(pairs(text, "vol", inverse=inverse), {}, None, None, ("as given",), ())
    import polars as pl

    from eventtape.cli.premium_input import is_term_table
    from eventtape.sources.term_tables import read_term_rows
    from eventtape.tape import times_ns

    path = Path(text)
    if not path.is_file():
        wanted = "EXPIRY=VOLATILITY, or a file of volatilities or option quotes"
        raise InputError(wanted, met="no such file", file=path)
    if not is_term_table(path):
        return _of_quotes(path, at_ns, label)
    rows = read_term_rows(path, at=at_ns)
    frame = rows.frame
    labels = sorted(frame["label"].unique())
    if label is not None:
        frame = frame.filter(label=label)
    if frame.is_empty() or (label is None and len(labels) > 1):
        raise InputError(f"--label, one of {', '.join(labels)}", met=label, file=path)
    if at_ns is not None:
        frame = frame.filter(pl.col("ts") <= pl.lit(at_ns).cast(pl.Datetime("ns", "UTC")))
    if frame.is_empty():
        met = None if at_ns is None else format_ns(at_ns)
        raise InputError("a snapshot at or before --at", met=met, file=path)
    last = frame.filter(pl.col("ts") == frame["ts"].max())
    untils = last["expiry"].to_physical().to_list()
    vols = dict(zip(untils, last["iv"].to_list(), strict=True))
    forwards = {t: f for t, f in zip(untils, last["forward"].to_list(), strict=True) if f}
    known = last["index"].drop_nulls()
    stamp = int(times_ns(last)[0])
    notes = (f"{path.name}: snapshot of {format_ns(stamp)}, {last.height} expiries.",)
    spot = float(known[0]) if known.len() else None
    return Terms(vols, forwards, stamp, spot, (path.name,), notes)


def event_of(text: str, number: int) -> tuple[int, float, str]:
    """``2024-11-05T23:00Z=.08`` or ``2024-11-05T23:00Z=.08=election``: when, size, name."""
    when, _, rest = text.partition("=")
    size, _, name = rest.partition("=")
    if not size:
        raise InputError("TIME=SIZE, such as 2024-11-05T23:00Z=.08", met=text, column="event")
    value = _decimal(size, "event")
    if not 0.0 < value < 1.0:
        raise InputError("a size as a decimal: .08 for 8%", met=value, column="event")
    return moment(when.strip()), value, name.strip() or f"event {number}"


def _decimal(text: str, column: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError("a number", met=text.strip(), column=column) from None


def _of_quotes(path: Path, at_ns: int | None, label: str | None) -> Terms:
    """At-the-money volatilities fitted to a file of option quotes, as the premium command does."""
    from eventtape.cli.premium_input import read_markets

    notes: list[str] = []
    markets = read_markets(
        [path],
        at=None if at_ns is None else format_ns(at_ns),
        labels=() if label is None else (label,),
        unit=None,
        every=None,
        history=False,
        max_age=None,
        rate=None,
        american=None,
        notes=notes,
        tell=lambda _label, _done, _total: None,
    )
    known = [market for market in markets if market.terms]
    if len(known) != 1:
        names = ", ".join(market.label for market in known) or "none with a volatility"
        raise InputError(f"--label, one of {names}", met=label, file=path)
    term = known[0].terms[-1]
    vols = dict(zip(term.expiries_ns.tolist(), term.iv.tolist(), strict=True))
    return Terms(vols, {}, term.at_ns, None, (path.name,), tuple(notes))
