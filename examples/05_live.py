"""A night through the live engine: replayed, stopped, gone on with, the same bits. Offline."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import polars as pl

import eventtape


def main() -> None:
    # A simulated night; a tape of yours does as well, and live feeds in its place.
    night = eventtape.live_night(3, minutes=8, symbols=5, stock_quotes=3_000, stock_trades=600)
    start_ns = int(night.truth.ts[0])
    config = eventtape.NightConfig(
        primary="event",
        start_ns=start_ns,
        step_s=5.0,
        horizon_s=120.0,
        lead_s=10.0,
        chain_s=15.0,
        every="30s",
        lateness_s=1.0,
        quiet_s=None,  # stamps of another time than now
        weights=None,
    )
    graph = eventtape.election_night(night.tape.feeds, config)
    print("nodes:", ", ".join(node.name for node in graph))

    # As fast as it goes: every answer to a function of yours.
    answers: dict[str, list[pl.DataFrame]] = defaultdict(list)

    def keep(name: str, answer: object, _batch: object) -> None:
        if name in answer.frames:
            answers[name].append(answer.frames[name])

    eventtape.replay(graph, eventtape.tape_batches(night.tape, span_ns=10**9), keep)
    last = pl.concat(answers["markets"]).tail(4)
    print(last.select("market", "gap", "gap_lower", "gap_upper", "status"))

    # As a run that is live: journal, snapshots, a board that screens look at. Stopped and started
    # again it goes on where it was; `eventtape.serve(board, about)` would show it in a browser.
    with tempfile.TemporaryDirectory() as folder:
        board = eventtape.Board()
        batches = eventtape.tape_batches(night.tape, span_ns=10**9)
        source = eventtape.PacedSource(batches, night.tape.feeds, speed=float("inf"))
        with eventtape.Journal(Path(folder) / "night") as journal:
            run = eventtape.LiveRun(
                graph,
                [source],
                journal=journal,
                snapshots=eventtape.Snapshots(Path(folder) / "snapshots"),
                board=board,
                beat_s=None,
            )
            with run:
                run.wait()
            print(f"{journal.next_number} batches in the journal")
        seen = board.reader().take()
        print("on the board:", {name: rows.height for name, rows in sorted(seen.rows.items())})
        print("feeds:", {feed.feed: feed.rows for feed in seen.feeds.values()}, "all ok")


if __name__ == "__main__":
    main()
