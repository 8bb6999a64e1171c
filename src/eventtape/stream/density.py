"""What law does each chain of options give its price at expiry, at every moment of a clock?

The last quote of every contract stands until it is replaced, ages out or expires. At each time of a
grid, multiples of ``every_ns``, a chain is read as of then, as the study of densities reads it
(:mod:`.density_quotes`, :mod:`.density_chain`); nothing stamped after it is looked
at. Between cold fits hyper-parameters are held.

Rows come from a node that merges feeds on one clock (:class:`~.order.Merged`): a time of the grid
is settled once that clock has passed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.arrays import IntArray
from eventtape.clock import SECOND, format_ns
from eventtape.errors import InputError
from eventtape.stream.density_chain import ChainReading, HeldSmile, Refit, gone_silent, read_chain
from eventtape.stream.density_quotes import COLUMNS, chains_of, standing
from eventtape.stream.density_rows import density_rows
from eventtape.stream.fold import NEVER, Slice
from eventtape.tape.chains import Chain
from eventtape.tape.feed import times_ns
from eventtape.tape.records import OPTION_QUOTE, empty

__all__ = ["LAWS_FRAME", "DensityFold", "DensityState"]

LAWS_FRAME = "density laws"
"""The frame beside ``density`` in its slices: :data:`~.density_rows.LAWS`, for the states."""

_MOST_PIECES = 64  # of the frame that waits, before it is laid out anew


class DensityState(NamedTuple):
    """Quotes that stand and that wait, the next time of the grid, and each chain's smile."""

    quotes: pl.DataFrame
    next_ns: int
    held: dict[str, HeldSmile]


@dataclass(frozen=True)
class DensityFold:
    """A row of ``answers.DENSITY`` a chain and time of the grid.

    - ``feeds``: of option quotes, as the merging node names them.
    - ``every_ns``: step of the grid.
    - ``refit_ns``, ``refit_sds``: a smile is fitted cold once its last cold fit is this old, or the
      forward has moved by this many standard deviations of the law; and always when a contract is
      listed or the held smile no longer stands.
    - ``max_age_ns``: a quote older than this no longer stands. A chain without any says so once and
      is silent.
    - ``rate``: a year, where known; else parity says it, with a weak prior of 3%.

    ``status`` is the status's word and, after a colon, the reason. American chains are refused.
    """

    feeds: tuple[str, ...]
    every_ns: int = 60 * SECOND
    refit_ns: int = 600 * SECOND
    refit_sds: float = 0.5
    max_age_ns: int = 1800 * SECOND
    rate: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no chain could make right."""
        if not self.feeds:
            raise InputError("at least one feed of option quotes", met="none")
        if min(self.every_ns, self.refit_ns, self.max_age_ns) <= 0:
            met = (self.every_ns, self.refit_ns, self.max_age_ns)
            raise InputError("lengths of time > 0 ns", met=met)
        if not self.refit_sds > 0.0:
            raise InputError("a refit_sds above 0", met=self.refit_sds)
        if self.rate is not None and not abs(self.rate) < 1.0:
            raise InputError("a part of one a year (0.05 is 5%)", met=self.rate)

    def start(self) -> DensityState:
        """Before any quote."""
        return DensityState(empty(OPTION_QUOTE).select(COLUMNS), NEVER, {})

    def step(self, state: DensityState, new: Slice) -> tuple[DensityState, Slice | None]:
        """The rows of the times that ``new`` settles."""
        rows = pl.concat([state.quotes, *self._fresh(new)])
        held, at_ns = state.held, state.next_ns
        if held and at_ns >= new.upto_ns:
            piled = rows.n_chunks() > _MOST_PIECES
            return state._replace(quotes=rows.rechunk() if piled else rows), None
        said: list[tuple[str, ChainReading]] = []
        times = times_ns(rows)
        while rows.height and (at_ns := max(at_ns, self._first(times, held))) < new.upto_ns:
            cut = int(np.searchsorted(times, at_ns, side="right"))
            stand = standing(rows.head(cut), at_ns, self.max_age_ns)
            held, readings = self._at(stand, at_ns, held)
            said += readings
            rows = pl.concat([stand, rows.slice(cut)])
            times = times_ns(rows)
            at_ns += self.every_ns
        after = DensityState(rows, at_ns, held)
        if not said:
            return after, None
        drawn, laws = density_rows(said)
        return after, Slice(new.upto_ns, {"density": drawn, LAWS_FRAME: laws}, new.now_ns)

    def finish(self, state: DensityState) -> Slice | None:  # noqa: ARG002
        """Nothing: a time of the grid that the tape does not reach is not settled."""
        return None

    def _fresh(self, new: Slice) -> list[pl.DataFrame]:
        """The new quotes in time, of one time in the order of ``feeds``."""
        parts = [new.frames[feed].select(COLUMNS) for feed in self.feeds if feed in new.frames]
        if len(parts) > 1:
            return [pl.concat(parts).sort("ts", maintain_order=True)]
        return parts

    def _first(self, times: IntArray, held: Mapping[str, HeldSmile]) -> int:
        """The first time of the grid at or after the first row; any, while chains are held."""
        return NEVER if held else -(-int(times[0]) // self.every_ns) * self.every_ns

    def _at(
        self, quotes: pl.DataFrame, at_ns: int, held: Mapping[str, HeldSmile]
    ) -> tuple[dict[str, HeldSmile], list[tuple[str, ChainReading]]]:
        """Every chain as of a time."""
        refit = Refit(self.refit_ns, self.refit_sds)
        after: dict[str, HeldSmile] = {}
        said: list[tuple[str, ChainReading]] = []
        for chain in chains_of(quotes, at_ns):
            label = _label(chain, held, after)
            after[label], reading = read_chain(chain, held.get(label), refit, self.rate)
            said.append((label, reading))
        for label, gone in held.items():
            if label not in after and gone.expiry_ns > at_ns:
                said.append((label, gone_silent(gone, at_ns, self.max_age_ns)))
        return after, said


def _label(chain: Chain, held: Mapping[str, HeldSmile], now: Mapping[str, HeldSmile]) -> str:
    """Underlying and expiry; style and settlement too where another chain has that name."""
    name = f"{chain.underlying} {format_ns(chain.expiry_ns, seconds=False)}"
    whole = f"{name} {chain.style} {chain.settlement}"
    others = [known[name] for known in (now, held) if name in known]
    taken = any((o.style, o.settlement) != (chain.style, chain.settlement) for o in others)
    return whole if taken or whole in held else name
