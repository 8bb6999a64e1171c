"""The event premium the slow way: every integral by quadrature, every cell one least squares.

Nothing is shared with the package but the constants of the grid. The base's bends are unknowns of
their own (weight space, where the kernel integrates them out), each cell is solved by QR on stacked
rows, and quantiles are scipy's roots.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.optimize import brentq
from scipy.stats import norm

DAY = 86_400 * 10**9
KNOTS = 24
LOG_TAU2 = -2.1 + 0.6 * np.arange(7)
LOG_KAPPA2 = -0.6 + 0.6 * np.arange(4)
KAPPA_SD, SLOPE_SD, LEAST = 0.4, 0.5, 1e-4


def base_columns(at_ns, days, weekend):
    """Integrals of 1, of log time about its middle, and of the scaled bends, to each expiry."""
    knots = np.linspace(np.log(days[0] / 4), np.log(days[-1]), KNOTS)
    h = knots[1] - knots[0]
    phase = (at_ns - 4 * DAY) / DAY % 7.0
    turns = np.arange(0.0, days[-1] + 8.0) - phase % 1.0
    cuts = np.unique(np.concatenate([[0.0], np.exp(knots[:-1]), days, turns[turns > 0]]))
    cuts = cuts[cuts <= days[-1]]
    x, w = np.polynomial.legendre.leggauss(20)
    columns = np.zeros((days.size, KNOTS))
    for a, b in pairwise(cuts):
        u = 0.5 * (a + b) + 0.5 * (b - a) * x
        off = (phase + 0.5 * (a + b)) % 7.0 >= 5.0
        weight = 0.5 * (b - a) * w * (weekend if off else (7 - 2 * weekend) / 5)
        log_u = np.maximum(np.log(u), knots[0])
        f = [np.ones(u.size), log_u - 0.5 * (knots[0] + knots[-1])]
        f += [np.sqrt(h) * np.maximum(log_u - knot, 0.0) for knot in knots[1:-1]]
        columns[days >= b] += np.array(f) @ weight
    return columns


def cell(y, s, base, counts, given, log_tau2, log_kappa2):
    """Log evidence, coefficients' mean and covariance, residual and its degrees, of one cell."""
    precision, mean = given
    q, n = counts.shape[1], y.size
    A = np.column_stack([counts, base]) / s[:, None]
    scale = 1.0 / np.linalg.norm(A, axis=0)
    A = A * scale
    tau, kappa = 10.0 ** (log_tau2 / 2), 10.0 ** (log_kappa2 / 2)
    prior = np.concatenate([precision, [0.0, 1 / SLOPE_SD**2], np.full(KNOTS - 2, tau**-2)])
    centre = np.concatenate([mean, np.zeros(KNOTS)])
    rows = np.vstack([A / kappa, np.diag(np.sqrt(prior) * scale)])
    right = np.concatenate([y / s / kappa, np.sqrt(prior) * centre])
    Q, R = qr(rows, mode="economic")
    b = solve_triangular(R, Q.T @ right)
    inverse = solve_triangular(R, np.eye(R.shape[0]))
    misfit = np.sum((right - rows @ b) ** 2)
    log_det = 2 * np.sum(np.log(np.abs(np.diag(R))) - np.log(scale))
    evidence = n * np.log(kappa**2) + (KNOTS - 2) * np.log(tau**2) + log_det + misfit
    hat = np.sum((A @ inverse / kappa) ** 2)
    left = y / s - A @ b
    return -0.5 * evidence, b * scale, inverse * scale[:, None], left, n - hat, q


def premium(term, counts, grid, log_prior, *, known=None, level=0.95):
    """A dictionary of what the estimator answers; ``known`` is (mean, sd) of each e^2 or None."""
    unit = np.median(term.iv**2) / 365
    days = (term.expiries_ns - term.at_ns) / DAY
    y, s = term.iv**2 * days / 365 / unit, 2 * term.iv * days / 365 * term.error / unit
    known = known or [None] * counts.shape[1]
    precision = np.array([0.0 if k is None else (unit / k[1]) ** 2 for k in known])
    mean = np.array([0.0 if k is None else k[0] / unit for k in known])
    cells = []
    for weekend, prior in zip(grid, log_prior, strict=True):
        base = base_columns(term.at_ns, days, weekend)
        for t in LOG_TAU2:
            for k in LOG_KAPPA2:
                found = cell(y, s, base, counts, (precision, mean), t, k)
                value = found[0] + prior - 0.5 * (k / KAPPA_SD) ** 2
                cells.append((value, weekend, t, base, *found[1:]))
    value = np.array([one[0] for one in cells])
    weight = np.exp(value - value.max())
    weight[weight < LEAST] = 0.0
    weight /= weight.sum()
    return _answer(unit, days, s, y, counts, cells, weight, 0.5 * (1 - level))


def _answer(unit, days, s, y, counts, cells, weight, tail):
    q = counts.shape[1]
    out = {name: [] for name in ("variance", "variance_error", "size", "lower", "upper")}
    for k in range(q):
        mean = np.array([one[4][k] for one in cells])
        sd = np.array([np.linalg.norm(one[5][k]) for one in cells])
        for name, value in zip(out, _law(weight, mean * unit, sd * unit, tail), strict=True):
            out[name].append(value)
    base = np.array([one[3] @ one[4][q:] for one in cells])
    spread = np.array([np.sum((one[3] @ one[5][q:]) ** 2, axis=1) for one in cells])
    left = weight @ np.array([one[6] for one in cells])
    middle = weight @ base
    sd = np.sqrt(weight @ (spread + base**2) - middle**2)
    z = norm.ppf(1 - tail)
    for name, w in (
        ("base_iv", middle),
        ("base_lower", middle - z * sd),
        ("base_upper", middle + z * sd),
        ("fitted_iv", y - left * s),
    ):
        out[name] = np.sqrt(w * unit / days * 365)
    out["weekend"] = weight @ np.array([one[1] for one in cells])
    out["roughness"] = -weight @ np.array([one[2] for one in cells])
    out["misfit"] = np.sum(left**2) / (weight @ np.array([one[7] for one in cells]))
    return out


def _law(weight, mean, sd, tail):
    """Mean and sd of the mixture; median, lower and upper end of the root, cut at 0."""
    first = weight @ mean
    second = weight @ (sd**2 + (mean - first) ** 2)
    low, high = np.min(mean - 12 * sd), np.max(mean + 12 * sd)

    def below(x):
        return weight @ norm.cdf((x - mean) / sd)

    def quantile(p, least):
        return brentq(lambda x: below(x) - p, least, high, xtol=1e-18, rtol=1e-14)

    gone = below(0.0)
    cut = [quantile(p * (1 - gone) + gone, max(low, 0.0)) for p in (0.5, 1 - tail)]
    lower = np.sqrt(max(quantile(tail, low), 0.0))
    return first, np.sqrt(second), np.sqrt(cut[0]), lower, np.sqrt(cut[1])
