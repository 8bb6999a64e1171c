"""``eventtape states``: what the market would look like under either outcome of an event."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from eventtape.cli import wiring
from eventtape.cli.option_input import cased, check_folder, of_expiry, read_options
from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.simulate.two_states import TwoStates
    from eventtape.studies.states_rows import EventProbability, Realised, StatesResult
    from eventtape.tape.chains import Chain

_MOST_TIMES = 500


class _Asked(NamedTuple):
    """The chains and the probability of one run, and what is known of them beforehand."""

    chains: tuple[Chain, ...]
    probability: EventProbability
    realised: Realised | None
    made: TwoStates | None
    truth: str
    sources: tuple[str, ...]
    notes: tuple[str, ...]


def states(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE…", help="Option quotes of any vendor the house reads."),
    ] = None,
    probability: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NUMBER|LOW..HIGH",
            help="Of the outcome: a file of quotes, one number, or a range (then bounds only).",
        ),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Of the probability, where its file has several.")
    ] = None,
    event: Annotated[str, typer.Option(help="What the outcome is called.")] = "the event",
    underlying: Annotated[
        str | None, typer.Option(help="Only this one; states it where the file does not.")
    ] = None,
    expiry: Annotated[
        str | None,
        typer.Option(help="Only this date or moment; states it where the file does not."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="As of this moment (else the last); states it where the file does not."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(help="A snapshot every so long, such as 30m (else at each time of the file)."),
    ] = None,
    max_age: Annotated[
        str | None,
        typer.Option(help="Leave out options and probabilities older than this, such as 5m."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Per year, continuous (0.04); else parity says.")
    ] = None,
    american: Annotated[
        bool | None,
        typer.Option(
            "--american/--european", help="How the options are exercised, if not as filed."
        ),
    ] = None,
    p_error: Annotated[
        float, typer.Option(help="Standard deviation of the quoted probability's noise.")
    ] = 0.0,
    wedge: Annotated[
        float,
        typer.Option(help="How far the pricing probability may stand from the quoted, probits."),
    ] = 0.1,
    drift: Annotated[
        float,
        typer.Option(help="Standard deviation of the gap's step from one snapshot to the next."),
    ] = 0.0,
    placebos: Annotated[
        int, typer.Option(help="Shuffled paths of the probability to try; 0 for none.")
    ] = 19,
    bootstrap: Annotated[
        int, typer.Option(help="Draws for the test of no gap; 0 for its limit law.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Seed of placebos, draws and bands.")] = 0,
    level: Annotated[float, typer.Option(help="Level of every interval and band.")] = 0.95,
    realised: Annotated[
        str | None,
        typer.Option(
            metavar="yes|no:PRICE:TIME",
            help="What came of it: the outcome, the forward after it, and when.",
        ),
    ] = None,
    simulate: Annotated[
        int | None, typer.Option(help="Study simulated quotes of this seed, truth beside.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option(help="Folder of states.html, .json and the .parquet tables; or an .html."),
    ] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Mean, volatility and density under either outcome, by four ways and what each assumes."""
    from eventtape.clock import SECOND, duration_ns
    from eventtape.studies.states import run
    from eventtape.studies.states_rows import StatesConfig

    page = out if out.suffix == ".html" else out / "states.html"
    check_folder(page.parent)
    age_s = float("inf") if max_age is None else duration_ns(max_age) / SECOND
    config = StatesConfig(
        level=level,
        p_error=p_error,
        wedge_sd=wedge,
        drift=drift,
        placebos=placebos,
        bootstrap=bootstrap,
        seed=seed,
        max_age_s=age_s,
        rate=rate,
        exercise="as given" if american is None else "american" if american else "european",
    )
    every_ns = None if every is None else duration_ns(every)
    came = None if realised is None else _realised(realised)
    with wiring.progress_bar(quiet=as_json) as bar:
        tell = wiring.one_line(bar, "states")
        tell("reading", 0, None)
        if simulate is not None:
            if files or probability is not None or came is not None:
                wanted = "--simulate alone, without files, --probability or --realised"
                raise InputError(wanted, met="both")
            asked = _simulated(simulate)
        else:
            stated = {"underlying": underlying, "expiry": expiry, "at": at}
            if american is not None:
                stated["style"] = "american" if american else "european"
            asked = _given(files or [], probability, symbol, stated, every_ns, age_s, came)
        result = run(
            asked.chains,
            asked.probability,
            config,
            event=event,
            realised=asked.realised,
            made=asked.made,
            truth=asked.truth,
            simulated=simulate is not None,
            sources=asked.sources,
            notes=asked.notes,
            progress=tell,
        )
    report = _save(result, page)
    if as_json:
        from eventtape.studies.states_contract import contract

        print(json.dumps(contract(result), allow_nan=False))
    else:
        from eventtape.cli.states_screen import show_states

        show_states(result, report)


def _realised(text: str) -> Realised:
    from eventtape.clock import parse_ns
    from eventtape.studies.states_rows import Realised

    side, _, rest = text.partition(":")
    price, _, moment = rest.partition(":")
    try:
        value, at_ns = float(price), parse_ns(moment)
    except (ValueError, InputError):
        value, at_ns = -1.0, 0
    if side not in {"yes", "no"} or not 0.0 < value < float("inf"):
        wanted = "--realised yes|no:PRICE:TIME, such as yes:5782.5:2024-11-06T14:30Z"
        raise InputError(wanted, met=text)
    return Realised(side == "yes", value, at_ns, "given")


def _simulated(seed: int) -> _Asked:
    from eventtape.simulate.states_frame import states_frame
    from eventtape.studies.states import event_probability
    from eventtape.studies.states_rows import Realised
    from eventtape.tape.chains import chains

    if seed < 0:
        raise InputError("a seed >= 0", met=seed)
    made = states_frame(seed)
    quotes = made.probability
    return _Asked(
        tuple(c for ns in made.made.times_ns for c in chains(made.frame, at=int(ns))),
        event_probability(
            "simulated",
            made.made.times_ns,
            quotes["probability"].to_numpy(),
            bid=quotes["bid"].to_numpy(),
            ask=quotes["ask"].to_numpy(),
        ),
        Realised(made.happened, made.price, made.at_ns, "simulated"),
        made.made,
        made.truth,
        (f"seed {seed}",),
        (f"Truth: {made.truth}.",),
    )


def _given(
    files: list[Path],
    probability: str | None,
    symbol: str | None,
    stated: dict[str, str | None],
    every_ns: int | None,
    age_s: float,
    came: Realised | None,
) -> _Asked:
    """The files' chains at every snapshot, and the probability."""
    import polars as pl

    from eventtape.clock import parse_ns

    if not files:
        error = InputError("a file of option quotes", met="none")
        error.add_note("Or study simulated ones: eventtape states --simulate 1")
        raise error
    if probability is None:
        raise InputError("--probability FILE, NUMBER or LOW..HIGH", met="none")
    notes: list[str] = []
    found = _probability(probability, symbol)
    read = [read_options(path, stated, notes) for path in files]
    frame = pl.concat(read) if len(read) > 1 else read[0]
    name = stated["underlying"]
    if name is not None:
        name = cased(name, frame)
    frame = of_expiry(frame, stated["expiry"], name)
    if name is not None:
        frame = _of_underlying(frame, name)
    sources = tuple(path.name for path in files)
    if found.moves:
        sources = (*sources, found.label)
    until_ns = None if stated["at"] is None else parse_ns(stated["at"])
    chains = tuple(_chains(frame, _times(frame, every_ns, until_ns), age_s))
    return _Asked(chains, found, came, None, "", sources, tuple(notes))


def _probability(text: str, symbol: str | None) -> EventProbability:
    """A number, a range LOW..HIGH, or a file."""
    import math

    from eventtape.studies.states import event_probability
    from eventtape.tape import times_ns

    parts = text.split("..")
    try:
        ends = [float(part) for part in parts]
    except ValueError:
        ends = []
    if len(ends) == 1:
        return event_probability(f"given, {ends[0]:g}", constant=ends[0])
    if len(ends) == 2:  # noqa: PLR2004
        label = f"given, {ends[0]:g} to {ends[1]:g}"
        return event_probability(label, between=(ends[0], ends[1]))
    from eventtape.sources.probability_files import read_probability

    path = Path(text)
    frame = read_probability(path, symbol=symbol)
    label = path.name if symbol is None else f"{path.name}, {symbol}"
    sides = [frame[side].fill_null(math.nan).to_numpy() for side in ("bid", "ask")]
    return event_probability(
        label, times_ns(frame), frame["probability"].to_numpy(), bid=sides[0], ask=sides[1]
    )


def _of_underlying(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    found = frame.filter(underlying=name)
    if found.is_empty():
        known = ", ".join(sorted(frame["underlying"].unique()))
        raise InputError(f"an underlying among {known}", met=name)
    return found


def _times(frame: pl.DataFrame, every_ns: int | None, until_ns: int | None) -> list[int]:
    """The moments of the snapshots: each time of the file, or a grid and its last."""
    from eventtape.clock import format_ns
    from eventtape.tape import times_ns

    known = sorted(set(times_ns(frame).tolist()))
    stamps = known if until_ns is None else [ns for ns in known if ns <= until_ns]
    if until_ns is not None and not stamps:
        wanted = f"a time at or after the first quote, {format_ns(known[0])}"
        raise InputError(wanted, met=format_ns(until_ns))
    if every_ns is not None:
        first = -(-stamps[0] // every_ns) * every_ns
        stamps = [*range(first, stamps[-1], every_ns), stamps[-1]]
    if len(stamps) > _MOST_TIMES:
        error = InputError(f"at most {_MOST_TIMES} snapshots", met=f"{len(stamps):,} times")
        error.add_note("A longer --every, such as --every 30m")
        raise error
    return stamps


def _chains(frame: pl.DataFrame, moments: list[int], age_s: float) -> list[Chain]:
    from eventtape.tape import times_ns
    from eventtape.tape.chains import chains

    last = int(frame["expiry"].to_physical().max())  # type: ignore[arg-type]
    open_ = [ns for ns in moments if ns < last]
    if not open_:
        raise InputError("a quote before the last expiry", met="none")
    out: list[Chain] = []
    newest: dict[tuple[str, int, str, str], int] = {}
    for ns in open_:
        for chain in chains(frame, at=ns, max_age_s=age_s):
            if chain.frame.is_empty():
                continue
            key = (chain.underlying, chain.expiry_ns, chain.style, chain.settlement)
            stamp = int(times_ns(chain.frame).max())
            # Quotes that stand unchanged are no second observation
            if stamp > newest.get(key, -1):
                out.append(chain)
                newest[key] = stamp
    return out


def _save(result: StatesResult, page: Path) -> Path:
    """Write the page, the JSON and the tables beside it; the page's path."""
    from eventtape.cli.whole_parquet import whole_parquet
    from eventtape.report.states_page import write_states
    from eventtape.studies.states_contract import contract, tables
    from eventtape.wholefile import write_whole

    report = write_states(result, page, command=" ".join(["eventtape", *sys.argv[1:]]))
    text = json.dumps(contract(result), indent=1, allow_nan=False) + "\n"
    write_whole(page.with_suffix(".json"), text)
    about = {"study": "states", "data": "simulated" if result.simulated else "given"}
    for name, frame in tables(result).items():
        with whole_parquet(page.with_name(f"{page.stem}_{name}.parquet"), about) as append:
            append(frame)
    return report
