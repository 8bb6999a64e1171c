"""A model as data: what was written comes back to the last bit, and what was damaged does not."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.factors import forecast_scores
from eventtape.frames.up_move import score, train_up_move
from eventtape.frames.up_move_model import ScoredModel, as_json, from_json, scored_model
from eventtape.store.models import model_names, read_model, save_model

COLUMNS = ("a", "b", "c")
MINUTE = 60 * 10**9


def rows(seed, n_times=120, names=("X", "Y", "Z"), edge=1.5):
    """Features and prices a minute; ``a`` tells the next move with some ``edge``."""
    rng = np.random.default_rng(seed)
    out = []
    for name in names:
        x = rng.standard_normal((n_times, 3)) * [1.0, 1e6, 1e-3]
        up = rng.random(n_times) < 1.0 / (1.0 + np.exp(-edge * x[:, 0]))
        price = 100.0 + np.cumsum(np.r_[0, np.where(up, 0.01, -0.01)[:-1]])
        out.append(
            pl.DataFrame(
                {
                    "ticker": [name] * n_times,
                    "bucket": pl.Series(np.arange(1, n_times + 1) * MINUTE).cast(
                        pl.Datetime("ns", "UTC")
                    ),
                    "last_mid": price,
                    **{column: x[:, k] for k, column in enumerate(COLUMNS)},
                }
            )
        )
    return pl.concat(out)


@pytest.fixture(scope="module")
def trained():
    return train_up_move(rows(1), columns=COLUMNS, folds=3)


@pytest.fixture(scope="module")
def model(trained):
    return scored_model(trained, made_by="test")


def same(one, two):
    """Equal to the last bit, NaN in the same places."""
    if isinstance(one, tuple) and not isinstance(one, str):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and one.tobytes() == two.tobytes()
    if isinstance(one, float):
        return one == two or (math.isnan(one) and math.isnan(two))
    return type(one) is type(two) and one == two


def test_a_model_says_what_it_was_trained_on_and_what_it_was_worth(trained, model):
    assert model.features == COLUMNS
    assert model.tickers == ("X", "Y", "Z")
    assert (model.first_ns, model.last_ns) == (MINUTE, 119 * MINUTE)
    assert model.horizon_ns == MINUTE
    assert model.price == "last_mid"
    assert model.model is trained.model
    assert model.scores is trained.scores
    assert model.beats_base_rate
    blind = scored_model(train_up_move(rows(2, edge=0.0), columns=COLUMNS, folds=3))
    assert not blind.beats_base_rate


def test_a_model_comes_back_to_the_last_bit(model):
    text = as_json(model)
    assert same(from_json(text), model)
    assert as_json(from_json(text)) == text


def test_the_model_that_came_back_scores_alike(model):
    frame = rows(5)
    again = from_json(as_json(model))
    one, two = (score(m.model, frame, columns=m.features) for m in (model, again))
    assert one.equals(two)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, st.floats(5e-324, 1e300)), min_size=1, max_size=4),
    NUMBERS,
    st.floats(),
)
def test_any_numbers_come_back(model, parts, intercept, auc):
    logistic = model.model._replace(
        intercept=intercept,
        **dict(zip(("coefficients", "mean", "scale"), np.array(parts).T.copy(), strict=True)),
    )
    other = model._replace(
        model=logistic,
        features=tuple(f"f{k}" for k in range(len(parts))),
        scores=model.scores._replace(auc=auc),
    )
    assert same(from_json(as_json(other)), other)


def test_scores_that_are_not_there_or_infinite_come_back(model):
    none = np.zeros(0)
    few = forecast_scores.scores(none.astype(np.int64), none.astype(np.bool_), none, none)
    other = model._replace(scores=few, status=Status.TOO_FEW)
    assert same(from_json(as_json(other)), other)
    assert not other.beats_base_rate
    endless = model.scores.log._replace(score=math.inf, gain=-math.inf)
    other = model._replace(scores=model.scores._replace(log=endless))
    assert same(from_json(as_json(other)), other)


def signed(plain):
    """The text of changed fields with a checksum that fits, as a careful forger would write it."""
    from eventtape.frames import up_move_model

    plain.pop("checksum", None)
    plain["checksum"] = up_move_model._checksum(plain)
    return json.dumps(plain)


def without(name):
    def change(plain):
        del plain[name]

    return change


def put(*path, value):
    def change(plain):
        for name in path[:-1]:
            plain = plain[name]
        plain[path[-1]] = value

    return change


DAMAGE = {
    "another kind": (put("kind", value="pickle"), "kind"),
    "a later version": (put("version", value=2), "version"),
    "a version that is true": (put("version", value="1"), "version"),
    "no horizon": (without("horizon_ns"), "horizon_ns"),
    "a field too many": (put("code", value="import os"), "code"),
    "a field of the model too many": (put("model", "code", value=1), "model.code"),
    "a model that is text": (put("model", value="x"), "model"),
    "a coefficient less": (put("model", "coefficients", value=[1.0, 2.0]), "model.coefficients"),
    "a mean that is text": (put("model", "mean", 1, value="1"), "model.mean"),
    "a scale of 0": (put("model", "scale", 0, value=0.0), "model.scale"),
    "a scale that is true": (put("model", "scale", 0, value=True), "model.scale"),
    "a base rate above 1": (put("model", "base_rate", value=1.2), "model.base_rate"),
    "no intercept": (put("model", "intercept", value=None), "model.intercept"),
    "a model not fitted": (put("model", "status", value="no convergence"), "model.status"),
    "a status nobody has": (put("status", value="fine"), "status"),
    "a horizon of 0": (put("horizon_ns", value=0), "horizon_ns"),
    "a horizon with a part": (put("horizon_ns", value=1.5), "horizon_ns"),
    "an end before the start": (put("last_ns", value=0), "last_ns"),
    "a feature twice": (put("features", value=["a", "b", "a"]), "features"),
    "no features": (put("features", value=[]), "features"),
    "a ticker that is a number": (put("tickers", value=[3]), "tickers"),
    "a score that is text": (put("scores", "brier", "gain", value="lots"), "scores.brier.gain"),
    "an interval of one end": (put("scores", "auc_interval", value=[0.1]), "scores.auc_interval"),
    "bins of two lengths": (
        put("scores", "reliability", "n_rows", value=[1]),
        "scores.reliability",
    ),
    "a count with a part": (put("scores", "n_rows", value=2.5), "scores.n_rows"),
}


@pytest.mark.parametrize(("change", "field"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_model_is_refused_by_field(model, change, field):
    plain = json.loads(as_json(model))
    change(plain)
    with pytest.raises(InputError) as caught:
        from_json(signed(plain), "up.model.json")
    assert caught.value.column == field
    assert caught.value.file == "up.model.json"


def test_a_number_changed_by_hand_is_found(model):
    text = as_json(model)
    digit = text.index(",", text.index('"intercept"')) - 1
    changed = text[:digit] + ("1" if text[digit] != "1" else "2") + text[digit + 1 :]
    assert json.loads(changed)["model"]["intercept"] != model.model.intercept
    with pytest.raises(InputError) as caught:
        from_json(changed)
    assert caught.value.column == "checksum"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '{"kind": NaN}', "[" * 100_000, '{"kind": "a", "kind": "b"}'],
    ids=["empty", "open", "list", "null", "number", "nan", "deep", "twice"],
)
def test_what_is_no_model_is_refused(text):
    with pytest.raises(InputError):
        from_json(text, "x.json")


def test_a_model_cut_short_is_refused_wherever_it_was_cut(model):
    text = as_json(model).rstrip()
    for end in range(0, len(text), 97):
        with pytest.raises(InputError):
            from_json(text[:end])


def test_a_model_that_was_not_fitted_cannot_be_kept():
    few = train_up_move(rows(1, n_times=3, names=("X",)), columns=COLUMNS)
    assert few.status is not Status.OK
    with pytest.raises(InputError, match="could be fitted"):
        scored_model(few)


def test_a_model_lives_in_a_folder_under_a_safe_name(tmp_path, model):
    assert model_names(tmp_path / "none") == ()
    file = save_model(tmp_path, "up-1m", as_json(model))
    save_model(tmp_path, "up-1m", as_json(model._replace(made_by="again")))
    assert model_names(tmp_path) == ("up-1m",)
    back = from_json(read_model(tmp_path, "up-1m"), file)
    assert isinstance(back, ScoredModel)
    assert back.made_by == "again"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    for name in ("../up", "", "a/b", ".hidden", "a" * 81, "a.b"):
        with pytest.raises(InputError, match="a name of 1 to 80"):
            save_model(tmp_path, name, "{}")
    with pytest.raises(InputError, match=r"a model among those saved \(up-1m\)"):
        read_model(tmp_path, "other")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="UTF-8"):
        read_model(tmp_path, "up-1m")


def test_the_length_of_the_buckets_is_kept(model):
    assert model.every_ns == MINUTE
