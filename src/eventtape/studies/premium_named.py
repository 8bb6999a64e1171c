"""The premium by hand and by the named ways, beside the fit."""

from __future__ import annotations

import math

import numpy as np

from eventtape.arrays import BoolArray
from eventtape.clock.event_calendar import DatedEvent
from eventtape.estimators.premium.day_weights import YEAR_DAYS
from eventtape.estimators.premium.event_premium import Premium
from eventtape.estimators.premium.named import (
    flat_base,
    forward_move,
    least_rough,
    strip_table,
    two_expiry,
)
from eventtape.estimators.premium.term_structure import ForwardVols, TermStructure
from eventtape.studies.premium_rows import FocusSize, NamedSize, PremiumConfig, Strip

__all__ = ["after", "named_sizes", "strips"]

LEAST_ROUGH = "least roughness"


def after(term: TermStructure, focus: DatedEvent) -> BoolArray:
    """Which expiries are after the event ``(n,)``; one at its very moment is not."""
    flags: BoolArray = term.expiries_ns > focus.at_ns
    return flags


def strips(
    term: TermStructure,
    focus: DatedEvent | None,
    near: int,
    found: FocusSize,
    config: PremiumConfig,
) -> tuple[Strip, ...]:
    """The table at the size given, at the estimate and at least roughness, where they are known."""
    if focus is None or near < 0:
        return ()
    flags = after(term, focus)
    sizes = (
        ("given", math.nan if config.size is None else config.size),
        ("estimate", found.size),
        (LEAST_ROUGH, least_rough(term, flags)),
    )
    return tuple(
        Strip(name, size, strip_table(term, flags, size, whole_days=config.whole_days))
        for name, size in sizes
        if 0.0 <= size < 1.0
    )


def named_sizes(
    term: TermStructure,
    forward: ForwardVols,
    focus: DatedEvent | None,
    near: int,
    fit: Premium,
) -> tuple[NamedSize, ...]:
    """Sizes by the named ways; each takes all events of its bucket for one."""
    if focus is None or near < 0:
        return ()
    n = term.iv.size
    low = "what is left after the base is below 0"
    rough = least_rough(term, after(term, focus))
    pair = two_expiry(term, near, near + 1) if near + 1 < n else math.nan
    flat = flat_base(term, focus.at_ns)
    bucket = float(np.diff(term.days, prepend=0.0)[near])
    base = float(fit.base_iv[near]) / math.sqrt(YEAR_DAYS)
    move = forward_move(float(forward.vol[near]), bucket, base)
    beside = near > 0
    return (
        NamedSize(
            LEAST_ROUGH,
            rough,
            "what is left bends least",
            _why(rough, "needs three expiries, one of them before the event"),
        ),
        NamedSize(
            "two expiries",
            pair,
            "one flat base to both expiries after it",
            _why(pair, low if near + 1 < n else "needs two expiries after the event"),
        ),
        NamedSize(
            "flat base",
            flat,
            "the base of the last expiry before it goes on",
            _why(flat, low if beside else "needs an expiry before the event"),
        ),
        NamedSize(
            "forward volatility",
            move,
            "the base of the fit inside the bucket",
            _why(move, low if math.isfinite(base) else "needs the base of the fit"),
        ),
    )


def _why(size: float, reason: str) -> str:
    return "" if math.isfinite(size) else reason
