"""The probability filter against statsmodels, a day of seconds: same Q and R, same answer.

Target: at least 200 times statsmodels' filter. The peer starts from an approximately diffuse
prior and ours from the first quote, so states are compared after 1,000 quotes, where the start has
died out, and with the peer's steady-state shortcut off; it is timed with the shortcut on.
"""

from __future__ import annotations

import numpy as np
from statsmodels.tsa.statespace.structural import UnobservedComponents

from eventtape.estimators.probability import local_level
from table import best_of, show

N, Q, R = 23_400, 1e-6, 1e-4


def main() -> None:
    rng = np.random.default_rng(0)
    y = np.cumsum(rng.normal(0.0, Q**0.5, N)) + rng.normal(0.0, R**0.5, N)
    regular = np.arange(N) * 1_000_000_000
    irregular = np.sort(rng.integers(0, N * 1_000_000_000, N))
    peer = UnobservedComponents(y, "llevel")
    exact = UnobservedComponents(y, "llevel")
    exact.ssm.tolerance = 0.0
    theirs = exact.filter([R, Q])
    ours = local_level.batch(regular, y, q=Q, r=R)
    late = slice(1_000, None)
    apart = np.abs(theirs.filtered_state[0, late] - ours.mean[late]).max()
    spread = np.abs(theirs.filtered_state_cov[0, 0, late] - ours.sd[late] ** 2).max()
    equal = f"mean within {apart:.1e}, variance within {spread:.1e}"
    filter_peer = best_of(lambda: peer.filter([R, Q]), 20)
    filter_ours = best_of(lambda: local_level.batch(regular, y, q=Q, r=R), 200)
    uneven = best_of(lambda: local_level.batch(irregular, y, q=Q, r=R), 200)
    like_peer = best_of(lambda: peer.loglike([R, Q]), 50)
    like_ours = best_of(lambda: local_level.log_likelihood(regular, y, q=Q, r=R), 200)
    fit_peer = best_of(lambda: peer.fit(disp=False), 3)
    fit_ours = best_of(lambda: local_level.fit(regular, y), 5)
    fitted, found = peer.fit(disp=False), local_level.fit(regular, y)
    gain = exact.loglike([found.r, found.q]) - exact.loglike(fitted.params)
    show(
        f"Local level, {N:,} quotes",
        [
            _row("filter, even times", filter_peer, filter_ours, equal),
            ("filter, uneven times", "no peer", f"{uneven * 1e3:.3f} ms", "", ""),
            _row("log-likelihood", like_peer, like_ours, "same model, see above"),
            _row(
                "maximum likelihood",
                fit_peer,
                fit_ours,
                f"peer's own log-likelihood at our optimum less at its: {gain:+.4f}",
            ),
        ],
        ("what", "statsmodels", "eventtape", "ratio", "equal"),
    )


def _row(what: str, peer: float, ours: float, equal: str) -> tuple[str, ...]:
    return what, f"{peer * 1e3:.2f} ms", f"{ours * 1e3:.3f} ms", f"{peer / ours:,.0f}x", equal


if __name__ == "__main__":
    main()
