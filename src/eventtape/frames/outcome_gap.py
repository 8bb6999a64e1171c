"""The outcome gap on data frames: one call from prices and probabilities to a table."""

from __future__ import annotations

import polars as pl

from eventtape.arrays import Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.states.distributed_lag import whole_steps
from eventtape.estimators.states.outcome_gap import outcome_gap
from eventtape.tape import times_ns
from eventtape.tape.sampling import grid, on_grid

__all__ = ["gap_table"]


def gap_table(
    prices: pl.DataFrame,
    probability: pl.DataFrame,
    *,
    horizons_s: tuple[float, ...] = (300.0, 600.0, 1800.0, 3600.0),
    step_s: float = 60.0,
    lead_s: float = 600.0,
    max_age_s: float = 300.0,
    stamp_uncertainty_s: float = 0.0,
    level: float = 0.95,
) -> pl.DataFrame:
    """Gap (log return per unit of probability) of each symbol at each horizon, with its interval.

    ``prices`` is a checked frame of bars or trades, of any number of symbols; ``probability`` one
    of a single contract. The grid starts at the first time both are seen. Frames carry no clock
    but their stamps, so say in ``stamp_uncertainty_s`` how far the coarser of the two may be off
    (a bar's length, a sampling interval): the grid is no finer, and a horizon no longer than that,
    or not whole in the grid's steps, is ``not resolved``. Numbers are null where the ``status`` is
    not ``ok``.
    """
    contracts = probability["symbol"].unique().to_list()
    if len(contracts) != 1:
        raise InputError("quotes of one contract", met=contracts, column="symbol")
    step_s = max(step_s, stamp_uncertainty_s)
    age, step = round(max(max_age_s, step_s) * SECOND), round(step_s * SECOND)
    seen = times_ns(probability)
    rows = []
    for (symbol,), frame in prices.group_by("symbol", maintain_order=True):
        ts = times_ns(frame)
        try:
            at = grid(max(int(ts[0]), int(seen[0])), min(int(ts[-1]), int(seen[-1])), step)
        except InputError as error:
            error.add_note(f"{symbol} and {contracts[0]} are not quoted at the same time")
            raise
        x, p = (on_grid(side, at, max_age_ns=age) for side in (frame, probability))
        for horizon in horizons_s:
            resolved = horizon > stamp_uncertainty_s and whole_steps(horizon, step_s)
            window = horizon if resolved else step_s
            found = outcome_gap(x, p, step_s=step_s, horizon_s=window, lead_s=lead_s, level=level)
            status = found.status if resolved else Status.NOT_RESOLVED
            row = {"symbol": symbol, **found._asdict(), "horizon_s": horizon, "status": str(status)}
            rows.append(row)
    numbers = ["gap", "se", "lower", "upper", "identifying_share", "effective_rows", "residual_sd"]
    known = pl.when(pl.col("status") == str(Status.OK)).then(pl.col(numbers).cast(pl.Float64))
    return pl.DataFrame(rows).with_columns(known)
