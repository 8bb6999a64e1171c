"""Work on groups of rows, shared between threads: kernels that hold no interpreter lock.

The groups are cut into runs of about equal rows, and each thread writes only the rows of its own
run, so the answer does not depend on how many there were.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from eventtape.arrays import IntArray
from eventtape.errors import InputError

__all__ = ["available", "run_groups", "runs"]

_Answer = TypeVar("_Answer")
_WORTH = 100_000  # rows below which a second thread costs more than it saves


def available(threads: int | None) -> int:
    """The number asked for, or that of the cores this process may use."""
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if threads < 1:
        raise InputError("at least one thread", met=threads)
    return threads


def run_groups(
    work: Callable[[int, int], _Answer], sizes: IntArray, threads: int | None
) -> list[_Answer]:
    """What ``work(first, end)`` answers for each run of groups, in order; few rows stay here."""
    parts = available(threads)
    if parts == 1 or int(sizes.sum()) < _WORTH:
        return [work(0, sizes.size)]
    cut = runs(sizes, parts)
    with ThreadPoolExecutor(len(cut)) as pool:
        return list(pool.map(lambda run: work(*run), cut))


def runs(sizes: IntArray, parts: int) -> list[tuple[int, int]]:
    """Runs of groups (first, end) with about equal sums of ``sizes``, at most ``parts`` of them.

    >>> runs(np.array([5, 1, 1, 5]), 2)
    [(0, 2), (2, 4)]
    """
    if sizes.size == 0:
        return [(0, 0)]
    total = np.cumsum(sizes)
    middle = total - 0.5 * sizes  # a group goes where its middle lies
    cuts = np.searchsorted(middle, total[-1] * np.arange(1, parts) / parts)
    edges = np.unique(np.r_[0, cuts, sizes.size])
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
