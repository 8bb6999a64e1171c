"""Polymarket's market channel: the book's top as rows, whatever the order of frames."""

from __future__ import annotations

import json
import random

import numpy as np
import polars as pl
import pytest

from eventtape.clock import SECOND, parse_ns
from eventtape.errors import InputError
from eventtape.sources.polymarket import parse_history
from eventtape.sources.polymarket_live import PolymarketContract, PolymarketLive
from eventtape.tape import times_ns
from sources.live_collect import collected, tape_of
from sources.live_server import Drop, LiveServer, Missed, Stall, Until, cut, duplicated, reordered
from sources.loopback_server import as_json

HISTORY = "/prices-history"
START = parse_ns("2024-11-06T02:00:00Z")
MS = 1_000_000
YES = PolymarketContract("Polymarket", "syn-yes", "7700")
NO = PolymarketContract("Polymarket no", "syn-no", "7701")


def stamp(i):
    return START + i * 250 * MS


class Market:
    """A book that wanders, what the venue says of it, and the truth to compare with."""

    def __init__(self, n, seed=1):
        rng = random.Random(seed)
        self.books, self.frames, self.tops = [], [], []
        sides = {"BUY": {0.40: 10.0, 0.39: 5.0}, "SELL": {0.45: 10.0, 0.46: 5.0}}
        for i in range(n):
            changes = []
            for _ in range(rng.choice((1, 1, 2))):
                side = rng.choice(("BUY", "SELL"))
                best = self.top(sides)
                away = rng.choice((-1, 0, 0, 1, 2)) / 100
                price = round(best[0] - away if side == "BUY" else best[1] + away, 2)
                inside = best[0] < price < best[1] or price in sides[side] or away > 0
                if not (inside and 0 < price < 1):
                    continue
                alone = len(sides[side]) == 1 and price in sides[side]
                size = 0.0 if price in sides[side] and not alone else float(rng.randint(1, 90))
                sides[side][price] = size
                if not size:
                    del sides[side][price]
                changes.append((side, price, size))
            top = self.top(sides)
            entries = [
                {
                    "asset_id": YES.token_id,
                    "price": f"{price:.2f}",
                    "size": f"{size:g}",
                    "side": side,
                    "hash": f"h{i}",
                    "best_bid": f"{top[0]:g}",
                    "best_ask": f"{top[1]:g}",
                }
                for side, price, size in changes
            ]
            twin = {"asset_id": "7799", "price": "0.5", "size": "1", "side": "BUY", "hash": "x"}
            self.frames.append(price_change(stamp(i), [*entries, twin]))
            self.tops.append(top)
            self.books.append(book(stamp(i), sides["BUY"], sides["SELL"], hash=f"b{i}"))

    @staticmethod
    def top(sides):
        return max(sides["BUY"], default=0.0), min(sides["SELL"], default=1.0)

    def first(self):
        return book(START - MS, {0.40: 10.0, 0.39: 5.0}, {0.45: 10.0, 0.46: 5.0})

    def truth(self, last=(0.40, 0.45)):
        """Stamp, bid and ask wherever the top changes."""
        rows = []
        for i, top in enumerate(self.tops):
            if top != last:
                rows.append((stamp(i), *top))
            last = top
        return rows


def price_change(ts, changes):
    said = {"event_type": "price_change", "market": "0xfeed", "timestamp": str(ts // MS)}
    return json.dumps(said | {"price_changes": changes})


def change(price, size, side="BUY", token=YES.token_id, **more):
    return {"asset_id": token, "price": price, "size": size, "side": side, "hash": "h"} | more


def book(ts, bids, asks, token=YES.token_id, **more):
    levels = [[{"price": f"{p:g}", "size": f"{s:g}"} for p, s in of.items()] for of in (bids, asks)]
    said = {"event_type": "book", "asset_id": token, "market": "0xfeed", "hash": "b"}
    said |= {"timestamp": str(ts // MS), "bids": levels[0], "asks": levels[1]}
    return json.dumps(said | more)


def top_of(rows):
    """Stamp, bid and ask of each row."""
    return [
        (row["ts"], row["bid"], row["ask"])
        for row in rows.with_columns(ts=times_ns(rows)).to_dicts()
    ]


def rows_of(venue, frames, received_ns=START):
    read = [venue.read(frame, received_ns) for frame in frames]
    assert not any(said.reconnect for said in read)
    batches = [batch for said in read for batch in said.batches]
    return top_of(tape_of(batches, "Polymarket"))


def test_a_row_wherever_the_top_changes_and_nowhere_else():
    market, venue = Market(300), PolymarketLive([YES])
    found = rows_of(venue, [market.first(), *market.frames])
    assert found == [(START - MS, 0.40, 0.45), *market.truth()]
    assert len(found) > 60


def test_frames_twice_or_with_a_whole_book_between_add_nothing():
    market, venue = Market(100), PolymarketLive([YES])
    frames = list(duplicated([market.first(), *market.frames]))
    books = [frame for i, frame in enumerate(market.books) if i % 9 == 8]
    mixed = [frame for i, f in enumerate(frames) for frame in (f, *books[i // 12 : i // 12 + 1])]
    assert rows_of(venue, mixed)[-1][1:] == market.tops[-1]
    plain = PolymarketLive([YES])
    assert rows_of(plain, frames) == [(START - MS, 0.40, 0.45), *market.truth()]


def test_frames_out_of_order_end_in_the_right_book_and_stamps_never_fall():
    market = Market(200, seed=3)
    bare = []
    for frame in market.frames:
        said = json.loads(frame)
        for entry in said["price_changes"]:
            entry.pop("best_bid", None)
        bare.append(json.dumps(said))
    for seed in range(5):
        mixed = bare[:]
        random.Random(seed).shuffle(mixed)
        venue = PolymarketLive([YES])
        read = [venue.read(frame, START) for frame in (market.first(), *mixed)]
        best = venue._books[YES.token_id].best()
        assert best == market.tops[-1]
        at = times_ns(tape_of([b for said in read for b in said.batches], "Polymarket"))
        assert (np.diff(at) >= 0).all()
    for frames in (reordered([market.first(), *bare]), [*bare, market.first()]):
        venue = PolymarketLive([YES])
        for frame in frames:
            venue.read(frame, START)
        assert venue._books[YES.token_id].best() == market.tops[-1]


def test_a_side_nobody_quotes_is_null_and_neither_side_is_no_row():
    venue = PolymarketLive([YES])
    frames = [
        book(START, {0.4: 1}, {}),
        price_change(START + MS, [change("0.4", "0", best_bid="0", best_ask="1")]),
        price_change(START + 2 * MS, [change(".45", "3", "SELL")]),
    ]
    read = [venue.read(frame, START) for frame in frames]
    rows = [row for said in read for batch in said.batches for row in batch.rows.to_dicts()]
    assert [(r["probability"], r["bid"], r["ask"]) for r in rows] == [
        ((0.4 + 1) / 2, 0.4, None),
        (0.45 / 2, None, 0.45),
    ]
    assert {row["symbol"] for row in rows} == {"syn-yes"}


def test_a_lost_message_is_a_hole_and_the_book_takes_the_venues_word():
    venue = PolymarketLive([YES])
    venue.read(book(START, {0.4: 1, 0.3: 1}, {0.5: 1}), START)
    # Nobody told us that 0.42 was bid.
    said = venue.read(
        price_change(START + MS, [change("0.3", "2", best_bid="0.42", best_ask="0.5")]), START
    )
    assert [(hole.feed, hole.from_ns, hole.to_ns) for hole in said.holes] == [
        ("Polymarket", START, START + MS)
    ]
    assert (said.reconnect, said.batches[0].rows["bid"].to_list()) == ("", [0.42])
    assert venue._books[YES.token_id].best() == (0.42, 0.5)
    # It agrees from here on, and a bid that is gone falls back to what is below it.
    gone = change("0.42", "0", best_bid="0.4", best_ask="0.5")
    said = venue.read(price_change(START + 2 * MS, [gone]), START + 2 * 60 * SECOND)
    assert (said.holes, said.batches[0].rows["bid"].to_list()) == ((), [0.4])
    # Nobody told us that 0.4 is no longer bid.
    left = price_change(START + 3 * MS, [change("0.2", "1", best_bid="0.3", best_ask="0.5")])
    said = venue.read(left, START + 2 * 60 * SECOND)
    assert (len(said.holes), said.batches[0].rows["bid"].to_list()) == (1, [0.3])
    assert venue._books[YES.token_id].best() == (0.3, 0.5)


def test_an_older_whole_book_and_the_books_of_an_old_connection_are_left():
    venue = PolymarketLive([YES])
    venue.read(book(START + 5 * MS, {0.4: 1}, {0.5: 1}), START)
    assert venue.read(book(START + 3 * MS, {0.45: 1}, {0.48: 1}), START).batches == ()
    venue.hello()
    assert venue.read(price_change(START + 6 * MS, [change("0.45", "0")]), START).batches == ()
    assert venue.read(book(START + 6 * MS, {0.4: 1}, {0.5: 1}), START).batches


def test_a_venue_that_never_agrees_is_told_of_once_a_minute():
    venue = PolymarketLive([YES])
    venue.read(book(START, {0.4: 1}, {0.5: 1}), START)
    told = []
    for second in range(150):
        stated = {"best_bid": f"0.{41 + second % 2}", "best_ask": "0.5"}
        ts = START + second * SECOND
        said = venue.read(price_change(ts, [change("0.3", "1", **stated)]), ts)
        assert said.batches[0].rows["bid"].to_list() == [float(stated["best_bid"])]
        told += [second] if said.holes else []
    assert told == [0, 60, 120]


def test_a_crossed_book_is_no_row_and_asks_for_a_new_connection():
    venue = PolymarketLive([YES])
    said = venue.read(book(START, {0.6: 1}, {0.5: 1}), START)
    assert (said.batches, "crossed" in said.reconnect) == ((), True)
    said = venue.read(price_change(START, [change("0.61", "1")]), START + 59 * SECOND)
    assert (said.batches, said.reconnect) == ((), "")
    venue.hello()
    fresh = venue.read(book(START, {0.4: 1}, {0.5: 1}), START + 60 * SECOND)
    assert (len(fresh.batches), fresh.reconnect) == (1, "")


def test_each_token_has_its_own_book_and_a_frame_may_hold_several_events():
    venue = PolymarketLive([YES, NO])
    frame = f"[{book(START, {0.4: 1}, {0.5: 1})}, {book(START, {0.5: 1}, {0.6: 1}, NO.token_id)}]"
    assert [batch.feed for batch in venue.read(frame, START).batches] == [YES.label, NO.label]
    both = [change("0.45", "2"), change("0.55", "2", "SELL", NO.token_id)]
    rows = venue.read(price_change(START + MS, both), START).batches
    assert [(b.rows["bid"][0], b.rows["ask"][0]) for b in rows] == [(0.45, 0.5), (0.5, 0.55)]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (book(START, {}, {})[:40], "JSON"),
        ("[3]", "an object"),
        (book(START, {0.4: 1}, {}).replace('"0.4"', "0.4"), "text"),
        (book(START, {}, {}).replace("[]", "3"), "a list of objects"),
        (book(START, {0.4: 1}, {}, timestamp="soon"), "column 'timestamp'"),
        (book(START, {1.4: 1}, {}), "column 'price'.*below 1"),
        (book(START, {0.4: -1}, {}), "column 'size'.*>= 0"),
        (price_change(START, [change("0.3", "1", "HOLD")]), "column 'side'.*BUY or SELL"),
        (price_change(START, [change("0.3", "nan")]), "column 'size'.*finite"),
        (price_change(START, [change("0.3", "1", best_bid="2", best_ask="1")]), "'best_bid'"),
        ('{"event_type": "price_change", "timestamp": "1"}', "the list 'price_changes'"),
        (f"[{price_change(START, [change('.41', '1')])}, {price_change(START, [{}])}]", "asset_id"),
    ],
    ids=[
        "torn", "no object", "a number for text", "no levels", "time", "price", "size", "side",
        "no number", "beyond", "no changes", "good then bad",
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_says_where_and_changes_nothing(frame, said):
    venue = PolymarketLive([YES])
    venue.read(book(START, {0.4: 1}, {0.5: 1}), START)
    with pytest.raises(InputError, match=said):
        venue.read(frame, START)
    assert venue._books[YES.token_id].best() == (0.4, 0.5)


def test_other_messages_are_counted_and_left():
    venue = PolymarketLive([YES])
    for kind in ("last_trade_price", "tick_size_change", "last_trade_price"):
        assert venue.read(json.dumps({"event_type": kind, "price": "0.4"}), START).batches == ()
    assert venue.read(book(START, {0.4: 1}, {}, "7799"), START).batches == ()
    assert venue.read("PONG", START) == venue.read(b"PONG", START) == venue.read("[]", START)
    assert venue.ignored == {"last_trade_price": 2, "tick_size_change": 1}
    assert venue.heartbeat() == (10.0, "PING")
    assert json.loads(venue.hello()[0]) == {"type": "market", "assets_ids": ["7700"]}
    assert [feed.label for feed in PolymarketLive([YES, NO]).feeds] == [YES.label, NO.label]
    for contracts in ([], [YES, YES], [YES, NO._replace(label=YES.label)]):
        with pytest.raises(InputError):
            PolymarketLive(contracts)


def test_missed_minutes_are_the_history_of_the_service(loopback, client):
    points = [{"t": START // SECOND + 60 * i, "p": 0.4 + i / 100} for i in range(6)]

    def history(asked):
        low, high = int(asked.query["startTs"]), int(asked.query["endTs"])
        assert (asked.query["market"], asked.query["fidelity"]) == ("7700", "1")
        return as_json({"history": [point for point in points if low <= point["t"] <= high]})

    loopback.routes[HISTORY] = history
    venue = PolymarketLive([YES], base=loopback.base)
    (batch,) = venue.backfill(client, "Polymarket", START + 1, START + 200 * SECOND)
    assert batch.rows.equals(parse_history({"history": points}, symbol="syn-yes").slice(1, 3))
    (again,) = venue.backfill(client, "Polymarket", START, START + 100 * SECOND)
    assert again.keys[-1] == batch.keys[0]
    two_days = venue.backfill(client, "Polymarket", START, START + 48 * 3_600 * SECOND)
    assert (two_days[0].rows.height, len(loopback.asked)) == (6, 5)
    assert venue.backfill(client, "Polymarket", START + 1, START + 2) == ()


def test_through_a_bad_line_no_change_that_was_heard_is_lost_and_the_end_is_right():
    market, at = Market(120, seed=5), [-1]
    points = [
        {"t": stamp(i) // SECOND, "p": round(sum(market.tops[i]) / 2, 4)} for i in range(0, 120, 8)
    ]

    def upto(i):
        """The market has come to frame ``i``: a new subscriber gets the book after it."""
        return Until(lambda: at.__setitem__(0, i) is None)

    def answers(text):
        if "assets_ids" not in text:
            return ["PONG"]
        return [market.books[at[0]] if at[0] >= 0 else market.first()]

    def history(asked):
        low, high = int(asked.query["startTs"]), int(asked.query["endTs"])
        known = [p for p in points if low <= p["t"] <= high and p["t"] * SECOND <= stamp(at[0])]
        return as_json({"history": known})

    frames = market.frames
    skipped = next(i for i in range(60, 80) if market.tops[i] != market.tops[i - 1])
    script = [
        *duplicated(cut(frames[:40])),
        upto(49),
        Drop(missed=10),
        *frames[40:skipped],
        Missed(1),
        *frames[skipped:90],
        upto(99),
        Stall(missed=10),
        *frames[90:],
    ]
    with LiveServer(script, {HISTORY: history}, answers=answers) as server:
        venue = PolymarketLive([YES], url=server.url, base=server.rest)
        venue.silence_s = 0.4

        def enough(batches):
            last = batches[-1].rows.tail(1).row(0)
            return server.finished and last[3:5] == market.tops[-1]

        batches, health = collected(venue, enough, now_ns=stamp(120))
    tape = tape_of(batches, "Polymarket")
    shown = tape.filter(pl.col("bid").is_not_null())
    found = top_of(shown)
    truth = {(stamp(i), *top) for i, top in enumerate(market.tops)} | {(START - MS, 0.40, 0.45)}
    assert set(found) <= truth
    missed = {*range(40, 50), skipped, *range(90, 100)}
    heard = [row for row in market.truth() if (row[0] - START) // (250 * MS) not in missed]
    assert set(heard) <= set(found)
    said = health["Polymarket"]
    assert (said.reconnects, said.gaps) == (2, 1)
    assert said.malformed == 8
    assert said.unfilled == 0


def test_the_lines_own_heartbeat_keeps_a_quiet_market_alive():
    first = book(START, {0.4: 1}, {0.5: 1})
    last = book(START + MS, {0.4: 1}, {0.6: 1})

    def answers(text):
        return ["PONG"] if text == "PING" else [first]

    with LiveServer([1.0, last], answers=answers) as server:
        venue = PolymarketLive([YES], url=server.url, base=server.rest)
        venue.silence_s = 0.5
        venue.heartbeat = lambda: (0.05, "PING")
        batches, health = collected(venue, lambda _: server.finished, now_ns=START + SECOND)
    assert [batch.rows["ask"].to_list() for batch in batches] == [[0.5], [0.6]]
    assert (health["Polymarket"].reconnects, health["Polymarket"].malformed) == (0, 0)
    assert "PING" in server.heard[0]
