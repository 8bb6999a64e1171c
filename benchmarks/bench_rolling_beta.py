"""Rolling betas, 40 assets on 5 factors with intercept, a day of seconds, window 300.

Targets: at least 1,000 times statsmodels' RollingOLS(params_only=True) and 100 times polars-ols,
with coefficients equal to 1e-12 of their scale. One thread on each side. statsmodels takes an asset
at a time: it is timed on every eighth one, and the mean stands for the rest.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from statsmodels.regression.rolling import RollingOLS

from eventtape.estimators.factors import rolling_beta, rolling_fit
from peer_environment import HERE, peer_python
from table import best_of, show

T, N, K, W = 23_400, 40, 5, 300


def main() -> None:
    rng = np.random.default_rng(0)
    x = 1e-4 * rng.standard_normal((T, K))
    x[:, 1] += 0.5 * x[:, 0]
    y = x @ rng.standard_normal((K, N)) + 2e-4 * rng.standard_normal((T, N))
    design = np.column_stack([np.ones(T), x])
    ours = rolling_beta.batch(y, x, window=W)
    rolling_fit.fit(y[: 2 * W], x[: 2 * W], window=W)
    rows = slice(W - 1, None)
    every, apart, params, full = range(0, N, 8), 0.0, 0.0, 0.0
    for i in every:
        peer = RollingOLS(y[:, i], design, window=W)
        params += best_of(lambda peer=peer: peer.fit(params_only=True), 2)
        full += best_of(peer.fit, 1)
        found = peer.fit(params_only=True).params[rows]
        apart = max(apart, _apart(ours, i, found, rows))
    # Ours is timed between the peers, so that a busy machine is busy for all of them.
    fast = best_of(lambda: rolling_beta.batch(y, x, window=W), 100)
    whole = best_of(lambda: rolling_fit.fit(y, x, window=W), 2)
    polars, found = _polars_ols(y, x)
    off = max(_apart(ours, i, found[rows, :, i], rows) for i in range(N))
    scale = N / len(every)
    show(
        f"Rolling betas, {N} assets x {K} factors, {T:,} rows, window {W}",
        [
            _row("statsmodels, params_only", params * scale, fast, apart),
            _row("statsmodels, with errors and R2", full * scale, whole, apart),
            _row("polars-ols, coefficients", polars, fast, off),
        ],
        ("peer", "peer's time", "eventtape", "ratio", "largest difference of a coefficient"),
    )


def _apart(ours, asset, params, rows) -> float:
    """Largest difference of intercept and betas, over the largest of the asset's coefficients."""
    mine = np.column_stack([ours.alpha[rows, asset], ours.beta[rows, :, asset]])
    return float(np.abs(mine - params).max() / np.abs(params).max())


def _polars_ols(y, x):
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npy"
        np.savez(source, y=y, x=x, window=W)
        command = [peer_python("polars_ols"), HERE / "peers" / "polars_ols_betas.py"]
        said = subprocess.run(
            [*command, source, target], check=True, capture_output=True, text=True
        ).stdout
        return float(said), np.load(target)


def _row(peer: str, theirs: float, ours: float, apart: float) -> tuple[str, ...]:
    ratio = f"{theirs / ours:,.0f}x"
    return peer, f"{theirs:,.2f} s", f"{ours * 1e3:,.1f} ms", ratio, f"{apart:.1e} of its scale"


if __name__ == "__main__":
    main()
