"""Positions against Deribit: prices of trades in coins, and the Greeks of its screen."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from eventtape.estimators.positions.legs import leg_of, legs
from eventtape.estimators.positions.value import DAY_NS, position_greeks, position_value
from eventtape.sources import read_option_quotes, read_option_trades

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def real(data_folder):
    """The path of an option file; skips the test where it is absent."""

    def real(name):
        path = data_folder / "options" / name
        if not path.exists():
            pytest.skip(f"no options/{name} in the data folder (set EVENTTAPE_DATA)")
        return path

    return real


def held(rows, vol):
    return legs(
        1.0,
        rows["strike"].to_numpy(),
        rows["is_call"].to_numpy(),
        rows["expiry"].dt.epoch("ns").to_numpy(),
        rows[vol].to_numpy(),
        inverse=True,
    )


def test_traded_prices_in_coins_from_their_volatilities(real):
    """Expiries of some days, where the forward is the index: Black over the forward, to a tick."""
    frame, _ = read_option_trades(real("deribit_btc_option_trades_20250329_20250406.parquet"))
    left = (pl.col("expiry") - pl.col("ts")).dt.total_hours()
    near = (pl.col("strike") / pl.col("underlying_price")).log().abs() < 0.05
    rows = frame.filter(left.is_between(6, 60) & near).gather_every(29)
    options = held(rows, "vendor_iv")
    at = rows["ts"].dt.epoch("ns").to_numpy() - 30 * 10**9  # times come rounded to the minute
    index = rows["underlying_price"].to_numpy()
    worth = np.array(
        [position_value(leg_of(options, i), index[i], at[i]) for i in range(rows.height)]
    )
    apart = np.abs(worth - rows["coin_price"].to_numpy())
    assert rows.height > 300
    assert np.median(apart) < 1e-4  # the tick
    assert np.quantile(apart, 0.9) < 3e-4


def test_greeks_in_the_units_of_the_screen(real):
    """Deribit shows Black's delta, dollars of vega a vol point and dollars of theta a day."""
    frame, _ = read_option_quotes(real("deribit_btc_chains_20250330_20250613_49snaps.parquet"))
    quotes = frame.filter(
        (pl.col("ts").dt.to_string("%F %R") == "2025-04-02 14:28")
        & (pl.col("expiry").dt.to_string("%F") == "2025-05-30")
        & pl.col("bid").is_not_null()
        & pl.col("ask").is_not_null()
    )
    rows = quotes.with_columns(mid=(pl.col("bid") + pl.col("ask")) / 2)
    forward = parity_forward(rows)
    quoted = (
        rows.with_columns(iv=(pl.col("vendor_bid_iv") + pl.col("vendor_ask_iv")) / 2)
        .filter(pl.col("iv").is_not_null() & pl.col("vendor_delta").abs().is_between(0.1, 0.9))
        .sort("strike")
    )
    at = int(quoted["ts"].dt.epoch("ns")[0])
    options = held(quoted, "iv")._replace(inverse=False)
    got = [position_greeks(leg_of(options, i), forward, at) for i in range(quoted.height)]
    delta, vega, theta = (np.array([getattr(g, name) for g in got]) for name in
                          ("delta", "vega", "theta"))  # fmt: skip
    assert quoted.height > 15
    np.testing.assert_allclose(delta, quoted["vendor_delta"].to_numpy(), atol=0.02)
    # the tape keeps vega per 1.00 and theta per year
    np.testing.assert_allclose(vega * 100, quoted["vendor_vega"].to_numpy(), rtol=0.03)
    np.testing.assert_allclose(theta * 365, quoted["vendor_theta"].to_numpy(), rtol=0.06)
    days = (options.expiry_ns - at) / DAY_NS
    by_law = -options.vol * 100 / (2 * days)  # theta a day over vega a point, whatever the forward
    np.testing.assert_allclose(theta / vega, by_law, rtol=1e-9)


def parity_forward(rows):
    sides = rows.filter("is_call").join(rows.filter(~pl.col("is_call")), on="strike", suffix="_put")
    near = sides.filter((pl.col("mid") - pl.col("mid_put")).abs() < 0.1 * pl.col("strike"))
    return float((near["strike"] + near["mid"] - near["mid_put"]).median())
