"""Results that break figures: everything refused, hostile names, one market, a dozen, no clock."""

import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import polars as pl

from eventtape.arrays import Status
from eventtape.simulate import event_night
from eventtape.studies import SIMULATED, Config, DiffusionResult, diffusion
from eventtape.studies.diffusion_rows import ProbabilitySeries
from eventtape.studies.leadership_rows import METHODS, Leadership

NAN = math.nan
SCRIPT = "<script>alert(1)</script>"
TEX = r"$$\alpha$$ \(x\)"
LONG = "A market with a name that goes on and on and on beyond all reason"
FATES = (Status.NOT_IDENTIFIED, Status.NOT_RESOLVED, Status.TOO_FEW)


@functools.cache
def whole_night() -> DiffusionResult:
    """A simulated night of four markets, with a second venue quoted every hour."""
    result = diffusion(event_night(3).tape, SIMULATED, Config(n_draws=99, placebo_runs=3))
    return result._replace(probabilities=(*result.probabilities, hourly_venue(result)))


def hourly_venue(result: DiffusionResult) -> ProbabilitySeries:
    """Bids and asks each hour around the first venue's quotes; too few to filter."""
    frame = result.probabilities[0].frame.gather_every(60)
    middle = pl.col("probability").clip(0.02, 0.98)
    blank = [pl.lit(None, pl.Float64).alias(name) for name in ("mean", "sd", "z")]
    frame = frame.with_columns(
        (middle - 0.01).alias("bid"),
        pl.when(pl.int_range(pl.len()) != 2).then(middle + 0.01).alias("ask"),
        *blank,
        pl.lit("unknown").alias("regime"),
    )
    return ProbabilitySeries("Hourly", frame, NAN, NAN, Status.TOO_FEW, 3600.0, 0.01)


@functools.cache
def dozen_markets() -> DiffusionResult:
    """Twelve markets, three copies of the night's four, and every pair among them."""
    night = whole_night()

    def copies(rows):
        return tuple(r._replace(market=f"{r.market} {k}") for k in range(3) for r in rows)

    row = night.lead_lags[1]
    markets = [f"{path.market} {k}" for k in range(3) for path in night.paths]
    pairs = itertools.combinations([night.event.primary, *markets], 2)
    return night._replace(
        gaps=copies(night.gaps),
        comparisons=copies(night.comparisons),
        responses=copies(night.responses),
        paths=copies(night.paths),
        scores=copies(night.scores),
        lead_lags=tuple(
            row._replace(first=a, second=b, leader=None, follower=None) for a, b in pairs
        ),
        leadership=many_leaders(markets),
    )


def many_leaders(markets: list[str]) -> Leadership:
    """Every market leads the next, by every method: more arrows than anybody wants."""
    edge = whole_night().leadership.edges[0]
    edges = tuple(
        edge._replace(method=method, first=a, second=b, leader=a, follower=b, status=Status.OK)
        for method in METHODS
        for a, b in itertools.pairwise(markets)
    )
    return Leadership(edges, (), (), (), ())


@functools.cache
def one_market() -> DiffusionResult:
    """A single market, a single venue, no news clock, and passed off as real."""
    night = whole_night()

    def only(rows):
        return tuple(row for row in rows if row.market == "coin")

    return night._replace(
        simulated=False,
        probabilities=night.probabilities[:1],
        news_clock=None,
        gaps=only(night.gaps),
        comparisons=only(night.comparisons),
        responses=only(night.responses),
        paths=only(night.paths),
        scores=only(night.scores),
        lead_lags=night.lead_lags[:1],
        leadership=among(night.leadership, {night.event.primary, "coin"}),
    )


def among(found: Leadership, names: set[str]) -> Leadership:
    """The rows between these feeds; no placebo was run."""
    return Leadership(
        tuple(edge for edge in found.edges if {edge.first, edge.second} <= names),
        tuple(row for row in found.rolling if {row.first, row.second} <= names),
        (),
        found.martingales,
        (),
    )


def refused(result: DiffusionResult) -> DiffusionResult:
    """The same result with every number withheld, each market at every horizon."""
    gaps = tuple(
        g._replace(
            status=FATES[i % 3],
            estimate=g.estimate._replace(
                gap=NAN, se=NAN, lower=NAN, upper=NAN, identifying_share=NAN, effective_rows=NAN
            ),
        )
        for i, g in enumerate(result.gaps)
    )
    return result._replace(
        gaps=gaps,
        comparisons=tuple(
            c._replace(gap=NAN, lower=NAN, upper=NAN, status=Status.TOO_FEW)
            for c in result.comparisons
        ),
        responses=tuple(r._replace(curve=_blank_curve(r.curve)) for r in result.responses),
        lead_lags=tuple(_blank_pair(row) for row in result.lead_lags),
        paths=tuple(
            p._replace(implied=p.implied * NAN, actual=p.actual if i else p.actual * NAN)
            for i, p in enumerate(result.paths)
        ),
        scores=tuple(
            s._replace(
                predicted=NAN,
                lower=NAN,
                upper=NAN,
                realised=s.realised if i % 4 else NAN,
                status=FATES[i % 3],
            )
            for i, s in enumerate(result.scores)
        ),
        probabilities=tuple(_unfiltered(p) for p in result.probabilities),
        news_clock=None,
        leadership=withheld(result.leadership),
    )


def withheld(found: Leadership) -> Leadership:
    """No leader, no lag, no share, no ratio; each with a reason."""
    blank = {"value": NAN, "lower": NAN, "upper": NAN, "p_value": NAN, "q_value": NAN}
    nobody = {"leader": None, "follower": None, "reason": "these data do not say"}
    return Leadership(
        tuple(
            edge._replace(**blank, **nobody, status=FATES[i % 3])
            for i, edge in enumerate(found.edges)
        ),
        tuple(
            row._replace(lag_s=NAN, lower=NAN, upper=NAN, status=FATES[i % 3], reason="none")
            for i, row in enumerate(found.rolling)
        ),
        tuple(
            row._replace(
                table=row.table * NAN,
                total=NAN,
                total_lower=NAN,
                total_upper=NAN,
                status=Status.TOO_FEW,
                reason="few",
            )
            for row in found.spillovers
        ),
        tuple(
            row._replace(
                drift=NAN,
                drift_p=NAN,
                p_value=NAN,
                status=Status.TOO_FEW,
                **dict.fromkeys(("ratios", "null_lower", "null_upper"), (NAN,) * len(row.ratios)),
            )
            for row in found.martingales
        ),
        found.placebos,
    )


def renamed(result: DiffusionResult) -> DiffusionResult:
    """The same result under names that try to be a script, TeX and a whole sentence."""
    names = {"event": "</script><b>", "coin": SCRIPT, "currency": TEX, "index": LONG}

    def new(label: str | None) -> str | None:
        return names.get(label, label)

    def markets(rows):
        return tuple(row._replace(market=new(row.market)) for row in rows)

    return result._replace(
        event=result.event._replace(
            title=f"{SCRIPT} & co", outcome="a < b & c", primary=new(result.event.primary)
        ),
        inputs=tuple(
            i._replace(label=new(i.label), source="/no/spaces" * 20, note=f'"{SCRIPT}" & more')
            for i in result.inputs
        ),
        probabilities=tuple(p._replace(label=new(p.label)) for p in result.probabilities),
        gaps=markets(result.gaps),
        comparisons=markets(result.comparisons),
        responses=markets(result.responses),
        paths=markets(result.paths),
        scores=markets(result.scores),
        lead_lags=tuple(
            row._replace(
                first=new(row.first),
                second=new(row.second),
                leader=new(row.leader),
                follower=new(row.follower),
            )
            for row in result.lead_lags
        ),
        leadership=relabelled(result.leadership, new),
    )


def relabelled(found: Leadership, new: Callable[[str | None], str | None]) -> Leadership:
    """The same rows under other names."""
    return found._replace(
        edges=tuple(
            edge._replace(
                first=new(edge.first),
                second=new(edge.second),
                leader=new(edge.leader),
                follower=new(edge.follower),
            )
            for edge in found.edges
        ),
        rolling=tuple(
            row._replace(first=new(row.first), second=new(row.second)) for row in found.rolling
        ),
        spillovers=tuple(
            row._replace(labels=tuple(new(label) for label in row.labels))
            for row in found.spillovers
        ),
        martingales=tuple(row._replace(source=new(row.source)) for row in found.martingales),
    )


def bare(result: DiffusionResult) -> DiffusionResult:
    """No pair, no score, no comparison, no leadership."""
    return result._replace(
        lead_lags=(),
        scores=(),
        comparisons=(),
        news_clock=pl.DataFrame(),
        leadership=Leadership((), (), (), (), ()),
    )


def _blank_curve(curve):
    blank = np.full(curve.lags_s.size, NAN)
    return curve._replace(cumulative=blank, lower=blank, upper=blank, status=Status.NOT_IDENTIFIED)


def _blank_pair(row):
    return row._replace(
        leader=None,
        follower=None,
        lag_s=NAN,
        lower=NAN,
        upper=NAN,
        ratio=NAN,
        p_value=NAN,
        status=Status.TOO_FEW,
        correlation=row.correlation * NAN,
        null_band=NAN,
    )


def _unfiltered(series: ProbabilitySeries) -> ProbabilitySeries:
    blank = [pl.lit(None, pl.Float64).alias(name) for name in ("mean", "sd", "z")]
    frame = series.frame.with_columns(*blank, pl.lit("unknown").alias("regime"))
    return series._replace(q=NAN, r=NAN, status=Status.NO_CONVERGENCE, frame=frame)


EDGES = {
    "whole": whole_night,
    "one market": one_market,
    "dozen": dozen_markets,
    "refused": lambda: refused(whole_night()),
    "one refused": lambda: refused(one_market()),
    "hostile names": lambda: renamed(whole_night()),
    "bare": lambda: bare(whole_night()),
}
