"""The seed study's factors: what they explain of French's day by day, and what spoils them."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from eventtape.estimators.factors.factor_returns import WEIGHT_TOLERANCE, portfolios
from eventtape.frames.factors import factor_returns

pytestmark = pytest.mark.real

# Squared correlation with its 95% interval from 4,000 bootstrap draws of days in blocks of five,
# round the end; rms difference in bp a day; 1 - SSE/SST with no slope fitted. Elsewhere .207 and
# .291 are quoted for RMW and CMA; what those were computed from is not known.
AS_THEY_ARE = {
    "MKT-RF": (0.9141, (0.748, 0.994), 29.0, 0.903),
    "SMB": (0.9070, (0.832, 0.978), 34.4, 0.844),
    "HML": (0.7350, (0.609, 0.856), 61.8, 0.447),
    "RMW": (0.2021, (0.109, 0.508), 81.3, -1.617),
    "CMA": (0.2904, (0.162, 0.728), 90.2, -2.680),
}
FIVE_UNDONE = {
    "MKT-RF": (0.9939, (0.989, 0.997), 8.1, 0.992),
    "SMB": (0.9772, (0.960, 0.986), 17.4, 0.960),
    "HML": (0.8360, (0.798, 0.874), 44.8, 0.710),
    "RMW": (0.5108, (0.395, 0.617), 41.7, 0.311),
    "CMA": (0.6904, (0.562, 0.787), 35.2, 0.440),
}
AVGO_UNDONE = {"MKT-RF": 0.9902, "SMB": 0.9734, "HML": 0.8373, "RMW": 0.3935, "CMA": 0.6232}
TWELVE_UNDONE = {"MKT-RF": 0.9963, "SMB": 0.9781, "HML": 0.8403, "RMW": 0.5036, "CMA": 0.7060}
R2 = tuple(AS_THEY_ARE)
NAMES = {"HML": 2039, "SMB": 3240, "RMW": 2156, "CMA": 2248, "MKT-RF": 3240}


@pytest.fixture(scope="module")
def both(data_folder):
    """Daily factors of the seed and of French on the days they share, as shares of one."""
    with (data_folder / "seed_study/fac_returns.csv").open() as file:
        seed = {row["date"].replace("-", ""): row for row in csv.DictReader(file)}
    with (data_folder / "factors/ff5_daily_2023-01_2025-07.csv").open() as file:
        french = {row["date"]: row for row in csv.DictReader(file)}
    rename = {"MKT-RF": "Mkt-RF"}
    days = sorted(seed.keys() & french.keys())
    assert len(days) == len(seed) == 131
    ours = {k: np.array([float(seed[d][k]) for d in days]) for k in R2}
    theirs = {k: np.array([float(french[d][rename.get(k, k)]) for d in days]) / 100 for k in R2}
    return days, ours, theirs


# Splits of ten for one or more known to us in the window, and seven smaller ones; the files hold no
# list of splits, so the dates are from outside them. Chosen by size, not by what they mend.
SPLITS = {
    "20240626": ("CMG", 50),
    "20240715": ("AVGO", 10),
    "20240808": ("MSTR", 10),
    "20241001": ("SMCI", 10),
    "20241003": ("LRCX", 10),
}
SMALLER = {
    "20240709": ("WSM", 2),
    "20240711": ("WRB", 1.5),
    "20240912": ("CTAS", 4),
    "20240917": ("DECK", 6),
    "20241204": ("ANET", 4),
    "20241216": ("PANW", 2),
    "20241220": ("TSCO", 5),
}


@pytest.fixture(scope="module")
def weights(data_folder):
    return json.loads((data_folder / "seed_study/factor_weights_tickers.json").read_text())


def r_squared(ours, theirs):
    return np.corrcoef(ours, theirs)[0, 1] ** 2


def interval(ours, theirs, block=5, draws=4000):
    """95% of squared correlations over days drawn again in blocks, round the end; seed 0."""
    n = ours.size
    first = np.random.default_rng(0).integers(0, n, (draws, -(-n // block), 1))
    at = (first + np.arange(block)).reshape(draws, -1)[:, :n] % n
    found = [r_squared(ours[rows], theirs[rows]) for rows in at]
    return np.quantile(found, [0.025, 0.975])


def undone(ours, days, weights, splits):
    mended = ours.copy()
    for day, (name, ratio) in splits.items():
        mended[days.index(day)] += weights.get(name, 0.0) * np.log(ratio)
    return mended


@pytest.mark.parametrize("factor", R2)
@pytest.mark.parametrize(("table", "splits"), [(AS_THEY_ARE, {}), (FIVE_UNDONE, SPLITS)])
def test_what_the_seed_explains_of_french(both, weights, factor, table, splits):
    """The table of ``docs/factors.md``: the files as they are, and with five splits undone."""
    days, ours, theirs = both
    found, true = undone(ours[factor], days, weights[factor], splits), theirs[factor]
    r2, ends, rms, plain = table[factor]
    error = found - true
    assert r_squared(found, true) == pytest.approx(r2, abs=0.0001)
    np.testing.assert_allclose(interval(found, true), ends, atol=0.01)
    assert np.sqrt(np.mean(error**2)) * 1e4 == pytest.approx(rms, abs=0.1)
    sse, sst = (error**2).sum(), ((true - true.mean()) ** 2).sum()
    assert 1.0 - sse / sst == pytest.approx(plain, abs=0.001)


@pytest.mark.parametrize("factor", R2)
@pytest.mark.parametrize(
    ("table", "splits"),
    [(AVGO_UNDONE, {"20240715": ("AVGO", 10)}), (TWELVE_UNDONE, SPLITS | SMALLER)],
)
def test_one_split_and_twelve_splits_undone(both, weights, factor, table, splits):
    days, ours, theirs = both
    found = undone(ours[factor], days, weights[factor], splits)
    assert r_squared(found, theirs[factor]) == pytest.approx(table[factor], abs=0.0001)


def test_a_split_of_ten_for_one_is_in_the_seeds_returns_as_a_fall(both, weights):
    """On 15 July 2024 all five factors miss French's by AVGO's weight times log(1/10), to 2%: the
    prices were not adjusted, and the returns are logarithmic (simple ones would be -0.9)."""
    days, ours, theirs = both
    at = days.index("20240715")
    missed = np.array([ours[f][at] - theirs[f][at] for f in R2])
    weight = np.array([weights[f].get("AVGO", 0.0) for f in R2])
    slope = missed @ weight / (weight @ weight)
    assert slope == pytest.approx(-np.log(10.0), rel=0.03)
    assert ((missed - slope * weight) ** 2).sum() < 0.001 * (missed**2).sum()


def test_the_weights_sum_as_they_should(weights):
    assert {f: len(held) for f, held in weights.items()} == NAMES
    assert len(set().union(*weights.values())) == 3240
    for factor, held in weights.items():
        total = sum(held.values())
        assert abs(total - (factor == "MKT-RF")) < WEIGHT_TOLERANCE
        longs = sum(w for w in held.values() if w > 0)
        assert longs == pytest.approx(1.0, abs=1e-12)
    names = sorted(weights["MKT-RF"])
    book = portfolios(np.array([[weights[f].get(n, 0.0) for f in weights] for n in names]))
    assert book.weight.size == sum(NAMES.values())


def test_a_flat_second_over_the_whole_file_moves_nothing_but_the_market(weights):
    """Every stock up 1%: the market 1%, each long-short factor nought, in our code."""
    import polars as pl

    names = sorted(weights["MKT-RF"])
    ts = pl.Series("ts", [0, 10**9]).cast(pl.Datetime("ns", "UTC"))
    mids = pl.DataFrame({"ts": ts, **{name: [100.0, 101.0] for name in names}})
    found = factor_returns(mids, weights)
    assert found["MKT-RF"][1] == pytest.approx(0.01, rel=1e-10)
    for factor in ("SMB", "HML", "RMW", "CMA"):
        assert abs(found[factor][1]) < 1e-14
