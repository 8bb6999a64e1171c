"""Sharp bounds of both states, against scipy's quad and brentq on the same density.

One set: mean, three quantiles, vol, and a call, a put, a digital, a straddle and a tent, least and
largest, of state 1 and of state 0, p = .6. The peer has the density and the distribution in closed
form, finds each trimming point with brentq and each mean with quad, split at the payoffs' corners
(tolerances 1e-10). On the two-lognormal law its functions are those of ``math``. Ours makes its
tables anew each time, and on the fitted density gives errors and intervals besides. Then a path of
1,000 p on one density. Target: 100 times, equal to 1e-8. One thread, seconds of the processor, the
shortest of several runs.
"""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from eventtape.estimators.density.breeden_litzenberger import smile_at
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.states.bounds import outcome_bounds
from eventtape.estimators.states.bounds_payoffs import (
    call_payoff,
    digital_payoff,
    polygon_payoff,
    put_payoff,
    straddle_payoff,
)
from eventtape.simulate.option_chain import chain_truths, option_chain
from table import show

P, K = 0.6, 100.0
LEVELS = (0.05, 0.5, 0.95)
PAYOFFS = (
    call_payoff(K),
    put_payoff(K),
    digital_payoff(K),
    straddle_payoff(K),
    polygon_payoff([90.0, K, 110.0], [0.0, 10.0, 0.0]),
)
SCALARS = (
    lambda s: max(s - K, 0.0),
    lambda s: max(K - s, 0.0),
    lambda s: 1.0 if s > K else 0.0,
    lambda s: abs(s - K),
    lambda s: 10.0 - abs(s - K),
)
TURNS = (1, -1, 1, 0, 0)  # rising, falling, or even about the strike


def main() -> None:
    truth = chain_truths()["mixture"]
    chain = option_chain(truth, seed=3, displacement=0.4)
    fitted = fit_density(
        *chain[:6], tau=chain.tau, forward=chain.forward, discount=chain.discount, tick=0.01
    )
    path, table = np.linspace(0.3, 0.7, 1000), []
    with threadpool_limits(1):
        for name, law, peer in (
            ("two lognormals, known", truth, mixture_peer(truth)),
            ("fitted smile, errors too", fitted, smile_peer(fitted.smile)),
        ):
            outcome_bounds(law, P, payoffs=PAYOFFS)
            ours = _shortest(lambda law=law: outcome_bounds(law, P, payoffs=PAYOFFS), 15)
            many = _shortest(lambda law=law: outcome_bounds(law, path, payoffs=PAYOFFS), 3)
            theirs = _shortest(lambda law=law, peer=peer: peer_set(*peer, law), 2)
            mine, other = numbers(outcome_bounds(law, P, payoffs=PAYOFFS)), peer_set(*peer, law)
            apart = np.max(np.abs(mine - other) / np.maximum(1.0, np.abs(other)))
            table.append(
                (
                    name,
                    f"{1e3 * ours:,.2f} ms",
                    f"{1e3 * theirs:,.0f} ms",
                    f"{theirs / ours:,.0f}x",
                    f"{apart:.0e} of {mine.size}",
                    f"{1e6 * many / path.size:,.0f} us",
                    f"{theirs * path.size / many:,.0f}x",
                )
            )
    show(
        "Sharp bounds of both states, one set",
        table,
        ("density", "ours", "quad, brentq", "ratio", "furthest apart", "a p of 1,000", "ratio"),
    )


def numbers(out):
    """All bounds of one set in one order."""
    parts = []
    for state in (out.state1, out.state0):
        for bound in (state.mean, state.quantiles, state.vol, state.payoffs):
            parts += [np.atleast_1d(bound.lower), np.atleast_1d(bound.upper)]
    return np.concatenate(parts)


def mixture_peer(law):
    """Density and distribution of y = log(S / F), each state a normal."""
    F = law.forward
    states = [
        (w, math.log(m / F) - 0.5 * s * s * law.tau, s * math.sqrt(law.tau))
        for w, m, s in zip(*(x.tolist() for x in law[:3]), strict=True)
    ]
    root = math.sqrt(2.0 * math.pi)

    def pdf(y):
        return sum(w * math.exp(-0.5 * ((y - m) / s) ** 2) / (s * root) for w, m, s in states)

    def cdf(y):
        return sum(0.5 * w * math.erfc((m - y) / (s * math.sqrt(2.0))) for w, m, s in states)

    return pdf, cdf


def smile_peer(smile):
    """The smile's closed forms without their errors."""
    F = smile.forward

    def pdf(y):
        (v,), (v1,), (v2,) = (x.tolist() for x in smile_at(smile, np.array([F * math.exp(y)])))
        d2 = -y / v - 0.5 * v
        g = (1.0 - y * v1 / v) ** 2 - 0.25 * (v * v1) ** 2 + v * v2
        return math.exp(-0.5 * d2 * d2) * g / (v * math.sqrt(2.0 * math.pi))

    def cdf(y):
        (v,), (v1,), _ = (x.tolist() for x in smile_at(smile, np.array([F * math.exp(y)])))
        d2 = -y / v - 0.5 * v
        below = math.exp(-0.5 * d2 * d2) * v1 / math.sqrt(2.0 * math.pi)
        return 0.5 * math.erfc(d2 / math.sqrt(2.0)) + below

    return pdf, cdf


def peer_set(pdf, cdf, law):  # noqa: C901
    F, tau, reach = law.forward, law.tau, 1.2
    corners = sorted([-0.3, -0.1, 0.1, 0.3, *(math.log(x / F) for x in (90.0, K, 110.0))])

    def integral(g, low, high):
        cuts = [low, *(x for x in corners if low < x < high), high]
        return sum(
            quad(lambda y: g(y) * pdf(y), a, b, epsabs=1e-10, epsrel=1e-10)[0]
            for a, b in pairwise(cuts)
        )

    def at(level):
        if level <= 0.0:
            return -reach
        return (
            reach if level >= 1.0 else brentq(lambda y: cdf(y) - level, -reach, reach, xtol=1e-13)
        )

    def ends(held):
        """Where prices within a of the strike have this much of the mass."""
        a = brentq(
            lambda a: cdf(math.log((K + a) / F)) - cdf(math.log((K - a) / F)) - held,
            1e-6, 0.9 * K, xtol=1e-11,
        )  # fmt: skip
        return math.log((K - a) / F), math.log((K + a) / F)

    def spread(r, largest):
        held = 1.0 - r if largest else r

        def parts(u):
            low, high = at(u), at(u + held)
            pieces = [(-reach, low), (high, reach)] if largest else [(low, high)]
            return low + high, pieces

        def mean(pieces):
            return sum(integral(lambda y: y, *x) for x in pieces) / r

        def miss(u):
            middle, pieces = parts(u)
            return middle - 2.0 * mean(pieces)

        u = brentq(miss, 0.0, 1.0 - held, xtol=1e-9)
        pieces = parts(u)[1]
        c = mean(pieces)
        v = sum(integral(lambda y: (y - c) ** 2, *x) for x in pieces) / r
        return math.sqrt(v / tau)

    out = []
    for r in (P, 1.0 - P):
        bottom, top = (-reach, at(r)), (at(1.0 - r), reach)
        price = [integral(lambda y: F * math.exp(y), *x) / r for x in (bottom, top)]
        quantiles = [F * math.exp(at(r * q)) for q in LEVELS]
        quantiles += [F * math.exp(at(1.0 - r * (1.0 - q))) for q in LEVELS]
        vols = [spread(r, largest=False), spread(r, largest=True)]
        paid = []
        for largest in (False, True):
            for i, (pays, turn) in enumerate(zip(SCALARS, TURNS, strict=True)):
                if turn:
                    pieces = [top if (turn > 0) == largest else bottom]
                elif (i == 3) == largest:
                    low, high = ends(1.0 - r)
                    pieces = [(-reach, low), (high, reach)]
                else:
                    pieces = [ends(r)]
                total = sum(integral(lambda y, g=pays: g(F * math.exp(y)), *x) for x in pieces)
                paid.append(total / r)
        out += [*price, *quantiles, *vols, *paid]
    return np.array(out)


def _shortest(job, rounds):
    best = math.inf
    for _ in range(rounds):
        begin = time.process_time()
        job()
        best = min(best, time.process_time() - begin)
    return best


if __name__ == "__main__":
    main()
