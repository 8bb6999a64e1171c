"""Volumes a session against a plain loop with zoneinfo, whatever the batches."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from eventtape.clock import SECOND, parse_ns, sessions
from eventtape.errors import InputError
from eventtape.frames.daily_volume import daily_volume
from eventtape.frames.universe import universe
from eventtape.tape.records import EQUITY_TRADE, TIME

NEW_YORK = ZoneInfo("America/New_York")


def trades(rows):
    """A trades frame from (symbol, ns, price, size, eligible)."""
    symbol, ts, price, size, eligible = (list(column) for column in zip(*rows, strict=True))
    return pl.DataFrame(
        {
            "symbol": symbol,
            "ts": pl.Series(ts, dtype=pl.Int64).cast(TIME),
            "price": price,
            "size": size,
            "iso": [False] * len(rows),
            "eligible": eligible,
        },
        schema={name: rule.dtype for name, rule in EQUITY_TRADE.columns.items()},
    )


def random_trades(seed, n=6000, first="2024-10-28", last="2024-11-08"):
    """Trades at any hour of the sessions' dates in New York, over the change of clocks."""
    rng = np.random.default_rng(seed)
    days = sessions(first, last).date.tolist()
    rows = []
    for _ in range(n):
        day = days[rng.integers(len(days))]
        midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp()
        ts = int(midnight) * SECOND + int(rng.integers(0, 86_400 * SECOND))
        symbol = f"S{rng.integers(7)}"
        price, size = float(np.exp(rng.normal(4, 1))), float(rng.integers(1, 5000))
        rows.append((symbol, ts, price, size, bool(rng.random() < 0.9)))
    return sorted(rows, key=lambda row: row[1])


def by_hand(rows):
    total = {}
    for symbol, ts, price, size, eligible in rows:
        if eligible:
            day = datetime.fromtimestamp(ts // SECOND, NEW_YORK).date()
            volume, dollars, count = total.get((symbol, day), (0.0, 0.0, 0))
            total[symbol, day] = (volume + size, dollars + price * size, count + 1)
    return [(*key, *total[key]) for key in sorted(total)]


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_a_plain_loop(seed):
    """The same order of sums, so the same bits; rows by time alone, then by symbol and time."""
    rows = random_trades(seed)
    frame = trades(rows)
    got = daily_volume(frame)
    assert got.rows() == by_hand(rows)
    assert got.schema == pl.Schema(
        {
            "symbol": pl.String,
            "session": pl.Date,
            "volume": pl.Float64,
            "dollar_volume": pl.Float64,
            "trades": pl.Int64,
        }
    )
    assert daily_volume(frame.sort("symbol", maintain_order=True)).equals(got)


@pytest.mark.parametrize("chunk", [1, 16, 4096, 10**6])
@pytest.mark.parametrize("order", ["ts", "symbol"])
def test_the_batches_do_not_matter(chunk, order):
    frame = trades(random_trades(9, n=1500)).sort(order, maintain_order=True)
    whole = daily_volume(frame)
    pieces = (frame[k : k + chunk] for k in range(0, frame.height, chunk))
    assert daily_volume(pieces).equals(whole)


def test_batches_are_read_one_at_a_time():
    """Each batch can be let go before the next is asked for: nothing holds a day of trades."""
    import weakref

    alive = []

    def batches():
        for k in range(20):
            batch = trades(random_trades(k, n=50))
            assert sum(ref() is not None for ref in alive) <= 2
            alive.append(weakref.ref(batch))
            yield batch

    assert daily_volume(batches())["trades"].sum() > 800
    assert len(alive) == 20


def test_an_empty_batch_is_no_trade():
    frame = trades(random_trades(1, n=50))
    assert daily_volume([frame[:0], frame, frame[:0]]).equals(daily_volume(frame))
    nothing = daily_volume([])
    assert nothing.is_empty()
    assert nothing.columns == ["symbol", "session", "volume", "dollar_volume", "trades"]
    unfit = frame.with_columns(eligible=False)
    assert daily_volume(unfit).is_empty()


@pytest.mark.parametrize(
    ("when", "day"),
    [
        ("2024-11-05T04:59:59.999999999Z", date(2024, 11, 4)),  # a ns before midnight in New York
        ("2024-11-05T05:00Z", date(2024, 11, 5)),
        ("2024-11-06T04:59:59Z", date(2024, 11, 5)),
        ("2024-11-04T04:59:59Z", None),  # still Sunday there
        ("2024-11-02T03:59:59Z", date(2024, 11, 1)),  # before the clocks change, four hours
        ("2024-11-02T04:00Z", None),
        ("2024-11-29T20:00Z", date(2024, 11, 29)),  # after the early close of a half-day
    ],
)
def test_midnight_is_new_yorks(when, day):
    frame = trades([("A", parse_ns(when), 10.0, 5.0, True)])
    if day is None:
        with pytest.raises(InputError, match="a trade on a session of XNYS"):
            daily_volume(frame)
    else:
        assert daily_volume(frame).rows() == [("A", day, 5.0, 50.0, 1)]


def test_the_evening_before_belongs_to_a_session_that_opens_on_it():
    sunday = parse_ns("2024-11-03T23:30Z")  # 17:30 in Chicago
    frame = trades([("ES", sunday, 5700.0, 2.0, True)])
    assert daily_volume(frame, "CMES")["session"].to_list() == [date(2024, 11, 4)]
    assert daily_volume(frame, "24/7")["session"].to_list() == [date(2024, 11, 3)]


def test_a_trade_on_no_session_is_named_over_all_batches():
    good = ("A", parse_ns("2024-11-04T15:00Z"), 10.0, 5.0, True)
    saturday = parse_ns("2024-11-02T15:00Z")
    first = trades([good] * 4)
    second = trades([("B", saturday, 1.0, 1.0, False), ("C", saturday, 1.0, 1.0, True), good])
    with pytest.raises(InputError) as caught:
        daily_volume([first, second])
    assert (caught.value.row, caught.value.column) == (6, "ts")
    assert caught.value.met == "2024-11-02T15:00:00Z"
    kept = second.filter(pl.col("symbol") != "C")
    assert daily_volume([first, kept])["trades"].sum() == 5  # what is not eligible may lie anywhere


def test_a_bad_trade_is_named_over_all_batches():
    good = ("A", parse_ns("2024-11-04T15:00Z"), 10.0, 5.0, True)
    bad = trades([good, ("A", good[1], 0.0, 5.0, True)])
    with pytest.raises(InputError, match="price") as caught:
        daily_volume([trades([good] * 3), bad])
    assert caught.value.row == 5
    with pytest.raises(InputError, match="an exchange-calendars name"):
        daily_volume(trades([good]), "NOPE")


def test_from_trades_to_a_universe():
    """Two roads to the same two names: trades by the day, and the sums by hand."""
    rows = random_trades(4, n=3000, first="2024-10-08", last="2024-11-06")
    found = universe(daily_volume(trades(rows)), "2024-11-05", top=2, kinds=(), min_share=0.5)
    money = {}
    for symbol, day, _, dollars, _ in by_hand(rows):
        if day < date(2024, 11, 5):
            money.setdefault(symbol, []).append(dollars)
    assert all(len(days) >= 10 for days in money.values())
    means = sorted(((sum(d) / len(d), s) for s, d in money.items()), reverse=True)
    assert found.members["symbol"].to_list() == [symbol for _, symbol in means[:2]]
    np.testing.assert_allclose(
        found.members["mean_dollars"], [mean for mean, _ in means[:2]], rtol=1e-12
    )
    assert found.sessions[-1] == date(2024, 11, 5) - timedelta(days=1)
