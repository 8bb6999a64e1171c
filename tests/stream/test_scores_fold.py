"""Scores of a live tape: a stored model on the features as they close, and its running score."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_series_equal

from eventtape.errors import InputError
from eventtape.estimators.factors import classifier, forecast_scores, running_scores
from eventtape.frames import microstructure_features, train_up_move
from eventtape.frames.up_move import UP_MOVE_FEATURES, score
from eventtape.frames.up_move_model import as_json, from_json, scored_model
from eventtape.stream.answers import SCORES
from eventtape.stream.fold import Node, Slice
from eventtape.stream.scores import LIVE_SCORES, LiveScoresFold, ScoresFold
from eventtape.stream.snapshot import fingerprint
from stream.parity_runs import check_parity
from stream.tick_batches import SESSION, batches, feature_nodes, small_day

MINUTE = 60 * 10**9


@pytest.fixture(scope="module")
def model():
    """Trained on another day of the same market, by way of its text."""
    other = small_day(11, quotes=3_000, trades=1_200)
    rows = microstructure_features(other["trades"], other["quotes"], session=SESSION)
    return from_json(as_json(scored_model(train_up_move(rows, horizon="2m", folds=3))))


@pytest.fixture(scope="module")
def ran(model):
    nodes = feature_nodes(
        Node("scores", ("features",), ScoresFold(model)),
        Node("live_scores", ("features", "scores"), LiveScoresFold(model)),
        session=SESSION,
    )
    assert len(fingerprint(nodes)) == 32
    day = small_day(quotes=2_500, trades=1_500)
    return check_parity(nodes, batches(day, 12), seeds=(3,), kills=2, most_rows=2_000)


def features(ran):
    return ran.answers["features", "features"]


def test_every_road_gives_the_scores_of_the_frames(ran, model):
    rows, found = features(ran), ran.answers["scores", "scores"]
    want = score(model.model, rows, columns=model.features)
    assert_series_equal(found["probability"].fill_nan(None), want, check_exact=True)
    assert found.schema == pl.Schema(SCORES)
    assert found["ticker"].equals(rows["ticker"])
    assert found["ts"].equals(rows["bucket"].alias("ts"))
    assert found["base_rate"].unique().to_list() == [model.model.base_rate]
    assert 300 < want.is_not_null().sum() < want.len() - 300
    first = rows.with_row_index().filter(pl.col("avg_rsprd").is_not_null() & want.is_not_null())[0]
    x = first.select(pl.col(model.features).cast(pl.Float64)).to_numpy()[0]
    assert classifier.step(model.model, x)[1] == want[int(first["index"][0])]


def test_a_row_says_which_features_it_lacks_and_what_the_model_is_worth(ran, model):
    rows, found = features(ran), ran.answers["scores", "scores"]
    assert not model.beats_base_rate
    tail = "; out of sample the model was no better than its base rate"
    assert found["status"].str.ends_with(tail).all()
    whole = found["probability"].is_finite()
    assert (found["status"] == f"ok{tail}").equals(whole.alias("status"))
    quiet = rows["num_trades"] == 0
    assert found.filter(quiet)["status"].str.contains("pct_trades_iso, pct_volume_iso").all()
    assert not found.filter(quiet)["probability"].is_finite().any()
    assert ran.answers["live_scores", "live_scores"]["status"].unique().to_list() == [f"ok{tail}"]


def test_a_model_that_is_better_than_its_base_rate_says_nothing_more(ran, model):
    gain = model.scores.log._replace(lower=0.01)
    better = model._replace(scores=model.scores._replace(log=gain))
    found = ScoresFold(better).step((), Slice(2**62, {"features": features(ran)}))[1]
    words = found.frames["scores"]["status"]
    assert set(words.unique()) >= {"ok"}
    assert not words.str.contains("out of sample").any()
    fold, frames = LiveScoresFold(better), {"features": features(ran), **found.frames}
    so_far = fold.step(fold.start(), Slice(2**62, frames))[1].frames["live_scores"]
    assert so_far.height > 1
    assert so_far["status"].unique().to_list() == ["ok"]


def test_an_infinite_feature_is_a_missing_one(ran, model):
    rows = features(ran).filter(pl.all_horizontal(pl.col(model.features).is_not_null()))[:1]
    rows = rows.with_columns(pl.lit(float("inf")).alias("avg_rsprd"))
    found = ScoresFold(model).step((), Slice(2**62, {"features": rows}))[1].frames["scores"]
    assert np.isnan(found["probability"][0])
    assert found["status"][0].startswith("too few observations: no avg_rsprd;")


def test_a_model_of_other_features_is_refused(ran, model):
    other = model._replace(features=("depth", *model.features[1:]))
    with pytest.raises(InputError, match="the features the model was trained on") as caught:
        ScoresFold(other).step((), Slice(2**62, {"features": features(ran)}))
    assert caught.value.column == "depth"


def answered(ran, model):
    """Each forecast with its outcome by a plain loop, in the order the answers came."""
    rows, found = features(ran), ran.answers["scores", "scores"]
    price, forecast, out = {}, {}, []
    stamps = rows["bucket"].to_physical().to_list()
    for name, at, mid, q in zip(
        rows["ticker"], stamps, rows["last_mid"], found["probability"], strict=True
    ):
        price[name, at], forecast[name, at] = mid, q
        asked = (name, at - model.horizon_ns)
        before, said = price.get(asked), forecast.get(asked, np.nan)
        if mid is not None and before is not None and np.isfinite(said) and mid != before:
            out.append((at, mid > before, said))
    ts, up, q = (np.array(column) for column in zip(*out, strict=True))
    return ts, up, q


def test_the_running_score_is_that_of_the_forecasts_whose_answer_is_known(ran, model):
    found = ran.answers["live_scores", "live_scores"]
    ts, up, q = answered(ran, model)
    assert found.schema == pl.Schema(LIVE_SCORES)
    assert found["n"][-1] == ts.size > 100
    assert found["ts"].to_physical().to_list() == np.unique(ts).tolist()
    assert found["n"].to_list() == np.searchsorted(ts, np.unique(ts), side="right").tolist()
    base = np.full(ts.size, model.model.base_rate)
    whole = forecast_scores.scores(ts, up, q, base)
    last = found.row(-1, named=True)
    for name, gain in (("brier", whole.brier), ("log_loss", whole.log)):  # sums in another order
        assert last[name] == pytest.approx(gain.score, rel=1e-13)
        assert last[f"{name}_base"] == pytest.approx(gain.base_score, rel=1e-13)


@pytest.mark.parametrize("cut", [1, 7, 64])
def test_running_scores_in_pieces_are_those_at_once_to_the_last_bit(cut):
    rng = np.random.default_rng(0)
    y, q, c = rng.random(200) < 0.4, rng.random(200), np.full(200, 0.4)
    whole = running_scores.batch(y, q, c)
    state, parts = running_scores.start(), []
    for low in range(0, 200, cut):
        rows = slice(low, low + cut)
        state, part = running_scores.step(state, y[rows], q[rows], c[rows])
        parts.append(part)
    for name in whole._fields:
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tobytes() == getattr(whole, name).tobytes()
    assert whole.n[-1] == 200


def test_a_certain_forecast_that_was_wrong_is_infinitely_bad():
    found = running_scores.batch(np.array([True, False]), np.array([1.0, 1.0]), np.full(2, 0.5))
    assert found.log_loss.tolist() == [0.0, np.inf]
    with pytest.raises(InputError, match="numbers from 0 to 1"):
        running_scores.batch(np.array([True]), np.array([1.5]), np.array([0.5]))


def test_the_default_features_are_columns_of_the_live_rows(ran):
    assert set(UP_MOVE_FEATURES) <= set(features(ran).columns)
