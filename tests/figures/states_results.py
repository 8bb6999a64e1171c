"""Results of the states' study put together by hand: identified, refused, one time, a range of p.

Everything is made from known laws, so that no density and no joint fit has to be run; the numbers
are what a fit with small errors would have said.
"""

import dataclasses
import functools
import math

import numpy as np

from eventtape.arrays import Status
from eventtape.estimators.states.bounds import outcome_bounds
from eventtape.estimators.states.bounds_envelope import state_envelope
from eventtape.estimators.states.event_contracts import event_contracts
from eventtape.estimators.states.event_hedge import event_hedge
from eventtape.estimators.states.identification import Verdict
from eventtape.estimators.states.joint_result import JointFit, NoiseFound, Profile
from eventtape.estimators.states.portfolio_gap import values_from_gaps
from eventtape.simulate.two_states import DAY, two_states
from eventtape.studies.states_rows import (
    ASSUMPTIONS,
    BOUNDS,
    EXPOSURE,
    JOINT,
    NOTHING,
    RUNGS,
    TWO_LOGNORMAL,
    Estimate,
    EventProbability,
    GapSeries,
    Hedge,
    Realised,
    Rung,
    Score,
    Snapshot,
    StateCurve,
    StateGrid,
    StatesConfig,
    StatesResult,
    StatesRow,
    StatesTruthPath,
)

NAN = math.nan
SCRIPT = "<script>alert(1)</script>"
TEX = r"$$\alpha$$ \(x\)"
WHY = "contraction 0.12: the prior says as much as the quotes do, at any gap between the bounds"
REFUSED = Verdict(Status.NOT_IDENTIFIED, WHY, 0.12, 0.03, 2.4, 0.002, 0.37)
STANDS = Verdict(Status.OK, "", 0.95, 41.0, 0.04, 0.41, 0.05)


@functools.cache
def made(n=8):
    """Snapshots of two known states a day long, and their laws."""
    return two_states(3, delta=0.08, n_strikes=20, span=DAY._replace(n_times=n))


def joint_fit(sim, verdict=STANDS, sd=0.002):
    """What a fit near the truth would say; the profile is a parabola."""
    n, true = sim.tau.size, sim.truth
    ok = verdict.status is Status.OK
    deltas = np.linspace(0.03, 0.13, 101) if ok else np.linspace(-0.09, 0.12, 101)
    best, width = 0.081, sd if ok else 0.05
    ends = (best - 1.96 * width, best + 1.96 * width)
    means = np.array([law.means for law in true.laws])
    found = {
        "interval": ends,
        "delta": best,
        "lower": ends[0],
        "upper": ends[1],
        "delta_path": true.delta + 0.001,
        "delta_path_error": np.full(n, sd),
        "vol_1": true.vols[:, 0],
        "vol_0": true.vols[:, 1],
        "mean_1": means[:, 0],
        "mean_0": means[:, 1],
    }
    if not ok:
        none = {k: NAN if np.ndim(v) == 0 else np.full(n, NAN) for k, v in found.items()}
        found = {**none, "interval": ends}
    always = {
        "probability": true.probability + 0.003,
        "probability_error": np.full(n, 0.012),
        "laws": true.laws,
        "quotes_used": n * 20,
        "noise": NoiseFound(1.1, 0.2, 600.0),
        "profile": Profile(deltas, ((deltas - best) / width) ** 2, np.full(101, 3.84)),
        "verdict": verdict,
    }
    return JointFit(**(dict.fromkeys(JointFit._fields, NAN) | found | always))


def snapshots(sim, *, bounds=True):
    """A row a time: bounds of the known law, no density."""
    return tuple(
        Snapshot(
            int(sim.times_ns[i]),
            float(sim.tau[i]),
            float(sim.probability[i]),
            NAN,
            NAN,
            float(sim.forward[i]),
            0.01,
            0.6,
            0.001,
            None,
            outcome_bounds(law, sim.probability[i]) if bounds else None,
            None,
            False,
            Status.OK,
            "",
        )
        for i, law in enumerate(sim.truth.laws)
    )


def rungs(sim, shots, fit, at):
    """Bounds, an exposure and a joint fit near the truth; two lognormals refused, as they are."""
    b, law = shots[at].bounds, sim.truth.laws[at]
    m, s = law.means, law.vols
    between = [
        Estimate(NAN, float(x.interval_lower), float(x.interval_upper))
        for x in (b.gap, b.state1.mean, b.state0.mean, b.state1.vol, b.state0.vol)
    ]
    ok = fit.verdict.status is Status.OK
    exposed = [Estimate(0.07, 0.02, 0.12)]
    exposed += [Estimate(x, 0.98 * x, 1.02 * x) for x in (*m, *s)]
    joint = [Estimate(fit.delta, fit.lower, fit.upper)]
    joint += [Estimate(x, 0.999 * x, 1.001 * x) for x in (*m, *s)]
    refused = fit.verdict if not ok else REFUSED
    return (
        Rung(BOUNDS, ASSUMPTIONS[BOUNDS], *between, None, Status.OK, ""),
        Rung(EXPOSURE, ASSUMPTIONS[EXPOSURE], *exposed, STANDS, Status.OK, "")
        if ok
        else blank_rung(EXPOSURE, refused),
        Rung(JOINT, ASSUMPTIONS[JOINT], *joint, fit.verdict, Status.OK, "")
        if ok
        else blank_rung(JOINT, refused),
        blank_rung(TWO_LOGNORMAL, refused),
    )


def blank_rung(name, verdict):
    return Rung(name, ASSUMPTIONS[name], *(NOTHING,) * 5, verdict, verdict.status, verdict.reason)


def state_grid(sim, shots, at, *, drawn):
    law, p = sim.truth.laws[at], shots[at].p
    K = np.linspace(0.55, 1.6, 161) * law.forward
    states = [
        law._replace(weights=np.ones(1), means=law.means[i : i + 1], vols=law.vols[i : i + 1])
        for i in (0, 1)
    ]
    f1, f0 = (np.maximum(one.pdf(K), 0.0) for one in states)
    top = [state_envelope(law, r, K).pdf_upper for r in (p, 1.0 - p)]
    none = np.full(K.size, NAN)
    joint = (f1, 0.97 * f1, 1.03 * f1, f0, 0.97 * f0, 1.03 * f0) if drawn else (none,) * 6
    status = Status.OK if drawn else Status.NOT_IDENTIFIED
    curves = (
        StateCurve(JOINT, *joint, status, "" if drawn else WHY),
        StateCurve(TWO_LOGNORMAL, *(none,) * 6, Status.NOT_IDENTIFIED, WHY),
    )
    return StateGrid(K, law.pdf(K), 0.0 * K, *top, curves, f1, f0)


def gap_series(sim, shots, fit):
    """Bounds and joint path at every time; two lognormals at one in three."""
    n, at = sim.tau.size, sim.times_ns
    low, high = (
        np.array([float(getattr(s.bounds.gap, e)) for s in shots]) for e in ("lower", "upper")
    )
    ok = np.isfinite(fit.delta_path)
    half = 1.96 * fit.delta_path_error
    pair = np.where(np.arange(n) % 3 == 0, 0.06, NAN)
    if not ok.all():
        pair = np.full(n, NAN)
    word = lambda known: tuple(Status.OK if k else Status.NOT_IDENTIFIED for k in known)  # noqa: E731
    return (
        GapSeries(BOUNDS, at, np.full(n, NAN), low, high, (Status.OK,) * n),
        GapSeries(
            JOINT, at, fit.delta_path, fit.delta_path - half, fit.delta_path + half, word(ok)
        ),
        GapSeries(TWO_LOGNORMAL, at, pair, pair - 0.03, pair + 0.04, word(np.isfinite(pair))),
    )


def hedge(sim, shots, fit, at, rung):
    p, F = shots[at].p, shots[at].forward
    gap = Estimate(fit.delta, fit.lower, fit.upper)
    b = shots[at].bounds.gap
    values = values_from_gaps(
        F, gap.value, 0.002, probability=p, lower=float(b.lower), upper=float(b.upper)
    )
    sides = (math.floor(100.0 * p) / 100.0, math.ceil(100.0 * p) / 100.0)
    found = event_hedge([1.0], values, event_contracts(*sides), probability=p, whole=False)
    return Hedge(rung, p, *sides, found)


@functools.cache
def row(*, identified=True, name="SIM", scored=True):
    """One underlying and expiry, simulated."""
    sim = made()
    n = sim.tau.size
    at = n - 1
    fit = joint_fit(sim, STANDS if identified else REFUSED)
    shots = snapshots(sim)
    each = rungs(sim, shots, fit, at)
    means = np.array([law.means for law in sim.truth.laws]).T
    scores = tuple(
        Score(
            rung.name,
            shots[at].at_ns,
            shots[at].at_ns + 10**12,
            NAN if rung.name == BOUNDS or not rung.gap.known else 0.033,
            *(
                ((-0.08, 0.09) if rung.name == BOUNDS else (0.02, 0.05))
                if rung.gap.known
                else (NAN, NAN)
            ),
            0.037,
            True if rung.gap.known else None,
            rung.status,
            rung.reason,
        )
        for rung in each
    )
    truth = StatesTruthPath(
        sim.truth.delta,
        sim.truth.probability,
        *means,
        *sim.truth.vols.T,
        "a gap of +8.00% between the states",
    )
    return StatesRow(
        name,
        int(sim.times_ns[0] + 10 * 86_400 * 10**9),
        "pm",
        False,
        shots,
        at,
        np.arange(n),
        each,
        None,
        None,
        fit,
        state_grid(sim, shots, at, drawn=identified),
        gap_series(sim, shots, fit),
        hedge(sim, shots, fit, at, JOINT if identified else BOUNDS),
        scores if scored else (),
        Realised(True, 104.2, shots[at].at_ns + 10**12, "simulated") if scored else None,
        truth,
        Status.OK,
        "",
    )


def result(*rows, simulated=True, probability=None, event="the outcome happens"):
    sim = made()
    blank = np.full(sim.tau.size, NAN)
    path = EventProbability("SIM contract", sim.times_ns, sim.probability, blank, blank, NAN, NAN)
    if not simulated:
        rows = tuple(bare(one) for one in rows)
    return StatesResult(
        StatesConfig(), event, simulated, probability or path, rows, ("seed 3",), ()
    )


def bare(one):
    """The row without the truth, as real data are."""
    grid = one.grid
    if grid is not None:
        none = np.full(grid.strikes.size, NAN)
        grid = grid._replace(truth_1=none, truth_0=none)
    return one._replace(truth=None, grid=grid)


def one_snapshot():
    """A single time and a range of probabilities: bounds alone stand."""
    whole = row(identified=False, scored=False)
    sim, at = made(), whole.reference
    p = float(sim.probability[at])
    law = sim.truth.laws[at]
    found = outcome_bounds(law, p, p_error=(p - 0.1, p + 0.1))
    shot = whole.snapshots[at]._replace(p_low=p - 0.1, p_high=p + 0.1, bounds=found)
    few = Verdict(Status.TOO_FEW, "1 time; the probability must move", *(NAN,) * 5)
    each = (
        whole.rungs[0],
        *(blank_rung(name, few)._replace(verdict=None) for name in RUNGS[1:]),
    )
    one = np.array([at])
    gaps = tuple(
        GapSeries(g.rung, *(x[one] for x in g[1:5]), (g.status[at],)) for g in whole.gaps[:1]
    )
    alone = whole._replace(
        snapshots=(shot,), reference=0, fitted=np.array([], np.int64), rungs=each, joint=None,
        gaps=gaps, truth=None, hedge=None,
    )  # fmt: skip
    given = EventProbability(
        "given", np.array([], np.int64), np.array([p]), np.array([NAN]), np.array([NAN]),
        p - 0.1, p + 0.1,
    )  # fmt: skip
    return result(bare(alone), simulated=False, probability=given)


def nothing():
    """An underlying no snapshot of which has a density."""
    blank = row(identified=False, scored=False)
    few = Verdict(Status.TOO_FEW, "no snapshot has a density", *(NAN,) * 5)
    shots = tuple(
        s._replace(bounds=None, status=Status.TOO_FEW, reason="4 quotes") for s in blank.snapshots
    )
    return blank._replace(
        snapshots=shots, reference=-1, fitted=np.array([], np.int64), joint=None, grid=None,
        gaps=(), hedge=None, truth=None, status=Status.TOO_FEW, reason="no snapshot has a density",
        rungs=tuple(blank_rung(name, few)._replace(verdict=None) for name in RUNGS),
    )  # fmt: skip


def hostile(whole):
    """The same result under names that are scripts, markup and TeX."""
    given = whole.probability._replace(label=SCRIPT)
    rows = tuple(
        r._replace(underlying=TEX + SCRIPT, reason=r.reason and SCRIPT) for r in whole.rows
    )
    rows = tuple(
        r._replace(rungs=tuple(g._replace(reason=g.reason and f"{TEX} {SCRIPT}") for g in r.rungs))
        for r in rows
    )
    return whole._replace(event=f"{TEX} {SCRIPT}", probability=given, rows=rows, notes=(SCRIPT,))


def at_level(whole, level):
    return whole._replace(config=dataclasses.replace(whole.config, level=level))
