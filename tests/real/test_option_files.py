"""The option files of the data folder: counts, traps and identities found by other roads."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.optimize import least_squares
from scipy.special import ndtr

from eventtape.clock import format_ns, parse_ns
from eventtape.errors import InputError
from eventtape.sources import read_option_quotes, read_option_trades
from eventtape.tape import chains, expiries

pytestmark = pytest.mark.real

CBOE_AT = "2023-09-14T16:31-04:00"


@pytest.fixture(scope="module")
def real(data_folder):
    """The path of an option file; skips the test where it is absent."""

    def real(name):
        path = data_folder / "options" / name
        if not path.exists():
            pytest.skip(f"no options/{name} in the data folder (set EVENTTAPE_DATA)")
        return path

    return real


@pytest.fixture(scope="module")
def cboe(real):
    return read_option_quotes(real("cboe_spx_spy_xsp_20230914T1631ET.parquet"), at=CBOE_AT)


@pytest.fixture(scope="module")
def binance(real):
    return read_option_quotes(real("binance_btc_options_eoh_20231020_20231023.parquet"))


@pytest.fixture(scope="module")
def snapshots(real):
    return read_option_quotes(real("deribit_btc_chains_20250330_20250613_49snaps.parquet"))


def both_sides(chain):
    """Strikes with the mids of the call and the put, where all four sides are quoted."""
    mids = (chain.bids + chain.asks) / 2
    calls, puts = (
        dict(zip(chain.strikes[side], mids[side], strict=True))
        for side in (chain.is_call, ~chain.is_call)
    )
    pairs = [(k, calls[k], puts[k]) for k in sorted(calls) if k in puts]
    return np.array([pair for pair in pairs if np.isfinite(pair).all()]).T


def parity(chain, near=0.1):
    """Forward and discount by a plain regression of C - P on K near the money."""
    strikes, calls, puts = both_sides(chain)
    middle = strikes[np.argmin(np.abs(calls - puts))]
    at = np.abs(strikes / middle - 1) < near
    slope, level = np.polyfit(strikes[at], (calls - puts)[at], 1)
    return -level / slope, -slope


def test_cboe_roots_settle_at_their_own_hour(cboe):
    frame, report = cboe
    assert (report.rows, report.kept) == (38_094, 37_268)
    assert report.dropped == {"expired": 826}
    day = frame.filter(pl.col("expiry").dt.date() == pl.date(2023, 9, 15))
    told = {
        (row["underlying"], row["style"]): row["expiry"]
        for row in expiries(day).sort("expiry", descending=True).to_dicts()
    }
    hours = {key: format_ns(int(time.timestamp()) * 10**9) for key, time in told.items()}
    assert hours == {
        ("SPX", "european"): "2023-09-15T13:30:00Z",
        ("SPY", "american"): "2023-09-15T20:00:00Z",
        ("XSP", "european"): "2023-09-15T20:00:00Z",
    }
    assert set(day.filter(pl.col("symbol").str.starts_with("SPXW"))["expiry"].dt.hour()) == {20}


def test_cboe_parity_gives_one_forward_for_the_index_and_its_mini(cboe):
    """XSP is a tenth of SPX: the forwards of one expiry, fitted apart, agree to 2 basis points."""
    frame = cboe.frame
    for expiry in ("2023-10-06T20:00Z", "2023-12-29T21:00Z"):
        (large,) = chains(frame, underlying="SPX", expiry=expiry)
        (small,) = chains(frame, underlying="XSP", expiry=expiry)
        assert parity(large)[0] / parity(small)[0] == pytest.approx(10.0, rel=2e-4)


def test_spy_leaves_the_contracts_of_its_last_morning_out(real):
    frame, report = read_option_quotes(real("ivolatility_spy_eod_20241202_20250117.parquet"))
    assert (report.rows, report.kept, report.dropped) == (10_240, 10_198, {"expired": 42})
    assert frame["vendor_iv"].null_count() == 0  # the 42 rows without a volatility are those
    assert frame["symbol"].n_unique() == 574
    assert frame["ts"].n_unique() == 32
    half_day = frame.filter(pl.col("ts").dt.date() == pl.date(2024, 12, 24))["ts"].unique()
    assert [format_ns(int(ns)) for ns in half_day.to_physical()] == ["2024-12-24T18:00:00Z"]


def test_the_older_file_has_minis_and_a_week_already_expired(real):
    frame, report = read_option_quotes(real("ivolatility_spy_eod_20150105.csv.gz"))
    assert report.dropped == {"adjusted or mini contract": 1_258, "expired": 180}
    assert report.kept == 4_922 - 1_258 - 180
    saturday = frame.filter(pl.col("symbol").str.starts_with("SPY150117"))["expiry"].unique()
    assert [format_ns(int(ns)) for ns in saturday.to_physical()] == ["2015-01-16T21:00:00Z"]


def test_deribit_snapshots_keep_forty_eight_of_forty_nine(snapshots):
    frame, report = snapshots
    assert (report.rows, report.kept) == (32_708, 31_778)
    assert report.dropped == {"snapshot older than its stamp": 746, "exact repeat": 184}
    assert frame["ts"].n_unique() == 48
    assert frame["vendor_bid_iv"].min() > 0.008
    assert (frame["bid"] > frame["ask"]).sum() == 0


def test_deribit_snapshots_give_their_index_back_and_the_trades_were_there(real, snapshots):
    """46 snapshots have prices and one index each; the index of those in the week of the trades is
    one at which the trades' own index passed in the hour before the snapshot was published."""
    frame = snapshots.frame
    quoted = frame.filter(pl.any_horizontal(pl.col("bid", "ask").is_not_null()))
    indices = quoted.group_by("ts").agg(pl.col("underlying_price").unique()).sort("ts")
    assert (indices.height, indices["underlying_price"].list.len().max()) == (46, 1)
    for side in ("bid", "ask"):
        known = frame.drop_nulls(side)
        off = (known[f"coin_{side}"] * known["underlying_price"] - known[side]).abs().max()
        assert off < 1e-6
    trades = read_option_trades(real("deribit_btc_option_trades_20250329_20250406.parquet")).frame
    for ts, (index,) in indices.head(8).rows():
        hour = trades.filter(
            pl.col("ts").is_between(pl.lit(ts).dt.offset_by("-1h"), ts), pl.col("ts") <= ts
        )["underlying_price"]
        assert hour.min() <= index <= hour.max()


def test_snapshots_mix_unless_an_age_is_asked_for(snapshots):
    """A contract no longer listed stands as last quoted until it expires; its age says so."""
    at = "2025-04-02T14:28:53Z"
    mixed, alone = (chains(snapshots.frame, at=at, max_age_s=age) for age in (np.inf, 0.0))
    assert max(chain.age_s.max() for chain in mixed) > 86_000
    assert sum(chain.frame.height for chain in alone) == 635


def test_deribit_trades_agree_with_their_own_coin_prices(real):
    frame, report = read_option_trades(real("deribit_btc_option_trades_20250329_20250406.parquet"))
    assert (report.rows, report.kept, report.noted) == (85_879, 85_879, {"vendor_iv missing": 3})
    ratio = (frame["price"] / frame["underlying_price"] / frame["coin_price"]).to_numpy()
    assert np.abs(ratio - 1).max() < 1e-14
    assert frame["side"].value_counts().sort("side").rows() == [(-1, 40_235), (1, 45_644)]


def test_the_screen_copy_gives_one_index_back(real):
    frame, _ = read_option_quotes(
        real("oipd_btc_deribit_20250830_exp20251226.csv.gz"),
        underlying="BTC",
        at="2025-08-30T12:00Z",
        expiry="2025-12-26",
    )
    (chain,) = chains(frame)
    assert chain.underlying_price == pytest.approx(108_864, abs=0.5)
    forward, discount = parity(chain, near=0.3)
    assert discount == pytest.approx(chain.underlying_price / forward, rel=2e-3)


def test_mark_volatilities_are_of_one_moment(real):
    frame, report = read_option_quotes(real("deribit_btc_markiv_20241108T0204Z.json.gz"))
    assert report.kept == 828
    moments = {format_ns(int(ns)) for ns in frame["ts"].unique().to_physical()}
    assert moments == {"2024-11-08T02:04:25Z"}


def test_binance_greeks_confirm_the_second_of_the_stamp(binance):
    """Forward and time to expiry solved from vega and delta alone: HH:59:59, within a second."""
    frame, report = binance
    assert report.dropped == {"expired": 34}
    for at in ("2023-10-20T03:59:59Z", "2023-10-23T15:59:59Z"):
        (chain,) = chains(frame, at=at, expiry="2023-10-27T08:00Z")
        rows = chain.frame.filter(pl.col("vendor_delta").abs().is_between(0.05, 0.95))
        k, iv, vega, delta = (
            rows[name].to_numpy() for name in ("strike", "vendor_iv", "vendor_vega", "vendor_delta")
        )
        calls = rows["is_call"].to_numpy()

        def misfit(x, k=k, iv=iv, vega=vega, delta=delta, calls=calls):
            forward, tau = 30_000 * x[0], x[1] ** 2
            s = iv * np.sqrt(tau)
            d = np.log(forward / k) / s + s / 2
            fitted = forward * np.sqrt(tau) * np.exp(-d * d / 2) / np.sqrt(2 * np.pi)
            return np.concatenate([(fitted - vega) / 1e4, ndtr(d) - ~calls - delta])

        tau = least_squares(misfit, [1.0, 0.1], xtol=1e-14, ftol=1e-14, gtol=1e-14).x[1] ** 2
        assert tau * 365 * 86_400 == pytest.approx(chain.tau * 365 * 86_400, abs=1.0)


def test_lean_minutes_meet_their_underlying(real):
    frame, report = read_option_quotes(
        real("lean_goog_options_1m_quotes_20151224.parquet"),
        underlying="GOOG",
        underlying_quotes=real("lean_aapl_goog_equity_1m_quotes.parquet"),
    )
    assert (report.rows, report.kept) == (93_976, 93_976)
    assert report.noted["bid carried forward"] == 13_658
    assert report.noted["ask carried forward"] == 13_488
    assert (frame["bid"] > frame["ask"]).sum() == 0
    noon = chains(frame, at="2015-12-24T17:00Z", max_age_s=600)
    assert [chain.frame.height + chain.too_old for chain in noon] == [194, 342, 210]
    for chain in noon:
        assert 0 <= chain.age_s.min() <= chain.age_s.max() <= 600
        assert parity(chain, near=0.05)[0] == pytest.approx(chain.underlying_price, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "stated", "kept", "forward"),
    [
        ("oipd_aapl_chain_20251006.csv.gz", {}, 2_099, None),
        (
            "rnd_sp500_2013_04_19.csv.gz",
            {"underlying": "SPX", "at": "2013-04-19T20:15Z", "expiry": "2013-06-21"},
            342,
            1_550,
        ),
        (
            "oipd_spy_20250128_exp20250228.csv.gz",
            {
                "underlying": "SPY",
                "at": "2025-01-28T21:00Z",
                "expiry": "2025-02-28",
                "is_call": True,
            },
            186,
            None,
        ),
        (
            "rnd_oil_2012_10_01.csv.gz",
            {
                "underlying": "CL",
                "at": "2012-10-01T18:30Z",
                "expiry": "2012-11-14T14:30-05:00",
                "settlement": "cash",
                "strike_scale": 0.01,
            },
            332,
            None,
        ),
    ],
    ids=["aapl", "sp500", "spy", "oil"],
)
def test_small_chains_load_whole(real, name, stated, kept, forward):
    frame, report = read_option_quotes(real(name), **stated)
    assert (report.format, report.kept, report.dropped) == ("table", kept, {})
    if forward is not None:
        assert parity(chains(frame)[0])[0] == pytest.approx(forward, rel=5e-3)


def test_oil_strikes_in_cents_are_dollars_beside_their_settlements(real):
    """C - P = D (F - K) over the settlements: the forward is that of autumn 2012, 92 to 94."""
    frame, _ = read_option_quotes(
        real("rnd_oil_2012_10_01.csv.gz"),
        underlying="CL",
        at="2012-10-01T18:30Z",
        expiry="2012-11-14T14:30-05:00",
        strike_scale=0.01,
    )
    sides = frame.select("strike", "is_call", "mark").pivot("is_call", index="strike").drop_nulls()
    near = sides.filter(pl.col("strike").is_between(85, 100))
    slope, level = np.polyfit(near["strike"], near["true"] - near["false"], 1)
    assert 92 < -level / slope < 94
    assert slope == pytest.approx(-1, abs=0.01)


def test_the_moment_of_aapl_is_the_close_its_last_trades_end_at(real):
    frame, _ = read_option_quotes(real("oipd_aapl_chain_20251006.csv.gz"))
    assert set(frame["ts"].to_physical()) == {parse_ns("2025-10-06T20:00Z")}
    assert expiries(frame).height == 21


def test_an_export_without_its_time_is_refused(real):
    with pytest.raises(InputError, match="give at="):
        read_option_quotes(real("cboe_spx_spy_xsp_20230914T1631ET.parquet"))
