"""The commands ``replay``, ``live`` and ``dashboard``: one engine, three ways to feed it."""

from __future__ import annotations

import dataclasses
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eventtape.cli import wiring
from eventtape.cli.train_command import MODELS
from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.cli.live_run import Face
    from eventtape.dashboard.about import About
    from eventtape.frames.up_move_model import ScoredModel
    from eventtape.stream.election_night import NightConfig
    from eventtape.stream.kafka import KafkaTopic
    from eventtape.tape import Feed, Tape

ScreenOption = Annotated[str, typer.Option(help="dashboard, terminal or none.")]
HostOption = Annotated[str, typer.Option(help="Address to serve the page on.")]
PortOption = Annotated[int, typer.Option(help="Port of the page; 0 takes a free one.")]
TokenOption = Annotated[
    str | None,
    typer.Option(
        envvar="EVENTTAPE_TOKEN", help="Secret of the page; needed beyond this machine.",
    ),
]  # fmt: skip
ModelOption = Annotated[
    str | None, typer.Option(help="Up-move model of the lake that scores every bucket.")
]
EveryOption = Annotated[str, typer.Option(help="Bucket of the stocks' features.")]
LakeOption = Annotated[Path, typer.Option(help="Folder of the lake.")]


def replay(
    event: Annotated[str, typer.Option(help="Event to replay.")] = "us-election-2024",
    speed: Annotated[str, typer.Option(help="Times market time, or max.")] = "60",
    simulate: Annotated[
        int | None, typer.Option(help="Replay a simulated night of this seed.", min=0)
    ] = None,
    minutes: Annotated[float, typer.Option(help="Length of the simulated night.")] = 60.0,
    dataset: Annotated[
        str | None, typer.Option(help="Replay a run that was sealed into the lake.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of real data.")] = None,
    lake: LakeOption = Path("lake"),
    screen: ScreenOption = "dashboard",
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    token: TokenOption = None,
    every: EveryOption = "1m",
    model: ModelOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="As fast as it goes; print the last answers as JSON.")
    ] = False,
) -> None:
    """Replay an event's tape through the live engine at any speed, on a page or in a terminal."""
    from eventtape.stream.board import Board
    from eventtape.stream.election_night import election_night
    from eventtape.stream.live import LiveRun
    from eventtape.stream.paced import PacedSource, tape_batches
    from eventtape.stream.unkept import Unkept

    times, face = _speed(speed), _face(screen, host, port, token)
    if dataset is not None:
        tape, about, config = _sealed(dataset, lake)
    elif simulate is not None:
        tape, about, config = _simulated(simulate, minutes, every)
    else:
        tape, about, config = _stored(event, data, lake, every)
    if model is not None:
        config = dataclasses.replace(config, model=_model(model, lake))
    program = election_night(tape.feeds, config)
    about = about._replace(nodes=tuple(node.name for node in program))
    batches = tape_batches(tape, span_ns=round(config.lateness_s * 1e9))
    if as_json:
        _as_json(program, batches, about)
        return
    from eventtape.cli.live_run import shown, watched
    from eventtape.cli.live_warm import warmed

    warmed(program, tape.feeds, config.start_ns)
    board, unkept = Board(), Unkept()
    source = PacedSource(batches, tape.feeds, speed=times, start_ns=about.start_ns)
    run = LiveRun(
        program, [source], journal=unkept, snapshots=unkept, board=board, beat_s=None
    )  # fmt: skip
    with shown(board, about, face), run:
        watched(run, face, ends="the tape has ended")


def live(
    run: Annotated[str, typer.Option(help="Name of the run; the same name goes on with it.")],
    feed: Annotated[
        list[str] | None,
        typer.Option(
            help="venue:code or label=venue:code, venue one of kalshi, polymarket, binance, "
            "deribit, polygon; may be given again."
        ),
    ] = None,
    from_topic: Annotated[
        str | None,
        typer.Option("--from", help="Read what another run publishes: kafka://host:port/topic."),
    ] = None,
    primary: Annotated[
        str | None, typer.Option(help="Feed of the event's probability; the first by default.")
    ] = None,
    title: Annotated[str, typer.Option(help="What the page is headed.")] = "Live",
    outcome: Annotated[str, typer.Option(help="What the probability is of.")] = "the outcome",
    lake: LakeOption = Path("lake"),
    screen: ScreenOption = "dashboard",
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    token: TokenOption = None,
    every: EveryOption = "1m",
    step_s: Annotated[float, typer.Option(help="Grid of markets and leadership, seconds.")] = 10.0,
    horizon_s: Annotated[float, typer.Option(help="Horizon of the gaps, seconds.")] = 600.0,
    weights: Annotated[
        Path | None, typer.Option(help="CSV or Parquet: symbol, factor, weight.")
    ] = None,
    model: ModelOption = None,
    publish: Annotated[
        str | None, typer.Option(help="Publish every batch: kafka://host:port/topic.")
    ] = None,
    seal: Annotated[
        bool, typer.Option(help="When it stops, write the run to the lake as a dataset.")
    ] = True,
) -> None:
    """Run the event live: journal every batch, then show it; a restart goes on where it stopped."""
    from eventtape.cli import live_feeds, live_run
    from eventtape.cli.live_warm import warmed
    from eventtape.store.journal import Journal
    from eventtape.stream.election_night import election_night

    face = _face(screen, host, port, token)
    if not feed and from_topic is None:
        raise InputError("a feed, or a topic to read", met="none", column="--feed or --from")
    wanted = [live_feeds.asked(text) for text in feed or ()]
    sources = live_feeds.sources_of(wanted, live_feeds.from_environment())
    if from_topic is not None:
        from eventtape.stream.kafka import KafkaSource, feeds_of

        there = _keyed_topic(from_topic)
        sources.append(KafkaSource(there, feeds_of(there)))
    feeds = [one for source in sources for one in source.feeds]
    first = primary or _first_probability(feeds)
    folder = live_run.run_folder(lake, run)
    options: dict[str, Any] = {
        "title": title,
        "outcome": outcome,
        "primary": first,
        "every": every,
        "step_s": step_s,
        "horizon_s": horizon_s,
        "weights": None if weights is None else str(weights),
        "model": model,
    }
    election_night(feeds, _config({**options, "begun_ns": 0}, lake))  # refused before it is kept
    where = None if publish is None else _keyed_topic(publish)
    with Journal(folder) as journal:  # alone from here on
        options = live_run.begun_with(folder, options)
        program = election_night(feeds, _config(options, lake))
        about = _about(run, options)._replace(nodes=tuple(node.name for node in program))
        warmed(program, feeds, options["begun_ns"])
        live_run.keep_running(journal, program, sources, about, face, publish=where)
    if seal:
        live_run.seal_run(lake, run)


def dashboard(
    run: Annotated[str, typer.Argument(help="A run in the lake, going on or over.")],
    lake: LakeOption = Path("lake"),
    follow: Annotated[
        bool, typer.Option(help="Go on with what the run writes from now on.")
    ] = True,
    screen: ScreenOption = "dashboard",
    host: HostOption = "127.0.0.1",
    port: PortOption = 0,
    token: TokenOption = None,
) -> None:
    """Show a run that another process writes, or one that is over: history, then as it grows."""
    from eventtape.cli.live_run import run_folder, saved_options, shown, watched
    from eventtape.store.journal_tail import JournalTail
    from eventtape.stream.board import Board
    from eventtape.stream.election_night import election_night
    from eventtape.stream.live import LiveRun
    from eventtape.stream.unkept import Unkept

    face = _face(screen, host, port, token)
    folder = run_folder(lake, run)
    options = saved_options(folder)
    if options is None:
        known = sorted(path.parent.name for path in (lake / "journal").glob("*/run.json"))
        raise InputError(f"a run among {', '.join(known) or 'none'}", met=run)
    source = JournalTail(folder, follow=follow)
    board, unkept = Board(), Unkept()
    program = election_night(source.feeds, _config(options, lake))
    about = _about(run, options)._replace(nodes=tuple(node.name for node in program))
    going = LiveRun(
        program, [source],
        journal=unkept, snapshots=unkept, board=board, beat_s=None,
    )  # fmt: skip
    with shown(board, about, face), going:
        watched(going, face, ends="the journal has ended")


def _keyed_topic(address: str) -> KafkaTopic:
    """The topic of that address with the secret that the environment names, if it does."""
    from eventtape.cli.live_feeds import from_environment
    from eventtape.stream.kafka import topic_named

    where = topic_named(address)
    secret = from_environment().get("EVENTTAPE_KAFKA_KEY", "")
    return where._replace(key=secret.encode()) if secret else where


def _speed(text: str) -> float:
    try:
        speed = float("inf") if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if not speed > 0.0:
        raise InputError("a speed above 0, or max", met=text, column="--speed")
    return speed


def _face(screen: str, host: str, port: int, token: str | None) -> Face:
    from eventtape.cli.live_run import Face, Screen

    if screen not in set(Screen):
        raise InputError(f"one of {', '.join(Screen)}", met=screen, column="--screen")
    if Screen(screen) is Screen.DASHBOARD:
        from eventtape.dashboard.guard import check_bind

        check_bind(host, port, token)
    print("eventtape: starting", file=sys.stderr)
    return Face(Screen(screen), host, port, token)


def _about(key: str, options: Mapping[str, Any]) -> About:
    from eventtape.dashboard.about import About

    title, outcome, primary = (str(options[name]) for name in ("title", "outcome", "primary"))
    return About(key, title, outcome, primary, start_ns=options["begun_ns"])


def _config(options: Mapping[str, Any], lake: Path) -> NightConfig:
    """The graph of a run, from the options it was started with."""
    from eventtape.stream.election_night import NightConfig

    weights = options["weights"]
    return NightConfig(
        primary=options["primary"],
        start_ns=options["begun_ns"],
        every=options["every"],
        step_s=options["step_s"],
        horizon_s=options["horizon_s"],
        weights=None if weights is None else _weights(Path(weights)),
        model=_model(options["model"], lake),
    )


def _first_probability(feeds: list[Feed] | tuple[Feed, ...]) -> str:
    from eventtape.tape import PROBABILITY

    found = [feed.label for feed in feeds if feed.record is PROBABILITY]
    if not found:
        raise InputError("a feed of a probability", met=[feed.label for feed in feeds])
    return found[0]


def _simulated(seed: int, minutes: float, every: str) -> tuple[Tape, About, NightConfig]:
    """A simulated night, what to call it, and the options that fit its pace."""
    from eventtape.dashboard.about import About
    from eventtape.simulate.live_night import live_night
    from eventtape.stream.election_night import NightConfig
    from eventtape.studies.events import SIMULATED

    night = live_night(seed, minutes=minutes)
    start, end = int(night.truth.ts[0]), int(night.truth.ts[-1])
    about = About(
        SIMULATED.key, f"{SIMULATED.title} {seed}", SIMULATED.outcome, "event",
        simulated=True, start_ns=start, end_ns=end, notes=(SIMULATED.note,),
    )  # fmt: skip
    config = NightConfig(
        primary="event", start_ns=start, step_s=10.0, horizon_s=240.0, lead_s=60.0,
        chain_s=15.0, snapshot_s=60.0, every=every, lateness_s=1.0, quiet_s=None,
        weights=night.weights,
    )  # fmt: skip
    return night.tape, about, config


def _sealed(dataset: str, lake: Path) -> tuple[Tape, About, NightConfig]:
    """The tape of a run in the lake, under the run's own options."""
    from eventtape.cli.live_run import run_folder, saved_options
    from eventtape.store import Lake, read_tape

    options = saved_options(run_folder(lake, dataset))
    if options is None:
        raise InputError("a run of this lake", met=dataset, column="--dataset")
    tape = read_tape(Lake(lake), dataset)
    config = dataclasses.replace(_config(options, lake), lateness_s=1.0, quiet_s=None)
    return tape, _about(dataset, options), config


def _stored(
    event: str, data: Path | None, lake: Path, every: str
) -> tuple[Tape, About, NightConfig]:
    """The tape of a known event, from an hour before its window."""
    from eventtape.dashboard.about import About
    from eventtape.store import Lake
    from eventtape.stream.election_night import NightConfig
    from eventtape.studies import event_named

    what = event_named(event)
    tape = wiring.tape_of(what, data=data, lake=Lake(lake))
    if tape is None:
        error = InputError(f"data for {event}", met="no data folder and no fetched dataset")
        error.add_note(f"Name a folder with --data, or run: eventtape fetch {what.dataset}")
        error.add_note("Or replay a simulated night: eventtape replay --simulate 1")
        raise error
    other_side = {no for _, no in what.complements}
    tape = tape._replace(feeds=tuple(f for f in tape.feeds if f.label not in other_side))
    notes = (what.note,) if what.note else ()
    about = About(
        what.key, what.title, what.outcome, what.primary, simulated=tape.simulated,
        start_ns=what.start_ns, end_ns=what.end_ns, notes=notes,
    )  # fmt: skip
    config = NightConfig(
        primary=what.primary, start_ns=what.start_ns, every=every, lateness_s=1.0, quiet_s=None
    )
    return _window(tape, what.start_ns - 3_600_000_000_000, what.end_ns), about, config


def _window(tape: Tape, start_ns: int, end_ns: int) -> Tape:
    import polars as pl

    inside = pl.col("ts").to_physical().is_between(start_ns, end_ns)
    feeds = (feed._replace(frame=feed.frame.filter(inside)) for feed in tape.feeds)
    return tape._replace(feeds=tuple(feed for feed in feeds if feed.frame.height))


def _model(name: str | None, lake: Path) -> ScoredModel | None:
    if name is None:
        return None
    from eventtape.frames.up_move_model import from_json
    from eventtape.store.models import read_model

    return from_json(read_model(lake / MODELS, name), file=f"model {name}")


def _weights(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError("a CSV or Parquet file of weights", met=str(error), file=path) from error
    missing = {"symbol", "factor", "weight"} - set(frame.columns)
    if missing:
        met = frame.columns
        raise InputError("columns symbol, factor, weight", met=met, file=path)
    return frame.select("symbol", "factor", pl.col("weight").cast(pl.Float64))


def _as_json(program: object, batches: object, about: About) -> None:
    from eventtape.cli.live_run import newest
    from eventtape.stream.graph import replay as run

    answers: dict[str, list[pl.DataFrame]] = defaultdict(list)

    def keep(name: str, answer: object, _batch: object) -> None:
        rows = answer.frames.get(name)  # type: ignore[attr-defined]
        if rows is not None and rows.height:
            answers[name].append(rows)

    run(program, batches, keep)  # type: ignore[arg-type]
    print(newest(answers, about))  # type: ignore[arg-type]
