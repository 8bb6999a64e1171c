"""The study of a trade: its law, looks, account and rules against the parts, and bad input."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.leg_marks import law_vols
from eventtape.estimators.positions.legs import combine, long_option, times
from eventtape.estimators.positions.move_law import expected_variance
from eventtape.estimators.positions.value import DAY_NS, position_value
from eventtape.studies.trade import base_law, run, steepener_shifts
from eventtape.studies.trade_contract import contract, tables
from eventtape.studies.trade_findings import amount, findings
from eventtape.studies.trade_parts import LONG, MIXED, SHORT, kind_of
from eventtape.studies.trade_rows import EVE, EXPIRY, HELD, ONSET, EventSize, TradeConfig
from eventtape.studies.trade_rules import CLOSED, DELTA, GAMMA, HOLD, STOP
from eventtape.studies.trade_structures import Expiry, neutral_calendar
from figures import trade_results as made


@pytest.fixture(scope="module")
def good():
    return made.good()


@pytest.fixture(scope="module")
def bought():
    return made.bought()


def test_the_law_prices_both_expiries():
    trade = made.calendar()
    law, status, reason = base_law(trade, 30.0)
    assert (status, reason) == (Status.OK, "")
    vols = law_vols(trade.legs, law, forward=trade.spot, at_ns=trade.at_ns)
    np.testing.assert_allclose(vols, trade.legs.vol, rtol=1e-10)


def test_volatilities_no_base_agrees_with_leave_the_first_one_s():
    trade = made.calendar()
    steep = trade._replace(legs=trade.legs._replace(vol=np.array([0.4, 0.4, 0.9, 0.9])))
    law, status, reason = base_law(steep, 300.0)
    assert status is Status.NOT_IDENTIFIED
    assert "300 days" in reason
    assert law.reversion == 0.0
    assert law.base < 0.4


def test_without_an_event_and_one_expiry_the_law_is_the_volatility(bought):
    law, status, _ = base_law(bought.trade, 30.0)
    assert status is Status.OK
    assert law.base == pytest.approx(made.NEAR_VOL)
    assert bought.gap is None
    assert bought.gap_reason == "no event was named"
    assert bought.ratios == ()
    assert len(bought.grids[0].steepenings) == 1


def test_looks(good):
    labels = [p.label for p in good.profiles]
    assert labels == [ONSET, EVE, HELD, EXPIRY]
    assert good.eve_ns == parse_ns("2024-11-07T08:00Z")
    gone, held = good.profile(EVE), good.profile(HELD)
    assert gone.vols[0] < held.vols[0]
    left = (made.FAR - good.eve_ns) / (365 * DAY_NS)
    spent = expected_variance(good.law, made.AT, good.eve_ns) + made.ELECTION.size**2
    whole = made.FAR_VOL**2 * (made.FAR - made.AT) / (365 * DAY_NS)
    assert gone.vols[2] ** 2 * left == pytest.approx(whole - spent, rel=1e-10)
    for p in good.profiles:
        np.testing.assert_allclose(
            p.dollars,
            p.prices * (p.coins + good.premium) - good.premium * made.SPOT,
            atol=1e-6,
        )
        for root in p.evens.prices:
            step = np.diff(p.prices).max()
            near = np.abs(p.prices - root) <= step
            assert p.coins[near].min() <= 0.0 <= p.coins[near].max()


def test_grids_are_the_position_s_profit(good):
    config, legs = good.config, good.trade.legs
    for grid, vols in zip(good.grids, (legs.vol, good.profile(EVE).vols), strict=True):
        shifts = steepener_shifts(legs, made.AT, grid.steepenings)
        k, m, n = 2, 7, 3
        value = position_value(
            legs,
            made.SPOT * (1.0 + config.spot_moves[n]),
            grid.at_ns,
            vol=vols + config.vol_moves[m] + shifts[k],
        )
        assert grid.pnl[k, m, n] == pytest.approx(value - good.premium, abs=1e-12)
    assert shifts[0].tolist() == pytest.approx([0.05, 0.05, -0.05, -0.05])


def test_margin_and_fees_are_the_venue_s(good):
    m, f = good.margin, good.fees
    assert [row.label for row in m.rows] == [ONSET, "election", EVE]
    marks = [leg.price for leg in good.legs]
    sold = [max(0.15 - away / made.SPOT, 0.1) + mark for away, mark in
            zip((7e3, 10e3), marks, strict=False)]  # fmt: skip
    assert m.rows[0].initial == pytest.approx(3.0 * sum(sold))
    assert m.deposit == pytest.approx(2.0 * m.rows[0].initial)
    assert 0.0 <= m.paths.share.share < 1.0
    assert f.opening == pytest.approx([0.0009, 0.0009, 0.0003, 0.0003])
    assert f.delivery_most == pytest.approx(3 * 0.00015)
    assert f.delivery_now == 0.0


def test_before_anything_is_on_record():
    trade = made.call(events=())
    early = trade._replace(
        at_ns=parse_ns("2021-10-05T00:00Z"),
        legs=trade.legs._replace(expiry_ns=np.array([parse_ns("2021-11-05T08:00Z")])),
    )
    found = run(early, made.SMALL)
    assert found.fees.status is Status.NOT_IDENTIFIED
    assert "2022-03-31" in found.fees.reason
    assert found.margin.status is Status.NOT_IDENTIFIED
    assert found.margin.rows == ()
    said = {f.text: f.status for f in findings(found)}
    assert said[f"Margin: {found.margin.reason}."] is Status.NOT_IDENTIFIED


def test_rules(good, bought):
    names = [rule.name for rule in good.rules]
    assert names == [HOLD, CLOSED, STOP, DELTA, GAMMA]
    hold, closed, stop, delta, _ = good.rules
    assert closed.until_ns == good.eve_ns
    assert stop.stopped.happened > 0
    assert hold.stopped.happened == 0
    assert delta.law.sd < hold.law.sd
    assert delta.hedges > 1.0
    assert [rule.name for rule in bought.rules] == names[:4]
    assert bought.margin.paths is None
    assert bought.margin.deposit == pytest.approx(bought.premium)


@pytest.mark.slow
def test_without_costs_no_rule_makes_anything():
    """The law prices every leg, so that the mean in dollars is 0 within its error."""
    free = TradeConfig(paths=40_000, hedge_cost=0.0, option_cost=0.0, seed=3)
    for rule in run(made.calendar(), free).rules:
        assert abs(rule.dollars) < 4.0 * rule.dollars_error, rule.name


def test_kinds():
    a, b = (long_option(60e3, t, 0.5) for t in (made.NEAR, made.FAR))
    assert kind_of(a) == LONG
    assert kind_of(times(a, -1.0)) == SHORT
    assert kind_of(combine(a, times(b, -1.0))) == MIXED
    assert "small" in made.bought().suits[0]
    assert "large" in made.good().suits[0]


def test_findings_name_every_number(good):
    said = findings(good)
    text = " ".join(f.text for f in said)
    wanted = ["vega 3.05", "Gap at election", "Pin at 55,000", "Pin at 72,000", "Liquidity"]
    wanted += ["Standard margin", "Fees by the rates", "Rule “stop”", "worst", "best"]
    for words in wanted:
        assert words in text
    assert "nan" not in text
    assert said[-1].status is Status.NOT_IDENTIFIED


def test_contract_and_tables(good, bought):
    for result in (good, bought):
        told = json.loads(json.dumps(contract(result), allow_nan=False))
        assert told["study"] == "trade"
        assert told["unit"] == result.unit
        flat = tables(result)
        assert flat["profiles"].height == sum(p.prices.size for p in result.profiles)
        assert flat["scenarios"].height == sum(g.pnl.size for g in result.grids)
        assert flat["legs"]["expiry"].dtype == pl.Datetime("ns", "UTC")
    cells = tables(good)["scenarios"].filter(look=EVE)
    worst = cells.sort("pnl").row(0, named=True)
    told = contract(good)["scenarios"][1]["worst"]
    assert {k: worst[k] for k in told} == pytest.approx(told)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"spot": 0.0}, "column 'spot': met 0.0, wanted a price above 0"),
        ({"at_ns": made.NEAR}, "row 1, column 'expiry'"),
        ({"events": (EventSize(made.AT, 0.08, "now"),)}, "between the onset and the last expiry"),
        ({"events": (EventSize(made.NEAR - 1, 0.3, "big"),)}, "column 'vol'"),
    ],
    ids=["price", "late", "event", "too big"],
)
def test_trades_refused(change, wanted):
    with pytest.raises(InputError) as raised:
        run(made.calendar()._replace(**change), made.SMALL)
    assert wanted in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [{"level": 95.0}, {"deposit": -1.0}, {"stop": 0.0}, {"hedge_hours": 0.0}, {"low": 2.0},
     {"paths": 1}],
    ids=["level", "deposit", "stop", "hours", "range", "paths"],
)  # fmt: skip
def test_choices_refused(change):
    with pytest.raises(InputError):
        TradeConfig(**change)


def test_a_calendar_that_no_ratio_makes_neutral():
    near, far = Expiry(made.NEAR, made.NEAR_VOL), Expiry(made.FAR, made.FAR_VOL)
    with pytest.raises(InputError, match="one of delta, gamma"):
        neutral_calendar(near, far, made.SPOT, made.AT, by="rho", inverse=True)


def test_amounts(good, bought):
    assert amount(-4.3e-19, good) == "+0.0000 coins"
    assert amount(4.9e-05, good) == "+4.9e-05 coins"
    assert amount(0.1525, good, sign=False) == "0.1525 coins"
    assert amount(-1234.5, bought) == "-1,234 dollars"
    assert amount(float("nan"), bought) == "—"
