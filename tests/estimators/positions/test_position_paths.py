"""Rules along simulated paths: fair positions make nothing, and every step has a plain twin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eventtape.clock import parse_ns
from eventtape.errors import InputError
from eventtape.estimators.positions.leg_marks import later_vols, law_vols
from eventtape.estimators.positions.legs import (
    calendar_strangle,
    combine,
    long_option,
    strangle,
    times,
)
from eventtape.estimators.positions.move_law import (
    move_law,
    normal_event,
    price_law,
    two_state_event,
)
from eventtape.estimators.positions.paths import Rules, simulate_paths
from eventtape.estimators.positions.points import DAY_NS
from eventtape.estimators.positions.value import position_greeks, position_value

AT, NEAR = parse_ns("2024-10-05T00:00Z"), parse_ns("2024-11-08T08:00Z")
FAR, VOTE = parse_ns("2025-03-28T08:00Z"), parse_ns("2024-11-05T23:00Z")
FORWARD, END = 62e3, NEAR - DAY_NS
CARRY = np.array([1.0, 1.0, 1.02, 1.02])
LAWS = {
    "normal": move_law(0.45, (normal_event(VOTE, 0.08),), level=1.5, half_life_days=20.0),
    "two states": move_law(
        0.45, (two_state_event(VOTE, 0.6, 0.07, -0.1), normal_event(VOTE + DAY_NS, 0.02))
    ),
}


def fair(law, *, inverse=False, carry=CARRY):
    near = strangle(55e3, 72e3, NEAR, 0.5, inverse=inverse)
    held = calendar_strangle(near, strangle(65e3, 75e3, FAR, 0.5, inverse=inverse), (-3.0, 1.0))
    return held._replace(vol=law_vols(held, law, forward=FORWARD, at_ns=AT, carry=carry))


def hedger(law, *, inverse=False):
    one = long_option(62e3, FAR, 0.5, inverse=inverse)
    return one._replace(vol=law_vols(one, law, forward=FORWARD, at_ns=AT))


def run(held, law, rules=None, **options):
    given = {"forward": FORWARD, "opened_ns": AT, "until_ns": END, "carry": CARRY}
    return simulate_paths(held, law, rules=rules, **(given | options))


def z_of(dollars):
    return dollars.mean() / dollars.std() * math.sqrt(dollars.size)


@pytest.mark.parametrize("inverse", [False, True], ids=["dollars", "coins"])
@pytest.mark.parametrize("name", LAWS)
def test_a_fair_position_makes_nothing_whatever_the_rules(name, inverse):
    law = LAWS[name]
    held = fair(law, inverse=inverse)
    loss = 0.04 if inverse else 2500.0
    rules = {
        "none": Rules(),
        "stop": Rules(stop_loss=loss),
        "delta": Rules(hedge_every=1),
        "band": Rules(hedge_every=1, hedge_band=0.2, stop_loss=loss),
        "gamma": Rules(hedge_every=4, gamma_with=hedger(law, inverse=inverse)),
    }
    found = {
        each: run(held, law, rule, paths=2000, steps=40, seed=11) for each, rule in rules.items()
    }
    for each, walked in found.items():
        assert abs(z_of(walked.dollars)) < 3.5, each
    assert found["delta"].pnl.std() < 0.5 * found["none"].pnl.std()
    # An option takes off the curvature; of two states that are far apart it takes only a part
    most = 0.6 if name == "normal" else 1.0
    assert found["gamma"].pnl.std() < most * found["delta"].pnl.std()
    assert 0.1 < found["stop"].stopped.mean() < 0.9
    assert found["band"].hedges.mean() < 0.5 * found["delta"].hedges.mean()
    for walked in found.values():
        np.testing.assert_array_equal(walked.price, found["none"].price)


@pytest.mark.parametrize("inverse", [False, True], ids=["dollars", "coins"])
@pytest.mark.parametrize("name", LAWS)
def test_every_mark_is_the_position_at_that_price_and_moment(name, inverse):
    """The states' average against Black at the volatility expected then, path by path."""
    law = LAWS[name]
    held = fair(law, inverse=inverse)
    walked = run(held, law, paths=5, steps=7, keep=True)
    paid = position_value(held, FORWARD, AT, carry=CARRY)
    assert VOTE in walked.times_ns
    for i, at in enumerate(walked.times_ns):
        for b in range(5):
            price = float(walked.prices[i, b])
            # The volatility of a mixture hangs on the price: asked at the price met
            shifted = _at_price(held, law, price, int(at))
            worth = position_value(shifted, price, int(at), carry=CARRY)
            assert walked.profits[i, b] == pytest.approx(worth - paid, rel=1e-7, abs=1e-7 * paid)
    np.testing.assert_array_equal(walked.pnl, walked.profits[-1])
    np.testing.assert_array_equal(walked.lowest, walked.profits.min(axis=0))
    assert (walked.closed_ns == END).all()


def _at_price(held, law, price, at_ns):
    gone = (at_ns - AT) / (365 * DAY_NS)
    then = law._replace(level=1 + (law.level - 1) * np.exp(-law.reversion * gone))
    return held._replace(vol=law_vols(held, then, forward=price, at_ns=at_ns, carry=CARRY))


@pytest.mark.parametrize("inverse", [False, True], ids=["dollars", "coins"])
def test_hedges_against_a_loop_written_out(inverse):
    law, carry = LAWS["normal"], 1.0
    held, option = fair(law, inverse=inverse, carry=carry), hedger(law, inverse=inverse)
    rules = Rules(
        hedge_every=2, hedge_band=0.05, hedge_cost=0.0005, option_cost=0.01,
        gamma_with=option, gamma_most=1.5,
    )  # fmt: skip
    walked = run(held, law, rules, paths=4, steps=12, keep=True, carry=carry)
    for b in range(4):
        pnl, costs, hedges = _by_hand(held, option, law, rules, walked, b)
        assert walked.pnl[b] == pytest.approx(pnl, rel=1e-9)
        assert walked.costs[b] == pytest.approx(costs, rel=1e-9)
        assert walked.hedges[b] == hedges
    assert (walked.hedges > 2).all()


def _by_hand(held, option, law, rules, walked, b):
    when, price = walked.times_ns, walked.prices[:, b]
    cash, future, extra, costs, hedges = -position_value(held, FORWARD, AT), 0.0, 0.0, 0.0, 0
    for i, (at, S) in enumerate(zip(when, price, strict=True)):
        if i > 0:
            before = price[i - 1]
            cash += future * (1 / before - 1 / S if held.inverse else S - before)
        coin = S if held.inverse else 1.0
        vols = {
            one: later_vols(one_held, law, forward=FORWARD, opened_ns=AT, at_ns=int(at))
            for one, one_held in (("held", held), ("option", option))
        }
        g = position_greeks(held, S, int(at), vol=vols["held"])
        h = position_greeks(option, S, int(at), vol=vols["option"])
        if i == len(when) - 1:
            break
        share = future / S if held.inverse else future
        if i % rules.hedge_every or abs(g.delta + extra * h.delta + share) <= rules.hedge_band:
            continue
        curves = [
            position_greeks(x._replace(inverse=False), S, int(at), vol=v).gamma
            for x, v in ((held, vols["held"]), (option, vols["option"]))
        ]
        want = np.clip(-curves[0] / curves[1], -rules.gamma_most, rules.gamma_most)
        cash -= (want - extra) * h.value
        spent = rules.option_cost * abs(want - extra) * h.value
        extra = want
        target = -(g.delta + extra * h.delta) * (S if held.inverse else 1.0)
        spent += rules.hedge_cost * abs(target - future) * S / coin**2
        future, hedges = target, hedges + 1
        cash, costs = cash - spent, costs + spent
    each = [held._replace(quantity=held.quantity * mask) for mask in np.eye(4)]
    single = [abs(position_value(leg, S, int(at), vol=vols["held"])) for leg in each]
    leaving = rules.option_cost * (sum(single) + abs(extra) * h.value)
    leaving += rules.hedge_cost * abs(future) * S / coin**2
    return g.value + extra * h.value + cash - leaving, costs + leaving, hedges


def test_a_stop_closes_at_the_first_mark_below_it():
    law = LAWS["normal"]
    free = run(fair(law), law, paths=300, steps=40, keep=True)
    held = run(fair(law), law, Rules(stop_loss=2500.0), paths=300, steps=40, keep=True)
    hit = free.profits <= -2500.0
    first = np.where(hit.any(axis=0), hit.argmax(axis=0), free.times_ns.size - 1)
    np.testing.assert_array_equal(held.pnl, free.profits[first, np.arange(300)])
    np.testing.assert_array_equal(held.closed_ns, free.times_ns[first])
    np.testing.assert_array_equal(held.stopped, hit.any(axis=0))
    after = np.arange(free.times_ns.size)[:, None] >= first
    np.testing.assert_array_equal(held.profits, np.where(after, held.pnl, free.profits))
    assert (held.pnl[held.stopped] <= -2500.0).all()


def test_a_stop_cannot_act_inside_a_jump():
    """With all the variance in the vote the loss is the jump's, far beyond the stop."""
    law = move_law(0.01, (two_state_event(VOTE, 0.25, 0.3, -0.1),))
    sold = times(strangle(62e3, 62e3, NEAR, 0.5), -1.0)
    sold = sold._replace(vol=law_vols(sold, law, forward=FORWARD, at_ns=AT))
    walked = run(sold, law, Rules(stop_loss=2000.0), paths=200, carry=1.0, until_ns=NEAR)
    up = walked.price > FORWARD
    assert walked.stopped.sum() == up.sum()
    assert (walked.pnl[up] < -8000.0).all()
    assert (walked.closed_ns[up] == VOTE).all()
    assert abs(z_of(walked.pnl)) < 3.5


def test_an_event_sold_dear_is_earned():
    """Priced at 8% and happening at 5%: the mean profit is the price of the difference."""
    dear, true = (move_law(0.45, (normal_event(VOTE, size),)) for size in (0.08, 0.05))
    sold = times(strangle(62e3, 62e3, NEAR, 0.5), -1.0)
    marked, worth = (
        sold._replace(vol=law_vols(sold, law, forward=FORWARD, at_ns=AT)) for law in (dear, true)
    )
    edge = position_value(worth, FORWARD, AT) - position_value(marked, FORWARD, AT)
    walked = run(
        marked, true, Rules(hedge_every=1), paths=4000, steps=60, priced=dear.events, carry=1.0,
        until_ns=NEAR,
    )  # fmt: skip
    assert edge > 500
    assert z_of(walked.pnl - edge) == pytest.approx(0.0, abs=3.5)
    assert z_of(walked.pnl) > 10


def test_a_leg_is_settled_where_it_expires():
    law = LAWS["normal"]
    held = fair(law)
    walked = run(held, law, paths=50, steps=9, until_ns=NEAR + 20 * DAY_NS, keep=True)
    at = int(np.searchsorted(walked.times_ns, NEAR))
    assert walked.times_ns[at] == NEAR
    settled, S = walked.prices[at], walked.price
    paid = position_value(held, FORWARD, AT, carry=CARRY)
    payoff = -3 * (np.maximum(55e3 - settled, 0) + np.maximum(settled - 72e3, 0))
    later = later_vols(
        held, law, forward=FORWARD, opened_ns=AT, at_ns=NEAR + 20 * DAY_NS, carry=CARRY
    )[2:]
    far = held._replace(**{name: getattr(held, name)[2:] for name in held._fields[:5]})
    worth = position_value(far._replace(vol=later), S, NEAR + 20 * DAY_NS, carry=CARRY[2:])
    np.testing.assert_allclose(walked.pnl, payoff + worth - paid, rtol=1e-9, atol=1e-6)


def test_prices_have_the_variance_of_their_law():
    law = LAWS["normal"]._replace(vol_of_vol=0.0)
    held = fair(law)
    walked = run(held, law, paths=20_000, steps=20)
    log = np.log(walked.price / FORWARD)
    (variance,) = price_law(law, AT, END).variance
    assert log.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / log.size))
    assert log.mean() == pytest.approx(-variance / 2, abs=4 * math.sqrt(variance / log.size))


def test_a_level_that_is_noisy_keeps_its_mean_and_fattens_the_tails():
    calm = LAWS["normal"]
    wild = calm._replace(vol_of_vol=3.0)
    rough = run(fair(calm), wild, paths=20_000, steps=40, seed=3)
    log = np.log(rough.price / FORWARD)
    (variance,) = price_law(calm, AT, END).variance
    kurtosis = ((log - log.mean()) ** 4).mean() / log.var() ** 2
    assert kurtosis > 3.3
    assert log.var() == pytest.approx(variance, rel=4 * math.sqrt((kurtosis - 1) / log.size))


def test_the_same_seed_makes_the_same_paths():
    law = LAWS["two states"]
    first, again = (run(fair(law), law, paths=700, steps=9, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.pnl, again.pnl)
    other = run(fair(law), law, paths=700, steps=9, seed=5)
    assert not np.array_equal(first.pnl, other.pnl)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"until_ns": AT}, "a close after the opening"),
        ({"paths": 0}, "one path"),
        ({"opened_ns": NEAR, "until_ns": NEAR + 1}, "row 1, column 'expiry_ns'"),
        ({"forward": 0.0}, "a price above 0"),
        ({"carry": [1.0, 2.0]}, "one for each of 4 legs"),
        ({"rules": Rules(stop_loss=-100.0)}, "a loss above 0"),
        ({"rules": Rules(hedge_cost=-0.1)}, "column 'hedge_cost'"),
        ({"rules": Rules(gamma_with=hedger(LAWS["normal"]))}, "steps between hedges"),
        (
            {"rules": Rules(hedge_every=1, gamma_with=hedger(LAWS["normal"], inverse=True))},
            "one option, settled as the legs are",
        ),
        (
            {"rules": Rules(hedge_every=1, gamma_with=combine(*[hedger(LAWS["normal"])] * 2))},
            "one option, settled as the legs are",
        ),
        ({"priced": (normal_event(VOTE, 0.3),)}, "what the events alone are worth"),
        ({"premium": math.nan}, "a finite premium"),
    ],
    ids=[
        "end", "none", "expired", "price", "carry", "stop", "cost", "never hedged", "coins", "two",
        "event", "premium",
    ],
)  # fmt: skip
def test_what_paths_refuse(change, message):
    law = LAWS["normal"]
    with pytest.raises(InputError, match=message):
        run(fair(law), law, **({"paths": 3, "steps": 3} | change))
