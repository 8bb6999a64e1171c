"""``eventtape diffusion``, ``demo`` and ``validate``: the study, from tape to pages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventtape.cli import wiring
from eventtape.errors import EventTapeError, InputError

if TYPE_CHECKING:
    from eventtape.studies import Config, DiffusionResult, Event
    from eventtape.tape import Tape

Data = Annotated[
    Path | None,
    typer.Option(help="Folder of real data (else $EVENTTAPE_DATA, else ../shared/data)."),
]
LakeRoot = Annotated[
    Path, typer.Option("--lake", help="Root of the lake.", envvar="EVENTTAPE_LAKE")
]


def diffusion(
    data: Data = None,
    event: Annotated[str, typer.Option(help="Which event.")] = "us-election-2024",
    simulate: Annotated[
        int | None, typer.Option(help="Study the simulated night of this seed instead.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where report.html and result.json go.")] = Path("out"),
    lake: LakeRoot = Path("lake"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the JSON contract and nothing else.")
    ] = False,
    headline_s: Annotated[float, typer.Option(help="Headline horizon, seconds.")] = 1800.0,
    horizons_s: Annotated[
        list[float] | None,
        typer.Option(help="Horizons, seconds (repeat the option); the headline is always one."),
    ] = None,
    lead_s: Annotated[
        float, typer.Option(help="How far a market may move before the probability, seconds.")
    ] = 600.0,
    step_s: Annotated[
        float, typer.Option(help="Grid step, seconds; coarser feeds use their own.")
    ] = 60.0,
    max_lag_s: Annotated[
        float, typer.Option(help="Reach of the lead-lag search, seconds.")
    ] = 600.0,
    lag_step_s: Annotated[float, typer.Option(help="Step of the lead-lag search, seconds.")] = 10.0,
    max_age_s: Annotated[
        float, typer.Option(help="A price older than this is not seen, seconds.")
    ] = 300.0,
    probability_tick: Annotated[
        float, typer.Option(help="Price grid of the event's contract.")
    ] = 0.001,
    score_from: Annotated[
        str | None,
        typer.Option(help="Start of the scored window, ISO 8601 with zone (else the middle)."),
    ] = None,
    controls: Annotated[
        list[str] | None,
        typer.Option(help="Hold the returns of this market fixed (repeat the option)."),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of every interval.")] = 0.95,
    n_draws: Annotated[int, typer.Option(help="Bootstrap draws.")] = 499,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    leadership_steps_s: Annotated[
        list[float] | None,
        typer.Option(help="Steps at which leaders are asked for, seconds (repeat the option)."),
    ] = None,
    rolling_s: Annotated[
        float, typer.Option(help="Length of the windows of lead and lag, seconds.")
    ] = 7200.0,
    rolling_every_s: Annotated[
        float, typer.Option(help="A window starts every so many seconds.")
    ] = 1800.0,
    placebo_runs: Annotated[
        int, typer.Option(help="Shuffled copies of the feeds the rules are tried on; 0 for none.")
    ] = 40,
) -> None:
    """How one event's news travelled into markets, and what each outcome was worth to each."""
    from eventtape.clock import parse_ns
    from eventtape.studies import Config

    config = Config(
        step_s=step_s,
        headline_s=headline_s,
        lead_s=lead_s,
        max_lag_s=max_lag_s,
        lag_step_s=lag_step_s,
        max_age_s=max_age_s,
        probability_tick=probability_tick,
        score_from_ns=None if score_from is None else parse_ns(score_from),
        controls=tuple(controls or ()),
        level=level,
        n_draws=n_draws,
        seed=seed,
        leadership_steps_s=tuple(sorted({*(leadership_steps_s or Config.leadership_steps_s)})),
        rolling_s=rolling_s,
        rolling_every_s=rolling_every_s,
        placebo_runs=placebo_runs,
        horizons_s=tuple(sorted({*(horizons_s or Config.horizons_s), headline_s})),
    )
    with wiring.progress_bar(quiet=as_json) as bar:
        tape, what = _tape(event, data, lake, simulate)
        result = _run(tape, what, config, bar)
        _finish(result, out, lake, as_json=as_json, said=_as_typed())


def demo(
    data: Data = None,
    out: Annotated[Path, typer.Option(help="Where the pages go.")] = Path("out"),
    lake: LakeRoot = Path("lake"),
) -> None:
    """The 2024 election night: real data where there is some, else fetched, else simulated."""
    from eventtape.simulate import event_night
    from eventtape.store import Lake
    from eventtape.studies import EVENTS, SIMULATED, Config

    what = EVENTS["us-election-2024"]
    store = Lake(lake)
    with wiring.progress_bar(quiet=False) as bar:
        tape = wiring.tape_of(what, data=data, lake=store) or _fetched(what, lake, bar)
        if tape is None:
            tape, what = event_night(2024).tape, SIMULATED
        result = _run(tape, what, Config(), bar)
        _finish(result, out, lake, as_json=False, said="eventtape demo")


def validate(
    nights: Annotated[int, typer.Option(help="Simulated nights, each with its placebo.")] = 100,
    first_seed: Annotated[int, typer.Option(help="Seed of the first night.")] = 0,
    design: Annotated[
        str, typer.Option(help="Kind of night: ordinary, loud, smooth, stale, slow or restless.")
    ] = "ordinary",
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Measure coverage and false positives of the whole study on nights whose truth is known."""
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial

    from eventtape.cli.terminal import show_calibration
    from eventtape.studies.calibration import checks_of_night, summarise

    if nights < 1 or workers < 1 or first_seed < 0:
        wanted = "at least one night and one worker, and a seed >= 0"
        raise InputError(wanted, met=(nights, workers, first_seed))
    seeds = range(first_seed, first_seed + nights)
    checks = []
    with wiring.progress_bar(quiet=as_json) as bar, ProcessPoolExecutor(workers) as pool:
        tell = wiring.one_line(bar, "validate")
        one_night = partial(checks_of_night, design=design)
        for done, found in enumerate(pool.map(one_night, seeds), 1):
            checks += found
            tell(f"night {seeds[done - 1]}", done, nights)
    table = summarise(checks)
    if as_json:
        about = {"nights": nights, "first_seed": first_seed, "design": design}
        print(json.dumps({**about, "rates": table.to_dicts()}, indent=1))
    else:
        show_calibration(table, nights, design)


def _tape(event: str, data: Path | None, lake: Path, simulate: int | None) -> tuple[Tape, Event]:
    from eventtape.simulate import event_night
    from eventtape.store import Lake
    from eventtape.studies import SIMULATED, event_named

    if simulate is not None:
        if data is not None:
            raise InputError("either --data or --simulate", met="both")
        return event_night(simulate).tape, SIMULATED
    what = event_named(event)
    tape = wiring.tape_of(what, data=data, lake=Lake(lake))
    if tape is None:
        error = InputError(f"data for {event}", met="no data folder and no fetched dataset")
        error.add_note(f"Name a folder with --data, or run: eventtape fetch {what.dataset}")
        error.add_note("Or study a simulated night: eventtape diffusion --simulate 1")
        raise error
    return tape, what


def _fetched(event: Event, lake: Path, bar: object) -> Tape | None:
    """The event's tape from the public services, or None where they do not give enough of it."""
    from eventtape.store import Lake, read_tape
    from eventtape.studies.diffusion import MARKET_KINDS

    store = Lake(lake)
    feeds, failed = wiring.fetch_into(
        store,
        lake / "downloads",
        endpoints=wiring.endpoints_from_environment(),
        start_ns=event.start_ns - 3_600_000_000_000,
        end_ns=event.end_ns,
        attempts=2,
        trades=False,
        bar=bar,  # type: ignore[arg-type]
    )
    for label, error in failed:
        print(f"eventtape: {label} could not be fetched: {_first_line(error)}", file=sys.stderr)
    labels = {feed.label for feed in feeds}
    if event.primary in labels and any(f.instrument.kind in MARKET_KINDS for f in feeds):
        return read_tape(store, event.dataset)
    print("eventtape: no real data here, so a simulated night is shown instead", file=sys.stderr)
    return None


def _first_line(error: EventTapeError) -> str:
    return str(error).splitlines()[0]


def _run(tape: Tape, event: Event, config: Config, bar: object) -> DiffusionResult:
    from eventtape.studies import diffusion as study

    seen = {feed.label for feed in tape.feeds}
    unknown = [label for label in config.controls if label not in seen]
    if unknown:
        raise InputError(f"controls among {', '.join(sorted(seen))}", met=unknown[0])
    return study(tape, event, config, progress=wiring.one_line(bar, "diffusion"))  # type: ignore[arg-type]


def _finish(result: DiffusionResult, out: Path, lake: Path, *, as_json: bool, said: str) -> None:
    from eventtape.cli.terminal import show_diffusion
    from eventtape.store import Lake
    from eventtape.studies.contract import contract

    report = wiring.save(result, out, Lake(lake), said)
    if as_json:
        print(json.dumps(contract(result), allow_nan=False))
    else:
        show_diffusion(result, report)


def _as_typed() -> str:
    return " ".join(["eventtape", *sys.argv[1:]])
