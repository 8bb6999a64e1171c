"""Live densities: the study of densities at every time of a grid, whatever way the rows come."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.arrays import Status
from eventtape.clock import SECOND
from eventtape.errors import InputError
from eventtape.estimators.density.density_quantities import density_at
from eventtape.estimators.density.fit import fit_density
from eventtape.estimators.density.smile_observations import QuoteFate
from eventtape.estimators.density.stream import DensityStream
from eventtape.simulate.option_frame import option_frame
from eventtape.stream.answers import DENSITY
from eventtape.stream.density import LAWS_FRAME, DensityFold
from eventtape.stream.density_quotes import COLUMNS, chains_of, standing
from eventtape.stream.density_rows import laws_of
from eventtape.stream.fold import Slice
from eventtape.studies import densities
from eventtape.tape.chains import chains
from stream.option_nights import STEP, batches, equal, is_nan, night, nodes, shifted, stamp
from stream.parity_runs import check_parity, plain


@pytest.fixture(scope="module")
def quiet():
    """Six snapshots of one chain of 20 strikes, seed 3."""
    frame, _, made = night(3, snapshots=6)
    return frame, made


def stamps():
    return pl.col("ts").to_physical()


def answered(frame, fold, *, upto=None):
    """The density rows of a frame given whole."""
    last = frame["ts"].to_physical().max() + 1 if upto is None else upto
    state, said = fold.step(fold.start(), Slice(last, {"opt": frame}))
    none = pl.DataFrame(schema=dict(DENSITY))
    return state, none if said is None else said.frames["density"]


def studied(each, **options):
    """What the study of densities says of these chains."""
    return densities.run(each, densities.DensitiesConfig(**options)).chains


def as_of(frame, at):
    return chains(frame.filter(stamps() <= at), at=int(at))


def one_each(frame, **values):
    """Every contract's first quote, with columns replaced."""
    first = frame.filter(stamps() == stamp(frame))
    return first.with_columns(**values)


@pytest.mark.parametrize("at_row", [0.4, 1.0])
def test_chains_are_those_of_the_tape(at_row, quiet):
    one = quiet[0]
    rng = np.random.default_rng(8)
    whole = pl.concat(
        [
            one,
            shifted(one, underlying="A", days=7, ns=40 * SECOND),
            shifted(one, days=7, ns=SECOND).with_columns(style=pl.lit("american")),
            shifted(one, days=-9.96, ns=3 * SECOND).with_columns(settlement=pl.lit("inverse")),
        ]
    ).sort("ts", maintain_order=True)
    whole = whole.filter(pl.Series(rng.random(whole.height) < 0.4))
    sizes = np.where(rng.random(whole.height) < 0.5, np.nan, 9.0)
    whole = whole.with_columns(
        underlying_price=pl.Series(rng.choice([98.0, 99.0, 101.0], whole.height)),
        bid_size=pl.Series(sizes).fill_nan(None),
    )
    at = int(whole["ts"].to_physical()[int(at_row * (whole.height - 1))])
    age = 1300 * SECOND
    wanted = chains(whole, at=at, max_age_s=age / SECOND)
    rows = whole.filter(stamps() <= at).select(COLUMNS)
    found = chains_of(standing(rows, at, age), at)
    assert [c[:5] for c in found] == [c[:5] for c in wanted if c.strikes.size]
    for mine, theirs in zip(found, [c for c in wanted if c.strikes.size], strict=True):
        assert mine.tau == theirs.tau
        for i in range(7, 14):
            assert equal(mine[i], theirs[i]), mine._fields[i]
    kept = whole.filter(stamps() <= at).unique("symbol", keep="last", maintain_order=True)
    for chain in found:  # the newest price of the underlying, any of those of one stamp
        mine = kept.filter(
            underlying=chain.underlying, style=chain.style, settlement=chain.settlement
        ).filter(pl.col("expiry").to_physical() == chain.expiry_ns)
        newest = mine.filter(stamps() == mine["ts"].to_physical().max())
        assert chain.underlying_price in newest["underlying_price"].to_list()


def test_a_cold_row_is_the_study_of_densities(quiet):
    frame, made = quiet
    _, rows = answered(frame, DensityFold(("opt",), every_ns=STEP, refit_ns=1))
    assert rows["ts"].to_physical().to_list() == made.times_ns.tolist()
    assert rows.schema == dict(DENSITY)
    for row, at in zip(rows.iter_rows(named=True), made.times_ns, strict=True):
        study = studied(as_of(frame, at))[0]
        law = study.density
        assert (row["status"], study.status) == ("ok", Status.OK)
        assert row["chain"] == "SIM 2024-11-15T12:00Z"
        assert len(row["strikes"]) == 101
        assert equal(row["strikes"], law.strikes[::2])
        assert equal(row["pdf"], law.pdf[::2])
        half = 1.959963984540054 * law.pdf_error[::2]
        assert equal(row["pdf_lower"], law.pdf[::2] - half)
        assert equal(row["pdf_upper"], law.pdf[::2] + half)
        assert row["tau"] == law.tau
        assert row["forward"] == law.forward
        assert row["forward_error"] == law.forward_error
        assert row["quotes"] == law.report.quotes_used
        assert row["vol"] == study.atm_vol
        assert row["vol_error"] == study.atm_vol_error
        moments = study.moments.price
        assert row["sd"] == pytest.approx(moments.sd, rel=1e-9, abs=0.0)
        assert row["mean"] == pytest.approx(moments.mean, rel=1e-9, abs=0.0)


def test_several_expiries_with_the_rate_the_study_was_given():
    frame = option_frame(2).frame
    at = stamp(frame)
    _, rows = answered(frame, DensityFold(("opt",), every_ns=SECOND, rate=0.04))
    study = studied(chains(frame), rate=0.04)
    assert rows.height == len(study) == 4
    for row, one in zip(rows.iter_rows(named=True), study, strict=True):
        assert row["chain"].startswith("SIM 2000-")
        assert row["ts"].timestamp() == at // SECOND
        assert equal(row["pdf"], one.density.pdf[::2])


def by_hand(frame, at, cold_at):
    """Density and band of the quotes at ``at``, the hyper-parameters of ``cold_at`` held."""
    before, now = (as_of(frame, t)[0] for t in (cold_at, at))
    first = studied([before])[0].density
    known = studied([now])[0].european.forward
    wider = np.sqrt(now.tau / before.tau)
    x = np.log(first.strikes / first.forward)
    fates = np.where(first.report.fates == QuoteFate.OUTLIER, QuoteFate.OUTLIER, 0).astype(np.int8)
    changed = (before.bids != now.bids) | (before.asks != now.asks)
    fates[changed] = 0  # an outlier comes in again when it changes
    held = first._replace(
        forward=known.forward, forward_error=known.forward_error, discount=known.discount,
        tau=now.tau, strikes=known.forward * np.exp(wider * x),
        hyper=first.hyper._replace(reference=first.hyper.reference * wider),
        report=first.report._replace(fates=fates),
    )  # fmt: skip
    quotes = np.stack([now.bids, now.asks, now.bid_sizes, now.ask_sizes])
    stream = DensityStream.start([held], [now.strikes], [now.is_call], [quotes], tick=0.01)
    return density_at(stream.smile(0), held.strikes), held


def test_between_cold_fits_the_row_is_a_refit_at_held_hyper_parameters(quiet):
    frame, made = quiet
    fold = DensityFold(("opt",), every_ns=STEP, refit_ns=STEP * 4, refit_sds=5.0)
    _, rows = answered(frame, fold)
    cold = {0: 0, 1: 0, 2: 0, 3: 0, 4: 4, 5: 4}
    for i, row in enumerate(rows.iter_rows(named=True)):
        law, held = by_hand(frame, made.times_ns[i], made.times_ns[cold[i]])
        top = law.pdf.max()
        assert np.allclose(row["strikes"], held.strikes[::2], rtol=1e-12, atol=0.0)
        assert np.abs(row["pdf"] - law.pdf[::2]).max() < 1e-9 * top
        high = law.pdf + 1.959963984540054 * law.pdf_error
        assert np.abs(row["pdf_upper"] - high[::2]).max() < 1e-9 * top
        fresh = studied(as_of(frame, made.times_ns[i]))[0].density
        assert equal(row["pdf"], fresh.pdf[::2]) is (cold[i] == i)


def fitted_times(frame, fold):
    """When each row's smile was last fitted cold."""
    state, out = fold.start(), []
    for part in frame.partition_by("ts", maintain_order=True):
        state, _ = fold.step(state, Slice(stamp(part) + 1, {"opt": part}))
        out += [one.fitted_ns for one in state.held.values()]
    return out


def test_a_forward_that_moves_is_fitted_cold(quiet):
    frame, made = quiet
    wanted, forward, width = [], np.nan, np.nan
    for at in made.times_ns.tolist():
        study = studied(as_of(frame, at))[0]
        if not wanted or abs(np.log(study.european.forward.forward / forward)) > 0.02 * width:
            wanted.append(at)
            forward, width = study.density.forward, study.density.hyper.reference
        else:
            wanted.append(wanted[-1])
    assert 1 < len(set(wanted)) < 6
    still = DensityFold(("opt",), every_ns=STEP, refit_ns=100 * STEP)
    assert fitted_times(frame, still) == [wanted[0]] * 6
    moving = DensityFold(("opt",), every_ns=STEP, refit_ns=100 * STEP, refit_sds=0.02)
    assert fitted_times(frame, moving) == wanted


def test_a_new_contract_is_fitted_cold_and_a_gone_one_is_not(quiet):
    frame, made = quiet
    times = made.times_ns.tolist()
    whole = as_of(frame, times[0])[0]
    used = studied([whole])[0].density.report.fates == QuoteFate.USED
    last = whole.frame["symbol"][int(np.flatnonzero(used)[8])]
    late = frame.filter((pl.col("symbol") != last) | (times[3] <= stamps()))
    fold = DensityFold(("opt",), every_ns=STEP, refit_ns=100 * STEP, max_age_ns=STEP + 1)
    assert fitted_times(late, fold) == [times[0]] * 3 + [times[3]] * 3
    early = frame.filter((pl.col("symbol") != last) | (times[3] > stamps()))
    assert fitted_times(early, fold) == [times[0]] * 6
    _, rows = answered(early, fold)
    _, all_of_them = answered(frame, fold)
    gone = (all_of_them["quotes"] - rows["quotes"]).to_list()
    assert gone == [0, 0, 0, 0, 1, 1]  # the last quote stands for a step
    assert len(laws_of(_laws(early, fold))[-1].strikes) == 39


def _laws(frame, fold):
    last = frame["ts"].to_physical().max() + 1
    return fold.step(fold.start(), Slice(last, {"opt": frame}))[1].frames[LAWS_FRAME]


def test_a_law_comes_back_from_its_row_to_the_bit(quiet):
    frame, made = quiet
    fold = DensityFold(("opt",), every_ns=STEP, refit_ns=1)
    law = laws_of(_laws(frame, fold))[2]
    want = studied(as_of(frame, made.times_ns[2]))[0].density
    for a, b in zip(law.density.smile, want.smile, strict=True):
        assert equal(a, b)
    assert law.density.tails[:2] == want.tails[:2]
    assert equal(law.density.pdf, want.pdf[::2])
    assert law.density.status is want.status


def refused(frame, words, **options):
    _, rows = answered(frame, DensityFold(("opt",), every_ns=STEP, **options))
    row = rows.row(-1, named=True)
    assert row["status"] == words
    assert is_nan(row["mean"], row["sd"], row["vol"], row["vol_error"])
    assert row["strikes"] == row["pdf"] == row["pdf_lower"] == []


def test_what_has_no_density_says_why(quiet):
    frame = one_each(quiet[0])
    american = frame.with_columns(style=pl.lit("american"))
    refused(
        american,
        "not resolved: american exercise: its premia come off in the study of densities, not live",
    )
    both = frame.filter(pl.col("bid").is_not_null())
    refused(both.head(2), "too few observations: 2 quotes with both sides")
    pairs = frame.filter(pl.col("strike").is_between(96.0, 104.0))
    refused(pairs, "too few observations: under five quotes with a volatility")
    again = frame.with_columns(symbol=pl.lit("again ") + pl.col("symbol"))
    first = frame.sort("strike", "is_call", descending=[False, True]).row(0, named=True)
    twice = f"not identified: the call at {first['strike']:g} is listed twice"
    refused(pl.concat([frame, again]), twice)
    calls = frame.filter("is_call")
    refused(calls, "not identified: no strike has both a call and a put, and no spot is known")
    broken = frame.with_columns(
        pl.when("is_call").then(pl.col(side) + pl.col("strike") % 7.0).otherwise(side).alias(side)
        for side in ("bid", "ask")
    )
    refused(broken, "not resolved: calls and puts do not agree on one forward")
    level = frame.with_columns(bid=pl.lit(5.0), ask=pl.lit(5.5))
    refused(level, _words(level))


def _words(frame):
    """Status and reason in the study's words."""
    one = studied(chains(frame))[0]
    assert not one.found
    return f"{one.status}: {one.reason}"


def test_crossed_and_zero_quotes_are_left_out_as_in_the_study(quiet):
    frame = one_each(quiet[0])
    bad = frame.with_row_index().with_columns(
        bid=pl.when(pl.col("index") % 9 == 2)
        .then(pl.col("ask") + 0.1)
        .when(pl.col("index") % 9 == 5)
        .then(None)
        .otherwise("bid")
    )
    bad = bad.drop("index")
    _, rows = answered(bad, DensityFold(("opt",), every_ns=STEP))
    law = studied(chains(bad))[0].density
    assert equal(rows["pdf"][0], law.pdf[::2])
    assert rows["quotes"][0] == law.report.quotes_used < 25


def test_calls_alone_take_the_spot_as_the_study_does(quiet):
    calls = one_each(quiet[0]).filter("is_call").with_columns(underlying_price=pl.lit(100.1))
    _, rows = answered(calls, DensityFold(("opt",), every_ns=STEP))
    study = studied(chains(calls))[0]
    assert rows["forward"][0] == study.european.forward.forward
    assert rows["status"][0] == "ok"
    assert equal(rows["pdf"][0], study.density.pdf[::2])


def test_a_chain_falls_silent_once_and_expires_without_a_word(quiet):
    one = one_each(quiet[0])
    soon = shifted(one, days=-9.99)  # expires 14.4 minutes after its quotes
    both = pl.concat([one, soon])
    start = stamp(one)
    fold = DensityFold(("opt",), every_ns=60 * SECOND, max_age_ns=1200 * SECOND)
    state, rows = answered(both, fold, upto=start + 10 * 3600 * SECOND)
    counts = dict(rows.group_by("chain").len().iter_rows())
    assert counts == {"SIM 2024-11-05T12:14Z": 15, "SIM 2024-11-15T12:00Z": 22}
    assert rows["status"].to_list()[:-1] == ["ok"] * 36
    assert rows["status"][-1] == "too few observations: no quote in the last 1200 s"
    assert rows["ts"].to_physical()[-1] == start + 21 * 60 * SECOND
    assert state.held == {}
    assert state.quotes.is_empty()
    again = shifted(one, ns=2 * 3600 * SECOND).with_columns(symbol=one["symbol"])
    _, said = fold.step(state, Slice(start + 7201 * SECOND, {"opt": again}))
    assert said.frames["density"]["ts"].to_physical().to_list() == [start + 7200 * SECOND]


def test_two_chains_of_one_name_are_told_apart(quiet):
    frame = one_each(quiet[0])
    other = shifted(frame).with_columns(settlement=pl.lit("physical"))
    _, rows = answered(pl.concat([frame, other]), DensityFold(("opt",), every_ns=STEP))
    name = "SIM 2024-11-15T12:00Z"
    assert rows["chain"].to_list() == [name, f"{name} european physical"]
    assert equal(rows["pdf"][0], rows["pdf"][1])


def test_any_chunks_csp_and_a_restart_give_the_same_densities():
    one = night(5, snapshots=7, n_strikes=12)[0]
    two = shifted(one, underlying="A", days=3, ns=37 * SECOND)
    late = one.filter(pl.col("strike") > 80.0)
    program = nodes(
        DensityFold(("opt", "more"), every_ns=300 * SECOND, refit_ns=1500 * SECOND),
        feeds=("opt", "more"),
        lateness_ns=60 * SECOND,
    )
    told = check_parity(program, batches({"opt": late, "more": two}), seeds=(1,), most_rows=60)
    rows = told.answers["density", "density"]
    assert rows["chain"].n_unique() == 2
    assert set(rows["status"]) == {"ok"}
    assert rows.height == 2 * 12 + 1


def test_order_of_arrival_within_the_lateness_does_not_matter():
    frame = night(6, snapshots=5, n_strikes=10)[0]
    fold = DensityFold(("opt",), every_ns=60 * SECOND)
    program = nodes(fold, feeds=("opt",), lateness_ns=STEP)
    whole = batches({"opt": frame})
    mixed = [whole[i] for i in (1, 0, 2, 4, 3)]
    a, b = (plain(program, each).answers["density", "density"] for each in (whole, mixed))
    assert_frame_equal(a, b, check_exact=True)


def test_the_state_handed_in_is_left_alone(quiet):
    frame, made = quiet
    fold = DensityFold(("opt",), every_ns=STEP)
    first, then = (
        frame.filter(k)
        for k in (stamps() <= int(made.times_ns[1]), stamps() > int(made.times_ns[1]))
    )
    state, _ = fold.step(fold.start(), Slice(int(made.times_ns[1]) + 1, {"opt": first}))
    held = next(iter(state.held.values())).stream
    before = [part.copy() for part in held]
    said = [fold.step(state, Slice(int(made.times_ns[-1]) + 1, {"opt": then}))[1] for _ in "ab"]
    assert all(equal(a, b) for a, b in zip(held, before, strict=True))
    assert_frame_equal(said[0].frames["density"], said[1].frames["density"], check_exact=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"feeds": ()}, "at least one feed"),
        ({"feeds": ("a",), "every_ns": 0}, "lengths of time > 0"),
        ({"feeds": ("a",), "refit_sds": 0.0}, "refit_sds above 0"),
        ({"feeds": ("a",), "rate": 4.0}, "a part of one a year"),
    ],
    ids=["no feed", "no step", "no move", "rate in percent"],
)
def test_options_are_checked(options, words):
    with pytest.raises(InputError, match=words):
        DensityFold(**options)


def test_a_fit_by_hand_from_the_rows_alone(quiet):
    frame, made = quiet
    _, rows = answered(frame, DensityFold(("opt",), every_ns=STEP, refit_ns=1))
    chain = as_of(frame, made.times_ns[0])[0]
    parts = (chain.strikes, chain.is_call, chain.bids, chain.asks)
    known = rows.row(0, named=True)
    discount = studied([chain])[0].density.discount
    law = fit_density(
        *parts, tau=chain.tau, forward=known["forward"], forward_error=known["forward_error"],
        discount=discount, tick=0.01,
    )  # fmt: skip
    assert equal(known["pdf"], law.pdf[::2])


def test_a_forward_without_an_error_is_none(quiet):
    frame = one_each(quiet[0])
    two = sorted(frame["strike"].unique())[8:10]
    paid = pl.col("strike").is_in(two)
    locked = frame.with_columns(
        bid=pl.when(paid).then(1.0), ask=pl.when(paid).then(1.0).otherwise("ask")
    )
    refused(locked, "not identified: parity leaves the forward no error, or none above 0")


@pytest.mark.parametrize("seed", [137, 262, 291])
def test_absurd_quotes_stop_nothing_and_no_number_is_made_of_them(seed, quiet):
    frame = quiet[0]
    rng = np.random.default_rng(seed)
    hit = pl.Series(rng.random(frame.height) < rng.choice([0.1, 0.5, 1.0]))
    noise = [pl.Series(np.exp(rng.normal(0.0, 4.0, frame.height))) for _ in "ab"]
    bad = frame.with_columns(
        pl.when(hit).then(one).otherwise(name).alias(name)
        for name, one in zip(("bid", "ask"), noise, strict=True)
    )
    _, rows = answered(bad, DensityFold(("opt",), every_ns=STEP, refit_sds=0.01))
    assert rows.height == 6
    for row in rows.iter_rows(named=True):
        law = [row[name] for name in ("mean", "sd", "vol", "vol_error")] + row["pdf_upper"]
        if row["status"] == "ok":
            assert np.isfinite(law).all()
        else:
            assert not np.isfinite(law).all()
