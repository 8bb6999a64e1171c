"""The night's graph: what its options must agree on."""

from __future__ import annotations

import pytest

from eventtape.errors import InputError
from eventtape.frames import microstructure_features, train_up_move
from eventtape.frames.up_move_model import scored_model
from eventtape.stream.election_night import NightConfig, tick_nodes
from eventtape.tape import EQUITY_TRADE, QUOTE, Feed, Instrument, empty
from stream.tick_batches import SESSION, small_day

STOCKS = tuple(
    Feed(Instrument("sim", "stocks", "equity"), record.name, record, empty(record), 0, "sim")
    for record in (EQUITY_TRADE, QUOTE)
)


def test_a_model_scores_buckets_of_the_length_it_was_trained_on():
    day = small_day(11, quotes=3_000, trades=1_200)
    rows = microstructure_features(day["trades"], day["quotes"], session=SESSION)
    model = scored_model(train_up_move(rows, horizon="2m", folds=3))
    config = NightConfig(primary="p", start_ns=0, every="1m", model=model)
    assert [node.name for node in tick_nodes(STOCKS, config)][-2:] == ["scores", "live_scores"]
    with pytest.raises(InputError, match="met '30s', wanted buckets of 60s, as the model"):
        tick_nodes(STOCKS, NightConfig(primary="p", start_ns=0, every="30s", model=model))
