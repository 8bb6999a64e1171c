"""The terminal program: the one place that wires source, store, study and face.

Nothing heavy is imported until a command runs, so that ``eventtape --help`` answers at once.
"""

from __future__ import annotations

import os
import sys

import typer

from eventtape.cli import (
    density_command,
    diffusion_command,
    features_command,
    fetch_command,
    lake_command,
    leadership_command,
    live_command,
    nbbo_command,
    premium_command,
    states_command,
    sweeps_command,
    trade_command,
    train_command,
    universe_command,
)
from eventtape.errors import EventTapeError, InputError

__all__ = ["app", "main"]

app = typer.Typer(
    name="eventtape",
    help="How news about a scheduled event travels through markets, what each outcome is worth, "
    "and how sure the data are.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("diffusion")(diffusion_command.diffusion)
app.command("density")(density_command.density)
app.command("states")(states_command.states)
app.command("premium")(premium_command.premium)
app.command("trade")(trade_command.trade)
app.command("demo")(diffusion_command.demo)
app.command("validate")(diffusion_command.validate)
app.command("fetch")(fetch_command.fetch)
app.command("universe")(universe_command.universe)
app.command("features")(features_command.features)
app.command("leadership")(leadership_command.leadership)
app.command("nbbo")(nbbo_command.nbbo)
app.command("replay")(live_command.replay)
app.command("live")(live_command.live)
app.command("train")(train_command.train)
app.command("dashboard")(live_command.dashboard)
app.command("sweeps")(sweeps_command.sweeps)
app.add_typer(lake_command.app, name="lake")


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"eventtape {version('eventtape')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """How news about a scheduled event travels through markets."""


def main() -> None:
    """Run the program: 0 done, 2 input that cannot be used, 1 another error said in words."""
    # Before numpy loads: every matrix here is small, and BLAS threads only get in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except InputError as error:
        _complain(error)
        sys.exit(2)
    except EventTapeError as error:
        _complain(error)
        sys.exit(1)
    except OSError as error:  # a folder that cannot be written, a disk that is full
        print(f"eventtape: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(error: EventTapeError) -> None:
    print(f"eventtape: {error}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(f"  {note}", file=sys.stderr)
