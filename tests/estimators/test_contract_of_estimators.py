"""One contract over every estimator: shape, status, NaN in, scale, input untouched, read-only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from eventtape.arrays import Status
from eventtape.errors import InputError
from eventtape.estimators.discovery.lead_lag import contrasts, lead_lag
from eventtape.estimators.probability import local_level
from eventtape.estimators.probability.vig import joint_book, remove_vig
from eventtape.estimators.states.outcome_gap import outcome_gap, response
from eventtape.estimators.states.overlapping import overlapping_gap

S = 10**9
N = 240
LAGS = np.arange(-300, 301, 30) * S


class Case(NamedTuple):
    """An estimator on two series, and what multiplying each by a power of two must do to it."""

    run: Callable[..., Any]
    causal: bool  # each row speaks of the rows up to it
    nan: str  # what a NaN in a series is: an "error", a "hole", or its own "row" only
    powers: dict[str, tuple[int, int]]  # answer field: power of x's scale and of p's scale


def inputs(n=N):
    rng = np.random.default_rng(0)
    t = np.cumsum(rng.integers(30, 90, n)) * S
    p = 0.5 + 0.2 * np.tanh(0.1 * np.cumsum(rng.standard_normal(n)))
    return t, 0.2 * p + np.cumsum(1e-3 * rng.standard_normal(n)), p


NIGHT = {"step_s": 60.0, "horizon_s": 300.0, "lead_s": 120.0}
LEVELS = {"gap": (1, -1), "lower": (1, -1), "upper": (1, -1)}
CASES = {
    "local_level.batch": Case(
        lambda t, x, p: local_level.batch(t, p, q=1e-6 * SCALE.p**2, r=1e-4 * SCALE.p**2),
        True,
        "error",
        {"mean": (0, 1), "sd": (0, 1), "innovation": (0, 1), "z": (0, 0)},
    ),
    "local_level.fit": Case(
        lambda t, x, p: local_level.fit(t, p), False, "error", {"q": (0, 2), "r": (0, 2)}
    ),
    "joint_book": Case(
        lambda t, x, p: joint_book(p - 0.01, p + 0.01, 0.98 - p, 1.01 - p), True, "row", {}
    ),
    "remove_vig": Case(lambda t, x, p: remove_vig(np.column_stack([p, 1.02 - p])), True, "row", {}),
    "contrasts": Case(
        lambda t, x, p: contrasts(t, x, t + 7 * S, p, LAGS)[:, None].T, False, "error", {}
    ),
    "lead_lag": Case(
        lambda t, x, p: lead_lag(t, x, t + 7 * S, p, LAGS, n_draws=99),
        False,
        "error",
        {
            "lag_s": (0, 0),
            "p_value": (0, 0),
            "ratio": (0, 0),
            "contrast": (1, 1),
            "null_band": (1, 1),
        },
    ),
    "outcome_gap": Case(
        lambda t, x, p: outcome_gap(x, p, **NIGHT),
        False,
        "hole",
        {**LEVELS, "se": (1, -1), "residual_sd": (1, 0), "effective_rows": (0, 0)},
    ),
    "response": Case(
        lambda t, x, p: response(x, p, **NIGHT),
        False,
        "hole",
        {"cumulative": (1, -1), "lower": (1, -1), "upper": (1, -1)},
    ),
    "overlapping_gap hac": Case(
        lambda t, x, p: overlapping_gap(x, p, steps=5), False, "hole", LEVELS
    ),
    "overlapping_gap bootstrap": Case(
        lambda t, x, p: overlapping_gap(x, p, steps=5, method="bootstrap", n_draws=99),
        False,
        "hole",
        LEVELS,
    ),
}


class SCALE:
    p = 1.0


@pytest.fixture(autouse=True)
def unit_scale():
    yield
    SCALE.p = 1.0


def fields(answer):
    return answer._asdict() if hasattr(answer, "_asdict") else {"values": answer}


@pytest.mark.parametrize("name", CASES)
def test_answers_are_whole_and_say_ok(name):
    """A NamedTuple (or an array), ok where it has a status, and no NaN with that."""
    answer = fields(CASES[name].run(*inputs()))
    assert answer.get("status", Status.OK) is Status.OK
    for field, value in answer.items():
        if isinstance(value, float):
            assert np.isfinite(value), field
        elif isinstance(value, np.ndarray):
            assert value.dtype == np.float64
            start = 1 if field in {"innovation", "z"} else 0  # the first quote has no innovation
            assert np.isfinite(value[start:]).all(), field


@pytest.mark.parametrize("name", CASES)
def test_the_same_input_gives_the_same_bits_and_stays_untouched(name):
    data, kept = inputs(), inputs()
    for part in data:
        part.flags.writeable = False
    one, two = fields(CASES[name].run(*data)), fields(CASES[name].run(*data))
    for field, value in one.items():
        np.testing.assert_array_equal(value, two[field])
    for part, copy in zip(data, kept, strict=True):
        np.testing.assert_array_equal(part, copy)


@pytest.mark.parametrize("name", CASES)
def test_views_with_strides_are_the_same_numbers(name):
    data = inputs()
    strided = tuple(np.repeat(part, 3)[1::3] for part in data)
    for field, value in fields(CASES[name].run(*data)).items():
        np.testing.assert_array_equal(value, fields(CASES[name].run(*strided))[field])


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.causal])
@pytest.mark.parametrize("k", [1, 2, 57, N - 1])
def test_no_looking_ahead(name, k):
    whole = fields(CASES[name].run(*inputs()))
    part = fields(CASES[name].run(*(side[:k] for side in inputs())))
    for field, value in whole.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value[:k], part[field])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("side", [1, 2])
def test_nan_in(name, side):
    """An error that names the value, a hole that changes little, or NaN in that row alone."""
    case, data = CASES[name], inputs()
    before = fields(case.run(*data))
    uses = {"contrasts": {1, 2}, "lead_lag": {1, 2}}.get(
        name, {2} if case.nan != "hole" else {1, 2}
    )
    data[side][100] = np.nan
    if side not in uses:
        return
    if case.nan == "error":
        with pytest.raises(InputError, match="finite") as caught:
            case.run(*data)
        assert caught.value.row == 101
        return
    after = fields(case.run(*data))
    for field, value in after.items():
        if case.nan == "row":
            rows = np.arange(N) != 100
            np.testing.assert_array_equal(value[rows], before[field][rows])
    if case.nan == "hole":
        assert after["status"] is Status.OK
        assert after["n_rows"] < before["n_rows"]
        key = "gap" if "gap" in after else "cumulative"
        assert np.isfinite(after[key]).all()
        # One row of 240 unseen moves no estimate by more than its own interval's width.
        width = np.max(np.abs(before["upper"] - before["lower"]))
        assert np.max(np.abs(after[key] - before[key])) < width


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.powers])
@pytest.mark.parametrize(("a", "b"), [(8.0, 1.0), (1.0, 0.5), (0.25, 0.5)])
def test_scaling(name, a, b):
    """x by a, p by b, powers of two: each field moves by its power. 1e-6: the fit's search only."""
    case = CASES[name]
    t, x, p = inputs()
    one = fields(case.run(t, x, p))
    SCALE.p = b
    two = fields(case.run(t, a * x, b * p))
    for field, (i, j) in case.powers.items():
        # an optimum is where rounding of the likelihood hides its slope: about 1e-6 in log Q/R
        tolerance = 1e-5 if name == "local_level.fit" else 1e-9
        swapped = {"lower": "upper", "upper": "lower"} if a * b < 0 else {}
        want = a**i * b**j * np.asarray(one[swapped.get(field, field)])
        np.testing.assert_allclose(two[field], want, rtol=tolerance, atol=1e-13, err_msg=field)
