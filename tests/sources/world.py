"""Made-up services of the election dataset, each in its own shape, on a loopback server."""

from __future__ import annotations

import hashlib
import io
import zipfile

from eventtape.clock import parse_ns
from sources.loopback_server import Loopback, Reply, as_json

# Made-up prices; only the window lies where the dataset's services are asked.
START, END = "2024-11-05T22:00Z", "2024-11-06T02:00Z"
A, MIDNIGHT, B = (parse_ns(t) // 10**9 for t in (START, "2024-11-06T00:00Z", END))
HISTORY = "/prices-history"
API = "/trade-api/v2"
DJT, KH = "PRES-2024-DJT", "PRES-2024-KH"
KLINES = "/data/spot/daily/klines/BTCUSDT/1m"


def live(ticker):
    return f"{API}/series/PRES/markets/{ticker}/candlesticks"


def historical(ticker):
    return f"{API}/historical/markets/{ticker}/candlesticks"


def clob(asked):
    """A point every ten minutes, both ends of the span included."""
    start, end = int(asked.query["startTs"]), int(asked.query["endTs"])
    stamps = range(start, end + 1, 600)
    return as_json({"history": [{"t": t, "p": 0.2 + (t % 7) / 20} for t in stamps]})


def candles(asked):
    """A candle a period, both ends of the span included, in the live tier's spelling."""
    step = 60 * int(asked.query["period_interval"])
    start, end = int(asked.query["start_ts"]), int(asked.query["end_ts"])
    rows = [
        {
            "end_period_ts": t,
            "yes_bid": {"close_dollars": "0.3000"},
            "yes_ask": {"close_dollars": "0.3200"},
            "volume_fp": "4.00",
        }
        for t in range(-(-start // step) * step, end + 1, step)
    ]
    return as_json({"ticker": asked.path.split("/")[-2], "candlesticks": rows})


def no_candles(asked):
    return as_json({"ticker": "x", "candlesticks": None})


def trades(numbers, size=3):
    """Pages of trades, newest first, each overlapping the one before it by one trade."""
    numbers = list(numbers)

    def serve(asked):
        at = int(asked.query.get("cursor", "0").removeprefix("after-"))
        rows = [
            {
                "trade_id": f"id-{n}",
                "ticker": asked.query["ticker"],
                "count_fp": "1.00",
                "yes_price_dollars": "0.4400",
                "no_price_dollars": "0.5600",
                "taker_side": "yes" if n % 2 else "no",
                "created_time": f"2024-11-05T23:{n:02d}:00.25Z",
            }
            for n in numbers[at : at + size]
        ]
        more = at + size < len(numbers)
        return as_json({"trades": rows, "cursor": f"after-{at + size - 1}" if more else ""})

    return serve


def archive(day):
    """A day's archive and its checksum line."""
    opened = parse_ns(f"{day}T00:00Z") // 10**6
    rows = "".join(
        f"{t},9,9.5,8.5,9.1,1,{t + 59_999},1,1,1,1,0\n"
        for t in range(opened, opened + 86_400_000, 60_000)
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr(f"BTCUSDT-1m-{day}.csv", rows)
    data = packed.getvalue()
    return data, f"{hashlib.sha256(data).hexdigest()}  BTCUSDT-1m-{day}.zip\n".encode()


def furnish(loopback: Loopback) -> Loopback:
    """All services up and in order, each with something to say."""
    loopback.routes[HISTORY] = clob
    for ticker in (DJT, KH):
        loopback.routes[live(ticker)] = candles
    loopback.routes[f"{API}/markets/trades"] = trades(range(20, 10, -1))
    loopback.routes[f"{API}/historical/trades"] = trades(range(12, 4, -1))
    for day in ("2024-11-05", "2024-11-06"):
        data, line = archive(day)
        loopback.routes[f"{KLINES}/BTCUSDT-1m-{day}.zip"] = Reply(data, headers={"ETag": '"e"'})
        loopback.routes[f"{KLINES}/BTCUSDT-1m-{day}.zip.CHECKSUM"] = Reply(line)
    return loopback
