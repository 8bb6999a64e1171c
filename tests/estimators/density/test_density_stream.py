"""A stream against a refit of all its quotes at the same hyper-parameters, after whatever happens.

Two other roads: a stream started anew from the current quotes (bit for bit the same kernels in
another order), and the plain road of density_worlds, which shares no algebra with it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimators.density.density_worlds import chain_of, fitted, plain_law, quotes_of
from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.smile_observations import QuoteFate
from eventtape.estimators.density.stream import DensityStream

TICK = 0.01
CHAINS = (chain_of("mixture", 0), chain_of("skewed", 1))
FITS = tuple(fitted(chain) for chain in CHAINS)
COMMON = {"derandomize": True, "deadline": None}


def started(rate=math.nan, chains=CHAINS, fits=FITS):
    return DensityStream.start(
        fits,
        [c.strikes for c in chains],
        [c.is_call for c in chains],
        [quotes_of(c) for c in chains],
        tick=TICK,
        rate=rate,
    )


class World(NamedTuple):
    """What a stream should know of one chain, kept by hand beside it."""

    contracts: dict  # number -> (strike, is_call, quote)
    forward: float
    discount: float
    tau: float


def world_of(c, first):
    chain = CHAINS[c]
    listed = {
        first + i: (float(K), bool(call), quotes_of(chain)[:, i])
        for i, (K, call) in enumerate(zip(chain.strikes, chain.is_call, strict=True))
    }
    return World(listed, 100.0, 1.0, chain.tau)


def hyper_of(c, world):
    """Held in volatility: v_0 goes with the root of the time."""
    hyper = FITS[c].hyper
    return hyper._replace(reference=hyper.reference * math.sqrt(world.tau / CHAINS[c].tau))


def columns(world):
    rows = list(world.contracts.values())
    return (
        np.array([r[0] for r in rows]),
        np.array([r[1] for r in rows]),
        np.array([r[2] for r in rows]).T,
    )


def restarted(c, world):
    """The law of a new stream of the current quotes, at the first fit's hyper-parameters."""
    strikes, is_call, quotes = columns(world)
    hyper = hyper_of(c, world)
    x = np.log(FITS[c].strikes / FITS[c].forward) / FITS[c].hyper.reference
    density = FITS[c]._replace(
        forward=world.forward, discount=world.discount, tau=world.tau, hyper=hyper,
        strikes=world.forward * np.exp(x * hyper.reference),
        report=FITS[c].report._replace(fates=np.zeros(strikes.size, np.int8)),
    )  # fmt: skip
    stream = DensityStream.start([density], [strikes], [is_call], [quotes], tick=TICK)
    return stream.law(0), stream.smile(0)


def agrees(stream, c, world, *, plainly=False):
    strikes, pdf, cdf, vol = stream.law(c)
    (other_strikes, *others), smile = restarted(c, world)
    peak = np.nanmax(pdf)
    assert np.isfinite(pdf).all()
    assert strikes == pytest.approx(other_strikes, rel=1e-12)
    for met, wanted, unit in zip((pdf, cdf, vol), others, (peak, 1.0, 1.0), strict=True):
        assert np.abs(met - wanted).max() < 1e-9 * unit
    mine, wanted = (density_at(s, strikes) for s in (stream.smile(c), smile))
    for part in ("pdf_error", "cdf_error", "vol_error"):
        errors = getattr(wanted, part)
        assert np.abs(getattr(mine, part) - errors).max() < 1e-9 * errors.max()
    if plainly:
        plain = plain_law(
            hyper_of(c, world), FITS[c].smile.coefficients.size + 1, *columns(world), tick=TICK,
            forward=world.forward, discount=world.discount, tau=world.tau, at=strikes,
        )  # fmt: skip
        assert np.abs(pdf - plain.pdf).max() < 1e-9 * peak
        assert np.abs(cdf - plain.cdf).max() < 1e-9
        assert np.abs(vol - plain.vol).max() < 1e-9
        assert mine.vol_error == pytest.approx(plain.vol_error, rel=1e-7)


def happens(stream, c, world, kind, rng):
    """One thing happens to chain c, in the stream and in the world kept by hand."""
    listed = world.contracts
    number = int(rng.choice(list(listed)))
    K, call, quote = listed[number]
    if kind == "quote":
        shift = TICK * rng.integers(-3, 4)
        new = quote + np.array([shift, shift, 0.0, 0.0])
        new[0] = max(new[0], 0.0)
    elif kind == "size":
        new = np.concatenate([quote[:2], rng.integers(1, 500, 2)])
    elif kind == "no size":
        new = np.concatenate([quote[:2], [math.nan, math.nan]])
    elif kind == "zero bid":
        new = np.concatenate([[0.0], quote[1:]])
    elif kind == "gone":
        new = np.full(4, math.nan)
    elif kind == "crossed":
        new = np.array([quote[1] + 0.05, quote[0], *quote[2:]])
    elif kind == "back":
        first = 0 if c == 0 else CHAINS[0].strikes.size
        origin = number - first
        new = quotes_of(CHAINS[c])[:, origin] if origin < CHAINS[c].strikes.size else quote
    else:
        return structure(stream, c, world, kind, rng)
    stream.step([number], new[:, None])
    listed[number] = (K, call, new)
    return world


def structure(stream, c, world, kind, rng):
    listed = world.contracts
    if kind == "listed":
        K, call = float(np.round(rng.uniform(80.0, 120.0), 4)), bool(rng.random() < 0.5)
        near = min(listed.values(), key=lambda row: abs(row[0] - K) + 1e3 * (row[1] != call))
        number = stream.add(c, K, call, near[2])
        assert number not in listed
        listed[number] = (K, call, near[2].copy())
    elif kind == "delisted":
        number = int(rng.choice(list(listed)))
        stream.remove(number)
        del listed[number]
    elif kind == "forward":
        world = world._replace(forward=world.forward * math.exp(rng.normal(0.0, 0.004)))
        stream.move(c, forward=world.forward)
    elif kind == "time":
        world = world._replace(tau=world.tau * rng.uniform(0.9, 1.0))
        stream.move(c, tau=world.tau)
    elif kind == "discount":
        world = world._replace(discount=rng.uniform(0.99, 1.01))
        stream.move(c, discount=world.discount)
    else:
        raise AssertionError(kind)
    return world


KINDS = (
    "quote", "size", "no size", "zero bid", "gone", "crossed", "back", "listed", "delisted",
    "forward", "time", "discount",
)  # fmt: skip


@pytest.mark.parametrize("c", [0, 1])
def test_a_stream_begins_with_the_fits_own_law(c):
    stream = started()
    strikes, pdf, cdf, vol = stream.law(c)
    fit = FITS[c]
    assert fit.status is Status.OK
    assert strikes == pytest.approx(fit.strikes, rel=1e-13)
    assert np.abs(pdf - fit.pdf).max() < 1e-12 * fit.pdf.max()
    assert np.abs(cdf - fit.cdf).max() < 1e-12
    assert np.abs(vol - fit.vol).max() < 1e-12
    at = density_at(stream.smile(c), strikes)
    assert at.pdf_error == pytest.approx(fit.pdf_error, rel=1e-7, abs=1e-15)
    assert at.cdf_error == pytest.approx(fit.cdf_error, rel=1e-7, abs=1e-15)
    assert at.vol_error == pytest.approx(fit.vol_error, rel=1e-9)


@settings(max_examples=60, **COMMON)
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1)), min_size=1, max_size=12),
    st.integers(0, 10**6),
)
def test_whatever_happens_the_law_is_that_of_all_current_quotes(story, seed):
    stream, rng = started(), np.random.default_rng(seed)
    worlds = [world_of(0, 0), world_of(1, CHAINS[0].strikes.size)]
    for kind, c in story:
        worlds[c] = happens(stream, c, worlds[c], kind, rng)
        agrees(stream, c, worlds[c])
    for c in (0, 1):
        agrees(stream, c, worlds[c])


@pytest.mark.parametrize("kind", KINDS)
def test_each_thing_by_the_plain_road(kind):
    stream, rng = started(), np.random.default_rng(5)
    world = world_of(1, CHAINS[0].strikes.size)
    before = stream.law(1)[1].copy()
    for _ in range(3):
        world = happens(stream, 1, world, kind, rng)
    agrees(stream, 1, world, plainly=True)
    moved = np.abs(stream.law(1)[1] - before).max()
    assert moved > 0.0 or kind == "back"  # back: to where it was


def test_a_forward_across_a_strike_changes_the_quotes_sides():
    stream, world = started(), world_of(0, 0)
    strikes = CHAINS[0].strikes
    above = strikes[strikes > 100.0].min()
    for forward in (above + 0.2, above, above - 1e-9, 100.0):
        stream.move(0, forward=forward)
        world = world._replace(forward=float(forward))
        agrees(stream, 0, world, plainly=True)


def test_time_keeps_the_volatility_and_the_rate_the_discount():
    stream = started(rate=0.05)
    world, tau = world_of(0, 0), 0.5 * CHAINS[0].tau
    stream.move(0, tau=tau)
    world = world._replace(tau=tau, discount=math.exp(-0.05 * tau))
    agrees(stream, 0, world, plainly=True)
    assert stream.state.numbers[0, 1] == world.discount


def random_quotes(n, seed=0):
    """Contracts and quotes of both chains: a tick or two about the first, sizes anew, some gone."""
    rng = np.random.default_rng(seed)
    first = np.hstack([quotes_of(c) for c in CHAINS])
    contracts = rng.integers(0, first.shape[1], n)
    quotes = first[:, contracts]
    quotes[:2] += TICK * rng.integers(-1, 2, n)
    quotes[0] = np.maximum(np.round(quotes[0], 2), 0.0)
    quotes[2:] = rng.integers(1, 51, (2, n))
    quotes[:, rng.random(n) < 0.02] = math.nan
    return contracts, quotes


def by_hand(contracts, quotes):
    worlds = [world_of(0, 0), world_of(1, CHAINS[0].strikes.size)]
    for number, quote in zip(contracts.tolist(), quotes.T, strict=True):
        listed = worlds[0 if number in worlds[0].contracts else 1].contracts
        listed[number] = (*listed[number][:2], quote)
    return worlds


def test_twenty_thousand_quotes_leave_no_drift():
    stream = started()
    contracts, quotes = random_quotes(20_000)
    stream.step(contracts, quotes)
    for c, world in enumerate(by_hand(contracts, quotes)):
        agrees(stream, c, world, plainly=True)


@pytest.mark.parametrize("chunk", [1, 7, 999, 1000, 1001])
def test_any_chunking_is_bit_equal(chunk):
    contracts, quotes = random_quotes(2_500, seed=1)
    whole, cut = started(), started()
    whole.step(contracts, quotes)
    for at in range(0, contracts.size, chunk):
        cut.step(contracts[at : at + chunk], quotes[:, at : at + chunk])
    same(whole.state, cut.state)


def same(state, other):
    for name, met, wanted in zip(state._fields, state, other, strict=True):
        assert np.array_equal(met, wanted, equal_nan=met.dtype.kind == "f"), name


def test_densities_at_the_end_are_those_kept_current():
    contracts, quotes = random_quotes(1_500, seed=2)
    each, late = started(), started()
    each.step(contracts, quotes)
    late.step(contracts, quotes, each=False)
    same(each.state, late.state)


def test_quotes_of_chains_may_come_in_any_mixture():
    """What happens to one chain is nothing to the other."""
    contracts, quotes = random_quotes(800, seed=3)
    mixed, apart = started(), started()
    mixed.step(contracts, quotes)
    n = CHAINS[0].strikes.size
    for on in (contracts >= n, contracts < n):
        apart.step(contracts[on], quotes[:, on])
    same(mixed.state, apart.state)


def test_a_snapshot_goes_on_bit_for_bit():
    contracts, quotes = random_quotes(1_200, seed=4)
    stream = started()
    stream.step(contracts[:600], quotes[:, :600])
    stream.move(0, forward=100.3)
    kept = stream.snapshot()
    stream.step(contracts[600:], quotes[:, 600:])
    again = DensityStream.restored(kept)
    again.step(contracts[600:], quotes[:, 600:])
    same(stream.state, again.state)
    # Neither the snapshot nor what was restored shares memory with the other
    once_more = DensityStream.restored(kept)
    once_more.step(contracts[600:], quotes[:, 600:])
    same(stream.state, once_more.state)


UNTYPED = pytest.mark.xfail(
    reason="numpy makes an empty list one of floats, which no contract is", strict=True
)


@pytest.mark.parametrize(
    "none",
    [pytest.param([], marks=UNTYPED), np.empty(0, np.int64)],
    ids=["list", "array"],
)
def test_an_empty_batch_changes_nothing(none):
    stream = started()
    kept = stream.snapshot()
    stream.step(none, np.empty((4, 0)))
    same(stream.state, kept)


def test_an_outlier_stays_out_until_it_changes():
    chain = CHAINS[0]
    quotes = quotes_of(chain)
    i = int(np.flatnonzero((chain.strikes > 108.0) & chain.is_call)[0])
    good = quotes[:, i].copy()
    quotes[:2, i] = good[:2] * 2.0
    broken = chain._replace(bids=quotes[0], asks=quotes[1])
    fit = fitted(broken)
    assert fit.report.fates[i] == QuoteFate.OUTLIER
    stream = started(chains=[broken], fits=[fit])
    assert np.abs(stream.law(0)[1] - fit.pdf).max() < 1e-12 * fit.pdf.max()
    stream.step([i - 2], quotes[:, i - 2 : i - 1])
    assert np.abs(stream.law(0)[1] - fit.pdf).max() < 1e-9 * fit.pdf.max()
    assert stream.state.fates[i] == QuoteFate.OUTLIER
    stream.step([i], good[:, None])
    assert stream.state.fates[i] == QuoteFate.USED
    wanted = plain_law(
        fit.hyper, fit.smile.coefficients.size + 1, chain.strikes, chain.is_call,
        quotes_of(chain), forward=100.0, discount=1.0, tick=TICK, tau=chain.tau, at=fit.strikes,
    )  # fmt: skip
    assert np.abs(stream.law(0)[1] - wanted.pdf).max() < 1e-9 * wanted.pdf.max()


def test_an_outlier_stays_out_when_the_forward_moves():
    chain = CHAINS[0]
    quotes = quotes_of(chain)
    i = int(np.flatnonzero((chain.strikes > 108.0) & chain.is_call)[0])
    quotes[:2, i] *= 2.0
    broken = chain._replace(bids=quotes[0], asks=quotes[1])
    stream = started(chains=[broken], fits=[fitted(broken)])
    stream.move(0, forward=100.01)
    assert stream.state.fates[i] == QuoteFate.OUTLIER
    stream.move(0, tau=0.9 * chain.tau)
    assert stream.state.fates[i] == QuoteFate.OUTLIER


def test_refit_is_a_new_start():
    contracts, quotes = random_quotes(300, seed=6)
    stream = started()
    stream.step(contracts, quotes)
    world = by_hand(contracts, quotes)[1]
    strikes, is_call, now = columns(world)
    later = CHAINS[1]._replace(
        strikes=strikes, is_call=is_call, bids=now[0], asks=now[1], bid_sizes=now[2],
        ask_sizes=now[3],
    )  # fmt: skip
    cold = fitted(later)
    stream.refit(1, cold)
    assert np.abs(stream.law(1)[1] - cold.pdf).max() < 1e-12 * cold.pdf.max()
    assert stream.law(1)[0] == pytest.approx(cold.strikes, rel=1e-13)


def test_refit_may_find_another_number_of_columns():
    """A wing that goes leaves fewer cosines; what is beyond them in the arrays is not read."""
    stream = started()
    chain = CHAINS[1]
    quotes = quotes_of(chain)
    far = np.abs(np.log(chain.strikes / 100.0)) > 0.15
    quotes[:, far] = math.nan
    later = chain._replace(bids=quotes[0], asks=quotes[1], bid_sizes=quotes[2], ask_sizes=quotes[3])
    cold = fitted(later)
    assert cold.smile.coefficients.size < FITS[1].smile.coefficients.size
    numbers = stream.contracts(1)
    stream.step(numbers, quotes)
    stream.refit(1, cold)
    assert np.abs(stream.law(1)[1] - cold.pdf).max() < 1e-12 * cold.pdf.max()
    stream.step(numbers[60:62], quotes_of(chain)[:, 60:62])
    assert np.isfinite(stream.law(1)[1]).all()


@pytest.mark.parametrize("bad", [-1, 240, 10**6])
def test_an_unknown_contract_is_an_error_and_changes_nothing(bad):
    stream = started()
    kept = stream.snapshot()
    with pytest.raises(InputError, match="contract of this stream") as raised:
        stream.step([3, bad], quotes_of(CHAINS[0])[:, :2])
    assert raised.value.row == 2
    assert raised.value.met == bad
    same(stream.state, kept)


def test_a_removed_contract_takes_no_quotes():
    stream = started()
    stream.remove(7)
    assert 7 not in stream.contracts(0)
    with pytest.raises(InputError, match="contract of this stream"):
        stream.step([7], quotes_of(CHAINS[0])[:, :1])
    with pytest.raises(InputError, match="contract of this stream"):
        stream.remove(7)
    number = stream.add(0, CHAINS[0].strikes[7], bool(CHAINS[0].is_call[7]), [0.01, 0.03, 5, 5])
    assert number == 240


@pytest.mark.parametrize("shape", [(4, 1), (2, 4), (4,), (3, 2), (4, 3)])
def test_quotes_of_another_shape_are_an_error(shape):
    with pytest.raises(InputError, match="shape"):
        started().step([0, 1], np.ones(shape))


def test_chains_and_contracts_are_checked():
    stream = started()
    calls = (
        lambda: stream.law(2),
        lambda: stream.smile(-1),
        lambda: stream.move(5, forward=100.0),
        lambda: stream.add(2, 100.0, True, [1.0, 1.1, 1.0, 1.0]),
        lambda: stream.refit(2, FITS[0]),
    )
    for call in calls:
        with pytest.raises(InputError, match="a chain from 0 to 1"):
            call()
    for bad in (0.0, -1.0, math.nan, math.inf):
        for name in ("forward", "tau", "discount"):
            with pytest.raises(InputError, match="positive"):
                stream.move(0, **{name: bad})
        with pytest.raises(InputError, match="positive strike"):
            stream.add(0, bad, True, [1.0, 1.1, 1.0, 1.0])
    with pytest.raises(InputError, match="not yet listed"):
        stream.add(0, CHAINS[0].strikes[4], bool(CHAINS[0].is_call[4]), [1.0, 1.1, 1.0, 1.0])
    with pytest.raises(InputError, match="a fit of 120 contracts"):
        stream.refit(0, FITS[0]._replace(status=Status.TOO_FEW))


def test_a_stream_needs_fitted_chains():
    with pytest.raises(InputError, match="at least one chain"):
        DensityStream.start([], [], [], [], tick=TICK)
    refused = fitted(CHAINS[0]._replace(bids=0.0 * CHAINS[0].bids))
    with pytest.raises(InputError, match="was fitted") as raised:
        started(fits=[FITS[0], refused])
    assert raised.value.row == 2


def test_a_chain_without_quotes_has_no_law():
    stream = started()
    numbers = stream.contracts(0)
    stream.step(numbers, np.full((4, numbers.size), math.nan))
    assert all(np.isnan(part).all() for part in stream.law(0)[1:])
    assert stream.status(0) is Status.TOO_FEW
    assert stream.status(1) is Status.OK
    assert np.isfinite(stream.law(1)[1]).all()


def test_a_law_goes_with_the_fifth_quote_and_comes_back_with_it():
    stream, (chain, fit) = started(), (CHAINS[0], FITS[0])
    quotes, used = quotes_of(chain), np.flatnonzero(fit.report.fates == QuoteFate.USED)
    stream.step(used[5:], np.full((4, used.size - 5), math.nan))
    assert stream.status(0) is Status.OK
    assert np.isfinite(stream.law(0)[1]).all()
    stream.step(used[4:5], np.full((4, 1), math.nan))
    assert stream.status(0) is Status.TOO_FEW
    assert np.isnan(stream.law(0)[1]).all()
    stream.step(used, quotes[:, used])
    assert stream.status(0) is Status.OK
    assert np.abs(stream.law(0)[1] - fit.pdf).max() < 1e-9 * fit.pdf.max()


def test_errors_of_a_parity_forward_go_on():
    fit = fitted(CHAINS[0], forward=None, discount=None)
    assert fit.forward_error > 0.0
    smile = started(chains=CHAINS[:1], fits=[fit]).smile(0)
    assert smile.forward_error == fit.forward_error
    assert density_at(smile, fit.strikes).cdf_error == pytest.approx(fit.cdf_error, rel=1e-7)


def bad_start(**changed):
    chain = CHAINS[0]
    given = {
        "densities": [FITS[0]], "strikes": [chain.strikes], "is_call": [chain.is_call],
        "quotes": [quotes_of(chain)], "tick": TICK,
    } | changed  # fmt: skip
    return DensityStream.start(**given)


@pytest.mark.parametrize(
    "what", ["one quote for all", "a quote short", "strikes short", "a chain short", "tick nan"]
)
def test_a_start_of_other_shapes_is_an_error(what):
    chain, quotes = CHAINS[0], quotes_of(CHAINS[0])
    changed = {
        "one quote for all": {"quotes": [quotes[:, 60:61]]},
        "a quote short": {"quotes": [quotes[:, :-1]]},
        "strikes short": {
            "strikes": [chain.strikes[:-2]], "is_call": [chain.is_call[:-2]],
            "quotes": [quotes[:, :-2]],
        },
        "a chain short": {"densities": [FITS[0], FITS[0]]},
        "tick nan": {"tick": math.nan},
    }  # fmt: skip
    with pytest.raises(InputError):
        bad_start(**changed[what])


@pytest.mark.parametrize("what", ["contract 1.7", "quote of two", "another grid"])
def test_a_step_of_another_kind_is_an_error(what):
    stream = started()
    calls = {
        "contract 1.7": lambda: stream.step([1.7], quotes_of(CHAINS[0])[:, :1]),
        "quote of two": lambda: stream.add(0, 101.123, True, [1.0, 1.1]),
        "another grid": lambda: stream.refit(0, fitted(CHAINS[0], at=[90.0, 100.0])),
    }
    with pytest.raises(InputError):
        calls[what]()
