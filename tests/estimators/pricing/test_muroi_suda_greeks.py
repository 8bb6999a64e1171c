"""Malliavin weights on a tree: the formulas node by node and path by path, and their limits."""

# ruff: noqa: N803 - the letters of the papers
from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from eventtape.estimators.pricing.binomial import binomial

CASES = [(1.0, False), (1.0, True), (-1.0, False), (-1.0, True)]
IDS = ["call-european", "call-american", "put-european", "put-american"]


class Tree:
    """A Cox-Ross-Rubinstein tree with all nodes kept, written from the definitions alone."""

    def __init__(self, S, K, T, r, q, vol, sign, n, *, american):
        self.n, self.h, self.r, self.vol = n, T / n, r, vol
        self.step = math.sqrt(self.h)
        self.mu = (r - q - vol * vol / 2) / vol
        u = math.exp(vol * self.step)
        self.p = (math.exp((r - q) * self.h) - 1 / u) / (u - 1 / u)
        self.disc = math.exp(-r * self.h)
        self.price, self.V, self.stop = {}, {}, {}
        for m in range(n, -1, -1):
            for j in range(m + 1):
                s = S * u ** (2 * j - m)
                pay = sign * (s - K)
                self.price[m, j] = s
                if m == n:
                    self.V[m, j], self.stop[m, j] = max(pay, 0.0), True
                    continue
                held = self.disc * self.mean(self.V, m, j)
                self.stop[m, j] = american and pay > held
                self.V[m, j] = pay if self.stop[m, j] else held
        # V_x: the payoff's where the option is stopped (none below the strike), the weight's else
        self.X = {}
        for m, j in self.V:
            if self.stop[m, j]:
                self.X[m, j] = sign * self.price[m, j] if self.V[m, j] > 0.0 else 0.0
            else:
                self.X[m, j] = self.weighted(self.V, m, j)

    def mean(self, f, m, j):
        return self.p * f[m + 1, j + 1] + (1 - self.p) * f[m + 1, j]

    def weighted(self, f, m, j):
        """e^{-r dt} / (sigma dt) E[f (eps - mu dt)], equation 9 of the paper times the spot."""
        drift = self.mu * self.h
        up = self.p * f[m + 1, j + 1] * (self.step - drift)
        down = (1 - self.p) * f[m + 1, j] * (-self.step - drift)
        return self.disc / (self.vol * self.h) * (up + down)

    def bend(self, m, j):
        return self.weighted(self.X, m, j)

    def along_paths(self, term):
        """Mean over all 2^n paths of the discounted terms of the nodes passed before stopping."""
        total = 0.0
        for path in itertools.product((0, 1), repeat=self.n):
            chance, j = 1.0, 0
            for m in range(self.n):
                if self.stop[m, j]:
                    break
                total += self.disc**m * term(m, j) * chance * 0.5 ** (self.n - m)
                chance *= self.p if path[m] else 1 - self.p
                j += path[m]
        return total


@pytest.mark.parametrize(("sign", "american"), CASES, ids=IDS)
def test_greeks_are_their_definitions(sign, american):
    """Ten steps. Vega and rho over 1,024 paths: sigma dt (V_xx - V_x) and dt (V_x - V) collected
    until the option is stopped.
    """
    args = (50.0, 52.0, 0.8, 0.06, 0.03, 0.3)
    S, r, q, vol = args[0], args[3], args[4], args[5]
    t = Tree(*args, sign, 10, american=american)
    out = binomial(
        *args, is_call=sign > 0, exercise="american" if american else "european", tree="crr",
        steps=10, greeks="muroi-suda",
    )  # fmt: skip
    V, X, XX = t.V[0, 0], t.X[0, 0], t.bend(0, 0)
    assert float(out.price) == pytest.approx(V, rel=1e-12)
    assert float(out.delta) == pytest.approx(X / S, rel=1e-11)
    assert float(out.gamma) == pytest.approx((XX - X) / S**2, rel=1e-10)
    theta = r * V - (r - q - vol * vol / 2) * X - vol * vol / 2 * XX
    assert float(out.theta) == pytest.approx(theta, rel=1e-10)
    vega = t.along_paths(lambda m, j: vol * t.h * (t.bend(m, j) - t.weighted(t.V, m, j)))
    assert float(out.vega) == pytest.approx(vega, rel=1e-10)
    rho = t.along_paths(lambda m, j: t.h * (t.weighted(t.V, m, j) - t.V[m, j]))
    assert float(out.rho) == pytest.approx(rho, rel=1e-10)


def test_both_modes_have_one_price_and_near_greeks():
    """One lattice, so one price to the last digits; Greeks within 1% at 500 steps, not equal."""
    K = np.array([80.0, 95.0, 100.0, 105.0, 125.0])
    args = (100.0, K, 0.5, 0.04, 0.02, 0.3)
    dividends = ([0.15, 0.4], [1.5, 1.5])
    for kw in (
        {},
        {"dividends": dividends},
        {"dividends": dividends, "dividend_model": "escrowed"},
    ):
        for is_call in (True, False):
            one = binomial(*args, is_call=is_call, **kw)
            two = binomial(*args, is_call=is_call, greeks="muroi-suda", **kw)
            np.testing.assert_allclose(one.price, two.price, rtol=1e-9)
            for field in ("delta", "gamma", "theta", "vega", "rho"):
                a, b = getattr(one, field), getattr(two, field)
                np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-2 * np.abs(a).max())
            assert not np.array_equal(one.vega, two.vega)
