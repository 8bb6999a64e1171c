"""Factors on frames: the same numbers as the arrays, whatever the shape of the frame."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from eventtape.errors import InputError
from eventtape.estimators.factors import (
    amplification,
    logistic,
    replication,
)
from eventtape.estimators.factors import (
    factor_returns as portfolio,
)
from eventtape.estimators.factors import (
    rolling_beta as rolling,
)
from eventtape.frames import factors as frames
from eventtape.frames.up_move import UP_MOVE_FEATURES, score, train_up_move

TIME = pl.Datetime("ns", "UTC")
S = 10**9
T, N = 90, 8
NAMES = [f"N{i}" for i in range(N)]
WEIGHTS = {
    "MKT": dict.fromkeys(NAMES, 1.0 / N),
    "LS": {"N0": 0.5, "N1": 0.5, "N2": -0.25, "N3": -0.75},
}


def stamps(n=T, step_s=1):
    return pl.Series("ts", np.arange(n) * step_s * S).cast(TIME)


def wide(seed=0, hole=0.2):
    rng = np.random.default_rng(seed)
    mids = 20.0 * np.exp(np.cumsum(1e-3 * rng.standard_normal((T, N)), axis=0))
    mids[rng.uniform(size=mids.shape) < hole] = np.nan
    columns = {name: pl.Series(mids[:, i]).fill_nan(None) for i, name in enumerate(NAMES)}
    return mids, pl.DataFrame({"ts": stamps(), **columns})


def long_books(mids):
    """The book of each second as :func:`nbbo_seconds` gives it: carried rows with their age."""
    rows = []
    for i, name in enumerate(NAMES):
        for t in range(T):
            seen = np.flatnonzero(~np.isnan(mids[: t + 1, i]))
            if seen.size:
                mid, age = mids[seen[-1], i], float(t - seen[-1]) + 0.4
                rows.append((name, t * S, mid - 0.01, 1.0, mid + 0.01, 1.0, age))
    schema = ["symbol", "ts", "bid", "bid_size", "ask", "ask_size", "age_s"]
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(pl.col("ts").cast(TIME))


def test_wide_long_and_books_give_the_arrays_numbers():
    mids, frame = wide()
    matrix = np.array([[WEIGHTS[f].get(name, 0.0) for f in WEIGHTS] for name in NAMES])
    want = portfolio.batch(np.arange(T) * S, mids, matrix, max_age_s=3.0)
    books = long_books(mids)
    plain = frame.unpivot(index="ts", variable_name="symbol", value_name="mid").drop_nulls()
    weights = pl.DataFrame(
        [(n, f, w) for f, held in WEIGHTS.items() for n, w in held.items()],
        schema=["symbol", "factor", "weight"],
        orient="row",
    )
    for given in (frame, plain, plain.sort("ts"), books, books.sort("ts", "symbol")):
        for held in (WEIGHTS, json.loads(json.dumps(WEIGHTS)), weights):
            found = frames.factor_returns(given, held, max_age_s=3.0)
            assert found.columns[:3] == ["ts", "MKT", "LS"]
            ours = found.select("MKT", "LS").fill_null(np.nan).to_numpy()
            # a book's mid is (m - .01 + m + .01) / 2: the same to the last bit but one
            np.testing.assert_allclose(ours, want.returns, rtol=0, atol=3e-15)
            for k, f in enumerate(("MKT", "LS")):
                for side, word in enumerate(("long", "short")):
                    cover = found[f"{f}_{word}_coverage"].to_numpy()
                    np.testing.assert_allclose(cover, want.coverage[:, k, side], atol=1e-14)
    assert found["MKT"].null_count() == np.isnan(want.returns[:, 0]).sum() > 1


def test_slices_of_a_long_day_join_without_a_seam(monkeypatch):
    mids, frame = wide(1)
    whole = frames.factor_returns(frame, WEIGHTS)
    books = long_books(mids)
    one = frames.factor_returns(books, WEIGHTS)
    monkeypatch.setattr(frames, "_CELLS", 7 * N)
    assert frames.factor_returns(frame, WEIGHTS).equals(whole)
    assert frames.factor_returns(books, WEIGHTS).equals(one)


def test_a_crossed_or_one_sided_book_has_no_mid_and_a_locked_one_has():
    mids, _ = wide(2, hole=0.0)
    books = long_books(mids)
    at = (pl.col("symbol") == "N0") & (pl.col("ts") == pl.lit(40 * S).cast(TIME))
    held = {"F": {"N0": 1.0}}
    clean = frames.factor_returns(books, held)["F"]
    for change, same in (
        ({"bid": pl.col("ask") + 1.0}, False),
        ({"ask": pl.lit(0.0)}, False),
        ({"bid": pl.lit(0.0)}, False),
        (
            {
                "bid": (pl.col("bid") + pl.col("ask")) / 2,
                "ask": (pl.col("bid") + pl.col("ask")) / 2,
            },
            1,
        ),
    ):
        spoilt = books.with_columns(
            pl.when(at).then(value).otherwise(pl.col(name)).alias(name)
            for name, value in change.items()
        )
        found = frames.factor_returns(spoilt, held)["F"]
        assert (found[40] == pytest.approx(clean[40], abs=1e-14)) is bool(same)
        if not same:  # carried: no move now, both moves in the next row
            assert found[40] == 0.0
            both = (1.0 + clean[40]) * (1.0 + clean[41]) - 1.0
            assert found[41] == pytest.approx(both, abs=1e-14)


def test_a_split_overnight_is_in_no_row():
    day = 86_400
    ts = pl.Series("ts", np.array([0, 1, day, day + 1]) * S).cast(TIME)
    table = pl.DataFrame(
        {"ts": ts, "AVGO": [1700.0, 1700.0, 171.0, 171.0], "B": [100.0, 100.0, 101.0, 101.0]}
    )
    held = {"F": {"AVGO": 0.5, "B": 0.5}}
    found = frames.factor_returns(table, held)["F"]
    assert found.to_list() == [None, 0.0, None, 0.0]
    joined = frames.factor_returns(table, held, max_age_s=2.0 * day)["F"]
    assert joined[2] == pytest.approx(0.5 * (171 / 1700 - 1) + 0.5 * 0.01)


def irregular(ms, mid, age_s, symbol="A"):
    ts = pl.Series("ts", np.array(ms) * 1_000_000).cast(TIME)
    return pl.DataFrame({"symbol": symbol, "ts": ts, "mid": mid, "age_s": age_s})


def test_what_was_carried_is_told_by_the_symbols_own_row_before(monkeypatch):
    """A grid whose smallest step is a tenth of a second: ages up to a row's own step are news."""
    held = {"F": {"A": 1.0}}
    rows = irregular([0, 100, 1000, 2000], [10.0, 10.0, 11.0, 12.0], [0.05, 0.1, 0.5, 0.6])
    want = [None, 0.0, 0.1, 12 / 11 - 1]
    other = irregular([50, 150, 1950], [5.0, 5.0, 5.0], [0.01, 0.01, 0.01], "B")
    for cells in (4_000_000, 1):  # whole, and a row at a time
        monkeypatch.setattr(frames, "_CELLS", cells)
        assert frames.factor_returns(rows, held)["F"].to_list() == pytest.approx(want)
        both = frames.factor_returns(pl.concat([rows, other]), held)
        alone = both.filter(pl.col("ts").is_in(rows["ts"].implode()))["F"]
        assert alone.to_list() == pytest.approx(want)
        # Carried for longer than a mid stays in force: the move over the gap is in no row.
        stale = irregular(
            [0, 1000, 2000, 3000, 4000], [10.0, 10, 10, 11, 11], [0.5, 1.5, 2.5, 0.5, 0.5]
        )
        found = frames.factor_returns(stale, held, max_age_s=1.0)["F"]
        assert found.to_list() == [None, 0.0, None, None, 0.0]


def test_names_never_shown_lower_the_coverage():
    _, frame = wide(3, hole=0.0)
    found = frames.factor_returns(frame.drop("N3"), WEIGHTS, min_coverage=0.0)
    assert found["LS_short_coverage"][5] == pytest.approx(0.25)
    refused = frames.factor_returns(frame.drop("N3"), WEIGHTS)
    assert refused["LS"].null_count() == T
    assert refused["MKT"].null_count() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f, w: (f.rename({"mid": "px"}), w), "'mid', or 'bid' and 'ask'"),
        (lambda f, w: (pl.concat([f, f[5:6]]), w), "one mid a symbol and time"),
        (lambda f, w: (f.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC"))), w), "type"),
        (lambda f, w: (f, {"LS": {"N0": 1.0, "N1": -0.9}}), "sum to 1 or to 0"),
        (lambda f, w: (f, pl.DataFrame({"symbol": ["N0"], "weight": [1.0]})), "'factor'"),
        (lambda f, w: (f.head(0), w), "at least one row"),
    ],
)
def test_what_cannot_be_used_is_named(change, words):
    _, frame = wide(4)
    plain = frame.unpivot(index="ts", variable_name="symbol", value_name="mid").drop_nulls()
    with pytest.raises(InputError, match=words):
        frames.factor_returns(*change(plain, WEIGHTS))


def test_rolling_betas_of_frames():
    rng = np.random.default_rng(5)
    x, y = 1e-3 * rng.standard_normal((T, 2)), 1e-3 * rng.standard_normal((T, 3))
    y[50, 1] = np.nan
    returns = pl.DataFrame({"ts": stamps(), **{f"A{i}": y[:, i] for i in range(3)}})
    factors = pl.DataFrame({"ts": stamps(), "F": x[:, 0], "F_long_coverage": 1.0, "G": x[:, 1]})
    found = frames.rolling_beta(returns, factors, 20)
    arrays, parts = rolling.batch(y, x, window=20), rolling.decompose(y, x, window=20)
    names = ["ts", "symbol", "alpha", "F", "G", "systematic", "idiosyncratic", "status"]
    names.append("parts_status")
    assert found.columns == names
    assert found.height == 3 * T
    for i in range(3):
        one = found.filter(pl.col("symbol") == f"A{i}")
        assert one["ts"].equals(returns["ts"])
        for name, want in (
            ("alpha", arrays.alpha[:, i]),
            ("G", arrays.beta[:, 1, i]),
            ("idiosyncratic", parts.idiosyncratic[:, i]),
        ):
            np.testing.assert_array_equal(one[name].fill_null(np.nan).to_numpy(), want)
        words = [str(rolling.STATUSES[code]) for code in arrays.status[:, i]]
        assert one["status"].cast(pl.String).to_list() == words
        # Row 19 is the first with betas, and has no row before it to be taken apart with.
        assert one["status"][19] == "ok"
        assert one["parts_status"][19] == "too few observations"
        explained = (one["parts_status"] == "ok").to_numpy()
        np.testing.assert_array_equal(explained, one["idiosyncratic"].is_not_null().to_numpy())
        np.testing.assert_array_equal(explained, one["systematic"].is_not_null().to_numpy())
    with pytest.raises(InputError, match="same times"):
        frames.rolling_beta(returns, factors[1:], 20)


@pytest.mark.parametrize("order", [[0, 2, 1, *range(3, T)], [0, 1, 1, *range(3, T)]])
def test_times_that_fall_or_repeat_are_refused_with_their_row(order):
    rng = np.random.default_rng(8)
    table = pl.DataFrame({"ts": stamps(), "A": rng.standard_normal(T), "B": rng.standard_normal(T)})
    table = table[order]
    with pytest.raises(InputError, match=r"^row 3, column 'ts'.*that rise"):
        frames.rolling_beta(table.select("ts", "A"), table.select("ts", "B"), 20)
    regimes = pl.DataFrame({"ts": stamps(), "regime": ["baseline"] * T})
    with pytest.raises(InputError, match=r"^row 3, column 'ts'.*that rise"):
        frames.idiosyncratic_amplification(table, regimes)


def test_replication_of_frames_is_by_name():
    rng = np.random.default_rng(6)
    L, A = rng.standard_normal((N, 2)), rng.standard_normal((N, N + 3))
    cov = A @ A.T
    loadings = pl.DataFrame({"symbol": NAMES, "F": L[:, 0], "G": L[:, 1]})
    table = pl.DataFrame({"symbol": NAMES, **{n: cov[:, i] for i, n in enumerate(NAMES)}})
    want = replication.replicate(np.array([0.5, 1.0]), L.T[::-1], cov, full_investment=True)
    frame, found = frames.replicate(
        {"G": 0.5, "F": 1.0},
        loadings,
        table.sample(fraction=1.0, shuffle=True, seed=1),
        full_investment=True,
    )
    np.testing.assert_array_equal(frame["weight"].to_numpy(), want.weights)
    assert found.variance == want.variance
    with pytest.raises(InputError, match="every symbol"):
        frames.replicate({"F": 1.0}, loadings, table.drop("N3"))


def test_amplification_of_frames_takes_the_regime_in_force():
    rng = np.random.default_rng(7)
    n, every = 3000, 10
    words = rng.choice(["baseline", "moderate", "shock"], n // every, p=[0.7, 0.2, 0.1])
    loud = np.repeat(
        np.array([{"baseline": 1.0, "moderate": 1.5, "shock": 2.0}[w] for w in words]), every
    )
    e = loud[:, None] * rng.standard_normal((n, 6))
    ts = stamps(n)
    table = pl.DataFrame({"ts": ts, **{f"A{i}": e[:, i] for i in range(6)}})
    regimes = pl.DataFrame({"ts": ts[::every], "regime": words})
    found = frames.idiosyncratic_amplification(table, regimes)
    assert found["regime"].to_list() == ["moderate", "shock"]
    code = np.repeat([{"baseline": 1, "moderate": 2, "shock": 3}[w] for w in words], every)
    want = amplification.amplification(e, code, a=3, b=1)
    assert found.row(1)[2:5] == tuple(want[:3])
    assert found["lower"][1] < 2.0 < found["upper"][1]
    long = table.unpivot(index="ts", variable_name="symbol", value_name="idiosyncratic")
    assert frames.idiosyncratic_amplification(long, regimes).equals(found)
    mixed = long.sample(fraction=1.0, shuffle=True, seed=1)
    again = frames.idiosyncratic_amplification(mixed, regimes)
    for name in ("ratio", "lower", "upper"):  # names are summed in another order
        np.testing.assert_allclose(again[name], found[name], rtol=1e-4)
    assert again["names"].to_list() == [6, 6]
    with pytest.raises(InputError, match=r"row 1, column 'ts'.*one row a symbol"):
        frames.idiosyncratic_amplification(pl.concat([long, long[:1]]), regimes)
    stale = frames.idiosyncratic_amplification(table, regimes, max_age_s=4.0)
    assert stale["base_rows"][0] == (np.arange(n) % every <= 4)[code == 1].sum()


def features(seed=0, edge=0.0, minutes=400, names=("AA", "BB")):
    """Feature rows whose ISO flow knows the next minute's move with strength ``edge``."""
    rng = np.random.default_rng(seed)
    parts = []
    for name in names:
        flow = rng.standard_normal(minutes)
        move = np.r_[0.0, (edge * flow + rng.standard_normal(minutes))[:-1]]
        columns = {column: rng.uniform(size=minutes) for column in UP_MOVE_FEATURES}
        columns["total_flow_iso"] = 1e6 * flow
        ends = [
            dt.datetime(2000, 1, 1, 15, tzinfo=dt.UTC) + dt.timedelta(minutes=m)
            for m in range(minutes)
        ]
        frame = pl.DataFrame({"ticker": name, "bucket": ends, **columns})
        level = pl.Series("last_mid", np.exp(4.0 + 1e-4 * np.cumsum(move)))
        parts.append(frame.with_columns(level, level.log().alias("log_mid")))
    return pl.concat(parts).with_columns(pl.col("bucket").cast(TIME))


def test_the_classifier_on_a_features_frame():
    frame = features(1, edge=1.0)
    found = train_up_move(frame)
    assert found.status.value == "ok"
    at = UP_MOVE_FEATURES.index("total_flow_iso")
    assert np.argmax(np.abs(found.model.coefficients)) == at
    assert found.scores.brier.lower > 0.0
    assert found.forecasts.height == 2 * 399  # the last minute has no answer
    want = logistic.probability(found.model, frame.select(UP_MOVE_FEATURES).to_numpy())
    np.testing.assert_array_equal(score(found.model, frame).to_numpy(), want)
    hole = frame.with_columns(
        pl.when(pl.col("bucket") == frame["bucket"][9])
        .then(None)
        .otherwise(pl.col("avg_rsprd"))
        .alias("avg_rsprd")
    )
    assert train_up_move(hole).forecasts.height == 2 * 398
    assert score(found.model, hole).null_count() == 2
    with pytest.raises(InputError, match="one row a symbol and bucket"):
        train_up_move(pl.concat([frame, frame[:1]]))
    with pytest.raises(InputError, match="total_flow_iso"):
        train_up_move(frame.drop("total_flow_iso"))


def test_a_label_needs_the_row_one_horizon_on_and_the_same_name():
    frame = features(2, minutes=60)
    gap = frame.filter(pl.col("bucket") != frame["bucket"][30])
    rows = train_up_move(gap, horizon="5m", folds=1).forecasts
    assert rows.height == 2 * (60 - 5 - 2)
    merged = rows.join(
        frame.select(pl.col("ticker").alias("symbol"), "bucket", "last_mid"),
        on=["symbol", "bucket"],
    ).join(
        frame.select(
            pl.col("ticker").alias("symbol"),
            (pl.col("bucket") - pl.duration(minutes=5)).cast(TIME).alias("bucket"),
            pl.col("last_mid").alias("later"),
        ),
        on=["symbol", "bucket"],
    )
    assert merged.height == rows.height
    assert (merged["up"] == (merged["later"] > merged["last_mid"])).all()
