"""Polygon live: the log-in, frames and REST rows agree with the flat files, nothing is lost."""

from __future__ import annotations

import json
import logging
from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from eventtape.errors import FetchError, InputError
from eventtape.sources import POLICIES, read_polygon_quotes, read_polygon_trades
from eventtape.sources.conditions import Judge
from eventtape.sources.live_socket import Socket
from eventtape.sources.polygon_live import PolygonLive, keyed_client
from eventtape.sources.tick_columns import Place, firm, judged
from eventtape.tape import EQUITY_TRADE, QUOTE, times_ns
from sources.live_reading import QUICK, has_keys, once, quick_rest, read_until
from sources.live_server import (
    Drop,
    Goodbye,
    LiveServer,
    Missed,
    Until,
    cut,
    duplicated,
    failing,
    reordered,
)
from sources.loopback_server import as_json

KEY = "sesame-0123456789"
SYMBOLS = ("AAA", "BRK.B")
START_MS = 1_767_278_100_000
TRADES, QUOTES = "stock trades", "stock quotes"
CONDITIONS = ([], [14], [37], [14, 37, 41], [12], [2])


def events(n: int, *, seed: int = 1) -> list[dict]:
    """A market's events in the websocket's shape, two symbols, rising numbers with gaps."""
    rng = np.random.default_rng(seed)
    at = START_MS + np.cumsum(rng.integers(0, 40, n))
    numbers = 100 + np.cumsum(rng.integers(1, 9, n))
    made = []
    for i in range(n):
        both = {"sym": SYMBOLS[rng.integers(2)], "t": int(at[i]), "q": int(numbers[i]), "z": 3}
        bid = round(100 + rng.integers(0, 50) / 100, 2)
        if rng.random() < 0.4:
            more = {"x": 4, "i": str(i), "p": bid, "s": int(rng.integers(1, 500))}
            made.append({"ev": "T", **both, **more, "c": CONDITIONS[rng.integers(6)], "trfi": 0})
        else:
            sides = {"bp": bid, "bs": int(rng.integers(1, 9)), "bx": 1, "ap": bid + 0.02, "as": 3}
            made.append({"ev": "Q", **both, **sides, "ax": 2, "c": 1, "i": [604]})
    return made


def frames(market: list[dict], size: int = 3) -> list[str]:
    return [json.dumps(market[at : at + size]) for at in range(0, len(market), size)]


def rest_row(event: dict) -> dict:
    """The same event in REST's shape; the stamp has the nanoseconds the websocket lacks."""
    row = {"sip_timestamp": event["t"] * 1_000_000 + 123_456, "sequence_number": event["q"]}
    if event["ev"] == "T":
        row |= {"price": event["p"], "size": event["s"], "exchange": 4, "id": event["i"]}
        return row | ({"conditions": event["c"]} if event["c"] else {})
    names = {"bp": "bid_price", "bs": "bid_size", "ap": "ask_price", "as": "ask_size"}
    return row | {name: event[short] for short, name in names.items()}


def rest_of(market: list[dict], page: int = 7) -> dict:
    """Routes over the whole market, in pages."""

    def route(kind, symbol):
        rows = [rest_row(e) for e in market if e["ev"] == kind and e["sym"] == symbol]

        def answer(asked):
            assert asked.headers["Authorization"] == f"Bearer {KEY}"
            assert KEY not in asked.path + json.dumps(asked.query)
            query = asked.query
            low, high = (int(query[f"timestamp.{end}"]) for end in ("gte", "lte"))
            found = [row for row in rows if low <= row["sip_timestamp"] <= high]
            at = int(query.get("cursor", 0))
            said = {"results": found[at : at + page], "status": "OK"}
            if at + page < len(found):
                again = f"timestamp.gte={low}&timestamp.lte={high}&cursor={at + page}"
                said["next_url"] = f"http://{asked.headers['Host']}{asked.path}?{again}"
            return as_json(said)

        return answer

    return {
        f"/v3/{what}/{symbol}": route(kind, symbol)
        for kind, what in (("T", "trades"), ("Q", "quotes"))
        for symbol in SYMBOLS
    }


def status(name: str, message: str = "") -> str:
    return json.dumps([{"ev": "status", "status": name, "message": message}])


def service(script, rest=None, **more) -> LiveServer:
    """A server that wants the key, then the subscription, and then follows the script."""

    def answers(text):
        said = json.loads(text)
        if said["action"] == "auth":
            return [
                status("auth_success" if said["params"] == KEY else "auth_failed", said["params"])
            ]
        return [status("success", f"subscribed to: {said['params']}")]

    greeting = (status("connected", "Connected Successfully"),)
    return LiveServer(script, rest, greeting=greeting, hellos=2, answers=answers, **more)


def venue(server: LiveServer | None = None, symbols=SYMBOLS, **more) -> PolygonLive:
    where = {} if server is None else {"url": server.url, "rest": server.rest}
    return PolygonLive(more.pop("key", KEY), symbols, **where, **more)


def told(market: list[dict], **more) -> dict[str, pl.DataFrame]:
    """Rows and keys by feed as one frame of everything gives them."""
    batches = venue(**more).read(json.dumps(market), 7).batches
    return {b.feed: b.rows.with_columns(pl.Series("key", b.keys)) for b in batches}


def read_all(server, market, since=None, **more):
    socket = Socket(venue(server, **more), client=keyed_client(KEY), limits=QUICK, seed=1)
    wanted = told(market)
    enough = [has_keys(feed, rows["key"]) for feed, rows in wanted.items()]

    def over(got):
        return server.finished and all(one(got) for one in enough)

    return socket, read_until(socket, over, since)


def same(got, market) -> None:
    """Whether each feed's rows are the market's, each once, in its order."""
    for feed, rows in told(market).items():
        assert once(got, feed).equals(rows)


@pytest.mark.parametrize("policy", ["regular", "extended", "all"])
def test_trades_are_judged_as_those_of_the_flat_files(policy):
    market = [event for event in events(200) if event["ev"] == "T"]
    codes = pa.array([",".join(map(str, event["c"])) for event in market])
    place = Place("file", {}, Counter())
    flat = judged({"condition": codes}, Judge("polygon"), POLICIES[policy], place, 0)
    got = told(market, policy=policy)[TRADES]
    assert got.select("iso", "eligible").equals(flat.select("iso", "eligible"))
    assert got["iso"].sum() > 0
    assert got["eligible"].all() == (policy == "all")


def test_quotes_are_firm_as_those_of_the_flat_files():
    loose = ({}, {"bs": 0}, {"bp": 0}, {"ap": 0, "as": 0}, {"as": 0})
    quotes = [event for event in events(60) if event["ev"] == "Q"]
    market = [event | loose[at % 5] for at, event in enumerate(quotes)]
    names = {"bp": "bid", "bs": "bid_size", "ap": "ask", "as": "ask_size"}
    raw = pl.DataFrame([{names[k]: float(e[k]) for k in names} for e in market])
    place = Place("file", {}, Counter())
    polygon = venue()
    (batch,) = polygon.read(json.dumps(market), 7).batches
    assert batch.rows.select(list(names.values())).equals(firm(raw, place))
    assert {name: n for name, n in polygon.counts.items() if n} == place.counts


@pytest.mark.slow
def test_a_frame_gives_what_the_flat_file_of_the_same_events_gives(tmp_path):
    market = events(60)
    got = told(market, policy="regular", lot=1.0)
    for kind, feed, reader in (
        ("T", TRADES, read_polygon_trades),
        ("Q", QUOTES, read_polygon_quotes),
    ):
        rows = [
            {"ticker": e["sym"], **rest_row(e), "sip_timestamp": e["t"] * 1_000_000}
            for e in market
            if e["ev"] == kind
        ]
        for row in rows:
            row.pop("conditions", None)
        if kind == "T":
            codes = [",".join(map(str, e["c"])) for e in market if e["ev"] == "T"]
            rows = [row | {"conditions": code} for row, code in zip(rows, codes, strict=True)]
        file = tmp_path / f"{feed}.csv"
        pl.DataFrame(rows).sort("ticker", maintain_order=True).write_csv(file)
        flat = reader(file).with_columns(pl.col("symbol").cast(pl.String))
        live = got[feed].drop("key").sort("symbol", maintain_order=True)
        assert live.equals(flat), feed
    assert got[TRADES]["iso"].sum() > 0
    assert not got[TRADES]["eligible"].all()


def test_rest_rows_and_frames_agree_in_rows_and_keys():
    market = events(80)
    span = (market[0]["t"] * 1_000_000, (market[-1]["t"] + 1) * 1_000_000)
    wanted = told(market)
    with LiveServer([], rest_of(market)) as server, keyed_client(KEY)() as client:
        for feed, rows in wanted.items():
            found = venue(server).backfill(client, feed, *span)
            got = pl.concat([b.rows.with_columns(pl.Series("key", b.keys)) for b in found])
            assert got.sort("ts", "key").equals(rows.sort("ts", "key"))


def test_keys_tell_symbols_numbers_and_days_apart_and_nothing_else():
    day = 86_400_000
    trade = next(event for event in events(9) if event["ev"] == "T")
    later = [trade, trade | {"p": 1.0}, trade | {"sym": "C"}, trade | {"q": 1}]
    keys = told([*later, trade | {"t": trade["t"] + day}])[TRADES]["key"].to_list()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_trades_of_size_0_go_and_loose_sides_are_absent_and_both_are_counted():
    polygon = venue(lot=1.0)
    trade = {"ev": "T", "sym": "A", "t": START_MS, "q": 1, "p": 9.0, "s": 0, "c": [16]}
    quote = {"ev": "Q", "sym": "A", "t": START_MS, "q": 2, "bp": 9.0, "bs": 0, "ap": 9.5, "as": 4}
    (batch,) = polygon.read(json.dumps([trade, quote]), 7).batches
    assert batch.rows.select("bid", "bid_size", "ask", "ask_size").row(0) == (0.0, 0.0, 9.5, 4.0)
    assert (polygon.counts["trades of size 0"], polygon.counts["bid not firm"]) == (1, 1)
    lots = {"t": 1_700_000_000_000, "bs": 2}
    sizes = [
        told([quote | more], **lot)[QUOTES]["bid_size"][0]
        for more, lot in ((lots, {}), ({"bs": 2}, {}), (lots, {"lot": 1.0}))
    ]
    assert sizes == [200.0, 2.0, 2.0]


def test_an_unknown_condition_costs_eligibility_or_the_frame_as_the_policy_says():
    trade = {"ev": "T", "sym": "A", "t": START_MS, "q": 1, "p": 9.0, "s": 5, "c": [999]}
    assert told([trade])[TRADES]["eligible"].to_list() == [False]
    assert told([trade], policy=POLICIES["all"])[TRADES]["eligible"].to_list() == [True]
    with pytest.raises(InputError, match="999"):
        told([trade], policy="regular")


@pytest.mark.parametrize(
    "change",
    [
        {"t": "1767278100000"},
        {"t": None},
        {"t": 1.5},
        {"t": 12},
        {"q": -1},
        {"q": True},
        {"p": "9.0"},
        {"p": 0},
        {"s": None},
        {"sym": ""},
        {"sym": ["A"]},
        {"sym": None},
        {"c": 14},
        {"c": "14"},
        {"c": [[1]]},
        {"p": True},
        {"sym": "\ud800"},
    ],
    ids=ascii,
)
def test_a_field_that_cannot_be_is_an_input_error(change):
    trade = {"ev": "T", "sym": "A", "t": START_MS, "q": 1, "p": 9.0, "s": 5, "c": [14]}
    assert told([trade])[TRADES].height == 1
    with pytest.raises(InputError):
        told([trade | change])


@pytest.mark.parametrize("said", ["{}", "[3]", '["T"]', "[{}]", "7", "[", "null"])
def test_what_is_no_array_of_events_is_an_input_error(said):
    if said == "{}":
        assert venue().read("[]", 7).batches == ()
        return
    with pytest.raises(InputError):
        venue().read(said, 7)


@pytest.mark.parametrize("ev", [["T"], {}, None, 3], ids=str)
def test_kinds_and_states_that_are_no_text_are_passed_over(ev):
    one = venue()
    said = one.read(json.dumps([{"ev": ev}, {"ev": "status", "status": ev}]), 7)
    assert (said.batches, said.refused, said.reconnect) == ((), "", "")
    assert one.counts["events of other kinds"] == 1


def test_the_key_is_sent_first_and_the_subscription_when_it_is_accepted():
    market = events(12)
    with service(frames(market)) as server:
        socket, got = read_all(server, market)
        ((auth, subscribed),) = server.heard
    assert json.loads(auth) == {"action": "auth", "params": KEY}
    assert json.loads(subscribed)["params"] == "T.AAA,T.BRK.B,Q.AAA,Q.BRK.B"
    same(got, market)
    assert {health.state for health in socket.health()} == {"down"}


def test_a_wrong_key_is_refused_and_no_key_is_ever_told(caplog):
    caplog.set_level(logging.DEBUG)
    with service([], {"/v3/trades/AAA": as_json({}, status=403)}) as server:
        wrong = Socket(venue(server, key="wrong-key-987"), client=quick_rest, limits=QUICK)
        with pytest.raises(FetchError, match="auth_failed") as refused:
            read_until(wrong, lambda _: False)
        right = Socket(venue(server), client=keyed_client(KEY), limits=QUICK)
        since = {TRADES: START_MS * 1_000_000}
        read_until(right, lambda _: "403" in right.health()[0].message, since)
        assert server.heard[1][0].count(KEY) == 1
    # The server of the test speaks of what it heard; it is the client that must not.
    ours = [r.getMessage() for r in caplog.records if r.name != "websockets.server"]
    assert any("http" in said for said in ours)
    said = " ".join([*ours, str(refused.value), repr(wrong.health()), repr(right.health())])
    assert KEY not in said
    assert "wrong-key-987" not in said


@pytest.mark.parametrize("worse", [duplicated, reordered, cut], ids=lambda f: f.__name__)
def test_nothing_is_lost_to_repeats_disorder_and_torn_frames(worse):
    market = events(90)
    with service(list(worse(frames(market)))) as server:
        socket, got = read_all(server, market)
    for feed, rows in told(market).items():
        assert once(got, feed).sort("key").equals(rows.sort("key"))
    assert {h.malformed for h in socket.health()} == {6 if worse is cut else 0}
    assert len(socket.bad_frames()) == (6 if worse is cut else 0)


@pytest.mark.parametrize("way", [Drop, Goodbye], ids=lambda f: f.__name__)
def test_what_a_lost_connection_missed_comes_over_rest(way):
    market = events(150)
    script = frames(market)
    script[20:20] = [way(missed=8)]
    script[44:44] = [way(missed=2)]
    with service(script, rest_of(market)) as server:
        socket, got = read_all(server, market)
        connects = server.connects
    same(got, market)
    assert connects == 3
    for health in socket.health():
        assert (health.reconnects, health.unfilled) == (2, 0)
        assert health.backfilled >= 1


def test_all_symbols_are_filled_as_far_as_they_were_met_and_not_too_many():
    market = events(90)
    script = frames(market)
    script[15:15] = [Drop(missed=5)]
    with service(script, rest_of(market)) as server:
        _, got = read_all(server, market, symbols=("*",))
        assert json.loads(server.heard[0][1])["params"] == "T.*,Q.*"
        same(got, market)
        few = venue(server, ("*",), most_symbols=1)
        with quick_rest() as client:
            with pytest.raises(FetchError, match="no symbol"):
                few.backfill(client, TRADES, 0, 1)
            few.read(json.dumps(market), 7)
            with pytest.raises(FetchError, match="2 symbols to fill, more than 1"):
                few.backfill(client, TRADES, 0, 1)


def test_a_restart_goes_on_where_the_tape_ends():
    market = events(90)
    script = [Missed(20), *frames(market)]
    since = dict.fromkeys((TRADES, QUOTES), market[14]["t"] * 1_000_000)
    with service(script, rest_of(market)) as server:
        _, got = read_all(server, market[15:], since)
    for feed, rows in told(market[15:]).items():
        mine = once(got, feed)
        assert mine.filter(pl.col("key").is_in(rows["key"].implode())).equals(rows)
        assert (np.diff(times_ns(mine)) >= 0).all()


def test_a_page_elsewhere_a_loop_and_a_failing_service_are_told():
    market = events(40)
    routes = rest_of(market)
    path = "/v3/trades/AAA"
    with LiveServer([], routes) as server, keyed_client(KEY)() as client:
        routes = server.loopback.routes
        ask = lambda: venue(server, ("AAA",)).backfill(client, TRADES, 0, 1 << 62)  # noqa: E731
        routes[path] = as_json({"results": [], "next_url": "http://127.0.0.2:1/v3"})
        with pytest.raises(FetchError, match="the next page is not of"):
            ask()
        routes[path] = lambda asked: as_json({"next_url": f"{server.rest}{path}?a=1"})
        with pytest.raises(FetchError, match="same page twice"):
            ask()
        routes[path] = as_json({"results": 3})
        with pytest.raises(FetchError, match="'results'"):
            ask()
        routes[path] = failing(1, as_json({"results": []}), status=429, wait="0")
        assert ask() == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbols": ()},
        {"symbols": ("A/../B",)},
        {"key": ""},
        {"key": " a"},
        {"lot": 0.0},
        {"labels": ("x", "x")},
        {"policy": "unheard of"},
    ],
    ids=str,
)
def test_options_are_checked(wrong):
    with pytest.raises(InputError):
        venue(**wrong)


def test_feeds_are_trades_and_quotes_or_one_of_them():
    assert [(f.label, f.record) for f in venue().feeds] == [(TRADES, EQUITY_TRADE), (QUOTES, QUOTE)]
    assert [f.label for f in venue(labels=(None, "nbbo")).feeds] == ["nbbo"]


def test_a_service_that_lets_go_of_a_slow_client_is_called_again():
    market = events(30)
    script = frames(market)
    script[5:5] = [status("force_disconnect", "slow"), Until(lambda: server.connects == 2)]
    with service(script, rest_of(market)) as server:
        socket, got = read_all(server, market)
    same(got, market)
    assert socket.health()[0].message == "force_disconnect: slow"
