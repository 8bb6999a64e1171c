"""Which events can be told apart: counts before each expiry, and the kinds that only add up.

A column counts the events of a kind between the moment and an expiry. Two kinds with proportional
columns, or more with dependent ones, are a ridge: every expiry sees the same mixture of them, so
total variance fixes one sum of theirs and nothing else. An expiry listed between two of their
events, at T with t_a < T <= t_b, sees the one and not the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from eventtape.arrays import BoolArray, FloatArray, IntArray
from eventtape.errors import InputError
from eventtape.estimators.premium.term_structure import TermStructure

__all__ = ["Events", "Group", "event_counts", "events_at", "grouped", "parting"]

_NULL = 1e-10  # of columns of unit length: an eigenvalue of the counts' Gram matrix that is 0


class Events(NamedTuple):
    """Dated events in rising order; those of one kind share one size. Shapes ``(n_events,)``."""

    times_ns: IntArray
    kinds: tuple[str, ...]


class Group(NamedTuple):
    """Kinds that go together (one alone, or a ridge), and the columns that stand for them."""

    members: tuple[int, ...]  # indices of kinds
    columns: FloatArray  # (n, k), independent, spanning theirs
    given: bool  # known from elsewhere


def events_at(times_ns: Sequence[int] | IntArray, kinds: Sequence[str]) -> Events:
    """Events in order of time, from a time (ns UTC) and a kind each.

    >>> events_at([30, 10], ["fomc", "election"]).kinds
    ('election', 'fomc')
    """
    times = np.asarray(times_ns, np.int64)
    if times.shape != (len(kinds),):
        raise InputError("a time and a kind for each event", met=(times.shape, len(kinds)))
    order = np.argsort(times, kind="stable")
    return Events(times[order], tuple(kinds[i] for i in order))


def event_counts(term: TermStructure, events: Events) -> tuple[tuple[str, ...], FloatArray]:
    """Kinds in the order they first appear, and how many of each lie before each expiry.

    ``(n, n_kinds)``: events at t with at <= t < T. One at the very moment of an expiry is after it.
    """
    times = np.asarray(events.times_ns, np.int64)
    if times.shape != (len(events.kinds),):
        raise InputError("a time and a kind for each event", met=(times.shape, len(events.kinds)))
    kinds = tuple(dict.fromkeys(events.kinds))
    first = np.searchsorted(term.expiries_ns, times, side="right").tolist()
    counts = np.zeros((term.expiries_ns.size, len(kinds)))
    for i, time, kind in zip(first, times.tolist(), events.kinds, strict=True):
        if time >= term.at_ns:
            counts[i:, kinds.index(kind)] += 1.0
    return kinds, counts


def grouped(counts: FloatArray, given: Sequence[bool]) -> tuple[Group, ...]:
    """Kinds with an event inside, those with dependent columns together; ``given`` ones last.

    ``counts`` is ``(n, n_kinds)``. A kind that is given is known from elsewhere and stands alone.
    """
    inside = [k for k in range(len(given)) if counts[-1, k] > 0.0]
    free = [k for k in inside if not given[k]]
    alone = [Group((k,), counts[:, [k]], True) for k in inside if given[k]]
    if len(free) < 2:
        return (*(Group((k,), counts[:, [k]], False) for k in free), *alone)
    tied = _tied(counts[:, free])
    seen: set[int] = set()
    ridges = []
    for first in range(len(free)):
        if first in seen:
            continue
        members = grown = {first}
        while grown:
            grown = {int(j) for i in grown for j in np.flatnonzero(tied[i])} - members
            members = members | grown
        seen |= members
        kinds = tuple(free[i] for i in sorted(members))
        ridges.append(Group(kinds, _independent(counts[:, kinds]), False))
    return (*ridges, *alone)


def parting(term: TermStructure, events: Events, kinds: Sequence[str]) -> tuple[int, int]:
    """Between which moments an expiry would part these kinds: after the first, to the second.

    The earliest neighbours of different kind with no expiry between them; equal times where the
    two are at one moment, which no listing parts.
    """
    latest: dict[int, tuple[int, str]] = {}  # by bucket
    for time, kind in zip(events.times_ns.tolist(), events.kinds, strict=True):
        if kind not in kinds or not term.at_ns <= time < term.expiries_ns[-1]:
            continue
        bucket = int(np.searchsorted(term.expiries_ns, time, side="right"))
        before, other = latest.get(bucket, (time, kind))
        if other != kind:
            return before, time
        latest[bucket] = time, kind
    raise InputError("kinds with events in one bucket", met=tuple(kinds))


def _tied(counts: FloatArray) -> BoolArray:
    """Which pairs of columns a null direction ties, ``(n_kinds, n_kinds)``."""
    unit = counts / np.sqrt(np.sum(counts**2, axis=0))
    values, vectors = np.linalg.eigh(unit.T @ unit)
    null = vectors[:, values < _NULL]
    tied: BoolArray = np.abs(null @ null.T) > 1e-8
    return tied


def _independent(columns: FloatArray) -> FloatArray:
    """The columns that the ones before them do not make up."""
    kept: list[int] = [0]
    for k in range(1, columns.shape[1]):
        if np.linalg.matrix_rank(columns[:, [*kept, k]]) > len(kept):
            kept.append(k)
    return columns[:, kept]
