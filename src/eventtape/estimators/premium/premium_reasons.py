"""Why a kind has no size of its own, or hardly one, in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from eventtape.clock import format_ns
from eventtape.estimators.premium.premium_fit import PremiumFit, size_law
from eventtape.estimators.premium.ridges import Events, Group, parting
from eventtape.estimators.premium.term_structure import TermStructure

__all__ = ["outside", "sum_only", "traded"]

_TRADED = -0.9  # estimates more correlated than this are known as a sum rather than apart


def outside(term: TermStructure, events: Events, kind: str) -> str:
    """Why no event of this kind lies inside the term structure."""
    times = [t for t, k in zip(events.times_ns.tolist(), events.kinds, strict=True) if k == kind]
    if max(times) < term.at_ns:
        return f"it is over: the term structure is of {format_ns(term.at_ns, seconds=False)}"
    last = format_ns(int(term.expiries_ns[-1]), seconds=False)
    return f"it is after the last expiry, {last}: no listed expiry includes it"


def sum_only(fit: PremiumFit, part: Group, events: Events) -> Iterator[tuple[int, str]]:
    """Each kind of a ridge, and which listing would part it from the others."""
    names = [fit.kinds[k] for k in part.members]
    after, before = parting(fit.term, events, names)
    listing = f"no expiry can part events of one moment, {format_ns(after, seconds=False)}"
    if after < before:
        between = f"{format_ns(after, seconds=False)} and {format_ns(before, seconds=False)}"
        listing = f"an expiry between {between} would part them"
    for k in part.members:
        others = " and ".join(name for name in names if name != fit.kinds[k])
        yield k, f"only its sum with {others} is known: {listing}"


def traded(fit: PremiumFit) -> Iterator[tuple[int, str]]:
    """Kinds identified apart, but hardly: their variances rise and fall against each other."""
    alone = [i for i, part in enumerate(fit.parts) if len(part.members) == 1]
    if len(alone) < 2:
        return
    weight, b, cov = fit.cells
    means = b @ fit.rows.T
    away = means - weight @ means
    spread = fit.rows @ np.tensordot(weight, cov, 1) @ fit.rows.T + (weight * away.T) @ away
    sd = np.sqrt(np.diag(spread))
    for place, i in enumerate(alone):
        for j in alone[place + 1 :]:
            if spread[i, j] < _TRADED * sd[i] * sd[j]:
                law = size_law(fit.cells, fit.rows[i] + fit.rows[j], fit.unit, fit.tail)
                if math.isnan(law.size):
                    continue
                words = f"together {law.size:.2%} ({law.lower:.2%} to {law.upper:.2%})"
                for one, other in ((i, j), (j, i)):
                    name = fit.kinds[fit.parts[other].members[0]]
                    told = f"known mainly as a sum with one {name}, {words}"
                    yield fit.parts[one].members[0], told
