"""A wide frame of prices as levels of one panel, checked once: names, times, sessions, holes.

``ts`` (UTC, rising) and one column a series; null and NaN are holes. Prices enter as logarithms,
probabilities as probits. A session ends where the exchange closes (``calendar``: rows outside its
hours are left out) and where nothing was quoted for longer than ``max_gap_s``, or than one and a
half of the usual step where that is longer; rows a day or more apart end one after five days. No
estimate takes a difference across that.

Within a session rows stand a step apart: the panel has rows of holes where rows are missing
(:mod:`.price_steps`). A probability within half a tick of 0 or 1 has no probit and is a hole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtri

from eventtape.arrays import FloatArray, IntArray
from eventtape.clock import SECOND, sessions
from eventtape.errors import InputError
from eventtape.estimators.discovery.vecm_moments import Moments, blank_moments, moments
from eventtape.frames.price_steps import on_steps
from eventtape.tape.records import HALF_TICK

__all__ = [
    "PricePanel",
    "Prices",
    "as_panel",
    "price_panel",
    "tidy",
]

MAX_GAP_S = 3600.0
_DAY_S, _DAILY_GAP_S = 86400.0, 5 * 86400.0
_TIME = pl.Datetime("ns", "UTC")


class PricePanel(NamedTuple):
    """Levels of n series at T times; ``sessions`` changes where a difference would span a break."""

    names: tuple[str, ...]
    ts: IntArray  # (T,) ns
    levels: FloatArray  # (T, n) logs, probits of ``probabilities``; NaN is a hole
    sessions: IntArray  # (T,)
    probabilities: frozenset[str]
    missing: int = 0  # rows of the step that the frame did not have
    off_step: float = 0.0  # share of the spacings inside sessions that are no whole steps
    at_ends: tuple[tuple[str, int], ...] = ()  # probabilities too near 0 or 1, how often

    def column(self, name: str) -> FloatArray:
        """One series ``(T,)``."""
        return self.levels[:, self._at(name)]

    def take(self, names: Sequence[str]) -> PricePanel:
        """The panel of these series, in this order."""
        at = [self._at(name) for name in names]
        return self._replace(names=tuple(names), levels=self.levels[:, at])

    def every(self, multiple: int) -> PricePanel:
        """Every ``multiple``-th row of each session, the first among them."""
        if multiple < 1:
            raise InputError("a multiple of the step of at least 1", met=multiple)
        starts = np.flatnonzero(np.r_[True, np.diff(self.sessions) != 0])
        within = np.arange(self.ts.size) - np.repeat(starts, np.diff(np.r_[starts, self.ts.size]))
        kept = within % multiple == 0
        return self._replace(
            ts=self.ts[kept], levels=self.levels[kept], sessions=self.sessions[kept]
        )

    def broken(self) -> tuple[FloatArray, IntArray]:
        """Levels with a row of NaN between sessions, and which row each is of, -1 for those."""
        ends = np.flatnonzero(np.diff(self.sessions)) + 1
        rows = np.insert(np.arange(self.ts.size), ends, -1)
        return np.where((rows >= 0)[:, None], self.levels[rows], np.nan), rows

    def returns(self) -> FloatArray:
        """Differences of rows next to each other inside sessions, all series seen, ``(m, n)``."""
        d: FloatArray = np.diff(self.levels, axis=0)[np.diff(self.sessions) == 0]
        return d[np.isfinite(d).all(axis=1)]

    def sparse(self) -> tuple[str, ...]:
        """Series whose holes would take more than half of the differences that the others share.

        Fullest first, each series is set against those kept before it.
        """
        d = np.diff(self.levels, axis=0)[np.diff(self.sessions) == 0]
        seen = np.isfinite(d)
        fullest = np.argsort(-seen.sum(axis=0), kind="stable")
        joint, left = seen[:, fullest[0]], set[int]()
        for column in fullest[1:].tolist():
            both = joint & seen[:, column]
            if 2 * both.sum() < joint.sum():
                left.add(column)
            else:
                joint = both
        return tuple(name for at, name in enumerate(self.names) if at in left)

    def moments(self, lags: int) -> Moments:
        """Sums of products for a VECM over the runs of whole rows inside sessions."""
        seen = np.isfinite(self.levels).all(axis=1)
        if not seen.any():
            return blank_moments(len(self.names), lags, 0, np.zeros(len(self.names)))
        run = np.cumsum(np.r_[True, (np.diff(self.sessions) != 0) | (np.diff(seen) != 0)])
        origin = self.levels[np.argmax(seen)]
        parts = [
            moments(x, lags, origin=origin)
            for label in np.unique(run[seen])
            if (x := self.levels[run == label]).shape[0] > lags + 1
        ]
        if not parts:
            return blank_moments(len(self.names), lags, 0, origin)
        cross = np.sum([part.cross for part in parts], axis=0)
        return parts[0]._replace(cross=cross)

    @property
    def step_s(self) -> float:
        """The usual time between rows, seconds."""
        return float(np.median(np.diff(self.ts))) / SECOND

    def _at(self, name: str) -> int:
        if name not in self.names:
            raise InputError(f"a column among {', '.join(self.names)}", met=name)
        return self.names.index(name)


Prices = pl.DataFrame | PricePanel


def as_panel(
    prices: Prices,
    *,
    probabilities: Iterable[str] = (),
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
) -> PricePanel:
    """The panel of a frame; a panel as it is, its sessions and probabilities fixed already."""
    if isinstance(prices, PricePanel):
        return prices
    _polars(prices)
    return price_panel(prices, probabilities=probabilities, calendar=calendar, max_gap_s=max_gap_s)


def price_panel(
    prices: pl.DataFrame,
    *,
    probabilities: Iterable[str] = (),
    calendar: str | None = None,
    max_gap_s: float = MAX_GAP_S,
) -> PricePanel:
    """The checked levels of all columns of ``prices`` but ``ts``, with their sessions.

    :class:`InputError` names column, row, what was met and what was wanted: times that do not rise
    or have no zone, a column that holds no numbers, a price not above 0, a probability below 0 or
    above 1, a series without prices. ``max_gap_s`` may be infinite.
    """
    _polars(prices)
    if "ts" not in prices.columns:
        raise InputError("a column 'ts' of times", met=", ".join(prices.columns), column="ts")
    odds = frozenset(probabilities)
    names = [name for name in prices.columns if name != "ts"]
    for name in sorted(odds - set(names)):
        raise InputError(f"a column among {', '.join(names)}", met=name)
    if not names or prices.height < 3:  # noqa: PLR2004  two rows make one difference
        met = f"{len(names)} series, {prices.height} rows"
        raise InputError("at least one series and three rows", met=met)
    if not max_gap_s > 0.0:
        raise InputError("a longest gap above 0 seconds", met=max_gap_s)
    ts = _times(prices["ts"])
    read = [_levels(prices[name], odds=name in odds) for name in names]
    levels = np.column_stack([x for x, _ in read])
    at_ends = tuple((name, ends) for name, (_, ends) in zip(names, read, strict=True) if ends)
    label = _calendar_labels(ts, calendar)
    kept = label >= 0
    if kept.sum() < 3:  # noqa: PLR2004
        met = f"{int(kept.sum())} of {ts.size}"
        raise InputError(f"rows in the hours of {calendar}", met=met, column="ts")
    ts, levels, label = ts[kept], levels[kept], label[kept]
    gaps = np.diff(ts) / SECOND
    usual = float(np.median(gaps))
    daily = usual >= _DAY_S
    least = _DAILY_GAP_S if daily and max_gap_s < usual else max_gap_s
    apart = gaps > max(least, 1.5 * usual)
    if not daily:  # a day's row is a session of any calendar
        apart |= label[1:] != label[:-1]
    session = np.r_[0, np.cumsum(apart)].astype(np.int64)
    panel = PricePanel(tuple(names), ts, levels, session, odds, at_ends=at_ends)
    return panel if daily else _on_steps(panel)  # weekends are no holes


def _on_steps(panel: PricePanel) -> PricePanel:
    """The panel with a row of holes for each row of the usual step that is missing."""
    ts, row, missing, off_step = on_steps(panel.ts, panel.sessions)
    return panel._replace(
        ts=ts,
        levels=np.where((missing == 0)[:, None], panel.levels[row], np.nan),
        sessions=panel.sessions[row],
        missing=int((missing > 0).sum()),
        off_step=off_step,
    )


def tidy(columns: Mapping[str, Any]) -> pl.DataFrame:
    """A frame of these columns: null for NaN, and text where all are null."""
    made = []
    for name, met in columns.items():
        values = met.tolist() if isinstance(met, np.ndarray) else list(met)
        kinds = {type(v) for v in values if v is not None}
        kind = pl.String if kinds <= {str} else None
        made.append(pl.Series(name, values, dtype=kind, strict=kind is None))
    frame = pl.DataFrame(made)
    floats = [name for name, kind in frame.schema.items() if kind.is_float()]
    return frame.with_columns(pl.col(floats).fill_nan(None))


def _polars(prices: object) -> None:
    if not isinstance(prices, pl.DataFrame):
        met = f"{type(prices).__module__.partition('.')[0]} {type(prices).__name__}"
        raise InputError("a Polars frame, such as pl.from_pandas(prices)", met=met)


def _times(ts: pl.Series) -> IntArray:
    if ts.dtype.is_integer():
        wanted = f"times of type {_TIME}; say what integers count: pl.from_epoch(ts, 'ns'), then "
        raise InputError(wanted + ".dt.replace_time_zone('UTC')", met=str(ts.dtype), column="ts")
    if not isinstance(ts.dtype, pl.Datetime) or ts.dtype.time_zone is None:
        raise InputError(
            f"times of type {_TIME}, or of another zone", met=str(ts.dtype), column="ts"
        )
    ts = ts.dt.convert_time_zone("UTC")
    empty = ts.is_null().arg_true()
    if len(empty):
        raise InputError("a time", met="none", row=int(empty[0]) + 1, column="ts")
    ns: IntArray = ts.cast(_TIME).to_physical().to_numpy().astype(np.int64)
    late = np.flatnonzero(np.diff(ns) <= 0)
    if late.size:
        at = int(late[0]) + 1
        twice = ns[at] == ns[at - 1]
        wanted = "each time once" if twice else f"a time after {ts[at - 1]} of the row before"
        raise InputError(wanted, met=str(ts[at]), row=at + 1, column="ts")
    return ns


def _levels(series: pl.Series, *, odds: bool) -> tuple[FloatArray, int]:
    """Logs or probits, and how many probabilities are too near 0 or 1 to have one."""
    if not series.dtype.is_numeric():
        raise InputError("a column of numbers", met=str(series.dtype), column=series.name)
    x = series.cast(pl.Float64).fill_null(math.nan).to_numpy()
    right = (x >= 0.0) & (x <= 1.0) if odds else (x > 0.0) & (x < math.inf)
    wrong = np.flatnonzero(~np.isnan(x) & ~right)
    if wrong.size:
        at = int(wrong[0])
        wanted = "a probability between 0 and 1" if odds else "a finite price above 0"
        raise InputError(wanted, met=float(x[at]), row=at + 1, column=series.name)
    ends = ((x <= HALF_TICK) | (x >= 1.0 - HALF_TICK)) & odds
    x = np.where(ends, np.nan, x)
    if np.isnan(x).all():
        wanted = "a series with prices"
        if odds:
            wanted = f"a probability further than {HALF_TICK} from 0 and 1"
        raise InputError(wanted, met="none", column=series.name)
    return np.asarray(ndtri(x) if odds else np.log(x), np.float64), int(ends.sum())


def _calendar_labels(ts: IntArray, calendar: str | None) -> IntArray:
    """The session each time stands in, its open and its close included; -1 for none."""
    if calendar is None:
        return np.zeros(ts.size, np.int64)
    first, last = (np.datetime64(int(t), "ns").astype("datetime64[D]").item() for t in ts[[0, -1]])
    known = sessions(first - timedelta(days=7), last + timedelta(days=7), calendar)
    at = np.searchsorted(known.open_ns, ts, side="right") - 1
    inside = (at >= 0) & (ts <= known.close_ns[np.maximum(at, 0)])
    return np.where(inside, at, -1)
