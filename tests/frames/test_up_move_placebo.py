"""The classifier on simulated days whose prices have no drift: it must not find an edge."""

from __future__ import annotations

import pytest

from eventtape.frames import microstructure_features, train_up_move
from eventtape.simulate import taq_day


@pytest.mark.parametrize("seed", [1, 7, 11])
def test_a_day_without_drift_has_no_edge(seed):
    """40 tickers of one-tick and wide spreads: how likely a mid stands still differs by name, and
    a forecast of that would pass for skill (its log gain was .003 to .009 on these seeds)."""
    day = taq_day(seed, quotes=400_000, trades=100_000)
    found = train_up_move(microstructure_features(day.trades, day.quotes))
    assert found.status.value == "ok"
    assert found.scores.n_rows > 9_000
    assert 0.1 < found.unchanged < 0.3
    assert found.scores.log.lower <= 0.0
    assert found.scores.brier.lower <= 0.0
