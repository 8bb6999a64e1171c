"""Kernels compiled before rows of now come, with a line that says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventtape.cli import wiring

if TYPE_CHECKING:
    from eventtape.stream.fold import Program
    from eventtape.tape import Feed

__all__ = ["warmed"]


def warmed(program: Program, feeds: Sequence[Feed], start_ns: int) -> None:
    """Run made-up rows through a program; minutes once, after an install, then seconds."""
    from eventtape.stream.warm import warm

    with wiring.progress_bar(quiet=False) as bar:
        tell = wiring.one_line(bar, "compiling")
        cold = warm(
            program, feeds, start_ns=start_ns, progress=lambda done, n: tell("kernels", done, n)
        )
    if cold:
        names = ", ".join(cold)
        print(f"eventtape: the first answer of {names} may take seconds", file=sys.stderr)
