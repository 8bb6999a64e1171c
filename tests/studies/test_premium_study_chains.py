"""From chains of options to term structures: volatility at the forward, and what is left out."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import polars as pl
import pytest

from eventtape.arrays import Status
from eventtape.simulate.premium_frame import simulated_premium
from eventtape.studies.densities import run as densities
from eventtape.studies.premium_terms import chosen, terms_of_chains
from eventtape.tape import chains


@pytest.fixture(scope="module")
def made():
    return simulated_premium(2)


@pytest.fixture(scope="module")
def some(made):
    """The chains of three expiries around the vote."""
    return chains(made.quotes)[3:6]


def test_volatilities_are_those_the_quotes_were_made_of(made, some):
    (market,) = terms_of_chains([some])
    (term,) = market.terms
    assert market.refused == ()
    assert term.at_ns == some[0].at_ns
    ns = pl.Series(term.expiries_ns).cast(pl.Datetime("ns", "UTC"))
    mine = made.terms.with_columns(pl.Series("clean", made.made.iv)).filter(
        (pl.col("ts").cast(pl.Int64) == term.at_ns) & pl.col("expiry").is_in(ns.implode())
    )
    clean = mine.sort("expiry")["clean"].to_numpy()
    assert clean.size == 3
    assert np.abs(term.iv - clean).max() < 0.01
    assert np.all(np.abs(term.iv - clean) < 4.0 * term.error + 0.001)


def test_a_chain_without_a_density_is_left_out_with_its_reason(some):
    bare = some[1]._replace(bids=np.full(some[1].bids.size, math.nan))
    (market,) = terms_of_chains([(some[0], bare, some[2])])
    assert market.terms[0].iv.size == 2
    (left,) = market.refused
    assert left.expiry_ns == bare.expiry_ns
    assert left.status is Status.TOO_FEW
    assert left.reason == "0 quotes with both sides"


def test_of_two_chains_that_expire_together_the_surer_counts(some):
    (one,) = densities(some[:1]).chains
    worse = dataclasses.replace(one, atm_vol=0.7, atm_vol_error=2.0 * one.atm_vol_error)
    for rows in ([one, worse], [worse, one]):
        kept, left = chosen(rows)
        assert [row.atm_vol for row in kept] == [one.atm_vol]
        assert [r.status for r in left] == [Status.NOT_IDENTIFIED]
        assert "another chain" in left[0].reason
