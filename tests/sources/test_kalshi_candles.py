from __future__ import annotations

import pytest

from eventtape.errors import InputError
from eventtape.sources import parse_candlesticks, read_candlesticks
from eventtape.tape import times_ns

NOON = 1_930_132_800  # 2031-03-01T12:00Z
HEADER = "timestamp,bid_open,bid_close,ask_close,price_close,volume\n"


def csv(*rows):
    return HEADER + "".join(f"{row}\n" for row in rows)


def read(path, zone="UTC"):
    return read_candlesticks(path, ticker="FED-99", zone=zone)


def test_the_probability_is_the_mid_of_the_close_at_the_end_of_the_hour(write):
    path = write(
        "c.csv", csv("2031-03-01 12:00:00,1,55,58,57.0,10", "2031-03-01 13:00:00,1,69,70,,0")
    )
    frame = read(path)
    assert frame["probability"].to_list() == [0.565, 0.695]
    assert frame.select("bid", "ask", "size").row(0) == (0.55, 0.58, 10.0)
    assert (times_ns(frame) // 10**9).tolist() == [NOON, NOON + 3_600]


def test_a_side_nobody_quotes_is_null_and_its_bound_serves_for_the_mid(write):
    path = write("c.csv", csv("2031-03-01 12:00,0,0,4,,1", "2031-03-01 13:00,0,92,100,,1"))
    frame = read(path)
    assert frame["probability"].to_list() == [0.02, 0.96]
    assert frame.select("bid", "ask").rows() == [(None, 0.04), (0.92, None)]


def test_naive_stamps_are_read_on_the_declared_clock(write):
    path = write("c.csv", csv("2031-03-01 07:00:00,1,55,58,,1"))
    assert times_ns(read(path, "America/New_York")).tolist() == [NOON * 10**9]


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        (csv("2031-03-01 12:00,0,0,100,,1"), "row 1, column 'bid_close'", "a bid or an ask"),
        (csv("2031-03-01 12:00,0,60,58,,1"), "row 1, column 'bid_close'", "not above ask_close"),
        (csv("2031-03-01 12:00,0,90,130,,1"), "row 1, column 'ask_close'", "0 to 1 dollar"),
        (csv("2031-03-01 12:00,0,-5,58,,1"), "row 1, column 'bid_close'", "0 to 1 dollar"),
        (csv("2031-03-01 12:00,0,NaN,58,,1"), "row 1, column 'bid_close'", "a finite number"),
        (csv("2031-03-01 12:00,0,50,58,,-1"), "row 1, column 'size'", "a value >= 0"),
        (csv("2031-03-01 12:00,0,50,58,,"), "row 1, column 'volume'", "a finite number"),
        (csv(*["2031-03-01 12:00,0,50,58,,1"] * 2), "row 2, column 'ts'", "a repeated time"),
        (
            csv("2031-03-01 13:00,0,50,58,,1", "2031-03-01 12:00,0,50,58,,1"),
            "row 2, column 'ts'",
            "before the one above",
        ),
        (csv("2031-03-01T12:00:00-05:00,0,50,58,,1"), "row 1, column 'timestamp'", "wrong zone"),
        (csv("12 March,0,50,58,,1"), "row 1, column 'timestamp'", "ISO 8601"),
        (csv("2031-03-01 12:00,0,50,58,,1").replace("ask_close", "ask"), "'ask_close'", "a column"),
        (HEADER, "c.csv", "at least one probability"),
        ("", "c.csv", "CSV table"),
    ],
)
def test_a_bad_candle_file_names_its_place(write, text, place, wanted):
    with pytest.raises(InputError) as caught:
        read(write("c.csv", text))
    assert place in str(caught.value)
    assert wanted in str(caught.value)


def test_an_unknown_zone_is_refused(write):
    with pytest.raises(InputError, match="IANA time zone"):
        read(write("c.csv", csv("2031-03-01 12:00,0,50,58,,1")), zone="Mars/Olympus")


@pytest.mark.parametrize(
    ("bid", "ask", "volume"),
    [
        ({"close": 41}, {"close": 44}, {"volume": 9}),
        ({"close": "0.4100"}, {"close": "0.4400"}, {"volume": "9.00"}),  # the historical tier
        (
            {"close": 1, "close_dollars": "0.4100"},
            {"close": 2, "close_dollars": "0.4400"},
            {"volume": 1, "volume_fp": "9.00"},
        ),
    ],
)
def test_a_rest_answer_in_any_of_its_spellings(bid, ask, volume):
    candle = {"end_period_ts": NOON, "yes_bid": bid, "yes_ask": ask, **volume}
    frame = parse_candlesticks({"ticker": "FED-99", "candlesticks": [candle]}, ticker="FED-99")
    assert frame.drop("ts").row(0) == ("FED-99", 0.425, 0.41, 0.44, 9.0)
    assert times_ns(frame).tolist() == [NOON * 10**9]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"end_period_ts": None}, "end_period_ts"),
        ({"end_period_ts": NOON * 1000}, "end_period_ts"),
        ({"end_period_ts": NOON + 0.5}, "end_period_ts"),
        ({"yes_bid": None}, "yes_bid"),
        ({"yes_bid": {"close": None}}, "close"),
        ({"yes_ask": {"close": 44.5}}, "close"),
        ({"volume": "x"}, "volume"),
    ],
)
def test_a_bad_rest_candle_names_its_place(change, column):
    candle = {
        "end_period_ts": NOON,
        "yes_bid": {"close": 41},
        "yes_ask": {"close": 44},
        "volume": 1,
    }
    with pytest.raises(InputError) as caught:
        parse_candlesticks({"candlesticks": [{**candle, **change}]}, ticker="F", file="a")
    assert (caught.value.file, caught.value.row, caught.value.column) == ("a", 1, column)


def test_an_answer_without_candles_is_refused():
    with pytest.raises(InputError, match="the list 'candlesticks'"):
        parse_candlesticks({"error": "no"}, ticker="F")
