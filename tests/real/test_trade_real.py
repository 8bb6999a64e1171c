"""A calendar strangle over the tariff announcement of April 2025, out of real chains."""

from __future__ import annotations

import pytest

from eventtape.arrays import Status
from eventtape.cli.trade_input import expiry_ns, terms_of
from eventtape.clock import parse_ns
from eventtape.studies.trade import run
from eventtape.studies.trade_rows import EventSize, Trade, TradeConfig
from eventtape.studies.trade_structures import Expiry, neutral_calendar

pytestmark = [pytest.mark.real, pytest.mark.slow]
AT, SPOT = parse_ns("2025-04-01T12:00Z"), 83_500.0
FILE = "options/deribit_btc_chains_20250330_20250613_49snaps.parquet"


def test_quotes_make_a_neutral_calendar(data_folder):
    path = data_folder / FILE
    if not path.is_file():
        pytest.skip(f"needs {path.name}")
    terms = terms_of(str(path), at_ns=AT, label="BTC", inverse=True)
    days = [expiry_ns(day, inverse=True) for day in ("2025-04-04", "2025-06-27")]
    near, far = (Expiry(day, terms.vols[day]) for day in days)
    assert 0.3 < far.vol < near.vol < 1.0  # the announcement is in the near volatility
    built = neutral_calendar(near, far, SPOT, AT, step=1000.0, inverse=True)
    tariff = EventSize(parse_ns("2025-04-02T20:00Z"), 0.03, "tariff")
    trade = Trade(built.legs, SPOT, AT, built.carry, (tariff,), "over the announcement")
    result = run(trade, TradeConfig(paths=512, steps=48))
    assert result.law_status is Status.OK
    assert abs(result.risks.vega) < 1e-12
    assert result.risks.theta > 0.0 > result.risks.dollar_gamma
    assert result.fees.status is Status.OK
    hold = result.rules[0]
    assert abs(hold.dollars + hold.costs * SPOT) < 4.0 * hold.dollars_error
