"""The study of states on simulated quotes whose states are known, and on what cannot be known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.pricing.gram_charlier import gram_charlier_states
from eventtape.estimators.states.joint_result import Profile
from eventtape.estimators.states.option_panel import option_panel
from eventtape.estimators.states.two_lognormal import two_lognormal
from eventtape.simulate.states_frame import states_frame
from eventtape.simulate.two_states import DAY, WEEKS
from eventtape.studies.states import event_probability, run
from eventtape.studies.states_contract import contract, tables
from eventtape.studies.states_findings import findings, row_findings, verdict_words
from eventtape.studies.states_rows import (
    ASSUMPTIONS,
    BOUNDS,
    EXPOSURE,
    JOINT,
    RUNGS,
    TWO_LOGNORMAL,
    Estimate,
    Realised,
    StatesConfig,
)
from eventtape.studies.states_rungs import refused_rung
from eventtape.studies.states_snapshots import panel_of, probability_at, series_of
from eventtape.tape.chains import chains

QUICK = StatesConfig(placebos=0)
SPAN = DAY._replace(n_times=8, step_days=0.3 / 7)
HOUR_NS = 3_600 * 10**9


def simulated(seed, **changed):
    return states_frame(seed, span=SPAN, n_strikes=24, **changed)


def chains_of(made, times=None):
    times = made.made.times_ns if times is None else times
    return [chain for ns in times for chain in chains(made.frame, at=int(ns))]


def path_of(made, p=None):
    quotes = made.probability
    p = quotes["probability"].to_numpy() if p is None else p
    return event_probability(
        "simulated",
        made.made.times_ns,
        p,
        bid=quotes["bid"].to_numpy(),
        ask=quotes["ask"].to_numpy(),
    )


def studied(made, config=QUICK, **more):
    came = Realised(made.happened, made.price, made.at_ns, "simulated")
    more = {"realised": came, "made": made.made, "truth": made.truth, "simulated": True, **more}
    return run(chains_of(made), path_of(made), config, **more)


@pytest.fixture(scope="module")
def made():
    return simulated(1)


@pytest.fixture(scope="module")
def told(made):
    return studied(made)


@pytest.fixture(scope="module")
def row(told):
    (row,) = told.rows
    return row


def test_the_gap_of_a_known_market_is_identified_and_covered(row):
    assert tuple(rung.name for rung in row.rungs) == RUNGS
    joint = row.rung(JOINT)
    assert joint.status is Status.OK
    assert 0.0 < joint.gap.lower < 0.08 < joint.gap.upper
    assert joint.gap.upper - joint.gap.lower < 0.1
    truth = row.truth
    for name in ("mean_1", "mean_0", "vol_1", "vol_0"):
        found = getattr(joint, name)
        assert found.lower < getattr(truth, name)[-1] < found.upper, name


def test_every_rung_that_stands_holds_the_truth(row):
    truth = row.truth
    for rung in row.rungs:
        if rung.status is Status.OK:
            assert rung.gap.lower < truth.gap[-1] < rung.gap.upper, rung.name
            assert rung.mean_1.lower < truth.mean_1[-1] < rung.mean_1.upper, rung.name
            assert rung.mean_0.lower < truth.mean_0[-1] < rung.mean_0.upper, rung.name
    assert row.rung(BOUNDS).status is Status.OK
    assert math.isnan(row.rung(BOUNDS).gap.value)


def test_the_states_of_a_rung_mix_to_the_forward(row):
    at = row.at
    place = row.fitted.tolist().index(row.reference)
    for name, p in ((JOINT, row.joint.probability[place]), (EXPOSURE, row.exposure.probability)):
        rung = row.rung(name)
        if rung.status is Status.OK:
            mixed = p * rung.mean_1.value + (1.0 - p) * rung.mean_0.value
            assert mixed == pytest.approx(at.forward, rel=1e-3), name


def test_the_panel_is_that_of_the_quotes_themselves(made):
    (series,) = series_of(chains_of(made), path_of(made), QUICK, lambda *_: None)
    panel = panel_of(series, range(8))
    m = made.made
    direct = option_panel(
        (m.times_ns - m.times_ns[0]) / 1e9,
        m.tau,
        m.forward,
        m.strikes,
        m.is_call,
        m.bids,
        m.asks,
        tick=m.tick,
    )
    assert panel.strikes == pytest.approx(direct.strikes)
    assert panel.taus == pytest.approx(direct.taus, rel=1e-9)
    # Parity's forward is not the true one to the last tick
    assert np.abs(panel.forwards - direct.forwards).max() < 0.02
    # The option quoted was out of the money at the first time; there the two are one
    first = np.isfinite(direct.calls[0])
    np.testing.assert_array_equal(first, np.isfinite(panel.calls[0]))
    assert np.abs((panel.calls - direct.calls)[0, first]).max() < 0.02
    discount = series.laws[0].european.forward.discount
    assert panel.errors[0, first] == pytest.approx(direct.errors[0, first] / discount)


def test_bands_of_the_states_are_those_of_the_delta_method(row):
    """The draws against derivatives: six parameters, central differences of the closed form."""
    fit, grid = row.joint, row.grid
    t = row.fitted.tolist().index(row.reference)
    law, V = fit.laws[-1], fit.local_covariance[t]
    base = math.sqrt(law.vols[0] * law.vols[1])
    best = [fit.delta_path[t], fit.log_vol_ratio, law.skewness, law.excess_kurtosis, 0.0]
    x = np.array([*best, ndtri(fit.probability[t])])

    def pdf(x, state):
        delta, ratio, skewness, kurtosis, level, probit = x
        p = ndtr(probit)
        m0 = law.forward / (1.0 - p + p * math.exp(delta))
        mean, sign = (m0 * math.exp(delta), 1.0) if state else (m0, -1.0)
        vol = base * math.exp(level + 0.5 * sign * ratio)
        one = gram_charlier_states([1.0], [mean], [vol], law.tau)
        one = one._replace(skewness=skewness, excess_kurtosis=kurtosis)
        return one.pdf(grid.strikes)

    middle = grid.pdf > 0.3 * grid.pdf.max()
    curve = grid.curves[0]
    for state, low, high in (
        (1, curve.pdf_1_lower, curve.pdf_1_upper),
        (0, curve.pdf_0_lower, curve.pdf_0_upper),
    ):
        h = 1e-4
        J = np.array([(pdf(x + h * e, state) - pdf(x - h * e, state)) / (2 * h) for e in np.eye(6)])
        sd = np.sqrt(np.einsum("in,ij,jn->n", J, V, J))
        ratio = (high - low)[middle] / (2.0 * 1.96 * sd[middle])
        assert np.median(ratio) == pytest.approx(1.0, abs=0.2)


def test_the_state_densities_are_laws_under_their_envelope_and_near_the_truth(row):
    grid, at = row.grid, row.at
    curve = grid.curves[0]
    assert curve.rung == JOINT
    for pdf, low, high, truth in (
        (curve.pdf_1, curve.pdf_1_lower, curve.pdf_1_upper, grid.truth_1),
        (curve.pdf_0, curve.pdf_0_lower, curve.pdf_0_upper, grid.truth_0),
    ):
        assert np.trapezoid(pdf, grid.strikes) == pytest.approx(1.0, abs=5e-3)
        weight = truth / truth.sum()
        assert weight @ ((low <= truth) & (truth <= high)) > 0.8
    assert grid.envelope_1 == pytest.approx(np.maximum(grid.pdf, 0.0) / at.p)
    assert grid.envelope_0 == pytest.approx(np.maximum(grid.pdf, 0.0) / (1.0 - at.p))


@pytest.mark.parametrize("seed", [1, 2])
def test_without_a_gap_the_words_claim_none(seed):
    told = studied(simulated(seed, delta=0.0))
    (row,) = told.rows
    words = verdict_words(row, told)
    assert "stands above" not in words.text
    assert "stands below" not in words.text
    assert "no gap" in words.text or "not identified" in words.text
    joint = row.rung(JOINT)
    if joint.status is Status.OK:
        assert joint.gap.lower < 0.0 < joint.gap.upper
        assert not joint.vol_1.known
        assert row.grid.curves[0].status is Status.NOT_RESOLVED
        assert np.isnan(row.grid.curves[0].pdf_1_lower).all()
        assert joint.mean_1.lower < row.at.forward < joint.mean_1.upper


def refused(row, name, status, words):
    rung = row.rung(name)
    assert rung.status is status
    assert rung.reason == words
    assert rung.assumption == ASSUMPTIONS[name]
    for field in ("gap", "mean_1", "mean_0", "vol_1", "vol_0"):
        assert all(map(math.isnan, getattr(rung, field))), field


def test_one_snapshot_has_bounds_and_two_lognormals(made):
    last = [int(made.made.times_ns[-1])]
    (row,) = run(chains_of(made, last), path_of(made), QUICK).rows
    assert row.rung(BOUNDS).status is Status.OK
    for name in (EXPOSURE, JOINT):
        refused(row, name, Status.TOO_FEW, "one snapshot: nothing moves with the probability")
    pair = row.rung(TWO_LOGNORMAL)
    assert pair.verdict is not None
    assert pair.status is not Status.TOO_FEW
    assert row.joint is None
    assert np.isnan(row.grid.curves[0].pdf_1).all()
    assert np.isnan(row.grid.curves[0].pdf_1_upper).all()


@pytest.mark.parametrize(
    ("still", "why"),
    [
        ({"constant": 0.5}, "no probability that moves"),
        ({"between": (0.4, 0.6)}, "a range of probabilities, which only the bounds can use"),
    ],
    ids=["number", "range"],
)
def test_without_a_probability_that_moves_what_needs_none_is_asked(made, still, why):
    p = event_probability("given", **still)
    result = run(chains_of(made, made.made.times_ns[:2]), p, QUICK, event="the tariff stands")
    (row,) = result.rows
    for name in (EXPOSURE, JOINT):
        refused(row, name, Status.NOT_IDENTIFIED, why)
    pair = row.rung(TWO_LOGNORMAL)
    if "between" in still:
        refused(row, TWO_LOGNORMAL, Status.NOT_IDENTIFIED, why)
    else:
        assert pair.verdict == two_lognormal(row.at.density, 0.5).verdict
        assert pair.reason == pair.verdict.reason
    bounds = row.rung(BOUNDS)
    assert bounds.status is Status.OK
    assert bounds.gap.lower < -0.1 < 0.1 < bounds.gap.upper
    words = verdict_words(row, result)
    assert words.status is Status.NOT_IDENTIFIED
    assert f"between “the tariff stands” and its opposite is not identified ({why})" in words.text


def test_a_range_is_wider_than_any_number_in_it_and_has_no_hedge(made):
    one = chains_of(made, made.made.times_ns[:1])
    ends = [event_probability("p", constant=p) for p in (0.4, 0.6)]
    wide = event_probability("p", between=(0.4, 0.6))
    rows = [run(one, p, QUICK).rows[0] for p in (*ends, wide)]
    gaps = [row.rung(BOUNDS).gap for row in rows]
    assert gaps[2].lower <= min(g.lower for g in gaps[:2]) + 1e-9
    assert gaps[2].upper >= max(g.upper for g in gaps[:2]) - 1e-9
    assert rows[2].hedge is None
    assert rows[0].hedge.rung == BOUNDS
    assert rows[0].hedge.hedge.status is Status.NOT_RESOLVED
    assert rows[0].hedge.hedge.wanted_lower < 0.0 < rows[0].hedge.hedge.wanted_upper


def test_a_path_that_stands_still_is_no_probability_that_moves(made):
    (row,) = run(chains_of(made), path_of(made, np.full(8, 0.5)), QUICK).rows
    refused(row, JOINT, Status.NOT_IDENTIFIED, "no probability that moves")


def test_snapshots_after_the_event_are_held_out_and_score_it(made):
    p = made.probability["probability"].to_numpy().copy()
    p[-2:] = [0.99, 0.995]
    (row,) = run(chains_of(made), path_of(made, p), QUICK).rows
    assert row.reference == 5
    assert row.fitted.tolist() == list(range(6))
    assert [s.decided for s in row.snapshots] == [False] * 6 + [True] * 2
    assert row.realised.happened
    assert row.realised.price == row.snapshots[6].forward
    moved = math.log(row.snapshots[6].forward / row.snapshots[5].forward)
    assert {s.rung for s in row.scores} == set(RUNGS)
    assert all(score.realised == pytest.approx(moved) for score in row.scores)
    again = run(chains_of(made, made.made.times_ns[:6]), path_of(made, p), QUICK).rows[0]
    assert again.rung(JOINT) == row.rung(JOINT)


def test_the_score_by_hand(row, made):
    dt = (made.at_ns - row.at.at_ns) / (365 * 24 * HOUR_NS)
    by_name = {score.rung: score for score in row.scores}
    joint, score = row.rung(JOINT), by_name[JOINT]
    side = 1 if made.happened else 0
    mean, vol = ((joint.mean_0, joint.vol_0), (joint.mean_1, joint.vol_1))[side]
    assert score.predicted == pytest.approx(math.log(mean.value / row.at.forward))
    half = math.hypot(math.log(mean.upper / mean.value), 1.959964 * vol.value * math.sqrt(dt))
    assert score.upper - score.predicted == pytest.approx(half, rel=1e-6)
    assert score.realised == pytest.approx(math.log(made.price / row.at.forward))
    assert score.inside == (score.lower <= score.realised <= score.upper)
    bounds = by_name[BOUNDS]
    assert math.isnan(bounds.predicted)
    assert bounds.lower < score.lower < score.upper < bounds.upper


def test_the_hedge_sells_the_difference_of_the_means(row):
    joint, hedge = row.rung(JOINT), row.hedge
    gap = joint.mean_1.value - joint.mean_0.value
    assert hedge.rung == JOINT
    assert float(hedge.hedge.contracts[0]) == pytest.approx(-gap, rel=5e-3)
    assert hedge.bid == pytest.approx(row.at.p - 0.005)
    assert hedge.hedge.cost == pytest.approx(0.005 * gap, rel=5e-3)


def test_the_contract_is_json_without_nan_and_has_its_columns(told, row):
    data = json.loads(json.dumps(contract(told), allow_nan=False))
    assert set(data) == {
        "contract", "study", "simulated", "data", "event", "notes", "config", "probability",
        "findings", "rows",
    }  # fmt: skip
    (one,) = data["rows"]
    assert set(one) == {
        "underlying", "expiry", "settlement", "american", "at", "forward", "p", "status", "reason",
        "verdict", "rungs", "snapshots", "gaps", "joint", "exposure", "density", "hedge",
        "realised", "scorecard", "truth",
    }  # fmt: skip
    assert data["study"] == "states"
    assert data["simulated"] is True
    assert [rung["rung"] for rung in one["rungs"]] == list(RUNGS)
    assert one["rungs"][0]["gap"]["value"] is None
    assert one["rungs"][2]["gap"]["value"] == row.rung(JOINT).gap.value
    assert len(one["snapshots"]) == 8
    assert [series["rung"] for series in one["gaps"]] == [BOUNDS, JOINT, TWO_LOGNORMAL]
    frames = tables(told)
    rungs = frames["rungs"]
    assert rungs["rung"].to_list() == list(RUNGS)
    assert rungs["gap"].to_list()[2] == row.rung(JOINT).gap.value
    assert frames["snapshots"].height == 8
    assert rungs["simulated"].all()


def test_findings_name_the_assumption_and_the_truth(told):
    said = [f.text for f in findings(told)]
    assert "the price under “the event” stands above that under its opposite" in said[0]
    assert ASSUMPTIONS[JOINT] in said[0]
    assert any("with no assumption the gap lies between" in text for text in said)
    assert any("the truth is +8.00%" in text and "joint fit yes" in text for text in said)


def test_a_hedge_of_thousands_is_said_without_an_exponent(told, row):
    held = row.hedge.hedge
    grown = {n: 1e3 * getattr(held, n) for n in ("contracts", "wanted_lower", "wanted_upper")}
    big = row._replace(hedge=row.hedge._replace(hedge=held._replace(**grown)))
    (said,) = (f.text for f in row_findings(big, told) if f.text.startswith("hedge"))
    sold = -float(grown["contracts"][0])
    assert 1e3 < sold < 1e5
    assert f"sell {round(sold, -1 if sold < 1e4 else -2):,.0f} contracts" in said
    assert "e+" not in said


def test_why_a_rung_is_refused_is_said_once(told, row):
    why = "some reason"
    rungs = tuple(r if r.name == BOUNDS else refused_rung(r.name, Status.NOT_IDENTIFIED, why)
                  for r in row.rungs)  # fmt: skip
    scores = tuple(s if s.rung == BOUNDS else s._replace(inside=None, reason=why)
                   for s in row.scores)  # fmt: skip
    said = [f.text for f in row_findings(row._replace(rungs=rungs, scores=scores), told)]
    for name in RUNGS[1:]:
        assert f"{name}: {why}." in said
    assert sum(why in text for text in said) == 4  # and once in the verdict
    assert "refused, so nothing was predicted: exposure, joint fit, two lognormals." in said


def test_a_last_snapshot_with_too_few_quotes_is_not_the_reference():
    """Twelve weeks: near expiry under a dozen of the thirty strikes have a value."""
    (row,) = studied(states_frame(1, span=WEEKS, n_strikes=30)).rows
    assert row.fitted.tolist() == list(range(12))
    assert row.snapshots[-1].density is not None
    assert row.joint.verdict.status is Status.OK
    assert np.isfinite(row.joint.mean_1).tolist() == [True] * 8 + [False] * 4
    assert row.reference == 7
    assert row.rung(JOINT).mean_1.known
    assert np.isfinite(row.grid.curves[0].pdf_1).all()


def test_the_profile_in_the_file_is_thin_and_keeps_its_marks(told, row):
    n = 5_000
    deltas = np.linspace(-0.3, 0.3, n)
    falls = ((deltas - 0.0801) / 0.01) ** 2
    inside = deltas[falls <= 3.84]
    dense = row.joint._replace(
        profile=Profile(deltas, falls, np.full(n, 3.84)), interval=(inside[0], inside[-1])
    )
    data = contract(told._replace(rows=(row._replace(joint=dense),)))["rows"][0]["joint"]["profile"]
    assert len(data["deltas"]) == len(data["falls"]) == len(data["critical"]) <= 400
    assert len(data["deltas"]) > 300
    kept = [deltas[0], inside[0], deltas[np.argmin(falls)], inside[-1], deltas[-1]]
    assert set(kept) <= set(data["deltas"])
    assert data["deltas"] == sorted(data["deltas"])


def test_assumptions_are_at_most_six_words():
    assert all(len(words.split()) <= 6 for words in ASSUMPTIONS.values())
    assert set(ASSUMPTIONS) == set(RUNGS)


def test_the_probability_of_a_time_is_the_last_at_or_before_it():
    t = np.array([0, 10, 20]) * 10**9
    p = event_probability("p", t, [0.2, 0.3, 0.4], bid=[0.1] * 3, ask=[0.5] * 3)
    assert probability_at(p, 19 * 10**9, math.inf) == (0.3, 0.1, 0.5)
    assert probability_at(p, 20 * 10**9, math.inf)[0] == 0.4
    assert math.isnan(probability_at(p, -1, math.inf)[0])
    assert probability_at(p, 25 * 10**9, 5.0)[0] == 0.4
    assert math.isnan(probability_at(p, 26 * 10**9, 5.0)[0])


def test_options_before_the_first_probability_have_no_answer(made):
    late = event_probability("p", made.made.times_ns + 10**18, np.full(8, 0.5))
    (row,) = run(chains_of(made), late, QUICK).rows
    assert row.status is Status.TOO_FEW
    assert row.reason == "no probability quoted by then"
    assert row.reference == -1
    assert all(rung.status is Status.TOO_FEW for rung in row.rungs)
    assert row.grid is None


def test_nothing_before_a_realised_price(made):
    came = Realised(True, 100.0, int(made.made.times_ns[0]), "given")
    (row,) = run(chains_of(made), path_of(made), QUICK, realised=came).rows
    assert row.status is Status.TOO_FEW
    assert row.reason == "no snapshot before the realised price"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: run([], event_probability("p", constant=0.5)), "at least one chain"),
        (lambda: event_probability("p"), "a path, a number or a range"),
        (lambda: event_probability("p", constant=1.0), "inside"),
        (lambda: event_probability("p", between=(0.6, 0.4)), "inside"),
        (lambda: event_probability("p", [1, 1], [0.4, 0.5]), "times that rise"),
        (lambda: event_probability("p", [1, 2], [0.4, 1.5]), "from 0 to 1"),
        (lambda: event_probability("p", [1, 2], [0.4]), "a probability a time"),
        (lambda: StatesConfig(level=95.0), "a level between 0 and 1"),
        (lambda: StatesConfig(drift=-0.1), "from 0 to under 1"),
        (lambda: StatesConfig(placebos=-1), "0 or more"),
        (lambda: StatesConfig(decided=0.5), "from 0 to under 0.5"),
        (lambda: StatesConfig(rate=4.0), "0.05 is 5%"),
    ],
    ids=[
        "no chain",
        "no probability",
        "certain",
        "range that falls",
        "times that stand",
        "above one",
        "too few",
        "level",
        "drift",
        "placebos",
        "decided",
        "rate",
    ],
)
def test_bad_inputs_say_what_was_wanted(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_an_estimate_is_known_by_its_ends():
    assert Estimate(math.nan, 0.0, 1.0).known
    assert not Estimate(0.5, math.nan, 1.0).known


@pytest.mark.slow
@pytest.mark.parametrize("delta", [0.0, 0.03, 0.08])
def test_coverage_of_the_whole_study(delta):
    """500 markets, seeds 0 to 499: eight snapshots of 24 strikes, forwards by parity, skewed."""
    n, rows = 500, []
    for seed in range(n):
        made = simulated(seed, delta=delta)
        (row,) = studied(made).rows
        rung, truth = row.rung(JOINT), row.truth
        found = [rung.status is Status.OK and rung.gap.known]
        for name, true in (
            ("gap", truth.gap[-1]),
            ("mean_1", truth.mean_1[-1]),
            ("mean_0", truth.mean_0[-1]),
            ("vol_1", truth.vol_1[-1]),
            ("vol_0", truth.vol_0[-1]),
        ):
            e = getattr(rung, name)
            found.append(e.lower <= true <= e.upper if e.known else math.nan)
        for rung_name in (JOINT, BOUNDS):
            score = next(s for s in row.scores if s.rung == rung_name)
            found.append(math.nan if score.inside is None else score.inside)
        curve, grid = row.grid.curves[0], row.grid
        inside = (curve.pdf_1_lower <= grid.truth_1) & (grid.truth_1 <= curve.pdf_1_upper)
        weight = grid.truth_1 / grid.truth_1.sum()
        found.append(weight @ inside if np.isfinite(curve.pdf_1).all() else math.nan)
        found.append(rung.gap.lower > 0.0 or rung.gap.upper < 0.0 if rung.gap.known else math.nan)
        rows.append(found)
    table = np.array(rows, np.float64)
    counts = np.isfinite(table[:, 1:]).sum(axis=0)
    shares = np.nansum(table[:, 1:], axis=0) / np.maximum(counts, 1)
    names = ("gap", "mean 1", "mean 0", "vol 1", "vol 0", "score", "score of bounds", "band")
    said = ", ".join(
        f"{name} {share:.3f} ({count})"
        for name, share, count in zip(names, shares, counts, strict=False)
    )
    stands = table[:, 0].mean()
    print(f"\ndelta {delta:+.2f}: stands {stands:.3f}; {said}; claims {shares[-1]:.3f}")  # noqa: T201
    assert shares[0] > 0.92
    assert (shares[1:3] > 0.92).all()
    assert shares[5] > 0.92
    if delta == 0.08:
        assert stands > 0.8
        assert (shares[3:5] > 0.9).all()
        assert shares[7] > 0.9
    if delta == 0.0:
        assert shares[-1] < 0.07
