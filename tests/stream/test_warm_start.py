"""A warm-up makes every node of a night answer made-up rows, and touches nothing else."""

from __future__ import annotations

import pytest

from eventtape.errors import InputError
from eventtape.simulate.live_night import live_night
from eventtape.stream.election_night import NightConfig, election_night, probability_nodes
from eventtape.stream.fold import Node
from eventtape.stream.snapshot import pack
from eventtape.stream.warm import warm


@pytest.fixture(scope="module")
def night():
    return live_night(1, minutes=2.0, symbols=6, stock_quotes=100, stock_trades=50, strikes=12)


def config(night, **options):
    return NightConfig(primary="event", start_ns=int(night.truth.ts[0]), **options)


def test_every_node_of_a_night_answers_and_the_run_starts_from_nothing(night):
    about = config(night, step_s=10.0, horizon_s=120.0, lead_s=60.0, weights=night.weights)
    nodes = election_night(night.tape.feeds, about)
    before = [pack({node.name: node.fold.start()}) for node in nodes]
    told = []
    done = warm(
        nodes,
        night.tape.feeds,
        start_ns=about.start_ns,
        progress=lambda i, of: told.append((i, of)),
    )
    assert done == ()
    assert told == [(i, told[-1][1]) for i in range(len(told))]
    assert [pack({node.name: node.fold.start()}) for node in nodes] == before


class _Broken:
    def start(self):
        return None

    def step(self, state, new):
        raise InputError("rows that are no fiction", met=sorted(new.frames))

    def finish(self, state):
        return None


def test_a_node_that_fails_on_made_up_rows_is_named_and_stops_no_other(night):
    about = config(night)
    nodes = (*probability_nodes(night.tape.feeds, about), Node("odd", ("venues",), _Broken()))
    assert warm(nodes, night.tape.feeds, start_ns=about.start_ns) == ("odd",)
