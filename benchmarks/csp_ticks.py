"""The peer of the stream: a night's graph in csp with one Python object a tick.

As a competent user writes it without batches. Each event ticks once, a tuple on one edge for all
symbols, from csp's own array curve, or live, pushed into csp by another thread. Python nodes keep
what they know in dictionaries, slots and local variables: the filter of the probability, the signs,
the sums of the features and the last prices are plain floats, tick by tick. At grid times, where a
tick is not the matter, the estimators are called that ours calls: ``outcome_gap``,
``rolling_pairs``, ``factor_returns``, the density of a chain and its states. Nothing here orders
feeds, counts late rows or checks a value.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import csp
import numpy as np
import polars as pl
from scipy.special import ndtri

from eventtape.arrays import Status
from eventtape.clock import MINUTE, SECOND
from eventtape.estimators.discovery import rolling_pairs
from eventtape.estimators.factors import factor_returns
from eventtape.estimators.probability import local_level
from eventtape.estimators.states.outcome_gap import outcome_gap
from eventtape.frames.price_panel import HALF_TICK
from eventtape.stream.csp_thread import STOP, CspThread
from eventtape.stream.density import LAWS_FRAME, DensityFold
from eventtape.stream.density_chain import Refit, read_chain
from eventtape.stream.density_rows import density_rows
from eventtape.stream.fold import Program, Slice
from eventtape.stream.leadership import LeadershipFold
from eventtape.stream.markets import MarketsFold
from eventtape.stream.probability import ProbabilityFold
from eventtape.stream.states import StatesFold
from eventtape.tape.chains import YEAR_NS, Chain

NAN, NEVER = math.nan, -(2**62)
SAME_PRICE = 4.0 * 2.0**-52
FIRST = datetime(2000, 1, 1)  # noqa: DTZ001 - csp reads bare times as UTC; here it only counts
Events = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""By edge: each tick's place among all events, and the ticks, tuples.

The last edge, ``end``, ticks once: how far time has come for the prices and for the chains.
"""


class Peer:
    """Options, which are those of our folds; answers by node, and seconds in the estimators."""

    def __init__(self, nodes: Program) -> None:
        self.folds = {node.name: node.fold for node in nodes}
        self.answers: dict[str, list[Any]] = {name: [] for name in self.folds}
        self.spent: dict[str, float] = defaultdict(float)
        weights = self.folds["factors"].weights
        names = dict.fromkeys(itertools.chain(*weights.values()))
        self.places = {name: i for i, name in enumerate(names)}
        matrix = np.zeros((len(self.places), len(weights)))
        for k, held in enumerate(weights.values()):
            for name, weight in held.items():
                matrix[self.places[name], k] = weight
        self.book = factor_returns.portfolios(matrix)


class Level:
    """The filter of one feed."""

    __slots__ = ("at", "fit_at", "mean", "q", "quotes", "r", "ts", "variance")

    def __init__(self, fit_at: int) -> None:
        self.fit_at, self.ts, self.quotes = fit_at, [], []
        self.q = NAN  # until a fit finds something


def fitted(one: Level, fold: ProbabilityFold) -> None:
    """The feed's variances fitted anew, by the rule of our fold."""
    n = len(one.ts)
    ts, quotes = np.array(one.ts[-fold.history :]), np.array(one.quotes[-fold.history :])
    found = local_level.fit(ts, quotes, tick=fold.tick)
    moved = found.status is Status.OK and found.q != 0.0
    one.fit_at = 2 * n if moved else n + fold.first_fit
    if found.status is not Status.OK or (found.q == 0.0 and found.at_floor):
        return
    if math.isnan(one.q):
        level, _ = local_level.start(int(ts[0]), float(quotes[0]), q=found.q, r=found.r)
        level, _ = local_level.advance(level, ts[1:], quotes[1:])
        one.at, one.mean, one.variance = int(ts[-1]), float(level.mean[0]), float(level.variance[0])
    one.q, one.r = found.q, found.r


@csp.node(memoize=False)
def probability(peer: object, venues: csp.ts[object]) -> None:
    with csp.state():
        s_levels = {}
        s_fold = peer.folds["probability"]
        s_out = peer.answers["probability"].append
    if csp.ticked(venues):
        feed, ts, y = venues
        one = s_levels.get(feed)
        if one is None:
            one = s_levels[feed] = Level(s_fold.first_fit)
        mean = sd = z = NAN
        if one.q == one.q:
            P = one.variance + one.q * ((ts - one.at) * 1e-9)
            S = P + one.r
            v = y - one.mean
            mean = one.mean = one.mean + P / S * v
            one.variance = one.r * P / S
            one.at = ts
            sd, z = math.sqrt(one.variance), v / math.sqrt(S)
        one.ts.append(ts)
        one.quotes.append(y)
        if len(one.ts) >= one.fit_at:
            begin = time.process_time()
            fitted(one, s_fold)
            peer.spent["fits"] += time.process_time() - begin
        s_out((feed, ts, mean, sd, z))


class Grid:
    """Last values of the primary and the markets, and all rows of the grid so far."""

    def __init__(self, peer: Peer) -> None:
        self.gaps: MarketsFold = peer.folds["markets"]
        self.pairs: LeadershipFold = peer.folds["leadership"]
        self.names = self.pairs.names
        self.at = self.gaps.start_ns
        self.last = dict.fromkeys(self.names, (NEVER, NAN))
        self.levels: list[list[float]] = []
        self.probits: list[list[float]] = []
        self.origins = [None] * len(self.gaps.markets)
        self.gap = [(NAN, NAN, NAN)] * len(self.gaps.markets)
        self.panel: tuple[int, ...] = ()
        self.sums = None
        self.pending = 0

    def close(self, peer: Peer) -> None:
        """One row of the grid, and the answers at it."""
        out, at, row = peer.answers, self.at, []
        for name in self.names:
            ts, value = self.last[name]
            fresh = at - ts <= self.gaps.max_age_ns
            row.append((value if name == self.gaps.primary else math.log(value)) if fresh else NAN)
        self.levels.append(row)
        p = row[0]
        inside = HALF_TICK < p < 1.0 - HALF_TICK
        self.probits.append([float(ndtri(p)) if inside else NAN, *row[1:]])
        if (len(self.levels) - 1) % self.gaps.every == 0:
            begin = time.process_time()
            self._gaps()
            peer.spent["gaps"] += time.process_time() - begin
        for k, name in enumerate(self.gaps.markets):
            x = row[1 + k]
            if self.origins[k] is None and math.isfinite(x) and math.isfinite(p):
                self.origins[k] = (x, p)
            x0, p0 = self.origins[k] or (NAN, NAN)
            gap = self.gap[k]
            out["markets"].append((name, at, x, p, *gap, x0 + gap[0] * (p - p0)))
        self.pending += 1
        if (len(self.levels) - 1) % self.pairs.every == 0:
            begin = time.process_time()
            self._pairs(at, out["leadership"])
            peer.spent["pairs"] += time.process_time() - begin
        self.at += self.gaps.step_ns

    def _gaps(self) -> None:
        fold, levels = self.gaps, np.array(self.levels[-self.gaps.window :])
        for k in range(len(fold.markets)):
            found = outcome_gap(
                levels[:, 1 + k], levels[:, 0], step_s=fold.step_ns / SECOND,
                horizon_s=fold.horizon_s, lead_s=fold.lead_s, serial_s=fold.serial_s,
                level=fold.level,
            )  # fmt: skip
            self.gap[k] = (found.gap, found.lower, found.upper)

    def _pairs(self, at: int, out: list[Any]) -> None:
        fold, window = self.pairs, np.array(self.probits[-self.pairs.window :])
        seen = np.isfinite(window).all(axis=0) & (len(window) == fold.window)
        panel, rows, self.pending = tuple(np.flatnonzero(seen).tolist()), self.pending, 0
        if panel != self.panel or self.sums is None:
            self.panel, rows, self.sums = panel, fold.window, None
            if len(panel) >= 2:
                self.sums = rolling_pairs.start(
                    len(panel), fold.window, fold.lags, false_discovery=fold.false_discovery
                )
        if self.sums is None:
            return
        mine = window[:, list(panel)]
        self.sums, found = rolling_pairs.step(self.sums, mine[fold.window - rows :])
        still = np.mean(np.diff(mine, axis=0) == 0.0, axis=0) > 0.5
        for i, (a, b) in enumerate(itertools.combinations(range(len(panel)), 2)):
            values = (found.pils, found.is_first, found.is_last, found.component, found.p_none)
            stale = still[a] or still[b]
            told = [NAN if stale else float(one[i]) for one in values]
            out.append((at, self.names[panel[a]], self.names[panel[b]], *told))


@csp.node(memoize=False)
def prices(
    peer: object, venues: csp.ts[object], markets: csp.ts[object], end: csp.ts[object]
) -> None:
    with csp.state():
        s_grid = Grid(peer)
        s_primary = peer.folds["markets"].primary
    event = None
    if csp.ticked(venues):
        if venues[0] == s_primary:
            event = venues
    elif csp.ticked(markets):
        event = markets
    elif csp.ticked(end):
        event = "", end["prices"], NAN
    if event is not None:
        name, ts, value = event
        while ts > s_grid.at:
            s_grid.close(peer)
        s_grid.last[name] = (ts, value)


class Sums:
    """One symbol: its book, the memory of the tick test, and the sums of its open bucket."""

    __slots__ = (
        "ask", "bid", "books", "direction", "flow", "flow_iso", "has", "isos", "mids", "price",
        "quotes", "spreads", "trades", "updates", "volume", "volume_iso",
    )  # fmt: skip

    def __init__(self) -> None:
        self.bid = self.ask = self.price = NAN
        self.direction, self.has = 0.0, False
        self.clear()

    def clear(self) -> None:
        """The sums of a new bucket."""
        self.quotes = self.books = self.updates = self.trades = self.isos = 0
        self.mids = self.spreads = self.volume = self.volume_iso = self.flow = self.flow_iso = 0.0


def bucket_rows(peer: Peer, symbols: Mapping[str, Sums], end: int, factors: list[Any]) -> None:
    """The features of every symbol met, as its bucket closes, and the factors' returns."""
    out, fold = peer.answers["features"].append, peer.folds["factors"]
    places, mids = peer.places, np.full((1, len(peer.places)), NAN)
    for name, s in symbols.items():
        books, trades, volume = s.books, s.trades, s.volume
        row = (
            name,
            end,
            math.log(s.mids / books) if books else NAN,
            s.updates,
            s.spreads / books if books else NAN,
            s.isos / trades if trades else NAN,
            s.volume_iso / volume if trades else NAN,
            s.flow,
            s.flow_iso,
            trades,
            s.isos,
            volume,
            s.flow + s.flow_iso,
            s.flow_iso / volume if trades else NAN,
        )
        out(row)
        if s.quotes and s.has and name in places:
            mids[0, places[name]] = 0.5 * (s.bid + s.ask)
        s.clear()
    factors[0], found = factor_returns.step(
        factors[0], np.array([end]), mids, peer.book, max_age_s=fold.max_age_s,
        min_coverage=fold.min_coverage,
    )  # fmt: skip
    for factor, value in zip(fold.weights, found.returns[0].tolist(), strict=True):
        peer.answers["factors"].append((factor, end, value))


@csp.node(memoize=False)
def ticks(  # noqa: C901, PLR0912, PLR0915 - in one body: a tick pays for no call
    peer: object, quotes: csp.ts[object], trades: csp.ts[object], end: csp.ts[object]
) -> None:
    """Lee and Ready's signs and the fourteen features of each minute."""
    with csp.state():
        s_symbols = {}
        s_close = 0
        s_factors = [factor_returns.start(len(peer.places))]
    if csp.ticked(quotes):
        ts, name, bid, ask = quotes
        if ts >= s_close:
            if s_close:
                bucket_rows(peer, s_symbols, s_close, s_factors)
            s_close = ts // MINUTE * MINUTE + MINUTE
        s = s_symbols.get(name)
        if s is None:
            s = s_symbols[name] = Sums()
        elif bid != s.bid or ask != s.ask:
            s.updates += s.bid == s.bid  # the first quote is no update
        s.bid = bid
        s.ask = ask
        s.quotes += 1
        if 0.0 < bid <= ask:
            s.has = True
            s.books += 1
            mid = 0.5 * (bid + ask)
            s.mids += mid
            s.spreads += (ask - bid) / mid
        else:
            s.has = False
    elif csp.ticked(trades):
        ts, name, price, size, iso, eligible = trades
        if ts >= s_close:
            if s_close:
                bucket_rows(peer, s_symbols, s_close, s_factors)
            s_close = ts // MINUTE * MINUTE + MINUTE
        s = s_symbols.get(name)
        if s is None:
            s = s_symbols[name] = Sums()
        if eligible:
            if price > s.price:
                s.direction = 1.0
            elif price < s.price:
                s.direction = -1.0
            s.price = price
            sign = s.direction
            if s.has:
                beyond = (price - s.bid) - (s.ask - price)
                near = SAME_PRICE * price
                if beyond > near:
                    sign = 1.0
                elif beyond < -near:
                    sign = -1.0
            s.trades += 1
            s.volume += size
            if iso:
                s.isos += 1
                s.volume_iso += size
                s.flow_iso += sign * (price * size)
            else:
                s.flow += sign * (price * size)
    elif csp.ticked(end) and s_close:
        bucket_rows(peer, s_symbols, s_close, s_factors)


class Chains:
    """The last quote of every contract, and each chain's smile and states."""

    def __init__(self, peer: Peer) -> None:
        self.fold: DensityFold = peer.folds["density"]
        self.states: StatesFold = peer.folds["states"]
        self.state = self.states.start()
        self.refit = Refit(self.fold.refit_ns, self.fold.refit_sds)
        self.contracts: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self.held: dict[str, Any] = {}
        self.probability = (NEVER, NAN)
        self.at = 0

    def close(self, out: Mapping[str, list[Any]]) -> None:
        """Every chain as of a time of the grid."""
        at, chains = self.at, {}
        for key, held in self.contracts.items():
            if key[2] > at and held[0] >= at - self.fold.max_age_ns:
                chains.setdefault(key[1:], []).append((held[1], not held[2], key[0], held))
        said, self.at = [], at + self.fold.every_ns
        for underlying, expiry, style, settlement in sorted(chains):
            rows = sorted(chains[underlying, expiry, style, settlement])
            ts, strike, is_call, *sides, spot = (
                np.array(column) for column in zip(*(row[3] for row in rows), strict=True)
            )
            known = np.flatnonzero(np.isfinite(spot))
            newest = known[np.argsort(ts[known], kind="stable")][-1:]
            chain = Chain(
                underlying, expiry, at, style, settlement, (expiry - at) / YEAR_NS,
                float(spot[newest[0]]) if newest.size else NAN, strike, is_call, *sides,
                (at - ts) / 1e9, 0, pl.DataFrame(),
            )  # fmt: skip
            label = f"{underlying} {expiry}"
            self.held[label], reading = read_chain(
                chain, self.held.get(label), self.refit, self.fold.rate
            )
            said.append((label, reading))
        if not said:
            return
        drawn, laws = density_rows(said)
        seen = {"ts": [self.probability[0]], "probability": [self.probability[1]]}
        path = pl.DataFrame(
            seen, schema={"ts": pl.Datetime("ns", "UTC"), "probability": pl.Float64}
        )
        frames = {LAWS_FRAME: laws, self.states.primary: path}
        if self.probability[0] == NEVER:
            del frames[self.states.primary]
        self.state, answer = self.states.step(self.state, Slice(at + 1, frames))
        out["density"].append(drawn)
        out["states"].append(answer.frames["states"])


@csp.node(memoize=False)
def chains(
    peer: object, venues: csp.ts[object], options: csp.ts[object], end: csp.ts[object]
) -> None:
    with csp.state():
        s_chains = Chains(peer)
        s_primary = peer.folds["states"].primary
    ts = NEVER
    if csp.ticked(options):
        ts = options[1][0]
        if not s_chains.at:
            s_chains.at = -(-ts // s_chains.fold.every_ns) * s_chains.fold.every_ns
    elif csp.ticked(venues):
        ts = venues[1] if venues[0] == s_primary else NEVER
    elif csp.ticked(end):
        ts = end["chains"]
    while ts > s_chains.at > 0:
        begin = time.process_time()
        s_chains.close(peer.answers)
        peer.spent["chains"] += time.process_time() - begin
    if csp.ticked(options):
        s_chains.contracts[options[0]] = options[1]
    elif csp.ticked(venues) and venues[0] == s_primary:
        s_chains.probability = venues[1:]


def _curve(place: np.ndarray, values: np.ndarray) -> Any:
    first = np.datetime64(FIRST, "ns")
    return csp.curve(object, (first + (place + 1) * np.timedelta64(1_000, "ns"), values))


@csp.graph(memoize=False)
def wired(peer: object, edges: object) -> None:
    end = edges["end"]
    if "venues" in edges:
        probability(peer, edges["venues"])
        prices(peer, edges["venues"], edges["markets"], end)
    ticks(peer, edges["quotes"], edges["trades"], end)
    if "options" in edges:
        chains(peer, edges["venues"], edges["options"], end)


def _curve(place: np.ndarray, values: np.ndarray) -> Any:
    first = np.datetime64(FIRST, "ns")
    return csp.curve(object, (first + (place + 1) * np.timedelta64(1_000, "ns"), values))


@csp.graph(memoize=False)
def stored(peer: object, events: object) -> None:
    wired(peer, {name: _curve(*events[name]) for name in events})


def run(nodes: Program, events: Events) -> Peer:
    """The peer after all events: its answers and the seconds it spent in the estimators."""
    peer = Peer(nodes)
    csp.run(stored, peer, events, starttime=FIRST, endtime=timedelta(days=365))
    return peer


@csp.node(memoize=False)
def route(
    pushed: csp.ts[object],
) -> csp.Outputs(
    venues=csp.ts[object],
    markets=csp.ts[object],
    trades=csp.ts[object],
    quotes=csp.ts[object],
    options=csp.ts[object],
    end=csp.ts[object],
):
    if csp.ticked(pushed) and pushed is not STOP:
        edge, event = pushed
        if edge == "quotes":
            csp.output(quotes=event)
        elif edge == "trades":
            csp.output(trades=event)
        elif edge == "venues":
            csp.output(venues=event)
        elif edge == "markets":
            csp.output(markets=event)
        elif edge == "options":
            csp.output(options=event)
        else:
            csp.output(end=event)


@csp.graph(memoize=False)
def live(peer: object, pushed: csp.ts[object]) -> None:
    edges = route(pushed)
    names = ("venues", "markets", "trades", "quotes", "options", "end")
    wired(peer, {name: edges[name] for name in names})


def pushed(nodes: Program, events: list[tuple[str, Any]]) -> Peer:
    """The same by a live engine: each event pushed into it from another thread."""
    peer = Peer(nodes)
    engine = CspThread(lambda edge: live(peer, edge), "peer")
    engine.start()
    for event in events:
        engine.push(event)
    engine.stop()
    return peer


def in_order(events: Events) -> list[tuple[str, Any]]:
    """Events with their edges, as they come."""
    place = np.concatenate([at for at, _ in events.values()])
    edges = [(name, value) for name, (_, values) in events.items() for value in values]
    return [edges[i] for i in np.argsort(place)]
