"""Run by bench_density.py in its own environment: densities of option chains by oipd.

Arguments: the input .npz, the output .npz. The road is the package's public one,
``VolCurve().fit(chain, MarketInputs(...)).implied_distribution().pdf_values``: SVI, found by a
global search and several local ones. (``method="bspline"`` is registered and cannot be fitted by
it in 2.0.4.) ``method_options``, which the package calls hidden, can leave the searches out: timed
too, on a few chains. Chains are asked for by number, a line each, and answered by seconds of the
processor, so that the other side can run in between; the data frames are made before.
"""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
import pandas as pd
from oipd import MarketInputs, VolCurve

TODAY = pd.Timestamp("2025-01-02")
QUICK = {"global_solver": "none", "n_starts": 0}


def main(source: str, target: str) -> None:
    warnings.simplefilter("ignore")
    data = np.load(source)
    chains = [_frame(data, row) for row in range(data["days"].size)]
    market = MarketInputs(
        risk_free_rate=0.0, valuation_date=TODAY, underlying_price=float(data["forward"])
    )
    density(chains[0], market, None)
    pdf = []
    for line in sys.stdin:
        seconds, curve = density(chains[int(line)], market, None)
        print(seconds, flush=True)
        pdf.append(curve.pdf(data["grid"]))
    quick = [density(chains[row], market, QUICK)[0] for row in data["few"]]
    np.savez(target, pdf=pdf, quick_seconds=quick)


def _frame(data, row):
    return pd.DataFrame(
        {
            "strike": data["strikes"][row],
            "option_type": np.where(data["is_call"][row], "C", "P"),
            "bid": data["bids"][row],
            "ask": data["asks"][row],
            "expiry": TODAY + pd.Timedelta(days=int(data["days"][row])),
        }
    )


def density(chain, market, options):
    """Seconds to the density's values, and the curve that has them."""
    begin = time.process_time()
    smile = VolCurve()
    smile.method_options = options
    curve = smile.fit(chain, market).implied_distribution()
    _ = curve.pdf_values
    return time.process_time() - begin, curve


if __name__ == "__main__":
    main(*sys.argv[1:])
