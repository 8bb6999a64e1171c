"""The published case list of tclf 0.4.0 (github.com/KarelZe/tclf, tests), rule by rule.

tclf is handed the price to compare with in a column; here it comes from a trade before (or, for
the reverse rules, after) of the same symbol, which has no quote of its own. tclf's cases use prices
of 0, which is no price here: all are moved up by one, which no rule sees.

Its cases left to chance (a side missing, a book crossed, no other price) are unsigned here. Its
depth cases quote a crossed book and were always decided by its random numbers; asked with
``strategy="const"`` it answers 0 to them. They stand below with bid and ask the right way round.
"""

from __future__ import annotations

import numpy as np
import pytest

from eventtape.estimators.microstructure.signing import SOURCES, batch

NAN = np.nan
# price, bid, ask, the other trade's price: sign, source
LR = [(1, 1, 3, 0, -1, 1), (3, 1, 3, 0, 1, 1), (1, 1, 1, 0, 1, 2), (3, 2, 4, 4, -1, 2)]
CLNV = [
    (5, 1, 3, 0, 1, 2),
    (0, 1, 3, 1, -1, 2),
    (2.9, 1, 3, 1, 1, 1),
    (2.3, 1, 3, 3, -1, 2),
    (1.7, 1, 3, 0, 1, 2),
    (1.3, 1, 3, 1, -1, 1),
]
TICK = [
    (1, NAN, NAN, 2, -1, 2),
    (2, NAN, NAN, 1, 1, 2),
    (1, NAN, NAN, 1, 0, 0),
    (1, NAN, NAN, NAN, 0, 0),
]
QUOTE = [
    (1, 1, 3, NAN, -1, 1),
    (3, 1, 3, NAN, 1, 1),
    (1, 1, 1, NAN, 0, 0),
    (3, 2, 4, NAN, 0, 0),
    (1, NAN, 1, NAN, 0, 0),
    (3, NAN, NAN, NAN, 0, 0),
    (1.5, 1, 3, NAN, -1, 1),
    (2.5, 1, 3, NAN, 1, 1),
    (1.5, 3, 1, NAN, 0, 0),
    (2.5, 3, 1, NAN, 0, 0),
]
NOTHING = [(1, 1, NAN, NAN, 0, 0), (1, 1, np.inf, NAN, 0, 0), (1, NAN, NAN, NAN, 0, 0)]
LISTS = {
    "lee-ready": LR + NOTHING,
    "reverse-lee-ready": LR + NOTHING,
    "emo": LR + NOTHING,
    "reverse-emo": LR + NOTHING,
    "clnv": CLNV,
    "reverse-clnv": CLNV,
    "tick": TICK,
    "reverse-tick": TICK,
    "quote": QUOTE,
}


@pytest.mark.parametrize(
    ("rule", "price", "bid", "ask", "other", "sign", "source"),
    [(rule, *case) for rule, cases in LISTS.items() for case in cases],
)
def test_case(rule, price, bid, ask, other, sign, source):
    rows = [(price, bid, ask)] if np.isnan(other) else [(other, NAN, NAN), (price, bid, ask)]
    ahead = rule.startswith("reverse")
    columns = 1.0 + np.array(rows[::-1] if ahead else rows).T
    signs = batch(*columns, rule=rule)
    at = 0 if ahead else -1
    assert (signs.sign[at], SOURCES[signs.source[at]]) == (sign, SOURCES[source])


@pytest.mark.parametrize("rule", ["quote", "lee-ready", "emo", "clnv"])
@pytest.mark.parametrize(
    ("ask_size", "bid_size", "bid", "ask", "price", "sign"),
    [
        (2, 1, 2, 4, 3, 1),
        (1, 2, 2, 4, 3, -1),
        (2, 1, 4, 4, 4, 1),
        (2, 1, 4, 2, 3, 0),
        (1, 2, 4, 2, 3, 0),
        (2, 2, 2, 4, 3, 0),
    ],
)
def test_depth_case(rule, ask_size, bid_size, bid, ask, price, sign):
    sizes = {"bid_size": [bid_size], "ask_size": [ask_size]}
    signs = batch([price], [bid], [ask], rule=rule, **sizes)
    assert signs.sign[0] == sign
    assert SOURCES[signs.source[0]] == ("depth rule" if sign else "unsigned")


def test_depth_is_for_the_mid():
    """Off the mid the sizes say nothing, the quote test does."""
    signs = batch([2.0, 4.0], [2.0] * 2, [4.0] * 2, bid_size=[1.0] * 2, ask_size=[2.0] * 2)
    assert signs.sign.tolist() == [-1, 1]
    assert signs.source.tolist() == [1, 1]
