"""The study of densities: known truths found, American premia off, refusals as rows, plain data."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.no_arbitrage import CheckName, arbitrage_report
from eventtape.estimators.pricing.terminal_law import quantile
from eventtape.simulate.option_chain import chain_truths, option_chain
from eventtape.simulate.option_frame import DAYS, option_frame
from eventtape.studies.densities import run
from eventtape.studies.densities_contract import contract, tables
from eventtape.studies.densities_findings import (
    arbitrage_words,
    findings,
    left_out_words,
    price_with_error,
)
from eventtape.studies.densities_rows import DensitiesConfig
from eventtape.tape.chains import chains
from studies.density_chains import (
    AT,
    DAY,
    american_chain,
    as_chain,
    dividend_chain,
    lognormal_chain,
    some,
    vogt_chain,
)


@pytest.fixture(scope="module")
def surface():
    made = option_frame(3)
    return run(chains(made.frame), truths=made.truths, simulated=True)


def test_a_simulated_surface_gives_its_truth_back(surface):
    assert [round(chain.days) for chain in surface.chains] == list(DAYS)
    for chain in surface.chains:
        law, truth = chain.density, chain.truth
        assert chain.status is Status.OK
        assert chain.truth_distance < 0.01
        assert abs(law.forward - truth.forward) < 4.0 * law.forward_error
        found, wanted = chain.quantiles, quantile(truth, (0.05, 0.5, 0.95))
        # Bias of the fit beside its error: a hundredth of the law's width
        assert np.all(np.abs(found.prices - wanted) < 4.0 * found.errors + 0.01 * np.ptp(wanted))
        assert chain.moments.price.mean == pytest.approx(law.forward, rel=1e-8)
        # At the forward the fitted and the true volatility, from prices at that strike
        at = int(np.argmin(np.abs(chain.grid["strike"].to_numpy() - law.forward)))
        assert chain.grid["vol"][at] == pytest.approx(chain.grid["truth_vol"][at], abs=2e-3)


def test_bands_of_the_density_hold_the_truth_where_it_is_quoted(surface):
    inside = total = 0
    for chain in surface.chains:
        grid = chain.grid.filter(~chain.grid["beyond"])
        gap = (grid["pdf"] - grid["truth_pdf"]).abs() / (1.96 * grid["pdf_error"])
        inside, total = inside + int((gap <= 1.0).sum()), total + grid.height
    # One draw, and points next to each other are one event: the rate itself is fit_density's test
    assert inside / total > 0.8


def test_american_premia_come_off_and_the_rate_is_found():
    spot, rate, q = 100.0, 0.06, 0.02
    chain = american_chain(spot=spot, rate=rate, dividend_yield=q, vol=0.25, days=180)
    forward = spot * math.exp((rate - q) * chain.tau)
    found = run([chain]).chains[0]
    assert found.american
    made = found.european
    assert abs(found.density.forward - forward) < 4.0 * found.density.forward_error
    assert abs(made.forward.rate - rate) < 4.0 * made.forward.rate_error
    # Taken for European ones, the same quotes give another forward: 0.3 too low
    wrong = run([chain], DensitiesConfig(exercise="european", spot=None)).chains[0]
    assert not wrong.american
    assert wrong.european.forward.forward < forward - 0.1
    assert found.atm_vol == pytest.approx(0.25, abs=1e-3)
    deep = found.quotes.filter((found.quotes["strike"] > 130.0) & ~found.quotes["is_call"])
    assert set(deep["fate"]) <= {"worth exercising at once", "in the money"}


def test_expiries_share_the_spot_and_rate_that_nobody_gave():
    known = {"spot": 50.0, "rate": 0.05, "dividend_yield": 0.0, "vol": 0.3, "known_spot": False}
    several = [american_chain(days=days, seed=days, **known) for days in (5, 120, 400)]
    found = run(several).chains
    for chain in found:
        true = 50.0 * math.exp(0.05 * chain.tau)
        assert abs(chain.density.forward - true) < 5.0 * chain.density.forward_error
    short = found[0].european.forward
    assert found[0].rate_source == "parity, with the surface's rate"
    assert short.rate_share > 0.5
    assert short.rate == pytest.approx(0.05, abs=0.01)


def test_a_spot_that_is_off_moves_the_forward_as_the_documents_say():
    known = {"spot": 50.0, "rate": 0.05, "dividend_yield": 0.0, "vol": 0.3}
    chain = american_chain(days=400, seed=1, **known)
    right, wrong = (run([chain], DensitiesConfig(spot=s)).chains[0] for s in (50.0, 50.015))
    moved = wrong.density.forward / right.density.forward - 1.0
    assert moved == pytest.approx(-1e-4, abs=0.3e-4)
    assert -moved * 50.0 == pytest.approx(3.0 * right.density.forward_error, rel=0.2)


def test_a_cash_dividend_comes_off_when_it_is_named():
    """The tree that made the quotes is the model; the forward and rate were never told."""
    chain, law = dividend_chain()
    paid = ((AT + 10 * DAY, 1.5), (AT + 300 * DAY, 9.9))  # the second is after expiry
    found = run([chain], DensitiesConfig(dividends=paid)).chains[0]
    assert found.status is Status.OK
    made = found.european.forward
    assert abs(made.forward - law.forward) < 4.0 * made.forward_error + 1e-3
    assert abs(made.rate - 0.05) < 4.0 * made.rate_error
    assert found.atm_vol == pytest.approx(0.2, abs=1e-3)
    told = contract(run([chain], DensitiesConfig(dividends=paid[:1])))["config"]["dividends"]
    assert told == [{"ex_date": "2001-03-11T21:00:00Z", "cash": 1.5}]


def test_a_cash_dividend_that_nobody_named_is_asked_for():
    """Ex-date tomorrow: every call in the money goes tonight, and no yield does that."""
    chain, law = dividend_chain(days=5, ex_days=1, cash=1.5)
    refused = run([chain]).chains[0]
    assert refused.status is Status.NOT_RESOLVED
    assert "parity asks for a cash dividend of about 1.5" in refused.reason
    assert "--dividend" in refused.reason
    paid = ((AT + DAY, 1.5),)
    named = run([chain], DensitiesConfig(dividends=paid, rate=0.05)).chains[0]
    assert named.european.forward.forward == pytest.approx(law.forward, abs=0.02)
    assert not run([dividend_chain(cash=1e-9)[0]]).chains[0].reason


def test_a_european_chain_has_a_weak_prior_for_its_rate():
    """Wide quotes of a week tell no rate: free, the slope says -40% a year, and is refused."""
    made = lognormal_chain(days=7, vol=0.5, half_spread=(0.4, 0.05))
    slope = np.where(made.is_call, 0.008 * (made.strikes - 100.0), 0.0)
    chain = as_chain(made, bids=made.bids + 1.0 + slope, asks=made.asks + 1.0 + slope)
    chain = chain._replace(bids=np.maximum(chain.bids, 0.01))
    found = run([chain]).chains[0].european.forward
    assert abs(found.rate - 0.03) < 2.0 * 0.05
    assert found.rate_share > 0.5


def test_a_given_rate_spot_and_yield_are_used():
    made = lognormal_chain(days=90, discount=math.exp(-0.03 * 90 / 365))
    calls = some(as_chain(made), made.is_call)
    config = DensitiesConfig(rate=0.03, spot=100.0, dividend_yield=0.03)
    chain = run([calls], config).chains[0]
    assert chain.status is Status.OK
    assert str(chain.european.forward.source) == "carry"
    assert chain.density.forward == pytest.approx(100.0)
    assert chain.atm_vol == pytest.approx(0.3, abs=0.02)
    silent = run([calls]).chains[0]
    assert silent.status is Status.NOT_IDENTIFIED
    assert silent.reason == "no strike has both a call and a put, and no spot is known"


def _locked_pairs(chain):
    """Two strikes with both rights, bid and ask one price: a line without an error."""
    four = {
        "strikes": np.repeat([90.0, 110.0], 2),
        "is_call": np.tile([True, False], 2),
        "bids": np.array([14.0, 4.0, 4.0, 14.0]),
        "asks": np.array([14.0, 4.0, 4.0, 14.0]),
    }
    return some(chain, np.arange(4))._replace(**four)


def _spoiled(kind):
    whole = as_chain(lognormal_chain())
    n = whole.strikes.size
    none = np.full(n, math.nan)
    lift = np.where(whole.is_call, 0.15 * np.abs(np.arange(n) - n / 2) % 7, 0.0)
    made = {
        "three quotes": lambda: some(whole, np.arange(38, 41)),
        "two": lambda: some(whole, np.arange(38, 40)),
        "nothing quoted": lambda: whole._replace(bids=none, asks=none),
        "one-sided": lambda: whole._replace(bids=none),
        "crossed": lambda: whole._replace(bids=whole.asks + 0.05, asks=whole.bids),
        "constant": lambda: whole._replace(bids=np.full(n, 2.0), asks=np.full(n, 2.1)),
        "parity broken": lambda: whole._replace(bids=whole.bids + lift, asks=whole.asks + lift),
        "listed twice": lambda: some(whole, np.append(np.arange(n), 40)),
        "two locked pairs": lambda: _locked_pairs(whole),
    }
    return made[kind]()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("three quotes", ""),
        ("two", "2 quotes with both sides"),
        ("nothing quoted", "0 quotes with both sides"),
        ("one-sided", "0 quotes with both sides"),
        ("crossed", ""),
        ("constant", ""),
        ("parity broken", "calls and puts do not agree on one forward"),
        ("listed twice", "listed twice"),
        ("two locked pairs", "parity leaves the forward no error"),
    ],
    ids=lambda value: value.replace(" ", "-") or "any",
)
def test_a_bad_chain_is_a_row_with_its_reason(kind, words):
    good = as_chain(lognormal_chain(days=60), name="GOOD")
    result = run([_spoiled(kind), good])
    ok, bad = result.chains
    assert ok.status is Status.OK
    assert bad.status is not Status.OK
    assert words in bad.reason
    assert bad.reason
    assert bad.grid.is_empty()
    assert math.isnan(bad.atm_vol)
    assert (bad.quantiles, bad.moments, bad.tails) == (None, None, None)
    assert arbitrage_words(bad) == "—"
    said = findings(result)[-1]
    assert said.status is bad.status
    assert bad.reason in said.text
    row = contract(result)["chains"][1]
    assert row["status"] == str(bad.status)
    assert row["grid"]["pdf"] == []
    assert row["forward"]["forward"] is None or math.isfinite(row["forward"]["forward"])


def test_a_falling_total_variance_is_a_calendar_violation_of_the_later():
    # 60 days at 20% hold less variance than 30 days at 40%
    near, far = lognormal_chain(days=30, vol=0.4), lognormal_chain(days=60, vol=0.2, seed=2)
    result = run([as_chain(far), as_chain(near)])
    early, late = result.chains
    assert early.expiry_ns < late.expiry_ns
    assert CheckName.CALENDAR not in {check.name for check in early.violations}
    calendar = next(c for c in late.violations if c.name is CheckName.CALENDAR)
    # w_2 - w_1 at equal k: .2^2 60/365 - .4^2 30/365, both flat in k
    assert calendar.worst == pytest.approx((0.04 * 60 - 0.16 * 30) / 365, rel=0.05)
    assert "calendar" in arbitrage_words(late)
    said = next(f for f in findings(result) if "free of arbitrage" in f.text)
    assert said.status is Status.NOT_RESOLVED
    told = contract(result)["surfaces"][0]
    assert told["free"] is False
    assert "calendar" in {v["name"] for v in told["violations"]}


def test_the_quotes_own_arbitrage_is_named():
    whole = as_chain(lognormal_chain())
    cheap = whole.asks.copy()
    middle = int(np.argmin(np.abs(whole.strikes - 100.0) + ~whole.is_call))
    cheap[middle] *= 0.5  # a call at half its price: below those of higher strikes
    bids = whole.bids.copy()
    bids[middle] = cheap[middle] - 0.01
    result = run([whole._replace(asks=cheap, bids=bids)])
    found = {one.kind: one for one in result.chains[0].quote_arbitrage}
    assert "vertical" in found
    higher = whole.is_call & (whole.strikes > whole.strikes[middle])
    assert found["vertical"].gain == pytest.approx(np.nanmax(bids[higher]) - cheap[middle])
    assert run([whole]).chains[0].quote_arbitrage == ()


def test_other_laws_stand_beside_the_density_when_asked():
    truth = chain_truths()["bimodal"]
    chain = as_chain(option_chain(truth, seed=1))
    assert run([chain]).chains[0].cross_checks == ()
    result = run([chain], DensitiesConfig(checks=True), truths={chain.expiry_ns: truth})
    by_name = {check.name: check for check in result.chains[0].cross_checks}
    assert list(by_name) == ["two lognormals", "SVI", "Kou jump diffusion"]
    # The truth is two lognormals: they are near, and a smile with one vertex is not
    assert by_name["two lognormals"].distance < 0.02
    assert by_name["SVI"].distance > 3.0 * by_name["two lognormals"].distance
    # The lower state comes first; the truth's 0.6 is the upper one's, with mean 1.08
    assert by_name["two lognormals"].parameters["probability"] == pytest.approx(0.4, abs=0.02)


def _stretches_below_zero(chain):
    """Strikes between which the fitted density is below 0, ``(n, 2)``."""
    return arbitrage_report(chain.density.smile).negative[0]


def test_repair_is_a_second_answer_beside_the_first():
    chain = vogt_chain()
    plain = run([chain]).chains[0]
    butterfly = next(c for c in plain.violations if c.name is CheckName.BUTTERFLY)
    below = np.log(_stretches_below_zero(plain) / 10_000.0)
    assert any(0.6 < low < 0.7 and 1.2 < high < 1.3 for low, high in below)
    assert butterfly.over_error < -2.0
    assert "butterfly" in arbitrage_words(plain)
    assert plain.density.negative_mass > 0.0
    result = run([chain], DensitiesConfig(repair=True))
    found = result.chains[0]
    assert found.grid["pdf"].equals(plain.grid["pdf"])
    assert found.grid["pdf"].min() < 0.0
    assert found.grid["repaired_pdf"].min() >= 0.0
    assert found.repaired.changed
    assert any("Repair changed 1 of 1" in f.text for f in findings(result))


def test_tables_and_contract_hold_the_same_numbers(surface):
    told = contract(surface)
    text = json.dumps(told, allow_nan=False)
    assert json.loads(text) == told
    assert told["simulated"] is True
    frames = tables(surface)
    assert frames["chains"]["atm_vol"].to_list() == [c["atm_vol"] for c in told["chains"]]
    assert frames["grid"].height == sum(len(c["grid"]["pdf"]) for c in told["chains"])
    assert frames["quotes"].height == sum(c["quotes"]["given"] for c in told["chains"])
    first = told["chains"][0]
    used = frames["quotes"].filter(expiry=frames["chains"]["expiry"][0], fate="used")
    assert used.height == first["quotes"]["used"] == sum(1 for _ in used["strike"])
    assert sum(first["quotes"]["fates"].values()) == first["quotes"]["given"]
    middle = next(q for q in first["quantiles"] if q["probability"] == 0.5)
    K, cdf = (np.array(first["grid"][name]) for name in ("strike", "cdf"))
    # Linear between the strikes of the grid, a hundredth of the law apart
    assert np.interp(0.5, cdf, K) == pytest.approx(middle["price"], rel=1e-3)


def test_quotes_say_what_became_of_them(surface):
    chain = surface.chains[0]
    assert chain.fates["used"] == chain.density.report.quotes_used
    assert sum(chain.fates.values()) == chain.quotes.height
    used = chain.quotes.filter(fate="used")
    assert used["bid_vol"].null_count() == 0
    assert (used["bid_vol"] <= used["ask_vol"]).all()
    assert "in the money" in left_out_words(chain)


def test_progress_counts_every_chain():
    made = option_frame(3)
    seen = []
    run(chains(made.frame)[:2], progress=lambda label, done, total: seen.append((done, total)))
    assert seen[-1] == (2, 2)
    assert [done for done, _ in seen if done > 2] == []


@pytest.mark.parametrize(
    ("choice", "column"),
    [
        ({"spot": -1.0}, "spot"),
        ({"rate": 5.0}, "rate"),
        ({"dividend_yield": 2.0}, "dividend_yield"),
        ({"dividends": ((AT, 0.0),)}, "dividends"),
        ({"exercise": "bermudan"}, "exercise"),
        ({"size_weight": "half"}, "size_weight"),
        ({"probabilities": (0.0, 0.5)}, "probabilities"),
        ({"level": 95.0}, None),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_choices_no_chain_could_make_right_are_refused(choice, column):
    with pytest.raises(InputError) as caught:
        DensitiesConfig(**choice)
    assert caught.value.column == column


def test_no_chain_is_an_error():
    with pytest.raises(InputError, match="at least one chain"):
        run([])


def test_labels_name_the_underlying_and_hour_only_where_they_must():
    near = as_chain(lognormal_chain(days=30))
    hours = 2 * 3_600_000_000_000
    later = near._replace(expiry_ns=near.expiry_ns + hours, tau=near.tau + 2.0 / 8760.0)
    result = run([near, later, as_chain(lognormal_chain(days=60))])
    assert [result.label(c) for c in result.chains] == [
        "2001-03-31 21:00",
        "2001-03-31 23:00",
        "2001-04-30",
    ]
    assert result.chains[0].at_ns == AT


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (257.2738, 0.0112, "257.274 ± 0.011"),
        (33_132.4, 25.6, "33,132 ± 26"),
        (math.nan, 0.1, "—"),
        (100.0, math.nan, "100.00"),
    ],
)
def test_a_price_has_the_digits_its_error_bears_out(value, error, said):
    assert price_with_error(value, error) == said
