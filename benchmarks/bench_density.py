"""Densities of single chains from scratch: six known truths, ten seeds each.

Forward 100, 60 strikes within 3.5 standard deviations, calls and puts, one-cent ticks, half-spread
one cent and 1% of the price, sizes 1 to 50. ``fit_density`` is given the forward, as the peers are,
and gives volatility, density and distribution on 201 strikes with an error of each. Targets: 10,000
times oipd and 10 times the seed's method written plainly, at a lower L1 on every truth. L1 is the
integral of the absolute difference from the true density over all prices, each density as given:
straight between its strikes, 0 beyond. One thread, seconds of the processor, medians of the chains.

The seed's method and scikit-learn: the shortest of as many runs on either side. oipd has one run a
chain; after each, ours has one on that chain, its caches cold from the wait (a row of its own), and
then one on each of six chains, untimed and again timed, of which oipd's ratio is made.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from threadpoolctl import threadpool_limits

from eventtape.estimators.density.breeden_litzenberger import law_with_errors
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.density.smile_evidence import PRIORS
from eventtape.estimators.density.smile_fit import fit_smile
from eventtape.estimators.density.smile_observations import (
    LAMBDA_MEAN,
    LAMBDA_VARIANCE,
    observe_chain,
)
from eventtape.estimators.pricing.black import black_greeks, black_price
from eventtape.estimators.pricing.implied_vol import implied_vol
from eventtape.simulate.option_chain import chain_truths, option_chain
from peer_environment import HERE, peer_python
from seed_smile import seed_density
from table import show

SEEDS, ROUNDS, TICK = 10, 15, 0.01
GRID = np.linspace(0.01, 500.0, 50_000)


def main() -> None:
    truths = chain_truths()
    chains = [option_chain(truth, seed=s) for truth in truths.values() for s in range(SEEDS)]
    true = np.array([truth.pdf(GRID) for truth in truths.values()])
    methods = {
        "eventtape, with errors": ours,
        "seed's method, brentq": lambda chain: seed_density(chain, solver="brent"),
        "seed's method, Newton": lambda chain: seed_density(chain, solver="newton"),
        "seed's, Newton at once": seed_density,
        "seed's, at once, errors": lambda chain: seed_density(chain, errors=True),
        "scikit-learn's GP": _scikit_learn,
    }
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        _shortest(list(methods.values()), chains[::SEEDS], 2)
        oipd = _oipd(chains)
        once, waited = np.median(oipd["ours"]), np.median(oipd["waited"])
        times = _shortest(list(methods.values()), chains, ROUNDS)
        rows = []
        for (name, method), seconds in zip(methods.items(), times, strict=True):
            laws = [method(chain) for chain in chains]
            pdf = [np.interp(GRID, law.strikes, law.pdf, left=0.0, right=0.0) for law in laws]
            rows.append((name, np.median(seconds), np.median(times[0]), pdf))
        parts = _parts(chains)
    rows += [
        ("oipd", np.median(oipd["seconds"]), once, oipd["pdf"]),
        ("oipd, ours alone after it", np.median(oipd["seconds"]), waited, None),
        ("oipd, no search (hidden)", np.median(oipd["quick_seconds"]), once, None),
    ]
    table = []
    for name, seconds, mine, pdf in rows:
        ratio = f"{seconds / mine:,.1f}x"
        apart = [""] * len(truths) if pdf is None else _distances(np.array(pdf), true)
        table.append((name, f"{1e6 * seconds:,.0f} us", f"{1e6 * mine:,.0f} us", ratio, *apart))
    show(
        f"Density of a chain from scratch: median time, median L1 over {SEEDS} seeds",
        table,
        ("", "time", "ours", "ratio", *truths),
    )
    show("Where the time goes, median chain", parts, ("", "time"))


def ours(chain):
    return fit_density(
        *chain[:6], tau=chain.tau, forward=chain.forward, discount=chain.discount, tick=TICK
    )


def _with_parity(chain):
    return fit_density(*chain[:6], tau=chain.tau, tick=TICK)


def _distances(pdf, true):
    apart = [np.abs(pdf[SEEDS * i : SEEDS * (i + 1)] - law) for i, law in enumerate(true)]
    return [f"{np.median(np.trapezoid(x, GRID, axis=1)):.4f}" for x in apart]


def _shortest(jobs, given, rounds):
    """Seconds of each job on each of the given, the shortest of the rounds, ``(jobs, given)``."""
    best = np.full((len(jobs), len(given)), np.inf)
    for _ in range(rounds):
        for row, job in zip(best, jobs, strict=True):
            for i, one in enumerate(given):
                begin = time.process_time()
                job(one)
                row[i] = min(row[i], time.process_time() - begin)
    return best


class _Given:
    """A law that only has strikes and a density."""

    def __init__(self, strikes, pdf):
        self.strikes, self.pdf = strikes, pdf


def _scikit_learn(chain):
    """Its GP on implied volatilities, length and size by likelihood; prices differenced twice."""
    K, call, bids, asks, qb, qa = chain[:6]
    F, tau = chain.forward, chain.tau
    use = (call == (K >= F)) & (bids > 0.0)
    K, call, bids, asks, contracts = K[use], call[use], bids[use], asks[use], (qb + qa)[use]
    vol = implied_vol(0.5 * (bids + asks), F, K, tau, is_call=call).vol
    vega = black_greeks(F, K, tau, vol, is_call=call).vega
    noise = (asks - bids) ** 2 / (12.0 * contracts * vega**2)
    spread = vol.std()
    model = GaussianProcessRegressor(
        ConstantKernel(1.0) * RBF(0.2), alpha=noise / spread**2 + 1e-8, normalize_y=True
    )
    model.fit(np.log(K / F)[:, None], vol)
    at = np.linspace(K[0], K[-1], 201)
    smile = model.predict(np.log(at / F)[:, None])
    calls = black_price(F, at, tau, smile, is_call=True)
    return _Given(at, np.gradient(np.gradient(calls, at), at))


def _oipd(chains):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(
            source,
            strikes=[chain.strikes for chain in chains],
            is_call=[chain.is_call for chain in chains],
            bids=[chain.bids for chain in chains],
            asks=[chain.asks for chain in chains],
            days=[round(chain.tau * 365) for chain in chains],
            few=np.arange(0, len(chains), SEEDS // 2),
            forward=chains[0].forward,
            grid=GRID,
        )
        one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [peer_python("oipd"), HERE / "peers" / "oipd_densities.py", source, target]
        pipe, seconds, few = subprocess.PIPE, [], chains[::SEEDS]
        with subprocess.Popen(command, env=one_core, stdin=pipe, stdout=pipe, text=True) as peer:
            for row, chain in enumerate(chains):
                print(row, file=peer.stdin, flush=True)
                theirs = float(peer.stdout.readline())
                waited, _, again = (_shortest([ours], some, 1)[0] for some in ([chain], few, few))
                seconds.append((theirs, waited[0], np.median(again)))
            peer.stdin.close()
        with np.load(target) as found:
            peers, waited, mine = np.array(seconds).T
            return {**found, "seconds": peers, "waited": waited, "ours": mine}


def _parts(chains):
    """The kernels that ``fit_density`` runs, each for itself."""
    jobs = [_Kernels(chain) for chain in chains]
    whole, parity = _shortest([ours, _with_parity], chains, ROUNDS)
    steps = [_Kernels.observe, _Kernels.fit, _Kernels.law]
    seen, fitted, law = _shortest(steps, jobs, ROUNDS)
    named = {
        "what the quotes say: fates, volatilities, noise": seen,
        "noise scale, columns, evidence, outliers, factor": fitted - seen,
        "law with errors on 201 strikes": law,
        "arrays in, checks, default strikes, tails, the answer": whole - fitted - law,
        "fit_density, forward given": whole,
        "fit_density, forward and discount from parity": parity,
    }
    return [(name, f"{1e6 * np.median(seconds):,.1f} us") for name, seconds in named.items()]


class _Kernels:
    """One chain as the kernels take it."""

    def __init__(self, chain):
        n, self.chain = chain.strikes.size, chain
        self.quotes = np.array([chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes], float)
        self.fates, self.seen = np.zeros(n, np.int8), np.empty((6, n))
        self.numbers, self.coefficients = np.empty(16), np.empty(48)
        self.factor = np.zeros((48, 48))
        self.smile, self.at = (density := ours(chain)).smile, density.strikes
        self.found = np.empty((6, self.at.size))

    def observe(self):
        chain = self.chain
        observe_chain(
            chain.strikes, chain.is_call, self.quotes, chain.forward, 0.0, chain.discount, TICK,
            self.fates, self.seen,
        )  # fmt: skip

    def fit(self):
        chain = self.chain
        fit_smile(
            chain.strikes, chain.is_call, self.quotes, chain.forward, 0.0, chain.discount, TICK,
            LAMBDA_MEAN, LAMBDA_VARIANCE, PRIORS, self.fates, self.seen, self.numbers,
            self.coefficients, self.factor,
        )  # fmt: skip

    def law(self):
        s = self.smile
        law_with_errors(
            self.at, s.forward, s.forward_error, s.reference, s.centre, s.half, s.coefficients,
            s.factor, self.found,
        )  # fmt: skip


if __name__ == "__main__":
    main()
