"""Rows come out by their own times, whatever order they arrived in, and what is late is counted."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.errors import InputError
from eventtape.stream.fold import NEVER, Slice
from eventtape.stream.order import InOrder, Merged

TIME = pl.Datetime("ns", "UTC")
STRICT = settings(derandomize=True, deadline=None, max_examples=60)


def rows(*stamps):
    """Rows that know the order in which they were made."""
    made = rows.made = getattr(rows, "made", 0) + len(stamps)
    return pl.DataFrame(
        {
            "ts": pl.Series(stamps, dtype=pl.Int64).cast(TIME),
            "n": pl.Series(range(made - len(stamps), made), dtype=pl.Int64),
        }
    )


def stamps(frame):
    return frame["ts"].to_physical().to_list()


def passed(fold, slices):
    """All rows by feed, the times of the slices, and the last state."""
    state, out, upto = fold.start(), {}, []
    for new in slices:
        state, answer = fold.step(state, new)
        if answer is not None:
            upto.append(answer.upto_ns)
            for feed, frame in answer.frames.items():
                out.setdefault(feed, []).append(frame)
    last = fold.finish(state)
    for feed, frame in ({} if last is None else last.frames).items():
        out.setdefault(feed, []).append(frame)
    return {feed: pl.concat(parts) for feed, parts in out.items()}, upto, state


def test_in_order_passes_rows_on_at_once_and_leaves_out_older_ones():
    fold = InOrder()
    new = [Slice(NEVER, {"a": rows(5, 7, 6)}), Slice(NEVER, {"b": rows(1)})]
    out, upto, state = passed(fold, [*new, Slice(NEVER, {"a": rows(7, 9)})])
    assert stamps(out["a"]) == [5, 7, 7, 9]
    assert stamps(out["b"]) == [1]
    assert state.late == {"a": 1, "b": 0}
    assert upto == [7, 7, 9]


def test_merged_holds_rows_until_nothing_older_can_come():
    fold = Merged(lateness_ns=10, quiet_ns=1_000)
    state = fold.start()
    state, answer = fold.step(state, Slice(NEVER, {"a": rows(100, 105)}))
    assert (answer.upto_ns, dict(answer.frames)) == (95, {})
    state, answer = fold.step(state, Slice(NEVER, {"b": rows(103, 112, 96)}))
    assert answer.upto_ns == 102
    assert {feed: stamps(f) for feed, f in answer.frames.items()} == {"a": [100]}
    assert state.late == {"a": 0, "b": 1}  # 96 came after 112, by more than 10
    assert {feed: stamps(f) for feed, f in fold.finish(state).frames.items()} == {
        "a": [105],
        "b": [103, 112],
    }


def test_a_beat_of_the_clock_moves_a_quiet_market_on():
    fold = Merged(lateness_ns=50, quiet_ns=20)
    state, answer = fold.step(fold.start(), Slice(NEVER, {"a": rows(100)}))
    assert not answer.frames
    state, answer = fold.step(state, Slice(NEVER, {}, now_ns=110))
    assert answer.upto_ns == 90
    state, answer = fold.step(state, Slice(NEVER, {}, now_ns=121))
    assert answer.upto_ns == 101
    assert stamps(answer.frames["a"]) == [100]
    assert fold.step(state, Slice(NEVER, {}, now_ns=121))[1] is None


@STRICT
@given(data=st.data())
def test_arrival_within_the_lateness_in_any_order_and_any_chunks_is_the_sorted_tape(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    lateness, n = 50, 60
    ts = np.sort(rng.integers(0, 400, n))
    feed = rng.choice(["a", "b"], n)
    arrival = np.argsort(ts + rng.integers(0, lateness + 1, n), kind="stable")
    frames = [(feed[i], rows(int(ts[i]))) for i in arrival]
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=8)))
    slices = []
    for low, high in zip([0, *cuts], [*cuts, n], strict=True):
        part = frames[low:high]
        for name, frame in part:  # one batch is of one feed: neighbours of one feed go together
            if slices and name in slices[-1].frames and low and slices[-1].upto_ns == -low:
                joined = pl.concat([slices[-1].frames[name], frame])
                slices[-1] = Slice(-low, {name: joined})
            else:
                slices.append(Slice(-low, {name: frame}))
    out, upto, state = passed(Merged(lateness_ns=lateness), slices)
    assert sum(state.late.values()) == 0
    assert upto == sorted(set(upto))
    for name in ("a", "b"):
        wanted = [frame for label, frame in frames if label == name]
        if wanted:
            whole = pl.concat(wanted).sort("ts", maintain_order=True)
            assert out[name].equals(whole)


@STRICT
@given(data=st.data())
def test_what_is_late_does_not_hang_on_the_chunks(data):
    """Arrival in any order at all: the rows kept are those of one row at a time."""
    seed = data.draw(st.integers(0, 10_000))
    ts = np.random.default_rng(seed).integers(0, 300, 40).tolist()
    frames = [rows(t) for t in ts]
    cuts = sorted(data.draw(st.lists(st.integers(0, 40), max_size=6)))
    parts = [frames[a:b] for a, b in zip([0, *cuts], [*cuts, 40], strict=True) if b > a]
    for fold in (Merged(lateness_ns=20), InOrder()):
        one = passed(fold, [Slice(NEVER, {"a": frame}) for frame in frames])
        many = passed(fold, [Slice(NEVER, {"a": pl.concat(part)}) for part in parts])
        assert one[0]["a"].equals(many[0]["a"])
        assert one[2].late == many[2].late


def test_a_negative_length_of_time_is_refused():
    with pytest.raises(InputError, match="lengths of time >= 0"):
        Merged(lateness_ns=-1)
