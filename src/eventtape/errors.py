"""The exception tree: every error a user can meet, and what it must say.

An input error names the place (file, row, column), the value met and the value wanted, so that
the reader can mend the file without opening the code.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["EventTapeError", "FetchError", "InputError", "LakeError", "StreamError"]


class EventTapeError(Exception):
    """Base of all errors raised on purpose by eventtape."""


class InputError(EventTapeError, ValueError):
    """Data that cannot be used: says where, what was met and what was wanted."""

    def __init__(
        self,
        wanted: str,
        *,
        met: object = None,
        file: str | Path | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        self.wanted, self.met, self.row, self.column = wanted, met, row, column
        self.file = None if file is None else str(file)
        super().__init__(wanted)

    def __str__(self) -> str:
        place = [
            part
            for part in (
                self.file,
                None if self.row is None else f"row {self.row}",
                None if self.column is None else f"column '{self.column}'",
            )
            if part
        ]
        met = "" if self.met is None else f"met {self.met!r}, "
        said = f"{met}wanted {self.wanted}"
        return f"{', '.join(place)}: {said}" if place else said

    def at(self, file: str | Path) -> InputError:
        """Return the same error with the file named, for checks that only saw a frame."""
        return InputError(
            self.wanted, met=self.met, file=self.file or file, row=self.row, column=self.column
        )


class FetchError(EventTapeError):
    """A public service did not give what it promises (status, checksum, length, shape)."""


class LakeError(EventTapeError):
    """The lake on disk cannot be read or written."""


class StreamError(EventTapeError):
    """A live engine that cannot go on; the message says where it stopped and why."""
