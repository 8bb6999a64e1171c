"""The fourteen features by nautilus_trader with plain Python handlers, in its own environment.

events.npz in, rows and seconds out. The tick objects are made beforehand and not timed. Two roads:
``data engine``, which is handed each tick and publishes it to the handlers, and ``backtest``, the
whole of ``BacktestEngine.run``, which also puts each tick through its simulated exchange.

A handler keeps one list of sums a symbol and does no more than the features ask for. A trade tick
has no place for the sweep flag, which travels as its aggressor side: an integer to compare.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.actor import Actor
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick, TradeTick
from nautilus_trader.model.enums import AccountType, AggressorSide, OmsType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity

VENUE = Venue("SIM")
MINUTE = 60 * 10**9
ISO = AggressorSide.BUYER
# places in a symbol's list
END, BID, ASK, SEEN, LAST, TICK = range(6)
BOOKS, MID, RSPRD, UPDATES, TRADES, N_ISO, VOLUME, VOLUME_ISO, FLOW, FLOW_ISO = range(6, 16)
SUMS = [0, 0.0, 0.0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0]


class Features(Actor):
    """Buckets by symbol; a row as the symbol's own next event closes it."""

    def begin(self, ids: list[InstrumentId]) -> None:
        """Take the symbols to follow."""
        self.ids = ids
        self.held = {one: [0, 0.0, 0.0, False, math.nan, 0.0, *SUMS] for one in ids}
        self.rows: list[tuple[object, ...]] = []

    def on_start(self) -> None:
        """Ask for the ticks of every symbol."""
        for one in self.ids:
            self.subscribe_quote_ticks(one)
            self.subscribe_trade_ticks(one)

    def close(self, one: InstrumentId, h: list, ts: int) -> None:
        """Keep the open bucket as a row, and open the one that ``ts`` is in."""
        if h[END] > 0:
            self.rows.append((one, h[END], *h[6:]))
        h[6:] = SUMS
        h[END] = (ts // MINUTE + 1) * MINUTE

    def on_quote_tick(self, tick: QuoteTick) -> None:
        """Add a quote."""
        h = self.held[tick.instrument_id]
        ts = tick.ts_event
        if ts >= h[END]:
            self.close(tick.instrument_id, h, ts)
        bid, ask = tick.bid_price.as_double(), tick.ask_price.as_double()
        if h[SEEN]:
            if bid != h[BID] or ask != h[ASK]:
                h[UPDATES] += 1
        else:
            h[SEEN] = True
        h[BID], h[ASK] = bid, ask
        if 0.0 < bid <= ask:
            mid = 0.5 * (bid + ask)
            h[BOOKS] += 1
            h[MID] += mid
            h[RSPRD] += (ask - bid) / mid

    def on_trade_tick(self, tick: TradeTick) -> None:
        """Sign a trade by Lee and Ready, and add it."""
        h = self.held[tick.instrument_id]
        ts = tick.ts_event
        if ts >= h[END]:
            self.close(tick.instrument_id, h, ts)
        price, size = tick.price.as_double(), tick.size.as_double()
        last = h[LAST]
        if price > last:
            h[TICK] = 1.0
        elif price < last:
            h[TICK] = -1.0
        h[LAST] = price
        sign = h[TICK]
        if h[SEEN]:
            # half cents: within 1e-9 the price is at the mid, and the tick test settles it
            above = price - 0.5 * (h[BID] + h[ASK])
            if above > 1e-9:
                sign = 1.0
            elif above < -1e-9:
                sign = -1.0
        flow = sign * price * size
        h[TRADES] += 1
        h[VOLUME] += size
        if tick.aggressor_side == ISO:
            h[N_ISO] += 1
            h[VOLUME_ISO] += size
            h[FLOW_ISO] += flow
        else:
            h[FLOW] += flow


def engine_of(ids: list[InstrumentId]) -> tuple[BacktestEngine, Features]:
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(logging=quiet, run_analysis=False))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(1_000_000, USD)], USD)
    for one in ids:
        tick = Price.from_str("0.01")
        engine.add_instrument(
            Equity(one, Symbol(one.symbol.value), USD, 2, tick, Quantity.from_int(1), 0, 0)
        )
    actor = Features()
    actor.begin(ids)
    engine.add_actor(actor)
    return engine, actor


def ticks_of(events: dict[str, np.ndarray], ids: list[InstrumentId]) -> list[object]:
    columns = (events[name].tolist() for name in ("ts", "code", "is_quote", "one", "two", "size"))
    iso = events["iso"].tolist()
    prices = {c: Price(c / 100.0, 2) for c in np.unique([events["one"], events["two"]]).tolist()}
    sizes = {s: Quantity.from_int(s) for s in np.unique(events["size"]).tolist()}
    nobody = TradeId("1")
    out: list[object] = []
    for k, (ts, code, is_quote, one, two, size) in enumerate(zip(*columns, strict=True)):
        if is_quote:
            tick = QuoteTick(ids[code], prices[one], prices[two], sizes[size], sizes[size], ts, ts)
        else:
            side = ISO if iso[k] else AggressorSide.SELLER
            tick = TradeTick(ids[code], prices[one], sizes[size], side, nobody, ts, ts)
        out.append(tick)
    return out


def by_data_engine(ids: list[InstrumentId], ticks: list[object]) -> tuple[float, Features]:
    engine, actor = engine_of(ids)
    actor.start()
    process = engine.kernel.data_engine.process
    engine.kernel.data_engine.start()
    begin = time.perf_counter()
    for tick in ticks:
        process(tick)
    return time.perf_counter() - begin, actor


def by_backtest(ids: list[InstrumentId], ticks: list[object]) -> tuple[float, Features]:
    engine, actor = engine_of(ids)
    engine.add_data(ticks, validate=False, sort=False)
    begin = time.perf_counter()
    engine.run()
    return time.perf_counter() - begin, actor


def main(folder: Path, repeats: int, backtest_rows: int) -> None:
    events = dict(np.load(folder / "events.npz"))
    names = events.pop("names").tolist()
    ids = [InstrumentId(Symbol(name), VENUE) for name in names]
    number = {one: k for k, one in enumerate(ids)}
    ticks = ticks_of(events, ids)
    seconds: dict[str, list[float]] = {"data engine": [], "backtest": []}
    for _ in range(repeats):
        spent, actor = by_data_engine(ids, ticks)
        seconds["data engine"].append(spent / len(ticks))
    for _ in range(repeats):
        spent, other = by_backtest(ids, ticks[:backtest_rows])
        seconds["backtest"].append(spent / backtest_rows)
    for one in ids:
        actor.close(one, actor.held[one], 0)
    rows = [(number[row[0]], *row[1:]) for row in actor.rows]
    np.save(folder / "rows.npy", np.array(rows, np.float64))
    rates = {name: 1.0 / min(spent) for name, spent in seconds.items()}
    print(json.dumps({**rates, "backtest rows": len(other.rows)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
