from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.sources import (
    read_lean_quotes,
    read_lean_trades,
    read_taq_quotes,
    read_taq_trades,
    scan_lean_quotes,
    scan_lean_trades,
    scan_taq_quotes,
)
from eventtape.tape import times_ns
from sources.tick_files import zipped

WINTER, SUMMER = "20241105_xyz_{}_Tick.csv", "20241101_xyz_{}_Tick.csv"
BELL = 34_200_000  # 09:30 in ms


@pytest.fixture
def lean(write):
    def lean(kind, *rows, member=WINTER):
        return write("d.zip", zipped(member.format(kind), *rows))

    return lean


def sides(frame):
    return frame.select("bid", "bid_size", "ask", "ask_size").rows()


def test_a_lean_trade_in_all_its_columns(lean):
    counts = Counter()
    path = lean("Trade", f"{BELL},1836300,200,P,20000020,0", f"{BELL},1836400,5,D,2000,1")
    frame = read_lean_trades(path, counts=counts)
    assert frame.drop("ts").rows() == [
        ("XYZ", 183.63, 200.0, True, True),
        ("XYZ", 183.64, 5.0, False, False),
    ]
    assert times_ns(frame)[0] == parse_ns("2024-11-05T14:30:00Z")
    assert counts["ineligible: suspicious"] == 1


@pytest.mark.parametrize(
    ("member", "open_utc"),
    [(WINTER, "2024-11-05T14:30:00Z"), (SUMMER, "2024-11-01T13:30:00Z")],
)
def test_new_york_midnight_knows_daylight_saving(lean, member, open_utc):
    path = lean("Trade", f"{BELL},10000,1,P,1,0", member=member)
    assert times_ns(read_lean_trades(path)).tolist() == [parse_ns(open_utc)]


def test_lean_quotes_stand_side_by_side(lean):
    counts = Counter()
    path = lean(
        "Quote",
        "100,1000000,5,0,0,P,1,0",
        "200,0,0,1000300,7,Q,1,0",
        "200,1000100,2,0,0,Z,1,0",
        "300,0,0,1000200,9,Z,1,1",  # suspicious: left out
        "300,0,0,1000200,9,Z,400,0",  # not firm: the ask is withdrawn
        "400,990000,0,0,0,P,1,0",  # a price and no size: the bid is withdrawn
    )
    frame = read_lean_quotes(path, counts=counts)
    assert sides(frame) == [
        (100.0, 5.0, 0.0, 0.0),
        (100.0, 5.0, 100.03, 7.0),
        (100.01, 2.0, 100.03, 7.0),
        (100.01, 2.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 0.0),
    ]
    assert counts["suspicious quotes left out"] == 1
    assert (counts["ask not firm"], counts["bid not firm"]) == (1, 1)


@pytest.mark.parametrize("size", [1, 16, 4_096])
def test_lean_quotes_in_batches_of_any_size(lean, size):
    rows = [
        f"{i // 3},{(1000 + i % 7) * 1000},{i % 5 + 1},0,0,P,1,0"
        if i % 2
        else f"{i // 3},0,0,{(1010 + i % 5) * 1000},{i % 3 + 1},Q,1,0"
        for i in range(300)
    ]
    path = lean("Quote", *rows)
    assert pl.concat(scan_lean_quotes(path, batch_rows=size)).equals(read_lean_quotes(path))


@pytest.mark.parametrize(
    ("row", "column", "met"),
    [
        ("5,10000,1,P,1,0", "ms", "ns"),
        (f"{BELL},-10000,1,P,1,0", "price", "-1.0"),
        (f"{BELL},10000,0,P,1,0", "size", "0.0"),
        (f"{BELL},10000,1,P,40000000,0", "condition", "40000000"),
        (f"{BELL},10000,1,P,xyz,0", "condition", "xyz"),
        (f"{BELL},10000.5,1,P,1,0", "price", "10000.5"),
        ("90000001,10000,1,P,1,0", "ms", "90000001"),
    ],
)
def test_a_bad_lean_trade_names_its_place(lean, row, column, met):
    path = lean("Trade", f"{BELL},10000,1,P,1,0", row)
    with pytest.raises(InputError, match=rf"d.zip, row 2, column '{column}'") as caught:
        read_lean_trades(path)
    assert met in str(caught.value)


def test_a_bad_quote_mask_names_its_row(lean):
    path = lean("Quote", "100,10000,5,0,0,P,1,0", "101,10000,5,0,0,P,zz,0")
    with pytest.raises(InputError, match=r"row 2, column 'condition': met 'zz'"):
        read_lean_quotes(path)


def test_lean_quotes_out_of_order_are_refused_or_sorted(lean):
    path = lean("Quote", "200,10000,5,0,0,P,1,0", "100,0,0,10100,5,P,1,0")
    with pytest.raises(InputError, match=r"d.zip, row 2, column 'ms'.*do not fall"):
        read_lean_quotes(path)
    assert sides(read_lean_quotes(path, sort=True))[1] == (1.0, 5.0, 1.01, 5.0)


def test_zips_that_are_no_day_of_lean(write, lean):
    whole = zipped(WINTER.format("Trade"), *(f"{BELL + i},10000,1,P,1,0" for i in range(5_000)))
    with pytest.raises(InputError, match="a whole zip file"):
        read_lean_trades(write("d.zip", whole[: len(whole) // 2]))
    broken = bytearray(whole)
    broken[len(whole) // 3] ^= 0xFF
    with pytest.raises(InputError, match=r"d.zip"):
        read_lean_trades(write("d.zip", bytes(broken)))
    with pytest.raises(InputError, match=r"YYYYMMDD_symbol_Trade_Tick.csv"):
        read_lean_trades(lean("Quote", "100,10000,5,0,0,P,1,0"))
    with pytest.raises(InputError, match="a day as YYYYMMDD"):
        read_lean_trades(lean("Trade", "1,1,1,P,1,0", member="20241341_xyz_{}_Tick.csv"))
    with pytest.raises(InputError, match=r"d.zip: wanted a CSV table .Empty CSV file"):
        list(scan_lean_trades(lean("Trade")))
    with pytest.raises(InputError, match="a whole zip file"):
        read_lean_trades(write("d.zip", b"no zip"))


TAQ_TRADES = "DT,EX,SYMBOL,COND,SIZE,PRICE,CORR\n"
TAQ_QUOTES = "DT,EX,SYMBOL,BID,BIDSIZ,OFR,OFRSIZ\n"


def test_taq_trades(write):
    rows = (
        "2018-01-02 09:30:00.123456789,N,XYZ,F I,30,10.5,0\n"
        "2018-01-02 09:30:01,D,XYZ,4 B,100,10.51,0\n"
        "2018-01-02 09:30:02,P,XYZ,,100,10.52,8\n"
        "2018-01-02 09:30:02,P,XYZ,@,100,10.52,0\n"
    )
    frame = read_taq_trades(write("t.csv", TAQ_TRADES + rows))
    assert times_ns(frame)[0] == parse_ns("2018-01-02T14:30:00.123456789Z")
    assert frame.select("size", "iso", "eligible").rows() == [
        (30.0, True, True),
        (100.0, False, False),
        (100.0, False, False),
        (100.0, False, True),
    ]
    path = write("t.csv", TAQ_TRADES + "2018-07-02 09:30:00,N,XYZ,B,100,10.5,0\n")
    assert times_ns(read_taq_trades(path))[0] == parse_ns("2018-07-02T13:30:00Z")
    assert times_ns(read_taq_trades(path, zone="UTC"))[0] == parse_ns("2018-07-02T09:30:00Z")
    assert read_taq_trades(path)["eligible"].to_list() == [False]
    assert read_taq_trades(path, sip="utp")["eligible"].to_list() == [True]


def test_taq_quotes_are_the_best_of_the_venues_kept(write):
    rows = (
        "2018-01-02 09:30:00,N,XYZ,10.0,2,10.2,1\n"
        "2018-01-02 09:30:01,P,XYZ,10.1,1,10.2,4\n"
        "2018-01-02 09:30:02,P,XYZ,0.0,0,10.3,0\n"
    )
    path = write("q.csv", TAQ_QUOTES + rows)
    counts = Counter()
    assert sides(read_taq_quotes(path, counts=counts)) == [
        (10.0, 200.0, 10.2, 100.0),
        (10.1, 100.0, 10.2, 500.0),
        (10.0, 200.0, 10.2, 100.0),
    ]
    assert counts["ask not firm"] == 1
    assert sides(read_taq_quotes(path, exchanges=["N"], lot=1)) == [(10.0, 2.0, 10.2, 1.0)]
    one = pl.concat(scan_taq_quotes(path, batch_rows=1))
    assert one.equals(read_taq_quotes(path))


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("2018-01-02 09:29:00,N,XYZ,,100,10.5,0", r"row 2, column 'DT'.*do not fall"),
        ("2018-11-04 01:30:00,N,XYZ,,100,10.5,0", r"row 2, column 'DT'.*exactly once"),
        ("later,N,XYZ,,100,10.5,0", r"row 2, column 'DT': met 'later'"),
        ("2018-01-02 09:31:00,N,XYZ,F?,100,10.5,0", r"row 2, column 'COND': met 'F\?'"),
        ("2018-01-02 09:31:00,N,ABC,,100,10.5,0", r"row 2, column 'SYMBOL': met 'ABC'"),
        ("2018-01-02 09:31:00,N,XYZ,,1e400,10.5,0", r"row 2, column 'SIZE'"),
        ("2018-01-02 09:31:00,N,XYZ,,100,-1,0", r"row 2, column 'PRICE': met -1"),
        ("2018-01-02 09:31:00,N,XYZ,,100,1,x", r"row 2, column 'CORR': met 'x'"),
    ],
)
def test_a_bad_taq_trade_names_its_place(write, row, place):
    first = "2018-01-02 09:30:00,N,XYZ,,100,10.5,0\n"
    path = write("t.csv", TAQ_TRADES + first + row + "\n")
    with pytest.raises(InputError, match="t.csv, " + place):
        read_taq_trades(path, symbol="XYZ")


@pytest.mark.parametrize("options", [{"sip": "opra"}, {"zone": "Mars"}, {"policy": "none"}])
def test_taq_options_that_make_no_sense(write, options):
    path = write("t.csv", TAQ_TRADES + "2018-01-02 09:30:00,N,XYZ,,100,10.5,0\n")
    with pytest.raises(InputError):
        read_taq_trades(path, **options)
