"""Runs of groups: each group once, in order, about equal work, one answer for any count."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape import threads
from eventtape.errors import InputError
from eventtape.threads import available, run_groups, runs

sizes_of = st.lists(st.integers(0, 1_000), max_size=40).map(lambda sizes: np.array(sizes, np.int64))


@given(sizes=sizes_of, parts=st.integers(1, 9))
@settings(derandomize=True, deadline=None, max_examples=300)
def test_runs_are_the_groups_in_order_each_once(sizes, parts):
    found = runs(sizes, parts)
    assert len(found) <= parts
    assert [first for first, _ in found] == [0, *(end for _, end in found[:-1])]
    assert found[-1][1] == sizes.size
    assert all(first < end for first, end in found) or sizes.size == 0
    # No run holds more than its share and one group: a cut lies within half a group of its place.
    most = max((int(sizes[first:end].sum()) for first, end in found), default=0)
    assert most <= sizes.sum() / parts + sizes.max(initial=0)


def test_runs_of_nothing_are_one_empty_run():
    assert runs(np.zeros(0, np.int64), 3) == [(0, 0)]
    assert run_groups(lambda first, end: (first, end), np.zeros(0, np.int64), 3) == [(0, 0)]


@pytest.mark.parametrize("count", [1, 2, 3, 8, None])
def test_answers_come_in_the_order_of_the_groups(monkeypatch, count):
    monkeypatch.setattr(threads, "_WORTH", 0)
    sizes = np.arange(1, 30)
    parts = run_groups(lambda first, end: list(range(first, end)), sizes, count)
    assert [group for part in parts for group in part] == list(range(29))


def test_few_rows_stay_in_this_thread_and_many_do_not():
    here = threading.get_ident()
    few, many = np.full(4, threads._WORTH // 5), np.full(4, threads._WORTH)
    assert run_groups(lambda *_: threading.get_ident(), few, 2) == [here]
    assert here not in run_groups(lambda *_: threading.get_ident(), many, 2)
    assert run_groups(lambda *_: threading.get_ident(), many, 1) == [here]


def test_a_fault_in_a_thread_comes_out():
    def work(first, end):
        if end == 4:
            raise InputError("a better group", met=first)
        return first

    with pytest.raises(InputError, match="a better group"):
        run_groups(work, np.full(4, threads._WORTH), 2)


def test_the_number_of_threads_is_that_asked_for_or_of_the_cores():
    assert available(3) == 3
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    assert available(None) == cores
    for count in (0, -2):
        with pytest.raises(InputError, match=f"met {count}, wanted at least one thread"):
            available(count)
