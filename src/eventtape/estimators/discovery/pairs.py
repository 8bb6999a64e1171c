r"""Of every two prices that share one trend, which one moves to it first? And for which can we say?

A pair of log prices with one cointegrating relation X_i - b X_j has one permanent shock. With
a_perp = (a_2, -a_1) from the adjustment coefficients, W the residual covariance and c = W a_perp,
the impact of that shock on each, as a share of its own long-run response, is the leadership speed
L_i, and PILS_i = L_i^2 / (L_i^2 + L_j^2) (Shen, Zhang and Zivot 2025) is who leads: it does not
depend on which is more volatile, more noisy or quoted in larger units, and correlated residuals do
not move it. Hasbrouck's share first and last in order, the component share (Gonzalo and Granger)
and the price discovery share (Shen, Sultan and Zivot 2024) go with it.

What has to hold before a pair gets a score, each a reason when it does not:

- ten rows a regressor; prices that move in at least half of the rows; lags enough for both
- one relation: Johansen's statistic beyond its law for these rows (``rank_law``) and beyond that of
  these very steps with random signs (``sign_law``: volatility that moves for all at once), and the
  second root not; and neither series alone stationary (likelihood ratio, F form), which would make
  any walk beside it look cointegrated. The larger of those p-values, false-discovery adjusted over
  all pairs, must be below ``false_discovery``. The default of one in a hundred is below the usual
  5% because fat tails and bid-ask bounce swell the far tail of these tests (docs: validation)
- information share bounds no wider than one half: else the two move within one step

A leader is named among the pairs that pass, where the interval leaves equality, false-discovery
adjusted over them at ``1 - level``, by more than the prices of the other standing still would make.

The interval redraws blocks of rows with exponential weights (Bayesian bootstrap), the same for
every pair, holds the relation at its estimate (it converges at rate T), and uses the spread of the
angle of (L_i, L_j), which has no bad scale at 0 or infinity, with Student's quantile and a
leverage correction B / (B - regressors) over B blocks. The middle share is even on the scale
arcsin(sqrt); PDS, which may leave 0 to 1, takes the wider end of that scale and its own. PILS is
about the first step only: a price that moves too far at once is fast by it, and noise that lasts
over rows moves it (white noise, units and correlated residuals do not). Where true bounds are more
than one half apart, the few samples that pass are not typical and their intervals hold less than
``level``; leaders named by chance there stay below one run in twenty.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from eventtape.arrays import BoolArray, FloatArray, IntArray, check_level
from eventtape.errors import InputError
from eventtape.estimators.discovery.false_discovery import adjusted
from eventtape.estimators.discovery.pair_kernel import COLUMNS, choose_lags, solve_pairs
from eventtape.estimators.discovery.pair_redraw import block_count, spreads
from eventtape.estimators.discovery.pair_rows import PairRows, pair_columns, pair_rows, standing
from eventtape.estimators.discovery.rank_law import relation_tests
from eventtape.estimators.discovery.refusals import Reason
from eventtape.estimators.discovery.sign_law import sign_p_values

__all__ = ["SECOND_ROOT", "WIDEST", "Pairs", "pair_discovery"]

WIDEST = 0.5  # the difference of share first and last in order
_STILL = 0.5
SECOND_ROOT = 0.01  # p-value of one unit root left


class Pairs(NamedTuple):
    """One row a pair of columns i < j, ``(m,)`` each; shares are of the first.

    One minus a share is the second's. Shares are NaN where ``reason`` is given; their intervals are
    kept for a pair refused only because its interval holds equality.

    - ``first``, ``second``: columns i and j.
    - ``leader``: the column that leads, -1 where none is named.
    - ``reason``: why none is named; ``NONE``, the empty text, where one is.
    - ``pils``, ``pils_lower``, ``pils_upper``: who leads, 0 to 1; above one half: the first.
    - ``is_first``, ``is_last``: Hasbrouck's share when first and when last in order;
      ``is_lower``, ``is_upper``: interval of the middle of the two.
    - ``component``, ``component_lower``, ``component_upper``: part of the common trend's weights,
      with its sign; very wide where responses cancel. Speaks of noise, not of speed.
    - ``pds``, ``pds_lower``, ``pds_upper``: part in the trend's variance; may leave 0 to 1.
    - ``beta``: X_i - beta X_j is the relation.
    - ``correlation``: of the residuals.
    - ``width``: the distance of ``is_first`` from ``is_last``, given whether or not refused.
    - ``p_none``: p-value of no relation: small says that they share a trend.
    - ``p_stationary``: of one unit root left: small says that both are stationary.
    - ``p_alone``: of one series alone being the relation, the larger of the two.
    - ``q_relation``: false-discovery rate of max(p_none, p_alone), over all pairs.
    - ``p_equal``: of equal speeds, NaN where no share is identified; ``q_equal``: the same as a
      false-discovery rate over those identified.
    - ``lags``, ``n_rows``, ``n_blocks``, ``level``: lagged differences, rows of the model, blocks
      redrawn and level of the intervals; one number each, for all pairs.
    """

    first: IntArray
    second: IntArray
    leader: IntArray
    reason: list[Reason]
    pils: FloatArray
    pils_lower: FloatArray
    pils_upper: FloatArray
    is_first: FloatArray
    is_last: FloatArray
    is_lower: FloatArray
    is_upper: FloatArray
    component: FloatArray
    component_lower: FloatArray
    component_upper: FloatArray
    pds: FloatArray
    pds_lower: FloatArray
    pds_upper: FloatArray
    beta: FloatArray
    correlation: FloatArray
    width: FloatArray
    p_none: FloatArray
    p_stationary: FloatArray
    p_alone: FloatArray
    q_relation: FloatArray
    p_equal: FloatArray
    q_equal: FloatArray
    lags: int
    n_rows: int
    n_blocks: int
    level: float


def pair_discovery(
    log_prices: FloatArray,
    lags: int | None = None,
    *,
    sessions: IntArray | None = None,
    pairs: IntArray | None = None,
    level: float = 0.95,
    false_discovery: float = 0.01,
    n_draws: int = 999,
    block: int | None = None,
    seed: int = 0,
    rows_per_regressor: float = 10.0,
) -> Pairs:
    """Leadership of every pair of columns of log prices ``(T, n)``, with interval or reason.

    ``lags``: lagged differences; by default the most that any series needs, within the rows (AIC
    for two; for n > 2 a lag costs 2 ln n: Foster and George 1994).
    A NaN is a hole, and a change of ``sessions`` ``(T,)`` a night: no difference spans either.
    ``pairs`` ``(m, 2)`` names some pairs only. ``block``: rows in a block, by default the fourth
    root of the rows. The same seed gives the same weights to any order of the columns.
    """
    check_level(level)
    if not 0.0 < false_discovery < 1.0:
        raise InputError("a false-discovery rate between 0 and 1", met=false_discovery)
    if n_draws < 99:
        raise InputError("at least 99 draws", met=n_draws)
    if lags is not None and lags < 0:
        raise InputError("at least 0 lags", met=lags)
    panel = pair_rows(log_prices, lags, sessions, rows_per_regressor)
    first, second = pair_columns(panel.n, pairs)
    m = first.size
    n_blocks = block_count(panel, block)
    out = np.full((m, len(COLUMNS)), np.nan)
    if panel.z.shape[0] > 0:
        solve_pairs(panel.cross, panel.n, panel.lags, panel.rows, first, second, out)
    table = dict(zip(COLUMNS, out.T, strict=True))
    p_none, p_stationary, p_alone = relation_tests(table, panel.rows, panel.lags)
    found = np.flatnonzero(adjusted(p_none) <= false_discovery)
    trace = -panel.rows * (np.log1p(-out[found, 0]) + np.log1p(-out[found, 1]))
    signed = sign_p_values(panel, first[found], second[found], trace, seed)
    p_none[found] = np.maximum(p_none[found], signed)
    q_relation = adjusted(np.maximum(p_none, p_alone))
    width = np.abs(table["is_first"] - table["is_last"])
    reason = np.full(m, Reason.NONE, dtype=object)
    for why, holds in (
        (Reason.WIDE, ~(width <= WIDEST)),
        (Reason.RANK_FULL, ~(p_stationary > SECOND_ROOT)),
        (Reason.ONE_ALONE, ~(q_relation <= false_discovery)),
        (Reason.RANK_0, ~(adjusted(p_none) <= false_discovery)),
        (Reason.SERIAL, _short(panel, first, second, chosen=lags is None)),
        (Reason.SINGULAR, np.isnan(out[:, 0])),
        (Reason.STALE, np.maximum(panel.still[first], panel.still[second]) > _STILL),
        (Reason.FEW_ROWS, np.full(m, panel.few or n_blocks <= panel.regressors)),
    ):
        reason[holds] = why
    kept = np.flatnonzero(reason == Reason.NONE)
    spread = spreads(panel, first[kept], second[kept], out[kept], n_blocks, n_draws, seed)
    freedom = max(n_blocks - panel.regressors, 1)  # fewer blocks: nothing was kept
    reach = np.full((m, 4), np.nan)
    reach[kept] = spread * float(stdtrit(freedom, 0.5 * (1.0 + level)))
    p_equal, ahead = np.full(m, np.nan), np.zeros(m, np.int64)
    angle = table["angle"]
    far, ahead[kept] = _distance(angle[kept], standing(panel, first[kept], second[kept]))
    p_equal[kept] = 2.0 * stdtr(freedom, -far / spread[:, 0])
    q_equal = adjusted(p_equal)
    leader = np.full(m, -1)
    won = kept[(q_equal[kept] <= 1.0 - level) & (p_equal[kept] <= 1.0 - level)]
    leader[won] = np.where(ahead[won] > 0, first[won], second[won])
    reason[kept[leader[kept] < 0]] = Reason.EQUAL
    shown = np.where(reason == Reason.NONE, 1.0, np.nan)
    low, high = _squared_sine(angle - reach[:, 0], angle + reach[:, 0])
    is_low, is_high = _within_one(table["is_middle"], reach[:, 3])
    pds, pds_reach = table["pds"], reach[:, 2]
    pds_low, pds_high = _within_one(pds, pds_reach)  # NaN where it is no share: below 0, above 1
    return Pairs(
        first,
        second,
        leader,
        [Reason(why) for why in reason],  # numpy makes plain strings of them
        shown * np.sin(angle) ** 2,
        low,
        high,
        shown * table["is_first"],
        shown * table["is_last"],
        is_low,
        is_high,
        shown * table["component"],
        table["component"] - reach[:, 1],
        table["component"] + reach[:, 1],
        shown * pds,
        np.fmin(pds - pds_reach, pds_low),
        np.fmax(pds + pds_reach, pds_high),
        table["beta"],
        table["omega_cross"] / np.sqrt(table["omega_first"] * table["omega_second"]),
        width,
        p_none,
        p_stationary,
        p_alone,
        q_relation,
        p_equal,
        q_equal,
        panel.lags,
        panel.z.shape[0],
        n_blocks,
        level,
    )


def _short(panel: PairRows, first: IntArray, second: IntArray, chosen: bool) -> BoolArray:
    """Whether a pair wants more lags than it gets (AIC): its series one by one, or its VAR.

    Where the rows forbade the lags that the series ask for, each series is asked: a price that
    bounces in the spread looks stationary to a model too short for it. Lags a user named are held
    against the pair's own VAR, which needs fewer than its series do.
    """
    if chosen:
        return np.maximum(panel.orders[first], panel.orders[second]) > panel.affordable
    if panel.few or panel.longest <= panel.lags:
        return np.zeros(first.size, bool)
    wanted = np.empty(first.size, np.int64)
    choose_lags(panel.long_cross, panel.n, panel.longest, panel.long_rows, first, second, wanted)
    return wanted > panel.lags


def _distance(angle: FloatArray, band: FloatArray) -> tuple[FloatArray, IntArray]:
    """How far each angle is beyond equal speeds, and +1 where the first is the faster.

    ``band`` is the ratio of speeds L_i / L_j that prices standing still would make by themselves:
    between it and 1 nobody leads.
    """
    a = np.arctan2(np.abs(np.sin(angle)), np.abs(np.cos(angle)))  # 0: second alone, pi/2: first
    near, far = (
        np.minimum(np.arctan(band), 0.25 * math.pi),
        np.maximum(np.arctan(band), math.pi / 4),
    )
    beyond = np.maximum(np.maximum(a - far, near - a), 0.0)
    return beyond, np.where(a > far, 1, -1).astype(np.int64)


def _within_one(share: FloatArray, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Interval of a share between 0 and 1, even on the scale arcsin(sqrt)."""
    x = np.where((share > 0.0) & (share < 1.0), share, np.nan)
    middle, turn = np.arcsin(np.sqrt(x)), 0.5 * reach / np.sqrt(x * (1.0 - x))
    return _squared_sine(np.maximum(middle - turn, 0.0), np.minimum(middle + turn, 0.5 * math.pi))


def _squared_sine(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and greatest sin^2 between two angles."""
    ends = np.sin(low) ** 2, np.sin(high) ** 2
    half = 0.5 * math.pi
    has_zero = np.floor(high / math.pi) > np.floor(low / math.pi)
    has_one = np.floor((high + half) / math.pi) > np.floor((low + half) / math.pi)
    return (
        np.where(has_zero, 0.0, np.minimum(*ends)),
        np.where(has_one, 1.0, np.maximum(*ends)),
    )
