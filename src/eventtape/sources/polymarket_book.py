"""The order book of a Polymarket token from whole books and changed levels, in whatever order.

Each level knows the stamp of its last change, so a change that comes late cannot undo a newer one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from eventtape.sources.files import JsonRow, rows_under
from eventtape.sources.live_json import milliseconds

__all__ = ["NEVER", "NONE", "Book", "Changes", "Whole", "changed_levels", "whole_book"]

NEVER = -1
NONE = (0.0, 1.0)
"""Best bid and ask where nobody quotes either side."""
_SIDES = {"BUY": 0, "SELL": 1}


class _Level(NamedTuple):
    size: float
    ts: int


class Book:
    """A token's price levels; one of size 0 is kept, so that an older change cannot revive it."""

    def __init__(self) -> None:
        self.sides: tuple[dict[float, _Level], dict[float, _Level]] = ({}, {})
        self.whole_at = NEVER  # stamp of the last whole book
        self.newest = NEVER

    def best(self) -> tuple[float, float]:
        """Best bid and ask, 0 and 1 where nobody quotes."""
        bids, asks = ([p for p, level in side.items() if level.size > 0] for side in self.sides)
        return max(bids, default=NONE[0]), min(asks, default=NONE[1])

    def agree(self, best: tuple[float, float], ts: int) -> None:
        """Take the venue's word for the best bid and ask: better levels are gone, these are there.

        The sizes of levels not told of are infinite.
        """
        for levels, price, none, sign in zip(self.sides, best, NONE, (1, -1), strict=True):
            for better in [at for at in levels if sign * at > sign * price]:
                levels[better] = _Level(0.0, ts)
            if price != none and (price not in levels or levels[price].size == 0):
                levels[price] = _Level(math.inf, ts)


class Whole(NamedTuple):
    """A token's whole book."""

    token: str
    ts: int
    levels: tuple[dict[float, float], dict[float, float]]  # size by price, of bids and asks
    identity: str
    stated: tuple[float, float] | None = None

    def apply(self, book: Book) -> None:
        """Take the whole book; levels changed after it stay."""
        if self.ts < book.whole_at:
            return
        for known, given in zip(book.sides, self.levels, strict=True):
            later = {price: level for price, level in known.items() if level.ts > self.ts}
            known.clear()
            known.update({price: _Level(size, self.ts) for price, size in given.items()} | later)
        book.whole_at, book.newest = self.ts, max(self.ts, book.newest)


class _Change(NamedTuple):
    """The new size of a price level."""

    side: int
    price: float
    size: float


class Changes(NamedTuple):
    """New levels of a token, and the best prices after them where the venue states them."""

    token: str
    ts: int
    changes: tuple[_Change, ...]
    identity: str
    stated: tuple[float, float] | None

    def apply(self, book: Book) -> None:
        """Take each level's new size unless a newer one is known."""
        for side, price, size in self.changes:
            known = book.sides[side].get(price)
            if self.ts >= max(book.whole_at, NEVER if known is None else known.ts):
                book.sides[side][price] = _Level(size, self.ts)
        book.newest = max(self.ts, book.newest)


def whole_book(event: JsonRow, token: str) -> Whole:
    """What a ``book`` event says."""
    ts = milliseconds(event, "timestamp")
    bids, asks = (
        {_price(level): _size(level) for level in rows_under(event.values, side, file=event.file)}
        for side in ("bids", "asks")
    )
    return Whole(token, ts, (bids, asks), f"{ts} {event.values.get('hash')}")


def changed_levels(token: str, ts: int, changes: list[JsonRow]) -> Changes:
    """What the entries of a ``price_change`` event say of one token."""
    read = []
    for change in changes:
        side = change.text("side")
        if side not in _SIDES:
            raise change.fault("side", "BUY or SELL", side)
        read.append(_Change(_SIDES[side], _price(change), _size(change)))
    last = changes[-1]
    stated = None
    if last.values.get("best_bid") is not None and last.values.get("best_ask") is not None:
        stated = (last.decimal("best_bid"), last.decimal("best_ask"))
        for name, price in zip(("best_bid", "best_ask"), stated, strict=True):
            if not 0 <= price <= 1:
                raise last.fault(name, "a price from 0 to 1", price)
    return Changes(token, ts, tuple(read), f"{ts} {last.values.get('hash')}", stated)


def _price(level: JsonRow) -> float:
    price = level.decimal("price")
    if not 0 < price < 1:
        raise level.fault("price", "a price above 0 and below 1", price)
    return price


def _size(level: JsonRow) -> float:
    size = level.decimal("size")
    if size < 0:
        raise level.fault("size", "a size >= 0", size)
    return size
