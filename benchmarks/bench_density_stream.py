"""Densities kept current: one quote against a dense refit, and forty chains streamed.

One quote: chains of six known truths (forward 100, 60 strikes within 3.5 standard deviations, puts
and calls, one-cent ticks, half-spread one cent and 1% of price, sizes 1 to 50). A quote moves, its
sizes change; the density follows on 201 strikes. The peer is the dense process at the same
hyper-parameters, which is told the volatilities and has nothing to invert: fitted again in scipy;
so, but with all kept that one quote leaves alone (the prior's covariances of quotes and strikes);
by ``fit_gp_smile``, which checks and refines its weights; and by its exact update, covariances with
the strikes kept. Target: 50 times a refit.

Many: forty chains of 125 strikes, calls and puts; each quote moves by a tick at most from its first
price, with new sizes, one in 200 loses its bid, and a forward moves once in 2,500 quotes. Target:
50,000 quotes a second on one core, the density current after every quote. One thread, seconds of
the processor, the shortest of as many runs on either side.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from eventtape.estimators.density.breeden_litzenberger import law_of_smile, law_with_errors
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.density.gp_smile import GPHyper, fit_gp_smile, gp_law
from eventtape.estimators.density.gp_updates import quotes_changed
from eventtape.estimators.density.smile_kernel import prior_among, prior_between, scaled_columns
from eventtape.estimators.density.stream import DensityStream
from eventtape.simulate.option_chain import chain_truths, option_chain
from table import show

TICK, ROUNDS, CHANGES = 0.01, 7, 60
CHAINS, STRIKES, PASSES, BATCH, MOVE_EVERY = 40, 125, 10, 500, 2_500


def main() -> None:
    with threadpool_limits(1):
        show(
            f"One quote of a chain, median of six truths, {CHANGES} changes each",
            _one_quote(),
            ("the dense process", "its time", "stream", "ratio", "largest difference of a density"),
        )
        show(f"{CHAINS} chains x {2 * STRIKES} quotes, one core", _many(), ("", ""))


def _one_quote():
    times, apart = [], []
    for truth in chain_truths().values():
        pair = Pair(option_chain(truth, seed=0))
        dense = [pair.plain, pair.kept, pair.library, pair.updated, pair.library_errors]
        jobs = [pair.stream, pair.stream_batch, pair.stream_errors, *dense]
        best = np.full(len(jobs), np.inf)
        for _ in range(ROUNDS):
            for i, job in enumerate(jobs):
                begin = time.process_time()
                job()
                best[i] = min(best[i], time.process_time() - begin)
        times.append(best / CHANGES)
        mine = pair.stream()[1]
        apart.append([np.abs(job()[1] - mine).max() / mine.max() for job in dense[:4]])
    one, batch, errors, *dense = np.median(times, axis=0)
    names = ("refit", "refit, what stands kept", "refit of the library", "exact update")
    rows = [
        _row(name, seconds, one, f"{worst:.1e} of the peak")
        for name, seconds, worst in zip(names, dense[:4], np.max(apart, axis=0), strict=True)
    ]
    rows.append(_row("refit; the stream's quotes in one call", dense[0], batch, ""))
    rows.append(_row("refit of the library, errors on both sides", dense[4], errors, ""))
    return rows


def _row(name, theirs, ours, apart):
    return name, f"{theirs * 1e6:,.0f} us", f"{ours * 1e6:,.1f} us", f"{theirs / ours:,.1f}x", apart


class Pair:
    """One chain as a stream and as a dense process, and the same changes of its quotes for both."""

    def __init__(self, chain):
        density = _cold(chain)
        quotes = np.array([chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes], float)
        self.live = DensityStream.start(
            [density], [chain.strikes], [chain.is_call], [quotes], tick=TICK
        )
        rng = np.random.default_rng(1)
        used = np.flatnonzero(self.live.state.fates == 0)
        self.rows = rng.choice(np.flatnonzero(chain.bids[used] > 1.5 * TICK), CHANGES)
        self.contracts = used[self.rows]
        self.news = _moved(quotes[:, self.contracts], rng)
        held = density.hyper
        self.v0, self.forward, self.tau = held.reference, density.forward, density.tau
        self.hyper = GPHyper(
            True, self.v0, held.theta, held.lean, held.lean_variance, held.centre, held.half
        )
        self.quoted, self.strikes = chain.strikes[used], density.strikes
        self.seen = []
        for i in range(CHANGES):
            self._step(i)
            self.seen.append(self._told(used))
        self.last = self._fit(*self.seen[-1])  # the first change comes after the last one again
        self.points, self.at = (
            scaled_columns(self.hyper, np.log(K / self.forward))
            for K in (self.strikes, self.quoted)
        )
        self.x = np.log(self.strikes / self.forward) / self.v0
        self.among = prior_among(self.hyper, self.at, self.at)
        self.between = prior_between(self.hyper, self.points, self.at)
        self.law = np.empty((3, self.strikes.size))

    def _told(self, used):
        """What the stream makes of the quotes now: v, the variance of v, and z."""
        state = self.live.state
        z = state.rows[used, int(state.numbers[0, 10]) - 1] * self.v0
        y, weights = state.seen[:, used]
        return self.v0 * (1.0 + y), self.v0**2 / weights, z

    def _step(self, i):
        self.live.step(self.contracts[i : i + 1], self.news[:, i : i + 1])

    def stream(self):
        """The law after the changes, one a call."""
        for i in range(CHANGES):
            self._step(i)
        return self.live.state.law[0].copy()

    def stream_batch(self):
        """The changes in one call."""
        self.live.step(self.contracts, self.news)

    def stream_errors(self):
        """With the errors of the law after each."""
        out = np.empty((6, self.strikes.size))
        for i in range(CHANGES):
            self._step(i)
            s = self.live.smile(0)
            law_with_errors(
                self.strikes, s.forward, 0.0, s.reference, s.centre, s.half, s.coefficients,
                s.factor, out,
            )  # fmt: skip

    def _fit(self, v, variances, z):
        return fit_gp_smile(
            self.quoted, v, variances, forward=self.forward, tau=self.tau, leans=z, hyper=self.hyper
        )

    def library(self):
        """The law after as many fits of the library."""
        for told in self.seen:
            weights = self._fit(*told).weights
            self._density(prior_between(self.hyper, self.points, self.at), weights)
        return self.law.copy()

    def library_errors(self):
        """With its errors."""
        for told in self.seen:
            gp_law(self._fit(*told), self.strikes)

    def plain(self):
        """The law after as many fits in scipy."""
        for told in self.seen:
            weights = self._weights(prior_among(self.hyper, self.at, self.at), *told)
            self._density(prior_between(self.hyper, self.points, self.at), weights)
        return self.law.copy()

    def kept(self):
        """So, but the prior covariances are those made before."""
        for told in self.seen:
            self._density(self.between, self._weights(self.among, *told))
        return self.law.copy()

    def _weights(self, among, v, variances, z):
        hyper, lean = self.hyper, z / self.v0
        C = among + hyper.lean_variance * (lean[:, None] * lean)
        C.ravel()[:: z.size + 1] += np.exp(2.0 * hyper.theta[2]) / self.v0**2 * variances
        factor = cho_factor(C, lower=True, overwrite_a=True, check_finite=False)
        target = v / self.v0 - hyper.base - hyper.lean * lean
        return cho_solve(factor, target, check_finite=False)

    def updated(self):
        """The law after as many exact updates."""
        state = self.last
        for row, (v, R, z) in zip(self.rows, self.seen, strict=True):
            one = slice(row, row + 1)
            state = quotes_changed(state, [row], total_vols=v[one], variances=R[one], leans=z[one])
            self._density(self.between, state.weights)
        return self.law.copy()

    def _density(self, between, weights):
        sums = between @ weights
        sums[0] += self.hyper.base
        law_of_smile(self.strikes, self.x, self.v0, sums, self.law)


def _many():
    names, rng = list(chain_truths().values()), np.random.default_rng(2)
    chains = [option_chain(names[c % len(names)], seed=c, n_strikes=STRIKES) for c in range(CHAINS)]
    columns = [
        np.array([chain.bids, chain.asks, chain.bid_sizes, chain.ask_sizes], float)
        for chain in chains
    ]
    begin = time.process_time()
    densities = [_cold(chain) for chain in chains]
    cold = time.process_time() - begin
    live = DensityStream.start(
        densities, [c.strikes for c in chains], [c.is_call for c in chains], columns, tick=TICK
    )
    first, quotes = live.snapshot(), np.hstack(columns)
    contracts = np.concatenate([rng.permutation(quotes.shape[1]) for _ in range(PASSES)])
    news = _moved(quotes[:, contracts], rng)
    news[0, rng.random(contracts.size) < 0.005] = 0.0
    forwards = 100.0 + 0.05 * rng.standard_normal(contracts.size // MOVE_EVERY)

    def streamed(batch, *, each=True):
        state = DensityStream.restored(first)
        begin = time.process_time()
        for at in range(0, contracts.size, batch):
            if at and at % MOVE_EVERY == 0:
                n = at // MOVE_EVERY
                state.move(n % CHAINS, forward=forwards[n])
            state.step(contracts[at : at + batch], news[:, at : at + batch], each=each)
        return time.process_time() - begin, state

    every, state = min((streamed(BATCH) for _ in range(5)), key=lambda run: run[0])
    alone = min(streamed(1)[0] for _ in range(2))
    ends = min(streamed(BATCH, each=False)[0] for _ in range(3))
    kept = state.snapshot()
    forward = _a_chain(state, lambda c: {"forward": float(kept.numbers[c, 0])})
    refit = np.abs(state.state.law - kept.law) / np.abs(kept.law).max(axis=2, keepdims=True)
    tau = _a_chain(state, lambda c: {"tau": float(kept.numbers[c, 2]) * 0.999})
    unpriced = np.mean(kept.fates == 3)
    n = contracts.size
    return [
        (f"quotes a second, in batches of {BATCH}, densities after each", f"{n / every:,.0f}"),
        ("a quote and its density", f"{every / n * 1e6:,.1f} us"),
        ("quotes a second, one a call", f"{n / alone:,.0f}"),
        (f"quotes a second, densities once every {BATCH}", f"{n / ends:,.0f}"),
        (f"from a refit after {n:,} quotes: volatility", f"{refit[:, 0].max():.1e}"),
        ("density, of its peak", f"{refit[:, 1].max():.1e}"),
        ("distribution", f"{refit[:, 2].max():.1e}"),
        ("quotes without a bid at the end", f"{unpriced:.1%}"),
        ("forward moved, a chain", f"{forward * 1e6:,.0f} us"),
        ("time passed, a chain", f"{tau * 1e6:,.0f} us"),
        ("cold fit of a chain", f"{cold / CHAINS * 1e6:,.0f} us"),
        ("state", f"{sum(part.nbytes for part in kept) / 2**20:,.1f} MiB"),
    ]  # fmt: skip


def _a_chain(state, change):
    shortest = np.inf
    for c in range(CHAINS):
        begin = time.process_time()
        state.move(c, **change(c))
        shortest = min(shortest, time.process_time() - begin)
    return shortest


def _cold(chain):
    return fit_density(*chain[:6], tau=chain.tau, forward=chain.forward, discount=1.0, tick=TICK)


def _moved(quotes, rng):
    """Quotes a tick lower, the same or a tick higher, with other sizes."""
    news = quotes.copy()
    n = quotes.shape[1]
    ticks = np.rint(news[:2] / TICK) + rng.integers(-1, 2, n)
    news[:2] = np.maximum(ticks, [[0.0], [1.0]]) * TICK
    news[2:] = rng.integers(1, 51, (2, n))
    return news


if __name__ == "__main__":
    main()
