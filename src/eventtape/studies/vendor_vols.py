r"""Can a vendor's American volatilities be reproduced, and which of them are no volatilities?

A vendor's file has a volatility for each row and says neither the rate nor the dividends behind it.
Its calls tell: where no dividend falls before expiry but the yield, an American call is a European
one, and one rate r and one yield q must turn every volatility of a chain into its price,

    C(K) = e^(-r tau) (F Phi(d) - K Phi(d - sigma sqrt(tau))),    F = S e^((r - q) tau)

Two numbers from some twenty calls: whether they fit says whether spot, clock and price are the
vendor's. Its puts were not asked, so their American volatilities at that r and q are the test.

Time is calendar days over 365, the price the mid, both checked by the calls. ``vendor_quote_iv`` is
the volatility the vendor has of the quote itself, null where it has none; ``vendor_iv`` what it
prints, which elsewhere is filled in from its neighbours.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.optimize import least_squares

from eventtape.arrays import BoolArray, FloatArray
from eventtape.errors import InputError
from eventtape.estimators.pricing.american import american
from eventtape.estimators.pricing.american_implied_vol import american_implied_vol
from eventtape.estimators.pricing.black import black_price
from eventtape.estimators.pricing.status import PriceStatus

__all__ = ["Conventions", "VendorVols", "conventions_of_calls", "vendor_faults", "vendor_vols"]

_LEAST = 5
_START, _SCALE = (0.04, 0.002), (0.01, 0.01)
_ROUNDING = 5e-4  # of a price: what a volatility printed to six digits leaves open, and some
_MOVED = 0.005  # of the underlying, in a day
_APART = 0.01  # volatilities of one strike's call and put that are not one
_GREEKS = ("delta", "gamma", "theta", "vega", "rho")


class Conventions(NamedTuple):
    """Rate and yield, continuous a year, that a vendor's calls were made with.

    - ``miss``, ``largest_miss``: median and largest distance of its prices from the formula's;
    - ``calls``: used. NaN with under five.
    """

    rate: float
    dividend_yield: float
    miss: float
    largest_miss: float
    calls: int


class VendorVols(NamedTuple):
    """Every row with our volatility beside the vendor's, and what each chain was made with.

    - ``rows``: the quotes with ``days``, ``mid``, ``rate``, ``dividend_yield``, ``vol`` (ours, null
      where the price has none), ``vol_status`` (PriceStatus), ``error`` (ours less
      ``vendor_quote_iv``), and our Greeks at our volatility, named as the vendor's without prefix;
    - ``chains``: one row a day and expiry: ``days``, spot and :class:`Conventions`.
    """

    rows: pl.DataFrame
    chains: pl.DataFrame


def conventions_of_calls(
    spot: float, strikes: FloatArray, tau: float, prices: FloatArray, vols: FloatArray
) -> Conventions:
    """Rate and yield that make European prices of these volatilities, ``(n_calls,)`` each."""
    if strikes.size < _LEAST:
        return Conventions(math.nan, math.nan, math.nan, math.nan, strikes.size)

    def miss(x: FloatArray) -> FloatArray:
        r, q = x
        forward, discount = spot * math.exp((r - q) * tau), math.exp(-r * tau)
        made = black_price(forward, strikes, tau, vols, is_call=True, discount=discount)
        return made - prices

    found = least_squares(miss, _START, loss="soft_l1", f_scale=_ROUNDING, x_scale=_SCALE)
    off = np.abs(miss(found.x))
    r, q = (float(x) for x in found.x)
    return Conventions(r, q, float(np.median(off)), float(off.max()), strikes.size)


def vendor_vols(frame: pl.DataFrame) -> VendorVols:
    """Our American volatilities and Greeks of a vendor's rows, at the vendor's own rate and yield.

    ``frame``: option quotes with ``vendor_quote_iv``; without that column an :class:`InputError`.
    """
    if "vendor_quote_iv" not in frame.columns:
        wanted = "the column vendor_quote_iv, null where the vendor has none of the quote"
        raise InputError(wanted, met=frame.columns, column="vendor_quote_iv")
    day, last = pl.col("ts").dt.date(), pl.col("expiry").dt.date()
    dated = frame.with_columns(
        days=(last - day).dt.total_days(),
        mid=(pl.col("bid").fill_null(0.0) + pl.col("ask")) / 2.0,
    )
    rows, chains = [], []
    for (ts, expiry), chain in dated.group_by("ts", "expiry", maintain_order=True):
        columns = ("strike", "mid", "vendor_quote_iv")
        strikes, mids, vols = (chain[name].to_numpy() for name in columns)
        call = chain["is_call"].to_numpy()
        spot, days = float(chain["underlying_price"][0]), int(chain["days"][0])
        told = call & np.isfinite(vols)
        made = conventions_of_calls(spot, strikes[told], days / 365, mids[told], vols[told])
        chains.append({"ts": ts, "expiry": expiry, "days": days, "spot": spot, **made._asdict()})
        rows.append(_with_ours(chain, spot, strikes, days / 365, mids, call, made))
    return VendorVols(pl.concat(rows), pl.DataFrame(chains).sort("ts", "expiry"))


def vendor_faults(rows: pl.DataFrame) -> dict[str, int]:
    """Counts of what is wrong with a vendor's rows, by name; ``rows`` of :func:`vendor_vols`."""
    call = pl.col("is_call")
    sign = pl.when(call).then(1.0).otherwise(-1.0)
    filled = pl.col("vendor_quote_iv").is_null()
    none = pl.col("vol").is_null()
    below = pl.col("vol_status") == int(PriceStatus.BELOW_INTRINSIC)
    ours = pl.col("vol") - pl.col("vendor_iv")
    place = ["ts", "expiry", "is_call", "vendor_iv"]
    before = rows.sort("ts").with_columns(
        pl.col("bid", "ask", "underlying_price").shift().over("symbol").name.suffix("_before")
    )
    moved = (pl.col("underlying_price") / pl.col("underlying_price_before")).log().abs() > _MOVED
    same = (pl.col("bid") == pl.col("bid_before")) & (pl.col("ask") == pl.col("ask_before"))
    sides = rows.filter(call).join(
        rows.filter(~call), on=["ts", "expiry", "strike"], suffix="_put"
    )  # fmt: skip
    apart = (pl.col("vendor_quote_iv") - pl.col("vendor_quote_iv_put")).abs() > _APART

    def count(table: pl.DataFrame, condition: pl.Expr) -> int:
        return int(table.filter(condition).height)

    return {
        "no bid": count(rows, pl.col("bid").is_null()),
        "filled in": count(rows, filled),
        "filled in, price below exercise": count(rows, filled & below),
        "filled in, price at exercise": count(rows, filled & none & ~below),
        "filled in, price has a volatility": count(rows, filled & ~none),
        "of these more than 0.01 off": count(rows, filled & (ours.abs() > _APART)),
        "filled in with one value for several strikes": count(
            rows.filter(filled), pl.len().over(place) > 1
        ),
        "computed where the price has none": count(rows, ~filled & none),
        "delta of the wrong sign or beyond 1": count(
            rows, (pl.col("vendor_delta") * sign < 0.0) | (pl.col("vendor_delta").abs() > 1.0)
        ),
        "call and put of a strike more than 0.01 apart": count(sides, apart),
        "unmoved while the underlying moved 0.5%": count(before, same & moved),
    }


def _with_ours(
    chain: pl.DataFrame,
    spot: float,
    strikes: FloatArray,
    tau: float,
    mids: FloatArray,
    call: BoolArray,
    made: Conventions,
) -> pl.DataFrame:
    r, q = made.rate, made.dividend_yield
    found = american_implied_vol(mids, spot, strikes, tau, r, q, is_call=call)
    greeks = american(spot, strikes, tau, r, q, found.vol, is_call=call)
    ours = {"vol": found.vol, **{name: getattr(greeks, name) for name in _GREEKS}}
    return chain.with_columns(
        pl.lit(r).alias("rate"),
        pl.lit(q).alias("dividend_yield"),
        *(pl.Series(name, values, nan_to_null=True) for name, values in ours.items()),
        pl.Series("vol_status", found.status.astype(np.int64)),
    ).with_columns(error=pl.col("vol") - pl.col("vendor_quote_iv"))
