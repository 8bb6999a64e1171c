"""What the simulated day says of its trades and moves, against the rows themselves."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from eventtape.simulate import FACTORS, TaqConfig, taq_day, taq_market
from eventtape.simulate.taq_market import latent

S = 10**9
MANY = {"quotes": 300_000, "trades": 150_000}


@pytest.fixture(scope="module")
def day():
    return taq_day(5, **MANY)


def met(day):
    """Trades with their truth and the book strictly before they happened, by plain search."""
    trades = day.trades.hstack(day.truth.trades)
    parts = []
    for (name,), rows in trades.group_by("symbol", maintain_order=True):
        quotes = day.quotes.filter(pl.col("symbol") == name)
        happened = rows["happened"].dt.epoch("ns").to_numpy()
        at = np.searchsorted(quotes["ts"].dt.epoch("ns").to_numpy(), happened, side="left") - 1
        parts.append(
            rows.with_columns(
                pl.Series("bid", quotes["bid"].to_numpy()[at]),
                pl.Series("ask", quotes["ask"].to_numpy()[at]),
                pl.Series("seen", at >= 0),
            )
        )
    return pl.concat(parts)


def test_every_trade_is_where_its_truth_says(day):
    rows = met(day)
    assert rows["seen"].all()
    assert set(rows["side"].unique()) == {-1, 1}
    side = pl.col("side")
    touch = pl.when(side > 0).then("ask").otherwise("bid")
    mid, price = (pl.col("bid") + pl.col("ask")) / 2, pl.col("price")
    inside = (price > pl.col("bid")) & (price < pl.col("ask"))
    for place, rule in {
        "at quote": price == touch,
        "walked": (price - touch) * side > 0.009,
        "midpoint": (price - mid).abs() < 1e-9,
        "improved": inside & ((price - mid) * side > 5e-5),
        "off book": ~pl.col("eligible") & ~pl.col("iso"),
    }.items():
        here = rows.filter(pl.col("place") == place)
        assert here.height > 1_000
        assert here.select(rule.all()).item()
    assert rows.filter(pl.col("place") != "off book")["eligible"].all()
    assert rows.filter(pl.col("iso"))["place"].is_in(["at quote", "walked"]).all()
    # An informed order is on the side of the efficient price, whose book its answer then shows.
    assert rows.filter(pl.col("informed"))["place"].is_in(["at quote", "walked"]).all()


@pytest.mark.parametrize("share", [0.0, 0.4, 0.78])
def test_shares_are_those_asked_for(share):
    """4 standard errors; an ISO print brings c/(1-c) more, so its se is sqrt((1+c)/(1-c)) wider."""
    day = taq_day(6, iso_share=share, **MANY)
    n, c = MANY["trades"], 0.45
    iso = day.trades["iso"].mean()
    width = 4.0 * math.sqrt(share * (1 - share) / n * (1 + c) / (1 - c))
    assert abs(iso - share) <= width
    for place, wanted in (("midpoint", 0.08), ("improved", 0.12), ("off book", 0.02)):
        met_share = (day.truth.trades["place"] == place).mean()
        # the prints left to them are no ISO: the runs of ISO prints widen this too
        assert abs(met_share - wanted) < 6.0 * math.sqrt(wanted * (1 - wanted) / n)
    assert day.trades["eligible"].not_().sum() == (day.truth.trades["place"] == "off book").sum()


def test_all_iso_and_no_iso_are_days_too():
    every = taq_day(
        6, iso_share=1.0, midpoint_share=0.0, improved_share=0.0, ineligible_share=0.0, trades=9_000
    )
    assert every.trades["iso"].all()


def test_sweeps_are_prints_within_microseconds_that_walk_the_book(day):
    rows = day.trades.hstack(day.truth.trades).with_row_index()
    single = rows.filter(pl.col("sweep") < 0)
    assert (single["place"] != "walked").all()
    sweeps = (
        rows.filter(pl.col("sweep") >= 0)
        .group_by("symbol", "sweep")
        .agg(
            pl.len(),
            pl.col("iso").all(),
            pl.col("side").n_unique().alias("sides"),
            (pl.col("index").max() - pl.col("index").min() + 1).alias("span"),
            pl.col("ts").diff().dt.total_nanoseconds().max().alias("gap"),
            ((pl.col("price").diff() * pl.col("side")) >= 0.0).all().alias("away"),
            (pl.col("place") == "walked").any().alias("walked"),
        )
    )
    assert sweeps.height > 5_000
    assert sweeps["len"].min() == 2
    assert sweeps["iso"].all()
    assert (sweeps["sides"] == 1).all()
    assert (sweeps["span"] == sweeps["len"]).all()
    assert sweeps["gap"].max() <= 10_001
    assert sweeps["away"].all()
    assert 0.4 < sweeps["walked"].mean() < 0.7


def quote_rule(day, latency_ns):
    """Share of right signs away from the mid, matched strictly before the stamp less a latency."""
    trades = day.trades.hstack(day.truth.trades).filter("eligible")
    right = signed = 0
    for (name,), rows in trades.group_by("symbol", maintain_order=True):
        quotes = day.quotes.filter(pl.col("symbol") == name)
        stamp = rows["ts"].dt.epoch("ns").to_numpy() - latency_ns
        at = np.searchsorted(quotes["ts"].dt.epoch("ns").to_numpy(), stamp, side="left") - 1
        mid = ((quotes["bid"] + quotes["ask"]) / 2).to_numpy()[at]
        off = np.where(at >= 0, rows["price"].to_numpy() - mid, 0.0)
        sign = np.where(np.abs(off) < 1e-9, 0, np.sign(off))
        signed += np.count_nonzero(sign)
        right += np.count_nonzero(sign == rows["side"].to_numpy())
    return right / signed


def test_late_stamps_spoil_the_match_and_the_right_latency_mends_it():
    """Away from the mid the quote rule is always right at the trade's own time, and only there."""
    prompt = taq_day(7, **MANY)
    assert quote_rule(prompt, 0) == 1.0
    met_late = []
    for late_ns in (1_000_000, 50_000_000):
        late = taq_day(7, late_ns=late_ns, **MANY)
        moved = late.trades["ts"] - prompt.trades["ts"]
        assert (moved.dt.total_nanoseconds() == late_ns).all()
        assert late.truth.trades.equals(prompt.truth.trades)
        assert late.trades.drop("ts").equals(prompt.trades.drop("ts"))
        assert late.quotes.equals(prompt.quotes)
        assert quote_rule(late, late_ns) == 1.0
        met_late.append(quote_rule(late, 0))
    assert met_late[1] < met_late[0] < 0.995
    assert met_late[1] < 0.95


def test_some_late_trades_are_late_and_the_tape_is_in_the_order_of_its_stamps():
    prompt = taq_day(8, **MANY)
    some = taq_day(8, late_ns=50_000_000, late_share=0.25, **MANY)
    rows = some.trades.hstack(some.truth.trades)
    delay = (rows["ts"] - rows["happened"]).dt.total_nanoseconds()
    assert set(delay.unique()) == {0, 50_000_000}
    assert abs((delay > 0).mean() - 0.25) < 4.0 * math.sqrt(0.25 * 0.75 / rows.height)
    assert rows.select(
        (pl.col("ts").diff().over("symbol").dt.total_nanoseconds() >= 0).all()
    ).item()
    again = rows.sort("symbol", "happened").drop("ts", "fault")
    once = prompt.trades.hstack(prompt.truth.trades).sort("symbol", "happened").drop("ts", "fault")
    assert again.equals(once)


def test_answers_follow_their_trades_at_once_or_within_milliseconds(day):
    """A trade-driven quote comes after a trade of its symbol; 5% of them at its very ns."""
    waits = []
    for (name,), trades in day.trades.group_by("symbol", maintain_order=True):
        mine = (day.quotes["symbol"] == name) & day.truth.quotes["trade_driven"]
        answers = day.quotes.filter(mine)["ts"].dt.epoch("ns").to_numpy()
        stamps = trades["ts"].dt.epoch("ns").to_numpy()
        waits.append(answers - stamps[np.searchsorted(stamps, answers, side="right") - 1])
    waits = np.concatenate(waits)
    assert waits.min() == 0
    assert abs(np.mean(waits == 0) - 0.05) < 4.0 * math.sqrt(0.05 * 0.95 / waits.size)
    assert waits.max() < 5.1e6
    assert 1e4 < np.median(waits) < 1e6


def test_the_split_of_the_mids_moves_adds_up(day):
    known = day.quotes.hstack(day.truth.quotes)
    mid = (pl.col("bid") + pl.col("ask")) / 2
    moved = known.select(mid.diff().over("symbol").fill_null(0.0).alias("move"), "mid_move")
    np.testing.assert_allclose(moved["move"], moved["mid_move"], atol=1e-9)
    split = day.truth.symbols
    total = known.group_by("symbol", maintain_order=True).agg(pl.col("mid_move").pow(2).sum())
    np.testing.assert_allclose(split["trade_driven"] + split["quote_driven"], split["all"])
    np.testing.assert_allclose(split["all"], total["mid_move"])
    assert (split["trade_driven"] > 0.0).all()
    assert (split["quote_driven"] > 0.0).all()


def test_who_moves_the_book_is_an_option():
    """No sweeps, so that nothing else moves it: takers never, half of the time, always."""
    sizes = {"quotes": 300_000, "trades": 50_000, "symbols": 5, "sweep_continues": 0.0}
    shares = []
    for trade_moves in (0.0, 0.5, 1.0):
        day = taq_day(9, trade_moves=trade_moves, **sizes)
        split = day.truth.symbols.select("trade_driven", "all").sum().row(0)
        shares.append(split[0] / split[1])
        assert day.truth.trades["informed"].any() == (trade_moves > 0.0)
    assert shares[0] == 0.0
    assert shares[0] < shares[1] < shares[2]
    assert 0.2 < shares[1] < 0.8


def test_the_book_follows_the_efficient_price():
    """The last quote of a second is near the latent price at its end: median within a spread."""
    config = TaqConfig(seed=10, quotes=400_000, trades=60_000, symbols=5)
    market = taq_market(config)
    day = taq_day(10, quotes=400_000, trades=60_000, symbols=5)
    known = day.quotes.hstack(day.truth.quotes)
    for g, name in enumerate(config.names):
        mine = known.filter(pl.col("symbol") == name)
        at = (mine["ts"].dt.epoch("ns").to_numpy() - config.start_ns) / S
        path = latent(market, g)
        straight = np.interp(at, np.arange(path.size), path)
        spread = day.truth.symbols["spread"][g]
        swing = market.level[g] * 2.5e-4  # a second's volatility of the most volatile, at most
        assert np.abs(mine["efficient"].to_numpy() - straight).max() < 3.0 * swing
        gap = ((mine["bid"] + mine["ask"]) / 2 - mine["efficient"]).abs()
        assert gap.median() < 0.5 * spread + 0.005


def test_latent_returns_are_beta_times_the_factors_plus_noise():
    """Least squares of 23,400 seconds, 40 symbols: every z of 200 betas within 4.5, none biased."""
    market = taq_market(TaqConfig(seed=11))
    F = market.factors
    X = np.column_stack([np.ones(F.shape[0]), F])
    inverse = np.linalg.inv(X.T @ X)
    z, ratio = [], []
    for g in range(40):
        path = latent(market, g)
        r = path[1:] / path[:-1] - 1.0
        b = inverse @ (X.T @ r)
        s = np.sqrt(np.sum((r - X @ b) ** 2) / (r.size - 6))
        z.append((b[1:] - market.beta[g]) / (s * np.sqrt(np.diag(inverse)[1:])))
        ratio.append(s / market.volatility[g])
    z = np.array(z)
    assert np.abs(z).max() < 4.5
    assert abs(z.mean()) < 4.0 / math.sqrt(z.size)
    assert abs(z.var() - 1.0) < 4.0 * math.sqrt(2.0 / z.size)
    assert np.abs(np.array(ratio) - 1.0).max() < 4.5 / math.sqrt(2 * 23_400)
    assert FACTORS == ("MKT", "SMB", "HML", "RMW", "CMA")
    scale = F.std(axis=0) * math.sqrt(23_400)
    np.testing.assert_allclose(scale, [0.010, 0.005, 0.005, 0.003, 0.003], rtol=0.02)


def test_observed_mids_carry_the_betas():
    """Minute returns of the mids of 10 busy symbols: betas within 4.5 standard errors."""
    day = taq_day(12, quotes=600_000, trades=60_000, symbols=10)
    seconds = day.truth.seconds
    minute = seconds.group_by_dynamic("ts", every="1m", label="right", closed="right").agg(
        pl.col(name).sum() for name in FACTORS
    )
    X = np.column_stack([np.ones(minute.height), minute.select(FACTORS).to_numpy()])[1:]
    inverse = np.linalg.inv(X.T @ X)
    ends = minute.select(pl.col("ts"))
    z = []
    for name, *betas in day.truth.symbols.select("symbol", "^beta_.*$").rows():
        quotes = day.quotes.filter(pl.col("symbol") == name).with_columns(
            ((pl.col("bid") + pl.col("ask")) / 2).alias("mid")
        )
        mid = ends.join_asof(quotes.select("ts", "mid"), on="ts", strategy="backward")["mid"]
        r = np.diff(mid.to_numpy()) / mid.to_numpy()[:-1]
        b = inverse @ (X.T @ r)
        s = math.sqrt(np.sum((r - X @ b) ** 2) / (r.size - 6))
        z.append((b[1:] - betas) / (s * np.sqrt(np.diag(inverse)[1:])))
    z = np.array(z)
    assert np.abs(z).max() < 4.5
    assert np.mean(z**2) < 1.0 + 4.0 * math.sqrt(2.0 / z.size)


def test_quiet_is_one_and_an_amplified_stretch_is_what_it_says():
    """Idiosyncratic volatility in and out of the stretch; 40 symbols, 4 standard errors."""
    quiet = taq_market(TaqConfig(seed=13))
    loud = taq_market(TaqConfig(seed=13, amplified=((5_000, 9_000, 2.3),)))
    assert (quiet.amplification == 1.0).all()
    inside = np.arange(23_400) // 1_000
    inside = (inside >= 5) & (inside < 9)
    for market, wanted in ((quiet, 1.0), (loud, 2.3)):
        own = []
        for g in range(40):
            path = latent(market, g)
            own.append(path[1:] / path[:-1] - 1.0 - market.factors @ market.beta[g])
        own = np.array(own) / market.volatility[:, None]
        ratio = math.sqrt(np.mean(own[:, inside] ** 2) / np.mean(own[:, ~inside] ** 2))
        assert ratio == pytest.approx(wanted, rel=4.0 / math.sqrt(2 * 40 * 4_000))
    day = taq_day(13, amplified=((5_000, 9_000, 2.3),), quotes=9_000, trades=0)
    np.testing.assert_array_equal(day.truth.seconds["amplification"], loud.amplification)
    assert not taq_day(13, quotes=9_000, trades=0).quotes["bid"].equals(day.quotes["bid"])
