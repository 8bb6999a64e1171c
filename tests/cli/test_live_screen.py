"""The terminal's view of a live run: the model's running score, and what training said of it."""

import io

import polars as pl
from rich.console import Console

from dashboard.answer_rows import START, publish
from eventtape.cli.live_screen import LiveScreen
from eventtape.clock import SECOND
from eventtape.stream.board import Board
from eventtape.stream.scores import LIVE_SCORES


def drawn(screen):
    out = Console(file=io.StringIO(), width=200)
    out.print(screen.draw())
    return out.file.getvalue()


def test_the_newest_score_of_the_model_stands_beside_its_base_rate_and_verdict():
    board = Board()
    screen = LiveScreen(board, "A night", simulated=False)
    assert "The model so far" not in drawn(screen)
    said = "ok; out of sample the model was no better than its base rate"
    for i, n in enumerate((7, 1_200)):
        row = {"n": n, "brier": 0.2456, "brier_base": 0.25, "log_loss": float("nan"),
               "log_loss_base": 0.6931, "status": said}  # fmt: skip
        ts = pl.Series([START + i * SECOND]).cast(LIVE_SCORES["ts"])
        rows = pl.DataFrame({"ts": ts, **row}, schema=LIVE_SCORES)
        publish(board, "live_scores", rows, START + i * SECOND)
    shown = drawn(screen)
    (line,) = (line for line in shown.splitlines() if "0.2456" in line)
    assert line.split() == ["1,200", "0.2456", "0.2500", "—", "0.6931", "23:00:01", *said.split()]
