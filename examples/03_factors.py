"""Factor returns from noisy mids, betas, a replication, and the regimes' amplification. Offline."""

from __future__ import annotations

import numpy as np
import polars as pl

from eventtape.estimators.factors.replication import replicate
from eventtape.frames.factors import factor_returns, idiosyncratic_amplification, rolling_beta
from eventtape.simulate.factor_sorts import FACTORS, factor_days


def main() -> None:
    day = next(factor_days(seed=3, n_stocks=500, n_days=1, rows=390))
    weights = {
        factor: {name: w for name, w in zip(day.names, day.weights[:, k], strict=True) if w != 0.0}
        for k, factor in enumerate(FACTORS)
    }
    mids = day.frame()
    factors = factor_returns(mids, weights, max_age_s=900.0)
    print("factor   true, bp   ours, bp   least coverage")
    for k, factor in enumerate(FACTORS):
        earned = (1.0 + factors[factor][1:]).product() - 1.0
        least = factors.select(f"^{factor}_.*_coverage$")[1:].min().row(0)
        print(f"{factor:6} {1e4 * day.truth[k]:+10.1f} {1e4 * earned:+10.1f} {min(least):12.2f}")

    by_size = np.argsort(-day.weights[:, 0])
    large = [day.names[i] for i in by_size]
    shown = [name for name in large if mids[name].null_count() == 0][:20]
    returns = mids.select("ts", *(pl.col(name).pct_change() for name in shown))
    betas = rolling_beta(returns, factors, window=60)
    known = betas.drop_nulls("idiosyncratic").filter(pl.col("status") == "ok")
    print(f"{len(shown)} stocks, {known.height} betas ok, idiosyncratic parts out of sample")

    last = known.filter(pl.col("ts") == known["ts"].max())
    own = known.pivot("symbol", index="ts", values="idiosyncratic").drop("ts").to_numpy()
    loadings = last.select(FACTORS).to_numpy().T
    target = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    spread = np.cov(np.diff(np.log(day.mids[:, [day.names.index(n) for n in shown]]), axis=0).T)
    best = replicate(target, loadings, spread, full_investment=True)
    norm = replicate(target, loadings, spread, full_investment=True, method="minimum-norm")
    print(f"a pure market beta: {best.status}, misses by {best.mismatch:.0e}; {own.shape[0]} rows")
    print(f"minimum norm made to sum to one misses by {norm.mismatch:.2f}")

    rng = np.random.default_rng(0)
    words = rng.choice(["baseline", "moderate", "shock"], size=mids.height, p=[0.7, 0.2, 0.1])
    regimes = pl.DataFrame({"ts": mids["ts"], "regime": words})
    quiet = known.select("symbol", "ts", "idiosyncratic")
    for row in idiosyncratic_amplification(quiet, regimes).iter_rows(named=True):
        told = f"{row['ratio']:.2f} ({row['lower']:.2f} to {row['upper']:.2f})"
        print(
            f"{row['regime']} over {row['base']}, regimes drawn at random: {told} {row['status']}"
        )


if __name__ == "__main__":
    main()
