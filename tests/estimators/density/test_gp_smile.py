"""The dense smile against a longhand one in 50 digits, sklearn's, and its own prices."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.gp_smile import (
    GPHyper,
    fit_gp_smile,
    gp_law,
    gp_log_evidence,
    gp_smile_at,
)
from eventtape.estimators.density.smile_evidence import PRIORS
from eventtape.estimators.density.smile_kernel import kernel_slope, rough_part
from eventtape.estimators.pricing.lognormal_mixture import lognormal

F, TAU = 100.0, 0.08
HOUSE = GPHyper(True, 0.1, np.log([1.7, 0.25, 1.3]), 0.5, 0.25)
PLAIN = GPHyper(False, 0.28, np.log([0.9, 0.4, 0.8]), 1.0, 0.0)
PRIOR_IDS = ["house", "plain"]


def quotes(n=24, seed=0, *, noise=1e-3):
    """A skewed smile of total volatilities with known errors and leans."""
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.45, 0.3, n))
    v = 0.11 - 0.06 * k + 0.1 * k * k
    sd = noise * rng.uniform(0.3, 2.0, n)
    z = noise * rng.standard_normal(n)
    return F * np.exp(k), v + sd * rng.standard_normal(n) + 0.5 * z, sd * sd, z


def fitted(hyper="evidence", n=24, seed=0, noise=1e-3, **options):
    K, v, R, z = quotes(n, seed, noise=noise)
    return fit_gp_smile(K, v, R, forward=F, tau=TAU, leans=z, hyper=hyper, **options)


def longhand(state, k):
    """(v, v', v'') and their covariance at one k, in 50 digits, slopes by differences of 1e-10."""
    with localcontext() as context:
        context.prec = 50
        hyper = state.hyper
        v0, one = Decimal(hyper.reference), Decimal(1)
        theta = [Decimal(float(t)).exp() for t in hyper.theta]
        short = Decimal("0.1") if hyper.house else Decimal(0)

        def place(at):
            x = at / v0
            if not hyper.house:
                return x, ()
            q = x / 6
            u = 6 * (q + (q * q + 1).sqrt()).ln()
            e = (2 * u / 3).exp()
            t = (e - 1) / (e + 1)
            return u, (one, t, t * t)

        def prior(a, b):
            (u, phi), (w, psi) = place(a), place(b)
            square = (u - w) ** 2 / theta[0] ** 2
            rough = (one - short) * (-square / 2).exp() + short * (-2 * square).exp()
            return sum((p * q for p, q in zip(phi, psi, strict=True)), theta[1] ** 2 * rough)

        log_f = Decimal(state.forward).ln()
        at = [Decimal(float(x)).ln() - log_f for x in state.strikes]
        z = [Decimal(float(x)) / v0 for x in state.leans]
        y = [
            Decimal(float(v)) / v0 - Decimal(hyper.base) - Decimal(hyper.lean) * lean
            for v, lean in zip(state.total_vols, z, strict=True)
        ]
        h = Decimal("1e-10")
        points = [Decimal(float(k)) - h, Decimal(float(k)), Decimal(float(k)) + h]
        n = len(at)
        rows = [
            [prior(a, b) + Decimal(hyper.lean_variance) * z[i] * z[j] for j, b in enumerate(at)]
            + [y[i], *(prior(p, a) for p in points)]
            for i, a in enumerate(at)
        ]
        for i in range(n):
            rows[i][i] += theta[2] ** 2 * Decimal(float(state.variances[i])) / v0**2
        for i in range(n):  # elimination without pivots: the matrix is positive definite
            for r in range(n):
                if r != i:
                    ratio = rows[r][i] / rows[i][i]
                    rows[r] = [a - ratio * b for a, b in zip(rows[r], rows[i], strict=True)]
        solved = [[rows[i][n + c] / rows[i][i] for i in range(n)] for c in range(4)]
        B = [[prior(p, a) for a in at] for p in points]
        mean = [
            Decimal(hyper.base) + sum(b * w for b, w in zip(row, solved[0], strict=True))
            for row in B
        ]
        cov = [
            [
                prior(points[i], points[j])
                - sum(b * w for b, w in zip(B[i], solved[1 + j], strict=True))
                for j in range(3)
            ]
            for i in range(3)
        ]
        D = [[0, one, 0], [-1 / (2 * h), 0, 1 / (2 * h)], [1 / h**2, -2 / h**2, 1 / h**2]]
        smile = [float(v0 * sum(d * m for d, m in zip(row, mean, strict=True))) for row in D]
        spread = [
            [
                float(v0**2 * sum(a[i] * cov[i][j] * b[j] for i in range(3) for j in range(3)))
                for b in D
            ]
            for a in D
        ]
        return np.array(smile), np.array(spread)


@pytest.mark.parametrize("hyper", [HOUSE, PLAIN], ids=PRIOR_IDS)
@pytest.mark.parametrize("k", [-0.9, -0.2, 0.01, 0.5])
def test_smile_and_its_covariance_are_the_longhand_ones(hyper, k):
    """Inside and far outside eight quotes; the differences' own error is about 1e-18."""
    state = fitted(hyper, n=8)
    mean, cov = gp_smile_at(state, [k])
    by_hand, spread = longhand(state, k)
    np.testing.assert_allclose(mean[:, 0], by_hand, rtol=1e-10, atol=1e-12)
    size = np.sqrt(np.diag(spread))
    np.testing.assert_allclose(
        cov[0] / np.outer(size, size), spread / np.outer(size, size), atol=1e-6
    )


def test_plain_prior_is_sklearns():
    K, v, R, _ = quotes()
    state = fit_gp_smile(K, v, R, forward=F, tau=TAU, hyper="seed")
    ell, sf, kappa = np.exp(state.hyper.theta)
    v0 = state.hyper.reference
    x = (np.log(K / F) / v0)[:, None]
    peer = GaussianProcessRegressor(
        ConstantKernel(sf * sf, "fixed") * RBF(ell, "fixed"), alpha=R / v0**2, optimizer=None
    ).fit(x, v / v0)
    k = np.linspace(-0.6, 0.5, 40)
    mean, sd = peer.predict((k / v0)[:, None], return_std=True)
    got, cov = gp_smile_at(state, k)
    assert kappa == 1.0
    np.testing.assert_allclose(got[0], v0 * mean, rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(cov[:, 0, 0]), v0 * sd, rtol=1e-6)
    assert gp_log_evidence(state) == pytest.approx(peer.log_marginal_likelihood(), rel=1e-9)


def test_seed_rule():
    """Median distance of two log-strikes, variance of the volatilities at the microprice."""
    K, v, R, z = quotes(7)
    state = fit_gp_smile(K, v, R, forward=F, tau=TAU, leans=z, hyper="seed")
    k = np.log(K / F)
    gaps = [abs(k[i] - k[j]) for i in range(7) for j in range(i)]
    assert math.exp(state.hyper.theta[0]) * math.sqrt(TAU) == pytest.approx(np.median(gaps))
    assert math.exp(2 * state.hyper.theta[1]) == pytest.approx(np.var((v - z) / math.sqrt(TAU)))
    assert (state.hyper.lean, state.hyper.lean_variance, state.hyper.house) == (1.0, 0.0, False)
    micro = fit_gp_smile(K, v - z, R, forward=F, tau=TAU, hyper=state.hyper)
    at = [-0.3, 0.0, 0.2]
    np.testing.assert_allclose(gp_smile_at(state, at)[0], gp_smile_at(micro, at)[0], rtol=1e-10)


@pytest.mark.parametrize("hyper", [HOUSE, PLAIN], ids=PRIOR_IDS)
def test_evidence_is_the_normal_density_of_the_quotes(hyper):
    state = fitted(hyper, noise=1e-2)
    v0 = hyper.reference
    y = state.total_vols / v0 - hyper.base
    law = multivariate_normal(hyper.lean * state.leans / v0, state.covariance)
    assert gp_log_evidence(state) == pytest.approx(law.logpdf(y), rel=1e-9)


@pytest.mark.parametrize("rule", ["evidence", "plain evidence"])
def test_no_neighbour_has_more_evidence(rule):
    """Evidence with its priors at steps of 2% from the answer: a maximum, so always less."""
    state = fitted(rule)
    if rule == "evidence":
        priors = PRIORS
    else:
        start = fitted("seed").hyper.theta
        priors = np.column_stack([start, np.full(3, 2.0)])

    def height(theta):
        near = fitted(state.hyper._replace(theta=theta))
        return gp_log_evidence(near) - 0.5 * np.sum(((theta - priors[:, 0]) / priors[:, 1]) ** 2)

    top, theta = height(state.hyper.theta), state.hyper.theta
    drops = []
    for i in range(3):
        for step in (-0.02, 0.02):
            moved = theta.copy()
            moved[i] += step
            drops.append(top - height(moved))
    assert min(drops) > 0.0
    # At a maximum both sides fall alike: a slope of a tenth of the curvature's fall would show.
    for left, right in zip(drops[::2], drops[1::2], strict=True):
        assert left == pytest.approx(right, rel=0.1)


@pytest.mark.parametrize("hyper", [HOUSE, PLAIN], ids=PRIOR_IDS)
def test_kernel_slopes_are_its_differences(hyper):
    u, h = np.linspace(-4.0, 4.0, 33), 1e-4
    at, up, down = (rough_part(hyper, x, np.zeros(1), order=2) for x in (u, u + h, u - h))
    np.testing.assert_allclose(at[1], (up[0] - down[0]) / (2 * h), atol=1e-8)
    np.testing.assert_allclose(at[2], (up[1] - down[1]) / (2 * h), atol=1e-8)
    sides = [
        rough_part(hyper._replace(theta=hyper.theta + np.array([s, 0.0, 0.0])), u[:, None], u)[0]
        for s in (h, -h)
    ]
    np.testing.assert_allclose(kernel_slope(hyper, u), (sides[0] - sides[1]) / (2 * h), atol=1e-8)


def test_density_and_distribution_are_those_of_its_prices():
    state = fitted()
    K, h = np.linspace(65.0, 140.0, 30), 1e-2

    def put(at):
        v = gp_smile_at(state, np.log(at / F))[0][0] / math.sqrt(TAU)
        return np.array([float(lognormal(F, TAU, s).put(x)) for s, x in zip(v, at, strict=True)])

    law = gp_law(state, K)
    np.testing.assert_allclose((put(K + h) - put(K - h)) / (2 * h), law.cdf, atol=1e-6)
    bend = (put(K + h) - 2.0 * put(K) + put(K - h)) / h**2
    np.testing.assert_allclose(bend, law.pdf, atol=1e-6)
    np.testing.assert_allclose(law.total_vol, gp_smile_at(state, np.log(K / F))[0][0], rtol=1e-15)


def test_house_density_is_whole_and_has_the_forwards_mean():
    """Wings included: nothing was divided by its sum."""
    state = fitted()

    def of_y(y, power):
        K = F * math.exp(y)
        return float(gp_law(state, [K]).pdf[0]) * K ** (1 + power)

    parts = {"epsabs": 1e-10, "limit": 200}
    assert quad(of_y, -2.0, 1.5, (0,), **parts)[0] == pytest.approx(1.0, abs=1e-7)
    assert quad(of_y, -2.0, 1.5, (1,), **parts)[0] == pytest.approx(F, abs=1e-5)


@pytest.mark.parametrize("hyper", [HOUSE, PLAIN], ids=PRIOR_IDS)
def test_errors_are_the_spread_of_smiles_drawn(hyper):
    """20,000 draws of (v, v', v'') at each strike put through Black's formula by differences.

    The noise is small, so that the delta method is the law; 2% is four standard errors of an sd.
    """
    state = fitted(hyper)
    K, draws = np.array([75.0, 90.0, 101.0, 118.0]), 20_000
    law = gp_law(state, K)
    mean, cov = gp_smile_at(state, np.log(K / F))
    rng = np.random.default_rng(3)
    for i, x in enumerate(K):
        v, v1, v2 = rng.multivariate_normal(mean[:, i], cov[i], draws, method="eigh").T
        k = math.log(x / F)
        d2 = -k / v - 0.5 * v
        phi = np.exp(-0.5 * d2 * d2) / math.sqrt(2.0 * math.pi)
        g = (1.0 - k * v1 / v) ** 2 - 0.25 * (v * v1) ** 2 + v * v2
        pdf = phi * g / (x * v)
        cdf = lognormal(F, 1.0, 1.0).cdf(F * np.exp(-d2 - 0.5)) + phi * v1
        assert np.std(v) == pytest.approx(law.total_vol_error[i], rel=0.02)
        assert np.std(pdf) == pytest.approx(law.pdf_error[i], rel=0.02)
        assert np.std(cdf) == pytest.approx(law.cdf_error[i], rel=0.02)


def test_error_of_the_forward_is_added():
    """The smile rides on k, so a forward 1e-4 higher is strikes that much lower."""
    K, v, R, z = quotes()
    at = np.array([80.0, 100.0, 115.0])
    none, some = (
        gp_law(fit_gp_smile(K, v, R, forward=F, tau=TAU, leans=z, hyper=HOUSE, forward_error=e), at)
        for e in (0.0, 0.3)
    )
    shifted = []
    for s in (1.0 + 1e-4, 1.0 - 1e-4):
        moved = fit_gp_smile(K * s, v, R, forward=F * s, tau=TAU, leans=z, hyper=HOUSE)
        law = gp_law(moved, at)
        shifted.append(np.array([law.total_vol, law.pdf, law.cdf]))
    per_unit = (shifted[0] - shifted[1]) / (2e-4 * F)
    for i, name in enumerate(["total_vol_error", "pdf_error", "cdf_error"]):
        wanted = np.hypot(getattr(none, name), 0.3 * per_unit[i])
        np.testing.assert_allclose(getattr(some, name), wanted, rtol=1e-5)


def test_order_scale_and_repetition_of_quotes():
    K, v, R, z = quotes()
    at = np.linspace(70.0, 130.0, 13)
    one = gp_law(fit_gp_smile(K, v, R, forward=F, tau=TAU, leans=z, hyper=HOUSE), at)
    mixed = np.random.default_rng(1).permutation(K.size)
    two = gp_law(
        fit_gp_smile(K[mixed], v[mixed], R[mixed], forward=F, tau=TAU, leans=z[mixed], hyper=HOUSE),
        at,
    )
    seven = gp_law(fit_gp_smile(7 * K, v, R, forward=7 * F, tau=TAU, leans=z, hyper=HOUSE), 7 * at)
    # A quote given twice at twice the variance is that quote.
    twice = [np.append(x, x[5]) for x in (K, v, R, z)]
    twice[2][[5, -1]] *= 2.0
    again = gp_law(
        fit_gp_smile(twice[0], twice[1], twice[2], forward=F, tau=TAU, leans=twice[3], hyper=HOUSE),
        at,
    )
    for got, unit in ((two, 1.0), (seven, 7.0), (again, 1.0)):
        np.testing.assert_allclose(unit * got.pdf, one.pdf, atol=1e-10)
        np.testing.assert_allclose(unit * got.pdf_error, one.pdf_error, atol=1e-10)
        np.testing.assert_allclose(got.cdf, one.cdf, atol=1e-10)


def test_few_quotes_and_lost_noise_have_a_status_and_no_smile():
    few = fitted(n=4)
    assert few.status is Status.TOO_FEW
    K, v, _, _ = quotes()
    lost = fit_gp_smile(K, v, np.full(K.size, 1e-40), forward=F, tau=TAU, hyper=HOUSE)
    assert lost.status is Status.NOT_RESOLVED
    for state in (few, lost):
        mean, cov = gp_smile_at(state, [0.0, 0.1])
        assert np.isnan(mean).all()
        assert np.isnan(cov).all()
        law = gp_law(state, [90.0, 110.0])
        assert law.status is state.status
        assert np.isnan(np.array(law[:6])).all()
    assert fitted(n=5).status is Status.OK


def test_a_smile_below_zero_has_no_density_there():
    """The plain prior falls to nothing in the wings, and here below it."""
    K, _, R, _ = quotes()
    v = 0.07 - 0.2 * np.log(K / F)
    state = fit_gp_smile(K, v, R, forward=F, tau=TAU, hyper=PLAIN)
    at = F * np.exp(np.linspace(-3.0, 3.0, 200))
    law = gp_law(state, at)
    low = gp_smile_at(state, np.log(at / F))[0][0] <= 0.0
    assert low.any()
    assert np.isnan(np.array(law[:6])[:, low]).all()
    assert np.isfinite(np.array(law[:3])[:, ~low]).all()


BAD = {
    "strike": ({"strikes": 0.0}, "strikes"),
    "vol": ({"total_vols": -0.1}, "total_vols"),
    "variance": ({"variances": 0.0}, "variances"),
    "nan": ({"total_vols": math.nan}, "total_vols"),
    "lean": ({"leans": math.inf}, "leans"),
}


@pytest.mark.parametrize("fault", sorted(BAD))
def test_bad_quotes_are_named(fault):
    change, column = BAD[fault]
    K, v, R, z = quotes()
    given = {"strikes": K, "total_vols": v, "variances": R, "leans": z}
    for name, value in change.items():
        given[name][3] = value
    with pytest.raises(InputError) as caught:
        fit_gp_smile(
            given["strikes"], given["total_vols"], given["variances"],
            forward=F, tau=TAU, leans=given["leans"],
        )  # fmt: skip
    assert (caught.value.row, caught.value.column) == (4, column)


@pytest.mark.parametrize(
    "change",
    [
        {"forward": 0.0}, {"tau": -1.0}, {"forward_error": -1.0}, {"reference": 0.0},
        {"hyper": "best"}, {"leans": [0.0]},
    ],
    ids=["forward", "tau", "forward_error", "reference", "hyper", "shape"],
)  # fmt: skip
def test_bad_options_are_errors(change):
    K, v, R, _ = quotes()
    with pytest.raises(InputError):
        fit_gp_smile(K, v, R, **{"forward": F, "tau": TAU, **change})
    with pytest.raises(InputError):
        fit_gp_smile(["a"], [0.1], [0.1], forward=F, tau=TAU)
