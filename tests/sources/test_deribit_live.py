"""Deribit's websocket: option trades, index and quotes as rows, holes by trade number."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eventtape.clock import MINUTE, SECOND, parse_ns
from eventtape.errors import FetchError, InputError
from eventtape.sources.deribit_live import DeribitLive
from eventtape.sources.deribit_rest import fetch_deribit_book, fetch_deribit_trades
from eventtape.sources.deribit_ticker import contracts_of, fetch_deribit_contracts
from eventtape.tape import times_ns
from sources.live_collect import collected, keys_of, tape_of
from sources.live_server import Drop, LiveServer, Missed, Stall, Until, cut, duplicated, failing
from sources.loopback_server import as_json

API = "/api/v2/public/"
BY_TIME, BY_NUMBER = API + "get_last_trades_by_currency", API + "get_last_trades_by_instrument"
START = parse_ns("2025-06-13T19:00:00Z")
MS = 1_000_000
NAMES = ("BTC-27JUN25-100000-C", "BTC-27JUN25-90000-P", "BTC-26SEP25-120000-C")
CALL = NAMES[0]
FEED = "BTC option trades"


def trade(i, **changes):
    """The i-th trade of the venue; contracts take turns, two trades share a millisecond."""
    return {
        "trade_id": str(500 + i),
        "trade_seq": 40 + i // 3,
        "timestamp": START // MS + 90 * (i // 2),
        "instrument_name": NAMES[i % 3],
        "direction": "sell" if i % 4 else "buy",
        "price": 0.02 + i % 7 / 1000,
        "mark_price": 0.021,
        "iv": 40.5 + i % 5,
        "index_price": 105_000.0 + i,
        "amount": 0.1 + i % 3,
        "contracts": 0.1,
        "tick_direction": 1,
    } | changes


def notified(channel, data):
    params = {"channel": channel, "data": data}
    return json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params})


def told(*numbers, **changes):
    return notified("trades.option.BTC.100ms", [trade(i, **changes) for i in numbers])


def ticker(name=CALL, **changes):
    data = {
        "instrument_name": name,
        "timestamp": START // MS,
        "best_bid_price": 0.055,
        "best_bid_amount": 12.5,
        "best_ask_price": 0.0565,
        "best_ask_amount": 3.0,
        "mark_price": 0.0557,
        "mark_iv": 41.25,
        "bid_iv": 40.0,
        "ask_iv": 0.0,
        "index_price": 105_000.0,
        "underlying_price": 105_500.0,
        "open_interest": 812.5,
        "state": "open",
        "greeks": {"delta": 0.6, "gamma": 0.00002, "vega": 80.0, "theta": -50.0, "rho": 20.0},
    } | changes
    return notified(f"ticker.{name}.100ms", data)


def answer(trades, more=False):
    return as_json({"jsonrpc": "2.0", "result": {"trades": list(trades), "has_more": more}})


def by_time(numbers, page_rows=7):
    def page(asked):
        low, high = int(asked.query["start_timestamp"]), int(asked.query["end_timestamp"])
        assert (asked.query["currency"], asked.query["kind"]) == ("BTC", "option")
        rows = [row for i in sorted(numbers) if low <= (row := trade(i))["timestamp"] <= high]
        return answer(rows[:page_rows], more=len(rows) > page_rows)

    return page


def by_number(numbers, page_rows=2):
    def page(asked):
        low, high = int(asked.query["start_seq"]), int(asked.query["end_seq"])
        rows = [trade(i) for i in sorted(numbers) if NAMES[i % 3] == asked.query["instrument_name"]]
        rows = [row for row in rows if low <= row["trade_seq"] <= high]
        return answer(rows[:page_rows], more=len(rows) > page_rows)

    return page


def expected(loopback, client, numbers):
    """What the parser of the REST answers makes of these trades."""
    loopback.routes[BY_TIME] = by_time(numbers)
    frame, _ = fetch_deribit_trades(
        client, start_ns=START, end_ns=START + MINUTE, base=loopback.base
    )
    return frame


def test_a_trade_is_the_same_row_by_websocket_and_by_rest(loopback, client):
    venue = DeribitLive(base=loopback.base)
    read = [venue.read(told(i, i + 1, i + 2), START) for i in range(0, 30, 3)]
    batches = [said.batches[0] for said in read]
    assert not any(said.holes for said in read)
    rows = tape_of(batches, FEED)
    by_rest = expected(loopback, client, range(30))
    assert rows.sort("trade_id").equals(by_rest.sort("trade_id"))
    (batch,) = venue.backfill(client, FEED, START, START + MINUTE)
    assert batch.rows.equals(by_rest)
    assert set(batch.keys.tolist()) == keys_of(batches, FEED)
    assert len(keys_of(batches, FEED)) == 30
    dollars = batch.rows["coin_price"] * batch.rows["underlying_price"]
    assert batch.rows["price"].equals(dollars.alias("price"))


def test_a_jump_in_a_contracts_numbers_is_a_hole_and_other_contracts_are_none():
    venue = DeribitLive()
    assert venue.read(told(0, 1, 2), START).holes == ()
    (hole,) = venue.read(told(4, 5, 9), START).holes
    stamps = [trade(i)["timestamp"] * MS for i in (0, 9)]
    assert (hole.feed, hole.from_ns, hole.to_ns) == (FEED, *stamps)
    assert venue.read(told(9), START).holes == ()
    assert venue.read(told(6), START).holes == ()
    assert venue.read(told(12), START).holes == ()
    venue.hello()
    assert venue.read(told(15), START).holes == ()
    assert len(venue.read(told(60), START).holes) == 1


def test_what_rest_brought_after_an_outage_is_no_hole_and_what_it_left_out_is(loopback, client):
    venue = DeribitLive(base=loopback.base)
    venue.read(told(0, 1), START)
    venue.hello()
    loopback.routes[BY_TIME] = by_time({0, 1, 3, 6, 4})
    venue.backfill(client, FEED, START, START + MINUTE)
    assert venue.read(told(9), START).holes == ()
    assert len(venue.read(told(10), START).holes) == 1
    loopback.routes[BY_NUMBER] = by_number(range(12))
    (batch,) = venue.backfill(client, FEED, START, START + MINUTE)
    assert "507" in batch.rows["trade_id"].to_list()


def test_a_contract_long_silent_does_not_make_its_hole_long():
    venue = DeribitLive()
    late = (START + 3_600 * SECOND) // MS
    venue.read(told(0), START)
    venue.read(told(1, timestamp=late), START)
    (hole,) = venue.read(told(9, timestamp=late + 10), START).holes
    assert hole.from_ns == late * MS - MINUTE


def test_what_the_window_does_not_bring_is_asked_for_by_number(loopback, client):
    venue = DeribitLive(base=loopback.base)
    venue.read(told(0), START)
    venue.read(told(15), START)
    loopback.routes[BY_TIME] = by_time({6})
    loopback.routes[BY_NUMBER] = by_number(range(30))
    (batch,) = venue.backfill(client, FEED, START, START + 20 * MS)
    assert batch.rows["trade_id"].to_list() == ["503", "506", "509", "512"]
    asked = loopback.asked[1].query
    assert (asked["start_seq"], asked["end_seq"]) == ("41", "44")
    # Once found, it is not asked for again.
    assert venue.backfill(client, FEED, START, START + 20 * MS) == ()


def test_a_back_fill_that_failed_asks_for_the_same_numbers_again(loopback, client):
    venue = DeribitLive(base=loopback.base)
    venue.read(told(0), START)
    venue.read(told(6), START)
    loopback.routes[BY_TIME] = by_time(())
    loopback.routes[BY_NUMBER] = failing(4, by_number(range(9)))
    with pytest.raises(FetchError):
        venue.backfill(client, FEED, START, START + MS)
    (batch,) = venue.backfill(client, FEED, START, START + MS)
    assert batch.rows["trade_id"].to_list() == ["503"]


def test_a_ticker_is_the_quote_of_the_book_summary_with_sizes(loopback, client):
    summary = {
        "instrument_name": CALL,
        "bid_price": 0.055,
        "ask_price": 0.0565,
        "mark_price": 0.0557,
        "mark_iv": 41.25,
        "underlying_price": 105_500.0,
        "estimated_delivery_price": 105_000.0,
        "open_interest": 812.5,
        "creation_timestamp": START // MS,
    }
    loopback.routes[API + "get_book_summary_by_currency"] = as_json({"result": [summary]})
    by_rest = fetch_deribit_book(client, base=loopback.base).frame.to_dicts()[0]
    (batch,) = DeribitLive(quotes=[CALL]).read(ticker(), START).batches
    row = batch.rows.to_dicts()[0]
    told = {name: value for name, value in by_rest.items() if value is not None}
    assert told == {name: row[name] for name in told}
    more = {name: row[name] for name in row if name not in told and row[name] is not None}
    assert more == {
        "bid_size": 12.5,
        "ask_size": 3.0,
        "vendor_bid_iv": 0.4,
        "vendor_delta": 0.6,
        "vendor_gamma": 0.00002,
        "vendor_vega": 8_000.0,
        "vendor_theta": -50.0 * 365,
        "vendor_rho": 2_000.0,
    }


def test_a_linear_contract_is_in_dollars_as_it_comes_and_an_absent_side_is_null():
    name = "SOL_USDC-27JUN25-150-C"
    venue = DeribitLive("USDC", index="sol_usdc", quotes=[name])
    changes = {"best_bid_price": 0.0, "best_bid_amount": 0.0, "best_ask_price": 5.5, "greeks": None}
    (batch,) = venue.read(ticker(name, **changes), START).batches
    row = batch.rows.to_dicts()[0]
    assert (row["bid"], row["bid_size"], row["ask"]) == (None, 0.0, 5.5)
    assert (row["coin_ask"], row["settlement"], row["vendor_delta"]) == (None, "cash", None)
    assert [feed.label for feed in venue.feeds][-1] == batch.feed == "USDC options"


def test_the_index_is_a_feed_of_trades_without_a_side():
    venue = DeribitLive()
    data = {"index_name": "btc_usd", "price": 105_000.25, "timestamp": START // MS}
    (batch,) = venue.read(notified("deribit_price_index.btc_usd", data), START).batches
    row = batch.rows.to_dicts()[0]
    assert (batch.feed, batch.record, row["price"]) == ("BTC index", "trade", 105_000.25)
    assert (row["symbol"], row["size"], row["side"]) == ("btc_usd", 1.0, 0)


def test_it_asks_for_heartbeats_and_answers_them():
    venue = DeribitLive(quotes=[CALL])
    said = [json.loads(frame) for frame in venue.hello()]
    assert (said[0]["method"], said[0]["params"]) == ("public/set_heartbeat", {"interval": 10})
    assert said[1]["params"]["channels"] == [
        "trades.option.BTC.100ms",
        "deribit_price_index.btc_usd",
        f"ticker.{CALL}.100ms",
    ]
    beat = '{"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "%s"}}'
    (reply,) = venue.read(beat % "test_request", START).replies
    assert json.loads(reply)["method"] == "public/test"
    assert venue.read(beat % "heartbeat", START).replies == ()
    assert venue.heartbeat() is None


def test_a_channel_that_is_not_taken_is_refused_unless_its_contract_has_expired():
    venue = DeribitLive(quotes=[CALL])
    ids = {json.loads(frame)["id"]: json.loads(frame)["params"] for frame in venue.hello()}
    at, channels = next((at, p["channels"]) for at, p in ids.items() if "channels" in p)
    taken = '{"jsonrpc": "2.0", "id": %d, "result": %s}'
    assert not venue.read(taken % (at, json.dumps(channels)), START).refused
    assert CALL in venue.read(taken % (at, json.dumps(channels[:2])), START).refused
    assert "trades" in venue.read(taken % (at, json.dumps(channels[1:])), START).refused
    expiry = parse_ns("2025-06-27T08:00:00Z")
    assert venue.read(ticker(timestamp=expiry // MS), expiry).batches == ()
    assert not venue.read(taken % (at, json.dumps(channels[:2])), expiry).refused
    assert CALL not in "".join(venue.hello())
    error = '{"jsonrpc": "2.0", "id": 100, "error": {"code": %d, "message": "so it is"}}'
    assert venue.read(error % 10028, START).reconnect == "Deribit: error 10028: so it is"
    assert venue.read(error % -32602, START).refused == "Deribit: error -32602: so it is"
    assert venue.read('{"jsonrpc": "2.0", "id": 9000, "result": {}}', START).batches == ()
    assert venue.read('{"jsonrpc": "2.0", "method": "other"}', START).batches == ()
    assert venue.read(notified("quote.X", {}), START).batches == ()
    assert {"other", "quote.X", "expired contract"} <= set(venue.ignored)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (told(1)[:60], "JSON"),
        ('"trades"', "an object"),
        (notified("trades.option.BTC.100ms", {"a": 1}), "a list of objects"),
        (told(3, trade_seq="41"), "column 'trade_seq'.*whole number"),
        (told(3, timestamp=1.5), "column 'timestamp'"),
        (told(3, price="0.02"), "column 'price'.*finite number"),
        (told(3, price=-0.02), "a price > 0"),
        (told(3, amount=10**400), "column 'amount'"),
        (told(3, iv="high"), "column 'iv'"),
        (told(3, direction="hold"), "buy or sell"),
        (told(3, instrument_name="BTC-PERPETUAL"), "a Deribit name"),
        (told(3, trade_id=7), "column 'trade_id'.*text"),
        (ticker(best_bid_price=-1), "column 'best_bid_price'.*>= 0"),
        (ticker(index_price=None), "column 'index_price'.*above 0"),
        (ticker(best_ask_amount="3"), "column 'best_ask_amount'"),
        (ticker(mark_price=-1.0), "BTC options.*column 'mark'"),
        (ticker(greeks=[1]), "column 'greeks'"),
        (ticker(instrument_name=NAMES[1]), "column 'instrument_name'"),
        (notified("deribit_price_index.btc_usd", {"price": 1, "timestamp": 3}), "'timestamp'"),
        (notified("deribit_price_index.btc_usd", 3), "an object"),
        ('{"method": "subscription"}', "an object"),
        ('{"id": 100, "result": "ok"}', "a list of channels"),
    ],
    ids=[
        "torn", "no object", "no list", "number", "time", "text for a price", "price", "amount",
        "volatility", "side", "name", "identity", "bid", "index", "size", "mark", "greeks",
        "another contract", "index time", "index value", "no params", "no channels",
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_says_where_and_changes_nothing(frame, said):
    venue = DeribitLive(quotes=[CALL])
    venue.hello()
    venue.read(told(0), START)
    with pytest.raises(InputError, match=said):
        venue.read(frame, START)
    assert venue.read(told(3), START).holes == ()


def test_the_contracts_listed_are_what_their_names_say(loopback, client):
    listed = [
        {
            "instrument_name": at.symbol,
            "expiration_timestamp": at.expiry_ns // MS,
            "strike": at.strike,
        }
        for at in contracts_of(NAMES)
    ]
    loopback.routes[API + "get_instruments"] = as_json({"result": listed})
    found = fetch_deribit_contracts(client, base=loopback.base)
    assert [at.symbol for at in found] == [NAMES[1], NAMES[0], NAMES[2]]
    assert loopback.asked[0].query == {"currency": "BTC", "kind": "option", "expired": "false"}
    listed[1]["strike"] = 1.0
    loopback.routes[API + "get_instruments"] = as_json({"result": listed})
    with pytest.raises(InputError, match=r"row 2: .*expiry and strike"):
        fetch_deribit_contracts(client, base=loopback.base)
    with pytest.raises(InputError, match="each contract once"):
        DeribitLive(quotes=[CALL, CALL])


def test_through_a_bad_line_every_trade_comes_once_and_in_order(loopback, client):
    n, made = 90, set()

    def market(i):
        """From here on REST knows the trades before ``i``."""
        return Until(lambda: made.update(range(i)) is None)

    frames = [told(i, i + 1, i + 2) for i in range(0, n, 3)]
    swapped = [frames[9], frames[8]]
    script = [
        market(48),
        *duplicated(cut(frames[:8])),
        *swapped,
        *frames[10:12],
        Missed(2),
        *frames[14:16],
        market(57),
        Drop(missed=3),
        *frames[16:25],
        market(81),
        Stall(missed=2),
        *frames[25:27],
        market(n),
        *frames[27:],
    ]
    rest = {BY_TIME: failing(2, by_time(made)), BY_NUMBER: by_number(made)}
    with LiveServer(script, rest, hellos=2) as server:
        venue = DeribitLive(url=server.url, base=server.rest)
        venue.silence_s = 0.4
        batches, health = collected(
            venue, lambda got: len(keys_of(got, FEED)) == n, now_ns=START + MINUTE
        )
    tape = tape_of(batches, FEED)
    assert tape.sort("trade_id").equals(expected(loopback, client, range(n)).sort("trade_id"))
    assert (np.diff(times_ns(tape.tail(n - 30))) >= 0).all()
    said = health[FEED]
    assert (said.reconnects, said.malformed, said.unfilled) == (2, 1, 0)
    assert said.gaps >= 1
    assert said.backfilled >= 21
