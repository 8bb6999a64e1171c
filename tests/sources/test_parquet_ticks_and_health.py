from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.sources import (
    TickMeter,
    read_polygon_trades,
    read_tick_parquet,
    scan_tick_parquet,
    tick_health,
)
from eventtape.tape import times_ns
from sources.tick_files import T0, text, trade

TRADES = {"symbol": "sym", "ts": "t", "price": "px", "size": "qty"}
CODED = {**TRADES, "condition": "c"}
FLAGGED = {**TRADES, "iso": "sweep", "eligible": "good"}
QUOTES = {"symbol": "sym", "ts": "t", "bid": "b", "bid_size": "bs", "ask": "a", "ask_size": "as"}


@pytest.fixture
def parquet(tmp_path):
    def parquet(table):
        pl.DataFrame(table).write_parquet(tmp_path / "p.parquet", row_group_size=64)
        return tmp_path / "p.parquet"

    return parquet


def trades(n=3, **more):
    table = {
        "sym": ["A"] * n,
        "t": [T0 + at for at in range(n)],
        "px": [10.0 + at for at in range(n)],
        "qty": [100] * n,
        "c": [[14, 41], [], None][:n] if n <= 3 else [[14]] * n,
        "sweep": [True] * n,
        "good": [False] * n,
    }
    return {**table, **more}


def quotes(**more):
    table = {
        "sym": ["A", "A"],
        "t": [T0, T0 + 1],
        "b": [10.0, 10.1],
        "bs": [1, 2],
        "a": [10.2, 0.0],
        "as": [3, 0],
        "v": ["N", "P"],
    }
    return {**table, **more}


@pytest.mark.parametrize(
    "conditions",
    [
        [[14, 41], [], None],
        ["14,41", "", None],
        pl.Series(["14,41", "", None], dtype=pl.Categorical),
    ],
    ids=["lists", "text", "categorical"],
)
def test_conditions_however_they_are_written(parquet, conditions):
    path = parquet(trades(c=conditions))
    frame = read_tick_parquet(path, CODED, "trades", vendor="polygon", epoch="ns")
    assert frame["iso"].to_list() == [True, False, False]
    assert frame["eligible"].to_list() == [True, True, True]
    assert frame["size"].dtype == pl.Float64


def test_conditions_as_one_whole_number(parquet):
    path = parquet(trades(c=[14, 12, None]))
    frame = read_tick_parquet(path, CODED, "trades", vendor="polygon", epoch="ns")
    assert frame["iso"].to_list() == [True, False, False]
    assert frame["eligible"].to_list() == [True, False, True]


def test_flags_as_they_are_and_times_of_three_kinds(parquet):
    for times, more in (
        ([T0 // 1000 + at for at in range(3)], {"epoch": "us"}),
        (pl.Series([T0, T0, T0]).cast(pl.Datetime("ns", "UTC")), {}),
        (
            pl.Series([T0 - 5 * 3600 * 10**9] * 3).cast(pl.Datetime("ns")),
            {"zone": "America/New_York"},
        ),
    ):
        frame = read_tick_parquet(parquet(trades(t=times)), FLAGGED, "trades", **more)
        assert times_ns(frame)[0] == T0 // 1000 * 1000
        assert frame.select("iso", "eligible").row(0) == (True, False)


def test_quotes_of_a_book_and_of_venues(parquet):
    path = parquet(quotes())
    frame = read_tick_parquet(path, QUOTES, "quotes", epoch="ns", lot=100)
    assert frame.select("bid", "bid_size", "ask", "ask_size").rows() == [
        (10.0, 100.0, 10.2, 300.0),
        (10.1, 200.0, 0.0, 0.0),
    ]
    best = read_tick_parquet(path, {**QUOTES, "venue": "v"}, "quotes", epoch="ns")
    assert best.select("bid", "ask", "ask_size").rows() == [(10.0, 10.2, 3.0), (10.1, 10.2, 3.0)]


def test_a_file_of_one_symbol_without_its_name(parquet):
    columns = {name: spelled for name, spelled in FLAGGED.items() if name != "symbol"}
    frame = read_tick_parquet(parquet(trades()), columns, "trades", epoch="ns", symbol="IBM")
    assert frame["symbol"].unique().to_list() == ["IBM"]


@pytest.mark.parametrize("size", [1, 16, 4_096])
def test_batches_of_any_size_are_the_whole(parquet, size):
    path = parquet(trades(500))
    batches = list(
        scan_tick_parquet(path, CODED, "trades", vendor="polygon", epoch="ns", batch_rows=size)
    )
    assert max(batch.height for batch in batches) <= size
    whole = read_tick_parquet(path, CODED, "trades", vendor="polygon", epoch="ns")
    assert pl.concat(batches).equals(whole)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"px": ["1", "2", "3"]}, "column 'px': met 'String'"),
        ({"px": [1.0, None, 2.0]}, "row 2, column 'px'"),
        ({"qty": [1, 2, -3]}, "row 3, column 'qty': met -3"),
        ({"t": [T0, T0 + 2, T0 + 1]}, "row 3, column 't'"),
        ({"t": [T0, T0, None]}, "row 3, column 't'"),
        ({"t": [1, 2, 3]}, "row 1, column 't'"),
        ({"t": ["a", "b", "c"]}, "column 't': met 'String'"),
        ({"c": ["", "x", ""]}, "row 2, column 'c': met 'x'"),
        ({"sym": ["A", None, "A"]}, "row 2, column 'sym'"),
        ({"sym": ["A", "", "A"]}, "row 2, column 'sym'"),
    ],
)
def test_a_bad_value_names_its_place(parquet, change, place):
    with pytest.raises(InputError, match=f"p.parquet, {place}"):
        read_tick_parquet(parquet(trades(**change)), CODED, "trades", vendor="polygon", epoch="ns")


@pytest.mark.parametrize(
    ("columns", "kind", "more"),
    [
        (TRADES, "trades", {}),  # nobody says which are sweeps
        (CODED, "trades", {}),
        (FLAGGED, "trades", {"vendor": "cta"}),
        ({**CODED, "colour": "c"}, "trades", {"vendor": "cta"}),
        ({"ts": "t", "bid": "b"}, "quotes", {}),
        (QUOTES, "books", {}),
        (QUOTES, "quotes", {"lot": -1}),
        (QUOTES, "quotes", {"epoch": "days"}),
        ({**QUOTES, "bid": "nowhere"}, "quotes", {}),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused(parquet, columns, kind, more):
    with pytest.raises(InputError):
        scan_tick_parquet(parquet({**trades(2), **quotes()}), columns, kind, **more)


def test_files_that_are_no_parquet(write, parquet):
    for content in (b"", b"PAR1 and then nothing"):
        with pytest.raises(InputError, match="Parquet file"):
            scan_tick_parquet(write("p.parquet", content), FLAGGED, "trades")
    whole = parquet(trades(20_000)).read_bytes()
    with pytest.raises(InputError, match="Parquet file"):
        scan_tick_parquet(write("p.parquet", whole[: len(whole) // 2]), FLAGGED, "trades")
    with pytest.raises(InputError, match="at least one equity trade"):
        read_tick_parquet(parquet(pl.DataFrame(trades()).head(0)), FLAGGED, "trades", epoch="ns")


def a_day():
    """Trades of two symbols with one absurd print, two exact repeats and some odd lots."""
    rng = np.random.default_rng(3)
    n = 200
    table = pl.DataFrame(
        {
            "symbol": ["A"] * n + ["B"] * n,
            "ts": np.r_[np.sort(rng.integers(0, 90, n)), np.sort(rng.integers(0, 90, n))] + T0,
            "price": np.round(rng.normal(100, 0.01, 2 * n), 6),
            "size": rng.integers(50, 150, 2 * n).astype(float),
            "iso": rng.random(2 * n) < 0.4,
            "eligible": rng.random(2 * n) < 0.9,
        }
    ).with_columns(pl.col("ts").cast(pl.Datetime("ns", "UTC")))
    price = table["price"].to_numpy().copy()
    price[[150, 350]] = 160.0, 40.0
    table = table.with_columns(price=price)
    repeats = pl.concat([table[:100], table[99:100], table[99:]])
    return pl.concat([repeats[:300], repeats[299:]])


@pytest.mark.parametrize("size", [1, 16, 4_096])
def test_health_of_trades_whatever_the_batches(size):
    day = a_day()
    found = tick_health(day[low : low + size] for low in range(0, day.height, size))
    assert found.rows == 403
    assert found.symbols == 2
    assert found.iso == day["iso"].sum()
    assert found.ineligible == (~day["eligible"]).sum()
    assert found.odd_lots == (day["size"] < 100).sum()
    assert found.far_prices == 2
    assert found.exact_duplicates == day.height - day.n_unique()
    assert found.exact_duplicates >= 3


def test_health_of_quotes():
    book = [(10, 11), (0, 11), (10, 0), (0, 0), (11, 11), (12, 11)]
    frame = pl.DataFrame(
        {
            "symbol": ["A"] * 6,
            "ts": pl.Series(range(T0, T0 + 6)).cast(pl.Datetime("ns", "UTC")),
            "bid": [float(bid) for bid, _ in book],
            "bid_size": [float(bid > 0) for bid, _ in book],
            "ask": [float(ask) for _, ask in book],
            "ask_size": [float(ask > 0) for _, ask in book],
        }
    )
    found = tick_health(iter([frame]))
    assert found[:3] == ("quotes", 6, 1)
    assert (found.one_sided, found.empty_books, found.locked, found.crossed) == (2, 1, 1, 1)


def test_the_meter_hands_batches_on_and_keeps_what_the_reader_saw(write):
    path = write("t.csv", text(trade(at=1, conditions="12"), trade(at=2, conditions="14")))
    counts = Counter()
    meter = TickMeter(counts=counts)
    frame = read_polygon_trades(path, counts=counts)
    assert [batch is frame for batch in meter.watch(iter([frame]))] == [True]
    assert meter.health().seen_by_reader["ineligible: extended hours"] == 1
    with pytest.raises(InputError, match="at least one batch"):
        TickMeter().health()
