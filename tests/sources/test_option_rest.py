"""Deribit and Cboe answers, over a loopback server and from files: shapes, pages, faults."""

from __future__ import annotations

import json

import pytest

from eventtape.clock import format_ns, parse_ns
from eventtape.errors import FetchError, InputError
from eventtape.sources import fetch_deribit_book, fetch_deribit_trades, read_option_quotes
from eventtape.sources.cboe import cboe_json_table
from sources.loopback_server import Reply

BOOK = "/api/v2/public/get_book_summary_by_currency"
TRADES = "/api/v2/public/get_last_trades_by_currency"
NOW = parse_ns("2025-06-13T19:30Z") // 10**6
START, END = parse_ns("2025-06-13T19:00Z"), parse_ns("2025-06-13T20:00Z")


def summary(name="BTC-27JUN25-100000-C", **changes):
    return {
        "instrument_name": name,
        "bid_price": 0.055,
        "ask_price": 0.0565,
        "mark_price": 0.0557,
        "mark_iv": 41.25,
        "underlying_price": 105_500.0,
        "underlying_index": "SYN.BTC-27JUN25",
        "estimated_delivery_price": 105_000.0,
        "interest_rate": 0.0,
        "open_interest": 812.5,
        "creation_timestamp": NOW,
        "base_currency": "BTC",
        "quote_currency": "BTC",
        "volume": 10.0,
    } | changes


def answer(result):
    return Reply(json.dumps({"jsonrpc": "2.0", "result": result}).encode())


def trade(seq, ms, **changes):
    return {
        "trade_id": str(seq),
        "trade_seq": seq,
        "timestamp": ms,
        "instrument_name": "BTC-27JUN25-100000-C",
        "direction": "buy",
        "price": 0.05,
        "mark_price": 0.051,
        "iv": 40.5,
        "index_price": 100_000.0,
        "amount": 0.3,
        "contracts": 0.3,
    } | changes


def test_a_book_summary_is_dollars_through_the_index_and_keeps_the_coin(loopback, client):
    loopback.routes[BOOK] = answer(
        [
            summary(),
            summary("BTC-27JUN25-100000-P", bid_price=None, ask_price=0.0005),
            summary(
                "SOL_USDC-27JUN25-150-C",
                bid_price=5.25,
                ask_price=5.5,
                underlying_price=148.0,
                estimated_delivery_price=147.0,
            ),
        ]
    )
    frame, report = fetch_deribit_book(client, base=loopback.base)
    assert loopback.asked[0].query == {"currency": "BTC", "kind": "option"}
    assert (report.format, report.kept) == ("deribit book summary", 3)
    assert report.noted == {"no bid": 1}
    by = {row["symbol"]: row for row in frame.to_dicts()}
    call = by["BTC-27JUN25-100000-C"]
    assert (call["bid"], call["coin_bid"]) == (0.055 * 105_000.0, 0.055)
    assert (call["underlying_price"], call["forward_price"]) == (105_000.0, 105_500.0)
    assert (call["vendor_iv"], call["mark"]) == (0.4125, 0.0557 * 105_000.0)
    linear = by["SOL_USDC-27JUN25-150-C"]
    assert (linear["bid"], linear["coin_bid"], linear["settlement"]) == (5.25, None, "cash")
    assert by["BTC-27JUN25-100000-P"]["bid"] is None
    assert format_ns(int(frame["ts"].to_physical()[0])) == "2025-06-13T19:30:00Z"


def test_a_summary_saved_to_a_file_is_recognised(write):
    path = write("book.json", {"jsonrpc": "2.0", "result": [summary()]})
    frame, report = read_option_quotes(path)
    assert (report.format, frame.height) == ("deribit book summary", 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"estimated_delivery_price": None}, "column 'estimated_delivery_price'"),
        ({"bid_price": -0.1}, "column 'bid'.*a price >= 0"),
        ({"instrument_name": "BTC-PERPETUAL"}, "column 'instrument_name'.*a Deribit name"),
        ({"creation_timestamp": None}, "column 'creation_timestamp'.*a number"),
    ],
    ids=["index", "price", "name", "time"],
)
def test_a_summary_that_cannot_be_used_names_its_row(loopback, client, changes, said):
    loopback.routes[BOOK] = answer([summary(), summary("BTC-27JUN25-90000-C") | changes])
    with pytest.raises(InputError, match=f"row 2, {said}"):
        fetch_deribit_book(client, base=loopback.base)


def test_trades_come_page_by_page_and_meet_each_other_once(loopback, client):
    t = START // 10**6
    stored = [
        trade(at, t + 10 * (at // 2), direction="sell" if at % 3 else "buy") for at in range(9)
    ]

    def page(asked):
        low, high = int(asked.query["start_timestamp"]), int(asked.query["end_timestamp"])
        assert (asked.query["kind"], asked.query["sorting"]) == ("option", "asc")
        found = [row for row in stored if low <= row["timestamp"] <= high]
        count = int(asked.query["count"])
        return answer({"trades": found[:count], "has_more": len(found) > count})

    loopback.routes[TRADES] = page
    told = []
    frame, report = fetch_deribit_trades(
        client,
        start_ns=START,
        end_ns=END,
        base=loopback.base,
        page_rows=4,
        progress=lambda label, done, total: told.append((label, done, total)),
    )
    assert frame["trade_id"].to_list() == [str(at) for at in range(9)]
    assert frame["side"].to_list() == [-1 if at % 3 else 1 for at in range(9)]
    assert set(frame["price"]) == {5000.0}
    assert set(frame["vendor_iv"]) == {0.405}
    assert (report.format, report.rows) == ("deribit last trades", 9)
    assert len(loopback.asked) > 2
    assert told[-1] == ("BTC options", 9, None)
    assert loopback.asked[0].query["end_timestamp"] == str(END // 10**6 - 1)


def test_a_page_full_of_one_millisecond_is_an_error_and_not_an_endless_loop(loopback, client):
    rows = [trade(at, START // 10**6) for at in range(2)]
    loopback.routes[TRADES] = answer({"trades": rows, "has_more": True})
    with pytest.raises(FetchError, match="brought nothing new, yet has more"):
        fetch_deribit_trades(client, start_ns=START, end_ns=END, base=loopback.base, page_rows=2)
    assert len(loopback.asked) == 2


@pytest.mark.parametrize(
    ("result", "kind", "said"),
    [
        ({"trades": [], "has_more": False}, FetchError, "no option trades of BTC in the window"),
        ({"trades": []}, InputError, "result.has_more"),
        ([], InputError, "result.has_more"),
        ({"trades": [trade(1, 1), trade(1, 2)], "has_more": False}, InputError, "one trade under"),
        ({"trades": [trade(1, START // 10**6, price=0)], "has_more": False}, InputError, "a price"),
        (
            {"trades": [trade(1, START // 10**6, direction="up")], "has_more": False},
            InputError,
            "buy or sell",
        ),
    ],
    ids=["none", "no has_more", "a list", "two stories", "no price", "no side"],
)
def test_a_bad_answer_of_trades_is_named(loopback, client, result, kind, said):
    loopback.routes[TRADES] = answer(result)
    with pytest.raises(kind, match=said):
        fetch_deribit_trades(client, start_ns=START, end_ns=END, base=loopback.base)


def test_a_window_that_ends_before_it_starts_is_refused(client):
    with pytest.raises(InputError, match="a window that ends after it starts"):
        fetch_deribit_trades(client, start_ns=END, end_ns=START)


def cboe(**changes):
    return {
        "timestamp": "2023-09-14 20:31:07",
        "symbol": "^SPX",
        "data": {
            "symbol": "^SPX",
            "current_price": 4505.1,
            "last_trade_time": "2023-09-14T16:15:00",
            "options": [
                {
                    "option": "SPXW230915C04500000",
                    "bid": 25.0,
                    "bid_size": 11,
                    "ask": 26.0,
                    "ask_size": 12,
                    "iv": 0.13,
                    "delta": 0.51,
                    "gamma": 0.01,
                    "vega": 0.9,
                    "theta": -2.0,
                    "rho": 0.1,
                    "theo": 25.4,
                    "open_interest": 7,
                },
                {
                    "option": "SPX230915P04500000",
                    "bid": 0,
                    "bid_size": 0,
                    "ask": 0.05,
                    "ask_size": 40,
                    "iv": 0,
                    "delta": 0,
                    "gamma": 0,
                    "open_interest": 6,
                },
            ],
        },
    } | changes


def test_the_json_of_a_quote_page_has_sizes_and_greeks(write):
    frame, report = read_option_quotes(write("_SPX.json", cboe()))
    assert report.format == "cboe quote page"
    by = {row["symbol"]: row for row in frame.to_dicts()}
    call, put = by["SPXW230915C04500000"], by["SPX230915P04500000"]
    assert (call["bid_size"], call["mark"], call["vendor_vega"]) == (11, 25.4, 90.0)
    assert call["vendor_theta"] == -730.0
    assert (put["bid"], put["ask"], put["vendor_iv"]) == (None, 0.05, None)
    assert format_ns(int(frame["ts"].to_physical()[0])) == "2023-09-14T20:31:07Z"


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (cboe(timestamp="2023-09-14 16:31:07"), "not before the underlying's last trade"),
        (cboe(timestamp="now"), "an ISO 8601 time"),
        (cboe(data={"options": [], "current_price": 1.0}), "at least one option"),
        (cboe(data={"options": [{"a": 1}], "current_price": 1.0}), "a field 'option'"),
        ({"data": {}}, "an object with 'timestamp'"),
        ([], "an object with 'timestamp'"),
    ],
    ids=["local time", "no time", "no options", "no symbol", "no data", "a list"],
)
def test_a_fault_of_the_json_is_named(payload, said):
    with pytest.raises(InputError, match=said):
        cboe_json_table(payload, file="_SPX.json")


def test_a_price_of_the_underlying_that_is_no_number_is_refused():
    data = cboe()["data"] | {"current_price": None}
    with pytest.raises(InputError, match="column 'current_price'"):
        cboe_json_table(cboe(data=data), file="_SPX.json")
