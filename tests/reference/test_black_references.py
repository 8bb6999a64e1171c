"""European prices, Greeks and implied volatilities as printed in books and by other packages."""

from __future__ import annotations

import gzip
import json
import math

import numpy as np
import pytest

from eventtape.estimators.pricing.black import black_greeks, black_price, black_scholes_greeks
from eventtape.estimators.pricing.implied_vol import implied_vol


def test_hull_example_of_black_scholes():
    """Hull, Options, Futures and Other Derivatives: S 42, K 40, r 10%, vol 20%, half a year."""
    call, put = (
        black_scholes_greeks(42.0, 40.0, 0.5, 0.1, 0.0, 0.2, is_call=right).price
        for right in (True, False)
    )
    assert round(float(call), 2) == 4.76
    assert round(float(put), 2) == 0.81


def test_hull_greeks_of_twenty_weeks():
    """Hull: S 49, K 50, r 5%, vol 20%, 20 weeks: 2.40, .522, .066, -4.31 a year, 12.1, 8.91."""
    got = black_scholes_greeks(49.0, 50.0, 0.3846, 0.05, 0.0, 0.2, is_call=True)
    assert round(float(got.price), 2) == 2.40
    assert round(float(got.delta), 3) == 0.522
    assert round(float(got.gamma), 3) == 0.066  # .0655
    assert round(float(got.theta), 2) == -4.31
    assert round(float(got.vega), 1) == 12.1
    assert round(float(got.rho), 2) == 8.91


def test_hull_put_on_a_future():
    """Hull: F 20, K 20, r 9%, vol 25%, four months: 1.12."""
    got = black_greeks(20.0, 20.0, 4.0 / 12.0, 0.25, is_call=False, rate=0.09)
    assert round(float(got.price), 2) == 1.12


def test_haug_examples():
    """Haug, The Complete Guide to Option Pricing Formulas, chapter 1."""
    assert (
        round(float(black_scholes_greeks(60, 65, 0.25, 0.08, 0, 0.3, is_call=True).price), 4)
        == 2.1334
    )
    merton = black_scholes_greeks(100, 95, 0.5, 0.1, 0.05, 0.2, is_call=False)
    assert round(float(merton.price), 4) == 2.4648
    black = black_greeks(19.0, 19.0, 0.75, 0.28, is_call=[True, False], rate=0.1)
    assert np.round(black.price, 4).tolist() == [1.7011, 1.7011]
    future = black_greeks(105.0, 100.0, 0.5, 0.36, is_call=[True, False], rate=0.1)
    assert np.round(future.delta, 4).tolist() == [0.5946, -0.3566]


def test_hull_implied_volatility():
    """1.875 for S 21, K 20, r 10%, three months: 23.5% in the book, the digits computed apart."""
    growth = math.exp(0.1 * 0.25)
    got = implied_vol(1.875, 21.0 * growth, 20.0, 0.25, is_call=True, discount=1.0 / growth)
    assert got.vol == pytest.approx(0.2345129140, abs=5e-11)


# R package RND's two-lognormal example: r 5%, 60 days, weight .4, meanlog 6.8 and 6.95, sdlog .065
# and .055; discounted call and put at each strike, computed apart from this project.
TWO_LOGNORMAL = [
    (800, 185.5132848338, 0.3061967683),
    (850, 137.9866940968, 2.3703313819),
    (900, 95.3644278882, 9.3387905238),
    (950, 59.6152706130, 23.1803585991),
    (1000, 31.2046845525, 44.3604978892),
    (1050, 12.2360825731, 74.9826212603),
    (1100, 3.2954628458, 115.6327268837),
    (1150, 0.5870064508, 162.5149958392),
    (1200, 0.0691642675, 211.5878790064),
]


@pytest.mark.parametrize(
    ("strike", "call", "put"), TWO_LOGNORMAL, ids=[str(r[0]) for r in TWO_LOGNORMAL]
)
def test_two_lognormal_prices(strike, call, put):
    tau = 60.0 / 365.0
    sdlog = np.array([0.065, 0.055])
    forward = np.exp([6.8, 6.95] + 0.5 * sdlog**2)
    for right, price in ((True, call), (False, put)):
        parts = black_price(
            forward,
            float(strike),
            tau,
            sdlog / math.sqrt(tau),
            is_call=right,
            discount=math.exp(-0.05 * tau),
        )
        assert float(np.dot([0.4, 0.6], parts)) == pytest.approx(price, abs=5.1e-11)


@pytest.mark.real
@pytest.mark.parametrize("is_call", [True, False], ids=["call", "put"])
def test_vollib_table(data_folder, is_call):
    """py_vollib's test table: 101 options, S 100 to 5100 against K 1000, price and five Greeks.

    Printed with 9 significant digits or 9 decimals: half a unit of either.
    """
    file = data_folder / "options" / "vollib_test_data.json.gz"
    if not file.exists():
        pytest.skip(f"needs {file.name}")
    table = json.loads(gzip.decompress(file.read_bytes()))
    column = dict(zip(table["columns"], np.array(table["data"]).T, strict=True))
    got = black_scholes_greeks(
        *(column[name] for name in ("S", "K", "t", "R")), 0.0, column["v"], is_call=is_call
    )
    price, side = ("bs_call", "C") if is_call else ("bs_put", "P")
    printed = {
        "price": price,
        **{n: side + n[0].upper() for n in ("delta", "gamma", "theta", "vega", "rho")},
    }
    for name, code in printed.items():
        np.testing.assert_allclose(
            getattr(got, name), column[code], rtol=5.1e-9, atol=5.1e-10, err_msg=name
        )
    carried = column["S"] * np.exp(column["R"] * column["t"])
    back = implied_vol(
        got.price,
        carried,
        column["K"],
        column["t"],
        is_call=is_call,
        discount=np.exp(-column["R"] * column["t"]),
    )
    known = back.status == 0
    assert known.sum() >= 60
    np.testing.assert_allclose(back.vol[known], column["v"][known], rtol=1e-3)
