"""Pairs of prices the slow way: one regression a step, one matrix a formula, a loop a bootstrap.

Nothing is shared with the package: rows are gathered one at a time, the cointegrating vector is
scipy's generalised eigenvector, the rest least squares on the rows themselves, and every share is
read off Psi(1) and the residual covariance as Hasbrouck (1995), Gonzalo and Granger (1995), Shen,
Sultan and Zivot (2024) and Shen, Zhang and Zivot (2025) write them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg, stats

MEASURES = ("angle", "component", "pds", "is_middle")


class Rows(NamedTuple):
    """Differences, levels before them, and lagged differences, of two series."""

    d: np.ndarray
    level: np.ndarray
    past: np.ndarray


class Model(NamedTuple):
    """One pair's VECM with a constant and every measure of the first series."""

    roots: np.ndarray
    alone: tuple[float, float]
    beta: float
    alpha: np.ndarray
    omega: np.ndarray
    psi: np.ndarray
    is_first: float
    is_last: float
    component: float
    pds: float
    speeds: np.ndarray
    pils: float

    @property
    def is_middle(self) -> float:
        return 0.5 * (self.is_first + self.is_last)

    @property
    def angle(self) -> float:
        return math.atan2(self.speeds[0], self.speeds[1])


def gather(x, lags, sessions=None, whole=None):
    """Rows of the pair ``x`` (T, 2) where ``whole`` (T, n), by default the pair, has no break."""
    whole = x if whole is None else whole
    label = np.zeros(len(x)) if sessions is None else sessions
    d, level, past = [], [], []
    for t in range(lags + 1, len(x)):
        used = slice(t - lags - 1, t + 1)
        if np.isnan(whole[used]).any() or len(set(label[used])) > 1:
            continue
        d.append(x[t] - x[t - 1])
        level.append(x[t - 1])
        past.append([v for s in range(1, lags + 1) for v in x[t - s] - x[t - s - 1]])
    return Rows(np.array(d), np.array(level), np.array(past).reshape(len(d), 2 * lags))


def residuals(y, regressors):
    return y - regressors @ np.linalg.lstsq(regressors, y, rcond=None)[0]


def model(rows: Rows) -> Model:
    """Reduced rank regression, then least squares given the relation."""
    n = len(rows.d)
    z = np.column_stack([np.ones(n), rows.past])
    r0, r1 = residuals(rows.d, z), residuals(rows.level, z)
    s00, s01, s11 = r0.T @ r0 / n, r0.T @ r1 / n, r1.T @ r1 / n
    values, vectors = linalg.eigh(s01.T @ np.linalg.solve(s00, s01), s11)
    v = vectors[:, -1] / vectors[0, -1]
    slope = -v[1]
    alone = tuple(float(s01[:, c] @ np.linalg.solve(s00, s01[:, c]) / s11[c, c]) for c in (0, 1))
    alpha, omega, psi = given_relation(rows, slope, np.ones(n))
    return Model(values[::-1], alone, slope, alpha, omega, psi, *measured(psi, omega))


def given_relation(rows: Rows, slope, weight):
    """Adjustment, residual covariance and Psi(1) by weighted least squares on one relation."""
    n, k = len(rows.d), rows.past.shape[1] // 2
    relation = rows.level @ np.array([1.0, -slope])
    z = np.column_stack([relation - relation.mean(), rows.past, np.ones(n)])
    root = np.sqrt(weight)[:, None]
    coef = np.linalg.lstsq(root * z, root * rows.d, rcond=None)[0]
    left = rows.d - z @ coef
    omega = (weight[:, None] * left).T @ left / weight.sum()
    alpha = coef[0]
    gamma = np.eye(2) - sum((coef[1 + 2 * j : 3 + 2 * j].T for j in range(k)), np.zeros((2, 2)))
    a_perp, b_perp = np.array([[alpha[1]], [-alpha[0]]]), np.array([[slope], [1.0]])
    psi = b_perp @ np.linalg.inv(a_perp.T @ gamma @ b_perp) @ a_perp.T
    return alpha, omega, psi


def measured(psi, omega):
    """Shares of the first, from Psi(1): of the second's trend, in units that make both one."""
    common = psi[1]
    V = common @ omega @ common
    c = omega @ common
    is_first = c[0] ** 2 / (omega[0, 0] * V)
    is_last = common[0] ** 2 / (np.linalg.inv(omega)[0, 0] * V)
    response = psi @ omega @ common / V
    speeds = c / V / response
    unit = response * common  # psi of the prices divided by their long-run responses
    squares = speeds**2
    return (
        is_first,
        is_last,
        unit[0] / unit.sum(),
        common[0] * c[0] / V,
        speeds,
        squares[0] / squares.sum(),
    )


def bootstrap(rows: Rows, found: Model, n_blocks, n_draws, seed):
    """Standard error of each measure, and its leverage correction, one fit a draw."""
    n = len(rows.d)
    edges = np.linspace(0, n, n_blocks + 1).astype(int)
    sizes = np.diff(edges)
    rng = np.random.default_rng(seed)
    off = np.empty((n_draws, 4))
    for draw in range(n_draws):
        weight = np.repeat(rng.standard_exponential(n_blocks), sizes)
        _, omega, psi = given_relation(rows, found.beta, weight)
        one = Model(*found[:3], None, omega, psi, *measured(psi, omega))
        off[draw] = [getattr(one, m) - getattr(found, m) for m in MEASURES]
        turn = off[draw, 0]
        off[draw, 0] = math.atan2(math.sin(turn), math.cos(turn))
    regressors = 2 + rows.past.shape[1]
    return off.std(axis=0) * n_blocks / (n_blocks - regressors)


def squared_sine(low, high):
    """Least and greatest sin^2 between two angles: at the ends and at quarter turns between."""
    turns = 0.5 * math.pi * np.arange(math.ceil(low / (0.5 * math.pi)), high / (0.5 * math.pi))
    values = np.sin(np.r_[low, high, turns]) ** 2
    return values.min(), values.max()


def intervals(found: Model, spread, level, freedom):
    """Lower and upper of PILS, the middle IS, CS and PDS."""
    reach = spread * stats.t.ppf(0.5 * (1.0 + level), freedom)
    pds = [found.pds - reach[2], found.pds + reach[2]]
    if 0.0 < found.pds < 1.0:
        low, high = within_one(found.pds, reach[2])
        pds = [min(pds[0], low), max(pds[1], high)]
    return {
        "pils": squared_sine(found.angle - reach[0], found.angle + reach[0]),
        "is": within_one(found.is_middle, reach[3]),
        "component": (found.component - reach[1], found.component + reach[1]),
        "pds": pds,
    }


def within_one(share, reach):
    """Ends even in arcsin(sqrt(share)), not beyond 0 or 1."""
    angle = math.asin(math.sqrt(share))
    turn = 0.5 * reach / math.sqrt(share * (1.0 - share))  # d angle / d share
    ends = max(angle - turn, 0.0), min(angle + turn, 0.5 * math.pi)
    return math.sin(ends[0]) ** 2, math.sin(ends[1]) ** 2


def p_alone(found: Model, n_rows, regressors):
    """One series alone being the relation: the likelihood ratio as an F, the larger p."""
    freedom = n_rows - regressors
    ratios = [freedom * ((1.0 - a) / (1.0 - found.roots[0]) - 1.0) for a in found.alone]
    return max(stats.f.sf(r, 1, freedom) for r in ratios)


def p_equal(found: Model, spread, freedom):
    """Speeds equal in size: the angle's distance to the nearest odd multiple of 45 degrees."""
    odd = 0.25 * math.pi * np.arange(-3, 4, 2)
    return 2.0 * stats.t.cdf(-np.abs(found.angle - odd).min() / spread, freedom)
