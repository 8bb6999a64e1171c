"""What is particular to a venue's live connection; the connection itself is ``live_socket``.

A venue knows its address, what to say on connecting, how to read a frame, where its own sequence
shows a hole and how to fill one over REST. It holds the little it must remember between frames
(last sequence numbers, the last quote of a side) and nothing of sockets, time-outs or retries.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from eventtape.sources.http import Client
from eventtape.tape import Feed
from eventtape.tape.batch import Batch

__all__ = ["Hole", "Read", "Venue"]


class Hole(NamedTuple):
    """Rows of a feed that the venue sent and we did not get."""

    feed: str
    from_ns: int  # stamp of the last row before it
    to_ns: int  # stamp of the first row after it


class Read(NamedTuple):
    """What one frame said."""

    batches: tuple[Batch, ...] = ()  # received_ns set, not numbered
    replies: tuple[str, ...] = ()  # frames to send at once (an answer to the venue's heartbeat)
    holes: tuple[Hole, ...] = ()  # found by the venue's sequence numbers with this frame
    refused: str = ""  # the venue refuses for good (bad key, unknown channel): why, in its words
    reconnect: str = ""  # the connection is of no more use (sequence lost beyond repair): why


class Venue(Protocol):
    """One venue's protocol.

    ``read`` raises :class:`~eventtape.errors.InputError` on a frame that cannot be read, which is
    counted and kept aside and does not end the connection.
    """

    name: str
    url: str  # wss://..., configurable so that tests serve it from the loopback
    silence_s: float  # longer than this without a frame, heartbeats included, and it has stalled

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """What it brings, with empty frames."""

    def headers(self) -> dict[str, str]:
        """HTTP headers of the handshake (a signed key), {} where none are asked for."""

    def hello(self) -> tuple[str, ...]:
        """Frames to send on every connect: log in, subscribe. Forgets the old connection."""

    def heartbeat(self) -> tuple[float, str] | None:
        """Seconds between, and the frame of, the heartbeat the venue asks for; None: pings do."""

    def read(self, frame: str | bytes, received_ns: int) -> Read:
        """What a frame says."""

    def backfill(self, client: Client, feed: str, from_ns: int, to_ns: int) -> tuple[Batch, ...]:
        """Rows of a feed stamped from ``from_ns`` to ``to_ns``, both included, over REST.

        Blocking; called in a worker thread. ``received_ns`` is the time of the answer.
        """
