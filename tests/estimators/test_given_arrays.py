"""Text, times and cut numbers at the doors of the discovery room: an InputError, never a guess."""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.errors import InputError
from eventtape.estimators.discovery.cross_correlation import cross_correlation
from eventtape.estimators.discovery.given_arrays import float_array, whole_array
from eventtape.estimators.discovery.granger import granger
from eventtape.estimators.discovery.information_share import factor_shares, shares
from eventtape.estimators.discovery.pairs import pair_discovery
from eventtape.estimators.discovery.panel_rank import panel_rank
from eventtape.estimators.discovery.resolution import resolution
from eventtape.estimators.discovery.vecm import permanent_impact, vecm

TEXT = np.array([["1.5", "2.5"]] * 50)  # numpy alone reads these as numbers
NUMBERS = np.random.default_rng(0).standard_normal((50, 2))
LAGS = np.arange(-2, 3)


@pytest.mark.parametrize(
    "bad",
    [
        TEXT,
        TEXT.tolist(),
        TEXT.astype(object)[:, :] + "x",
        NUMBERS + 1j,
        np.full((50, 2), np.datetime64("2024-11-05")),
        [[1.0, 2.0], [3.0]],
    ],
    ids=["text", "lists", "objects", "complex", "times", "ragged"],
)
@pytest.mark.parametrize(
    "call",
    [
        vecm,
        lambda v: vecm(NUMBERS, beta=v),
        lambda v: permanent_impact(v, NUMBERS, np.zeros((0, 50, 50))),
        pair_discovery,
        lambda v: resolution(v, 1.0),
        lambda v: shares(np.ones(2), v),
        lambda v: shares(np.ones(2), np.eye(2), v),
        lambda v: factor_shares(np.ones((1, 2)), v),
        granger,
        lambda v: granger(NUMBERS, given=v),
        panel_rank,
        lambda v: cross_correlation(v, NUMBERS[:, 0], LAGS),
        lambda v: cross_correlation(NUMBERS[:, 0], v, LAGS),
    ],
    ids=[
        "vecm",
        "beta",
        "impact",
        "pairs",
        "resolution",
        "shares",
        "vectors",
        "factors",
        "granger",
        "given",
        "rank",
        "x",
        "y",
    ],
)
def test_what_is_no_number_is_refused(call, bad):
    with pytest.raises(InputError, match="wanted an array of numbers"):
        call(bad)


def test_objects_of_numbers_pass():
    """None is a hole, as a data frame's column of objects has it."""
    out = float_array(np.array([1, 2.5, None], object))
    assert out.dtype == np.float64
    np.testing.assert_array_equal(out, [1.0, 2.5, np.nan])


def test_pairs_and_lags_are_whole():
    with pytest.raises(InputError, match=r"met 0\.5, wanted pairs \(m, 2\) of columns"):
        pair_discovery(NUMBERS, pairs=np.array([[0.5, 1.0]]))
    with pytest.raises(InputError, match=r"row 1, column 'lags': met -1\.5, wanted whole lags"):
        cross_correlation(NUMBERS[:, 0], NUMBERS[:, 1], np.array([-1.5, 0.0, 1.5]))


@pytest.mark.parametrize("bad", [0.5, -1e-9, np.nan, np.inf, 2.0**63, -(2.0**64)])
def test_floats_that_are_no_whole_number_are_named(bad):
    with pytest.raises(InputError, match=r"row 2, column 'tx': met .*, wanted times in ns") as got:
        whole_array(np.array([1.0, bad, 3.0]), "times in ns", column="tx")
    assert np.array_equal(got.value.met, bad, equal_nan=True)


@pytest.mark.parametrize("bad", [["a", "b"], np.array([True]), np.array(["NaT"], "datetime64[s]")])
def test_other_kinds_are_refused_by_name(bad):
    with pytest.raises(InputError, match="wanted times in ns"):
        whole_array(bad, "times in ns")


def test_whole_numbers_of_every_kind_are_the_same():
    want = np.array([-3, 0, 2**40], np.int64)
    for values in (want, want.astype(float), want.tolist(), want.astype("timedelta64[ns]")):
        out = whole_array(values, "a number")
        assert out.dtype == np.int64
        np.testing.assert_array_equal(out, want)
