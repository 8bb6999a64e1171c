"""The line itself: opening it, hearing that it has fallen silent, and why it broke.

Nothing that is sent is ever logged or part of a message, since it may hold a key; redirects are not
followed, since they would carry headers elsewhere. Frames over a limit, compressed ones counted as
they unfold, end the connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode

from eventtape.errors import FetchError
from eventtape.sources.live_backoff import retry_after_s
from eventtape.sources.live_venue import Venue

__all__ = ["Limits", "Line", "beat", "fell_silent", "opened", "refused_by_us", "wait_asked_s"]

_LOOKS = 4  # how often within ``silence_s`` a line is looked at
_MAY_PASS = {408, 418, 425, 429}  # and 5xx; any other status of 300 and more is for good
_SERVER_ERROR = 500
_OURS = {CloseCode.MESSAGE_TOO_BIG, CloseCode.INVALID_DATA}

# Its debug messages would hold every frame sent, log-in included.
_log = logging.getLogger(__name__)
_log.setLevel(logging.WARNING)


class Limits(NamedTuple):
    """Times in seconds and sizes that bound what a connection does."""

    flush_s: float = 0.02  # rows of one feed within it make one batch
    hold_s: float = 1.5  # rows wait for a hole at most; longer, and a merged clock has passed them
    catch_up_s: float = 30.0  # and for what was missed while away, if that was as long
    hold_rows: int = 200_000
    waiting_rows: int = 200_000  # more that nobody has taken, and the line is read no further
    overlap_s: float = 2.0  # asked for again before the last stamp
    settle_s: float = 0.5  # for the first frame, before REST is asked for what was missed
    fill_attempts: int = 5
    fills_at_once: int = 4
    wait_first_s: float = 0.5  # bounds of the back-off
    wait_most_s: float = 30.0
    healthy_s: float = 60.0  # connected so long, and the back-off begins anew
    open_s: float = 10.0
    close_s: float = 1.0
    frame_bytes: int = 1 << 22  # after decompression
    kept_frames: int = 20
    kept_bytes: int = 1 << 14


class Line(ClientConnection):
    """A connection that counts what the venue says of itself: data and pings, not our pongs."""

    heard = 0

    def process_event(self, event: Any) -> None:
        """Count a frame on its way in."""
        if isinstance(event, Frame) and event.opcode is not Opcode.PONG:
            self.heard += 1
        super().process_event(event)


class _Connect(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def opened(venue: Venue, limits: Limits) -> connect:
    """What ``async with`` opens and closes: a :class:`Line` to the venue."""
    return _Connect(
        venue.url,
        additional_headers=venue.headers(),
        create_connection=Line,
        open_timeout=limits.open_s,
        close_timeout=limits.close_s,
        max_size=limits.frame_bytes,
        logger=_log,
    )


def wait_asked_s(venue: Venue, error: InvalidStatus) -> float:
    """Seconds the venue asks to wait; a status that will not pass is a :class:`FetchError`."""
    status = error.response.status_code
    if status < _SERVER_ERROR and status not in _MAY_PASS:
        raise FetchError(f"{venue.name} refuses the connection: status {status}") from error
    return retry_after_s(error.response.headers)


def refused_by_us(error: Exception) -> bool:
    """Whether the line broke because we would not take a frame."""
    sent = error.sent if isinstance(error, ConnectionClosed) else None
    return sent is not None and sent.code in _OURS


async def fell_silent(line: Line, silence_s: float, busy: Callable[[], bool]) -> None:
    """Return once nothing was heard at several looks in a row, none of them while we are busy.

    Looks and not a clock: a loop that was kept from running must not take that for silence.
    """
    before, quiet = -1, 0
    while quiet < _LOOKS:
        await asyncio.sleep(silence_s / _LOOKS)
        quiet = 0 if line.heard != before or busy() else quiet + 1
        before = line.heard


async def beat(line: Line, venue: Venue) -> None:
    """Send the heartbeats the venue asks for; return at once where it asks for none."""
    while (asked := venue.heartbeat()) is not None:
        await asyncio.sleep(asked[0])
        with suppress(ConnectionClosed):
            await line.send(asked[1])
