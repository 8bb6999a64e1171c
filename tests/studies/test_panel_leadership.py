"""The panel study on prices whose leaders are known, and on prices that have none."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from scipy.special import ndtr

from eventtape.clock import MINUTE, parse_ns
from eventtape.errors import InputError
from eventtape.estimators.discovery.information_share import shares
from eventtape.estimators.discovery.vecm import vecm
from eventtape.frames.discovery_speeds import speed_table
from eventtape.frames.price_panel import price_panel
from eventtape.simulate import common_trend_panel, independent_walks, yan_zivot
from eventtape.simulate.leader_frame import leader_frame
from eventtape.studies.panel_findings import (
    contract,
    findings,
    p_words,
    placebo_sentence,
    reasons,
    sessions_words,
)
from eventtape.studies.panel_identities import APART, REJECTED, identity_table
from eventtape.studies.panel_leadership import run, shuffled, wilson
from eventtape.studies.panel_leadership_rows import LeadershipConfig

OPEN = parse_ns("2000-01-03T14:30Z")


def frame(columns):
    n = len(next(iter(columns.values())))
    ts = pl.Series("ts", OPEN + MINUTE * np.arange(n)).cast(pl.Datetime("ns", "UTC"))
    return pl.DataFrame({"ts": ts, **columns})


@pytest.fixture(scope="module")
def made():
    return leader_frame(2)


@pytest.fixture(scope="module")
def config(made):
    return LeadershipConfig(
        market=made.market,
        probability=made.probability,
        groups=tuple(made.groups.items()),
        same=(made.same,),
        regime_edges=(0.5,),
        resolution=(1, 5),
        n_draws=299,
        placebo_runs=3,
    )


@pytest.fixture(scope="module")
def result(made, config):
    return run(made.prices, config, simulated=True)


def test_the_leader_of_one_security_is_named_both_ways(result):
    pairs = result.pairs.filter(pl.col("leader").is_not_null())
    assert pairs.select("first", "second", "leader").rows() == [("VENUE1", "VENUE2", "VENUE1")]
    assert pairs["pils_lower"][0] < 0.8 < pairs["pils_upper"][0]
    one = result.identities.row(0, named=True)
    assert (one["kind"], one["leader"], one["reason"]) == ("same security", "VENUE1", "")
    assert one["lower"] < -0.4 < one["upper"]  # true speeds .8 and .4


def test_refused_pairs_are_rows_with_reasons(result):
    assert result.pairs.height == 36  # nine prices; the probability is none of them
    assert "ODDS" not in {*result.pairs["first"], *result.pairs["second"]}
    assert sum(n for _, n in reasons(result.pairs)) == 35
    refused = result.pairs.filter(pl.col("reason") != "")
    assert set(refused["status"]) == {"not identified"}


def test_slow_names_follow_the_market_and_the_odds(result):
    slow = result.speeds.filter(pl.col("name").str.starts_with("SLOW"))
    assert slow["leader"].to_list() == ["MKT", "ODDS"] * 3
    market = slow.filter(factor="MKT")
    assert ((market["lower"] < 0.5) & (market["upper"] > 0.5)).sum() >= 2
    others = result.speeds.filter(pl.col("name").is_in(["ALONE", "VENUE1"]), factor="MKT")
    assert set(others["reason"]) == {"no long-run response"}


def test_groups_differ_and_regimes_do_not(result):
    market = result.group_differences.filter(factor="MKT")
    assert market["first"].to_list() == ["funds"] * market.height
    assert market.height == 2
    assert market["found"].any()
    assert ((market["lower"] < 0.5) & (market["upper"] > 0.5)).all()  # true speeds 1 and .5
    assert not result.regime_differences["found"].any()


def test_the_series_are_told_as_met(result, made):
    assert result.series["name"].to_list() == made.prices.columns[1:]
    assert result.series.filter(kind="probability")["name"].to_list() == ["ODDS"]
    assert (result.step_s, result.sessions) == (60.0, 6)


def test_placebo_stands_beside(result):
    assert result.placebo["method"].to_list() == ["pairs", "granger", "speeds", "any"]
    assert result.placebo["runs"].to_list() == [3] * 4
    assert result.placebo.filter(method="pairs")["named"][0] == 0
    assert "pairs in 0 of 3 runs (0% to 56%)" in placebo_sentence(result)
    assert "granger" not in placebo_sentence(result, ("pairs",))


def test_the_contract_is_plain_json(result):
    told = json.loads(json.dumps(contract(result), allow_nan=False))
    assert (told["study"], told["simulated"], told["contract"]) == ("leadership", True, 1)
    assert len(told["pairs"]) == 36
    assert told["config"]["market"] == "MKT"
    assert [f["text"] for f in told["findings"]] == [f.text for f in findings(result)]
    texts = " ".join(f["text"] for f in told["findings"])
    assert "VENUE1 leads VENUE2" in texts
    assert "after it move" in texts
    assert set(result.tables()) <= set(told)


def test_the_same_frame_gives_the_same_result(made, config, result):
    again = run(made.prices, config, simulated=True)
    for name, table in result.tables().items():
        assert table.equals(again.tables()[name]), name


def test_without_names_only_pairs_are_asked(made):
    small = made.prices.select("ts", "VENUE1", "VENUE2")
    result = run(small, LeadershipConfig(n_draws=99, placebo_runs=1, resolution=(1,)))
    assert result.pairs["leader"].to_list() == ["VENUE1"]
    for table in (result.speeds, result.groups, result.identities, result.group_differences):
        assert table.is_empty()
    assert result.placebo["method"].to_list() == ["pairs", "granger", "any"]
    assert contract(result)["speeds"] == []


def test_shuffling_keeps_each_columns_moves_and_breaks_the_link(made):
    panel = price_panel(made.prices, probabilities=("ODDS",))
    levels = panel.levels.copy()
    levels[100:120, 3] = np.nan
    panel = panel._replace(levels=levels)
    mixed = shuffled(panel, 30, 0)
    assert np.array_equal(np.isnan(mixed.levels), np.isnan(levels))
    inside = np.diff(panel.sessions) == 0
    moves = [np.diff(p.levels[:, 0])[inside] for p in (panel, mixed)]
    np.testing.assert_allclose(*(np.sort(m) for m in moves), atol=1e-12)
    blocks = moves[0].reshape(-1, 2)[:30].ravel()
    assert any(
        np.allclose(moves[1][i : i + 30], blocks[:30], atol=1e-12) for i in range(2305)
    )  # blocks stay whole
    kept = np.corrcoef(moves[1], np.diff(mixed.levels[:, 1])[inside])[0, 1]
    assert abs(kept) < 4.0 / np.sqrt(2334.0)
    assert np.corrcoef(moves[0], np.diff(levels[:, 1])[inside])[0, 1] > 0.5


def test_wilson_against_statsmodels():
    from statsmodels.stats.proportion import proportion_confint

    for count, runs in ((0, 20), (3, 20), (20, 20), (7, 500)):
        want = proportion_confint(count, runs, 0.05, method="wilson")
        np.testing.assert_allclose(wilson(count, runs), want, atol=1e-12)


def identities(prices, odds=(), **choices):
    choices = LeadershipConfig(n_draws=299, **choices)
    return identity_table(price_panel(prices, probabilities=odds), choices)


def test_identities_are_the_vecm_with_the_relation_imposed():
    x = yan_zivot(4, 1200, np.array([0.8, 0.4]), np.array([0.5, -0.5])).log_prices
    prices = frame({"A": np.exp(x[:, 0]), "B": 3.0 * np.exp(x[:, 1])})  # a price ratio is no matter
    row = identities(prices, same=(("A", "B"),), lags=2).row(0, named=True)
    fit = vecm(np.log(prices.drop("ts").to_numpy()), 2, beta=np.array([[1.0], [-1.0]]))
    part = shares(fit.psi[0], fit.omega)
    assert row["pils"] == pytest.approx(part.pils[0], rel=1e-6)
    assert row["speed_first"] == pytest.approx(part.speed[0], rel=1e-6)
    assert row["speed_second"] == pytest.approx(part.speed[1], rel=1e-6)
    assert row["leader"] == "A"
    back = identities(prices, same=(("B", "A"),), lags=2).row(0, named=True)
    assert back["leader"] == "A"
    assert back["difference"] == pytest.approx(-row["difference"], rel=1e-6)


def test_a_contract_and_its_complement_share_one_price():
    """YES takes news at once, NO answers at half speed; in 1 - NO they are one contract."""
    x = yan_zivot(5, 1500, np.array([0.9, 0.4]), np.array([0.5, -0.5]), step_sd=0.004,
                  transitory_sd=0.004).log_prices  # fmt: skip
    p = ndtr(x - x[0] + 0.1)
    prices = frame({"YES": p[:, 0], "NO": 1.0 - p[:, 1]})
    right = identities(prices, ("YES", "NO"), contracts=(("YES", "-NO"),)).row(0, named=True)
    assert (right["kind"], right["leader"]) == ("one contract", "YES")
    assert right["p_relation"] > 0.01
    assert right["speed_first"] > right["speed_second"]
    wrong = identities(prices, ("YES", "NO"), contracts=(("YES", "NO"),)).row(0, named=True)
    assert wrong["p_relation"] < 1e-6  # (1, -1) is not the relation of YES and NO themselves
    assert (wrong["leader"], wrong["reason"], wrong["pils"]) == (None, REJECTED, None)


def test_two_walks_said_to_be_one_security_have_no_leader():
    """Without the check of the relation 9 of 120 such pairs had one; with it one of 100 may."""
    named = []
    for seed in range(30):
        x = independent_walks((7, seed), 600, 2).log_prices
        prices = frame({"A": np.exp(x[:, 0]), "B": np.exp(x[:, 1])})
        named.append(identities(prices, same=(("A", "B"),)).row(0, named=True))
    assert sum(row["leader"] is not None for row in named) == 0
    apart = [row for row in named if row["reason"] == APART]
    assert len(apart) >= 25
    assert {(row["pils"], row["lower"], row["status"]) for row in apart} == {
        (None, None, "not identified")
    }
    assert all(row["p_none"] > 0.01 for row in apart)


def test_share_classes_are_tested_before_they_are_used():
    one = common_trend_panel(6, 1500, np.array([0.9, 0.4])).log_prices
    apart = common_trend_panel(6, 1500, np.array([0.9, 0.4]), np.array([1.0, 1.6])).log_prices
    alone = independent_walks(6, 1500, 2).log_prices
    found = [
        identities(frame({"A": np.exp(x[:, 0]), "B": np.exp(x[:, 1])}), classes=(("A", "B"),))
        .select("leader", "reason", "status")
        .row(0)
        for x in (one, apart, alone)
    ]
    assert found[0] == ("A", "", "ok")
    assert found[1] == (None, REJECTED, "not identified")
    assert found[2] == (None, "no common trend found", "not identified")


def test_prices_too_close_to_tell_are_refused():
    """Residuals all but equal within a step: the bounds take the whole of the trend."""
    rng = np.random.default_rng(0)
    m = np.cumsum(5e-4 * rng.standard_normal(1500))
    x = m[:, None] + 1e-5 * rng.standard_normal((1500, 2))
    row = identities(frame({"A": np.exp(x[:, 0]), "B": np.exp(x[:, 1])}), same=(("A", "B"),)).row(
        0, named=True
    )
    assert (row["leader"], row["pils"]) == (None, None)
    assert row["reason"] == "information share bounds wider than one half"
    assert row["status"] == "not resolved"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"same": (("A",),)}, "at least two different columns"),
        ({"contracts": (("A", "A"),)}, "at least two different columns"),
        ({"groups": (("x", ()),)}, "a group with a name and members"),
        ({"regime_edges": (0.6, 0.4)}, "rising regime edges"),
        ({"level": 95.0}, "a level between 0 and 1"),
        ({"placebo_runs": -1}, "placebo runs >= 0"),
        ({"groups": (("x", ("A",)),)}, "a market or a probability"),
        ({"market": "M", "groups": (("x", ("A",)), ("x", ("B",)))}, "each group once"),
    ],
)
def test_choices_that_no_data_could_make_right(choice, words):
    with pytest.raises(InputError, match=words):
        LeadershipConfig(**choice)


@pytest.mark.parametrize(
    "choice",
    [
        {"market": "SPY"},
        {"probability": "P"},
        {"market": "ODDS", "probability": "ODDS"},
        {"same": (("MKT", "IVV"),)},
        {"contracts": (("ODDS", "-NO"),)},
        {"market": "MKT", "groups": (("x", ("NOBODY",)),)},
    ],
)
def test_names_that_are_no_columns(made, choice):
    with pytest.raises(InputError, match="column among"):
        run(made.prices, LeadershipConfig(**choice))


def test_a_placebo_that_could_not_answer_says_so(made):
    """Five rows: no rule can name anybody, and none in five runs is no good news."""
    few = made.prices.head(5).select("ts", "MKT", "FUND1", "SLOW1")
    result = run(few, LeadershipConfig(market="MKT", n_draws=99, placebo_runs=5, resolution=(1,)))
    assert result.placebo["asked"].to_list() == [0, 0, 0, 0]
    assert result.placebo["rate_high"].null_count() == 4
    assert "granger not asked" in placebo_sentence(result)
    assert "in 0 of" not in placebo_sentence(result)
    assert findings(result)[-1].status == "too few observations"


def test_a_price_that_never_moves_is_left_out_and_named(made):
    few = made.prices.select("ts", "MKT", "SLOW1").with_columns(CONST=pl.lit(7.0))
    result = run(few, LeadershipConfig(n_draws=99, placebo_runs=1, resolution=(1,)))
    without = run(few.drop("CONST"), LeadershipConfig(n_draws=99, placebo_runs=1, resolution=(1,)))
    assert result.left_out == ("CONST",)
    assert result.rank.equals(without.rank)
    assert result.granger.equals(without.granger)
    assert result.spillovers.equals(without.spillovers)
    assert contract(result)["left_out"] == ["CONST"]
    assert any("CONST never moves" in found.text for found in findings(result))


def test_a_probability_taken_for_a_price_is_said(made):
    few = made.prices.select("ts", "MKT", "ODDS")
    said = findings(run(few, LeadershipConfig(placebo_runs=0, resolution=(1,))))
    assert "wholly between 0 and 1: ODDS." in said[0].text
    told = findings(run(few, LeadershipConfig(probability="ODDS", placebo_runs=0)))
    assert not any("wholly between" in f.text for f in told)


def test_one_series_has_nobody_to_lead(made):
    with pytest.raises(InputError, match="at least two series"):
        run(made.prices.select("ts", "MKT"))


def test_where_the_prices_are_from_is_what_was_said(result, made):
    few = made.prices.head(400).select("ts", "MKT", "SLOW1")
    quick = LeadershipConfig(n_draws=99, placebo_runs=0, resolution=(1,))
    given = run(few, quick, source="p.csv")
    assert (result.data, given.data, run(few, quick).data) == (
        "simulated",
        "as given (p.csv)",
        "as given",
    )
    assert contract(given)["data"] == "as given (p.csv)"
    assert (sessions_words(result), sessions_words(given)) == ("6 sessions", "2 sessions")
    one = run(few.head(300), quick)
    assert sessions_words(one) == "1 session"


def test_no_p_value_is_more_precise_than_its_test():
    assert [p_words(p) for p in (0.5, 0.0312, 0.001, 9e-4, 0.0, 1e-76)] == [
        "0.500",
        "0.031",
        "0.001",
        "< 0.001",
        "< 0.001",
        "< 0.001",
    ]
    assert p_words(0.005, floor=1 / 200) == "<= 0.005"


@pytest.mark.slow
def test_how_often_a_leader_is_named_where_nobody_leads():
    """100 panels of ten independent walks: each method at most at its level, within chance."""
    named = dict.fromkeys(("pairs", "granger", "speeds"), 0)
    runs = 100
    for seed in range(runs):
        x = np.exp(independent_walks((9, seed), 400, 10).log_prices)
        prices = frame({f"W{i}": x[:, i] for i in range(10)})
        choices = LeadershipConfig(market="W0", n_draws=199, placebo_runs=0, resolution=(1,))
        result = run(prices, choices)
        named["pairs"] += result.pairs["leader"].is_not_null().any()
        named["granger"] += result.granger["found"].any()
        named["speeds"] += result.speeds["leader"].is_not_null().any()
    for method, count in named.items():
        assert wilson(count, runs)[0] <= 0.05, (method, count)


@pytest.mark.slow
def test_how_often_an_identity_is_refused_and_right():
    """120 pairs that are no one security, and 120 that are: ``docs/leadership.md`` has these."""
    choices = LeadershipConfig(same=(("A", "B"),), n_draws=499)
    for n_rows, right in ((390, 82), (1200, 117)):
        for one in (False, True):
            rows = []
            for seed in range(120):
                x = (
                    yan_zivot((98, seed), n_rows, np.array([0.8, 0.4]), np.array([0.5, -0.5]))
                    if one
                    else independent_walks((99, seed), n_rows, 2)
                ).log_prices
                panel = price_panel(frame({"A": np.exp(x[:, 0]), "B": np.exp(x[:, 1])}))
                rows.append(identity_table(panel, choices).row(0, named=True))
            leaders = [row["leader"] for row in rows]
            assert leaders.count("B") == 0
            assert leaders.count("A") == (right if one else 0)
            assert [row["reason"] for row in rows].count(APART) == (0 if one else 119)


@pytest.mark.slow
def test_how_often_speeds_are_right():
    """The rates of ``docs/leadership.md``: 120 panels, and the same with every column shuffled."""
    held = {(factor, what): [] for factor in ("MKT", "ODDS") for what in ("lead", "speed")}
    named, shuffled_named, strangers = [], 0, 0
    for seed in range(120):
        panel = price_panel(leader_frame(seed).prices, probabilities=("ODDS",))
        table = speed_table(panel, ["MKT", "ODDS"], n_draws=299)
        for row in table.filter(pl.col("speed").is_not_null()).iter_rows(named=True):
            if row["name"][:4] not in {"FUND", "SLOW"}:
                continue
            truth = 1.0 if row["name"].startswith("FUND") else 0.5
            held[row["factor"], "speed"].append(row["lower"] <= truth <= row["upper"])
            lead = row["lead_lower"] <= truth - 1.0 <= row["lead_upper"]
            held[row["factor"], "lead"].append(lead)
            if truth == 1.0:
                named.append(row["leader"] is not None)
        apart = table.filter(pl.col("name").is_in(["ALONE", "VENUE1", "VENUE2"]))
        strangers += apart["leader"].is_not_null().any()
        mixed = speed_table(shuffled(panel, 30, seed), ["MKT", "ODDS"], n_draws=199)
        shuffled_named += mixed["leader"].is_not_null().any()
    rates = {key: float(np.mean(value)) for key, value in held.items()}
    assert all(len(value) == 600 for value in held.values())
    assert all(0.93 <= rate <= 0.98 for rate in rates.values()), rates
    assert rates["MKT", "lead"] == pytest.approx(0.95, abs=0.002)
    assert len(named) == 480
    assert sum(named) == 3
    assert strangers == 11
    assert shuffled_named <= 6  # 5% of 120
