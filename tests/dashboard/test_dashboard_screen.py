"""A screen without a browser: it follows, holds, looks back, conflates, says why it is empty."""

import polars as pl
import pytest

from dashboard.answer_rows import (
    ABOUT,
    CHAINS,
    START,
    fed_board,
    feed_board,
    frame,
    publish,
    set_feeds,
)
from eventtape.clock import SECOND
from eventtape.dashboard.parts import Part
from eventtape.dashboard.screen import Screen
from eventtape.errors import InputError
from eventtape.stream.board import Board


class Drawn:
    """A figure that keeps what it was asked."""

    def __init__(self):
        self.rows, self.calls, self.reason, self.warning = pl.DataFrame(), [], None, None

    def show(self, rows):
        self.rows, self.reason = rows, None
        self.calls.append(("show", rows.height))

    def append(self, rows):
        self.rows = pl.concat([self.rows, rows])
        self.calls.append(("append", rows.height))

    def clear(self, reason=""):
        self.rows, self.reason = pl.DataFrame(), reason

    def warn(self, text=""):
        self.warning = text


def part(key, most=1_000, behind=()):
    return Part(key, key, "", f"no {key} yet", Drawn(), behind or (key,), most)


@pytest.fixture
def world():
    board = Board()
    parts = [part("probability"), part("states", behind=("states", "density"))]
    return board, parts, Screen(board, ABOUT, parts)


def until_drawn(screen, board, node, height):
    """Ticks until the part holds that many rows: a part rests after it was drawn."""
    figure = next(p.figure for p in screen.parts if p.key == node)
    for _ in range(1_000_000):
        if figure.rows.height >= height:
            break
        screen.tick()
    assert figure.rows.height == height
    return figure


def test_empty_says_so_and_then_draws_every_row_once(world):
    board, parts, screen = world
    screen.tick()
    assert screen.mode == "waiting"
    assert parts[0].figure.reason == "no probability yet"
    feed_board(board, 0, 5)
    until_drawn(screen, board, "probability", 5)
    feed_board(board, 5, 12)
    figure = until_drawn(screen, board, "probability", 12)
    assert screen.mode == "live"
    assert figure.rows["ts"].is_sorted()
    assert figure.rows["ts"].n_unique() == 12
    assert next(name for name, _ in figure.calls) == "show"
    assert screen.skipped == 0


def test_paused_it_stands_still_while_the_engine_goes_on(world):
    board, parts, screen = world
    feed_board(board, 0, 10)
    screen.tick()
    screen.pause()
    feed_board(board, 10, 47)
    for _ in range(3):
        assert not screen.tick()
    assert parts[0].figure.rows.height == 10
    assert screen.mode == "paused"
    assert screen.behind_s == 37.0
    assert screen.shown_ns == START + 9 * SECOND
    screen.follow()
    screen.tick()
    assert parts[0].figure.rows.height == 47
    assert (screen.mode, screen.behind_s, screen.skipped) == ("live", 0.0, 0)


def test_looking_back_shows_what_was_known_then(world):
    board, parts, screen = world
    feed_board(board, 0, 60)
    screen.tick()
    for second in (50, 20, 30):  # a slider being dragged: the last choice is drawn, once
        screen.look_back(START + second * SECOND)
    calls = len(parts[0].figure.calls)
    assert screen.tick()
    assert parts[0].figure.calls[calls:] == [("show", 31)]
    assert screen.mode == "back"
    assert screen.behind_s == 29.0
    assert screen.latest["markets"]["ts"].to_physical().max() == START + 30 * SECOND
    screen.look_back(START - 5 * SECOND)
    screen.tick()
    assert parts[0].figure.reason == "nothing kept from before 2024-11-05T22:59:55Z"


def test_a_picture_held_stays_so_when_another_underlying_is_picked(world):
    board, parts, screen = world
    feed_board(board, 0, 20)
    screen.tick()
    screen.pause()
    feed_board(board, 20, 40)
    assert screen.chains == CHAINS
    assert screen.chain == CHAINS[0]
    screen.pick(CHAINS[1])
    screen.pick("a chain that is not there")
    screen.tick()
    assert screen.chain == CHAINS[1]
    assert parts[0].figure.rows.height == 20


def test_a_slow_screen_gets_the_newest_and_is_told_what_it_missed():
    board = Board(most_rows=50)
    parts = [part("probability", most=20)]
    screen = Screen(board, ABOUT, parts)
    feed_board(board, 0, 1)
    screen.tick()
    feed_board(board, 1, 201, symbols=1)  # no other node outgrows the board
    figure = until_drawn(screen, board, "probability", 21)
    assert figure.rows["ts"].to_physical().to_list()[1:] == [
        START + k * SECOND for k in range(181, 201)
    ]
    assert screen.skipped == 180


def test_a_part_that_has_grown_is_drawn_anew_from_all_the_board_has():
    board = Board()
    parts = [part("probability")._replace(anew=30), part("states", behind=("states", "density"))]
    screen = Screen(board, ABOUT, parts)
    for second in range(0, 100, 10):
        feed_board(board, second, second + 10)
        figure = until_drawn(screen, board, "probability", second + 10)
    calls = [call for call in figure.calls if call[0] == "show"]
    assert calls == [("show", 10), ("show", 40), ("show", 70), ("show", 100)]
    assert figure.rows["ts"].to_physical().to_list() == [START + k * SECOND for k in range(100)]
    assert all(call[0] == "append" for call in parts[1].figure.calls[1:])
    screen.refresh()
    screen.tick()
    assert figure.calls[-1] == ("show", 100)


def test_what_cannot_be_seen_waits_and_loses_nothing(world):
    board, parts, screen = world
    feed_board(board, 0, 5)
    screen.tick()
    screen.in_view = frozenset({"states"})
    for second in range(5, 105):  # more pieces than are kept as such
        feed_board(board, second, second + 1)
        screen.tick()
    assert parts[0].figure.rows.height == 5
    screen.in_view = frozenset({"probability"})
    figure = until_drawn(screen, board, "probability", 105)
    assert figure.rows["ts"].is_sorted()
    assert screen.skipped == 0


def test_a_node_that_stopped_is_named_over_what_hangs_on_it(world):
    board, parts, screen = world
    feed_board(board, 0, 5)
    board.fail("density", InputError("strikes above 0", met=-5.0), None)
    screen.tick()
    assert parts[1].figure.warning == "stopped: met -5.0, wanted strikes above 0"
    assert parts[0].figure.warning == ""


def test_silence_of_the_primary_feed_is_said_and_taken_back():
    board, parts = fed_board(), [part("probability")]
    clock = [0]
    screen = Screen(board, ABOUT, parts, clock=lambda: clock[0])
    screen.tick()
    assert parts[0].figure.warning == ""
    set_feeds(board, "stale")
    clock[0] = screen.board.news({}).feeds["odds"].last_received_ns + 34 * SECOND
    screen.tick()
    assert parts[0].figure.warning == "odds is stale: silent for 30 s"
    set_feeds(board, "live")
    screen.tick()
    assert parts[0].figure.warning == ""


def test_a_run_is_over_when_every_feed_is():
    board = fed_board()
    screen = Screen(board, ABOUT, [part("probability")])
    board.set_health(*(feed._replace(state="ended") for feed in board.news({}).feeds.values()))
    screen.tick()
    assert screen.mode == "ended"


def test_the_latest_row_of_each_name_is_kept_and_no_more(world):
    board, _, screen = world
    for k in range(30):
        rows = frame("markets", market=["ES", "DXY"], ts=START + k, status=["ok", f"at {k}"])
        publish(board, "markets", rows, START + k)
        screen.tick()
    assert screen.latest["markets"].select("market", "status").rows() == [
        ("DXY", "at 29"),
        ("ES", "ok"),
    ]
