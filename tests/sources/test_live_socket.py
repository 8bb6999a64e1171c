"""The live connection against every fault: what is lost comes back, and what went wrong is said."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from contextlib import aclosing

import numpy as np
import polars as pl
import pytest

from eventtape.errors import FetchError, InputError
from eventtape.sources.live_line import Line, opened
from eventtape.sources.live_rows import live_batch, parse_frame
from eventtape.sources.live_socket import Limits, Socket
from eventtape.sources.live_venue import Hole, Read
from eventtape.tape import TRADE, Feed, Instrument, empty, times_ns
from sources.live_reading import QUICK, has_keys, once, quick_rest, read_until
from sources.live_server import Drop, LiveServer, Missed, Ping, Refuse, Stall, Until, failing
from sources.loopback_server import Reply, as_json

START_NS = 1_767_225_600_000_000_000
MS = 1_000_000


def stamp(n: int) -> int:
    return START_NS + n * MS


def frame(n: int, feed: str = "a") -> str:
    return json.dumps({"feed": feed, "n": n})


def run_of(n: int, feed: str = "a") -> list[str]:
    return [frame(i, feed) for i in range(n)]


def rest_of(n: int) -> dict:
    def answer(asked):
        low, high = (int(asked.query[name]) for name in ("from", "to"))
        return as_json([i for i in range(n) if low <= stamp(i) <= high])

    return {"/rows/a": answer, "/rows/b": answer}


class Toy:
    """A venue of numbered rows a millisecond apart; ``holes`` makes a jump a hole."""

    name = "toy"

    def __init__(self, server, *, silence_s=30.0, holes=True, feeds=("a",), beat=None, more=None):
        self.url, self.rest = server.url, server.rest
        self.silence_s, self.holes, self.beat = silence_s, holes, beat
        self.labels, self.more = feeds, more or {}
        self.last: dict[str, int] = {}

    @property
    def feeds(self):
        return tuple(
            Feed(Instrument("toy", name, "crypto"), name, TRADE, empty(TRADE), 0, "toy")
            for name in self.labels
        )

    def headers(self):
        return self.more

    def hello(self):
        return ("hello",)

    def heartbeat(self):
        return self.beat

    def read(self, said, received_ns):
        value = parse_frame(said, feed=self.name)
        if not isinstance(value, dict):
            raise InputError("an object", met=said, file=self.name)
        if "bug" in value:
            raise KeyError(value["bug"])
        if "n" not in value:
            return Read(**{k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})
        feed, n = value["feed"], value["n"]
        last = self.last.get(feed, n - 1)
        self.last[feed] = max(n, last)
        jump = self.holes and n > last + 1
        holes = (Hole(feed, stamp(last), stamp(n)),) if jump else ()
        return Read((self.batch(feed, [n], received_ns),), holes=holes)

    def backfill(self, client, feed, from_ns, to_ns):
        numbers = client.get_json(f"{self.rest}/rows/{feed}", {"from": from_ns, "to": to_ns})
        return (self.batch(feed, numbers, time.time_ns()),)

    def batch(self, feed, numbers, received_ns):
        columns = {
            "symbol": [feed] * len(numbers),
            "ts": [stamp(n) for n in numbers],
            "price": [1.0 + n for n in numbers],
            "size": [1.0] * len(numbers),
            "side": [0] * len(numbers),
        }
        return live_batch(feed, TRADE, columns, np.array(numbers, np.int64), received_ns)


def source(server, limits=QUICK, *, sleep=asyncio.sleep, **more) -> Socket:
    taken = {name: more.pop(name) for name in ("wall_ns", "monotonic") if name in more}
    venue = Toy(server, **more)
    return Socket(venue, client=quick_rest, limits=limits, seed=3, sleep=sleep, **taken)


def numbers(batches, feed="a") -> list[int]:
    return once(batches, feed)["key"].to_list()


def came(batches, feed="a") -> list[int]:
    """The rows as they came, repeats and all."""
    return [key for batch in batches if batch.feed == feed for key in batch.keys.tolist()]


@pytest.mark.parametrize(
    "status_and_wait", [(503, {}), (429, {"Retry-After": "7"}), (500, {"Retry-After": "soon"})]
)
def test_turned_away_it_comes_back_bounded_and_never_sooner_than_asked(status_and_wait):
    status, headers = status_and_wait
    waits = []

    async def sleep(seconds):
        waits.append(seconds)
        await asyncio.sleep(0)

    limits = QUICK._replace(wait_first_s=0.5, wait_most_s=3.0)
    refuse = Refuse(9, status, headers)
    with LiveServer(run_of(3), rest_of(3), first_refuse=refuse) as server:
        socket = source(server, limits, sleep=sleep)
        got = read_until(socket, has_keys("a", range(3)))
        refused = server.refused
    assert numbers(got) == [0, 1, 2]
    assert (refused, len(waits)) == (9, 9)
    least = float(headers["Retry-After"]) if status == 429 else 0.0
    tops = [max(min(0.5 * 2**n, 3.0), least) for n in range(9)]
    assert all(least <= wait <= top for wait, top in zip(waits, tops, strict=True))
    assert len(set(waits)) == (1 if least else 9)
    assert socket.health()[0].reconnects == 0
    assert str(status) in socket.health()[0].message


def test_the_back_off_begins_anew_after_a_healthy_minute_and_not_before():
    tops = {}
    for healthy in (False, True):
        waits, now = [], itertools.count(0, 100 if healthy else 1)

        async def sleep(seconds, waits=waits):
            waits.append(seconds)
            await asyncio.sleep(0)

        limits = QUICK._replace(wait_first_s=1.0, wait_most_s=1e6)
        script = list(itertools.chain.from_iterable((row, Drop()) for row in run_of(12)))
        with LiveServer([*script, frame(12)], rest_of(13)) as server:
            socket = source(server, limits, sleep=sleep, monotonic=lambda now=now: float(next(now)))
            read_until(socket, lambda _, at=socket: at.health()[0].reconnects == 12)
        tops[healthy] = max(waits)
    assert tops[True] <= 1.0 < tops[False]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
def test_a_status_that_will_not_pass_is_raised(status):
    words = f"toy refuses the connection: status {status}"
    refuse = Refuse(1, status)
    with LiveServer([], first_refuse=refuse) as server, pytest.raises(FetchError, match=words):
        read_until(source(server), lambda _: False)


def test_redirects_are_not_followed_and_headers_go_nowhere_else():
    with LiveServer([], first_refuse=None) as other:
        away = Refuse(1, 302, {"Location": other.url})
        with LiveServer([], first_refuse=away) as server:
            socket = source(server, more={"X-Key": "secret"})
            with pytest.raises(FetchError, match="status 302"):
                read_until(socket, lambda _: False)
        assert other.connects == 0


def test_headers_are_sent_and_replies_and_heartbeats_too():
    def beaten():
        return server.heard[0].count("ping") >= 3 and "pong" in server.heard[0]

    script = [json.dumps({"replies": ["pong"]}), Until(beaten), frame(0)]
    with LiveServer(script) as server:
        socket = source(server, beat=(0.005, "ping"), more={"X-Key": "k"})
        assert numbers(read_until(socket, has_keys("a", [0]))) == [0]
        assert server.headers[0]["X-Key"] == "k"
        assert server.heard[0][0] == "hello"


def test_a_refusal_is_raised_in_words():
    script, words = [frame(0), '{"refused": "no channel x"}'], "toy refuses: no channel x"
    with LiveServer(script) as server, pytest.raises(FetchError, match=words):
        read_until(source(server), lambda _: False)


def test_a_fault_of_the_venues_code_is_not_swallowed():
    with LiveServer([frame(0), '{"bug": "x"}']) as server, pytest.raises(KeyError):
        read_until(source(server), lambda _: False)


def test_a_venue_may_ask_for_a_new_connection():
    script = [frame(0), '{"reconnect": "book lost"}', Until(lambda: server.connects == 2), frame(1)]
    with LiveServer(script, rest_of(2)) as server:
        socket = source(server)
        assert numbers(read_until(socket, has_keys("a", [0, 1]))) == [0, 1]
    assert socket.health()[0].message == "book lost"
    assert socket.health()[0].reconnects == 1


def test_drops_lose_nothing_and_rows_keep_their_order():
    script = run_of(120)
    for at in (90, 60, 30):
        script[at:at] = [Drop(missed=4)]
    with LiveServer(script, rest_of(120)) as server:
        socket = source(server, holes=False)
        got = read_until(socket, lambda got: server.finished and has_keys("a", range(120))(got))
    assert numbers(got) == list(range(120))
    (health,) = socket.health()
    assert (health.reconnects, health.gaps, health.unfilled) == (3, 0, 0)
    assert health.backfilled >= 12
    assert health.rows == len(came(got))


def test_a_silent_line_is_stale_and_is_cut():
    states = []

    def seen_stale():
        states.append(socket.health()[0].state)
        return "stale" in states

    script = [frame(0), Stall(missed=2), frame(1), frame(2), Until(seen_stale), frame(3)]
    with LiveServer(script, rest_of(4)) as server:
        socket = source(server, silence_s=0.2)
        got = read_until(socket, has_keys("a", range(4)))
        assert server.connects == 2
    assert numbers(got) == [0, 1, 2, 3]
    (health,) = socket.health()
    assert health.message == "nothing heard for 0.2 s"


def test_pings_of_the_venue_are_signs_of_life_and_our_own_are_not():
    with LiveServer([Ping(), Ping(), frame(0)]) as server:

        async def heard():
            async with opened(Toy(server), QUICK) as line:
                await line.send("hello")
                await line.recv()
                first = line.heard
                await (await line.ping())
                return first, line.heard

        assert asyncio.run(heard()) == (3, 3)


def test_holes_hold_newer_rows_back_until_they_are_filled():
    script = run_of(40)
    script[20:20] = [Missed(6)]
    rest = rest_of(40)
    rest["/rows/a"] = failing(3, rest["/rows/a"])
    with LiveServer(script, rest) as server:
        socket = source(server)
        got = read_until(socket, has_keys("a", range(40)))
    assert numbers(got) == list(range(40))
    (health,) = socket.health()
    assert (health.gaps, health.unfilled) == (1, 0)


def test_a_fill_that_takes_too_long_is_waited_for_no_longer_and_comes_late():
    late = threading.Event()
    rest = rest_of(40)
    whole = rest["/rows/a"]

    def slow(asked):
        assert late.wait(30.0)
        return whole(asked)

    script = run_of(40)
    script[20:20] = [Missed(6)]
    with LiveServer(script, rest | {"/rows/a": slow}) as server:
        socket = source(server, QUICK._replace(hold_s=0.05))
        some = has_keys("a", [*range(20), *range(26, 40)])
        every = has_keys("a", range(40))

        def over(got):
            if some(got):
                late.set()
            return every(got)

        got = read_until(socket, over)
    assert numbers(got) == [*range(20), *range(26, 40), *range(20, 26)]


def test_other_feeds_do_not_wait_for_a_hole():
    late = threading.Event()
    rest = rest_of(30)
    whole = rest["/rows/a"]

    def slow(asked):
        assert late.wait(30.0)
        return whole(asked)

    pairs = itertools.chain.from_iterable(zip(run_of(30, "a"), run_of(30, "b"), strict=True))
    script = list(pairs)
    script[10:10] = [Missed(1)]
    with LiveServer(script, rest | {"/rows/a": slow}) as server:
        other, every = has_keys("b", range(30)), has_keys("a", range(30))

        def over(got):
            if other(got):
                late.set()
            return other(got) and every(got)

        got = read_until(source(server, feeds=("a", "b")), over)
    assert numbers(got, "a") == numbers(got, "b") == list(range(30))


def test_catching_up_twice_asks_from_where_the_first_began():
    late = threading.Event()
    rest = rest_of(23)
    whole = rest["/rows/a"]
    asked_from = []

    def slow(asked):
        asked_from.append(int(asked.query["from"]))
        assert late.wait(30.0)
        return whole(asked)

    twice = Until(lambda: len(asked_from) == 2)
    all_of = run_of(23)
    script = [*all_of[:10], Drop(missed=5), *all_of[10:16], Until(lambda: len(asked_from) == 1)]
    script += [Drop(missed=5), *all_of[16:22], twice, all_of[22]]
    with LiveServer(script, rest | {"/rows/a": slow}) as server:
        socket = source(server, QUICK._replace(overlap_s=0.0), holes=False)
        every = has_keys("a", range(23))

        def over(got):
            if len(asked_from) == 2:
                late.set()
            return every(got)

        got = read_until(socket, over)
    assert asked_from == [stamp(9), stamp(9)]
    assert numbers(got) == list(range(23))


def test_rows_between_an_early_answer_and_the_first_row_by_the_line_are_asked_for_again():
    """The venue greets at once, begins to send much later, and its market does not wait."""
    happened = [10]
    asked = []

    def rest(request):
        low = int(request.query["from"])
        asked.append(low)
        return as_json([i for i in range(happened[0]) if low <= stamp(i)])

    def begins():
        if asked:
            happened[0] = 13
        return bool(asked)

    script = [*run_of(10), Drop(), Until(begins), Missed(2), *run_of(16)[10:]]
    greeting = [json.dumps({"replies": []})]
    with LiveServer(script, {"/rows/a": rest}, greeting=greeting) as server:
        socket = source(server, QUICK._replace(overlap_s=0.0), holes=False)
        got = read_until(socket, has_keys("a", range(16)))
    assert numbers(got) == list(range(16))
    assert came(got) == sorted(came(got))  # none of them late
    assert len(asked) == 2
    assert socket.health()[0].unfilled == 0


def test_a_restart_brings_history_then_live():
    with LiveServer([Missed(20), *run_of(40)], rest_of(25)) as server:
        socket = source(server, QUICK._replace(overlap_s=0.004))
        got = read_until(socket, has_keys("a", range(11, 40)), {"a": stamp(10), "elsewhere": 5})
    assert numbers(got) == list(range(6, 40))
    assert socket.health()[0].unfilled == 0


def test_bad_frames_are_counted_kept_and_bounded():
    bad = ["{", "[1]", b"\xff\x00", "x" * 500, "null", '{"n"']
    with LiveServer([frame(0), *bad, frame(1)]) as server:
        socket = source(server, QUICK._replace(kept_frames=4, kept_bytes=10))
        got = read_until(socket, has_keys("a", [0, 1]))
    assert numbers(got) == [0, 1]
    assert socket.health()[0].malformed == 6
    assert [kept.frame for kept in socket.bad_frames()] == ["{", "[1]", b"\xff\x00", "x" * 10]
    assert all(kept.reason and kept.received_ns > 0 for kept in socket.bad_frames())
    assert socket.health()[0].reconnects == 0


@pytest.mark.parametrize("compression", ["deflate", None], ids=["bomb", "plain"])
def test_frames_beyond_the_limit_are_refused(compression):
    script = [frame(0), " " * 300_000 + frame(1), Until(lambda: server.connects == 2), frame(2)]
    with LiveServer(script, rest_of(3), compression=compression) as server:
        socket = source(server, QUICK._replace(frame_bytes=20_000), holes=False)
        got = read_until(socket, has_keys("a", range(3)))
    assert numbers(got) == [0, 1, 2]
    (health,) = socket.health()
    assert health.malformed == 1
    assert "20000 bytes" in socket.bad_frames()[0].reason


def test_the_skew_of_a_venue_a_second_and_a_half_behind_is_measured():
    delays = [40, 7, 0, 90, 25]  # on the way, ms
    clock = iter([*(stamp(n) + 1_500 * MS + d * MS for n, d in enumerate(delays))])
    last = itertools.repeat(stamp(9))
    with LiveServer(run_of(5)) as server:
        socket = source(server, wall_ns=lambda: next(clock, None) or next(last))
        read_until(socket, has_keys("a", range(5)))
    (health,) = socket.health()
    assert health.skew_ms == 1_500.0
    assert health.last_stamp_ns == stamp(4)
    assert health.last_received_ns == stamp(4) + 1_525 * MS


def test_what_comes_together_leaves_together_sorted():
    swapped = [frame(n) for n in (1, 0, 3, 2, 5, 4, *range(6, 200))]
    with LiveServer(swapped) as server:
        socket = source(server, QUICK._replace(flush_s=0.2), holes=False)
        got = read_until(socket, has_keys("a", range(200)))
    assert len(got) < 50
    assert numbers(got)[:6] == [0, 1, 2, 3, 4, 5]
    for batch in got:
        assert (np.diff(times_ns(batch.rows)) >= 0).all()
        assert batch.rows["price"].to_list() == [1.0 + key for key in batch.keys.tolist()]


def test_a_slow_reader_slows_the_line_and_loses_nothing():
    n, most = 500, 40

    async def read(socket):
        got = []
        async with aclosing(socket.batches({})) as batches:
            async for batch in batches:
                got.append(batch)
                taken = sum(b.rows.height for b in got)
                if len(got) == 1:
                    # Nothing is taken now: what may come fills up, and then no more is read.
                    while socket.health()[0].last_stamp_ns < stamp(taken + most):  # noqa: ASYNC110
                        await asyncio.sleep(0.005)
                    await asyncio.sleep(0.05)
                    assert socket.health()[0].last_stamp_ns == stamp(taken + most)
                if taken == n:
                    return got
        return None

    with LiveServer(run_of(n)) as server:
        socket = source(server, QUICK._replace(waiting_rows=most), holes=False)
        got = asyncio.run(read(socket))
    assert numbers(got) == list(range(n))
    assert max(batch.rows.height for batch in got[1:]) == most + 1


def test_a_line_that_never_pauses_leaves_others_their_turn(monkeypatch):
    class Buffered(Line):
        def __init__(self):
            self.rows = iter(range(30_000))

        async def send(self, _):
            pass

        async def recv(self):
            return frame(next(self.rows))  # a turn that comes to nobody ends in StopIteration

    class Opened:
        async def __aenter__(self):
            return Buffered()

        async def __aexit__(self, *error):
            pass

    monkeypatch.setattr("eventtape.sources.live_socket.opened", lambda *_: Opened())
    with LiveServer([]) as server:
        got = read_until(source(server), lambda got: len(got) >= 3)
    assert numbers(got) == list(range(len(numbers(got))))


def test_one_reader_at_a_time_and_another_afterwards():
    with LiveServer(lambda _: run_of(2), rest_of(2)) as server:
        socket = source(server)

        async def twice():
            async with aclosing(socket.batches({})) as batches:
                await anext(batches)
                with pytest.raises(InputError, match="one reader"):
                    await anext(socket.batches({}))

        asyncio.run(twice())
        assert socket.health()[0].state == "down"
        assert numbers(read_until(socket, has_keys("a", [0, 1]))) == [0, 1]
        assert server.connects == 2


def test_an_address_that_is_none_is_an_input_error():
    with LiveServer([]) as server:
        server.url = "http://127.0.0.1/"
        with pytest.raises(InputError, match="websocket address"):
            read_until(source(server), lambda _: False)


def test_nobody_there_is_down_in_words_and_goes_on():
    with LiveServer([]) as server:
        socket = source(server)
    read_until(socket, lambda _: "Error" in socket.health()[0].message)
    assert socket.health()[0].state == "down"


def test_usual_limits_hold_no_row_longer_than_a_merged_clock_waits():
    from eventtape.stream.order import Merged

    assert Limits().hold_s * 1e9 < Merged().quiet_ns
    assert isinstance(once([], "a"), pl.DataFrame)


def told(socket, batches) -> list[dict[str, int]]:
    """What the source was behind with as each batch left."""

    async def read():
        tell = []
        async with asyncio.timeout(30.0), aclosing(socket.batches({})) as got:
            async for batch in got:
                tell.append((batch.keys.tolist(), socket.behind()))
                if batches(tell):
                    return tell
        raise AssertionError("a source never ends")

    return asyncio.run(read())


def test_a_hole_is_told_before_newer_rows_leave_and_until_its_own_are_taken():
    late, rest = threading.Event(), rest_of(30)
    whole = rest["/rows/a"]

    def slow(asked):
        assert late.wait(30.0)
        return whole(asked)

    def over(tell):
        keys = {key for some, _ in tell for key in some}
        if keys >= {*range(20), *range(26, 30)}:
            late.set()
        return keys >= set(range(30)) and not tell[-1][1]

    script = [*run_of(30), Until(lambda: late.is_set() and not socket.behind()), frame(30)]
    script[20:20] = [Missed(6)]
    with LiveServer(script, rest | {"/rows/a": slow}) as server:
        socket = source(server, QUICK._replace(hold_s=0.05))
        assert socket.behind() == {}
        tell = told(socket, over)
    for keys, behind in tell:
        newer, filled = max(keys) >= 26 and 30 not in keys, bool({*range(20, 26)} & {*keys})
        if newer or filled:
            assert behind == {"a": stamp(19)}
    assert tell[-1] == ([30], {})


def test_a_source_left_while_a_hole_is_filled_is_still_behind_and_one_begun_there_is_not():
    async def never(_):
        await asyncio.sleep(60.0)

    script = run_of(12)
    script[5:5] = [Missed(3)]
    with LiveServer(script, {"/rows/a": Reply(b"{}", 500)}) as server:
        socket = source(server, QUICK._replace(hold_s=0.05), sleep=never)
        got = read_until(socket, has_keys("a", [11]))
        left = socket.behind()
    assert left == {"a": stamp(4)}
    assert not {5, 6, 7} & set(came(got))
    script = [frame(12), Until(lambda: not again.behind()), frame(13)]
    with LiveServer(script, rest_of(12)) as server:
        again = source(server, QUICK._replace(overlap_s=0.0))
        got = read_until(again, has_keys("a", range(4, 14)), left)
        assert (numbers(got), again.behind()) == ([*range(4, 14)], {})


def test_where_a_start_begins_is_told_before_there_is_a_line():
    with LiveServer([], rest_of(3), first_refuse=Refuse(10**6)) as server:
        socket = source(server)
        read_until(socket, lambda _: server.refused > 1, {"a": stamp(1), "elsewhere": 5})
        assert socket.behind() == {"a": stamp(1)}


@pytest.mark.parametrize("waits_s", [600.0, 0.0], ids=["asked again", "forgotten"])
def test_a_hole_given_up_is_told_for_a_while_and_filled_by_a_later_catching_up(
    waits_s, monkeypatch
):
    monkeypatch.setattr("eventtape.sources.live_fill._GIVEN_UP_S", waits_s)
    up, rest = threading.Event(), rest_of(12)
    whole = rest["/rows/a"]
    seen, answered = [], []

    def answer(asked):
        if not up.is_set():
            return Reply(b"{}", 500)
        answered.append(asked)
        return whole(asked)

    def given_up():
        if socket.health()[0].unfilled == 1 and bool(socket.behind()) == bool(waits_s):
            seen.append(socket.behind())
            up.set()
        return up.is_set()

    script = [*run_of(5), Missed(3), *run_of(9)[5:], Until(given_up), Drop(), *run_of(12)[9:]]
    script += [Until(lambda: answered and not socket.behind()), frame(12)]
    with LiveServer(script, {"/rows/a": answer}) as server:
        limits = QUICK._replace(fill_attempts=2, overlap_s=0.0)
        socket = source(server, limits)
        got = read_until(socket, has_keys("a", [*range(5), *range(8, 13)]))
    asked = bool(waits_s)
    assert seen[0] == ({"a": stamp(4)} if asked else {})
    assert ({5, 6, 7} <= set(came(got))) is asked
    assert socket.behind() == {}


def test_rows_stamped_in_the_future_are_kept_aside_and_do_not_move_the_clock():
    far = 3_600_000  # an hour on, ms
    now = stamp(10)
    script = [frame(0), frame(far), frame(1), frame(60_010), frame(60_011), frame(2)]
    with LiveServer(script, {"/rows/a": as_json([])}) as server:
        socket = source(server, wall_ns=lambda: now, holes=False)
        got = read_until(socket, has_keys("a", [2]))
    assert sorted(came(got)) == [0, 1, 2, 60_010]
    (health,) = socket.health()
    assert (health.malformed, health.last_stamp_ns, health.rows) == (2, stamp(60_010), 4)
    first = socket.bad_frames()[0]
    assert (first.frame, first.received_ns) == (frame(far), now)
    for word in ("a:", "2026-01-01T01:00:00", "our clock, 2026-01-01T00:00:00"):
        assert word in first.reason


def test_a_stamp_of_the_future_hides_no_hole_and_comes_by_no_fill():
    script = [frame(0), json.dumps({"holes": [["a", stamp(10**11), stamp(5)]]}), frame(5)]

    def answer(asked):
        asked_of.append((int(asked.query["from"]), int(asked.query["to"])))
        return as_json([1, 2, 10**11, 3, 4])

    asked_of = []
    with LiveServer(script, {"/rows/a": answer}) as server:
        socket = HoleToy.source(server)
        got = read_until(socket, has_keys("a", range(6)))
    assert sorted(came(got)) == [0, 1, 2, 3, 4, 5]
    assert asked_of == [(stamp(0), stamp(5))]
    assert socket.health()[0].malformed == 1


class HoleToy(Toy):
    """A toy whose frames may tell of holes themselves."""

    def read(self, said, received_ns):
        read = super().read(said, received_ns)
        return read._replace(holes=tuple(Hole(*hole) for hole in read.holes))

    @classmethod
    def source(cls, server):
        limits = QUICK._replace(overlap_s=0.0)
        return Socket(cls(server, holes=False), client=quick_rest, limits=limits, seed=3)
