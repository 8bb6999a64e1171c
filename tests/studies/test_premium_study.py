"""The study of premiums on simulated votes of known size, and on what cannot be known."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.clock import parse_ns
from eventtape.clock.event_calendar import DatedEvent, event_calendar
from eventtape.errors import InputError
from eventtape.estimators.premium.term_structure import term_structure
from eventtape.simulate.premium_frame import simulated_premium
from eventtape.studies.premium import odds_series, run
from eventtape.studies.premium_contract import contract, tables
from eventtape.studies.premium_findings import findings, row_findings, size_words
from eventtape.studies.premium_rows import (
    MarketTerms,
    PremiumConfig,
    QuarterCuts,
    TrueSizes,
)
from eventtape.studies.premium_terms import terms_of_table
from eventtape.tape import times_ns

AT = "2024-10-05T00:00Z"
DAYS = ("2024-10-11", "2024-10-18", "2024-10-25", "2024-11-08", "2024-11-29", "2024-12-27",
        "2025-03-28", "2025-06-27")  # fmt: skip
ELECTION = DatedEvent("election", "the vote", parse_ns("2024-11-05T23:00Z"), "")
MEETING = DatedEvent("fomc", "a decision", parse_ns("2024-11-07T19:00Z"), "")
QUICK = PremiumConfig(kinds=("election", "fomc"), history=True, draws=99, step_s=86_400.0)


def market(label="BTC", *, size=0.08, base=0.48, days=DAYS, at=AT, error=0.0035):
    """A flat base and one event of ``size``, without noise."""
    at_ns = parse_ns(at)
    expiries = np.array([parse_ns(f"{day}T08:00Z") for day in days])
    years = (expiries - at_ns) / (365 * 86_400e9)
    iv = np.sqrt(base**2 + size**2 * (expiries > ELECTION.at_ns) / years)
    term = term_structure(at_ns, expiries, iv, np.full(iv.size, error), label=label)
    return MarketTerms(label, (term,))


def studied(made, config=QUICK, **more):
    true = made.made
    return run(
        terms_of_table(made.terms),
        made.events,
        config,
        odds=odds_series("odds", times_ns(made.odds), made.odds["probability"].to_numpy()),
        truth=TrueSizes("election", true.times_ns, true.size, (("fomc", true.fomc_size),), "told"),
        simulated=True,
        **more,
    )


@pytest.fixture(scope="module")
def made():
    return simulated_premium(1)


@pytest.fixture(scope="module")
def told(made):
    cuts = [
        QuarterCuts("2001Q1", parse_ns("2001-01-01T00:00Z"), parse_ns("2001-04-01T00:00Z"), 1.7)
    ]
    return studied(made, cuts=cuts)


@pytest.fixture(scope="module")
def row(told):
    (row,) = told.rows
    return row


def test_the_size_of_a_known_vote_is_found(made, row):
    true = float(made.made.size[39])
    assert row.term.at_ns == int(made.made.times_ns[39])  # the last snapshot before the vote
    assert row.status is Status.OK
    assert row.focus.kind == "election"
    assert row.found.kinds == ("election",)
    assert row.found.lower < true < row.found.upper
    assert row.found.upper - row.found.lower < 0.02
    assert row.term.expiries_ns[row.near] > row.focus.at_ns
    assert row.near == 0 or row.term.expiries_ns[row.near - 1] <= row.focus.at_ns


def test_through_time_the_dynamic_base_follows_the_truth(made, row):
    series, true = row.series, made.made.size
    seen = np.isfinite(series.dynamic.upper) & np.isfinite(true)
    assert seen.sum() >= 35
    # FOMC is two days later and in the same bucket: what is left is of both
    both = np.hypot(true, made.made.fomc_size)
    inside = (series.dynamic.lower <= both) & (both <= series.dynamic.upper)
    assert inside[seen].mean() > 0.85
    assert series.kinds == ("election", "fomc")
    assert all(s is Status.NOT_IDENTIFIED for s in series.dynamic.statuses[40:])
    assert np.isnan(series.fitted.size[40:]).all()
    fitted = np.isfinite(series.fitted.size)
    held = (series.fitted.lower <= true) & (true <= series.fitted.upper)
    assert held[fitted].mean() > 0.85


def test_the_change_is_from_the_first_size_to_the_reference(row):
    change = row.series.change
    known = np.flatnonzero(row.series.dynamic.size > 0.0)
    assert change.start_ns == row.series.dynamic.ts_ns[known[0]]
    assert change.end_ns == row.term.at_ns
    assert change.end == pytest.approx(row.series.dynamic.size[39])


def test_nothing_after_the_moment_asked_is_seen(made):
    at_ns = int(made.made.times_ns[25])
    asked = studied(made, at_ns=at_ns)
    cut = made._replace(terms=made.terms.filter(pl.col("ts").cast(pl.Int64) <= at_ns))
    alone = studied(cut, at_ns=at_ns)
    assert contract(asked) == contract(alone)
    assert asked.rows[0].term.at_ns == at_ns


def test_odds_are_compared_in_levels_and_changes_until_the_vote(made, row):
    odds = row.odds
    assert odds.ts_ns[-1] <= row.focus.at_ns
    changes = odds.link.changes
    assert changes.status is Status.OK
    both = np.diff(np.hypot(made.made.size[:40], made.made.fomc_size))
    moved = np.diff(made.odds["probability"].to_numpy()[:40])
    met = np.diff(odds.premium)
    assert met.size == 39
    noisy = np.corrcoef(both, moved)[0, 1] * both.std() / met.std()  # less, by the noise of the IVs
    assert changes.lower < noisy < changes.upper
    assert odds.link.levels.effective < 20
    assert odds.apart.n_windows == 9


def test_spreads_and_the_far_expiry(row):
    near = row.term.expiries_ns.tolist().index(row.series.expiry_ns)
    assert near > row.near  # the Friday: the dailies before it were listed three days ago
    assert [s.far_ns for s in row.spreads] == row.term.expiries_ns[near + 1 :].tolist()
    first = row.spreads[0]
    here = row.term.iv[near + 1] - row.term.iv[near]
    assert first.history.now == pytest.approx(here)
    assert first.spread[-1] == pytest.approx(here)
    assert sorted(row.far.order.tolist()) == list(range(len(row.spreads)))
    assert np.nanmax(row.far.cuts) == 1.7
    assert np.isnan(row.far.cuts).any()


def test_the_contract_is_json_without_nan_and_has_its_tables(told):
    data = json.loads(json.dumps(contract(told), allow_nan=False))
    assert set(data) == {
        "contract", "study", "simulated", "data", "notes", "config", "findings", "cuts", "rows",
        "markets",
    }  # fmt: skip
    (one,) = data["rows"]
    assert set(one) == {
        "label", "at", "status", "reason", "answer", "event", "found", "daily", "events", "kinds",
        "ridges", "fit", "terms", "strips", "named", "history", "odds", "spreads", "far", "refused",
        "truth",
    }  # fmt: skip
    assert data["study"] == "premium"
    assert data["simulated"] is True
    assert data["markets"] is None
    frames = tables(told)
    assert set(frames) == {"terms", "kinds", "history", "spreads"}
    assert frames["history"].height == 45
    assert frames["terms"]["expiry"].dtype == pl.Datetime("ns", "UTC")
    assert frames["terms"]["base_iv"].to_list() == [t["base_iv"] for t in one["terms"]]
    assert all(frame["simulated"].all() for frame in frames.values())


def test_findings_answer_first_and_name_the_truth(made, told, row):
    said = [f.text for f in findings(told)]
    assert said[0].startswith(f"{row.label}: as of 2001-02-06T12:00Z options pay for a move of ")
    assert size_words(*row.found[1:4]) in said[0]
    true = f"{100 * made.made.size[39]:.2f}%"
    assert any(f"the truth is {true}, inside (simulated)" in text for text in said)
    assert "risk-neutral" in said[-1]
    assert any("each time's own base" in text for text in said)
    assert any("correlation of changes with the odds" in text for text in said)


def test_one_snapshot_has_no_history_and_says_so_to_the_odds(made):
    config = PremiumConfig(kinds=("election", "fomc"))
    (row,) = studied(made, config).rows
    assert row.series is None
    assert row.spreads == ()
    assert row.odds.status is Status.TOO_FEW
    assert "--history" in row.odds.reason
    assert row.far is not None
    assert np.isnan(row.far.spread_quantile).all()


def test_named_ways_are_exact_on_a_flat_base():
    (row,) = run([market()], [ELECTION], PremiumConfig(size=0.08)).rows
    for one in row.named:
        tolerance = 0.002 if one.name == "forward volatility" else 1e-6  # by the fit's base
        assert one.size == pytest.approx(0.08, abs=tolerance), one.name
    assert [strip.name for strip in row.strips] == ["given", "estimate", "least roughness"]
    given = row.strips[0].table
    assert given.stripped_iv == pytest.approx(np.full(8, 0.48))
    assert row.found.lower < 0.08 < row.found.upper
    assert row.daily[1] < 0.48 / math.sqrt(365.0) < row.daily[2]


def test_the_seeds_table_is_that_of_whole_days():
    at, expiry = parse_ns(AT), parse_ns("2024-11-08T08:00Z")
    ns = np.array([parse_ns("2024-10-25T08:00Z"), expiry, parse_ns("2024-12-27T08:00Z"),
                   parse_ns("2025-03-28T08:00Z")])  # fmt: skip
    term = term_structure(at, ns, np.array([0.48, 0.5523, 0.53, 0.5778]))
    config = PremiumConfig(size=0.08, whole_days=True)
    (row,) = run([MarketTerms("BTC", (term,))], [ELECTION], config).rows
    table = row.strips[0].table
    assert table.days[1] == 34.0
    assert 1e4 * table.variance[1] == pytest.approx(284.142, abs=5e-4)
    assert 1e4 * table.stripped_variance[1] == pytest.approx(220.142, abs=5e-4)
    assert 100.0 * table.stripped_daily[1] == pytest.approx(2.5446, abs=5e-5)
    assert 100.0 * table.stripped_iv[1] == pytest.approx(48.61, abs=5e-3)


def test_two_events_in_one_bucket_are_one_ridge():
    (row,) = run([market(size=0.085)], [ELECTION, MEETING]).rows
    assert row.found.kinds == ("election", "fomc")
    assert row.found.status is Status.OK
    assert row.found.lower < 0.085 < row.found.upper
    assert row.status is Status.NOT_IDENTIFIED
    assert row.ridge.after_ns == ELECTION.at_ns
    assert row.ridge.before_ns == MEETING.at_ns
    said = row_findings(row)
    assert "election and fomc together" in said[0].text
    assert said[0].status is Status.NOT_IDENTIFIED
    assert (
        "an expiry between 2024-11-05T23:00Z and 2024-11-07T19:00Z would part them" in said[0].text
    )


def test_markets_side_by_side_by_event_against_ordinary_day():
    result = run([market(), market("SPY", size=0.032, base=0.162)], [ELECTION])
    assert [row.label for row in result.rows] == ["BTC", "SPY"]
    m = result.market
    assert m.markets == ("SPY", "BTC")
    for i, (size, base) in enumerate(((0.032, 0.162), (0.08, 0.48))):
        ratio = size / (base / math.sqrt(365.0))
        assert m.ratio_365_lower[i] < ratio < m.ratio_365_upper[i]
    assert any("event against ordinary day" in f.text for f in findings(result))
    assert tables(result)["markets"]["market"].to_list() == ["SPY", "BTC"]


def test_the_market_of_a_ridge_is_compared_by_its_sum_and_says_so():
    result = run([market(), market("ETH", size=0.09)], [ELECTION, MEETING])
    assert result.market.statuses == (Status.OK, Status.OK)
    assert all("together" in reason for reason in result.market.reasons)


@pytest.mark.parametrize(
    ("made", "events", "status", "words"),
    [
        (market(days=("2024-11-08",)), [ELECTION], Status.TOO_FEW, "met 1"),
        (market(days=DAYS[:3]), [ELECTION, MEETING], Status.NOT_IDENTIFIED,
         "after the last expiry"),
        (market(at="2024-11-06T00:00Z", days=DAYS[4:]), [ELECTION], Status.NOT_IDENTIFIED,
         "it is over"),
    ],
    ids=["one expiry", "after the last expiry", "over"],
)  # fmt: skip
def test_what_cannot_be_known_has_a_status_and_a_reason(made, events, status, words):
    result = run([made], events, PremiumConfig(kinds=("election",)))
    (row,) = result.rows
    assert row.status is status
    assert words in row.reason
    assert math.isnan(row.found.size)
    first = row_findings(row)[0]
    assert first.status is status
    assert words in first.text
    json.dumps(contract(result), allow_nan=False)


def test_no_event_inside_leaves_the_base():
    (row,) = run([market(size=0.0)], event_calendar()[:1]).rows
    assert row.status is Status.NOT_IDENTIFIED
    assert row.reason == "no event of the calendar is inside the term structure"
    assert row.premium.base_iv == pytest.approx(np.full(8, 0.48), abs=0.01)
    assert row.near == -1
    assert row.strips == ()
    assert row.named == ()


def test_forward_variance_below_zero_is_flagged_and_not_hidden():
    (terms,) = market().terms
    iv = terms.iv.copy()
    iv[2] = 0.30  # less total variance than the week before
    bad = MarketTerms("BTC", (terms._replace(iv=iv),))
    (row,) = run([bad], [ELECTION]).rows
    assert row.forward.status[2] is Status.NOT_RESOLVED
    assert math.isnan(row.forward.vol[2])
    assert row.forward.variance[2] < 0.0
    said = [f for f in row_findings(row) if "quoted variance falls" in f.text]
    assert "2024-10-25T08:00Z" in said[0].text
    assert said[0].status is Status.NOT_RESOLVED


def table(**changed):
    columns = {
        "ts": [parse_ns(AT)] * 3,
        "label": ["BTC"] * 3,
        "expiry": [parse_ns(f"{day}T08:00Z") for day in DAYS[2:5]],
        "iv": [0.5, 0.55, 0.53],
        "error": [None, 0.004, 0.005],
    } | changed
    frame = pl.DataFrame(columns, schema_overrides={"error": pl.Float64})
    return frame.with_columns(pl.col("ts", "expiry").cast(pl.Datetime("ns", "UTC")))


def test_a_table_becomes_term_structures_in_any_order():
    (market,) = terms_of_table(table().reverse())
    (term,) = market.terms
    assert market.label == "BTC"
    assert term.iv.tolist() == [0.5, 0.55, 0.53]
    assert term.error.tolist() == [0.0035, 0.004, 0.005]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"iv": [0.5, 55.23, 0.53]}, "row 2, column 'iv': met 55.23, wanted a decimal"),
        ({"expiry": [parse_ns("2024-11-08T08:00Z")] * 3}, "row 2, column 'expiry'"),
        ({"expiry": [parse_ns(AT) + i for i in range(3)]}, "an expiry after the moment itself"),
    ],
    ids=["percent", "twice", "expired"],
)
def test_a_table_that_cannot_be_used_says_where(changed, words):
    with pytest.raises(InputError) as caught:
        terms_of_table(table(**changed))
    assert words in str(caught.value)
    assert "Market BTC" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: run([], [ELECTION]), "at least one market"),
        (lambda: run([market(), market()], [ELECTION]), "each market once"),
        (lambda: run([market()], [ELECTION], PremiumConfig(kinds=("vote",))), "a kind among"),
        (lambda: run([market()], [ELECTION], at_ns=0), "a time at or after the first volatility"),
        (lambda: run([MarketTerms("BTC", ())], [ELECTION]), "a market with a volatility"),
        (
            lambda: run([MarketTerms("BTC", market().terms * 2)], [ELECTION]),
            "term structures rising in time",
        ),
        (lambda: odds_series("p", [1, 1], [0.4, 0.5]), "times that rise"),
        (lambda: odds_series("p", [1, 2], [0.4, 1.5]), "from 0 to 1"),
        (lambda: odds_series("p", [1, 2], [0.4]), "a probability a time"),
        (lambda: terms_of_table(table().drop("error")), "a column ts, label"),
        (lambda: terms_of_table(table().clear()), "at least one volatility"),
        (lambda: PremiumConfig(level=95.0), "a level between 0 and 1"),
        (lambda: PremiumConfig(size=8.0), "a size that is a decimal"),
        (lambda: PremiumConfig(calendar="252"), "one of weekends, XNYS"),
        (lambda: PremiumConfig(step_s=0.0), "seconds above 0"),
        (lambda: PremiumConfig(window=0), "1 or more"),
        (lambda: PremiumConfig(false_alarms=1.0), "a chance between 0 and 1"),
        (lambda: PremiumConfig(level=0.999), "draws for a level of 0.999"),
    ],
    ids=[
        "no market", "twice", "kind", "before", "empty", "times", "odds stand", "odds above one",
        "odds too few", "no column", "no rows", "level", "percent", "calendar", "step", "window",
        "alarms", "draws",
    ],
)  # fmt: skip
def test_bad_inputs_say_what_was_wanted(make, words):
    with pytest.raises(InputError, match=words):
        make()
