"""SPX, SPY and XSP of one minute: one index, so one density: docs/option-data.md.

Options on the index are European, on the fund American with a dividend the next morning. The fund's
quotes are taken to European ones by the study's own road, the dividend named; the forward is that
of their parity near the money.
"""

from __future__ import annotations

import math
import sys
from typing import NamedTuple

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.estimators.density.density_quantities import density_at, quantiles
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.pricing.deamericanise import deamericanise
from eventtape.estimators.pricing.forward import forward_from_parity
from eventtape.sources import read_option_quotes
from eventtape.studies.densities_european import Known, european_chain
from eventtape.tape import chains

pytestmark = pytest.mark.real

FILE = "cboe_spx_spy_xsp_20230914T1631ET.parquet"
ONE = parse_ns("2023-10-20T20:00Z")
DIVIDEND = (parse_ns("2023-09-15T00:00Z"), 1.583)  # ex-date and dollars a share
RATE = 0.0565  # of S&P 500 parity three months to a year out: test_parity_forward
NEXT_DIVIDEND_DAYS = 92.5
PROBABILITIES = np.array([0.05, 0.5, 0.95])


class Apart(NamedTuple):
    """Two densities in parts of their forwards.

    - ``distance``: L1; ``noise``: what the errors of both would make of it on average;
    - ``within``: share of the grid, where the density is over 2% of its peak, inside both bands;
    - ``vol``: difference at the forward; ``quantiles``: largest difference at 5, 50 and 95%.
    """

    distance: float
    noise: float
    within: float
    vol: float
    quantiles: float


class Roots(NamedTuple):
    days: float
    forwards: tuple[float, float, float]  # SPX, XSP, SPY
    dividend: float  # of SPY, at its last price
    mini: Apart
    fund: Apart
    as_european: Apart  # SPY's quotes as they are
    no_dividend: Status  # de-Americanised with no dividend, and the forward of carry alone


@pytest.fixture(scope="module")
def surface(data_folder):
    path = data_folder / "options" / FILE
    if not path.exists():
        pytest.skip(f"no options/{FILE} in the data folder (set EVENTTAPE_DATA)")
    frame = read_option_quotes(path, at="2023-09-14T16:31-04:00").frame
    return {
        root: {chain.expiry_ns: chain for chain in chains(frame, underlying=root)}
        for root in ("SPX", "XSP", "SPY")
    }


@pytest.fixture(scope="module")
def all_roots(surface):
    common = sorted(set(surface["SPX"]) & set(surface["XSP"]) & set(surface["SPY"]))
    assert len(common) == 21
    found = [roots(surface, expiry) for expiry in common]
    return [each for each in found if each.days < NEXT_DIVIDEND_DAYS]


def parity(chain, bids, asks, near_money=None):
    strikes = np.unique(chain.strikes)
    sides = np.full((4, strikes.size), np.nan)
    for right, row in ((True, 0), (False, 2)):
        mine = chain.is_call == right
        at = np.searchsorted(strikes, chain.strikes[mine])
        sides[row, at], sides[row + 1, at] = bids[mine], asks[mine]
    return forward_from_parity(
        strikes, *sides, tau=chain.tau, rate=RATE, rate_error=0.003, near_money=near_money
    )


def density(chain, bids, asks, forward, forward_error):
    return fit_density(
        chain.strikes, chain.is_call, bids, asks, tau=chain.tau, forward=forward,
        forward_error=forward_error, discount=math.exp(-RATE * chain.tau),
    )  # fmt: skip


def of_quotes(chain):
    forward = parity(chain, chain.bids, chain.asks)
    return density(chain, chain.bids, chain.asks, forward.forward, forward.forward_error)


def european(chain, prepaid):
    """Bids and asks of the fund's options as European ones, at a prepaid forward."""
    quoted = np.where(chain.bids > 0.0, chain.bids, np.nan)
    made = deamericanise(
        quoted, chain.asks, prepaid, chain.strikes, chain.tau, RATE, 0.0, is_call=chain.is_call
    )
    tonight = chain.is_call & (chain.asks <= chain.underlying_price - chain.strikes + 0.1)
    return np.where(tonight, np.nan, made.bid), np.where(tonight, np.nan, made.ask)


def of_fund(chain):
    """The fund's density and its prepaid forward, with the dividend named."""
    known = Known(rate=RATE, rate_error=0.003, dividends=(DIVIDEND,))
    made = european_chain(chain, known, american=True)
    bids, asks = (np.where(made.at_exercise, np.nan, side) for side in (made.bids, made.asks))
    forward = parity(chain, bids, asks, near_money=0.03)
    prepaid = forward.forward * math.exp(-RATE * chain.tau)
    return density(chain, bids, asks, forward.forward, forward.forward_error), prepaid


def apart(first, second):
    assert first.status is Status.OK
    if second.status is Status.NOT_IDENTIFIED:  # its own pairs deny the forward
        return Apart(*(math.nan,) * 5)
    assert second.status in {Status.OK, Status.NOT_RESOLVED}
    spread = float(np.interp(first.forward, first.strikes, first.vol)) * math.sqrt(first.tau)
    m = np.exp(np.linspace(-8.0 * spread, 5.0 * spread, 1601))
    laws = [density_at(d.smile, m * d.forward) for d in (first, second)]
    p, q = (law.pdf * d.forward for law, d in zip(laws, (first, second), strict=True))
    e = np.hypot(laws[0].pdf_error * first.forward, laws[1].pdf_error * second.forward)
    seen, middle = p > 0.02 * p.max(), int(np.argmin(np.abs(m - 1.0)))
    prices = [quantiles(d.smile, PROBABILITIES).prices / d.forward for d in (first, second)]
    return Apart(
        float(np.trapezoid(np.abs(p - q), m)),
        float(np.trapezoid(e * math.sqrt(2.0 / math.pi), m)),
        float((np.abs(p - q) <= 1.96 * e)[seen].mean()),
        float(laws[1].vol[middle] - laws[0].vol[middle]),
        float(np.abs(prices[0] - prices[1]).max()),
    )


def roots(surface, expiry):
    index, mini, fund = (surface[root][expiry] for root in ("SPX", "XSP", "SPY"))
    of_index, of_mini = of_quotes(index), of_quotes(mini)
    true, prepaid = of_fund(fund)
    # Of the next day's expiry no forward is known well enough: its calls are exercised tonight
    assert of_mini.status is Status.OK
    assert true.status is Status.OK or fund.tau * 365.0 < 1.0
    spot = fund.underlying_price
    carried = density(fund, *european(fund, spot), spot * math.exp(RATE * fund.tau), 0.0)
    return Roots(
        fund.tau * 365.0,
        (of_index.forward, of_mini.forward, true.forward),
        spot - prepaid,
        apart(of_index, of_mini),
        apart(of_index, true),
        apart(of_index, of_quotes(fund)),
        carried.status,
    )


def test_one_expiry_of_five_weeks(surface):
    """L1 of .008 after de-Americanisation, .05 before; with the dividend forgotten, refused."""
    found = roots(surface, ONE)
    assert found.days == pytest.approx(35.98, abs=0.01)
    assert found.fund.distance < 0.012
    assert found.mini.distance < 0.015
    assert abs(found.fund.vol) < 2e-4
    assert found.fund.quantiles < 5e-4
    assert found.as_european.distance > 4.0 * found.fund.distance
    assert found.no_dividend is Status.NOT_IDENTIFIED  # its own pairs deny that forward
    assert found.dividend == pytest.approx(1.6, abs=0.15)


@pytest.mark.slow
def test_all_expiries_before_the_next_dividend(all_roots):
    """The table of the document; run with -s to see it."""
    lines = []
    for each in all_roots:
        index, mini, fund = each.forwards
        row = [
            f"{each.days:5.1f} {each.dividend:5.2f} {10 * mini / index:.5f} {index / fund:.4f}",
            *(
                f"| {a.distance:.4f} {a.noise:.4f} {a.within:.2f} {a.vol:+.4f} {a.quantiles:.5f}"
                for a in each[3:6]
            ),
        ]
        lines.append(" ".join(row))
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert len(all_roots) == 17
    week = [each for each in all_roots if each.days > 3.0]
    fund, mini = ([getattr(each, name) for each in week] for name in ("fund", "mini"))
    assert max(a.distance for a in fund) < 0.03
    assert np.median([a.distance for a in fund]) < 0.016
    assert np.median([a.distance for a in mini]) < 0.025
    assert max(a.distance for a in mini) < 0.07
    assert max(a.quantiles for a in fund) < 0.002
    month = [each.fund for each in all_roots if each.days > 20.0]
    assert max(abs(a.vol) for a in month) < 1e-3


@pytest.mark.slow
def test_bands_of_one_chain_do_not_cover_another_chain(all_roots):
    """Two or three times the errors lie between roots: what a root shares, its errors miss."""
    for name in ("mini", "fund"):
        both = [getattr(each, name) for each in all_roots]
        ratio = np.nanmedian([a.distance / a.noise for a in both])
        assert 1.3 < ratio < 3.0
        assert 0.5 < np.nanmedian([a.within for a in both]) < 0.9


@pytest.mark.slow
def test_what_is_made_by_not_knowing(all_roots):
    """Early exercise taken for European: two to ten times as far; no dividend: no density."""
    week = [each for each in all_roots if each.days > 5.5]
    raw = np.array([each.as_european.distance / each.fund.distance for each in week])
    refused = np.isnan([each.as_european.distance for each in all_roots])
    raw = raw[np.isfinite(raw)]
    sys.stdout.write(f"\n{refused.sum()} of {refused.size} refused as European ones\n")
    assert {each.no_dividend for each in all_roots} == {Status.NOT_IDENTIFIED}
    assert raw.min() > 1.2
    assert np.median(raw) > 2.0


@pytest.mark.slow
def test_forwards_of_the_three_roots(all_roots):
    """The mini is a tenth to 1.5e-4; the fund's ratio falls as the index pays dividends."""
    for each in all_roots:
        index, mini, fund = each.forwards
        assert 10.0 * mini / index == pytest.approx(1.0, abs=1.5e-4)
        assert 10.01 < index / fund < 10.042
    assert np.median([each.dividend for each in all_roots]) == pytest.approx(1.61, abs=0.1)
