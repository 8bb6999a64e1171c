from __future__ import annotations

import gzip
import json

import pytest

from eventtape.errors import InputError
from eventtape.sources import parse_history, read_history, read_markets_csv
from eventtape.tape import times_ns

T0 = 1_930_132_800


def points(*pairs):
    return {"history": [{"t": t, "p": p} for t, p in pairs]}


def test_a_history_has_a_probability_and_no_quotes(write):
    path = write("h.json", points((T0, 0.4), (T0 + 61, 0.45)))
    frame = read_history(path, symbol="rain")
    assert frame.rows()[0][0::2] == ("rain", 0.4, None)
    assert frame["probability"].to_list() == [0.4, 0.45]
    assert frame.select("bid", "ask", "size").null_count().row(0) == (2, 2, 2)
    assert (times_ns(frame) // 10**9).tolist() == [T0, T0 + 61]


def test_a_last_point_stated_twice_is_joined():
    frame = parse_history(points((T0, 0.4), (T0 + 60, 0.5), (T0 + 60, 0.5)), symbol="rain")
    assert frame["probability"].to_list() == [0.4, 0.5]


@pytest.mark.parametrize(
    ("payload", "place", "wanted"),
    [
        (points((T0, 1.3)), "row 1, column 'probability'", "a value <= 1"),
        (points((T0, 0.5), (T0 + 60, -0.1)), "row 2, column 'probability'", "a value >= 0"),
        (points((T0, float("nan"))), "row 1, column 'p'", "a finite number"),
        (points((T0, "0.5")), "row 1, column 'p'", "a finite number"),
        (points((T0, 10**400)), "row 1, column 'p'", "a finite number"),
        (points((str(T0), 0.5)), "row 1, column 't'", "a finite number"),
        (points((T0 * 1000, 0.5)), "row 1, column 't'", "whole epoch seconds"),
        (points((T0, 0.5), (T0 - 1, 0.5)), "row 2, column 'ts'", "before the one above"),
        (points((T0, 0.5), (T0, 0.6)), "row 2, column 'ts'", "a repeated time"),
        (points((T0, 0.5), (T0, 0.5), (T0 + 60, 0.5)), "row 2, column 'ts'", "a repeated time"),
        (points(), "h.json", "at least one probability"),
        ({"error": "no such market"}, "h.json", "the list 'history'"),
        ([], "h.json", "the list 'history'"),
        ({"history": 3}, "h.json", "a list of objects"),
    ],
)
def test_a_bad_history_names_its_place(write, payload, place, wanted):
    with pytest.raises(InputError) as caught:
        read_history(write("h.json", payload), symbol="rain")
    assert place in str(caught.value)
    assert wanted in str(caught.value)
    assert "h.json" in str(caught.value)


@pytest.mark.parametrize("kept", [0, 1, 20, 45])
def test_a_history_cut_short_names_file_and_offset(write, kept):
    text = json.dumps(points((T0, 0.4), (T0 + 60, 0.5)))[:kept]
    with pytest.raises(InputError, match=rf"h\.json: .*breaks at offset \d+ of {kept}"):
        read_history(write("h.json", text), symbol="rain")


def test_several_markets_each_in_their_own_order(write):
    text = f"market,timestamp,probability\nsnow,{T0},0.1\nsnow,{T0 + 60},0.2\nrain,{T0},0.9\n"
    frame = read_markets_csv(write("m.csv.gz", gzip.compress(text.encode())))
    assert frame["symbol"].to_list() == ["snow", "snow", "rain"]
    assert frame["probability"].to_list() == [0.1, 0.2, 0.9]


def test_each_market_may_state_its_last_point_twice(write):
    rows = f"a,{T0},.1\na,{T0},.1\nb,{T0},.2\nb,{T0 + 9},.3\nb,{T0 + 9},.3\n"
    frame = read_markets_csv(write("m.csv", "market,timestamp,probability\n" + rows))
    assert frame["symbol"].to_list() == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("rows", "place", "wanted"),
    [
        (f"a,{T0},1.3", "row 1, column 'probability'", "a value <= 1"),
        (f"a,{T0},.2\na,{T0 + 1},", "row 2, column 'probability'", "a finite number"),
        ("a,2031-03-01,.2", "row 1, column 'timestamp'", "a whole number"),
        (f"a,{T0}000,.2", "row 1, column 'timestamp'", "whole epoch seconds"),
        (f",{T0},.2", "row 1, column 'symbol'", "a value"),
        (f"a,{T0},.2\na,{T0 - 5},.2", "row 2, column 'ts'", "before the one above"),
    ],
)
def test_a_bad_markets_file_names_its_place(write, rows, place, wanted):
    with pytest.raises(InputError) as caught:
        read_markets_csv(write("m.csv", f"market,timestamp,probability\n{rows}\n"))
    assert place in str(caught.value)
    assert wanted in str(caught.value)
