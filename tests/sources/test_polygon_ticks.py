from __future__ import annotations

import gzip
from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.sources import (
    POLICIES,
    read_polygon_quotes,
    read_polygon_trades,
    scan_polygon_quotes,
    scan_polygon_trades,
)
from eventtape.tape import times_ns
from eventtape.tape.ticks import quote_ticks, trade_ticks
from sources.tick_files import QUOTE_HEAD, T0, packed, quote, text, trade


@pytest.fixture
def trades(write):
    return lambda *rows: write("t.csv.gz", packed(*rows))


@pytest.fixture
def quotes(write):
    return lambda *rows: write("q.csv.gz", packed(*rows, head=QUOTE_HEAD))


def day(n=1_000, symbols=7, seed=5):
    """Rows of several symbols in the file's order, many at one time, with conditions."""
    rng = np.random.default_rng(seed)
    conditions = ["", "14,41", "37", "12", "2", "14,37"]
    rows = []
    for symbol in range(symbols):
        at = np.sort(rng.integers(0, n // 4, n // symbols))
        for sequence, moment in enumerate(at.tolist()):
            rows.append(
                trade(
                    f"S{symbol}",
                    moment,
                    price=f"{rng.integers(900, 1100) / 100}",
                    size=f"{rng.integers(1, 300)}",
                    conditions=conditions[rng.integers(len(conditions))],
                    sequence=sequence,
                )
            )
    return rows


def test_a_trade_in_all_its_columns(trades):
    counts = Counter()
    path = trades(trade(at=7, conditions="14,41"), trade(at=8, conditions="12", size="0.25"))
    frame = read_polygon_trades(path, counts=counts)
    assert frame.columns == ["symbol", "ts", "price", "size", "iso", "eligible"]
    assert times_ns(frame).tolist() == [T0 + 7, T0 + 8]
    assert frame.drop("ts").rows() == [
        ("A", 10.5, 100.0, True, True),
        ("A", 10.5, 0.25, False, False),
    ]
    assert counts["rows"] == 2
    assert counts["ineligible: extended hours"] == 1
    assert trade_ticks(frame).names == ("A",)


def test_a_file_not_packed_and_the_exchange_clock(write):
    path = write("t.csv", text(trade(at=7)))
    assert times_ns(read_polygon_trades(path, clock="participant_timestamp")).tolist() == [T0 + 2]


def test_quotes_and_the_lot(quotes):
    frame = read_polygon_quotes(quotes(quote(at=1)))
    assert frame.drop("ts").rows() == [("A", 10.4, 200.0, 10.6, 300.0)]
    assert read_polygon_quotes(quotes(quote(at=1)), lot=1)["bid_size"].to_list() == [2.0]
    later = parse_ns("2025-11-03T00:00:00-05:00") - T0
    path = quotes(quote(at=later - 1), quote(at=later))
    assert read_polygon_quotes(path)["ask_size"].to_list() == [300.0, 3.0]


def test_a_side_with_no_size_or_no_price_is_absent_and_counted(quotes):
    counts = Counter()
    path = quotes(
        quote(at=1, bid_size="0"), quote(at=2, ask="0"), quote(at=3, bid="0", bid_size="0")
    )
    frame = read_polygon_quotes(path, counts=counts)
    assert frame.select("bid", "bid_size", "ask", "ask_size").rows() == [
        (0.0, 0.0, 10.6, 300.0),
        (10.4, 200.0, 0.0, 0.0),
        (0.0, 0.0, 10.6, 300.0),
    ]
    assert counts["bid not firm"] == 1
    assert counts["ask not firm"] == 1
    assert quote_ticks(frame).ts.size == 3


def test_locked_and_crossed_quotes_are_kept(quotes):
    frame = read_polygon_quotes(quotes(quote(at=1, bid="10.6"), quote(at=2, bid="10.7")))
    assert frame["bid"].to_list() == [10.6, 10.7]


@pytest.mark.parametrize("size", [1, 16, 4_096])
def test_batches_of_any_size_are_the_whole(trades, size):
    path = trades(*day())
    batches = list(scan_polygon_trades(path, batch_rows=size))
    assert max(batch.height for batch in batches) <= size
    assert pl.concat(batches).equals(read_polygon_trades(path))


def test_memory_does_not_grow_with_the_day(write):
    of_one = "".join(trade("A", at) + "\n" for at in range(20_000))

    def peak(symbols):
        rows = "".join(of_one.replace("A,", f"S{s:02d},") for s in range(symbols))
        path = write("t.csv.gz", gzip.compress((text() + rows).encode(), 1))
        before = pa.total_allocated_bytes()
        scan = scan_polygon_trades(path, batch_rows=2_000)
        return max(pa.total_allocated_bytes() - before for _ in scan)

    # Arrow reads a fixed number of blocks ahead: 8 MB here, of 16 and of 47 MB of text.
    assert peak(36) < 1.3 * peak(12)


def test_size_0_is_dropped_where_it_is_a_record_and_refused_where_it_is_a_trade(trades):
    counts = Counter()
    path = trades(
        trade(at=1),
        trade(at=2, conditions="15", size="0", price="0"),
        trade(at=3, size="0", correction=8),
        trade(at=4),
    )
    assert read_polygon_trades(path, counts=counts).height == 2
    assert counts["records of size 0 dropped"] == 2
    path = trades(trade(at=1, conditions="15", size="0"), trade(at=2, size="0"))
    with pytest.raises(InputError, match=r"t.csv.gz, row 2, column 'size': met 0.0"):
        read_polygon_trades(path)


def test_a_corrected_trade_is_not_eligible(trades):
    path = trades(trade(at=1, correction=1), trade(at=2))
    assert read_polygon_trades(path)["eligible"].to_list() == [False, True]
    assert read_polygon_trades(path, policy="all")["eligible"].to_list() == [True, True]


@pytest.mark.parametrize(
    ("bad", "column", "met"),
    [
        ({"price": "-1"}, "price", "-1.0"),
        ({"price": "0"}, "price", "0.0"),
        ({"price": "nan"}, "price", "nan"),
        ({"price": ""}, "price", "a value"),
        ({"size": "-5"}, "size", "-5.0"),
        ({"price": "ten"}, "price", "'ten'"),
        ({"conditions": "14,99"}, "conditions", "'14,99'"),
        ({"symbol": ""}, "ticker", "''"),
        ({"at": "oops"}, "sip_timestamp", "oops"),
    ],
)
@pytest.mark.parametrize("before", [0, 3_000])
def test_a_bad_trade_names_file_row_column_and_value(trades, bad, column, met, before):
    good = [trade("A", at) for at in range(before)]
    row = (
        trade(**{"at": before, **bad})
        if "at" not in bad
        else trade(at=before).replace(f",{T0 + before},", ",oops,")
    )
    path = trades(*good, row, trade("Z", before + 1))
    with pytest.raises(InputError) as caught:
        for _ in scan_polygon_trades(path, batch_rows=512):
            pass
    said = str(caught.value)
    assert f"t.csv.gz, row {before + 1}, column '{column}'" in said
    assert met in said


def test_an_unknown_condition_may_be_ineligible_instead(trades):
    counts = Counter()
    rule = POLICIES["regular"]._replace(unknown="ineligible")
    path = trades(trade(at=1, conditions="14,99"), trade(at=2))
    frame = read_polygon_trades(path, policy=rule, counts=counts)
    assert frame["eligible"].to_list() == [False, True]
    assert frame["iso"].to_list() == [True, False]
    assert counts["unknown condition"] == 1
    assert read_polygon_trades(path, policy="all")["eligible"].to_list() == [True, True]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_clock_that_goes_back_names_its_row(trades, size):
    path = trades(trade(at=1), trade(at=9), trade(at=5), trade("B", 1))
    with pytest.raises(InputError, match=r"row 3, column 'sip_timestamp'.*do not fall") as caught:
        list(scan_polygon_trades(path, batch_rows=size))
    assert str(T0 + 5) in str(caught.value)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_symbol_that_comes_back_earlier_is_refused(trades, size):
    path = trades(trade("A", 5), trade("B", 1), trade("A", 4))
    with pytest.raises(InputError, match=r"row 3, column 'sip_timestamp'"):
        list(scan_polygon_trades(path, batch_rows=size))


def test_an_unsorted_file_may_be_sorted_when_read_whole(trades):
    path = trades(trade("B", 5), trade("A", 9), trade("A", 5), trade("B", 1))
    frame = read_polygon_trades(path, sort=True)
    assert frame["symbol"].to_list() == ["A", "A", "B", "B"]
    assert (times_ns(frame) - T0).tolist() == [5, 9, 1, 5]
    path = trades(trade("B", 5), trade("A", 9), trade("A", 5, price="-3"))
    with pytest.raises(InputError, match="row 3, column 'price'"):
        read_polygon_trades(path, sort=True)


def test_time_order_over_all_symbols_is_order_too(trades):
    path = trades(trade("A", 1), trade("B", 1), trade("A", 2), trade("B", 2))
    assert read_polygon_trades(path)["symbol"].to_list() == ["A", "B", "A", "B"]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("between", [(), (trade("B", 4),)])
def test_a_record_that_repeats_is_refused_or_dropped(trades, size, between):
    rows = (trade(at=4, sequence=8), trade(at=4, sequence=9), *between, trade(at=4, sequence=8))
    path = trades(*rows, trade(at=5, sequence=8))
    with pytest.raises(InputError, match=rf"row {len(rows)}, column 'sequence_number': met 8"):
        list(scan_polygon_trades(path, batch_rows=size))
    counts = Counter()
    kept = pl.concat(scan_polygon_trades(path, batch_rows=size, duplicates="drop", counts=counts))
    assert kept.height == len(rows)
    assert (times_ns(kept) - T0).tolist() == [4] * (len(rows) - 1) + [5]
    assert counts["duplicates dropped"] == 1


def test_equal_trades_under_two_numbers_are_two_trades(trades):
    assert read_polygon_trades(trades(trade(at=4, sequence=1), trade(at=4, sequence=2))).height == 2


def test_a_second_symbol_in_a_file_of_one_is_refused(trades):
    path = trades(trade("A", 1), trade("A", 2), trade("B", 3))
    assert read_polygon_trades(path)["symbol"].n_unique() == 2
    with pytest.raises(InputError, match=r"row 3, column 'ticker': met 'B', wanted the symbol A"):
        read_polygon_trades(path, symbol="A")


@pytest.mark.parametrize("left", [0.999, 0.5])
def test_a_gzip_cut_short_is_refused_after_what_came_before(write, left):
    whole = packed(*(trade(at=at, price=f"{at % 97 + 1}") for at in range(20_000)))
    path = write("t.csv.gz", whole[: int(left * len(whole))])
    seen = []
    with pytest.raises(InputError, match=r"t.csv.gz: wanted a whole gzip file"):
        seen.extend(scan_polygon_trades(path, batch_rows=1_000))
    assert sum(batch.height for batch in seen) < 20_000


def test_a_gzip_with_a_wrong_byte_is_refused(write):
    whole = bytearray(packed(*(trade(at=at, price=f"{at % 97 + 1}") for at in range(20_000))))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(InputError, match=r"t.csv.gz"):
        read_polygon_trades(write("t.csv.gz", bytes(whole)))


def test_rows_cut_short_missing_columns_and_nothing_at_all(write):
    path = write("t.csv", text(trade(at=1), trade(at=2)[:20], trade(at=3)))
    with pytest.raises(InputError, match=r"t.csv, row 2: .*13 columns \(met 6\)"):
        read_polygon_trades(path)
    with pytest.raises(InputError, match="a column 'price'"):
        read_polygon_trades(write("t.csv", text(trade(at=1)).replace("price", "cost")))
    with pytest.raises(InputError, match="at least one equity trade"):
        read_polygon_trades(write("t.csv", text()))
    with pytest.raises(InputError, match="at least one equity trade"):
        read_polygon_trades(write("t.csv", text()), sort=True)
    for empty in (b"", gzip.compress(b"", mtime=0)):
        with pytest.raises(InputError, match="a header line"):
            read_polygon_trades(write("t.csv", empty))
    with pytest.raises(InputError, match="a readable file"):
        read_polygon_trades("nowhere.csv.gz")


def test_a_stamp_in_another_unit_is_refused(write):
    path = write("t.csv", text(trade(at=1).replace(str(T0 + 1), str(T0 // 1_000_000))))
    with pytest.raises(InputError, match=r"row 1, column 'sip_timestamp'.*units of 1 ns"):
        read_polygon_trades(path)


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        ({"bid": "-1"}, "bid_price"),
        ({"ask_size": "-1"}, "ask_size"),
        ({"ask": "inf"}, "ask_price"),
        ({"bid_size": "many"}, "bid_size"),
    ],
)
def test_a_bad_quote_names_its_place(quotes, bad, column):
    path = quotes(quote(at=1), quote(at=2, **bad))
    with pytest.raises(InputError, match=rf"q.csv.gz, row 2, column '{column}'"):
        list(scan_polygon_quotes(path))


@pytest.mark.parametrize(
    "options",
    [{"clock": "mine"}, {"policy": "strict"}, {"duplicates": "keep"}, {"batch_rows": 0}],
)
def test_options_that_make_no_sense_are_refused_before_reading(trades, options):
    with pytest.raises(InputError):
        scan_polygon_trades(trades(trade()), **options)


def test_a_lot_must_be_above_nothing(quotes):
    with pytest.raises(InputError, match="a lot above 0"):
        scan_polygon_quotes(quotes(quote()), lot=0.0)
