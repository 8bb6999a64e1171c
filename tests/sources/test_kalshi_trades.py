from __future__ import annotations

import gzip
import json

import pytest

from eventtape.errors import InputError
from eventtape.sources import parse_trades, read_trade_dump, read_trades_csv
from eventtape.tape import times_ns

TICKER = "FED-99"


def rest(number, second, *, yes=40, **more):
    trade = {
        "trade_id": f"t{number}",
        "ticker": TICKER,
        "count": 5,
        "created_time": f"2031-03-01T12:00:{second:02d}.500000Z",
        "yes_price": yes,
        "no_price": 100 - yes,
        "taker_side": "yes",
    }
    return {**trade, **more}


def page(*trades, cursor=""):
    return {"trades": list(trades), "cursor": cursor}


def test_rest_trades_come_out_oldest_first_with_the_takers_side():
    pages = [
        page(rest(3, 30, yes=42), rest(2, 20, yes=41, taker_side="no"), cursor="c"),
        page(rest(1, 10)),
    ]
    frame = parse_trades(pages, ticker=TICKER)
    assert frame["trade_id"].to_list() == ["t1", "t2", "t3"]
    assert frame["price"].to_list() == [0.40, 0.41, 0.42]
    assert frame["side"].to_list() == [1, -1, 1]
    assert frame["size"].to_list() == [5.0, 5.0, 5.0]
    assert times_ns(frame)[0] == 1_930_132_810_500_000_000


def test_fixed_point_text_comes_before_cents_and_the_new_side_before_the_old():
    trade = rest(
        1,
        1,
        yes=50,
        yes_price_dollars="0.5150",
        no_price_dollars="0.4850",
        count_fp="2.25",
        taker_outcome_side="no",
    )
    frame = parse_trades([page(trade)], ticker=TICKER)
    assert frame.select("price", "size", "side").row(0) == (0.515, 2.25, -1)


def test_pages_that_overlap_are_joined_by_trade_id():
    pages = [page(rest(3, 30), rest(2, 20)), page(rest(2, 20), rest(1, 10))]
    assert parse_trades(pages, ticker=TICKER)["trade_id"].to_list() == ["t1", "t2", "t3"]


def test_one_trade_id_with_two_trades_is_refused():
    pages = [page(rest(2, 20), rest(1, 10)), page(rest(1, 10, yes=41))]
    with pytest.raises(InputError, match="row 3, column 'trade_id'"):
        parse_trades(pages, ticker=TICKER)


def test_trades_of_one_moment_keep_their_order_turned_round():
    frame = parse_trades([page(rest(2, 10, yes=41), rest(1, 10))], ticker=TICKER)
    assert frame["trade_id"].to_list() == ["t1", "t2"]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"yes_price": 0, "no_price": 100}, "yes_price"),
        ({"yes_price": -4, "no_price": 104}, "yes_price"),
        ({"yes_price": 130, "no_price": -30}, "yes_price"),
        ({"yes_price": 40.5, "no_price": 59.5}, "yes_price"),
        ({"yes_price": float("nan")}, "yes_price"),
        ({"yes_price": None}, "yes_price"),
        ({"yes_price": True}, "yes_price"),
        ({"yes_price_dollars": "forty"}, "yes_price_dollars"),
        ({"yes_price_dollars": "nan"}, "yes_price_dollars"),
        ({"no_price": 61}, "no_price"),
        ({"taker_side": "maybe"}, "taker_side"),
        ({"taker_side": None}, "taker_side"),
        ({"created_time": "2031-03-01T12:00:01"}, "created_time"),
        ({"created_time": 1930132800}, "created_time"),
        ({"created_time": "yesterday"}, "created_time"),
        ({"ticker": "OTHER"}, "ticker"),
        ({"trade_id": None}, "trade_id"),
        ({"count": "many"}, "count"),
        ({"count": 0}, "size"),
    ],
)
def test_a_bad_rest_trade_names_file_row_and_column(change, column):
    with pytest.raises(InputError) as caught:
        parse_trades([page({**rest(1, 1), **change})], ticker=TICKER, file="p.json")
    assert (caught.value.file, caught.value.row, caught.value.column) == ("p.json", 1, column)


def test_rest_trades_that_turn_newer_again_are_refused():
    with pytest.raises(InputError, match=r"row 2, column 'created_time': .*newest first"):
        parse_trades([page(rest(1, 10), rest(2, 20))], ticker=TICKER)


@pytest.mark.parametrize("payload", [{}, {"cursor": ""}, [], {"trades": {}}, {"trades": [1]}])
def test_a_page_of_another_shape_is_refused(payload):
    with pytest.raises(InputError, match=r"wanted an? (object|list)"):
        parse_trades([payload], ticker=TICKER)


@pytest.mark.parametrize("pages", [[], [{"trades": None}], [{"trades": []}]])
def test_no_trades_at_all_is_refused(pages):
    with pytest.raises(InputError, match="at least one trade"):
        parse_trades(pages, ticker=TICKER)


def dumped(second, *, ticker=TICKER, price=33, size=7):
    stamp = f"2031-03-01T00:00:{second:02d}.000001Z"
    return {"ticker_name": ticker, "create_ts": stamp, "contracts_traded": size, "price": price}


def test_a_dump_gives_the_trades_of_one_ticker_side_unknown(write):
    path = write("d.json", [dumped(1), dumped(2, ticker="X"), dumped(3, price=34)])
    frame = read_trade_dump(path, ticker=TICKER)
    assert frame.select("symbol", "price", "size", "side", "trade_id").rows() == [
        (TICKER, 0.33, 7.0, 0, None),
        (TICKER, 0.34, 7.0, 0, None),
    ]


def test_a_packed_dump_that_runs_newest_first_is_turned_round(write):
    packed = gzip.compress(json.dumps([dumped(3), dumped(1)]).encode())
    frame = read_trade_dump(write("d.json.gz", packed), ticker=TICKER)
    assert frame["ts"].is_sorted()


def test_a_dump_that_runs_both_ways_names_the_row_in_the_file(write):
    path = write("d.json", [dumped(1), dumped(5, ticker="X"), dumped(4), dumped(2), dumped(9)])
    with pytest.raises(InputError) as caught:
        read_trade_dump(path, ticker=TICKER)
    assert (caught.value.file, caught.value.row) == (str(path), 4)
    assert caught.value.column == "create_ts"


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([dumped(1, price=100)], "below one dollar"),
        ([dumped(1, price=-3)], "below one dollar"),
        ([dumped(1, price="33")], "a finite number"),
        ([dumped(1, size=0)], "a value > 0"),
        ([dumped(1, ticker="X")], f"at least one trade of {TICKER}"),
        ([], "at least one trade"),
        ([{"price": 3}], "text"),
        ({"trades": []}, "a list of objects"),
        ([3], "an object"),
    ],
)
def test_a_bad_dump_is_refused(write, rows, wanted):
    with pytest.raises(InputError, match=wanted) as caught:
        read_trade_dump(write("d.json", rows), ticker=TICKER)
    assert caught.value.file.endswith("d.json")


def test_a_dump_cut_short_names_the_offset(write):
    text = json.dumps([dumped(1), dumped(2)])[:-20]
    with pytest.raises(InputError, match=rf"breaks at offset \d+ of {len(text)}"):
        read_trade_dump(write("d.json", text), ticker=TICKER)


def test_a_packed_dump_cut_short_is_refused(write):
    packed = gzip.compress(json.dumps([dumped(1), dumped(2)]).encode())[:-9]
    with pytest.raises(InputError, match="a whole gzip file"):
        read_trade_dump(write("d.json.gz", packed), ticker=TICKER)


def test_bytes_that_are_not_text_are_refused(write):
    with pytest.raises(InputError, match=r"UTF-8 text .*offset 1"):
        read_trade_dump(write("d.json", b"[\xff]"), ticker=TICKER)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="a readable file"):
        read_trade_dump(tmp_path / "none.json", ticker=TICKER)


HEADER = "trade_id,ticker,count,created_time,yes_price,no_price,taker_side\n"


def csv(*rows):
    return HEADER + "".join(f"{row}\n" for row in rows)


GOOD = "a,U3,3,2031-03-01 00:01:54.961946+00:00,69,31,no"


def test_a_csv_of_trades_keeps_each_contract_and_its_microseconds(write):
    path = write(
        "t.csv.gz",
        gzip.compress(
            csv(
                GOOD,
                "b,CPI,2,2031-03-01T01:30:00.5+00:30,10,90,yes",
                "c,U3,1,2031-03-01T00:02:00Z,70,30,yes",
            ).encode()
        ),
    )
    frame = read_trades_csv(path)
    assert frame["symbol"].to_list() == ["U3", "CPI", "U3"]
    assert frame["price"].to_list() == [0.69, 0.10, 0.70]
    assert frame["side"].to_list() == [-1, 1, 1]
    midnight = 1_930_089_600 * 10**9
    assert (times_ns(frame) - midnight).tolist() == [
        114_961_946_000,
        3_600_500_000_000,
        120_000_000_000,
    ]


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        (csv("a,U3,3,2031-03-01 00:01:54,69,31,no"), "row 1, column 'created_time'", "time zone"),
        (csv(GOOD, "b,U3,3,noon,69,31,no"), "row 2, column 'created_time'", "ISO 8601"),
        (csv(GOOD.replace("69", "x")), "row 1, column 'yes_price'", "finite number"),
        (csv(GOOD.replace("69", "NaN")), "row 1, column 'yes_price'", "finite number"),
        (csv(GOOD.replace("69", "-69")), "row 1, column 'yes_price'", "cents above 0"),
        (csv(GOOD.replace("69,31", "130,-30")), "row 1, column 'yes_price'", "below 100"),
        (csv(GOOD.replace("31", "32")), "row 1, column 'no_price'", "adds to 100"),
        (csv(GOOD.replace(",no", ",buy")), "row 1, column 'taker_side'", "yes or no"),
        (csv(GOOD.replace(",no", ",")), "row 1, column 'taker_side'", "yes or no"),
        (csv(GOOD, GOOD.replace(":54", ":53")), "row 2, column 'ts'", "do not fall"),
        (HEADER, "t.csv", "at least one trade"),
        ("", "t.csv", "CSV table"),
        (csv(GOOD).replace("count", "n"), "column 'count'", "a column 'count'"),
        (csv(GOOD + ",one,too,many"), "t.csv", "CSV table"),
        (csv("a,U3"), "row 1", "finite number"),
    ],
)
def test_a_bad_csv_of_trades_names_its_place(write, text, place, wanted):
    with pytest.raises(InputError) as caught:
        read_trades_csv(write("t.csv", text))
    assert place in str(caught.value)
    assert wanted in str(caught.value)
    assert "t.csv" in str(caught.value)
