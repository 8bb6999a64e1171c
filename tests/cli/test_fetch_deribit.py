"""``eventtape fetch deribit`` against a server on this machine: files, refusals, a service down."""

from __future__ import annotations

import json

import polars as pl
import pytest

from cli.program_here import program
from eventtape.cli.fetch_command import fetch
from eventtape.clock import parse_ns
from eventtape.errors import FetchError, InputError
from eventtape.sources import read_option_quotes, read_option_trades
from sources.loopback_server import Loopback, Reply

BOOK = "/api/v2/public/get_book_summary_by_currency"
TRADES = "/api/v2/public/get_last_trades_by_currency"
START, END = "2025-06-13T19:00Z", "2025-06-13T20:00Z"
NOW = parse_ns("2025-06-13T19:30Z") // 10**6


@pytest.fixture
def service():
    loopback = Loopback()
    loopback.routes[BOOK] = answer([summary(), summary("ETH-27JUN25-4000-P", bid_price=None)])
    loopback.routes[TRADES] = answer(
        {"trades": [trade(1, NOW), trade(2, NOW + 5)], "has_more": False}
    )
    yield loopback
    loopback.close()


def answer(result):
    return Reply(json.dumps({"jsonrpc": "2.0", "result": result}).encode())


def summary(name="ETH-27JUN25-4000-C", **changes):
    return {
        "instrument_name": name,
        "bid_price": 0.055,
        "ask_price": 0.0565,
        "mark_price": 0.0557,
        "mark_iv": 41.25,
        "underlying_price": 4_005.0,
        "estimated_delivery_price": 4_000.0,
        "open_interest": 812.5,
        "creation_timestamp": NOW,
    } | changes


def trade(seq, ms):
    return {
        "trade_id": str(seq),
        "timestamp": ms,
        "instrument_name": "ETH-27JUN25-4000-C",
        "direction": "buy",
        "price": 0.05,
        "mark_price": 0.051,
        "iv": 40.5,
        "index_price": 4_000.0,
        "amount": 0.3,
    }


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fetched(service, tmp_path, **flags):
    flags = {"currency": "eth", "attempts": 1, "deribit_url": service.base} | flags
    fetch("deribit", lake=tmp_path / "lake", **flags)


def test_the_book_becomes_a_file_that_the_readers_know(service, tmp_path, capsys):
    fetched(service, tmp_path)
    name = "downloads/deribit/ETH-book-20250613T193000Z.parquet"
    assert files(tmp_path / "lake") == [name]
    path = tmp_path / "lake" / name
    assert f"deribit book summary: 2 rows, {path}" in capsys.readouterr().out
    assert service.asked[0].query["currency"] == "ETH"
    frame, report = read_option_quotes(path)
    assert (report.format, report.rows) == ("eventtape option quotes", 2)
    assert frame["bid"].to_list() == [0.055 * 4_000.0, None]
    assert frame["coin_ask"].to_list() == [0.0565, 0.0565]
    assert frame["settlement"].unique().to_list() == ["inverse"]
    with pytest.raises(InputError, match="the columns of one of"):
        read_option_trades(path)
    frame.with_columns(pl.col("ts").cast(pl.String)).write_parquet(tmp_path / "text.parquet")
    with pytest.raises(InputError, match=r"column 'ts'.*String.*Datetime"):
        read_option_quotes(tmp_path / "text.parquet")


def test_the_program_takes_the_service_from_the_environment(service, tmp_path):
    env = {"EVENTTAPE_DERIBIT_URL": service.base, "EVENTTAPE_LAKE": "here"}
    done = program("fetch", "deribit", cwd=tmp_path, **env)
    assert done.returncode == 0, done.stderr
    assert "deribit book summary: 2 rows, here/downloads/deribit/BTC-book-" in done.stdout
    assert len(files(tmp_path / "here")) == 1


def test_trades_of_a_window_are_a_second_file(service, tmp_path, capsys):
    fetched(service, tmp_path, trades=True, start=START, end=END, cache=tmp_path / "kept")
    book, trades = files(tmp_path)
    assert book.startswith("kept/deribit/ETH-book-")
    assert trades == "kept/deribit/ETH-trades-20250613T190000Z-20250613T200000Z.parquet"
    assert f"deribit last trades: 2 rows, {tmp_path / trades}" in capsys.readouterr().out
    frame, report = read_option_trades(tmp_path / trades)
    assert report.format == "eventtape option trades"
    assert frame["trade_id"].to_list() == ["1", "2"]
    assert frame["price"].to_list() == [200.0, 200.0]
    assert service.asked[-1].query["start_timestamp"] == str(parse_ns(START) // 10**6)


def test_a_service_that_recovers_is_asked_again(service, tmp_path):
    whole = service.routes[BOOK]
    service.routes[BOOK] = [Reply(b"busy", 503, {"Retry-After": "0"}), whole]
    fetched(service, tmp_path, attempts=2)
    assert len(service.asked) == 2
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(b"down", 503), FetchError),
        (Reply(b"<html>busy</html>"), FetchError),
        (Reply(b'{"result": [{"instr'), FetchError),
        (answer([]), InputError),
        (answer([summary("ETH-PERPETUAL")]), InputError),
    ],
    ids=["down", "no-json", "cut", "empty", "no-option"],
)
def test_a_failing_service_leaves_no_file(service, tmp_path, reply, kind):
    service.routes[BOOK] = reply
    with pytest.raises(kind, match="get_book_summary_by_currency"):
        fetched(service, tmp_path)
    assert files(tmp_path) == []


def test_trades_that_fail_leave_the_book_whole_and_nothing_else(service, tmp_path):
    page = json.dumps(
        {"result": {"trades": [trade(n, NOW + n) for n in range(3)], "has_more": True}}
    ).encode()
    service.routes[TRADES] = [Reply(page), Reply(b"down", 503)]
    with pytest.raises(FetchError, match="get_last_trades_by_currency"):
        fetched(service, tmp_path, trades=True, start=START, end=END)
    (book,) = files(tmp_path)
    assert read_option_quotes(tmp_path / book).frame.height == 2


def test_a_row_that_cannot_be_used_is_left_out_and_counted(service, tmp_path, capsys):
    service.routes[BOOK] = answer([summary(), summary("ETH-27JUN25-4000-P", bid_price=-1.0)])
    fetched(service, tmp_path)
    said = capsys.readouterr()
    assert "1 rows" in said.out
    assert "1 left out, negative price" in said.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"trades": True}, "--start and --end with --trades"),
        ({"trades": True, "start": START}, "--start and --end with --trades"),
        ({"start": START, "end": END}, "only with it"),
        ({"trades": True, "start": END, "end": START}, "ends after it starts"),
        ({"currency": "../BTC"}, "letters and digits"),
        ({"attempts": 0}, "at least one attempt"),
    ],
    ids=[
        "no-window",
        "half-a-window",
        "a-window-for-the-book",
        "backwards",
        "currency",
        "attempts",
    ],
)
def test_flags_that_do_not_go_together_are_refused_before_asking(service, tmp_path, flags, said):
    with pytest.raises(InputError, match=said):
        fetched(service, tmp_path, **flags)
    assert service.asked == []
    assert files(tmp_path) == []


def test_an_unknown_dataset_is_told_the_known(tmp_path):
    with pytest.raises(InputError, match="election-2024, deribit"):
        fetch("cboe", lake=tmp_path)
