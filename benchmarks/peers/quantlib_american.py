"""Run by bench_american.py in its own environment: American puts by QuantLib's QdFp engines.

Arguments: the input .json, the output .json. One thread. Greeks are central differences of the
accurate engine, nine pricings an option; the truth is the high-precision engine's, differences of
fourth order, thirteen. Seconds are of the processor.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import QuantLib as ql  # noqa: N813 - as its own examples call it

TODAY = ql.Date(2, 1, 2020)
BUMPS = (0.005, 0.002, 0.001)  # of spot by its share, of vol, of rate
FINE = (0.002, 0.002, 0.0005)


def main(source: str, target: str) -> None:
    ql.Settings.instance().evaluationDate = TODAY
    given = json.loads(Path(source).read_text())
    options = given["options"]
    market = Market()
    engine, scheme = ql.QdFpAmericanEngine, ql.QdFpAmericanEngine.accurateScheme()
    accurate = engine(market.process, scheme)
    precise = engine(market.process, ql.QdFpAmericanEngine.highPrecisionScheme())
    answer = {"truth": [truth(market, precise, option) for option in options]}
    for name, job in {
        "price": lambda option: [market.price(accurate, *option)],
        "greeks": lambda option: bumped(market, accurate, option),
    }.items():
        shortest = float("inf")
        for _ in range(5):
            begin = time.process_time()
            found = [job(option) for option in options]
            shortest = min(shortest, time.process_time() - begin)
        answer[name], answer[f"{name}_seconds"] = found, shortest
    answer["vols"], answer["vols_seconds"] = implied(market, given["quotes"])
    Path(target).write_text(json.dumps(answer))


class Market:
    """One Black-Scholes process whose numbers are set, so that nothing is built anew but a day."""

    def __init__(self) -> None:
        day_count = ql.Actual365Fixed()
        self.spot, self.rate, self.dividend, self.vol = (ql.SimpleQuote(0.1) for _ in range(4))
        curves = [
            ql.YieldTermStructureHandle(ql.FlatForward(TODAY, ql.QuoteHandle(quote), day_count))
            for quote in (self.dividend, self.rate)
        ]
        flat = ql.BlackConstantVol(TODAY, ql.NullCalendar(), ql.QuoteHandle(self.vol), day_count)
        self.process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(self.spot), *curves, ql.BlackVolTermStructureHandle(flat)
        )
        self.options = {}

    def option(self, days):
        """A put of that many days, made once."""
        if days not in self.options:
            pays = ql.PlainVanillaPayoff(ql.Option.Put, 100.0)
            exercise = ql.AmericanExercise(TODAY, TODAY + int(days))
            self.options[days] = ql.VanillaOption(pays, exercise)
        return self.options[days]

    def set(self, spot, rate, dividend, vol):
        """The numbers of the process."""
        self.spot.setValue(spot)
        self.rate.setValue(rate)
        self.dividend.setValue(dividend)
        self.vol.setValue(vol)

    def price(self, engine, days, rate, dividend, spot, vol):
        """The put by that engine, the numbers set first."""
        self.set(spot, rate, dividend, vol)
        option = self.option(days)
        option.setPricingEngine(engine)
        return option.NPV()


def bumped(market, engine, option):
    """Price, delta, gamma, theta, vega and rho: 1 + 2 + 2 + 2 + 2 pricings."""
    days, r, q, S, vol = option
    share, by_vol, by_rate = BUMPS
    h = share * S
    mid = market.price(engine, *option)
    up, down = (market.price(engine, days, r, q, S + x, vol) for x in (h, -h))
    later, sooner = (market.price(engine, days + x, r, q, S, vol) for x in (1, -1))
    wild, calm = (market.price(engine, days, r, q, S, vol + x) for x in (by_vol, -by_vol))
    dear, cheap = (market.price(engine, days, r + x, q, S, vol) for x in (by_rate, -by_rate))
    return [
        mid,
        (up - down) / (2 * h),
        (up - 2 * mid + down) / h**2,
        (sooner - later) / (2 / 365),
        (wild - calm) / (2 * by_vol),
        (dear - cheap) / (2 * by_rate),
    ]


def truth(market, engine, option):
    """The same six, fourth order; theta by the Black-Scholes equation."""
    days, r, q, S, vol = option
    share, by_vol, by_rate = FINE
    h = share * S
    mid = market.price(engine, *option)
    spots = [market.price(engine, days, r, q, S + k * h, vol) for k in (-2, -1, 1, 2)]
    vols = [market.price(engine, days, r, q, S, vol + k * by_vol) for k in (-2, -1, 1, 2)]
    rates = [market.price(engine, days, r + k * by_rate, q, S, vol) for k in (-2, -1, 1, 2)]
    delta, vega, rho = (
        (a - 8 * b + 8 * c - d) / (12 * step)
        for (a, b, c, d), step in ((spots, h), (vols, by_vol), (rates, by_rate))
    )
    a, b, c, d = spots
    gamma = (-a + 16 * b - 30 * mid + 16 * c - d) / (12 * h**2)
    theta = r * mid - (r - q) * S * delta - 0.5 * (vol * S) ** 2 * gamma
    return [mid, delta, gamma, theta, vega, rho]


def implied(market, quotes):
    """VanillaOption.impliedVolatility with its defaults: null where it raises."""
    found, begin = [], time.process_time()
    for price, days, r, q, S in quotes:
        market.set(S, r, q, 0.2)
        try:
            found.append(market.option(days).impliedVolatility(price, market.process))
        except RuntimeError:
            found.append(None)
    return found, time.process_time() - begin


if __name__ == "__main__":
    main(*sys.argv[1:])
