"""Factor returns of a live tape: those of the frames over the same mids, to the last bit."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.clock import MINUTE
from eventtape.errors import InputError
from eventtape.frames import factor_returns
from eventtape.stream.answers import FACTORS
from eventtape.stream.factors import FactorsFold
from eventtape.stream.fold import Node, Slice
from eventtape.stream.snapshot import fingerprint
from stream.parity_runs import check_parity
from stream.tick_batches import SESSION, batches, feature_nodes, small_day

NAMES = [f"SIM{i:03d}" for i in range(8)]
WEIGHTS = {
    "MKT": dict.fromkeys(NAMES, 0.125),
    "LS": {"SIM000": 0.5, "SIM001": 0.5, "SIM006": -0.25, "SIM007": -0.75},
    "PART": {"SIM000": 0.6, "NOT MET": 0.4},
}
OPTIONS = {"max_age_s": 150.0, "min_coverage": 0.55}
TIME = pl.Datetime("ns", "UTC")


def long(mids):
    """Factors on frames, wide, as the fold tells them."""
    found = factor_returns(mids, WEIGHTS, **OPTIONS)
    parts = [
        found.select(
            pl.lit(name).alias("factor"),
            "ts",
            pl.col(name).fill_null(np.nan).alias("simple_return"),
            *(
                pl.col(f"{name}_{side}_coverage").alias(f"coverage_{side}")
                for side in ("long", "short")
            ),
            pl.lit(k).alias("k"),
        )
        for k, name in enumerate(WEIGHTS)
    ]
    status = pl.when(pl.col("simple_return").is_nan()).then(pl.lit("too few observations"))
    told = pl.concat(parts).sort("ts", "k").drop("k")
    return told.with_columns(status.otherwise(pl.lit("ok")).alias("status"))


def test_every_road_gives_the_factors_of_the_frames():
    nodes = feature_nodes(
        Node("factors", ("features",), FactorsFold(WEIGHTS, **OPTIONS)), session=SESSION
    )
    ran = check_parity(nodes, batches(small_day(), 12), seeds=(3,), kills=2, most_rows=2_000)
    rows, found = (ran.answers[name, name] for name in ("features", "factors"))
    seen = pl.when(pl.col("num_quotes") > 0).then("last_mid").alias("mid")
    mids = rows.select(pl.col("ticker").alias("symbol"), pl.col("bucket").alias("ts"), seen)
    assert_frame_equal(found, long(mids), check_exact=True)
    assert found.schema == pl.Schema(FACTORS)
    missing = found.group_by("factor").agg(pl.col("simple_return").is_nan().mean())
    share = dict(missing.iter_rows())
    assert 0.0 < share["MKT"] < 0.6  # the first row, and those when half the names were quiet
    assert share["MKT"] < share["LS"]
    assert found.filter(factor="MKT", status="ok")["simple_return"].n_unique() > 100
    assert len(fingerprint(nodes)) == 32


def features(ts, mids, quotes=None):
    n = len(mids)
    return pl.DataFrame(
        {
            "ticker": NAMES[:n],
            "bucket": pl.Series([ts * MINUTE] * n).cast(TIME),
            "last_mid": pl.Series(mids, dtype=pl.Float64),
            "num_quotes": [5] * n if quotes is None else quotes,
        }
    )


PAIR = {"MKT": {"SIM000": 0.5, "SIM001": 0.5}}


def stepped(slices, fold):
    state, out = fold.start(), []
    for new in slices:
        state, said = fold.step(state, new)
        out.append(None if said is None else said.frames["factors"])
    end = fold.finish(state)
    return [*out, None if end is None else end.frames["factors"]]


def test_a_bucket_waits_until_time_has_passed_it_and_no_longer():
    """A ticker that does not come is missing; its side goes on with the others."""
    slices = [
        Slice(MINUTE, {"features": features(1, [10.0, 20.0])}),
        Slice(MINUTE + 1, {}),
        Slice(2 * MINUTE, {"features": features(2, [11.0])}),
        Slice(5 * MINUTE, {"features": features(4, [12.0, 21.0])}),
    ]
    out = stepped(slices, FactorsFold(PAIR, max_age_s=50.0, min_coverage=0.4))
    assert [part is None for part in out] == [True, False, True, False, True]
    rows = pl.concat([part for part in out if part is not None])
    assert rows["ts"].to_physical().to_list() == [MINUTE, 2 * MINUTE, 4 * MINUTE]
    assert rows["status"].to_list() == ["too few observations"] * 3  # each mid was 50 s old

    again = stepped(slices, FactorsFold(PAIR, max_age_s=200.0, min_coverage=0.4))
    rows = pl.concat([part for part in again if part is not None])
    np.testing.assert_allclose(rows["simple_return"][1:], [0.05, (1 / 11 + 1 / 20) / 2])


def test_a_standing_book_is_no_new_mid():
    slices = [
        Slice(k * MINUTE + 1, {"features": features(k, [10.0 + k, 20.0], [3, 3 * (k == 1)])})
        for k in (1, 2, 3, 4)
    ]
    out = stepped(slices, FactorsFold(PAIR, max_age_s=60.0, min_coverage=0.4))
    coverage = [part["coverage_long"][0] for part in out[:-1]]
    assert coverage == [0.0, 1.0, 0.5, 0.5]


def test_the_rows_that_wait_at_the_end_are_told():
    out = stepped([Slice(MINUTE, {"features": features(1, [10.0, 20.0])})], FactorsFold(PAIR))
    assert out[0] is None
    assert out[1].height == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"weights": {}}, "at least one factor"),
        ({"weights": {"MKT": {"A": 0.7, "B": 0.7}}}, "weights that sum to 1 or to 0"),
        ({"weights": {"MKT": {"A": float("nan")}}}, "a finite weight"),
        ({"max_age_s": 0.0}, "an age above 0"),
        ({"min_coverage": 2.0}, "a coverage between 0 and 1"),
    ],
    ids=["none", "sum", "nan", "age", "coverage"],
)
def test_what_cannot_be_a_portfolio_is_refused(options, what):
    with pytest.raises(InputError, match=what):
        FactorsFold(**{"weights": PAIR, **options})
