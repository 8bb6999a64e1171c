r"""Do the data say what an outcome is worth, or does the model? A verdict for every estimate.

Each diagnostic answers one way of being fooled, and the first that fails refuses:

- contraction 1 - (posterior sd) / (prior sd) of the gap: under one half the answer is the prior's.
- concentration: smallest eigenvalue of the information on the common parameters in units of their
  priors (the quantity of Cragg and Donald 1993 for weak instruments, with the prior in place of the
  first stage): near 0 some combination of them is not seen at all. Reported, not a ground for
  refusal: the gap may be known where a combination of the others is not.
- prior shift: how far the estimate moves, in its own standard errors, when priors are made twice as
  wide and half as wide.
- over-identification: p-value that the times agree on one answer.
- placebo: share of runs, with the probability's path permuted in blocks, that fit as well.

Reference: Cragg and Donald (1993), Econometric Theory 9.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from eventtape.arrays import FloatArray, Status
from eventtape.errors import InputError

__all__ = ["CONTRACTION", "Verdict", "block_permutations", "contraction", "no_verdict", "refused"]

CONTRACTION = 0.5


class Verdict(NamedTuple):
    """Whether an estimate of a gap stands, why not, and what was asked of it (NaN: not asked)."""

    status: Status
    reason: str  # empty where it stands
    contraction: float
    concentration: float
    prior_shift: float
    over_identification: float
    placebo: float


def no_verdict(status: Status, reason: str) -> Verdict:
    """A refusal before anything could be asked."""
    return Verdict(status, reason, *(math.nan,) * 5)


def refused(verdict: Verdict, reason: str, status: Status = Status.NOT_IDENTIFIED) -> Verdict:
    """The same diagnostics, with a refusal."""
    return verdict._replace(status=status, reason=reason)


def contraction(posterior_sd: float, prior_sd: float) -> float:
    """1 where the data say all, 0 where they say nothing (or less).

    >>> contraction(0.01, 0.05)
    0.8
    """
    if not prior_sd > 0.0:
        raise InputError("a prior sd above 0", met=prior_sd)
    return max(1.0 - posterior_sd / prior_sd, 0.0)


def block_permutations(
    path: FloatArray, block: int, count: int, *, seed: int
) -> Iterator[FloatArray]:
    """Placebo paths ``(n,)``: the moves of ``path`` in blocks, put in another order.

    Levels are the running sums of the moves, from the same start: each placebo starts and ends
    where the path does and moves as restlessly, at other times. Levels that would leave (0, 1)
    are folded back.

    >>> paths = list(block_permutations(np.array([0.1, 0.2, 0.4, 0.3]), 1, 3, seed=1))
    >>> [float(round(p[-1], 6)) for p in paths]
    [0.3, 0.3, 0.3]
    """
    x = np.asarray(path, np.float64)
    if x.ndim != 1 or x.size < 3:
        raise InputError("a path of 3 times or more", met=x.shape)
    if block < 1 or count < 0:
        raise InputError("a block of 1 or more and a count of 0 or more", met=(block, count))
    rng = np.random.default_rng(seed)
    moves = np.diff(x)
    starts = np.arange(0, moves.size, block)
    for _ in range(count):
        order = rng.permutation(starts.size)
        shuffled = np.concatenate([moves[starts[i] : starts[i] + block] for i in order])
        level = np.r_[x[0], x[0] + np.cumsum(shuffled)]
        yield 1.0 - np.abs(1.0 - np.abs(level) % 2.0)
