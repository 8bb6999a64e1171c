"""``eventtape features`` and ``nbbo`` as a user meets them: files in, one Parquet file out."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from cli import tick_day_files as write
from cli.program_here import program
from eventtape.cli import app
from eventtape.clock import session_of
from eventtape.errors import InputError
from eventtape.frames import microstructure_features, nbbo_seconds, sign_trades
from eventtape.simulate import taq_day
from eventtape.sources import (
    read_lean_quotes,
    read_lean_trades,
    read_polygon_quotes,
    read_polygon_trades,
    read_taq_quotes,
    read_taq_trades,
)
from sources.tick_files import QUOTE_HEAD, TRADE_HEAD, packed, quote, trade

DATE, NEXT, SHORT = "2024-11-26", "2024-11-27", "2024-11-29"  # the last one closes early
HOLIDAY = "2024-11-28"


def run(*arguments):
    """The command in this process; an error of ours is raised, as it would be said by ``main``."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def told(*arguments):
    return json.loads(run("features", *arguments, "--json").stdout)


def hours(date):
    session = session_of(date)
    return session.open_ns, session.close_ns


def wanted(date, trades, quotes, **options):
    made = microstructure_features(trades, quotes, session=hours(date), **options)
    return made.with_columns(pl.lit(value=False).alias("simulated"))


def assert_file(path, frame):
    assert_frame_equal(pl.read_parquet(path), frame, check_exact=True)


def nothing_left(folder):
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")] == []


@pytest.fixture(scope="module")
def polygon(tmp_path_factory):
    """A session, a holiday and a half-day of flat files, and what is in them."""
    folder = tmp_path_factory.mktemp("polygon")
    days = {}
    for seed, date in enumerate((NEXT, HOLIDAY, SHORT)):
        frames = write.simulated(date, seed=seed)
        days[date] = write.polygon(folder, date, *frames)
    return folder, days


def read(paths):
    return read_polygon_trades(paths[0]), read_polygon_quotes(paths[1])


def test_a_flat_file_gives_the_features_of_its_frames(polygon, tmp_path):
    paths = polygon[1][NEXT]
    out = tmp_path / "f.parquet"
    said = told(*paths, "--vendor", "polygon", "--out", out)
    trades, quotes = read(paths)
    assert_file(out, wanted(NEXT, trades, quotes))
    assert said["rows"] == {"trades": trades.height, "quotes": quotes.height}
    assert (said["tickers"], said["buckets"], said["sessions"]) == (3, 3 * 390, [NEXT])
    assert said["simulated"] is False
    assert said["health"]["trades"]["ineligible"] == trades.filter(~pl.col("eligible")).height
    assert said["health"]["quotes"]["crossed"] == 0
    kept = json.loads(pq.read_schema(out).metadata[b"eventtape"])
    assert kept == said["options"]
    assert kept["rule"] == "lee-ready"
    assert nothing_left(tmp_path)


def test_days_are_apart_cut_to_their_hours_and_holidays_left_out(polygon, tmp_path):
    folder, days = polygon
    out = tmp_path / "f.parquet"
    options = ("--every", "10m", "--rule", "clnv", "--latency", "5ms")
    done = run(
        "features", f"{folder}/trades_*.gz", f"{folder}/quotes_*.gz", "--vendor", "polygon",
        "--out", out, *options,
    )  # fmt: skip
    want = [
        wanted(date, *read(days[date]), every="10m", rule="clnv", latency="5ms")
        for date in (NEXT, SHORT)
    ]
    assert [frame.height for frame in want] == [3 * 39, 3 * 21]
    assert_file(out, pl.concat(want))
    rows = sum(side.height for side in read(days[HOLIDAY]))
    assert f"{HOLIDAY} is no session: {rows:,} rows left out" in done.stderr
    assert f"{NEXT} to {SHORT}, 2 days" in done.stdout
    assert "absurd prices" in done.stdout
    assert "SIM000" in done.stdout


def test_signed_trades_and_the_lake(polygon, tmp_path):
    paths = polygon[1][SHORT]
    out, signed, lake = (tmp_path / name for name in ("f.parquet", "s.parquet", "lake"))
    run("features", *paths, "--vendor", "polygon", "--out", out, "--signed-out", signed,
        "--lake", lake, "--dataset", "mine")  # fmt: skip
    got = pl.read_parquet(signed)
    want = sign_trades(*read(paths)).with_columns(pl.col("symbol", "sign_source").cast(pl.String))
    assert_frame_equal(got, want, check_exact=True)
    query = "select dataset, data, session, count(*) as n, sum(num_trades)::int as t from features"
    rows = run("lake", "sql", f"{query} group by all", "--lake", lake, "--json")
    features = pl.read_parquet(out)
    assert json.loads(rows.stdout) == [
        {"dataset": "mine", "data": "real", "session": SHORT, "n": features.height,
         "t": features["num_trades"].sum()}
    ]  # fmt: skip


def test_some_symbols_only(polygon, tmp_path):
    paths = polygon[1][NEXT]
    out = tmp_path / "f.parquet"
    chosen = ("--symbol", "SIM002", "--symbol", "SIM000", "--symbol", "NONE")
    done = run("features", *paths, "--vendor", "polygon", "--out", out, *chosen, "--json")
    assert "no tick of NONE" in done.stderr
    want = wanted(NEXT, *read(paths)).filter(pl.col("ticker") != "SIM001")
    assert_file(out, want)
    with pytest.raises(InputError, match="ticks of NONE"):
        told(*paths, "--vendor", "polygon", "--out", out, "--symbol", "NONE")
    assert_file(out, want)


def test_no_session_is_no_cut(polygon, tmp_path):
    paths = polygon[1][HOLIDAY]
    out = tmp_path / "f.parquet"
    told(*paths, "--vendor", "polygon", "--out", out, "--session", "none")
    want = microstructure_features(*read(paths)).with_columns(pl.lit(False).alias("simulated"))
    assert_file(out, want)
    with pytest.raises(InputError, match=f"only {HOLIDAY}', wanted ticks on a session"):
        told(*paths, "--vendor", "polygon", "--out", tmp_path / "g.parquet")
    assert not (tmp_path / "g.parquet").exists()


def test_lean_zips_are_one_a_symbol_and_day(tmp_path):
    trades, quotes, patterns = [], [], None
    for seed, date in enumerate((DATE, NEXT)):
        patterns = write.lean(tmp_path, date, *write.simulated(date, seed=seed, quotes=900))
    for date in (DATE, NEXT):
        for symbol in ("SIM000", "SIM001", "SIM002"):
            trades.append(read_lean_trades(tmp_path / f"{symbol}_{date}_Trade.zip"))
            quotes.append(read_lean_quotes(tmp_path / f"{symbol}_{date}_Quote.zip"))
    out = tmp_path / "f.parquet"
    told(*patterns, "--vendor", "lean", "--out", out)
    want = [
        wanted(date, pl.concat(trades[i : i + 3]), pl.concat(quotes[i : i + 3]))
        for i, date in ((0, DATE), (3, NEXT))
    ]
    assert_file(out, pl.concat(want))


@pytest.mark.parametrize("exchange", [None, "N"])
def test_taq_files_and_their_venues(tmp_path, exchange):
    paths = write.taq(tmp_path, DATE, *write.simulated(DATE))
    out = tmp_path / "f.parquet"
    more = () if exchange is None else ("--exchange", exchange)
    told(*paths, "--vendor", "taq", "--out", out, *more)
    venues = None if exchange is None else [exchange]
    quotes = read_taq_quotes(paths[1], exchanges=venues)
    assert_file(out, wanted(DATE, read_taq_trades(paths[0]), quotes))


@pytest.mark.parametrize("order", ["symbol", "time"])
def test_parquet_in_either_order_under_its_own_names(tmp_path, order):
    trades, quotes = write.simulated(DATE, order=order)
    paths = write.parquet(tmp_path, DATE, trades.rename({"price": "px"}), quotes)
    out = tmp_path / "f.parquet"
    told(*paths, "--vendor", "parquet", "--out", out, "--order", order, "--column", "price=px")
    assert_file(out, wanted(DATE, trades, quotes))
    with pytest.raises(InputError, match="a column 'price'"):
        told(*paths, "--vendor", "parquet", "--out", out, "--order", order)


def test_parquet_with_conditions_and_a_policy(tmp_path):
    trades, quotes = write.simulated(DATE)
    coded = trades.with_columns(write.codes("F", "T").alias("c")).drop("iso", "eligible")
    paths = write.parquet(tmp_path, DATE, coded, quotes)
    out = tmp_path / "f.parquet"
    options = ("--vendor", "parquet", "--codes", "cta", "--column", "condition=c", "--out", out)
    told(*paths, *options)
    assert_file(out, wanted(DATE, trades, quotes))
    told(*paths, *options, "--policy", "extended")
    assert_file(out, wanted(DATE, trades.with_columns(pl.lit(True).alias("eligible")), quotes))


def test_one_file_may_hold_many_days(tmp_path):
    """Two days below each other, by symbol and then time: each day still by itself."""
    days = {date: write.simulated(date, seed=seed) for seed, date in enumerate((DATE, SHORT))}
    trades, quotes = (
        pl.concat(side).sort("symbol", "ts", maintain_order=True)
        for side in zip(*days.values(), strict=True)
    )
    paths = write.parquet(tmp_path, "both", trades, quotes)
    out = tmp_path / "f.parquet"
    said = told(*paths, "--vendor", "parquet", "--out", out)
    assert said["sessions"] == [DATE, SHORT]
    want = pl.concat([wanted(date, *frames) for date, frames in days.items()])
    assert_frame_equal(
        pl.read_parquet(out).sort("ticker", "bucket"), want.sort("ticker", "bucket"),
        check_exact=True,
    )  # fmt: skip


def test_simulated_is_said_on_screen_and_in_the_file(tmp_path):
    out = tmp_path / "f.parquet"
    done = run("features", "--simulate", 3, "--symbol", "SIM007", "--symbol", "SIM031",
               "--out", out)  # fmt: skip
    assert "SIMULATED" in "".join(done.stdout.splitlines()[:3])
    got = pl.read_parquet(out)
    assert got["simulated"].all()
    assert json.loads(pq.read_schema(out).metadata[b"eventtape"])["data"] == "simulated"
    day = taq_day(3)
    mine = pl.col("symbol").cast(pl.String).is_in(["SIM007", "SIM031"])
    want = wanted("2000-01-03", day.trades.filter(mine), day.quotes.filter(mine))
    assert_frame_equal(got.drop("simulated"), want.drop("simulated"), check_exact=True)


def test_every_column_is_documented(polygon, tmp_path):
    out = tmp_path / "f.parquet"
    told(*polygon[1][SHORT], "--vendor", "polygon", "--out", out)
    page = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
    named = re.findall(r"^\| `(\w+)` \|", page.partition("| column |")[2], flags=re.MULTILINE)
    assert named == pl.read_parquet(out).columns


def test_books_of_every_second(polygon, tmp_path):
    folder, days = polygon
    out = tmp_path / "b.parquet"
    done = run("nbbo", f"{folder}/quotes_*.gz", "--vendor", "polygon", "--out", out, "--json")
    want = []
    for date in (NEXT, SHORT):
        open_ns, close_ns = hours(date)
        ts = pl.col("ts").cast(pl.Int64)
        books = nbbo_seconds(read_polygon_quotes(days[date][1]), end_ns=close_ns)
        want.append(books.filter((ts > open_ns) & (ts <= close_ns)))
        assert want[-1].filter(ts == close_ns).height == 3
    table = pl.concat(want).with_columns(
        pl.col("symbol").cast(pl.String), pl.lit(value=False).alias("simulated")
    )
    assert_file(out, table)
    assert json.loads(done.stdout)["books"] == table.height


def files(folder, trades, quotes):
    paths = (folder / "t.csv.gz", folder / "q.csv.gz")
    for path, data in zip(paths, (trades, quotes), strict=True):
        path.write_bytes(data)
    return paths


GOOD_QUOTES = packed(quote(at=0), quote(at=5), head=QUOTE_HEAD)
TWO = (trade(at=1), trade(at=2))


@pytest.mark.parametrize(
    ("trades", "quotes", "words"),
    [
        (packed(trade(at=2), trade(at=1)), None, r"t.csv.gz, row 2, column 'sip_timestamp': met "),
        (packed(trade(at=1), trade(at=1)), None, "row 2, column 'sequence_number'.*one record"),
        (packed(trade(), trade(at=1, price="0")), None, "row 2, column 'price': met 0.0"),
        (packed(trade(price="-1.5")), None, "row 1, column 'price': met -1.5"),
        (packed(trade(), trade(at=1, size="0")), None, "row 2, column 'size': met 0.0"),
        (packed(trade(conditions="14,99")), None, "column 'conditions': met '14,99'.*not 99"),
        (packed(trade("B"), trade("A", at=1)), None, "B', wanted equity trades ordered by symbol"),
        (packed(trade(price="ten")), None, "row 1, column 'price': met 'ten', wanted a number"),
        (packed(*TWO)[:-9], None, "t.csv.gz: wanted a whole gzip file"),
        (packed(*TWO, head=TRADE_HEAD.replace("price", "cost")), None, "a column 'price'"),
        (packed(), None, "at least one equity trade"),
        (None, packed(quote(bid="-1"), head=QUOTE_HEAD), "row 1, column 'bid.*': met -1.0"),
        (None, packed(quote(at=3), quote(at=1), head=QUOTE_HEAD), "row 2, column 'sip_timestamp'"),
        (None, gzip.compress(b"x" * 999, mtime=0)[:-4], "whole gzip file|a column"),
    ],
)
def test_bad_rows_name_their_place_and_leave_what_was_there(tmp_path, trades, quotes, words):
    out = tmp_path / "f.parquet"
    out.write_bytes(b"earlier")
    paths = files(tmp_path, trades or packed(*TWO), quotes or GOOD_QUOTES)
    with pytest.raises(InputError, match=words):
        told(*paths, "--vendor", "polygon", "--out", out, "--signed-out", tmp_path / "s.parquet")
    assert out.read_bytes() == b"earlier"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.parquet", "q.csv.gz", "t.csv.gz"]


def test_a_fault_far_down_leaves_nothing(polygon, tmp_path):
    """The first batches were read, folded and written when the file breaks off."""
    trades, quotes = polygon[1][NEXT]
    cut = tmp_path / "q.csv.gz"
    cut.write_bytes(quotes.read_bytes()[:-2_000])
    with pytest.raises(InputError, match=r"q.csv.gz: wanted a whole gzip file"):
        told(trades, cut, "--vendor", "polygon", "--out", tmp_path / "f.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["q.csv.gz"]


def test_crossed_and_locked_books_are_kept_and_counted(tmp_path):
    rows = [quote(at=0), quote(at=1, bid="10.7"), quote(at=2, bid="10.6"), quote(at=3, ask="0")]
    paths = files(tmp_path, packed(*TWO), packed(*rows, head=QUOTE_HEAD))
    said = told(*paths, "--vendor", "polygon", "--out", tmp_path / "f.parquet")
    health = said["health"]["quotes"]
    assert [health[name] for name in ("crossed", "locked", "one_sided")] == [1, 1, 1]
    features = pl.read_parquet(tmp_path / "f.parquet")
    assert features.select("num_crossed", "num_locked", "num_one_sided").sum().row(0) == (1, 1, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--vendor", "bloomberg"), "a --vendor among polygon, lean, taq, parquet"),
        ((), "their --vendor"),
        (("--vendor", "polygon", "--policy", "lax"), "a policy among regular, extended, all"),
        (("--vendor", "polygon", "--rule", "guess"), "a rule among lee-ready"),
        (("--vendor", "polygon", "--rule", "reverse-tick"), "the reverse ones look ahead"),
        (("--vendor", "polygon", "--every", "soon"), "a length of time such as 1m"),
        (("--vendor", "polygon", "--every", "0s"), "an --every above 0"),
        (("--vendor", "polygon", "--latency", "-1ms"), "a length of time such as 1m"),
        (("--vendor", "polygon", "--session", "MARS"), "an exchange-calendars name"),
        (("--vendor", "polygon", "--order", "size"), "an order among symbol, time"),
        (
            ("--vendor", "polygon", "--zone", "UTC"),
            r"that --vendor polygon takes \(duplicates, lot",
        ),
        (("--vendor", "lean", "--lot", "100"), r"takes \(none\)"),
        (("--vendor", "parquet", "--policy", "all"), "--codes of a column"),
        (("--vendor", "parquet", "--column", "price"), "--column NAME=FILE"),
        (("--vendor", "parquet", "--column", "cost=c"), "--column NAME=FILE of ask"),
        (("--vendor", "polygon", "--dataset", "../x"), "a partition value"),
        (("--vendor", "polygon", "--out", "no/such/f.parquet"), "a folder that exists"),
        (("--vendor", "polygon", "--out", "f.csv"), "ends in .parquet"),
        (("--simulate", 1), "either files or --simulate"),
    ],
)
def test_what_cannot_be_asked_is_said(polygon, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        told(*polygon[1][NEXT], *options)
    assert list(tmp_path.iterdir()) == []


def test_files_that_do_not_belong_together(polygon, tmp_path):
    folder, days = polygon
    out = ("--vendor", "polygon", "--out", tmp_path / "f.parquet")
    with pytest.raises(InputError, match="a file of trades, a folder of them or a pattern"):
        told(folder / "none.gz", days[NEXT][1], *out)
    lone = tmp_path / "quotes"
    lone.mkdir()
    for date in (NEXT, SHORT):
        (lone / f"{date}.csv.gz").write_bytes(days[date][1].read_bytes())
    with pytest.raises(InputError, match=f"a file of trades that begins on {SHORT}"):
        told(days[NEXT][0], lone, *out)
    with pytest.raises(InputError, match="files of trades and of quotes") as caught:
        told("--vendor", "polygon")
    assert "--simulate 1" in caught.value.__notes__[0]


def test_the_program_says_it_in_words(polygon, tmp_path):
    """Exit code 2, no traceback, nothing on standard output, no file."""
    trades, quotes = polygon[1][NEXT]
    cut = tmp_path / "q.csv.gz"
    cut.write_bytes(quotes.read_bytes()[:-2_000])
    out = tmp_path / "f.parquet"
    done = program("features", trades, cut, "--vendor", "polygon", "--out", out, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"eventtape: {cut}: wanted a whole gzip file")
    assert len(done.stderr.splitlines()) == 1
    assert not out.exists()


def test_a_second_ticker_of_a_date_joins_the_first_in_the_lake(polygon, tmp_path):
    lake, paths = tmp_path / "lake", polygon[1][SHORT]
    tickers = sorted(read(paths)[0]["symbol"].cast(pl.String).unique())[:2]
    for ticker in (*tickers, tickers[0]):
        run("features", *paths, "--vendor", "polygon", "--out", tmp_path / "f.parquet",
            "--lake", lake, "--symbol", ticker)  # fmt: skip
    query = "select ticker, every, count(*) as n from features group by all order by ticker"
    rows = json.loads(run("lake", "sql", query, "--lake", lake, "--json").stdout)
    assert [row["ticker"] for row in rows] == tickers
    assert len({row["n"] for row in rows}) == 1
    assert {row["every"] for row in rows} == {"1m"}


def test_a_file_that_says_it_is_simulated_stays_so(tmp_path):
    day = taq_day(3, symbols=2, quotes=2_000, trades=400, streams=50)
    paths = [tmp_path / f"{kind}.parquet" for kind in ("trades", "quotes")]
    for frame, path in zip((day.trades, day.quotes), paths, strict=True):
        frame.with_columns(simulated=pl.lit(value=True)).write_parquet(path)
    done = run("features", *paths, "--vendor", "parquet", "--out", tmp_path / "f.parquet", "--json")
    assert json.loads(done.stdout)["simulated"] is True
    assert pl.read_parquet(tmp_path / "f.parquet")["simulated"].all()
