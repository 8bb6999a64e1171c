"""``eventtape trade``: what a position of options makes around an event, and what may go wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eventtape.cli import wiring
from eventtape.cli.option_input import check_folder
from eventtape.errors import InputError

if TYPE_CHECKING:
    from eventtape.arrays import FloatArray
    from eventtape.cli.trade_input import Terms
    from eventtape.estimators.positions.legs import Legs
    from eventtape.studies.trade_rows import TradeResult
    from eventtape.studies.trade_structures import Expiry


def trade(
    legs: Annotated[
        str | None,
        typer.Option(
            metavar="LEG, LEG…", help='Such as "-3 55000 P 2024-11-08, +1 65000 P 2025-03-28".'
        ),
    ] = None,
    strangle: Annotated[
        str | None,
        typer.Option(
            metavar="NEAR,FAR", help="Sell near strangles against one far, of --delta, --neutral."
        ),
    ] = None,
    long_call: Annotated[
        str | None, typer.Option(metavar="EXPIRY", help="Buy one call of --delta.")
    ] = None,
    delta: Annotated[
        str, typer.Option(help="Of the strikes: .25, or NEAR,FAR for a strangle.")
    ] = ".25",
    neutral: Annotated[
        str, typer.Option(help="delta, gamma, vega, theta, dollar or notional.")
    ] = "vega",
    strike_step: Annotated[
        float, typer.Option(help="Round strikes found by delta to this distance; 0 for not.")
    ] = 0.0,
    spot: Annotated[
        float | None, typer.Option(help="Dollars; else the index of the table of --vol.")
    ] = None,
    vol: Annotated[
        str | None,
        typer.Option(
            metavar="EXPIRY=VOL,…|FILE",
            help="Decimals (.5523), a table of volatilities, or option quotes.",
        ),
    ] = None,
    forward: Annotated[
        str | None,
        typer.Option(metavar="EXPIRY=PRICE,…", help="Forwards; else the table's, else --spot."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Which market of the table, where it has several.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="The onset: a time, or a date for 00:00 UTC.")
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TIME=SIZE[=NAME]", help="An event ahead, one sd of its move (.08 for 8%)."
        ),
    ] = None,
    inverse: Annotated[
        bool, typer.Option("--inverse/--linear", help="Settled in coins, or in dollars.")
    ] = False,
    deposit: Annotated[
        float | None, typer.Option(help="In the legs' money; else twice the initial margin.")
    ] = None,
    stop: Annotated[
        float | None, typer.Option(help="Loss at which to close; else half the deposit.")
    ] = None,
    hedge_hours: Annotated[float, typer.Option(help="Hours between looks at the delta.")] = 12.0,
    hedge_band: Annotated[
        float, typer.Option(help="Delta left alone, units of the underlying.")
    ] = 0.05,
    half_life: Annotated[
        float, typer.Option(help="Days in which the base goes half way back to normal.")
    ] = 30.0,
    combo: Annotated[bool, typer.Option("--combo", help="All legs are one order.")] = False,
    paths: Annotated[int, typer.Option(help="Simulated paths of the rules.")] = 4_000,
    seed: Annotated[int, typer.Option(help="Of the paths.")] = 0,
    level: Annotated[float, typer.Option(help="Level of every interval.")] = 0.95,
    out: Annotated[
        Path,
        typer.Option(help="Folder of trade.html, .json and the .parquet tables; or an .html."),
    ] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Greeks, ratios, profiles, scenarios, risks, margin, fees and rules of one position."""
    from eventtape.cli.trade_input import event_of, moment, pairs, terms_of
    from eventtape.studies.trade import run
    from eventtape.studies.trade_rows import EventSize, Trade, TradeConfig

    page = out if out.suffix == ".html" else out / "trade.html"
    check_folder(page.parent)
    if sum(x is not None for x in (legs, strangle, long_call)) != 1:
        raise InputError("one of --legs, --strangle and --long-call", met="none or several")
    if vol is None:
        raise InputError("--vol EXPIRY=VOLATILITY,… or a table", met="none")
    asked_ns = None if at is None else moment(at)
    terms = terms_of(vol, at_ns=asked_ns, label=label, inverse=inverse)
    if forward is not None:
        terms = terms._replace(forwards=pairs(forward, "forward", inverse=inverse))
    price = terms.spot if spot is None else spot
    at_ns = terms.at_ns if asked_ns is None else asked_ns
    if price is None or at_ns is None:
        raise InputError("--spot and --at, where no table says them", met=(price, at))
    if legs is not None:
        held, carry = _given(legs, terms, price, inverse=inverse)
    else:
        builder = _Builder(terms, price, at_ns, delta, strike_step, inverse=inverse)
        held, carry = (
            builder.call(str(long_call))
            if strangle is None
            else builder.calendar(strangle, neutral)
        )
    sizes = sorted(EventSize(*event_of(text, n)) for n, text in enumerate(event or (), 1))
    config = TradeConfig(
        level=level, paths=paths, seed=seed, half_life_days=half_life, deposit=deposit, stop=stop,
        hedge_hours=hedge_hours, hedge_band=hedge_band, combo=combo,
    )  # fmt: skip
    name = "" if legs else f"Strangle {strangle}" if strangle else f"Call {long_call}"
    with wiring.progress_bar(quiet=as_json) as bar:
        result = run(
            Trade(held, price, at_ns, carry, tuple(sizes), name),
            config,
            sources=terms.sources,
            notes=terms.notes,
            progress=wiring.one_line(bar, "trade"),
        )
    report = _save(result, page)
    if as_json:
        from eventtape.studies.trade_contract import contract

        print(json.dumps(contract(result), allow_nan=False))
    else:
        from eventtape.cli.trade_screen import show_trade

        show_trade(result, report)


class _Builder:
    """Positions by delta out of the volatilities of the table."""

    def __init__(
        self, terms: Terms, spot: float, at_ns: int, delta: str, step: float, *, inverse: bool
    ) -> None:
        self.terms, self.spot, self.at_ns = terms, spot, at_ns
        self.step, self.inverse = step, inverse
        try:
            self.deltas = [float(part) for part in delta.split(",")]
        except ValueError:
            self.deltas = []
        if len(self.deltas) not in {1, 2}:
            raise InputError("a delta such as .25, or two with a comma", met=delta, column="delta")

    def call(self, expiry: str) -> tuple[Legs, FloatArray]:
        """One call bought, and its carry."""
        import numpy as np

        from eventtape.studies.trade_structures import call_of_delta

        until = self._expiry(expiry)
        held = call_of_delta(
            until, self.deltas[0], self.spot, self.at_ns, step=self.step, inverse=self.inverse
        )
        return held, np.full(1, until.carry)

    def calendar(self, expiries: str, neutral: str) -> tuple[Legs, FloatArray]:
        """Near strangles sold against one far bought, and the carries."""
        from typing import cast

        from eventtape.estimators.positions.ratios import Neutral
        from eventtape.studies.trade_structures import neutral_calendar

        names = expiries.split(",")
        if len(names) != 2:  # noqa: PLR2004
            raise InputError("two expiries, NEAR,FAR", met=expiries, column="strangle")
        near, far = (self._expiry(name.strip()) for name in names)
        made = neutral_calendar(
            near, far, self.spot, self.at_ns,
            deltas=(self.deltas[0], self.deltas[-1]), by=cast("Neutral", neutral),
            step=self.step, inverse=self.inverse,
        )  # fmt: skip
        return made.legs, made.carry

    def _expiry(self, text: str) -> Expiry:
        from eventtape.cli.trade_input import expiry_ns
        from eventtape.studies.trade_structures import Expiry

        until = expiry_ns(text, inverse=self.inverse)
        return Expiry(until, _vol(until, self.terms), _carry(until, self.terms, self.spot))


def _given(text: str, terms: Terms, spot: float, *, inverse: bool) -> tuple[Legs, FloatArray]:
    import numpy as np

    from eventtape.cli.trade_input import given_legs
    from eventtape.estimators.positions.legs import legs

    rows = given_legs(text, inverse=inverse)
    held = legs(
        [row.quantity for row in rows],
        [row.strike for row in rows],
        np.array([row.is_call for row in rows]),
        [row.expiry_ns for row in rows],
        [_vol(row.expiry_ns, terms) if row.vol is None else row.vol for row in rows],
        inverse=inverse,
    )
    return held, np.array([_carry(row.expiry_ns, terms, spot) for row in rows])


def _vol(expiry_ns: int, terms: Terms) -> float:
    from eventtape.clock import format_ns

    found = terms.vols.get(expiry_ns)
    if found is None:
        known = ", ".join(format_ns(t, seconds=False) for t in sorted(terms.vols))
        met = format_ns(expiry_ns, seconds=False)
        raise InputError(f"an expiry that --vol has: {known}", met=met, column="expiry")
    return found


def _carry(expiry_ns: int, terms: Terms, spot: float) -> float:
    return terms.forwards.get(expiry_ns, spot) / spot


def _save(result: TradeResult, page: Path) -> Path:
    """Write the page, the JSON and the tables beside it; the page's path."""
    from eventtape.cli.whole_parquet import whole_parquet
    from eventtape.report.trade_page import write_trade
    from eventtape.studies.trade_contract import contract, tables
    from eventtape.wholefile import write_whole

    report = write_trade(result, page, command=_command())
    text = json.dumps(contract(result), indent=1, allow_nan=False) + "\n"
    write_whole(page.with_suffix(".json"), text)
    about = {"study": "trade", "data": "given"}
    for name, frame in tables(result).items():
        with whole_parquet(page.with_name(f"{page.stem}_{name}.parquet"), about) as append:
            append(frame)
    return report


def _command() -> str:
    import shlex

    return shlex.join(["eventtape", *sys.argv[1:]])
