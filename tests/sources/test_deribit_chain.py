"""Deribit's chain by asking: what has changed is passed on, and troubles pass."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from types import SimpleNamespace

import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.sources.deribit_poll import DeribitChain
from sources.live_collect import quick_client
from sources.loopback_server import Reply, as_json

BOOK = "/api/v2/public/get_book_summary_by_currency"
NOW = parse_ns("2025-06-13T19:30Z") // 10**6
NAMES = ("BTC-27JUN25-100000-C", "BTC-27JUN25-90000-P", "BTC-26SEP25-120000-C")


def summaries(second, **bids):
    rows = [
        {
            "instrument_name": name,
            "bid_price": 0.05,
            "ask_price": 0.06,
            "mark_price": 0.055,
            "mark_iv": 41.0,
            "underlying_price": 105_500.0,
            "estimated_delivery_price": 105_000.0,
            "open_interest": 8.0,
            "creation_timestamp": NOW + 1_000 * second,
        }
        for name in NAMES
    ]
    for at, bid in bids.items():
        rows[int(at[1:])]["bid_price"] = bid
    return as_json({"result": rows})


def asked(loopback, replies, n, **options):
    loopback.routes[BOOK] = [*replies, *[replies[-1]] * 3]
    states = []

    async def sleep(seconds):
        states.append((seconds, source.health()[0].state))
        await asyncio.sleep(0)

    source = DeribitChain(base=loopback.base, client=quick_client, sleep=sleep, **options)
    batches = []

    async def read():
        async with asyncio.timeout(30), aclosing(source.batches({})) as run:
            async for batch in run:
                batches.append(batch)
                if len(batches) == n:
                    return source.health()[0]
        raise AssertionError("a source never ends")

    return batches, asyncio.run(read()), states


def test_only_what_has_changed_is_passed_on(loopback):
    replies = [summaries(0), summaries(5), summaries(10, _1=0.04), summaries(15, _1=0.04, _2=None)]
    batches, health, states = asked(loopback, replies, 3)
    assert [batch.rows["symbol"].to_list() for batch in batches] == [
        [NAMES[1], NAMES[0], NAMES[2]],
        [NAMES[1]],
        [NAMES[2]],
    ]
    assert batches[2].rows["bid"].to_list() == [None]
    assert len({int(key) for batch in batches for key in batch.keys}) == 5
    assert (health.state, health.rows, health.batches) == ("live", 5, 3)
    assert states == [(5.0, "live")] * 3


def test_a_service_that_is_down_or_wrong_comes_back_and_a_bad_row_is_counted(loopback):
    replies = [
        Reply(b"{}", 500),
        as_json({"result": "soon"}),
        summaries(0, _1=-0.04),
        summaries(5, _1=0.03),
    ]
    batches, health, states = asked(loopback, replies, 2, every_s=2.0, without=[NAMES[0]])
    assert [batch.rows["symbol"].to_list() for batch in batches] == [[NAMES[2]], [NAMES[1]]]
    assert [state for _, state in states] == ["down", "down", "live"]
    assert (health.malformed, states[0][0]) == (1, 2.0)
    assert "a list of objects" in health.message


def test_the_time_between_two_askings_is_above_zero():
    with pytest.raises(InputError, match="above 0"):
        DeribitChain(every_s=0.0)
    (feed,) = DeribitChain("ETH").feeds
    assert (feed.label, feed.frame.height) == ("ETH chain", 0)


def test_a_quote_stamped_in_the_future_is_left_out_and_told(loopback, monkeypatch):
    clock = SimpleNamespace(time_ns=lambda: NOW * 10**6)
    monkeypatch.setattr("eventtape.sources.deribit_poll.time", clock)
    replies = [summaries(0), summaries(61, _1=0.04), summaries(60, _2=0.03)]
    batches, health, _ = asked(loopback, replies, 2)
    assert [batch.rows["symbol"].to_list() for batch in batches] == [
        [NAMES[1], NAMES[0], NAMES[2]],
        [NAMES[2]],
    ]
    assert (health.malformed, health.last_stamp_ns) == (1, (NOW + 60_000) * 10**6)
    assert "BTC chain: a row stamped 2025-06-13T19:31:01" in health.message
    assert "our clock" in health.message
