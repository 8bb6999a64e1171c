"""Run by bench_scenarios.py in its own environment: a scenario grid by QuantLib, point by point.

Arguments: the input .json, the output .json. One thread; seconds are of the processor, the best of
a few runs. Three roads to the same numbers: an AnalyticEuropeanEngine whose quotes are set and the
option priced anew, a BlackCalculator made for each point, and blackFormula, the bare function.
The option, its engine and its payoff are made once a leg, outside the clock.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

import QuantLib as ql  # noqa: N813 - as its own examples call it

REPEATS = 5


def main(source: str, target: str) -> None:
    given = json.loads(Path(source).read_text())
    today = ql.Date(5, 10, 2024)
    ql.Settings.instance().evaluationDate = today
    forwards, moves, legs = given["forwards"], given["vol_moves"], given["legs"]
    answer = {}
    for name, make in {
        "BlackCalculator": by_calculator,
        "blackFormula": by_formula,
        "AnalyticEuropeanEngine": by_engine,
    }.items():
        pricers = [make(leg, today) for leg in legs]
        shortest = float("inf")
        for _ in range(REPEATS):
            begin = time.process_time()
            grid = [[0.0] * len(forwards) for _ in moves]
            for leg, price in zip(legs, pricers, strict=True):
                quantity, vol = leg["quantity"], leg["vol"]
                for row, move in zip(grid, moves, strict=True):
                    sigma = max(vol + move, 0.0)
                    for n, forward in enumerate(forwards):
                        row[n] += quantity * price(forward, sigma)
            shortest = min(shortest, time.process_time() - begin)
        answer[name] = {"seconds": shortest, "grid": grid}
    Path(target).write_text(json.dumps(answer))


def by_calculator(leg, _today):
    """A calculator for each point."""
    payoff, root = ql.PlainVanillaPayoff(right(leg), leg["strike"]), math.sqrt(leg["days"] / 365.0)

    def price(forward, sigma):
        return ql.BlackCalculator(payoff, forward, sigma * root).value()

    return price


def by_formula(leg, _today):
    """The bare function."""
    kind, K, root = right(leg), leg["strike"], math.sqrt(leg["days"] / 365.0)

    def price(forward, sigma):
        return ql.blackFormula(kind, K, forward, sigma * root)

    return price


def by_engine(leg, today):
    """One option and one engine, the quotes set for each point; whole days only."""
    spot, vol, day_count = ql.SimpleQuote(1.0), ql.SimpleQuote(0.5), ql.Actual365Fixed()
    flat = ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(vol), day_count)
    process = ql.BlackProcess(
        ql.QuoteHandle(spot),
        ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, day_count)),
        ql.BlackVolTermStructureHandle(flat),
    )
    payoff = ql.PlainVanillaPayoff(right(leg), leg["strike"])
    option = ql.VanillaOption(payoff, ql.EuropeanExercise(today + leg["days"]))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))

    def price(forward, sigma):
        spot.setValue(forward)
        vol.setValue(sigma)
        return option.NPV()

    return price


def right(leg):
    """QuantLib's word for call or put."""
    return ql.Option.Call if leg["is_call"] else ql.Option.Put


if __name__ == "__main__":
    main(*sys.argv[1:])
