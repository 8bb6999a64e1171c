"""Features of a live tape: the batch's rows to the last bit, whatever way the ticks came."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.clock import MINUTE, SECOND
from eventtape.errors import InputError
from eventtape.frames import microstructure_features
from eventtape.stream.features import FeaturesFold
from eventtape.stream.fold import NEVER, Slice
from eventtape.tape.batch import beat
from stream.parity_runs import check_parity, plain
from stream.tick_batches import SESSION, batches, feature_nodes, ns, small_day

OPTIONS = {
    "session": {"session": SESSION},
    "no session": {},
    "late": {"session": SESSION, "latency": "50ms", "window": "200ms"},
    "a bucket that no second divides": {"every": "97500ms", "rule": "emo"},
    "a session that no bucket divides": {"every": "7m", "session": SESSION},
}


@pytest.fixture(scope="module")
def day():
    return small_day()


def wanted(day, options):
    """The batch's rows from the bucket in which each ticker was first met, in the fold's order."""
    options = {"every": "1m", **options}
    whole = microstructure_features(day["trades"], day["quotes"], **options)
    met = pl.concat([frame.select("symbol", "ts") for frame in day.values()])
    met = met.group_by("symbol").agg(pl.col("ts").min()).sort("ts", "symbol").with_row_index()
    rows = whole.join(met, left_on="ticker", right_on="symbol")
    rows = rows.filter(pl.col("bucket") > pl.col("ts")).sort("bucket", "index")
    return rows.drop("ts", "index")


def features(ran):
    return ran.answers["features", "features"]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_road_gives_the_rows_of_the_batch(day, options):
    ran = check_parity(
        feature_nodes(**options), batches(day, 12), seeds=(1,), kills=2, most_rows=2_000
    )
    found, whole = features(ran), wanted(day, options)
    if "session" not in options:  # the batch ends each ticker with its own last event
        keys = ["ticker", "bucket"]
        assert found.join(whole, on=keys, how="anti")["num_quotes"].sum() == 0
        found = found.join(whole.select(keys), on=keys, how="semi", maintain_order="left")
    assert whole.height > 200
    assert_frame_equal(found, whole, check_exact=True)


def test_ticks_out_of_order_within_the_lateness_change_nothing(day):
    rng = np.random.default_rng(5)
    # two rows of a feed at one stamp keep the order of arrival, so those arrive together
    arrivals = {}
    for feed, frame in day.items():
        at = ns(frame)
        delay = rng.integers(0, 20 * SECOND, at.size)
        first = np.searchsorted(at, at)
        arrivals[feed] = at + delay[first]
    nodes = feature_nodes(session=SESSION, lateness_ns=300 * SECOND)
    ran = plain(nodes, batches(day, 100, arrivals))
    moved = sum(bool((np.diff(at) < 0).any()) for at in arrivals.values())
    assert moved == 2
    assert ran.states["merged"].late == {"trades": 0, "quotes": 0}
    assert_frame_equal(features(ran), wanted(day, {"session": SESSION}), check_exact=True)


def test_a_bucket_comes_with_the_first_slice_that_time_has_passed_it_by(day):
    said = []

    def sink(name, answer, batch):
        if name == "features":
            said.append(answer)

    from eventtape.stream.fold import run_plain

    nodes = feature_nodes(session=SESSION, lateness_ns=300 * SECOND)
    cut = batches(day, 80)
    run_plain(nodes, cut, sink, finish=False)
    newest = max(int(ns(batch.rows).max()) for batch in cut)
    ends = [answer.frames["features"]["bucket"].to_physical() for answer in said]
    assert all(end.max() < answer.upto_ns for end, answer in zip(ends, said, strict=True))
    before = [NEVER, *(answer.upto_ns for answer in said)]
    assert all(low <= end.min() for low, end in zip(before, ends, strict=False))
    upto = newest - 300 * SECOND
    assert ends[-1].max() == upto - upto % MINUTE


def test_a_beat_closes_the_buckets_of_a_quiet_market(day):
    early = {feed: frame.head(200) for feed, frame in day.items()}
    nodes = feature_nodes(session=SESSION, lateness_ns=0)
    cut = batches(early, 40)
    last = max(int(ns(batch.rows).max()) for batch in cut)
    quiet = plain(nodes, cut, finish=False)
    ran = plain(nodes, [*cut, beat(last + 10 * MINUTE)], finish=False)
    found = features(ran)
    assert found["bucket"].max() > features(quiet)["bucket"].max()
    assert int(found["bucket"].to_physical().max()) > last + 8 * MINUTE
    assert found.filter(pl.col("bucket").to_physical() > last + 2 * MINUTE)["num_quotes"].sum() == 0


def test_the_state_handed_in_is_left_as_it_was(day):
    fold = FeaturesFold("trades", "quotes")
    first = {feed: frame.head(500) for feed, frame in day.items()}
    upto = min(int(ns(frame).max()) for frame in first.values())
    first = {feed: frame.filter(ns(frame) < upto) for feed, frame in first.items()}
    state, _ = fold.step(fold.start(), Slice(upto, first))
    rest = {feed: frame.filter(ns(frame) >= upto) for feed, frame in day.items()}
    end = Slice(SESSION[1], rest)
    one, two = (fold.step(state, end)[1].frames["features"] for _ in range(2))
    assert one.height > 100
    assert_frame_equal(one, two, check_exact=True)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"trades": "quotes"}, "a feed of trades and one of quotes"),
        ({"rule": "reverse-tick"}, "a rule among lee-ready"),
        ({"every": "0s"}, "a bucket wider than 0"),
        ({"session": (20, 10)}, "opens before it closes"),
    ],
    ids=["feeds", "rule", "every", "session"],
)
def test_what_cannot_be_a_fold_is_refused(options, what):
    with pytest.raises(InputError, match=what):
        FeaturesFold(**{"trades": "trades", "quotes": "quotes", **options})
