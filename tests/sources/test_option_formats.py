"""Option files of every format, written here by hand: what is read, what is refused, what goes."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime

import polars as pl
import pytest

from eventtape.clock import format_ns, parse_ns
from eventtape.errors import InputError
from eventtape.sources import OPTION_FORMATS, read_option_quotes, read_option_trades
from eventtape.tape import OPTION_QUOTE, OPTION_TRADE, times_ns

wall = datetime.fromisoformat  # the naive times that vendors write


@pytest.fixture
def parquet(tmp_path):
    def parquet(name="chain.parquet", **columns):
        path = tmp_path / name
        pl.DataFrame(columns).write_parquet(path)
        return path

    return parquet


def stamps(frame, column="ts"):
    return [format_ns(int(ns)) for ns in frame[column].to_physical()]


def nulls(frame, *columns):
    return [frame[name].null_count() for name in columns]


THETA_OLD = {
    "root": ["SPXW", "SPXW", "SPXW"],
    "expiration": [20241220, 20241220, 20241220],
    "strike": [6000000, 6000000, 6002500],
    "right": ["C", "P", "C"],
    "ms_of_day": [34200000, 34200000, 34260000],
    "bid_size": [10, 0, 4],
    "bid": [101.5, 0.0, 99.8],
    "ask_size": [12, 7, 5],
    "ask": [102.1, 0.05, 99.5],
    "date": [20241202, 20241202, 20241202],
}


def test_thetadata_of_old_has_thousandths_and_milliseconds(parquet):
    frame, report = read_option_quotes(parquet(**THETA_OLD))
    assert report.format == "thetadata"
    assert (report.rows, report.kept, report.dropped) == (3, 3, {})
    assert report.noted == {"no bid": 1, "crossed": 1}
    assert list(frame.columns) == list(OPTION_QUOTE.columns)
    assert frame["symbol"].to_list() == [
        "SPXW241220C06000000",
        "SPXW241220P06000000",
        "SPXW241220C06002500",
    ]
    assert frame["strike"].to_list() == [6000.0, 6000.0, 6002.5]
    assert stamps(frame) == ["2024-12-02T14:30:00Z"] * 2 + ["2024-12-02T14:31:00Z"]
    assert stamps(frame, "expiry") == ["2024-12-20T21:00:00Z"] * 3
    assert frame["bid"].to_list() == [101.5, None, 99.8]
    assert frame["ask_size"].to_list() == [12.0, 7.0, 5.0]
    assert set(frame["underlying"]) == {"SPX"}


def test_thetadata_of_now_has_dollars_and_words(write):
    text = (
        "symbol,expiration,strike,right,timestamp,bid_size,bid,ask_size,ask\n"
        "NVDA,2024-12-20,135.500,CALL,2024-12-02T09:30:00.000,5,6.10,8,6.20\n"
        "NVDA,2024-12-20,135.500,PUT,2024-12-02T09:30:01.250,5,3.10,8,3.15\n"
    )
    frame, report = read_option_quotes(write("theta.csv.gz", gzip.compress(text.encode())))
    assert report.format == "thetadata"
    assert frame["symbol"].to_list() == ["NVDA241220C00135500", "NVDA241220P00135500"]
    assert times_ns(frame).tolist() == [
        parse_ns("2024-12-02T14:30Z"),
        parse_ns("2024-12-02T14:30:01.250Z"),
    ]
    assert set(frame["style"]) == {"american"}


def test_a_downsampled_chain_has_its_own_names(parquet):
    path = parquet(
        ticker=["NVDA", "NVDA"],
        underlying=[138.2, 138.4],
        expiry=[date(2024, 12, 6)] * 2,
        strike=[135.0, 135.0],
        right=["C", "C"],
        bid=[4.1, 4.2],
        ask=[4.2, 4.3],
        bid_size=[3, 4],
        ask_size=[1, 2],
        ts=[wall(f"2024-12-02T10:0{minute}") for minute in (0, 1)],
    )
    frame, _ = read_option_quotes(path)
    assert frame["underlying_price"].to_list() == [138.2, 138.4]
    assert stamps(frame) == ["2024-12-02T15:00:00Z", "2024-12-02T15:01:00Z"]


def test_the_unit_of_strikes_can_be_stated(parquet):
    whole = THETA_OLD | {"strike": [6000, 6000, 6005]}
    frame, _ = read_option_quotes(parquet(**whole), strike_scale=1.0)
    assert frame["strike"].to_list() == [6000.0, 6000.0, 6005.0]
    cents, _ = read_option_quotes(parquet(**THETA_OLD), strike_scale=0.01)
    assert cents["strike"].to_list() == [60000.0, 60000.0, 60025.0]
    with pytest.raises(InputError, match="a strike_scale above 0"):
        read_option_quotes(parquet(**THETA_OLD), strike_scale=0.0)


def changed(**cells):
    """The rows of old with one cell changed: name=(row, value)."""
    rows = {name: list(values) for name, values in THETA_OLD.items()}
    for name, (row, value) in cells.items():
        rows[name][row] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "row", "column", "wanted", "reason"),
    [
        (changed(bid=(2, -0.1)), 3, "bid", "a price >= 0", "negative price"),
        (changed(ask_size=(1, -7)), 2, "ask_size", "a size >= 0", "negative size"),
        (changed(right=(1, "X")), 2, "right", "C, P, call or put", "no call or put"),
        (changed(right=(1, "C")), 2, "symbol", "one quote of a contract at a time",
         "second quote of a contract at one time"),
        (changed(strike=(0, None)), 1, "strike", "a number", "no number in 'strike'"),
        (changed(bid=(0, float("inf"))), 1, "bid", "a finite number", "no number in 'bid'"),
        (changed(expiration=(2, 20241399)), 3, "expiration", "a date such as",
         "no date in 'expiration'"),
    ],
    ids=["bid", "size", "right", "twice", "strike", "infinite", "date"],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_an_error_or_a_counted_drop(
    parquet, rows, row, column, wanted, reason
):
    path = parquet(**rows)
    with pytest.raises(InputError) as caught:
        read_option_quotes(path)
    assert (caught.value.file, caught.value.row, caught.value.column) == (str(path), row, column)
    assert wanted in str(caught.value)
    frame, report = read_option_quotes(path, bad="drop")
    assert (frame.height, report.kept, report.dropped) == (2, 2, {reason: 1})


def test_an_exact_repeat_goes_and_is_counted(parquet):
    rows = {name: [*values, values[0]] for name, values in THETA_OLD.items()}
    frame, report = read_option_quotes(parquet(**rows))
    assert frame.height == 3
    assert report.dropped == {"exact repeat": 1}


def test_a_quote_at_or_after_expiry_goes_and_is_counted(parquet):
    close = (16 * 60 * 60) * 1000
    rows = changed(date=(0, 20241220), ms_of_day=(0, close))
    frame, report = read_option_quotes(parquet(**rows))
    assert (frame.height, report.dropped) == (2, {"expired": 1})
    just = changed(date=(0, 20241220), ms_of_day=(0, close - 1))
    assert read_option_quotes(parquet(**just)).frame.height == 3


def deribit_chain(**changes):
    names = ["BTC-14JUN25-96000-C", "BTC-14JUN25-96000-P", "BTC-27JUN25-96000-C"]
    return {
        "instrument": names,
        "strike_price": [96000.0] * 3,
        "bid_price_usd": [8423.04, 0.0, 9000.0],
        "ask_price_usd": [10265.58, 10.5288, 9100.0],
        "bid_iv": [0.8, 0.8, 41.25],
        "ask_iv": [254.3, 102.59, 43.0],
        "delta": [0.99514, -0.00485, 0.81],
        "gamma": [0.0, 0.0, 0.00001],
        "theta": [-27.11354, -5.94487, -60.0],
        "vega": [0.56471, 0.56371, 80.0],
        "open_interest": [0.0, 164.2, 12.0],
        "commit_time": [wall("2025-06-13T19:31:05")] * 3,
    } | changes


def test_deribit_snapshots_know_what_is_missing(parquet):
    frame, report = read_option_quotes(parquet(**deribit_chain()))
    assert report.format == "deribit chain snapshots"
    assert report.noted == {"no bid": 1, "no underlying_price": 3, "vendor_bid_iv missing": 2}
    assert frame["bid"].to_list() == [8423.04, None, 9000.0]
    assert frame["vendor_bid_iv"].to_list() == [None, None, 0.4125]
    assert frame["vendor_ask_iv"].to_list() == [2.543, 1.0259, 0.43]
    assert frame["vendor_vega"].to_list() == pytest.approx([56.471, 56.371, 8000.0], rel=1e-12)
    assert frame["vendor_theta"][0] == pytest.approx(-27.11354 * 365, rel=1e-12)
    assert set(frame["settlement"]) == {"inverse"}
    assert nulls(frame, "coin_bid", "bid_size", "underlying_price") == [3, 3, 3]


def test_the_index_is_what_all_dollar_prices_divide_by(parquet):
    """Prices made of ticks of 0.0001 coins and one index give both back, as integers do."""
    names = [f"BTC-14JUN25-{96 + at}000-{side}" for at in range(10) for side in "CP"]
    ticks = [(800 - 80 * at if at < 9 else 7) + (0 if side == "C" else 13 * at)
             for at in range(10) for side in "CP"]  # fmt: skip
    rows = {
        "instrument": names,
        "strike_price": [float(name.split("-")[2]) for name in names],
        "bid_price_usd": [n * 1e-4 * 101_288 for n in ticks],
        "ask_price_usd": [(n + 5) * 1e-4 * 101_288 for n in ticks],
        "bid_iv": [40.0] * 20,
        "ask_iv": [41.0] * 20,
        "delta": [(0.95 - 0.1 * (at // 2)) if at % 2 == 0 else -0.5 for at in range(20)],
        "commit_time": [wall("2025-06-13T19:31:05")] * 20,
    }
    frame, report = read_option_quotes(parquet(**rows))
    assert set(frame["underlying_price"]) == {101_288.0}
    coins = dict(zip(frame["symbol"], frame["coin_bid"], strict=True))
    assert [coins[name] for name in names] == [round(n * 1e-4, 4) for n in ticks]
    assert report.noted == {}
    stated, _ = read_option_quotes(parquet(**rows), underlying_price=50_644.0)
    assert stated["coin_bid"][0] == 2 * frame["coin_bid"][0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda price, at: price * (1 + 1e-6 * at),  # no whole number of anything
        lambda price, at: price * 3,  # a divisor far from every strike
        lambda price, at: price * (84_000 / 101_288 if at % 2 else 1),  # of two indices
    ],
    ids=["rounded", "tripled", "two"],
)
def test_prices_of_no_one_index_give_none(parquet, spoil):
    strikes = [96_000 + 1_000 * at for at in range(10)]
    rows = {
        "instrument": [f"BTC-14JUN25-{strike}-C" for strike in strikes],
        "strike_price": [float(strike) for strike in strikes],
        "bid_price_usd": [spoil((17 + 3 * at) * 1e-4 * 101_288, at) for at in range(10)],
        "ask_price_usd": [spoil((57 + 3 * at) * 1e-4 * 101_288, at) for at in range(10)],
        "bid_iv": [40.0] * 10,
        "ask_iv": [41.0] * 10,
        "delta": [0.95 - 0.1 * at for at in range(10)],
        "commit_time": [wall("2025-06-13T19:31:05")] * 10,
    }
    frame, report = read_option_quotes(parquet(**rows))
    assert nulls(frame, "underlying_price", "coin_bid", "coin_ask") == [10, 10, 10]
    assert report.noted == {"no underlying_price": 10}


def test_a_snapshot_with_expired_contracts_goes_whole_and_the_others_stay(parquet):
    late = wall("2025-06-14T08:00")
    rows = deribit_chain()
    both = {name: values + values for name, values in rows.items()}
    both["commit_time"] = rows["commit_time"] + [late] * 3
    frame, report = read_option_quotes(parquet(**both))
    assert (frame.height, report.dropped) == (3, {"snapshot older than its stamp": 3})


def test_a_strike_that_is_not_its_names_is_refused(parquet):
    with pytest.raises(InputError, match=r"row 2, column 'strike_price'.*the strike of its name"):
        read_option_quotes(parquet(**deribit_chain(strike_price=[96000.0, 9600.0, 96000.0])))


SCREEN = (
    "Strike,OptionType,Open,Rho,Theta,Vega,Gamma,Δ|Delta,Size,IV Bid,Bid,Mark,Ask,IV Ask,Size,"
    "Bid_USD,Ask_USD\n"
    '50000,C,33,64.2,-0.4,1.0,-,0.99,44.8,-,0.4000,0.4010,0.4100,80.5,53.9,"4,480,000","41,000"\n'
    "50000,P,-,-0.1,-0.4,1.0,0.0,-0.01,-,-,-,0.0001,0.0001,101.5,13.4,  ,10\n"
)


def test_a_screen_copy_has_prices_in_the_coin_and_gives_the_index_back(write):
    stated = {"underlying": "BTC", "at": "2025-08-30T12:00Z", "expiry": "2025-12-26"}
    frame, report = read_option_quotes(write("screen.csv", SCREEN), **stated)
    assert report.format == "deribit screen copy"
    index = (41000 + 10) / (0.41 + 0.0001)
    assert frame["underlying_price"].to_list() == pytest.approx([index, index], rel=1e-14)
    assert frame["coin_bid"].to_list() == [0.4, None]
    assert frame["bid"][0] == pytest.approx(0.4 * index, rel=1e-14)
    assert frame["bid_size"].to_list() == [44.8, None]
    assert frame["ask_size"].to_list() == [53.9, 13.4]
    assert frame["vendor_ask_iv"].to_list() == [0.805, 1.015]
    assert frame["symbol"].to_list() == ["BTC-26DEC25-50000-C", "BTC-26DEC25-50000-P"]
    told, _ = read_option_quotes(write("s.csv", SCREEN), **stated, underlying_price=100_000.0)
    assert told["bid"][0] == 40_000.0
    for name in stated:
        said = {"underlying": "an underlying", "at": "a time of the quotes", "expiry": "an expiry"}
        with pytest.raises(InputError, match=said[name]):
            read_option_quotes(
                write("t.csv", SCREEN), **{k: v for k, v in stated.items() if k != name}
            )


def test_mark_volatilities_are_stamped_by_their_time_to_expiration(write):
    rows = [
        {
            "instrument_name": "BTC-8NOV24-40000-C",
            "time_to_expiration": 21_335_000,
            "strike": 40000.0,
            "implied_volatility": 231.52,
        },
        {
            "instrument_name": "BTC-15NOV24-40000-P",
            "time_to_expiration": 626_135_000,
            "strike": 40000.0,
            "implied_volatility": 90.0,
        },
    ]
    frame, report = read_option_quotes(
        write("mark.json.gz", gzip.compress(json.dumps(rows).encode()))
    )
    assert report.format == "deribit mark volatilities"
    assert stamps(frame) == ["2024-11-08T02:04:25Z"] * 2
    assert frame["vendor_iv"].to_list() == [2.3152, 0.9]
    assert nulls(frame, "bid", "ask") == [2, 2]


def deribit_trade_rows(**changes):
    return {
        "ts_utc_minute": [wall("2025-03-29T12:03")] * 2,
        "instrument": ["BTC-11APR25-91000-C", "BTC-31MAR25-82000-P"],
        "side": ["BUY", "SELL"],
        "size": [0.1, 2.0],
        "price_btc": [0.0065, 0.012],
        "mark_price_btc": [0.0068, 0.0121],
        "iv_pct": [48.55, 0.0],
        "index_price": [80000.0, 82000.0],
    } | changes


def test_deribit_trades_become_dollars_and_are_stamped_when_the_minute_is_over(parquet):
    path = parquet(**deribit_trade_rows())
    frame, report = read_option_trades(path)
    assert list(frame.columns) == list(OPTION_TRADE.columns)
    assert report.noted == {"vendor_iv missing": 1}
    by = {row["symbol"]: row for row in frame.to_dicts()}
    call = by["BTC-11APR25-91000-C"]
    assert (call["price"], call["coin_price"], call["side"]) == (520.0, 0.0065, 1)
    assert by["BTC-31MAR25-82000-P"]["side"] == -1
    assert stamps(frame) == ["2025-03-29T12:04:00Z"] * 2
    with pytest.raises(InputError, match="read_option_trades reads these"):
        read_option_quotes(path)


@pytest.mark.parametrize(
    ("changes", "column", "wanted"),
    [
        ({"price_btc": [0.0065, 0.0]}, "price_btc", "a price > 0"),
        ({"size": [0.1, -1.0]}, "size", "a size > 0"),
        ({"side": ["BUY", "HOLD"]}, "side", "BUY or SELL"),
    ],
    ids=["price", "size", "side"],
)
def test_a_trade_that_is_none_is_refused(parquet, changes, column, wanted):
    with pytest.raises(InputError, match=f"row 2, column '{column}'.*{wanted}"):
        read_option_trades(parquet(**deribit_trade_rows(**changes)))


def binance(**changes):
    return {
        "date": ["2023-10-20"] * 3,
        "hour": ["07", "08", "07"],
        "symbol": ["BTC-231020-28000-C", "BTC-231020-28000-C", "BTC-231229-34000-P"],
        "strike": ["231020-28000", "231020-28000", "231229-34000"],
        "best_bid_price": [1200.0, 1200.0, 5000.0],
        "best_ask_price": [1250.0, 1250.0, 99_999_995.0],
        "best_bid_qty": [1.0, 1.0, 0.5],
        "best_ask_qty": [2.0, 2.0, 0.01],
        "best_buy_iv": [None, None, None],
        "best_sell_iv": [0.6, 0.6, 9.9999994],
        "mark_price": [1220.0, 1220.0, 5086.0],
        "mark_iv": [0.55, 0.55, 0.5],
        "vega": [1.0, 0.0, 40.0],
        "theta": [-10.0, 0.0, -12.0],
    } | changes


def test_binance_rows_are_of_the_last_second_of_their_hour(parquet):
    frame, report = read_option_quotes(parquet(**binance()))
    assert report.format == "binance end-of-hour summary"
    assert report.dropped == {"expired": 1}
    assert report.noted == {"placeholder ask": 1, "no ask": 1}
    assert stamps(frame) == ["2023-10-20T07:59:59Z"] * 2
    assert frame["strike"].to_list() == [28000.0, 34000.0]
    assert frame["ask"].to_list() == [1250.0, None]
    assert frame["ask_size"].to_list() == [2.0, None]
    assert frame["vendor_ask_iv"].to_list() == [0.6, None]
    assert frame["vendor_theta"].to_list() == [-3650.0, -4380.0]


def test_an_hour_that_is_none_is_refused(parquet):
    with pytest.raises(InputError, match=r"row 1, column 'hour'.*an hour from 0 to 23"):
        read_option_quotes(parquet(**binance(hour=["24", "08", "07"])))


def eod_new(**changes):
    return {
        "date": ["2024-12-02", "2025-01-17", "2024-11-29"],
        "option symbol": ["SPY   250117C00550000"] * 2 + ["SPY   250117P00550000"],
        "expiration": ["2025-01-17"] * 3,
        "strike": [550, 550, 550],
        "Call/Put": ["C", "C", "P"],
        "style": ["A"] * 3,
        "ask": [58.31, 48.18, 1.2],
        "bid": [57.19, 47.0, 0.0],
        "Unadjusted close": [603.65, 597.57, 602.1],
        "iv": [0.209569, -1.0, -1.0],
        "preiv": [0.20957, -1.0, -1.0],
        "delta": [0.909053, 0.0, 0.0],
        "vega": [0.34595, 0.0, 0.0],
        "open interest": [36167, 47000, 3],
    } | changes


def test_an_end_of_day_row_is_of_its_close_and_has_greeks_where_it_has_a_volatility(parquet):
    frame, report = read_option_quotes(parquet(**eod_new()))
    assert report.format == "vendor end of day, newer"
    assert report.dropped == {"expired": 1}
    assert stamps(frame) == ["2024-11-29T18:00:00Z", "2024-12-02T21:00:00Z"]
    assert frame["vendor_iv"].to_list() == [None, 0.209569]
    assert frame["vendor_quote_iv"].to_list() == [None, 0.20957]
    assert report.noted["vendor_quote_iv missing"] == 1
    assert frame["vendor_delta"].to_list() == [None, 0.909053]
    assert frame["vendor_vega"].to_list() == [None, 34.595]
    assert frame["underlying_price"].to_list() == [602.1, 603.65]


@pytest.mark.parametrize(
    ("changes", "column"),
    [
        ({"strike": [550, 550, 555]}, "strike"),
        ({"Call/Put": ["C", "C", "C"]}, "call/put"),
        ({"expiration": ["2025-01-17"] * 2 + ["2025-01-24"]}, "expiration"),
        ({"style": ["A", "A", "B"]}, "style"),
    ],
    ids=["strike", "side", "expiration", "style"],
)
def test_a_column_that_contradicts_the_symbol_is_refused(parquet, changes, column):
    with pytest.raises(InputError, match=f"row 3, column '{column}'"):
        read_option_quotes(parquet(**eod_new(**changes)))


def test_the_older_end_of_day_layout_and_its_minis(write):
    text = (
        "date, symbol, under, expiration, strike, put/call, bid, ask, implied vol, delta, nonstd\n"
        "2015-01-05,SPY   150117C00200000,SPY,2015-01-17,200,C,2.5,2.6,0.17,0.6,0\n"
        "2015-01-05,SPY7  150117C00200000,SPY,2015-01-17,200,C,2.4,2.7,0.17,0.6,7\n"
        "2015-01-05,SPY   150102C00200000,SPY,2015-01-02,200,C,1.4,1.7,0.11,0,104\n"
    )
    frame, report = read_option_quotes(write("old.csv", text))
    assert report.format == "vendor end of day, older"
    assert report.dropped == {"adjusted or mini contract": 1, "expired": 1}
    assert stamps(frame, "expiry") == ["2015-01-16T21:00:00Z"]
    assert frame["vendor_quote_iv"].to_list() == [None]


def lean(**changes):
    at = [wall(f"2015-12-24T09:{minute}") for minute in (30, 31, 33)]
    return {
        "ts": at,
        "expiration": [wall("2015-12-31")] * 3,
        "cp": ["C"] * 3,
        "strike": [750.0] * 3,
        "bid_close": [6.3, None, 6.6],
        "bid_size": [8, 0, 12],
        "ask_close": [7.3, 7.4, None],
        "ask_size": [15, 21, 0],
    } | changes


def test_sparse_minutes_are_carried_forward_and_meet_the_underlying(parquet):
    spot = parquet(
        "spot.parquet",
        symbol=["GOOG", "GOOG", "AAPL"],
        ts=[wall(f"2015-12-24T09:{minute}") for minute in (30, 32, 33)],
        bid_close=[749.0, 751.0, 107.0],
        ask_close=[750.0, 752.0, 108.0],
    )
    path = parquet(**lean())
    frame, report = read_option_quotes(path, underlying="GOOG", underlying_quotes=spot)
    assert report.format == "lean minute quotes"
    assert report.noted == {"bid carried forward": 1, "ask carried forward": 1}
    assert frame["bid"].to_list() == [6.3, 6.3, 6.6]
    assert frame["bid_size"].to_list() == [8.0, 8.0, 12.0]
    assert frame["ask"].to_list() == [7.3, 7.4, 7.4]
    assert frame["ask_size"].to_list() == [15.0, 21.0, 21.0]
    assert stamps(frame)[0] == "2015-12-24T14:31:00Z"
    assert frame["underlying_price"].to_list() == [749.5, 749.5, 751.5]
    with pytest.raises(InputError, match="an underlying"):
        read_option_quotes(path)
    with pytest.raises(InputError, match="met 'AAPL, GOOG', wanted quotes of MSFT"):
        read_option_quotes(path, underlying="MSFT", underlying_quotes=spot)


def test_nothing_is_carried_from_one_day_to_the_next(parquet):
    rows = lean(ts=[wall(f"2015-12-{day}T09:30") for day in (22, 23, 24)])
    frame, report = read_option_quotes(parquet(**rows), underlying="GOOG")
    assert frame["bid"].to_list() == [6.3, None, 6.6]
    assert report.noted == {"no bid": 1, "no ask": 1}


def cboe_export(**changes):
    return {
        "symbol": ["SPX230915C04500000", "SPXW230915C04500000", "SPY230915P00450000"],
        "expiration": [wall("2023-09-15")] * 3,
        "cp": ["C", "C", "P"],
        "strike": [4500.0, 4500.0, 450.0],
        "bid": [20.0, 25.0, 0.0],
        "ask": [21.0, 26.0, 0.0],
        "iv": [0.12, 0.13, 0.0],
        "delta": [0.5, 0.51, 0.0],
        "gamma": [0.01, 0.01, 0.0],
        "open_interest": [1.0, 2.0, 3.0],
        "root_file": ["SPX", "SPX", "SPY"],
        "last_underlying": [4505.1, 4505.1, 450.81],
    } | changes


def test_an_export_without_a_time_asks_for_one_and_keeps_am_and_pm_apart(parquet):
    path = parquet(**cboe_export())
    with pytest.raises(InputError, match="a time of the quotes"):
        read_option_quotes(path)
    frame, report = read_option_quotes(path, at="2023-09-14T16:31-04:00")
    assert report.format == "cboe export"
    assert report.noted == {"no bid": 1, "no ask": 1, "vendor_iv missing": 1}
    by = dict(zip(frame["symbol"], stamps(frame, "expiry"), strict=True))
    assert by["SPX230915C04500000"] == "2023-09-15T13:30:00Z"
    assert by["SPXW230915C04500000"] == "2023-09-15T20:00:00Z"


@pytest.mark.parametrize(
    ("column", "value"),
    [("strike", 451.0), ("expiration", wall("2023-09-16")), ("cp", "C")],
    ids=["strike", "expiration", "side"],
)
def test_an_export_that_contradicts_its_symbols_is_refused(parquet, column, value):
    rows = cboe_export()
    rows[column] = [*rows[column][:2], value]
    with pytest.raises(InputError, match=rf"row 3, column '{column}'.*the {column} of its symbol"):
        read_option_quotes(parquet(**rows), at="2023-09-14T16:31-04:00")


PAGE = (
    "\nS&P 500 INDEX,Last: 4505.10,Change: 37.66\n"
    '"Date: September 14, 2023 at 4:31 PM EDT",Bid: 4504.00,Ask: 4506.20,Size: 1*1,Volume: 0\n'
    "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest\n"
    "Fri Sep 15 2023,SPXW230915C04500000,1,0,25.0,26.0,9,0.13,0.51,0.01,7,4500.00,"
    "SPXW230915P04500000,1,0,19.0,20.0,9,0.14,-0.49,0.01,8\n"
    "Fri Sep 15 2023,SPX230915C04500000,1,0,20.0,21.0,9,0.12,0.50,0.01,5,4500.00,"
    "SPX230915P04500000,1,0,0,0.05,9,0,0,0,6\n"
)


def test_the_quote_page_has_a_time_and_two_contracts_a_line(write):
    frame, report = read_option_quotes(write("spx_quotedata.csv", PAGE))
    assert (report.format, report.rows, report.kept) == ("cboe quote page", 4, 4)
    assert stamps(frame) == ["2023-09-14T20:31:00Z"] * 4
    by = {row["symbol"]: row for row in frame.to_dicts()}
    put = by["SPX230915P04500000"]
    assert (put["bid"], put["ask"], put["vendor_iv"], put["open_interest"]) == (None, 0.05, None, 6)
    assert by["SPXW230915C04500000"]["vendor_delta"] == 0.51
    assert set(frame["underlying_price"]) == {4505.1}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Last: 4505.10,", "", "the underlying's price"),
        ("EDT", "CET", "a zone among EDT, EST, ET"),
        ("September 14, 2023 at 4:31 PM EDT", "yesterday", "a time such as Date:"),
        (",25.0,26.0,", ",twenty,26.0,", "row 5, column 'bid'.*met 'twenty'"),
        ("SPX230915P04500000", "SPX230915P0450", "row 6, column 'contract'"),
    ],
    ids=["price", "zone", "time", "number", "symbol"],
)
def test_a_fault_of_the_page_is_named(write, old, new, said):
    with pytest.raises(InputError, match=said):
        read_option_quotes(write("page.csv", PAGE.replace(old, new)))


LONG = "strike,last_price,bid,ask\n360,251.4,245.05,245.61\n365,243.08,233.09,236.34\n"
STATED = {"underlying": "SPY", "at": "2025-01-28T21:00Z", "expiry": "2025-02-28", "is_call": True}


def test_a_table_is_read_once_the_caller_says_what_it_does_not(write):
    frame, report = read_option_quotes(write("chain.csv", LONG), **STATED)
    assert report.format == "table"
    assert frame["symbol"].to_list() == ["SPY250228C00360000", "SPY250228C00365000"]
    assert nulls(frame, "mark") == [2]  # a last price is no quote and no settlement


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("underlying", "give underlying="),
        ("at", "give at="),
        ("expiry", "give expiry="),
        ("is_call", "give is_call="),
    ],
)
def test_what_a_table_lacks_is_named(write, missing, said):
    stated = {name: value for name, value in STATED.items() if name != missing}
    with pytest.raises(InputError, match=said):
        read_option_quotes(write("chain.csv", LONG), **stated)


def test_a_wide_table_has_a_call_and_a_put_a_line(write):
    text = (
        "bidsize.c,bid.c,ask.c,asksize.c,impvol.c,strike,bidsize.p,bid.p,ask.p,asksize.p,impvol.p\n"
        "103,1443.7,1449,206,43.6,100,0,0,0.1,270,43.6\n"
        "10,55.1,57.2,20,12.5,1550,11,51.0,53.1,21,13.5\n"
    )
    stated = {"underlying": "SPX", "at": "2013-04-19T20:15Z", "expiry": "2013-06-21"}
    frame, report = read_option_quotes(write("wide.csv", text), **stated)
    assert (report.rows, report.kept) == (4, 4)
    assert report.noted == {"no bid": 1, "vendor_iv read as percent": 4}
    by = {(row["strike"], row["is_call"]): row for row in frame.to_dicts()}
    assert by[100.0, True]["bid_size"] == 103
    assert (by[100.0, False]["bid"], by[100.0, False]["ask_size"]) == (None, 270)
    assert by[1550.0, False]["vendor_iv"] == 0.135
    assert stamps(frame, "expiry") == ["2013-06-21T13:30:00Z"] * 4
    weekly, _ = read_option_quotes(write("wide2.csv", text), **stated, root="SPXW")
    assert stamps(weekly, "expiry") == ["2013-06-21T20:00:00Z"] * 4
    assert set(weekly["underlying"]) == {"SPX"}
    with pytest.raises(InputError, match="row 2, column 'ask'"):
        read_option_quotes(write("bad.csv", text.replace("53.1", "x")), **stated)


def test_settlements_are_marks_and_strikes_may_be_in_cents(write):
    text = "type,strike,settlement,impliedvolatility\nC,5010,42.85,0.62\nP,13900,46.19,0.49\n"
    frame, _ = read_option_quotes(
        write("oil.csv", text),
        underlying="CL",
        at="2012-10-01T18:30Z",
        expiry="2012-11-14T14:30-05:00",
        style="american",
        settlement="cash",
        strike_scale=0.01,
    )
    assert frame["strike"].to_list() == [50.1, 139.0]
    assert frame["mark"].to_list() == [42.85, 46.19]
    assert nulls(frame, "bid", "ask") == [2, 2]
    assert stamps(frame, "expiry") == ["2012-11-14T19:30:00Z"] * 2


def test_a_table_of_occ_symbols_says_most_itself(write):
    text = (
        "contract_symbol,strike,bid,ask,implied_volatility,expiration,type,date_pulled\n"
        "AAPL251010C00110000,110,146.3,147.15,2.56,2025-10-10,C,2025-10-06\n"
    )
    frame, _ = read_option_quotes(write("aapl.csv", text))
    assert stamps(frame) == ["2025-10-06T20:00:00Z"]
    assert frame["underlying"].to_list() == ["AAPL"]


def test_columns_can_be_named_and_a_name_that_is_not_there_is_refused(write):
    path = write("mine.csv", "K,b,a\n100,1.0,1.1\n")
    frame, _ = read_option_quotes(path, **STATED, columns={"bid": "b", "ask": "a"})
    assert frame.select("strike", "bid", "ask").row(0) == (100.0, 1.0, 1.1)
    with pytest.raises(InputError, match="a column 'c'"):
        read_option_quotes(path, **STATED, columns={"bid": "c"})
    with pytest.raises(InputError, match="columns for symbol, strike"):
        read_option_quotes(path, **STATED, columns={"rate": "b"})


def test_naive_stamps_of_a_table_need_a_zone(parquet):
    rows = {"strike": [100.0], "bid": [1.0], "ask": [1.1], "time": [wall("2025-01-28T15:59")]}
    stated = {name: value for name, value in STATED.items() if name != "at"}
    with pytest.raises(InputError, match="times with a zone"):
        read_option_quotes(parquet(**rows), **stated)
    frame, _ = read_option_quotes(parquet(**rows), **stated, zone="America/New_York")
    assert stamps(frame) == ["2025-01-28T20:59:00Z"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a CSV table"),
        (b"strike,bid,ask\n", "at least one row"),
        (b"PAR1 and then nothing", "a whole Parquet file"),
        (b'{"nothing": 1}', "an object with the list 'result'"),
        (b"[]", "at least one row"),
        (b"\x1f\x8bgone", "a whole gzip file"),
        (b"colour,shape\nred,round\n", "a column of bids, asks"),
    ],
    ids=["empty", "header", "parquet", "object", "list", "gzip", "foreign"],
)
def test_a_file_that_holds_no_quotes_is_refused(write, content, said):
    path = write("file", content)
    with pytest.raises(InputError, match=said) as caught:
        read_option_quotes(path, **STATED)
    assert caught.value.file == str(path)


def test_a_file_whose_rows_all_go_says_why(parquet):
    rows = {name: [values[0]] for name, values in changed(date=(0, 20241223)).items()}
    with pytest.raises(InputError, match="met '1 expired', wanted at least one option quote"):
        read_option_quotes(parquet(**rows))


def test_an_unknown_answer_to_bad_rows_is_refused(parquet):
    with pytest.raises(InputError, match="bad rows that 'raise' or 'drop'"):
        read_option_quotes(parquet(**THETA_OLD), bad="mend")


def test_every_format_has_a_name():
    assert len(set(OPTION_FORMATS)) == len(OPTION_FORMATS) == 16
