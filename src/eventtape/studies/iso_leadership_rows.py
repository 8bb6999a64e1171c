"""What the study of sweeps and leadership is asked and answers; its answer as plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from eventtape.arrays import Status, check_level
from eventtape.clock import SECOND, duration_ns
from eventtape.errors import InputError
from eventtape.estimators.discovery.panel_regression import PanelReason

__all__ = ["CONTRACT_VERSION", "IsoConfig", "IsoLeadership", "IsoRow", "contract"]

CONTRACT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class IsoConfig:
    """Every option of the study."""

    every: str = "30m"  # length of a window
    grid_s: int = 1  # seconds between the books that scores are made of
    max_lag_s: int = 5  # reach of the lead that is scored
    min_members: int = 5  # of a group whose members have scores
    controls: tuple[str, ...] = ("log_volume", "log_spread", "log_volatility")
    n_shifts: int = 999  # draws of the placebo; 0 for none
    level: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no answer can be made from."""
        check_level(self.level)
        for name, low in (("grid_s", 1), ("max_lag_s", 1), ("min_members", 2), ("n_shifts", 0)):
            if getattr(self, name) < low:
                raise InputError(f"at least {low}", met=getattr(self, name), column=name)
        if self.max_lag_s % self.grid_s:
            raise InputError("a whole number of grid steps", met=self.max_lag_s, column="max_lag_s")
        every = duration_ns(self.every)
        if every % (self.grid_s * SECOND) or every <= self.max_lag_s * SECOND:
            wanted = "a window of whole grid steps, longer than the lag that is scored"
            raise InputError(wanted, met=self.every, column="every")


class IsoRow(NamedTuple):
    """One regressor: score of the next window (correlation) per unit of it, clustered both ways."""

    name: str
    coefficient: float
    se: float
    lower: float
    upper: float
    t: float
    p_value: float
    effective_clusters: float


class IsoLeadership(NamedTuple):
    """Does the share of sweeps in a window go with leadership in the next one?"""

    effect: IsoRow  # of the share of trades that are sweeps, from 0 to 1
    per_sd: float  # the coefficient times share_sd
    share_sd: float  # standard deviation of the share within symbol and window
    placebo_p: float  # of the same association, the shares of each symbol shifted in a circle
    n_shifts: int
    controls: tuple[IsoRow, ...]
    r_squared_within: float
    n_rows: int
    n_missing: int  # windows without a next one, or with a number missing
    n_single: int
    n_symbols: int
    n_windows: int
    status: Status
    reason: PanelReason
    config: IsoConfig


def contract(result: IsoLeadership) -> dict[str, Any]:
    """The result as JSON-ready data: numbers or null, never NaN (see docs: sweeps)."""
    flat = {
        name: _plain(value)
        for name, value in result._asdict().items()
        if name not in {"effect", "controls", "config"}
    }
    return {
        "contract": CONTRACT_VERSION,
        "study": "iso_leadership",
        **flat,
        "effect": _row(result.effect),
        "controls": [_row(row) for row in result.controls],
        "config": {**asdict(result.config), "controls": list(result.config.controls)},
    }


def _row(row: IsoRow) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row._asdict().items()}


def _plain(value: object) -> object:
    if isinstance(value, str):
        return str(value)
    return None if isinstance(value, float) and math.isnan(value) else value
