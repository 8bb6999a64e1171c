"""What the panel study is asked, and what it answers: one table a question, refusals as rows."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import polars as pl

from eventtape.arrays import check_level
from eventtape.errors import InputError

__all__ = ["COMPLEMENT", "LeadershipConfig", "PanelLeadership"]

COMPLEMENT = "-"  # before the name of a contract: one minus its price


@dataclass(frozen=True, kw_only=True)
class LeadershipConfig:
    """Every choice of the study.

    ``same`` are groups of columns that quote one security; ``classes`` pairs of share classes,
    whose relation (1, -1) is tested before it is used; ``contracts`` groups of columns that price
    one contract, a leading ``-`` for its complement. Columns of ``contracts`` and
    ``probability`` are never taken for prices. ``groups`` are (name, members).
    """

    market: str | None = None
    probability: str | None = None
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    same: tuple[tuple[str, ...], ...] = ()
    classes: tuple[tuple[str, str], ...] = ()
    contracts: tuple[tuple[str, ...], ...] = ()
    regime_edges: tuple[float, ...] = (0.4, 0.6)
    resolution: tuple[int, ...] = (1, 5, 60)
    calendar: str | None = None
    max_gap_s: float = 3600.0
    pair_lags: int | None = None
    lags: int = 4
    forecast_lags: int = 1
    horizon: int = 10
    level: float = 0.95
    false_discovery: float = 0.01
    n_draws: int = 999
    seed: int = 0
    placebo_runs: int = 20
    placebo_draws: int = 199
    placebo_block_s: float = 1800.0

    def __post_init__(self) -> None:
        """Refuse what no data could make right."""
        check_level(self.level)
        for group in (*self.same, *self.contracts):
            if len(group) < 2 or len({*group}) < len(group):  # noqa: PLR2004
                raise InputError("at least two different columns of one security", met=group)
        for name, members in self.groups:
            if not name or not members:
                raise InputError("a group with a name and members", met=(name, members))
        names = [name for name, _ in self.groups]
        if len({*names}) < len(names):
            raise InputError("each group once", met=", ".join(names))
        if names and not (self.market or self.probability):
            wanted = "a market or a probability, whose shocks the groups answer"
            raise InputError(wanted, met=f"groups {', '.join(names)} alone")
        if any(b <= a for a, b in itertools.pairwise((0.0, *self.regime_edges, 1.0))):
            raise InputError("rising regime edges between 0 and 1", met=self.regime_edges)
        if self.placebo_runs < 0 or not 0.0 < self.placebo_block_s < math.inf:
            met = (self.placebo_runs, self.placebo_block_s)
            raise InputError("placebo runs >= 0 in blocks above 0 seconds", met=met)

    @property
    def odds(self) -> frozenset[str]:
        """Columns that hold probabilities or contracts' prices."""
        named = {name.removeprefix(COMPLEMENT) for group in self.contracts for name in group}
        return frozenset(named | ({self.probability} if self.probability else set()))


@dataclass(frozen=True)
class PanelLeadership:
    """Who moves first among the columns of a frame, each table as its function documents it.

    ``pairs``, ``speeds``, ``groups``, ``rank``, ``spillovers``, ``granger`` and ``resolution`` are
    those of :mod:`eventtape.frames`; ``identities`` are pairs whose relation is known; ``placebo``
    says how often the same rules name a leader where none can be: ``named`` of the ``asked`` runs
    in which the rule could answer at all. Empty where not asked. ``source`` is what the prices were
    given as, ``truth`` what a simulation knows, ``left_out`` the prices that never move over
    the rows that all have, which would refuse every test of the whole panel. ``sparse`` are those
    whose holes would, and of ``pairs`` and ``resolution`` too; ``missing_rows``, ``off_step`` and
    ``at_ends`` are the panel's (:mod:`eventtape.frames.price_panel`).
    """

    config: LeadershipConfig
    simulated: bool
    from_ns: int
    to_ns: int
    step_s: float
    sessions: int
    series: pl.DataFrame
    pairs: pl.DataFrame
    identities: pl.DataFrame
    speeds: pl.DataFrame
    groups: pl.DataFrame
    group_differences: pl.DataFrame
    regime_differences: pl.DataFrame
    rank: pl.DataFrame
    spillovers: pl.DataFrame
    spillover_shares: pl.DataFrame
    granger: pl.DataFrame
    resolution: pl.DataFrame
    placebo: pl.DataFrame
    source: str = ""
    truth: str = ""
    left_out: tuple[str, ...] = ()
    sparse: tuple[str, ...] = ()
    missing_rows: int = 0
    off_step: float = 0.0
    at_ends: tuple[tuple[str, int], ...] = ()

    @property
    def data(self) -> str:
        """Where the prices are from, as far as the study can know."""
        given = f"as given ({self.source})" if self.source else "as given"
        return "simulated" if self.simulated else given

    def tables(self) -> dict[str, pl.DataFrame]:
        """Every table that has rows, by name."""
        found = {name: value for name, value in vars(self).items() if _is_frame(value)}
        return {name: frame for name, frame in found.items() if frame.height}


def _is_frame(value: object) -> bool:
    return isinstance(value, pl.DataFrame)
