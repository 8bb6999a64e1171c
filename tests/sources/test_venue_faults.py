"""Every venue under every fault of a line: drops, repeats, disorder, bad frames, silence.

Each venue's own frames go through its socket from a loopback server that does one thing wrong.
What must come out: the rows of the same frames read in peace, each once, in the order of stamps
wherever frames kept theirs. Polymarket keeps no record of its quotes, so what a cut line missed
stays missed there, and the book must be right again at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest

from eventtape.clock import MINUTE
from eventtape.sources.deribit_live import DeribitLive
from eventtape.sources.kalshi_live import KalshiLive
from eventtape.sources.live_socket import Socket
from eventtape.sources.polygon_live import keyed_client
from eventtape.sources.polymarket_live import PolymarketLive
from eventtape.tape import times_ns
from sources import test_binance_live as binance
from sources import test_deribit_live as deribit
from sources import test_kalshi_live as kalshi
from sources import test_polygon_live as polygon
from sources import test_polymarket_live as polymarket
from sources.live_reading import QUICK, once, quick_rest, read_until
from sources.live_server import Drop, LiveServer, Missed, Stall, duplicated, reordered
from sources.loopback_server import as_json

N = 24  # frames of each market
AT, MISSED = 12, 3  # where the line is cut, and how many frames nobody hears
SILENCE_S = 0.3
BAD = (b"\x80\x81", "[", "7", '"text"', '{"torn": ')


class Rig(NamedTuple):
    """One venue's market: how its service behaves and what its frames say."""

    frame: Callable[[int, int], str]  # the i-th, by a connection that began with another
    server: Callable[[Any], LiveServer]
    venue: Callable[[LiveServer | None], Any]
    feeds: tuple[str, ...]
    now_ns: int
    greeting: tuple[str, ...] = ()  # read before any frame
    client: Callable[[], Any] = quick_rest
    kept: bool = True  # the service has over REST what a line missed

    def frames(self, first: int = 0) -> list[str]:
        """The frames from the first that a connection hears."""
        return [self.frame(i, first) for i in range(first, N)]

    def rows(self, left_out: frozenset[int] = frozenset()) -> dict[str, pl.DataFrame]:
        """Rows and keys by feed as a venue in peace reads them."""
        venue, heard = self.venue(None), []
        for said in self.greeting:
            heard += venue.read(said, self.now_ns).batches
        for i in range(N):
            found = venue.read(self.frame(i, 0), self.now_ns).batches
            heard += () if i in left_out else found
        return {feed: once(heard, feed) for feed in self.feeds}


def binance_rig() -> Rig:
    market = binance.trades(N)
    return Rig(
        lambda i, _first: binance.frame(market[i]),
        lambda script: LiveServer(script, binance.rest_of(market), hellos=0),
        binance.venue,
        ("bitcoin",),
        market[-1]["time"] * 1_000_000,
    )


def deribit_rig() -> Rig:
    numbers = range(N)
    rest = {
        deribit.BY_TIME: deribit.by_time(numbers, page_rows=N),
        deribit.BY_NUMBER: deribit.by_number(numbers),
    }
    return Rig(
        lambda i, _first: deribit.told(i),
        lambda script: LiveServer(script, rest, hellos=2),
        lambda server: DeribitLive() if server is None else DeribitLive(
            url=server.url, base=server.rest
        ),
        (deribit.FEED,),
        deribit.START + MINUTE,
    )  # fmt: skip


def kalshi_rig() -> Rig:
    rest = {kalshi.TRADES: kalshi.rest(range(N))}
    return Rig(
        lambda i, first: kalshi.trade(i, seq=i - first + 1),
        lambda script: LiveServer(script, rest),
        lambda server: KalshiLive([kalshi.A], quotes=False, **_places(server)),
        (kalshi.A.label,),
        kalshi.at(N),
    )


def polygon_rig() -> Rig:
    market = polygon.events(3 * N)
    frames = polygon.frames(market)
    return Rig(
        lambda i, _first: frames[i],
        lambda script: polygon.service(script, polygon.rest_of(market)),
        polygon.venue,
        (polygon.TRADES, polygon.QUOTES),
        market[-1]["t"] * 1_000_000,
        client=keyed_client(polygon.KEY),
    )


def polymarket_rig() -> Rig:
    market = polymarket.Market(N, seed=5)
    heard: list[int] = []

    def book(text: str) -> list[str]:
        """To a new subscriber, the book as it is when the line comes back."""
        if "assets_ids" not in text:
            return ["PONG"]
        heard.append(len(heard))
        return [market.first() if len(heard) == 1 else market.books[AT + MISSED - 1]]

    return Rig(
        lambda i, _first: market.frames[i],
        lambda script: LiveServer(
            script, {polymarket.HISTORY: as_json({"history": []})}, answers=book
        ),
        lambda server: PolymarketLive([polymarket.YES], **_places(server)),
        (polymarket.YES.label,),
        polymarket.stamp(N),
        greeting=(market.first(),),
        kept=False,
    )


def _places(server: LiveServer | None) -> Mapping[str, str]:
    return {} if server is None else {"url": server.url, "base": server.rest}


RIGS = {
    "binance": binance_rig,
    "deribit": deribit_rig,
    "kalshi": kalshi_rig,
    "polygon": polygon_rig,
    "polymarket": polymarket_rig,
}


def read(rig: Rig, script: Any, wanted: Mapping[str, pl.DataFrame], end=lambda _: True):
    """What the socket gave until all that is wanted has come, and the feeds' health then."""
    with rig.server(script) as server:
        venue = rig.venue(server)
        venue.silence_s = SILENCE_S if Stall in map(type, script) else 30.0
        socket = Socket(venue, client=rig.client, limits=QUICK, seed=1, wall_ns=lambda: rig.now_ns)
        missing = {feed: set(rows["key"].to_list()) for feed, rows in wanted.items()}

        def enough(got) -> bool:
            for batch in got:
                missing.get(batch.feed, set()).difference_update(batch.keys.tolist())
            return server.finished and bool(got) and not any(missing.values()) and end(got)

        got = read_until(socket, enough)
        said = {health.feed: health for health in socket.health()}
    return {feed: once(got, feed) for feed in rig.feeds}, [said[feed] for feed in rig.feeds]


def in_order(rows: pl.DataFrame) -> bool:
    return bool((np.diff(times_ns(rows)) >= 0).all())


@pytest.mark.parametrize("cut", [Drop, Stall], ids=["drop", "silent stall"])
@pytest.mark.parametrize("name", RIGS)
def test_a_line_that_is_cut_or_falls_silent_is_made_anew_and_made_good(name, cut):
    rig = RIGS[name]()
    script = [*rig.frames()[:AT], cut(MISSED)]
    missed = [rig.frame(i, 0) for i in range(AT, AT + MISSED)]
    gone = frozenset() if rig.kept else frozenset(range(AT, AT + MISSED))
    wanted = rig.rows(gone)
    got, health = read(rig, [*script, *missed, *rig.frames(AT + MISSED)], wanted)
    for feed, rows in wanted.items():
        assert in_order(got[feed])
        if rig.kept:
            assert got[feed].sort("key").equals(rows.sort("key"))
        else:  # and one row more, the book as it was when the line came back
            assert set(rows["key"]) <= set(got[feed]["key"])
            assert got[feed].height <= rows.height + 1
            assert got[feed]["bid", "ask"].row(-1) == rows["bid", "ask"].row(-1)
    words = "nothing heard for 0.3 s" if cut is Stall else "ConnectionClosed"
    assert all(words in one.message for one in health)
    assert all((one.reconnects >= 1, one.unfilled) == (True, 0) for one in health)
    assert not rig.kept or all(one.backfilled >= 1 for one in health)


@pytest.mark.parametrize("name", RIGS)
def test_frames_that_come_twice_are_one(name):
    rig = RIGS[name]()
    wanted = rig.rows()
    got, health = read(rig, list(duplicated(rig.frames())), wanted)
    for feed, rows in wanted.items():
        assert got[feed].equals(rows)
    assert all((one.gaps, one.malformed, one.reconnects) == (0, 0, 0) for one in health)


@pytest.mark.parametrize("name", RIGS)
def test_frames_out_of_order_lose_nothing(name):
    rig = RIGS[name]()
    wanted = rig.rows()
    script = list(reordered(rig.frames()))
    if rig.kept:
        got, health = read(rig, script, wanted)
        for feed, rows in wanted.items():
            assert got[feed].sort("key").equals(rows.sort("key"))
    else:
        (feed,) = rig.feeds
        last = wanted[feed]["bid", "ask"].row(-1)
        got, health = read(rig, script, {}, lambda b: b[-1].rows["bid", "ask"].row(-1) == last)
        assert in_order(got[feed])
        assert got[feed]["bid", "ask"].row(-1) == last
    assert all((one.malformed, one.reconnects, one.unfilled) == (0, 0, 0) for one in health)


@pytest.mark.parametrize("name", RIGS)
def test_frames_that_cannot_be_read_are_counted_and_cost_nothing_else(name):
    rig = RIGS[name]()
    wanted = rig.rows()
    frames = rig.frames()
    torn = [frame[: len(frame) // 2] for frame in frames[:3]]
    script = [*frames[:5], *torn, *frames[5:9]]
    for bad, frame in zip(BAD, frames[9:], strict=False):
        script += [bad, frame]
    got, health = read(rig, [*script, *frames[9 + len(BAD) :]], wanted)
    for feed, rows in wanted.items():
        assert got[feed].equals(rows)
    told = (len(torn) + len(BAD), 0, 0)
    assert all((one.malformed, one.gaps, one.reconnects) == told for one in health)


def test_what_polygon_loses_inside_a_connection_is_not_noticed():
    # Its sequence numbers have gaps of their own: the one venue where a hole shows nowhere.
    rig = polygon_rig()
    frames = rig.frames()
    script = [*frames[:AT], Missed(MISSED), *frames[AT:]]
    heard = rig.rows(frozenset(range(AT, AT + MISSED)))
    got, health = read(rig, script, heard)
    for feed, rows in heard.items():
        assert got[feed].equals(rows)
    assert all((one.gaps, one.backfilled, one.reconnects) == (0, 0, 0) for one in health)
