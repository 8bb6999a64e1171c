"""One screen in a document: a slow browser is not overrun, an unwatched one is left alone."""

import time

import pytest

from dashboard.answer_rows import ABOUT, CHAINS, START, fed_board, feed_board, set_feeds
from eventtape.clock import SECOND
from eventtape.dashboard.page import Page
from eventtape.dashboard.parts import absent
from eventtape.stream.board import Board


@pytest.fixture(scope="module")
def opened():
    board = fed_board(20)
    return board, Page(board, ABOUT)


@pytest.fixture
def page(opened):
    """Answered, following, and with all drawn."""
    board, page = opened
    page.wire.update(hidden=False, paused=False, at_s=-1.0, seen=page.wire.beat)
    page._sent.clear()
    page.screen.refresh()
    page.tick()
    page.wire.seen = page.wire.beat
    return board, page


def ticks_until_beat(page, beat):
    for _ in range(1_000_000):
        if page.wire.beat >= beat:
            break
        page.tick()
    assert page.wire.beat == beat


def test_two_beats_unanswered_and_no_more_is_sent(page):
    board, page = page
    first = page.wire.beat
    for beat in (first + 1, first + 2):
        ticks_until_beat(page, beat)
    seen = dict(page.screen._reader._seen)
    feed_board(board, 100, 103)
    for _ in range(20):
        page.tick()
    assert page.wire.beat == first + 2
    assert page.screen._reader._seen == seen  # nothing was even taken from the board
    page.wire.seen = first + 2
    ticks_until_beat(page, first + 3)


def test_a_page_that_nobody_looks_at_is_sent_nothing_and_then_all(page):
    board, page = page
    page.wire.hidden = True
    beat = page.wire.beat
    feed_board(board, 200, 210)
    for _ in range(20):
        page.tick()
    assert page.wire.beat == beat
    page.wire.hidden = False
    page.tick()
    assert page.wire.said["event"] == "2024-11-05 23:03:29 UTC"


def test_the_wire_says_what_the_reader_chose(page):
    board, page = page
    page.wire.paused = True
    feed_board(board, 300, 337)
    page.screen.refresh()
    page.tick()
    assert page.wire.said["mode"] == "paused"
    assert "s of market time behind the engine" in page.wire.said["words"]
    page.wire.at_s = (START // SECOND) + 5.0
    page.wire.seen = page.wire.beat
    page.tick()
    assert page.wire.said["mode"] == "back"
    assert page.wire.said["until_ns"] == str(START + 5 * SECOND)
    page.wire.chain = CHAINS[1]
    assert page.screen.chain == CHAINS[1]
    page.wire.update(at_s=-1.0, paused=False)
    assert page.screen.held_ns is None


def test_a_silent_feed_and_its_name_are_said_in_words(page):
    board, page = page
    set_feeds(board, "down")
    page.screen.refresh()
    page.tick()
    assert page.wire.said["amiss"] == "odds is silent"
    set_feeds(board, "live")


def test_answers_are_timed(page):
    _, page = page
    ticks_until_beat(page, page.wire.beat + 1)
    before = len(page._trips)
    time.sleep(0.002)
    page.wire.seen = page.wire.beat
    assert len(page._trips) == before + 1
    assert page._trips[-1] >= 2.0


def test_a_run_shows_its_own_sections_and_says_what_it_lacks():
    about = ABOUT._replace(nodes=("venues", "probability"))
    page = Page(Board(), about)
    page.tick()
    assert [part.key for part in page.parts] == ["probability"]
    assert page.wire.tables["leadership"] == []
    assert absent(about) == ("market prices", "option chains", "stock ticks", "a trained model")
    assert absent(ABOUT) == ()  # of unknown nodes nothing is said


def test_the_browser_learns_the_stamp_of_what_it_has_drawn(page):
    board, page = page
    feed_board(board, 400, 401)
    newest = board.rows("probability")["ts"].to_physical()[-1]
    page.screen.refresh()
    page.tick()
    assert int(page.wire.drawn_ns) >= newest
