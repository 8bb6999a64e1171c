"""One pass over a day's ticks or many: readers, meters, progress and days put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventtape.cli.tick_files import Files, Format, Kind, files_by_day, scan
from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.cli.tick_progress import TickProgress
    from eventtape.tape.days import Chunk, Day, DayOf, Run

__all__ = ["TickPass", "runs_held"]

_HELD_ROWS = 200_000  # rows of an answer that may be held before a run of symbols must end
_NS_A_DAY = 86_400_000_000_000


def runs_held(every_ns: int) -> Callable[[Day], int]:
    """How many symbols a run may hold, so that what it answers stays within a bounded memory."""

    def most(day: Day) -> int:
        low, high = day.hours or (0, _NS_A_DAY)
        return max(1, _HELD_ROWS // max(1, (high - low) // every_ns))

    return most


class TickPass:
    """Chunks of files or of a simulated day, by day, with what was seen of them on the way."""

    def __init__(
        self, how: Format, day_of: DayOf, *, progress: TickProgress, every_ns: int
    ) -> None:
        from eventtape.sources import TickMeter

        self._how, self._day_of, self._progress = how, day_of, progress
        self._most = runs_held(every_ns)
        self._counts: dict[Kind, Counter[str]] = {"trades": Counter(), "quotes": Counter()}
        self._meters = {kind: TickMeter(counts=seen) for kind, seen in self._counts.items()}
        self.rows: Counter[str] = Counter()
        self.days: dict[Any, Day] = {}
        self.not_traded: Counter[str] = Counter()

    def runs(
        self, paths: dict[str, tuple[Path, ...]], symbols: list[str] | None, simulate: int | None
    ) -> Iterator[Run]:
        """The runs of the files, or of the simulated day; only of these symbols where named.

        A pass that met no tick of a session, or none of the symbols, is an :class:`InputError`.
        """
        if simulate is None:
            for files in files_by_day(
                paths.get("trades", ()), paths["quotes"], self._how, self._day_of
            ):
                yield from self._by_day(self._paired(files, symbols))
        else:
            yield from self._by_day(self._simulated(simulate, symbols))
        if not self.days:
            wanted, met = f"ticks of {', '.join(symbols or ['some symbol'])}", "none"
            if self.not_traded:
                wanted = "ticks on a session of the calendar (or --session none)"
                met = f"only {', '.join(sorted(self.not_traded))}"
            raise InputError(wanted, met=met)

    def health(self) -> dict[str, dict[str, Any]]:
        """What the meters counted, for each side that had a row."""
        return {
            kind: self._meters[kind].health()._asdict() for kind in self._meters if self.rows[kind]
        }

    def _by_day(self, chunks: Iterator[Chunk]) -> Iterator[Run]:
        from eventtape.tape.days import day_runs

        before = set(self.days)
        for run in day_runs(chunks, self._day_of, self._how.order, most_symbols=self._most):
            if run.day.date in before:
                wanted = "files of one day that begin on it, or one file of all days on either side"
                raise InputError(wanted, met=f"{run.day.date} again, after other files of it")
            if not run.day.traded:
                for trades, quotes in run.chunks:
                    self.not_traded[str(run.day.date)] += trades.height + quotes.height
                continue
            self.days[run.day.date] = run.day
            yield run

    def _paired(self, files: Files, symbols: list[str] | None) -> Iterator[Chunk]:
        """The files' chunks; an error that cannot know its file is told which were being read."""
        from eventtape.tape.paired import paired

        trades = self._side(files.trades, "trades", symbols)
        quotes = self._side(files.quotes, "quotes", symbols)
        try:
            yield from paired(trades, quotes, self._how.order)
        except InputError as error:
            if error.file is None:
                error.add_note(f"in {', '.join(map(str, (*files.trades, *files.quotes)))}")
            raise

    def _side(
        self, paths: tuple[Path, ...], kind: Kind, symbols: list[str] | None
    ) -> Iterator[pl.DataFrame]:
        import polars as pl

        for path in paths:
            frames = scan(path, kind, self._how, counts=self._counts[kind])
            for frame in self._progress.watch(frames, path):
                kept = frame
                if symbols:
                    kept = frame.filter(pl.col("symbol").cast(pl.String).is_in(symbols))
                self._count(kept, kind)
                yield kept

    def _simulated(self, seed: int, symbols: list[str] | None) -> Iterator[Chunk]:
        from eventtape.simulate import taq_batches

        for batch in taq_batches(seed, order=self._how.order, only=symbols, truth=False):
            self._count(batch.trades, "trades")
            self._count(batch.quotes, "quotes")
            self._progress.count(batch.trades.height + batch.quotes.height)
            yield batch.trades, batch.quotes

    def _count(self, frame: pl.DataFrame, kind: Kind) -> None:
        if frame.height:
            self.rows[kind] += frame.height
            self._meters[kind].add(frame)
