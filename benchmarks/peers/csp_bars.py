"""The bars of a Parquet file by a csp graph with Python nodes: seconds out, bars into a CSV.

csp's own Parquet adapter reads the file, one node gets every trade. csp's clock is in microseconds,
cut, which moves no trade over an interval's end. It reads annotations as types, not as text.
"""

import csv
import json
import resource
import sys
import time
from datetime import UTC, datetime, timedelta

import csp
from csp import ts
from csp.adapters.parquet import ParquetReader

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  csp's times carry no zone


class Trade(csp.Struct):
    """What a bar needs of a trade."""

    symbol: str
    price: float
    size: float
    eligible: bool


@csp.node
def bars(trade: ts[Trade], every: timedelta, rows: object) -> None:
    with csp.state():
        s_open = {}
    with csp.stop():
        rows.extend((symbol, *bar) for symbol, bar in s_open.items())
    if csp.ticked(trade) and trade.eligible:
        now, p, q = csp.now(), trade.price, trade.size
        bar = s_open.get(trade.symbol)
        if bar is not None and now < bar[0]:
            if p > bar[2]:  # noqa: PLR1730  faster than max() in Python
                bar[2] = p
            if p < bar[3]:  # noqa: PLR1730
                bar[3] = p
            bar[4] = p
            bar[5] += q
            bar[6] += p * q
            bar[7] += 1
        else:
            if bar is not None:
                rows.append((trade.symbol, *bar))
            end = EPOCH + ((now - EPOCH) // every + 1) * every
            s_open[trade.symbol] = [end, p, p, p, p, q, p * q, 1]


@csp.graph
def graph(file: str, every: timedelta, rows: object) -> None:
    columns = {name: name for name in ("symbol", "price", "size", "eligible")}
    reader = ParquetReader(file, time_column="ts")
    trades = reader.subscribe_all(Trade, columns, push_mode=csp.PushMode.NON_COLLAPSING)
    bars(trades, every, rows)


def main(file: str, out: str, start_s: int) -> None:
    rows: list[tuple[object, ...]] = []
    begin = time.perf_counter()
    start = datetime.fromtimestamp(start_s, UTC).replace(tzinfo=None)
    csp.run(
        graph, file, timedelta(minutes=1), rows, starttime=start, endtime=start + timedelta(days=1)
    )
    seconds = time.perf_counter() - begin
    with open(out, "w", newline="") as file_out:  # noqa: PTH123
        writer = csv.writer(file_out)
        names = ("open", "high", "low", "close", "volume", "dollar_volume", "trades")
        writer.writerow(("symbol", "ts", *names))
        for symbol, end, *numbers in rows:
            micro = (end - EPOCH) // timedelta(microseconds=1)
            writer.writerow((symbol, micro * 1_000, *map(repr, numbers)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
