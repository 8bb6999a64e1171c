"""``eventtape leadership``: who moves first among the columns of a table of prices."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import typer

from eventtape.cli import wiring
from eventtape.errors import InputError

if TYPE_CHECKING:
    import polars as pl

    from eventtape.studies.panel_leadership_rows import PanelLeadership

N = TypeVar("N", int, float)


class _Asked(NamedTuple):
    """The prices of one run, and what is known of them beforehand."""

    prices: pl.DataFrame
    simulated: bool
    dataset: str
    market: str | None
    probability: str | None
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    same: tuple[tuple[str, ...], ...]
    truth: str = ""


def leadership(
    prices: Annotated[
        Path | None,
        typer.Argument(
            help="Parquet or CSV: ts (UTC, rising) and one column a series; a blank is a hole."
        ),
    ] = None,
    step: Annotated[
        str | None,
        typer.Option(help="Last value of each step, such as 5m (else rows as they are)."),
    ] = None,
    market: Annotated[
        str | None, typer.Option(help="Column whose permanent shocks are the market's.")
    ] = None,
    probability: Annotated[
        str | None, typer.Option(help="Column with the event's probability, 0 to 1.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(help="Columns that move as a kind: etf=SPY,QQQ (repeat).")
    ] = None,
    same: Annotated[
        list[str] | None,
        typer.Option(help="Columns that quote one security: SPY,IVV,VOO (repeat)."),
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option(help="Two share classes, tested first: GOOG,GOOGL (repeat).")
    ] = None,
    contract: Annotated[
        list[str] | None,
        typer.Option(help="Columns that price one contract; -NO is the complement: YES,-NO."),
    ] = None,
    edges: Annotated[str, typer.Option(help="Where the probability is cut into regimes.")] = (
        "0.4,0.6"
    ),
    resolution: Annotated[
        str, typer.Option(help="Steps of the resolution report, as multiples of the step.")
    ] = "1,5,60",
    session: Annotated[
        str | None, typer.Option(help="Keep the regular hours of this calendar only, such as XNYS.")
    ] = None,
    gap: Annotated[
        str | None, typer.Option(help="A gap longer than this ends a session (else 1h).")
    ] = None,
    pair_lags: Annotated[
        int | None, typer.Option(help="Lags of the pairs (else as many as the series ask for).")
    ] = None,
    lags: Annotated[int, typer.Option(help="Lags of speeds and identities.")] = 4,
    forecast_lags: Annotated[int, typer.Option(help="Lags of forecasts and spillovers.")] = 1,
    level: Annotated[float, typer.Option(help="Level of every interval.")] = 0.95,
    n_draws: Annotated[int, typer.Option(help="Bootstrap draws.")] = 999,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap and the placebo.")] = 0,
    placebo_runs: Annotated[int, typer.Option(help="Shuffled panels beside the result.")] = 20,
    simulate: Annotated[
        int | None, typer.Option(help="Study the simulated prices of this seed instead.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where leadership.html and .json go.")] = Path("out"),
    lake: Annotated[
        Path, typer.Option("--lake", help="Root of the lake.", envvar="EVENTTAPE_LAKE")
    ] = Path("lake"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Who moves first among these prices: leaders with intervals, or why none is named."""
    from eventtape.clock import SECOND, duration_ns
    from eventtape.studies.panel_findings import contract as as_contract
    from eventtape.studies.panel_leadership import run
    from eventtape.studies.panel_leadership_rows import LeadershipConfig

    asked = _asked(prices, simulate, market, probability, group, same)
    _check_folder(out)
    frame = asked.prices
    if step is not None:
        from eventtape.sources.wide_prices import at_step

        frame = at_step(frame, duration_ns(step))
    gap_ns = _gap_ns(frame, gap)
    config = LeadershipConfig(
        market=asked.market,
        probability=asked.probability,
        groups=asked.groups,
        same=asked.same,
        classes=tuple(_pair(text) for text in classes or ()),
        contracts=tuple(_names(text) for text in contract or ()),
        regime_edges=_numbers(edges, float, "--edges"),
        resolution=_numbers(resolution, int, "--resolution"),
        calendar=session,
        max_gap_s=gap_ns / SECOND,
        pair_lags=pair_lags,
        lags=lags,
        forecast_lags=forecast_lags,
        level=level,
        n_draws=n_draws,
        seed=seed,
        placebo_runs=placebo_runs,
    )
    with wiring.progress_bar(quiet=as_json) as bar:
        tell = wiring.one_line(bar, "leadership")
        try:
            result = run(
                frame,
                config,
                simulated=asked.simulated,
                source="" if prices is None else prices.name,
                truth=asked.truth,
                progress=tell,
            )
        except InputError as error:
            raise (error if prices is None else error.at(prices)) from None
    report = _save(result, out, lake, asked.dataset)
    if as_json:
        print(json.dumps(as_contract(result), allow_nan=False))
    else:
        from eventtape.cli.leadership_screen import show_leadership

        show_leadership(result, report)


def _asked(
    prices: Path | None,
    simulate: int | None,
    market: str | None,
    probability: str | None,
    group: list[str] | None,
    same: list[str] | None,
) -> _Asked:
    """The file's prices and what is said of them, or a simulated panel that says it itself."""
    if simulate is not None:
        if prices is not None:
            raise InputError("either a table of prices or --simulate", met="both")
        from eventtape.simulate.leader_frame import leader_frame

        if simulate < 0:
            raise InputError("a seed >= 0", met=simulate)
        made = leader_frame(simulate)
        return _Asked(
            made.prices,
            True,
            f"simulated-{simulate}",
            market or made.market,
            probability or made.probability,
            tuple(_group(text) for text in group or ()) or tuple(made.groups.items()),
            tuple(_names(text) for text in same or ()) or (made.same,),
            made.truth,
        )
    if prices is None:
        error = InputError("a table of prices", met="none")
        error.add_note("Or study simulated ones: eventtape leadership --simulate 1")
        raise error
    if not prices.is_file():
        raise InputError("a file with the table of prices", met="no such file", file=prices)
    from eventtape.sources.wide_prices import read_wide_prices

    frame, simulated = read_wide_prices(prices)
    groups = tuple(_group(text) for text in group or ())
    named = tuple(_names(text) for text in same or ())
    return _Asked(frame, simulated, prices.stem, market, probability, groups, named)


def _check_folder(out: Path) -> None:
    """Refuse an ``--out`` that is a file, before the study runs."""
    at = next(path for path in (out, *out.parents) if path.exists())
    if not at.is_dir():
        raise InputError("a folder for --out", met="a file", file=at)


def _gap_ns(prices: pl.DataFrame, gap: str | None) -> int:
    """The longest gap inside a session; one shorter than the rows would end one at each."""
    from eventtape.clock import SECOND, duration_ns
    from eventtape.frames.price_panel import MAX_GAP_S
    from eventtape.sources.wide_prices import usual_ns

    if gap is None:
        return round(MAX_GAP_S * SECOND)
    asked, usual = duration_ns(gap), usual_ns(prices)
    if asked < usual:
        raise InputError(f"--gap no shorter than the rows, {usual / 1e9:g} seconds apart", met=gap)
    return asked


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _pair(text: str) -> tuple[str, str]:
    names = _names(text)
    if len(names) != 2 or names[0] == names[1]:  # noqa: PLR2004
        raise InputError("two share classes, such as GOOG,GOOGL", met=text)
    return names[0], names[1]


def _group(text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, members = text.partition("=")
    if not equals or not name.strip() or not _names(members):
        raise InputError("a group such as etf=SPY,QQQ", met=text)
    return name.strip(), _names(members)


def _numbers(text: str, kind: Callable[[str], N], option: str) -> tuple[N, ...]:
    try:
        return tuple(kind(part) for part in _names(text))
    except ValueError:
        raise InputError(f"numbers with commas between for {option}", met=text) from None


def _save(result: PanelLeadership, out: Path, lake: Path, dataset: str) -> Path:
    """Write the page, the JSON and the lake tables; the page's path."""
    from eventtape.report.panel_page import write_panel_report
    from eventtape.store import Lake, Write
    from eventtape.studies.panel_findings import contract
    from eventtape.wholefile import write_whole

    text = json.dumps(contract(result), indent=1, allow_nan=False) + "\n"
    partition = {"dataset": dataset, "data": "simulated" if result.simulated else "given"}
    command = " ".join(["eventtape", *sys.argv[1:]])
    report = write_panel_report(result, out / "leadership.html", command=command)
    write_whole(out / "leadership.json", text)
    Lake(lake).write_all(
        Write(f"leadership_{name}", frame, partition) for name, frame in result.tables().items()
    )
    return report
