"""What a soak measures: memory each second, when the page drew what, and what the journal holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eventtape.sources.live_rows import mixed_keys, row_keys
from parity.soak_server import LABEL, QUOTES, TRADES, is_trade, symbols_of

_NIGHT_MS, _DAY_MS = 6 * 3_600_000, 86_400_000

# Looks at the figure once a frame of the browser. What a frame finds in the figure's data is on
# the screen by the next frame, so that is when it counts as drawn.
LOOK = """() => {
    window.drawn = [];
    const source = Bokeh.documents[0].get_model_by_name("probability")
        .renderers.map(r => r.data_source).find(s => s.name === "quotes");
    let last = -1, found = -1;
    const look = () => {
        if (found > last) { window.drawn.push([Date.now(), found]); last = found; }
        const ts = source.data.ts;
        if (ts && ts.length) found = Number(ts[ts.length - 1]);
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""
TAKE = "() => window.drawn.splice(0)"


class Slope(NamedTuple):
    """Growth of memory, bytes an hour, and its standard error."""

    per_hour: float
    error: float


def slope_of(at_s, memory, *, warm_s: float, block_s: float = 30.0) -> Slope:
    """The slope through the means of blocks, which are less alike than neighbouring seconds are."""
    at, held = np.asarray(at_s, float), np.asarray(memory, float)
    kept = at >= warm_s
    block = (at[kept] // block_s).astype(int)
    x = np.array([at[kept][block == b].mean() for b in np.unique(block)]) / 3_600.0
    y = np.array([held[kept][block == b].mean() for b in np.unique(block)])
    if x.size < 4:
        return Slope(float("nan"), float("nan"))
    apart = x - x.mean()
    slope = float(apart @ y / (apart @ apart))
    rest = y - y.mean() - slope * apart
    return Slope(slope, float(np.sqrt(rest @ rest / (x.size - 2) / (apart @ apart))))


def to_screen_ms(received, drawn) -> np.ndarray:
    """Milliseconds from receipt of each row to the moment something as new was on the screen.

    ``received`` are (stamp ms, receipt ms) of rows, ``drawn`` (moment ms, newest stamp ms) of the
    page; rows before the first and after the last drawing are left out.
    """
    received, drawn = np.asarray(received, float), np.asarray(drawn, float)
    newest = np.maximum.accumulate(drawn[:, 1])
    inside = (received[:, 0] > newest[0]) & (received[:, 0] <= newest[-1])
    inside &= received[:, 1] >= drawn[0, 0]
    rows = received[inside]
    moment = drawn[np.searchsorted(newest, rows[:, 0]), 0]
    return moment - rows[:, 1]


class Count(NamedTuple):
    """Rows of a feed: sent by the venue, in the journal, lost, and there more than once."""

    feed: str
    sent: int
    kept: int
    lost: int
    twice: int


def counted(journal, log, symbols: int):
    """A :class:`Count` a feed, and (stamp ms, receipt ms) of the contract's rows."""
    kept: dict[str, list[np.ndarray]] = {TRADES: [], QUOTES: [], LABEL: []}
    received = []
    for batch in journal.read():
        if batch.feed:
            kept[batch.feed].append(batch.keys)
        if batch.feed == LABEL:
            at = batch.rows["ts"].to_physical().to_numpy()
            received += [(ns / 1e6, batch.received_ns / 1e6) for ns in at.tolist()]
    counts = [
        _count(feed, wanted, np.concatenate([np.empty(0, np.int64), *kept[feed]]))
        for feed, wanted in _wanted(log, symbols).items()
    ]
    return counts, received


def _wanted(log, symbols: int) -> dict[str, np.ndarray]:
    """The keys of every event that the server made, by feed."""
    frames = log["stocks"]
    n = np.arange(int(frames[-1, 0] + frames[-1, 1]))
    ms = np.repeat(frames[:, 2], frames[:, 1])
    seeds = row_keys(symbols_of(symbols))
    day = (ms - _NIGHT_MS) // _DAY_MS
    keys = mixed_keys(seeds[n % symbols], (n // symbols + 1) ^ (day << np.int64(40)))
    trades = is_trade(n, symbols)
    contract = row_keys(f"k{k}" for k in log["contract"][:, 0].tolist())
    return {TRADES: keys[trades], QUOTES: keys[~trades], LABEL: contract}


def _count(feed: str, wanted: np.ndarray, kept: np.ndarray) -> Count:
    once = np.unique(kept)
    lost = np.setdiff1d(wanted, once).size
    assert np.setdiff1d(once, wanted).size == 0, f"{feed}: rows that nobody sent"
    return Count(feed, wanted.size, kept.size, int(lost), int(kept.size - once.size))
