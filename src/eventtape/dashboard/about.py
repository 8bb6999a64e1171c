"""What a screen must know of a run besides its answers: which event, of what, and is it real."""

from __future__ import annotations

from typing import NamedTuple

from eventtape.errors import InputError

__all__ = ["About", "checked"]


class About(NamedTuple):
    """The event of a run, in the words a reader sees."""

    key: str  # such as us-election-2024
    title: str
    outcome: str  # the probability is that ...
    primary: str  # feed of the probability that the markets are held against
    simulated: bool = False
    start_ns: int = -1  # window of the event, UTC ns; -1 where it has none
    end_ns: int = -1
    notes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()  # of the run; a page shows no others. Empty: unknown, so all


def checked(about: About) -> About:
    """The same, once it has a title and its window is one."""
    if not about.title.strip():
        raise InputError("a title of the event", met=about.title)
    if min(about.start_ns, about.end_ns) >= 0 and about.end_ns < about.start_ns:
        raise InputError("an end not before the start", met=(about.start_ns, about.end_ns))
    return about
