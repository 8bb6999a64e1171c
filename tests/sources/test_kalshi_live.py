"""Kalshi's websocket: trades and quotes as rows, holes by sequence, the same rows by REST."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from eventtape.clock import SECOND, parse_ns
from eventtape.errors import FetchError, InputError
from eventtape.sources.kalshi import parse_trades
from eventtape.sources.kalshi_live import KalshiContract, KalshiLive
from eventtape.tape import times_ns
from sources.live_collect import collected, keys_of, tape_of
from sources.live_server import (
    Drop,
    LiveServer,
    Missed,
    Stall,
    Until,
    cut,
    duplicated,
    failing,
    reordered,
)
from sources.loopback_server import as_json

TRADES = "/trade-api/v2/markets/trades"
CANDLES = "/trade-api/v2/series/SYN/markets/SYN-24-A/candlesticks"
START = parse_ns("2024-11-06T02:00:00Z")
A = KalshiContract("Kalshi A", "SYN", "SYN-24-A")
B = KalshiContract("Kalshi B", "SYN", "SYN-24-B")
MS = 1_000_000


def at(i):
    """Microseconds, as REST has them; some trades share a millisecond."""
    return START + (i - i % 3 // 2) * 137_654_000 + i * 1_000


def cents(i):
    return 30 + i * 7 % 40


def trade(i, seq=None, ticker="SYN-24-A", **changes):
    message = {
        "trade_id": f"id-{i:04d}",
        "market_ticker": ticker,
        "yes_price": cents(i),
        "no_price": 100 - cents(i),
        "count": 1 + i % 9,
        "taker_side": "no" if i % 2 else "yes",
        "ts": at(i) // SECOND,
        "ts_ms": at(i) // MS,
    } | changes
    counted = {} if seq is None else {"sid": 1, "seq": seq}
    return json.dumps({"type": "trade", **counted, "msg": message})


def stored(i, ticker="SYN-24-A"):
    return {
        "trade_id": f"id-{i:04d}",
        "ticker": ticker,
        "count": 1 + i % 9,
        "created_time": f"{np.datetime64(at(i), 'ns')}Z",
        "yes_price": cents(i),
        "no_price": 100 - cents(i),
        "taker_side": "no" if i % 2 else "yes",
    }


def ticker(ms, bid, ask, seq=None, **changes):
    message = {"market_ticker": "SYN-24-A", "yes_bid": bid, "yes_ask": ask, "ts_ms": ms} | changes
    counted = {} if seq is None else {"sid": 2, "seq": seq}
    return json.dumps({"type": "ticker", **counted, "msg": message})


def rest(numbers, page_rows=5):
    """The service's trades, newest first and page by page; its end taken as not included."""

    def answer(asked):
        low, high = int(asked.query["min_ts"]), int(asked.query["max_ts"])
        found = [i for i in sorted(numbers, reverse=True) if low * SECOND <= at(i) < high * SECOND]
        first = int(asked.query.get("cursor", 0))
        last = first + page_rows
        rows = [stored(i) for i in found[first:last]]
        return as_json({"trades": rows, "cursor": str(last) if last < len(found) else ""})

    return answer


def rows_of(venue, frames):
    read = [venue.read(frame, START) for frame in frames]
    return [row for said in read for batch in said.batches for row in batch.rows.to_dicts()]


def expected(numbers):
    """What the parser of the REST answers makes of these trades, in milliseconds."""
    pages = [{"trades": [stored(i) for i in sorted(numbers, reverse=True)]}]
    frame = parse_trades(pages, ticker="SYN-24-A")
    return frame.select(
        "symbol",
        pl.Series("ts", times_ns(frame) // MS * MS).cast(pl.Datetime("ns", "UTC")),
        pl.col("price").alias("probability"),
        pl.lit(None, pl.Float64).alias("bid"),
        pl.lit(None, pl.Float64).alias("ask"),
        "size",
    )


def test_a_trade_is_the_same_row_by_websocket_and_by_rest(loopback, client):
    venue = KalshiLive([A], base=loopback.base)
    read = [venue.read(trade(i), START).batches[0] for i in range(12)]
    by_line = pl.concat([batch.rows for batch in read])
    assert by_line.equals(expected(range(12)))
    loopback.routes[TRADES] = rest(range(12))
    (batch,) = venue.backfill(client, "Kalshi A", START, at(12))
    assert (batch.feed, batch.record, len(loopback.asked)) == ("Kalshi A", "probability", 3)
    assert batch.rows.equals(by_line)
    assert batch.keys.tolist() == [int(part.keys[0]) for part in read]
    assert len(set(batch.keys.tolist())) == 12


def test_only_trades_of_the_window_come_back(loopback, client):
    venue = KalshiLive([A], base=loopback.base)
    loopback.routes[TRADES] = rest(range(12))
    low, high = at(3) // MS * MS, at(7) // MS * MS
    (batch,) = venue.backfill(client, "Kalshi A", low, high)
    assert batch.rows.equals(expected(range(3, 9)))  # the last two in one millisecond
    assert venue.backfill(client, "Kalshi A", at(40), at(50)) == ()


def test_a_server_that_counts_in_seconds_gives_the_rows_of_rest_cut_to_seconds(loopback, client):
    venue = KalshiLive([A], base=loopback.base)
    by_line = rows_of(venue, [trade(i, ts_ms=None) for i in range(12)])
    loopback.routes[TRADES] = rest(range(12))
    (batch,) = venue.backfill(client, "Kalshi A", START, at(11) // SECOND * SECOND)
    assert batch.rows.to_dicts() == by_line
    assert not (times_ns(batch.rows) % SECOND).any()


def test_dollars_as_text_go_before_cents():
    venue = KalshiLive([A])
    price = {"yes_price_dollars": "0.5650", "no_price_dollars": "0.4350", "count_fp": "2.50"}
    (row,) = rows_of(venue, [trade(1, **price, yes_price=1, no_price=1, count=7)])
    assert (row["probability"], row["size"]) == (0.565, 2.5)


def test_quotes_are_rows_where_they_change_and_null_where_nobody_quotes():
    venue = KalshiLive([A])
    ms = START // MS
    frames = [
        ticker(ms, 40, 42, volume=1),
        ticker(ms + 1, 40, 42, volume=2),
        ticker(ms + 2, 0, 42),
        ticker(ms + 3, 40, 100),
        ticker(ms + 4, 0, 100),
        ticker(ms + 5, 1, 1, yes_bid_dollars="0.4150", yes_ask_dollars="0.4250"),
    ]
    rows = rows_of(venue, frames)
    assert [(row["bid"], row["ask"]) for row in rows] == [
        (0.4, 0.42),
        (None, 0.42),
        (0.4, None),
        (0.415, 0.425),
    ]
    mids = [(0.4 + 0.42) / 2, 0.42 / 2, (0.4 + 1) / 2, (0.415 + 0.425) / 2]
    assert [row["probability"] for row in rows] == mids
    assert venue.read(frames[-1], START).batches == ()
    venue.hello()
    again = venue.read(frames[-1], START).batches[0]
    assert (again.feed, again.rows["bid"][0]) == ("Kalshi A quotes", 0.415)


def test_an_older_quote_does_not_hide_the_change_after_it():
    venue = KalshiLive([A])
    ms = START // MS
    frames = [ticker(ms, 40, 42), ticker(ms + 9, 50, 52), ticker(ms + 5, 40, 42)]
    assert [row["bid"] for row in rows_of(venue, frames)] == [0.4, 0.5, 0.4]
    assert rows_of(venue, [ticker(ms + 10, 50, 52)]) == []


def test_missed_quotes_are_the_candles_of_their_minutes(loopback, client):
    minute = START // SECOND

    def candles(asked):
        low, high = int(asked.query["start_ts"]), int(asked.query["end_ts"])
        assert asked.query["period_interval"] == "1"
        ends = [end for end in range(minute, minute + 300, 60) if low <= end <= high]
        sides = {"yes_bid": {"close": 40}, "yes_ask": {"close": 43}}
        return as_json({"candlesticks": [{"end_period_ts": e, "volume": 3, **sides} for e in ends]})

    loopback.routes[CANDLES] = candles
    venue = KalshiLive([A], base=loopback.base)
    (batch,) = venue.backfill(client, "Kalshi A quotes", START + 1, START + 120 * SECOND)
    assert times_ns(batch.rows).tolist() == [START + 60 * SECOND, START + 120 * SECOND]
    assert batch.rows["probability"].to_list() == [(0.4 + 0.43) / 2] * 2
    (again,) = venue.backfill(client, "Kalshi A quotes", START, START + 60 * SECOND)
    assert again.keys[-1] == batch.keys[0]
    assert venue.backfill(client, "Kalshi A quotes", START + 1, START + 2) == ()


def test_a_jump_in_the_sequence_is_a_hole_in_every_contract_of_the_subscription():
    venue = KalshiLive([A, B])
    assert not any(venue.read(trade(i, seq=i + 1), START).holes for i in range(3))
    holes = venue.read(trade(5, seq=6), START).holes
    assert [hole.feed for hole in holes] == ["Kalshi A", "Kalshi B"]
    assert holes[0].from_ns == at(2) // MS * MS
    assert {hole.to_ns for hole in holes} == {at(5) // MS * MS}
    assert venue.read(trade(5, seq=6), START).holes == ()
    assert venue.read(trade(4, seq=5), START).holes == ()
    assert venue.read(trade(6, seq=7), START).holes == ()
    assert len(venue.read(trade(8, seq=9), START).holes) == 2
    told = venue.read(ticker(START // MS, 40, 42, seq=1), START)
    assert told.holes == ()
    assert venue.read(ticker(START // MS, 40, 42, seq=4), START).holes[0].feed == "Kalshi A quotes"
    venue.hello()
    assert venue.read(trade(9, seq=90), START).holes == ()


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (trade(1)[:50], "JSON"),
        (b"\x80\x81", "JSON"),
        ("[1]", "an object"),
        ('{"type": "trade", "msg": null}', "column 'msg'.*an object"),
        (trade(1, yes_price="x"), "column 'yes_price'.*whole number"),
        (trade(1, yes_price=True), "column 'yes_price'.*whole number"),
        (trade(1, yes_price=10**400), "column 'yes_price'.*whole number"),
        (trade(1, yes_price=56.5), "column 'yes_price'.*whole number"),
        (trade(1, yes_price=0, no_price=100), "above 0 and below one dollar"),
        (trade(1, no_price=1), "column 'no_price'.*adds to 1"),
        (trade(1, yes_price_dollars="dear"), "column 'yes_price_dollars'.*decimal"),
        (trade(1, count=0), "column 'count'.*above 0"),
        (trade(1, trade_id=""), "column 'trade_id'.*text"),
        (trade(1, trade_id="\ud800"), "whole characters"),
        (trade(1, ts_ms=17), "column 'ts_ms'.*epoch milliseconds"),
        (trade(1, ts_ms=None, ts=10**13), "column 'ts'.*epoch seconds"),
        (ticker(1, 40, 42), "column 'ts_ms'"),
        (ticker(START // MS, 43, 42), "column 'yes_bid'.*not above the ask"),
        (ticker(START // MS, 43, 101), "column 'yes_ask'.*from 0 to 1 dollar"),
        ('{"type": "error", "msg": {"code": "9"}}', "column 'code'"),
    ],
    ids=[
        "torn", "binary", "list", "no message", "text", "boolean", "huge", "half a cent", "settled",
        "sides", "dollars", "count", "identity", "half a character", "milliseconds", "seconds",
        "quote time", "crossed", "beyond a dollar", "code",
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_says_where_and_changes_nothing(frame, said):
    venue = KalshiLive([A])
    venue.read(trade(0, seq=1), START)
    with pytest.raises(InputError, match=said):
        venue.read(frame, START)
    assert venue.read(trade(1, seq=2), START).holes == ()


def test_other_messages_are_counted_and_errors_refuse_or_reconnect():
    venue = KalshiLive([A])
    for frame in ('{"type": "subscribed", "id": 1, "msg": {"channel": "trade", "sid": 1}}', "{}"):
        assert venue.read(frame, START).batches == ()
    assert venue.read(trade(1, ticker="SYN-24-Z"), START).batches == ()
    assert venue.ignored == {"subscribed": 1, "None": 1, "trade of another contract": 1}
    error = '{"type": "error", "id": 1, "msg": {"code": %d, "msg": "so it is"}}'
    assert venue.read(error % 16, START).refused == "Kalshi: error 16: so it is"
    assert venue.read(error % 17, START).reconnect == "Kalshi: error 17: so it is"


def test_it_subscribes_with_a_handshake_the_caller_signs():
    asked = []

    def sign(path):
        asked.append(path)
        return {"KALSHI-ACCESS-KEY": "k"}

    venue = KalshiLive([A, B], sign=sign)
    assert venue.headers() == {"KALSHI-ACCESS-KEY": "k"}
    assert asked == ["/trade-api/ws/v2"]
    assert KalshiLive([A]).headers() == {}
    said = [json.loads(frame) for frame in venue.hello()]
    assert [frame["params"]["channels"] for frame in said] == [["trade"], ["ticker"]]
    assert said[0]["params"]["market_tickers"] == ["SYN-24-A", "SYN-24-B"]
    labels = [feed.label for feed in venue.feeds]
    assert labels == ["Kalshi A", "Kalshi B", "Kalshi A quotes", "Kalshi B quotes"]
    assert [feed.label for feed in KalshiLive([A], quotes=False).feeds] == ["Kalshi A"]


@pytest.mark.parametrize(
    "contracts",
    [[], [A, A], [A, B._replace(label=A.label)], [A, B._replace(label="Kalshi A quotes")]],
    ids=["none", "twice", "one label", "label of quotes"],
)
def test_contracts_must_be_told_apart(contracts):
    with pytest.raises(InputError):
        KalshiLive(contracts)


def test_the_pages_of_a_service_that_repeats_itself_end(loopback, client):
    loopback.routes[TRADES] = lambda _: as_json({"trades": [], "cursor": "again"})
    with pytest.raises(FetchError, match="came twice"):
        KalshiLive([A], base=loopback.base).backfill(client, "Kalshi A", START, START)


def test_through_a_bad_line_every_trade_comes_once_and_in_order():
    n, made = 60, set()

    def market(i):
        """From here on REST knows the trades before ``i``."""
        return Until(lambda: made.update(range(i)) is None)

    frames = [trade(i, seq=i + 1) for i in range(n)]
    # A skipped frame, a cut line and a line gone silent; sequences begin anew with a connection.
    script = [
        market(27),
        *reordered(duplicated(cut(frames[:20]))),
        *frames[20:24],
        Missed(3),
        *frames[24:30],
        market(35),
        Drop(missed=5),
        *frames[30:35],
        *[trade(i, seq=i - 34) for i in range(35, 50)],
        Stall(missed=4),
        *frames[50:54],
        market(n),
        *[trade(i, seq=i - 53) for i in range(54, n)],
    ]
    with LiveServer(script, {TRADES: failing(2, rest(made))}, hellos=1) as server:
        venue = KalshiLive([A], quotes=False, url=server.url, base=server.rest)
        venue.silence_s = 0.4
        batches, health = collected(
            venue, lambda got: len(keys_of(got, "Kalshi A")) == n, now_ns=at(n)
        )
    tape = tape_of(batches, "Kalshi A")
    order = ("ts", "probability", "size")
    assert tape.sort(order).equals(expected(range(n)).sort(order))
    # What came in the order of its frames, and what a hole held back, left in the order of stamps.
    assert (np.diff(times_ns(tape.tail(n - 20))) >= 0).all()
    said = health["Kalshi A"]
    assert (said.reconnects, said.malformed, said.unfilled) == (2, 4, 0)
    assert said.gaps >= 1
    assert said.backfilled >= 12


def test_a_refused_channel_ends_the_source():
    error = '{"type": "error", "id": 1, "msg": {"code": 9, "msg": "Authentication required"}}'
    with LiveServer([], answers=lambda _: [error]) as server:
        venue = KalshiLive([A], url=server.url, base=server.rest)
        with pytest.raises(FetchError, match="refuses: Kalshi: error 9: Authentication required"):
            collected(venue, lambda _: False)
