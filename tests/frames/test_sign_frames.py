"""Signs of a stream are those of the whole day, and the summary of them is brute force's."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from eventtape.errors import InputError
from eventtape.frames.signs import sign_stream, sign_trades
from eventtape.frames.tick_summary import TickSummary
from eventtape.frames.ticks import microstructure_features
from eventtape.simulate import taq_day
from eventtape.simulate.taq_market import Blemishes
from eventtape.tape.paired import paired
from tape.chunked_ticks import cut

BAD_BOOKS = Blemishes(locked=12, crossed=12, one_sided=12)


@pytest.fixture(scope="module", params=["symbol", "time"])
def day(request):
    options = {"symbols": 5, "quotes": 5_000, "trades": 2_000, "blemishes": BAD_BOOKS}
    return request.param, taq_day(4, order=request.param, same_ns_share=0.5, **options)


@pytest.mark.parametrize("rule", ["lee-ready", "quote", "tick", "emo", "clnv"])
@pytest.mark.parametrize("size", [40, 10**9])
def test_signs_do_not_depend_on_the_chunks(day, rule, size):
    order, known = day
    chunks = paired(cut(known.trades, size), cut(known.quotes, 2 * size), order)
    options = {"rule": rule, "latency": "2ms"}
    found = pl.concat(list(sign_stream(chunks, **options)))
    assert_frame_equal(found, sign_trades(known.trades, known.quotes, **options), check_exact=True)


def test_a_rule_that_looks_ahead_is_refused(day):
    with pytest.raises(InputError, match="looks only back"):
        list(sign_stream([(day[1].trades, day[1].quotes)], rule="reverse-tick"))


def by_hand(signed, quotes, open_ns, close_ns):
    """The same table from Python lists."""
    rows = {}
    for row in signed.with_columns(pl.col("ts").cast(pl.Int64)).iter_rows(named=True):
        if row["eligible"] and open_ns <= row["ts"] < close_ns:
            rows.setdefault(row["symbol"], ([], []))[0].append(row)
    for row in quotes.with_columns(pl.col("ts").cast(pl.Int64)).iter_rows(named=True):
        if open_ns <= row["ts"] < close_ns and 0 < row["bid"] <= row["ask"]:
            rows.setdefault(row["symbol"], ([], []))[1].append(row["ask"] - row["bid"])

    def share(some, of):
        return sum(map(some, of)) / len(of) if of else None

    table = []
    for symbol in sorted(rows):
        trades, spreads = rows[symbol]
        met = [t for t in trades if t["bid"] and t["ask"] and t["bid"] <= t["ask"]]
        swept, others = ([t for t in met if t["iso"] is iso] for iso in (True, False))
        volume = sum(t["size"] for t in trades)
        table.append(
            {
                "ticker": symbol,
                "num_trades": len(trades),
                "pct_trades_iso": share(lambda t: t["iso"], trades),
                "pct_volume_iso": sum(t["size"] for t in trades if t["iso"]) / volume,
                "pct_at_quote_iso": share(lambda t: t["price"] in (t["bid"], t["ask"]), swept),
                "pct_at_quote_other": share(lambda t: t["price"] in (t["bid"], t["ask"]), others),
                "pct_quote_test": share(lambda t: t["sign_source"] == "quote test", trades),
                "pct_tick_test": share(lambda t: t["sign_source"] == "tick test", trades),
                "pct_unsigned": share(lambda t: t["sign"] == 0, trades),
                "num_quotes": len(spreads),
                "median_spread": float(np.median(spreads)),
            }
        )
    return pl.DataFrame(table)


@pytest.mark.parametrize("size", [40, 10**9])
def test_the_summary_is_that_of_brute_force(day, size):
    order, known = day
    ns = int(known.quotes["ts"].to_physical().min())
    hours = (ns + 600 * 10**9, ns + 9_000 * 10**9)
    summary = TickSummary()
    chunks = list(paired(cut(known.trades, size), cut(known.quotes, size), order))
    for signed, (_, quotes) in zip(sign_stream(iter(chunks)), chunks, strict=True):
        summary.add(signed, quotes, hours)
    want = by_hand(sign_trades(known.trades, known.quotes), known.quotes, *hours)
    assert_frame_equal(summary.table(), want, rel_tol=1e-12, abs_tol=1e-12)


def test_shares_at_the_quote_are_those_of_the_features(day):
    """One bucket of the whole day says the same of all trades, sweeps and spreads."""
    known = day[1]
    summary = TickSummary()
    summary.add(sign_trades(known.trades, known.quotes), known.quotes)
    got = summary.table()
    start = int(known.quotes["ts"].to_physical().min()) // 10**9 * 10**9
    want = microstructure_features(
        known.trades, known.quotes, every="24h", session=(start, start + 86_400 * 10**9)
    )
    pairs = (("num_trades", "num_trades"), ("pct_trades_iso", "pct_trades_iso"))
    pairs += (("pct_volume_iso", "pct_volume_iso"), ("pct_at_quote_iso", "pct_at_quote_iso"))
    for mine, theirs in pairs:
        np.testing.assert_allclose(got[mine], want[theirs], rtol=1e-12)
    assert got["ticker"].to_list() == want["ticker"].to_list()


def test_where_nothing_was_met_nothing_is_said(day):
    known = day[1]
    signed = sign_trades(known.trades, known.quotes.head(0))
    summary = TickSummary()
    summary.add(signed, known.quotes.head(0))
    table = summary.table()
    assert table.height == 5
    assert table["num_quotes"].sum() == 0
    for name in ("pct_at_quote_iso", "pct_at_quote_other", "median_spread"):
        assert table[name].null_count() == 5
    assert table["pct_quote_test"].to_list() == [0.0] * 5
    assert TickSummary().table().height == 0
