"""Binance live: frames and REST agree, a jump in the numbers is a hole, and holes are filled."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from eventtape.errors import FetchError, InputError
from eventtape.sources.binance_live import BinanceLive
from eventtape.sources.live_socket import Socket
from eventtape.tape import TRADE, check, times_ns
from sources.live_reading import QUICK, has_keys, once, quick_rest, read_until
from sources.live_server import (
    Drop,
    LiveServer,
    Missed,
    cut,
    duplicated,
    failing,
    reordered,
)
from sources.loopback_server import as_json

START_MS = 1_767_225_600_000
FIRST = 5_000


def trades(n: int, *, first: int = FIRST, seed: int = 1) -> list[dict]:
    """A market's trades in REST's shape: prices on a tick, some at one millisecond."""
    rng = np.random.default_rng(seed)
    at = START_MS + np.cumsum(rng.integers(0, 30, n))
    price = 60_000 + np.cumsum(rng.integers(-5, 6, n)) / 100
    return [
        {
            "id": first + i,
            "price": f"{price[i]:.2f}",
            "qty": f"{rng.integers(1, 900) / 1e5:.8f}",
            "time": int(at[i]),
            "isBuyerMaker": bool(rng.integers(2)),
        }
        for i in range(n)
    ]


def frame(trade: dict, pair: str = "BTCUSDT") -> str:
    data = {
        "e": "trade",
        "E": trade["time"] + 1,
        "s": pair,
        "t": trade["id"],
        "p": trade["price"],
        "q": trade["qty"],
        "T": trade["time"],
        "m": trade["isBuyerMaker"],
    }
    return json.dumps({"stream": f"{pair.lower()}@trade", "data": data})


def rest_of(market: list[dict], page: int = 1_000) -> dict:
    """The two routes over all the market's trades, however few of them a test lets through."""

    def newest(asked):
        assert asked.query["symbol"] == "BTCUSDT"
        return as_json(market[-min(page, int(asked.query["limit"])) :])

    def older(asked):
        start, limit = int(asked.query["fromId"]), int(asked.query["limit"])
        at = start - market[0]["id"]
        return as_json(market[max(0, at) : max(0, at + limit)])

    return {"/api/v3/trades": newest, "/api/v3/historicalTrades": older}


def venue(server: LiveServer | None = None, **more) -> BinanceLive:
    where = {} if server is None else {"url": server.url, "rest": server.rest}
    return BinanceLive({"BTCUSDT": "bitcoin"}, **where, **more)


def read_all(server, market, since=None, **more):
    socket = Socket(venue(server), client=quick_rest, limits=QUICK, seed=1, **more)
    enough = has_keys("bitcoin", [trade["id"] for trade in market])
    return socket, read_until(socket, lambda got: server.finished and enough(got), since)


def expected(market: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "symbol": ["BTCUSDT"] * len(market),
            "ts": pl.Series([t["time"] * 1_000_000 for t in market]).cast(pl.Datetime("ns", "UTC")),
            "price": [float(t["price"]) for t in market],
            "size": [float(t["qty"]) for t in market],
            "side": pl.Series([-1 if t["isBuyerMaker"] else 1 for t in market], dtype=pl.Int8),
            "trade_id": [str(t["id"]) for t in market],
            "key": [t["id"] for t in market],
        }
    )


def test_a_frame_is_a_row_and_the_taker_sold_where_the_buyer_was_the_maker():
    market = trades(2)
    market[0]["isBuyerMaker"], market[1]["isBuyerMaker"] = True, False
    binance = venue()
    rows = pl.concat([binance.read(frame(t), 7).batches[0].rows for t in market])
    assert check(rows, TRADE).equals(expected(market).drop("key"))
    assert rows["side"].to_list() == [-1, 1]
    assert binance.url.endswith("?streams=btcusdt@trade")


def test_microseconds_are_told_from_milliseconds():
    binance, trade = venue(), trades(1)[0]
    by_ms = times_ns(binance.read(frame(trade), 7).batches[0].rows)
    by_us = times_ns(
        binance.read(frame(trade | {"time": trade["time"] * 1_000}), 7).batches[0].rows
    )
    assert by_ms.tolist() == by_us.tolist() == [trade["time"] * 1_000_000]


def test_a_jump_in_the_numbers_is_a_hole_and_a_late_one_is_not():
    market, binance = trades(6), venue()
    holes = [binance.read(frame(market[i]), 7).holes for i in (0, 1, 4, 2, 3, 5)]
    assert [len(found) for found in holes] == [0, 0, 1, 0, 0, 0]
    stamps = [market[i]["time"] * 1_000_000 for i in (1, 4)]
    assert holes[2][0] == ("bitcoin", *stamps)


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"T": "soon"}, "T"),
        ({"p": 60000.5}, "p"),
        ({"p": "free"}, "p"),
        ({"p": "0.0"}, "price"),
        ({"q": "nan"}, "size"),
        ({"t": True}, "t"),
        ({"m": None}, "m"),
        ({"s": "ETHUSDT"}, "s"),
        ({"e": "aggTrade"}, "e"),
    ],
    ids=str,
)
def test_a_field_that_cannot_be_is_named(change, column):
    message = json.loads(frame(trades(1)[0]))
    message["data"] |= change
    with pytest.raises(InputError) as error:
        venue().read(json.dumps(message), 7)
    assert error.value.column == column
    assert error.value.file


@pytest.mark.parametrize("said", ["[]", "null", '{"data": 3}', "{", "\x00", '{"data": {}}'])
def test_no_frame_of_trades_is_an_input_error(said):
    with pytest.raises(InputError):
        venue().read(said, 7)


def test_an_unknown_stream_is_refused_for_good():
    with LiveServer(['{"error": {"code": 2, "msg": "Invalid request"}, "id": 1}'], hellos=0) as s:
        socket = Socket(venue(s), client=quick_rest, limits=QUICK)
        with pytest.raises(FetchError, match="binance refuses: Invalid request"):
            read_until(socket, lambda _: False)


@pytest.mark.parametrize("pairs", [{}, {"BTC/USDT": "b"}, {"A": "x", "B": "x"}], ids=str)
def test_pairs_are_checked(pairs):
    with pytest.raises(InputError):
        BinanceLive(pairs)


def test_holes_are_filled_in_the_order_of_stamps():
    market = trades(60)
    script = [frame(t) for t in market]
    script[10:10] = [Missed(3)]
    script[41:41] = [Missed(5)]
    with LiveServer(script, rest_of(market), hellos=0) as server:
        socket, got = read_all(server, market)
    assert once(got, "bitcoin").equals(expected(market))
    (health,) = socket.health()
    assert (health.gaps, health.unfilled, health.reconnects) == (2, 0, 0)
    assert health.backfilled >= 8


def test_a_drop_is_made_good_over_rest_page_by_page():
    market = trades(700)
    script = [frame(t) for t in market]
    script[100:100] = [Drop(missed=300)]
    routes = rest_of(market, page=60)
    with LiveServer(script, routes, hellos=0) as server:
        socket, got = read_all(server, market)
        pages = server.loopback.paths()
    assert once(got, "bitcoin").equals(expected(market))
    assert "/api/v3/historicalTrades" in pages
    (health,) = socket.health()
    assert health.reconnects == 1
    assert health.unfilled == 0


def test_a_restart_asks_for_what_was_missed_since():
    market = trades(80)
    script = [Missed(50), *(frame(t) for t in market)]
    since = {"bitcoin": market[19]["time"] * 1_000_000}
    wanted = market[20:]
    with LiveServer(script, rest_of(market), hellos=0) as server:
        _, got = read_all(server, wanted, since)
    rows = once(got, "bitcoin")
    assert rows.filter(pl.col("key") >= wanted[0]["id"]).equals(expected(wanted))
    assert times_ns(rows).tolist() == sorted(times_ns(rows).tolist())


@pytest.mark.parametrize("worse", [duplicated, reordered, cut], ids=lambda f: f.__name__)
def test_nothing_is_lost_to_repeats_disorder_and_torn_frames(worse):
    market = trades(50)
    with LiveServer(list(worse([frame(t) for t in market])), rest_of(market), hellos=0) as server:
        socket, got = read_all(server, market)
    rows = once(got, "bitcoin")
    assert rows.sort("key").equals(expected(market))
    (health,) = socket.health()
    assert health.malformed == (10 if worse is cut else 0)


def test_a_back_fill_that_fails_is_tried_again():
    market = trades(30)
    script = [frame(t) for t in market]
    script[9:9] = [Missed(4)]
    routes = rest_of(market)
    routes["/api/v3/trades"] = failing(5, routes["/api/v3/trades"], status=429, wait="0")
    with LiveServer(script, routes, hellos=0) as server:
        socket, got = read_all(server, market)
    assert once(got, "bitcoin").equals(expected(market))
    assert socket.health()[0].unfilled == 0


def test_a_hole_nobody_can_fill_is_counted_and_the_feed_goes_on():
    market = trades(30)
    script = [frame(t) for t in market]
    script[9:9] = [Missed(4)]
    there = market[:9] + market[13:]
    with LiveServer(script, {}, hellos=0) as server:
        socket, got = read_all(server, there)
    assert once(got, "bitcoin").equals(expected(there))
    (health,) = socket.health()
    assert (health.gaps, health.unfilled) == (1, 1)
    assert "404" in health.message


def test_rest_that_lags_behind_the_stream_is_asked_again():
    market = trades(30)
    script = [frame(t) for t in market]
    script[9:9] = [Missed(4)]
    routes = rest_of(market)
    behind, whole = as_json(market[:11]), routes["/api/v3/trades"]
    answers = iter([behind, behind])
    routes["/api/v3/trades"] = lambda asked: next(answers, None) or whole(asked)
    with LiveServer(script, routes, hellos=0) as server:
        _, got = read_all(server, market)
    assert once(got, "bitcoin").equals(expected(market))


def test_rest_pages_that_do_not_join_are_refused():
    market = trades(40)
    routes = rest_of(market, page=10)
    routes["/api/v3/historicalTrades"] = as_json(market[3:9])
    span = [t["time"] * 1_000_000 for t in (market[2], market[-1])]
    with LiveServer([], routes) as server, quick_rest() as client:
        with pytest.raises(FetchError, match="right before number"):
            venue(server).backfill(client, "bitcoin", *span)
        server.loopback.routes["/api/v3/trades"] = as_json(market[:5] + market[6:])
        with pytest.raises(FetchError, match="with a gap"):
            venue(server).backfill(client, "bitcoin", *span)
