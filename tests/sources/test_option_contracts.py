"""Symbols of three exchanges and the moments their contracts settle, by hand."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from eventtape.clock import format_ns
from eventtape.errors import InputError
from eventtape.sources.option_files_contracts import (
    binance_contracts,
    deribit_contracts,
    listed,
    occ_contracts,
    occ_symbols,
    session_closes,
)
from eventtape.sources.option_files_rows import Given, Ledger


def ledger(symbols, bad="raise"):
    return Ledger(pl.DataFrame({"symbol": symbols}), "test", "chain.csv", bad)


def settled(*symbols, given=None):
    series = pl.Series("symbol", symbols)
    book = ledger(series)
    rows = listed(occ_contracts(series, book), given or Given(), book)
    return rows, book


def moments(series):
    return [format_ns(int(ns), seconds=False) for ns in series.to_physical()]


@pytest.mark.parametrize(
    ("symbol", "underlying", "moment", "style", "settlement"),
    [
        ("SPX230915C04500000", "SPX", "2023-09-15T13:30Z", "european", "cash"),
        ("SPXW230915C04500000", "SPX", "2023-09-15T20:00Z", "european", "cash"),
        ("XSP230915P00450000", "XSP", "2023-09-15T20:00Z", "european", "cash"),
        ("SPY   230915P00450000", "SPY", "2023-09-15T20:00Z", "american", "physical"),
        ("O:NVDA250117C00135500", "NVDA", "2025-01-17T21:00Z", "american", "physical"),
        ("VIXW231220C00015000", "VIX", "2023-12-20T14:30Z", "european", "cash"),
        ("OEX240119C02000000", "OEX", "2024-01-19T21:00Z", "american", "cash"),
        ("SPY150117C00205000", "SPY", "2015-01-16T21:00Z", "american", "physical"),
        ("SPX130622C01500000", "SPX", "2013-06-21T13:30Z", "european", "cash"),
        ("SPXW241129C06000000", "SPX", "2024-11-29T18:00Z", "european", "cash"),
        ("SPY250418C00500000", "SPY", "2025-04-17T20:00Z", "american", "physical"),
    ],
    ids=lambda value: value if value.isalnum() and len(value) > 14 else None,
)
def test_a_listed_contract_settles_by_the_rule_of_its_root(
    symbol, underlying, moment, style, settlement
):
    """Saturdays of old are of the Friday, half days end at 13:00, holidays come before."""
    rows, _ = settled(symbol)
    assert moments(rows["expiry"]) == [moment]
    row = rows.row(0, named=True)
    assert (row["underlying"], row["style"], row["settlement"]) == (underlying, style, settlement)


def test_an_occ_symbol_has_root_date_side_and_strike():
    series = pl.Series("symbol", ["SPY   250117P00597500"])
    row = occ_contracts(series, ledger(series)).row(0, named=True)
    assert row == {
        "symbol": "SPY250117P00597500",
        "root": "SPY",
        "date": date(2025, 1, 17),
        "is_call": False,
        "strike": 597.5,
    }


def test_symbols_made_of_their_parts_are_read_back():
    symbols = pl.Series(
        "symbol", ["AAPL251010C00110000", "SPXW230914P12000000", "F250117C00012330"]
    )
    parts = occ_contracts(symbols, ledger(symbols))
    assert occ_symbols(parts).to_list() == symbols.to_list()


def test_a_style_the_caller_states_goes_before_the_rule():
    rows, _ = settled("SPY230915P00450000", given=Given(style="european", settlement="cash"))
    assert rows.select("style", "settlement").row(0) == ("european", "cash")


def test_adjusted_and_mini_contracts_are_left_out_and_counted():
    rows, book = settled("SPY7150117C00205000", "SPY150117C00205000", "XYZ1150117C00205000")
    assert rows.filter(book.keep)["symbol"].to_list() == ["SPY150117C00205000"]
    assert book.dropped == {"adjusted or mini contract": 2}


@pytest.mark.parametrize(
    ("symbol", "expiry", "strike", "is_call", "settlement", "underlying"),
    [
        ("BTC-14JUN25-96000-C", "2025-06-14T08:00Z", 96000.0, True, "inverse", "BTC"),
        ("BTC-8NOV24-40000-P", "2024-11-08T08:00Z", 40000.0, False, "inverse", "BTC"),
        ("XRP_USDC-30JUN23-0d625-C", "2023-06-30T08:00Z", 0.625, True, "cash", "XRP_USDC"),
    ],
    ids=["long", "short day", "linear"],
)
def test_a_deribit_name(symbol, expiry, strike, is_call, settlement, underlying):
    series = pl.Series("instrument", [symbol])
    rows = deribit_contracts(series, ledger(series))
    assert moments(rows["expiry"]) == [expiry]
    told = rows.select("strike", "is_call", "settlement", "underlying", "style").row(0)
    assert told == (strike, is_call, settlement, underlying, "european")


def test_a_binance_name():
    series = pl.Series("symbol", ["BTC-231229-34000-C"])
    rows = binance_contracts(series, ledger(series))
    assert moments(rows["expiry"]) == ["2023-12-29T08:00Z"]
    told = rows.select("underlying", "strike", "is_call", "settlement").row(0)
    assert told == ("BTC", 34000.0, True, "cash")


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (occ_contracts, "SPY250117C00600000", "SPY250117X00600000"),
        (occ_contracts, "SPY250117C00600000", "SPY251317C00600000"),
        (occ_contracts, "SPY250117C00600000", None),
        (deribit_contracts, "BTC-14JUN25-96000-C", "BTC-PERPETUAL"),
        (deribit_contracts, "BTC-14JUN25-96000-C", "BTC-14JUX25-96000-C"),
        (deribit_contracts, "BTC-14JUN25-96000-C", "BTC-31JUN25-96000-C"),
        (binance_contracts, "BTC-231229-34000-C", "BTC-231229-34000"),
    ],
    ids=["letter", "month", "null", "perpetual", "no month", "no day", "no side"],
)
def test_a_symbol_nobody_can_read_is_an_error_or_a_counted_drop(read, good, bad):
    series = pl.Series("symbol", [good, bad])
    with pytest.raises(InputError) as caught:
        read(series, ledger(series))
    assert (caught.value.file, caught.value.row, caught.value.column) == ("chain.csv", 2, "symbol")
    book = ledger(series, "drop")
    read(series, book)
    assert book.keep.to_list() == [True, False]
    assert book.dropped == {"unparsable symbol": 1}


def test_an_end_of_day_is_the_close_of_its_session():
    dates = pl.Series([date(2024, 11, 29), date(2024, 12, 2), None, date(2024, 12, 1)])
    closes = session_closes(dates)
    assert moments(closes.drop_nulls()) == [
        "2024-11-29T18:00Z",
        "2024-12-02T21:00Z",
        "2024-11-29T18:00Z",
    ]
    assert closes.null_count() == 1
