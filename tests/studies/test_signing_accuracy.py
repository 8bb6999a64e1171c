"""Accuracy of the signing rules on trades whose side is known, with stamps 0, 1 and 50 ms late.

The market below is small and its law is written out, so that some accuracies are known before any
rule runs: a trade at the bid or ask is on its side, an inside trade is on the wrong half of the
spread with probability WRONG, and so the quote test away from the mid is right with a probability
one can compute. A trade at the touch moves the book a moment later, before a late stamp.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.microstructure.signing import RULES
from eventtape.studies.signing_accuracy import PLACES, accuracy_by_rule, binomial_interval

MS = 10**6
TOUCH, MID, INSIDE, OUTSIDE = 0.6, 0.2, 0.15, 0.05  # where trades print
WRONG = 0.25  # inside trades on the other half of the spread
N = 20_000  # trades a symbol, about 0.17 s apart; two symbols
AWAY = 1.0 - WRONG * INSIDE / (TOUCH + INSIDE + OUTSIDE)  # quote test, away from the mid


def market(late_ns, seed=0):
    """Trades with their true side, stamped late, and quotes: 40,000 trades, seed 0."""
    rng = np.random.default_rng(seed)
    trades, quotes = [], []
    for symbol in ("AAA", "BBB"):
        ts = np.cumsum(rng.integers(60 * MS, 280 * MS, N))
        side = rng.choice([-1, 1], N)
        kind = rng.choice(4, N, p=[TOUCH, MID, INSIDE, OUTSIDE])
        moves = np.where((kind == 0) & (rng.random(N) < 0.5), side, 0)
        drift = rng.choice([-1, 0, 1], N, p=[0.1, 0.8, 0.1])  # the book also moves by itself
        mid = 2 * 50_000 + 2 * np.r_[0, np.cumsum(moves + drift)[:-1]]  # ten-thousandths, halved
        half = 2 * rng.integers(1, 4, N)
        wrong = np.where(rng.random(N) < WRONG, -1, 1)
        offset = np.choose(kind, [half, 0 * half, wrong * half / 2, half + 2]) * side
        price = (mid + offset) / 20_000
        before = pl.DataFrame({"ts": ts - 40 * MS, "mid": mid, "half": half})
        after = pl.DataFrame({"ts": ts + MS // 5, "mid": mid + 2 * moves, "half": half})
        book = pl.concat([before, after]).sort("ts").with_columns(symbol=pl.lit(symbol))
        quotes.append(
            book.select(
                "symbol",
                pl.col("ts").cast(pl.Datetime("ns", "UTC")),
                bid=(pl.col("mid") - pl.col("half")) / 20_000,
                bid_size=pl.lit(100.0),
                ask=(pl.col("mid") + pl.col("half")) / 20_000,
                ask_size=pl.lit(100.0),
            )
        )
        trades.append(
            pl.DataFrame({"ts": ts + late_ns, "price": price, "side": side}).select(
                pl.lit(symbol).alias("symbol"),
                pl.col("ts").cast(pl.Datetime("ns", "UTC")),
                "price",
                size=pl.lit(100.0),
                iso=pl.lit(value=False),
                eligible=pl.lit(value=True),
                side=pl.col("side").cast(pl.Int8),
            )
        )
    return pl.concat(trades), pl.concat(quotes)


@pytest.fixture(scope="module")
def tables():
    """The table of each delay, matched both at no latency and at the delay."""
    return {
        late: accuracy_by_rule(*market(late * MS), latencies_ns=sorted({0, late * MS}))
        for late in (0, 1, 50)
    }


def row(table, rule, place="all", latency_ms=0.0):
    one = (pl.col("rule") == rule) & (pl.col("place") == place)
    return table.row(by_predicate=one & (pl.col("latency_ms") == latency_ms), named=True)


def test_every_rule_and_place_has_its_row(tables):
    table = tables[50]
    assert table.height == len(RULES) * len(PLACES) * 2
    whole = table.filter(pl.col("place") == "all")
    parts = table.filter(pl.col("place") != "all")
    for column in ("trades", "signed", "right"):
        assert whole[column].sum() == parts[column].sum()
    assert (whole["trades"] == 2 * N).all()
    assert (table.filter(pl.col("signed") == 0)["status"] == Status.TOO_FEW).all()
    ok = table.filter(pl.col("status") == Status.OK)
    assert (ok["lower"] <= ok["accuracy"]).all()
    assert (ok["accuracy"] <= ok["upper"]).all()


@pytest.mark.parametrize("rule", ["quote", "lee-ready", "reverse-lee-ready"])
def test_the_quote_test_is_as_right_as_the_market_was_made(tables, rule):
    """Two roads: the market's law and the counted share, within five standard errors."""
    away = row(tables[0], rule, "away from mid")
    assert away["signed"] == away["trades"]
    assert abs(away["accuracy"] - AWAY) < 5 * np.sqrt(AWAY * (1 - AWAY) / away["trades"])


def test_the_quote_rule_leaves_the_mid_unsigned(tables):
    at_mid = row(tables[0], "quote", "at mid")
    assert (at_mid["signed"], at_mid["status"]) == (0, Status.TOO_FEW)
    assert np.isnan(at_mid["accuracy"])
    assert abs(at_mid["trades"] / (2 * N) - MID) < 5 * np.sqrt(MID * (1 - MID) / (2 * N))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("late", [1, 50])
def test_a_known_delay_costs_nothing(tables, rule, late):
    """Quotes matched back by the delay are the quotes there were: the same counts, exactly."""
    for place in PLACES:
        there, here = row(tables[late], rule, place, float(late)), row(tables[0], rule, place)
        assert [there[c] for c in ("trades", "signed", "right")] == [
            here[c] for c in ("trades", "signed", "right")
        ]


@pytest.mark.parametrize("rule", ["lee-ready", "quote", "emo", "clnv"])
def test_an_unknown_delay_costs_accuracy(tables, rule):
    """The book has moved on by the stamp: rules with a quote test lose, the tick test cannot."""
    clean = row(tables[0], rule)
    for late in (1, 50):
        blurred = row(tables[late], rule)
        assert blurred["right"] < clean["right"]
        assert blurred["upper"] < clean["lower"]
        assert row(tables[late], "tick") == row(tables[0], "tick")


def test_shuffled_sides_have_no_rule(tables):
    """Placebo: on sides dealt at random every rule is right half the time (9 rules, 99.9%)."""
    trades, quotes = market(0)
    dealt = trades.with_columns(side=trades["side"].shuffle(seed=7))
    table = accuracy_by_rule(dealt, quotes, level=0.999).filter(pl.col("signed") > 0)
    assert table["status"].eq(Status.OK).all()
    assert table["lower"].max() < 0.5 < table["upper"].min()


def test_the_order_of_the_frame_does_not_matter():
    trades, quotes = (frame.sort("ts", maintain_order=True) for frame in market(0))
    assert trades["symbol"].n_unique() == 2
    one = accuracy_by_rule(trades, quotes)
    assert one.equals(accuracy_by_rule(*market(0)), null_equal=True)


def test_trades_without_quotes_are_said_to_be_so():
    trades, quotes = market(0)
    table = accuracy_by_rule(trades, quotes.filter(pl.col("symbol") == "AAA"), rules=["lee-ready"])
    assert row(table, "lee-ready", "no quote")["trades"] == N
    first = accuracy_by_rule(trades, quotes, rules=["quote"], latencies_ns=[10**15])
    assert row(first, "quote", "no quote", 1e9)["trades"] == 2 * N


@pytest.mark.parametrize("n", [1, 7, 400])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_intervals_are_scipys_exact_ones(n, level):
    for right in {0, 1, n // 3, n - 1, n}:
        want = binomtest(right, n).proportion_ci(level, method="exact")
        got = binomial_interval(right, n, level=level)
        # scipy finds the bounds by root search, to about 1e-12
        np.testing.assert_allclose(got, (want.low, want.high), rtol=1e-9, atol=1e-12)


def test_what_cannot_be_used_is_named():
    trades, quotes = market(0)
    with pytest.raises(InputError, match="true side"):
        accuracy_by_rule(trades.drop("side"), quotes)
    nobody = trades.with_row_index().with_columns(
        side=pl.when(pl.col("index") == 2).then(0).otherwise("side")
    )
    with pytest.raises(InputError, match=r"row 3, column 'side': met 0"):
        accuracy_by_rule(nobody, quotes)
    with pytest.raises(InputError, match="latency"):
        accuracy_by_rule(trades, quotes, latencies_ns=[-1])
    with pytest.raises(InputError, match="level"):
        accuracy_by_rule(trades, quotes, level=95)
    with pytest.raises(InputError, match="a rule among"):
        accuracy_by_rule(trades, quotes, rules=["guess"])
