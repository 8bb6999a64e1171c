"""The parity helper finds folds that break the rules, and passes those that keep them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.stream.fold import Node, Slice
from stream.parity_runs import check_parity, rechunked
from stream.small_program import SMALL, small_batches


def test_a_program_that_keeps_the_rules_passes_every_road():
    ran = check_parity(SMALL, small_batches(150, 1))
    assert ran.answers["sums", "sums"].height > 250
    assert ran.states["sums"]["rows"] == ran.answers["sums", "sums"].height


def test_live_stamps_and_beats_keep_parity():
    check_parity(SMALL, small_batches(100, 2, live=True), seeds=(1,))


def test_rechunking_keeps_every_row_in_its_order():
    batches = small_batches(300, 3)
    for most in (1, 50):
        cut = rechunked(batches, 4, most_rows=most)
        assert max(one.rows.height for one in cut) <= most
        for feed in ("a", "b"):
            assert rows_of(cut, feed).equals(rows_of(batches, feed))
    assert sum(one.keys.size for one in cut) == sum(one.keys.size for one in batches)


def rows_of(batches, feed):
    return pl.concat([one.rows for one in batches if one.feed == feed])


class CountsSlices:
    """Its state depends on how rows were cut."""

    def start(self):
        return 0

    def step(self, state, new):
        return state + 1, None

    def finish(self, state):
        return None


class ForgetsOnRestart:
    """Its answers depend on what no state holds."""

    def __init__(self):
        self.seen = 0

    def start(self):
        return 0

    def step(self, state, new):
        self.seen += new.frames["a"].height if "a" in new.frames else 0
        frame = pl.DataFrame({"seen": [self.seen]})
        return state, Slice(new.upto_ns, {"bad": frame})

    def finish(self, state):
        return None


class KeepsTheWrongThing(CountsSlices):
    def step(self, state, new):
        return lambda: np.nan, None


@pytest.mark.parametrize(
    ("fold", "met"),
    [
        (CountsSlices(), (AssertionError, "bad ends as")),
        (ForgetsOnRestart(), (AssertionError, "bad")),
        (KeepsTheWrongThing(), (InputError, "may hold")),
    ],
    ids=["chunks", "hidden", "unpackable"],
)
def test_a_fold_that_breaks_a_rule_is_found(fold, met):
    nodes = (*SMALL, Node("bad", ("ordered",), fold))
    with pytest.raises(met[0], match=met[1]):
        check_parity(nodes, small_batches(60, 5))
