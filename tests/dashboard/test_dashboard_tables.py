"""What the tables say: units, dashes where there is nothing, feeds in words and shapes."""

import math

import polars as pl

from dashboard.answer_rows import CHAINS, HOSTILE, START, fed_board, frame
from eventtape.clock import SECOND
from eventtape.dashboard import tables
from eventtape.stream.board import Failure, Lag, Metrics
from eventtape.tape.health import FeedHealth


def test_feeds_in_words_and_shapes():
    now = START + 3_700 * SECOND
    feeds = {
        "b": FeedHealth("b", "down", START, rows=1_234, unfilled=2, malformed=3, skew_ms=-4.6),
        "a\u202e\n": FeedHealth("a\u202e\n", "connecting", message=HOSTILE),
    }
    first, second = tables.feed_rows(feeds, now)
    assert first[:4] == ["a", ["○ connecting", "quiet"], "never", "0"]
    assert first[-2:] == ["—", HOSTILE]  # as it is: the page puts it there as text
    assert second[1:4] == [["■ down", "bad"], "1 h ago", "1,234"]
    assert second[7] == ["2", "warn"]
    assert second[9] == ["3", "warn"]
    assert second[11] == "-5 ms"
    assert {len(first), len(second)} == {len(tables.COLUMNS["feeds"])}


def test_every_state_of_a_feed_has_its_own_words():
    states = ["connecting", "live", "stale", "down", "history", "ended"]
    rows = tables.feed_rows({s: FeedHealth(s, s) for s in states}, START)
    assert len({row[1][0] for row in rows}) == len(states)
    assert {row[1][1] for row in rows} <= set(tables.KINDS)


def test_a_gap_is_percent_of_log_price_and_a_refusal_is_a_dash():
    rows = frame("markets", market=["ES", "DXY"], ts=START, gap=[0.1234, None],
                 gap_lower=[0.05, math.nan], gap_upper=[0.2, None],
                 status=["ok", "not identified"])  # fmt: skip
    assert tables.market_rows(rows) == [
        ["ES", "+12.34%", "+5.00% to +20.00%", ["✓ ok", "good"]],
        ["DXY", "—", "—", ["○ not identified", "quiet"]],
    ]
    assert tables.market_rows(None) == []


def test_states_of_one_chain_with_the_reason():
    latest = fed_board().rows("states").tail(2)
    ((method, probability, up, down, gap, interval, verdict),) = tables.state_rows(
        latest, CHAINS[1]
    )
    assert (method, up, down, gap) == ("bounds", "98 to 110", "85 to 101", "—")
    assert probability == f"{100 * latest['probability'][1]:.1f}%"
    assert interval == "-2.00% to +20.00%"
    assert verdict == ["○ not identified: the bounds hold 0", "quiet"]


def test_scores_are_percent():
    rows = frame("scores", ticker=["A"], ts=START, probability=0.553, base_rate=0.5, status="ok")
    assert tables.score_rows(rows) == [["A", "55.3%", "50.0%", "23:00:00", ["✓ ok", "good"]]]


def test_the_model_beside_its_base_rate_is_the_last_row():
    ts = pl.Series([START, START + SECOND]).cast(pl.Datetime("ns", "UTC"))
    said = "ok; out of sample the model was no better than its base rate"
    rows = pl.DataFrame({"ts": ts, "n": [3, 1_200], "brier": [0.3, 0.2456], "brier_base": 0.25,
                         "log_loss": [0.7, math.nan], "log_loss_base": 0.6931,
                         "status": said})  # fmt: skip
    assert tables.live_score_rows(rows) == [
        ["1,200", "0.2456", "0.2500", "—", "0.6931", "23:00:01", [f"○ {said}", "quiet"]]
    ]
    assert len(tables.COLUMNS["live_scores"]) == 7
    assert tables.live_score_rows(None) == []


def test_the_engine_says_what_is_slow_full_or_stopped():
    news = (
        fed_board()
        .news({})
        ._replace(
            lag=Lag(4.0, 1_500.0, math.nan, 7),
            failures=(Failure("density", HOSTILE, 3),),
            metrics=Metrics(waiting=8, waiting_most=8, memory_bytes=3 * 2**20, batches=4),
        )
    )
    facts = {row[0]: row[1] for row in tables.engine_facts(news, 12, math.nan)}
    assert facts["Lag, receipt to answer, median"] == "4.0 ms"
    assert facts["Lag, 99th percentile"] == "1.5 s"
    assert facts["Lag, worst"] == "—"
    assert facts["Rows skipped on this screen"] == "12 (the tape has them)"
    assert facts["Queue before the journal"] == ["◆ full: 8 of 8 batches", "warn"]
    assert facts["Newest snapshot"] == "none yet"
    assert facts["Memory"] == "3.0 MB"
    assert facts["Node density"] == [f"■ stopped: {HOSTILE}", "bad"]


def test_a_board_of_no_run_has_no_journal_to_speak_of():
    facts = tables.engine_facts(fed_board().news({}), 0, 1.0)
    assert not any("ournal" in str(row[0]) for row in facts)
    assert pl.DataFrame({"x": [row[0] for row in facts]})["x"].is_unique().all()
