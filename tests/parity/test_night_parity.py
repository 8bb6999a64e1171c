"""A whole night ends the same and says the same by every road, wherever it is cut or stopped."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from eventtape.clock import SECOND
from eventtape.stream.paced import PacedSource
from parity.night_parts import (
    LATENESS_S,
    Kept,
    answered,
    equal,
    interleaved,
    late_of,
    live_run,
    program_of,
    run_until_over,
    settled,
    small_night,
    whole_bytes,
)
from stream.live_parts import until
from stream.parity_runs import live, plain, rechunked, replayed, restarted

ANSWERS = {
    "probability", "markets", "leadership", "features", "factors", "scores", "live_scores",
    "density", "states",
}  # fmt: skip
FEEDS = (
    "event", "other venue", "coin", "currency", "index", "oil", "stock trades", "stock quotes",
    "options",
)  # fmt: skip
# A night is dear: nothing is shrunk, and the seed of a failure says enough.
QUIETLY = {
    "derandomize": True, "deadline": None, "phases": (Phase.explicit, Phase.generate),
}  # fmt: skip
ROADS = {"a loop": plain, "csp replay": replayed, "csp live": live}


class Parts:
    """One night, its program, its batches by window, and the plain run over them."""

    def __init__(self, seed: int = 1, **options) -> None:
        night = small_night(seed, **options)
        self.feeds = night.tape.feeds
        self.program = program_of(night)
        self.batches = interleaved(self.feeds, {}, span_ns=5 * SECOND)
        self.wanted = plain(self.program, self.batches)

    def paced(self, speed: float = float("inf")) -> PacedSource:
        return PacedSource(self.batches, self.feeds, speed=speed)


@pytest.fixture(scope="module")
def parts():
    return Parts()


def test_every_node_answers_and_no_row_is_late(parts):
    said = {name for name, key in parts.wanted.answers if name == key}
    assert said == ANSWERS
    for name, statuses in answered(parts.wanted).items():
        assert "ok" in statuses or name == "leadership", name
    pairs = parts.wanted.answers["leadership", "leadership"]
    assert pairs["pils"].is_finite().any()
    joint = parts.wanted.answers["states", "states"].filter(method="joint fit")
    assert "ok" in joint["status"].to_list()
    assert {feed.label for feed in parts.feeds} == set(FEEDS)
    assert late_of(parts.wanted.states) == 0


def check_cuts(parts, road, seed, most_rows, kills):
    """The night re-chunked by one road, and restarted from bytes at some points of it."""
    cut = rechunked(parts.batches, seed, most_rows=most_rows)
    words = f"{road}, cut by seed {seed} into at most {most_rows} rows"
    equal(ROADS[road](parts.program, cut), parts.wanted, words)
    at = sorted(round(share * len(cut)) for share in kills)
    again = restarted(parts.program, cut, at)
    equal(again, parts.wanted, f"{words}, restarted after {at} batches")
    assert whole_bytes(again.states) == whole_bytes(parts.wanted.states)


CUTS = {
    "road": st.sampled_from(sorted(ROADS)),
    "seed": st.integers(0, 2**32 - 1),
    "most_rows": st.sampled_from([100, 4096]),
    "kills": st.lists(st.floats(0.0, 1.0), max_size=3),
}


@settings(max_examples=2, **QUIETLY)
@example(road="csp live", seed=5, most_rows=100, kills=[0.4, 0.8])
@given(**CUTS)
def test_a_night_cut_and_stopped_anywhere_is_the_same(parts, road, seed, most_rows, kills):
    check_cuts(parts, road, seed, most_rows, kills)


DELAYS = st.fixed_dictionaries({name: st.integers(0, LATENESS_S * SECOND // 2) for name in FEEDS})


def check_interleaving(parts, delays, span_s):
    """Each feed arrives so much after its stamps, and in windows of ``span_s``."""
    moved = interleaved(parts.feeds, delays, span_ns=span_s * SECOND)
    found = plain(parts.program, moved)
    assert late_of(found.states) == 0
    equal(settled(found), settled(parts.wanted), f"with delays {delays}")


@settings(max_examples=1, **QUIETLY)
@example(delays={name: k * SECOND // 2 for k, name in enumerate(FEEDS)}, span_s=3)
@given(delays=DELAYS, span_s=st.integers(2, LATENESS_S // 2))
def test_feeds_may_arrive_in_any_order_within_the_lateness(parts, delays, span_s):
    check_interleaving(parts, delays, span_s)


@pytest.mark.parametrize("speed", [3_000.0, float("inf")], ids=["fast", "as it goes"])
def test_a_live_run_of_a_paced_tape_is_the_same(parts, tmp_path, speed):
    found = run_until_over(tmp_path, parts.program, [parts.paced(speed)])
    equal(found, parts.wanted, f"paced at {speed}")


def stopped_and_begun_again(parts, folder, share, speed):
    """A live run stopped once a share of the batches is in its journal, and the run after it."""
    board = Kept()
    run, journal = live_run(
        folder, parts.program, [parts.paced(speed)], board, snapshot_s=0.01, most_behind=8
    )
    with journal:
        run.start()
        until(lambda: journal.next_number >= share * len(parts.batches))
        first = run.stop()
    assert board.heard.ran(first).states.keys() == parts.wanted.states.keys()
    found = run_until_over(folder, parts.program, [parts.paced()], board)
    equal(found, parts.wanted, f"stopped after {journal.next_number} batches")


def test_a_live_run_that_was_stopped_goes_on_where_it_stood(parts, tmp_path):
    stopped_and_begun_again(parts, tmp_path, 0.5, 500.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_larger_nights_are_the_same_wherever_they_are_cut(seed, tmp_path):
    parts = Parts(seed, minutes=10.0, symbols=12, stock_quotes=12_000, stock_trades=3_000)
    assert late_of(parts.wanted.states) == 0

    @settings(max_examples=8, **QUIETLY)
    @given(**CUTS)
    def cuts(road, seed, most_rows, kills):
        check_cuts(parts, road, seed, most_rows, kills)

    @settings(max_examples=5, **QUIETLY)
    @given(delays=DELAYS, span_s=st.integers(2, LATENESS_S // 2))
    def interleavings(delays, span_s):
        check_interleaving(parts, delays, span_s)

    cuts()
    interleavings()
    for k, speed in enumerate((60.0, 600.0, 6_000.0)):
        found = run_until_over(tmp_path / str(k), parts.program, [parts.paced(speed)])
        equal(found, parts.wanted, f"paced at {speed}")
    for k, share in enumerate(np.random.default_rng(seed).random(4).tolist()):
        stopped_and_begun_again(parts, tmp_path / f"stopped {k}", share, 1_000.0)
