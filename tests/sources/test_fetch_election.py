from __future__ import annotations

import pytest

from eventtape.clock import parse_ns
from eventtape.errors import FetchError, InputError
from eventtape.sources import (
    ELECTION_2024,
    ELECTION_2024_TRADES,
    Endpoints,
    NotFoundError,
    as_feed,
    fetch_election_2024,
)
from eventtape.tape import TRADE, times_ns
from sources.loopback_server import Reply, as_json
from sources.world import (
    API,
    DJT,
    END,
    HISTORY,
    KH,
    KLINES,
    MIDNIGHT,
    START,
    A,
    B,
    candles,
    clob,
    furnish,
    historical,
    live,
    no_candles,
    trades,
)


@pytest.fixture
def world(loopback):
    return furnish(loopback)


def fetch(client, world, cache, *labels, **more):
    specs = [
        spec for spec in ELECTION_2024 + ELECTION_2024_TRADES if not labels or spec.label in labels
    ]
    window = {"start_ns": parse_ns(START), "end_ns": parse_ns(END), "specs": specs, **more}
    endpoints = Endpoints(world.base, world.base, world.base)
    return list(fetch_election_2024(client, endpoints, cache, **window))


def only(outcomes):
    (outcome,) = outcomes
    return outcome


def test_every_keyless_feed_arrives_checked_and_inside_the_window(client, world, tmp_path):
    seen = []
    outcomes = fetch(client, world, tmp_path, progress=lambda *told: seen.append(told))
    assert [(o.spec.label, o.error) for o in outcomes] == [
        (label, None)
        for label in (
            "Polymarket",
            "Kalshi",
            "Kalshi KH",
            "BTC",
            "Kalshi trades",
            "Kalshi KH trades",
        )
    ]
    for outcome in outcomes:
        ts = times_ns(outcome.frame)
        assert parse_ns(START) < ts[0] <= ts[-1] <= parse_ns(END)
    frames = {o.spec.label: o.frame for o in outcomes}
    assert [as_feed(o.spec, o.frame, "http").record for o in outcomes][-1] is TRADE
    assert frames["BTC"].height == frames["Kalshi"].height == 240
    assert [told for told in seen if told[0] == "BTC"] == [("BTC", 1, 2), ("BTC", 2, 2)]
    assert ("Kalshi trades", 1, None) in seen


def test_requests_span_at_most_a_day_and_seams_count_once(client, world, tmp_path):
    outcome = only(fetch(client, world, tmp_path, "Polymarket"))
    asked = [(int(a.query["startTs"]), int(a.query["endTs"])) for a in world.asked]
    assert asked == [(A, MIDNIGHT), (MIDNIGHT, B)]
    assert world.asked[0].query["fidelity"] == "1"
    assert len(world.asked[0].query["market"]) == 77
    assert outcome.frame.height == 24
    assert outcome.frame["symbol"].unique().to_list() == ["trump-2024"]


def test_minute_candles_carry_a_minutes_uncertainty(client, world, tmp_path):
    outcome = only(fetch(client, world, tmp_path, "Kalshi"))
    assert outcome.spec.stamp_uncertainty_ns == 60 * 10**9
    assert outcome.frame["probability"].unique().to_list() == [0.31]


@pytest.mark.parametrize("known", [True, False], ids=["empty", "404"])
def test_a_settled_contract_is_asked_of_the_historical_tier(client, world, tmp_path, known):
    if known:
        world.routes[live(DJT)] = no_candles
    else:
        del world.routes[live(DJT)]
    world.routes[historical(DJT)] = candles
    outcome = only(fetch(client, world, tmp_path, "Kalshi"))
    assert outcome.frame.height == 240
    assert historical(DJT) in world.paths()


def test_hours_serve_where_there_are_no_minutes(client, world, tmp_path):
    def hourly(asked):
        return candles(asked) if asked.query["period_interval"] == "60" else no_candles(asked)

    world.routes[live(DJT)] = hourly
    outcome = only(fetch(client, world, tmp_path, "Kalshi"))
    assert outcome.frame.height == 4
    assert outcome.spec.stamp_uncertainty_ns == 3600 * 10**9


def test_a_contract_nobody_knows_is_an_outcome(client, world, tmp_path):
    del world.routes[live(DJT)]
    outcome = only(fetch(client, world, tmp_path, "Kalshi"))
    assert isinstance(outcome.error, NotFoundError)
    world.routes[live(DJT)] = world.routes[historical(DJT)] = no_candles
    outcome = only(fetch(client, world, tmp_path, "Kalshi"))
    assert "no candles in the window" in str(outcome.error)


def test_trades_are_paged_by_cursor_and_joined_over_pages_and_tiers(client, world, tmp_path):
    outcome = only(fetch(client, world, tmp_path, "Kalshi trades"))
    assert outcome.frame["trade_id"].to_list() == [f"id-{n}" for n in range(5, 21)]
    cursors = [a.query.get("cursor") for a in world.asked if a.path.endswith("/markets/trades")]
    assert cursors == [None, "after-2", "after-4", "after-6", "after-8"]
    assert world.asked[0].query["min_ts"] == str(A)
    assert world.asked[0].query["limit"] == "1000"


def test_trades_of_one_tier_serve_when_the_other_does_not_know_them(client, world, tmp_path):
    del world.routes[f"{API}/markets/trades"]
    outcome = only(fetch(client, world, tmp_path, "Kalshi trades"))
    assert outcome.frame.height == 8
    del world.routes[f"{API}/historical/trades"]
    outcome = only(fetch(client, world, tmp_path / "new", "Kalshi trades"))
    assert isinstance(outcome.error, NotFoundError)


def test_a_cursor_that_goes_round_is_an_error(client, world, tmp_path):
    def round_and_round(asked):
        return as_json({"trades": [], "cursor": "same"})

    world.routes[f"{API}/markets/trades"] = round_and_round
    outcome = only(fetch(client, world, tmp_path, "Kalshi trades"))
    assert "the cursor 'same' came twice" in str(outcome.error)


def test_what_was_fetched_is_not_asked_for_again(client, world, tmp_path):
    first = fetch(client, world, tmp_path)
    world.asked.clear()
    again = fetch(client, world, tmp_path)
    assert world.asked == []
    assert all(a.frame.equals(b.frame) for a, b in zip(first, again, strict=True))


def test_a_run_that_broke_off_asks_only_for_the_rest(client, world, tmp_path):
    pages = trades(range(20, 10, -1))

    def breaks_off(asked):
        return Reply(status=503) if asked.query.get("cursor") == "after-4" else pages(asked)

    world.routes[f"{API}/markets/trades"] = breaks_off
    outcome = only(fetch(client, world, tmp_path, "Kalshi trades"))
    assert isinstance(outcome.error, FetchError)
    assert outcome.frame is None
    world.routes[f"{API}/markets/trades"] = pages
    world.asked.clear()
    outcome = only(fetch(client, world, tmp_path, "Kalshi trades"))
    assert outcome.frame.height == 16
    assert world.asked[0].query["cursor"] == "after-4"


def test_one_service_down_leaves_the_others(client, world, tmp_path):
    world.routes[HISTORY] = Reply(b"down", 503)
    world.routes[live(KH)] = Reply(b"<html>busy</html>")
    outcomes = {o.spec.label: o for o in fetch(client, world, tmp_path)}
    failed = {label for label, o in outcomes.items() if o.error is not None}
    assert failed == {"Polymarket", "Kalshi KH"}
    assert f"{world.base}{HISTORY}?market=2174" in str(outcomes["Polymarket"].error)
    assert "status 503" in str(outcomes["Polymarket"].error)
    error = outcomes["Kalshi KH"].error
    assert isinstance(error, InputError)
    assert f"{world.base}{live(KH)}?start_ts={A}" in str(error)
    assert "breaks at offset 0" in str(error)


@pytest.mark.parametrize(
    "bad",
    [
        Reply(b'{"history": [{"t": 17308'),
        as_json({"error": "no such market"}),
        as_json({"history": [{"t": A, "p": 1.3}]}),
    ],
    ids=["cut", "shape", "value"],
)
def test_an_answer_that_does_not_parse_is_asked_for_anew(client, world, tmp_path, bad):
    world.routes[HISTORY] = bad
    outcome = only(fetch(client, world, tmp_path, "Polymarket"))
    assert isinstance(outcome.error, InputError)
    assert list(tmp_path.iterdir()) == []
    world.routes[HISTORY] = clob
    assert only(fetch(client, world, tmp_path, "Polymarket")).error is None


def test_an_empty_history_says_what_may_be_the_matter(client, world, tmp_path):
    world.routes[HISTORY] = as_json({"history": []})
    outcome = only(fetch(client, world, tmp_path, "Polymarket"))
    assert "an empty history" in str(outcome.error)


def test_a_service_that_ignores_the_window_is_cut_to_it(client, world, tmp_path):
    late = [{"t": B + n * 60, "p": 0.5} for n in range(-2, 3)]
    world.routes[HISTORY] = as_json({"history": late})
    assert only(fetch(client, world, tmp_path, "Polymarket")).frame.height == 3
    world.routes[HISTORY] = as_json({"history": late[3:]})
    outcome = only(fetch(client, world, tmp_path / "new", "Polymarket"))
    assert "nothing inside the window" in str(outcome.error)


def test_an_archive_with_a_wrong_checksum_never_reaches_the_cache(client, world, tmp_path):
    name = "BTCUSDT-1m-2024-11-06.zip"
    good = world.routes[f"{KLINES}/{name}"]
    world.routes[f"{KLINES}/{name}"] = Reply(good.body[:-1] + b"!")
    outcome = only(fetch(client, world, tmp_path, "BTC"))
    assert f"{KLINES}/{name}: expected sha256" in str(outcome.error)
    assert not (tmp_path / name).exists()
    world.routes[f"{KLINES}/{name}"] = good
    assert only(fetch(client, world, tmp_path, "BTC")).frame.height == 240


def test_an_archive_cut_short_is_resumed(client, world, tmp_path):
    name = "BTCUSDT-1m-2024-11-06.zip"
    whole = world.routes[f"{KLINES}/{name}"]
    span = f"bytes 500-{len(whole.body) - 1}/{len(whole.body)}"
    world.routes[f"{KLINES}/{name}"] = [
        Reply(whole.body, headers=whole.headers, cut_at=500),
        Reply(whole.body[500:], 206, {"Content-Range": span, **whole.headers}),
    ]
    assert only(fetch(client, world, tmp_path, "BTC")).frame.height == 240
    assert world.asked[-1].headers["Range"] == "bytes=500-"


def test_a_checksum_page_that_is_none_is_an_outcome(client, world, tmp_path):
    world.routes[f"{KLINES}/BTCUSDT-1m-2024-11-05.zip.CHECKSUM"] = Reply(b"<html>")
    outcome = only(fetch(client, world, tmp_path, "BTC"))
    assert "64 hex digits and BTCUSDT-1m-2024-11-05.zip" in str(outcome.error)


@pytest.mark.parametrize(
    ("start", "end"), [(END, START), (START, START), (START, "2261-01-01T00:00Z")]
)
def test_a_window_that_has_not_ended_is_refused_at_the_call(client, world, tmp_path, start, end):
    endpoints = Endpoints(world.base, world.base, world.base)
    with pytest.raises(InputError, match="a window that ends after it starts and before now"):
        fetch_election_2024(
            client, endpoints, tmp_path, start_ns=parse_ns(start), end_ns=parse_ns(end)
        )


def test_a_feed_that_no_service_has_is_passed_over(client, world, tmp_path):
    assert fetch(client, world, tmp_path, "NQ", "Results") == []


def test_the_services_that_are_asked_by_default():
    assert Endpoints() == (
        "https://clob.polymarket.com",
        "https://api.elections.kalshi.com",
        "https://data.binance.vision",
    )
