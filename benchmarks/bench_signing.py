"""Trade signing against tclf 0.4.0, trades and quotes aligned beforehand, the same arrays for both.

Target: Lee-Ready at least 8 times tclf on 20 million trades, one thread each. tclf is handed the
last (or next) different price in a column; ours finds it on the way, and that is inside its time.

Every sign is compared. Prices are on a grid of 1/64 dollar, exact in binary: on decimal cents tclf
compares mids bit for bit and signs by rounding what stands at the mid (last line of the table). No
book is crossed or one-sided: there tclf's EMO leaves a trade at a quote unsigned, which ours gives
to the tick test. One book in a hundred is missing, one in a hundred is locked; of the locked ones
tclf's CLNV leaves some unsigned by rounding, and those alone are let differ.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from eventtape.estimators.microstructure.signing import batch
from peer_environment import HERE, peer_python
from table import best_of, show

N, N_OTHERS, SYMBOLS = 20_000_000, 4_000_000, 40
OTHERS = {
    "tick": "tick",
    "quote": "quote",
    "emo": "emo",
    "clnv": "clnv",
    "reverse-tick": "rev_tick",
    "reverse-lee-ready": "rev_lr",
    "reverse-emo": "rev_emo",
    "reverse-clnv": "rev_clnv",
}


class Tape(NamedTuple):
    """Trades grouped by symbol, and the quote each met."""

    price: np.ndarray
    bid: np.ndarray
    ask: np.ndarray
    start: np.ndarray


def tape(n: int) -> Tape:
    """Trades of 40 symbols around a walking mid: 25% at it, 65% at bid or ask, 10% outside."""
    rng = np.random.default_rng(0)
    mid = 6_400 + np.abs(np.cumsum(rng.choice([-1, 0, 1], n, p=[0.1, 0.8, 0.1])))
    half = rng.integers(1, 9, n) * (rng.random(n) >= 0.01)
    place = rng.choice([-2, -1, 0, 1, 2], n, p=[0.05, 0.325, 0.25, 0.325, 0.05])
    off = np.sign(place) * (half + (np.abs(place) == 2))
    bid, ask = (mid - half) / 128.0, (mid + half) / 128.0
    nobody = rng.random(n) < 0.01
    bid[nobody], ask[nobody] = np.nan, np.nan
    start = np.r_[0, np.sort(rng.integers(0, n, SYMBOLS - 1)), n]
    return Tape((mid + off) / 128.0, bid, ask, start)


def different(price: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last and the next different price within the symbol, NaN where none: tclf's columns."""
    rows = np.arange(price.size)
    edge = np.zeros(price.size + 1, np.bool_)
    edge[start] = True
    new = edge[:-1] | np.r_[True, price[1:] != price[:-1]]
    run = np.maximum.accumulate(np.where(new, rows, 0))
    lag = np.where(edge[run], np.nan, price[run - 1])
    ends = np.r_[new[1:], True]
    after = np.minimum.accumulate(np.where(ends, rows, price.size)[::-1])[::-1] + 1
    lead = np.where(edge[after], np.nan, price[np.minimum(after, price.size - 1)])
    return lag, lead


def peer(data: Tape, rules: list[str], repeats: int) -> tuple[dict[str, np.ndarray], dict]:
    """The signs tclf gives and seconds by rule, from its own environment."""
    lag, lead = different(data.price, data.start)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns = {"trade_price": data.price, "bid_ex": data.bid, "ask_ex": data.ask}
        for column, values in {**columns, "price_ex_lag": lag, "price_ex_lead": lead}.items():
            np.save(folder / f"{column}.npy", values)
        script = [str(HERE / "peers" / "tclf_signs.py"), str(folder), ",".join(rules), str(repeats)]
        said = subprocess.run(
            [str(peer_python("tclf")), *script], check=True, capture_output=True, text=True
        )
        return {rule: np.load(folder / f"{rule}.npy") for rule in rules}, json.loads(said.stdout)


def halves(data: Tape) -> list[tuple[np.ndarray, ...]]:
    """The symbols in two parts of about as many trades."""
    cut = int(np.argmin(np.abs(data.start - data.start[-1] / 2)))
    middle = data.start[cut]
    return [
        (*(side[:middle] for side in data[:3]), data.start[: cut + 1]),
        (*(side[middle:] for side in data[:3]), data.start[cut:] - middle),
    ]


def row(rule: str, n: int, theirs: float, ours: float, equal: str) -> tuple[str, ...]:
    rates = (f"{n / theirs / 1e6:,.0f} M/s", f"{n / ours / 1e6:,.0f} M/s")
    return rule, f"{n / 1e6:g} M", *rates, f"{ours / n * 1e9:.2f}", f"{theirs / ours:.1f}x", equal


def main() -> None:
    rows = []
    data = tape(N)
    signs, seconds = peer(data, ["lr"], 3)
    ours = batch(*data, rule="lee-ready")
    assert np.array_equal(ours.sign, signs["lr"])
    alone = best_of(lambda: batch(*data, rule="lee-ready"), 7)
    with ThreadPoolExecutor(2) as pool:
        parts = halves(data)
        both = list(pool.map(lambda part: batch(*part), parts))
        assert np.array_equal(np.concatenate([part.sign for part in both]), ours.sign)
        two = best_of(lambda: list(pool.map(lambda part: batch(*part), parts)), 7)
    by_tick = f"all signs; {np.mean(ours.source == 2):.0%} by tick, {np.mean(ours.sign == 0):.1g} 0"
    rows.append(row("lee-ready", N, seconds["lr"], alone, by_tick))
    rows.append(row("lee-ready, ours on 2 threads", N, seconds["lr"], two, "all signs"))
    data = tape(N_OTHERS)
    signs, seconds = peer(data, list(OTHERS.values()), 2)
    for rule, theirs in OTHERS.items():
        equal = compared(data, rule, signs[theirs])
        alone = best_of(lambda rule=rule: batch(*data, rule=rule), 7)
        rows.append(row(rule, N_OTHERS, seconds[theirs], alone, equal))
    rows.append(cents())
    header = ("rule", "trades", "tclf", "eventtape", "ns a trade", "ratio", "equal")
    show("Trade signing, aligned, one thread", rows, header)


def compared(data: Tape, rule: str, theirs: np.ndarray) -> str:
    """Every sign the same, but tclf's bands in a locked book: 0.7 x + 0.3 x is not always x."""
    apart = batch(*data, rule=rule).sign != theirs
    if not rule.endswith("clnv"):
        assert not apart.any(), rule
        return "all signs"
    assert (data.bid == data.ask)[apart].all(), rule
    assert (theirs[apart] == 0).all(), rule
    return f"all signs but {apart.sum():,} in locked books (tclf rounds)"


def cents() -> tuple[str, ...]:
    """On decimal cents, of the trades at the mid, what part each gives to the quote test."""
    rng = np.random.default_rng(1)
    low, steps = rng.integers(100, 40_000, 10**6), rng.integers(1, 9, 10**6)
    data = Tape((low + steps) / 100, low / 100, (low + 2 * steps) / 100, np.array([0, 10**6]))
    theirs = np.mean(peer(data, ["quote"], 1)[0]["quote"] != 0)
    ours = np.mean(batch(*data, rule="quote").sign != 0)
    said = f"signed by the quote rule: {theirs:.1%} and {ours:.1%}"
    return "quote, trades at the mid", "1 M", "", "", "", "", said


if __name__ == "__main__":
    main()
