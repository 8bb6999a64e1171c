"""Who moves first among these prices, and can these data tell?

The hub of the study: it makes one panel, asks the estimators of
:mod:`eventtape.frames.discovery` and beside, and decides what may be said. Relations are imposed
only where identity gives them (:mod:`.panel_identities`); everything else is tested. A probability
is never set against a price in an error-correction model: it is a factor, in probits. The same
rules then run on the panel with each column's moves shuffled in time, in blocks, by itself: what
leaders they name there are false, and how often stands beside the result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.special import ndtr

from eventtape.arrays import FloatArray
from eventtape.errors import InputError
from eventtape.estimators.discovery.refusals import Reason
from eventtape.frames.discovery import pair_table, resolution_table
from eventtape.frames.discovery_links import connectedness_table, granger_table, rank_table
from eventtape.frames.discovery_speeds import GroupTables, group_table, regimes_of, speed_table
from eventtape.frames.price_panel import PricePanel, price_panel, tidy
from eventtape.frames.price_steps import MOST_OFF_STEP
from eventtape.studies.panel_identities import identity_table
from eventtape.studies.panel_leadership_rows import LeadershipConfig, PanelLeadership

__all__ = ["leadership", "run"]

Progress = Callable[[str, int, int], None]
_Z = 1.959963984540054
_LEAST_MOVES = 2  # returns that all share; fewer are no panel to any test
_NONE = pl.DataFrame()
_NOT_ASKED = (Reason.FEW_ROWS, Reason.STALE, Reason.SINGULAR, Reason.SERIAL, Reason.NO_CONVERGENCE)


class _Asked(NamedTuple):
    """The parts of a panel that the questions need."""

    panel: PricePanel
    names: list[str]  # prices
    factors: list[str]
    config: LeadershipConfig


def run(
    prices: pl.DataFrame,
    config: LeadershipConfig | None = None,
    *,
    simulated: bool = False,
    source: str = "",
    truth: str = "",
    progress: Progress | None = None,
) -> PanelLeadership:
    """The study of a wide frame of prices; pure: the same frame and config, the same result.

    ``prices`` has ``ts`` (UTC, rising) and one column a series; ``source`` says what they were
    given as, ``truth`` what is known of simulated ones. :class:`InputError` names the column and
    row of what cannot be used, and names of the config that are no columns.
    """
    config = config or LeadershipConfig()
    tell = progress or (lambda *_: None)
    steps = 7 + config.placebo_runs
    panel = price_panel(
        prices, probabilities=config.odds, calendar=config.calendar, max_gap_s=config.max_gap_s
    )
    if len(panel.names) < 2:  # noqa: PLR2004
        raise InputError("at least two series", met=", ".join(panel.names))
    asked = _asked(panel, config)
    several = _joint(asked)
    seed, level = config.seed, config.level
    tell("pairs", 0, steps)
    pairs = _NONE if several is None else _pairs(several, config)
    tell("identities", 1, steps)
    identities = identity_table(panel, config)
    tell("speeds", 2, steps)
    speeds = _speeds(asked, config.n_draws)
    tell("groups", 3, steps)
    groups = _groups(asked)
    tell("panel", 4, steps)
    rank = granger = _NONE
    spill = (_NONE, _NONE)
    left_out = () if several is None else _still(several)
    lively = _lively(several)
    if lively is not None:
        rank = rank_table(lively, level=level, seed=seed)
        granger = granger_table(lively, lags=config.forecast_lags, level=level)
        found = connectedness_table(
            lively, lags=config.forecast_lags, horizon=config.horizon, level=level, seed=seed
        )
        spill = (found.series, found.table)
    tell("resolution", 5, steps)
    coarse = _NONE if several is None else _resolution(several, config)
    placebo = _placebo(asked, lambda done: tell("placebo", 6 + done, steps))
    return PanelLeadership(
        config,
        simulated,
        int(panel.ts[0]),
        int(panel.ts[-1]),
        panel.step_s,
        int(panel.sessions[-1]) + 1,
        _series(panel),
        pairs,
        identities,
        speeds,
        *groups,
        rank,
        *spill,
        granger,
        coarse,
        placebo,
        source,
        truth,
        left_out,
        () if several is None else tuple(n for n in asked.names if n not in several.names),
        panel.missing,
        panel.off_step,
        panel.at_ends,
    )


leadership = run  # its name at the face of the package


def _asked(panel: PricePanel, config: LeadershipConfig) -> _Asked:
    names = [name for name in panel.names if name not in panel.probabilities]
    named = [*([config.market] if config.market else [])]
    named += [n for group in (*config.same, *config.classes) for n in group]
    named += [n for _, members in config.groups for n in members]
    for name in named:
        if name not in names:
            raise InputError(f"a price column among {', '.join(names) or 'none'}", met=name)
    factors = [name for name in (config.market, config.probability) if name]
    return _Asked(panel, names, factors, config)


def _joint(asked: _Asked) -> PricePanel | None:
    """The prices asked together, without the sparse if two are left."""
    if len(asked.names) < 2:  # noqa: PLR2004
        return None
    panel = asked.panel.take(asked.names)
    sparse = panel.sparse()
    kept = [name for name in panel.names if name not in sparse]
    return panel.take(kept) if len(kept) > 1 else panel


def _still(panel: PricePanel) -> tuple[str, ...]:
    """The series that never move over the rows that all have."""
    moves = panel.returns()
    if not len(moves):
        return ()
    return tuple(name for name, d in zip(panel.names, moves.T, strict=True) if np.ptp(d) == 0.0)


def _lively(panel: PricePanel | None) -> PricePanel | None:
    """The panel without those, if two are left: one of them would refuse tests of the whole."""
    if panel is None:
        return None
    kept = [name for name in panel.names if name not in _still(panel)]
    if len(kept) < 2 or len(panel.returns()) < _LEAST_MOVES:  # noqa: PLR2004
        return None
    return panel.take(kept)


def _pairs(panel: PricePanel, config: LeadershipConfig) -> pl.DataFrame:
    return pair_table(
        panel,
        lags=config.pair_lags,
        level=config.level,
        false_discovery=config.false_discovery,
        n_draws=config.n_draws,
        seed=config.seed,
    )


def _resolution(panel: PricePanel, config: LeadershipConfig) -> pl.DataFrame:
    if panel.off_step > MOST_OFF_STEP:
        return _NONE
    multiples = [m for m in config.resolution if panel.every(m).ts.size > 2]  # noqa: PLR2004
    return resolution_table(
        panel,
        multiples,
        lags=config.pair_lags,
        level=config.level,
        false_discovery=config.false_discovery,
        n_draws=config.n_draws,
        seed=config.seed,
    )


def _speeds(asked: _Asked, n_draws: int) -> pl.DataFrame:
    if not asked.factors or not {*asked.names} - {*asked.factors}:
        return _NONE
    config = asked.config
    return speed_table(
        asked.panel,
        asked.factors,
        lags=config.lags,
        level=config.level,
        n_draws=n_draws,
        seed=config.seed,
    )


def _groups(asked: _Asked) -> GroupTables:
    config = asked.config
    if not asked.factors or not config.groups:
        return GroupTables(_NONE, _NONE, _NONE)
    regimes = None
    if config.probability:
        regimes = regimes_of(ndtr(asked.panel.column(config.probability)), config.regime_edges)
    return group_table(
        asked.panel,
        asked.factors,
        dict(config.groups),
        regimes=regimes,
        lags=config.lags,
        level=config.level,
        n_draws=config.n_draws,
        seed=config.seed,
    )


def _series(panel: PricePanel) -> pl.DataFrame:
    """Each column as met: rows seen, holes, and how often it stood still."""
    x = panel.levels
    inside = np.diff(panel.sessions) == 0
    d = np.diff(x, axis=0)[inside]
    seen = np.isfinite(d).sum(axis=0)
    still = np.divide((d == 0.0).sum(axis=0), seen, out=np.full(seen.size, np.nan), where=seen > 0)
    kinds = ["probability" if name in panel.probabilities else "price" for name in panel.names]
    return tidy(
        {
            "name": list(panel.names),
            "kind": kinds,
            "rows": np.isfinite(x).sum(axis=0),
            "holes": np.isnan(x).sum(axis=0),
            "standing_still": still,
            "lowest": _units(panel, np.nanmin(x, axis=0)),
            "highest": _units(panel, np.nanmax(x, axis=0)),
        }
    )


def _units(panel: PricePanel, levels: FloatArray) -> FloatArray:
    """Levels, one a series, as the prices and probabilities they were ``(n,)``."""
    odds = np.array([name in panel.probabilities for name in panel.names])
    return np.where(odds, ndtr(levels), np.exp(levels))


def _placebo(asked: _Asked, tell: Callable[[int], None]) -> pl.DataFrame:
    """How often the rules name anybody where no column has anything to do with another."""
    config = asked.config
    could, named = dict[str, int](), dict[str, int]()
    block = max(1, round(config.placebo_block_s / asked.panel.step_s))
    for run_ in range(config.placebo_runs):
        tell(run_)
        made = _named(asked, shuffled(asked.panel, block, config.seed + run_))
        for method, answered, found in made:
            could[method] = could.get(method, 0) + answered
            named[method] = named.get(method, 0) + found
    if not named:
        return _NONE
    ends = np.array([wilson(named[m], could[m]) for m in named])
    return tidy(
        {
            "method": list(named),
            "runs": [config.placebo_runs] * len(named),
            "asked": list(could.values()),
            "named": list(named.values()),
            "rate_low": ends[:, 0],
            "rate_high": ends[:, 1],
        }
    ).with_columns(pl.col("rate_low", "rate_high").cast(pl.Float64))


def _named(asked: _Asked, panel: PricePanel) -> list[tuple[str, bool, bool]]:
    """Each method asked: could its rule answer at all in this panel, and did it name a leader."""
    config = asked.config
    out = []
    # Of the panel as it was: shuffling with holes must not change which series are asked
    joint = _joint(asked)
    if joint is not None:
        out.append(("pairs", *_answer(_pairs(panel.take(joint.names), config))))
    lively = _lively(joint)
    if lively is not None:
        wide = panel.take(lively.names)
        links = granger_table(wide, lags=config.forecast_lags, level=config.level)
        answered = bool(links["p_value"].is_not_null().any())
        out.append(("granger", answered, bool(links["found"].any())))
    speeds = _speeds(asked._replace(panel=panel), config.placebo_draws)
    if speeds.height:
        out.append(("speeds", *_answer(speeds)))
    if config.classes:
        tested = LeadershipConfig(
            classes=config.classes, lags=config.lags, level=config.level, n_draws=config.n_draws
        )
        found = identity_table(panel._replace(probabilities=frozenset()), tested)
        out.append(("share classes", *_answer(found)))
    if not out:
        return []
    return [*out, ("any", any(could for _, could, _ in out), any(found for *_, found in out))]


def _answer(table: pl.DataFrame) -> tuple[bool, bool]:
    """Whether any row's rule could be asked, and whether any names a leader."""
    asked = ~table["reason"].is_in([str(why) for why in _NOT_ASKED])
    return bool(asked.any()), bool(table["leader"].is_not_null().any())


def shuffled(panel: PricePanel, block: int, seed: int) -> PricePanel:
    """The panel with each column's moves drawn in another order, blocks of rows, column by column.

    Holes stay where they were; moves between sessions are exchanged among themselves.
    """
    out = panel.levels.copy()
    for c in range(out.shape[1]):
        rng = np.random.default_rng((seed, c))
        seen = np.flatnonzero(np.isfinite(out[:, c]))
        d, label = np.diff(out[seen, c]), panel.sessions[seen]
        inside = label[1:] == label[:-1]
        within = d[inside]
        starts = np.arange(0, within.size, block)
        order = rng.permutation(starts)
        if within.size:
            d[inside] = np.concatenate([within[s : s + block] for s in order])
        d[~inside] = rng.permutation(d[~inside])
        out[seen[1:], c] = out[seen[0], c] + np.cumsum(d)
    return panel._replace(levels=out)


def wilson(count: int, runs: int) -> tuple[float, float]:
    """Ends of Wilson's 95% interval of a rate; NaN of no runs.

    >>> [round(end, 3) for end in wilson(0, 20)]
    [0.0, 0.161]
    """
    if not runs:
        return np.nan, np.nan
    p, z2 = count / runs, _Z**2
    centre = (p + z2 / (2 * runs)) / (1 + z2 / runs)
    half = _Z / (1 + z2 / runs) * np.sqrt(p * (1 - p) / runs + z2 / (4 * runs**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
