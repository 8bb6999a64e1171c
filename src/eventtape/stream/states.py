"""What would each market be worth under either outcome, by its options and the probability, now?

Two rungs of the study of states, kept going. *Bounds* need one density and the probability of the
moment: a row a chain and time of the density's grid. The *joint fit* needs many chains over which
the probability moved: of the nearest chain of each underlying a snapshot is kept every
``snapshot_ns``, the last ``joint_rows`` of them, and the fit is made anew once in ``joint_every``
snapshots. It takes a quarter of a second, so that of several chains due only one is fitted at each
time of the grid, the one that waits longest first.

The probability of a time is the last quoted at or before it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import FloatArray, IntArray, Status, check_level
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.states.bounds import OutcomeBounds, outcome_bounds
from eventtape.estimators.states.bounds_interval import Bound
from eventtape.stream.answers import STATES
from eventtape.stream.density import LAWS_FRAME
from eventtape.stream.density_rows import Law, laws_of
from eventtape.stream.fold import NEVER, Slice
from eventtape.stream.states_joint import JointAnswer, Snapshot, joint_answer, snapshot_of
from eventtape.tape.feed import times_ns

__all__ = ["BOUNDS", "JOINT", "StatesFold", "StatesState"]

BOUNDS, JOINT = "bounds", "joint fit"
_NEGATIVE = 1e-3  # mass, as the bounds have it
_LEAST_ROWS = 4
_NAN = math.nan


class Window(NamedTuple):
    """The last snapshots of a chain, how many there ever were, and when it expires."""

    snapshots: tuple[Snapshot, ...]
    ever: int
    expiry_ns: int


class StatesState(NamedTuple):
    """The last probability and its time, snapshots by chain, and the chains due a joint fit."""

    probability: float
    seen_ns: int
    windows: dict[str, Window]
    due: tuple[str, ...]


@dataclass(frozen=True)
class StatesFold:
    """Rows of ``answers.STATES``; reads the merging node and the density node, in this order.

    - ``primary``: feed of the outcome's probability; ``symbol``: its contract there, None for all.
    - ``p_error``: sd of the probability's noise; ``wedge_sd``: how far the pricing probability may
      stand from the quoted one, in probits; ``level`` of the intervals.
    - ``decided``: at a probability this near 0 or 1 the event is over, and nothing is said;
      ``max_age_ns``: a probability older than this is not seen, None for any.
    - ``after_ns``: chains that expire at or before this are left out: they settle before the event.
    - ``snapshot_ns``, ``joint_rows``, ``joint_every``: of the joint fit, as above;
      ``joint_chains``: of how many expiries of an underlying, the nearest first; 0 for none.

    Bounds give intervals (of the level) around the sharp bounds and no number inside: ``gap`` is
    NaN. Where the joint fit's shapes are not known its densities are empty, and ``reason`` says so.
    """

    primary: str
    symbol: str | None = None
    p_error: float = 0.0
    wedge_sd: float = 0.1
    level: float = 0.95
    decided: float = 0.02
    max_age_ns: int | None = None
    after_ns: int = NEVER
    snapshot_ns: int = 300 * SECOND
    joint_rows: int = 40
    joint_every: int = 6
    joint_chains: int = 1

    def __post_init__(self) -> None:
        """Refuse what no chain could make right."""
        check_level(self.level)
        for name in ("p_error", "wedge_sd"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise InputError("from 0 to under 1", met=getattr(self, name), column=name)
        if not 0.0 <= self.decided < 0.5:  # noqa: PLR2004
            raise InputError("from 0 to under 0.5", met=self.decided, column="decided")
        if self.joint_rows < _LEAST_ROWS:
            raise InputError(f"{_LEAST_ROWS} or more", met=self.joint_rows, column="joint_rows")
        least = {"snapshot_ns": 1, "joint_every": 1, "joint_chains": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise InputError(f"{low} or more", met=getattr(self, name), column=name)
        if self.max_age_ns is not None and self.max_age_ns <= 0:
            raise InputError("a length of time > 0 ns", met=self.max_age_ns, column="max_age_ns")

    def start(self) -> StatesState:
        """Before any probability."""
        return StatesState(_NAN, NEVER, {}, ())

    def step(self, state: StatesState, new: Slice) -> tuple[StatesState, Slice | None]:
        """The rows of the densities in ``new``."""
        times, values = self._path(state, new)
        windows, due = dict(state.windows), state.due
        rows: list[dict[str, Any]] = []
        laws = laws_of(new.frames[LAWS_FRAME]) if LAWS_FRAME in new.frames else []
        for at_ns, group in groupby(laws, key=lambda law: law.at_ns):
            each = [law for law in group if law.expiry_ns > self.after_ns]
            i = int(np.searchsorted(times, at_ns, side="right")) - 1
            old = self.max_age_ns is not None and at_ns - int(times[i]) > self.max_age_ns
            p = _NAN if old else float(values[i])
            rows += [self._bounds(law, p) for law in each]
            said, due = self._joint(each, p, windows, due)
            rows += said
            windows = {name: w for name, w in windows.items() if w.expiry_ns > at_ns}
            due = tuple(name for name in due if name in windows)
        after = StatesState(float(values[-1]), int(times[-1]), windows, due)
        if not rows:
            return after, None
        frame = pl.DataFrame(rows, schema=dict(STATES), orient="row")
        return after, Slice(new.upto_ns, {"states": frame}, new.now_ns)

    def finish(self, state: StatesState) -> Slice | None:  # noqa: ARG002
        """Nothing: answers come with densities."""
        return None

    def _path(self, state: StatesState, new: Slice) -> tuple[IntArray, FloatArray]:
        """Times and probabilities, the last one known before first."""
        times, values = np.array([state.seen_ns], np.int64), np.array([state.probability])
        rows = new.frames.get(self.primary)
        if rows is not None and self.symbol is not None:
            rows = rows.filter(pl.col("symbol") == self.symbol)
        if rows is None or rows.is_empty():
            return times, values
        return (
            np.r_[times, times_ns(rows)],
            np.r_[values, rows["probability"].to_numpy()],
        )

    def _unasked(self, law: Law, p: float) -> tuple[Status, str] | None:
        """Why a chain has no states at this time; None where it may."""
        if not law.density.smile.coefficients.size:
            return law.density.status, law.reason
        if math.isnan(p):
            return Status.TOO_FEW, "no probability quoted by then"
        if not self.decided < p < 1.0 - self.decided:
            return Status.NOT_IDENTIFIED, "the event is decided"
        return None

    def _bounds(self, law: Law, p: float) -> dict[str, Any]:
        unasked = self._unasked(law, p)
        if unasked is not None:
            return _row(law, BOUNDS, p, *unasked)
        found = outcome_bounds(law.density, p, p_error=self.p_error, level=self.level)
        status, reason = _fate(found, law)
        row = _row(law, BOUNDS, p, status, reason)
        row["up_low"], row["up_high"] = _ends(found.state1.mean)
        row["down_low"], row["down_high"] = _ends(found.state0.mean)
        row["gap_lower"], row["gap_upper"] = _ends(found.gap)
        return row

    def _joint(
        self, laws: list[Law], p: float, windows: dict[str, Window], due: tuple[str, ...]
    ) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """Snapshots kept in ``windows``, the fit of one chain that is due, and who is due yet."""
        rows = []
        nearest = self._nearest(laws)
        asked = {law.chain: law for law in nearest if self._unasked(law, p) is None}
        for law in asked.values():
            if not self._is_time(law, windows):
                continue
            window = self._kept(law, p, windows)
            if len(window.snapshots) < self.joint_rows:
                reason = f"{len(window.snapshots)} of {self.joint_rows} snapshots kept"
                rows.append(_row(law, JOINT, p, Status.TOO_FEW, reason))
            elif (window.ever - self.joint_rows) % self.joint_every == 0 and law.chain not in due:
                due = (*due, law.chain)
        name = next((name for name in due if name in asked), None)
        if name is not None:
            found = joint_answer(
                windows[name].snapshots, asked[name].grid, p_error=self.p_error,
                wedge_sd=self.wedge_sd, level=self.level,
            )  # fmt: skip
            rows.append(_joint_row(asked[name], found))
        return rows, tuple(other for other in due if other != name)

    def _nearest(self, laws: list[Law]) -> list[Law]:
        """The first expiries of each underlying."""
        order = sorted(laws, key=lambda law: (law.underlying, law.expiry_ns, law.chain))
        groups = groupby(order, key=lambda law: law.underlying)
        return [law for _, group in groups for law in list(group)[: self.joint_chains]]

    def _is_time(self, law: Law, windows: Mapping[str, Window]) -> bool:
        """Whether this is the first time of the grid in its ``snapshot_ns``."""
        if law.chain not in windows:
            return True
        last = windows[law.chain].snapshots[-1].at_ns
        return law.at_ns // self.snapshot_ns > last // self.snapshot_ns

    def _kept(self, law: Law, p: float, windows: dict[str, Window]) -> Window:
        before = windows.get(law.chain, Window((), 0, law.expiry_ns))
        snapshots = (*before.snapshots, snapshot_of(law, p))[-self.joint_rows :]
        windows[law.chain] = Window(snapshots, before.ever + 1, law.expiry_ns)
        return windows[law.chain]


def _row(law: Law, method: str, p: float, status: Status, reason: str) -> dict[str, Any]:
    """A row without numbers but the probability."""
    numbers = dict.fromkeys([n for n, kind in STATES.items() if kind == pl.Float64], _NAN)
    lists: dict[str, list[float]] = {"strikes": [], "pdf_up": [], "pdf_down": []}
    names = {"chain": law.chain, "ts": law.at_ns, "method": method}
    fate = {"status": str(status), "reason": reason}
    return {**names, **numbers, **lists, **fate, "probability": p}


def _joint_row(law: Law, found: JointAnswer) -> dict[str, Any]:
    row = _row(law, JOINT, found.probability, found.status, found.reason)
    row["up_low"], row["up_high"] = found.up
    row["down_low"], row["down_high"] = found.down
    row["gap"], row["gap_lower"], row["gap_upper"] = found.gap
    if found.pdf_up.size:
        row["strikes"] = law.grid.tolist()
        row["pdf_up"], row["pdf_down"] = found.pdf_up.tolist(), found.pdf_down.tolist()
    return row


def _fate(found: OutcomeBounds, law: Law) -> tuple[Status, str]:
    """The status of bounds of means and gap, in the words of the study of states."""
    if math.isnan(float(found.gap.lower)):
        status = Status.NOT_RESOLVED if found.status is Status.OK else found.status
        return status, law.reason or "the density is none"
    if law.density.status is not Status.OK:
        return law.density.status, law.reason
    if found.negative_mass > _NEGATIVE:
        return Status.NOT_RESOLVED, f"the density is negative on {found.negative_mass:.1%}"
    parts = (found.gap, found.state1.mean, found.state0.mean)
    if not all(bool(x.resolved) for x in parts):
        return Status.NOT_RESOLVED, "it rests on the tails beyond the quotes"
    return Status.OK, ""


def _ends(bound: Bound) -> tuple[float, float]:
    return float(bound.interval_lower), float(bound.interval_upper)
