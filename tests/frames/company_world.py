"""A made-up exchange of companies: symbols change hands, and the truth is kept by company.

The three tables are what a vendor would publish; :func:`expected` never reads them. It knows each
company by its number, so it can only agree if symbols were followed to the right company.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from eventtape.clock import sessions

FIRST, LAST = "2024-08-01", "2024-11-22"


class Company:
    """One company, whatever it is called: since when it had which kind and which symbol."""

    def __init__(self, kind, day, symbol):
        self.kinds = [(day, kind)]
        self.symbols = [(day, symbol)]
        self.last = None  # last session on the market
        self.stays = False  # may no longer be renamed
        self.traded = {}  # session -> (volume, dollars)

    def symbol_on(self, day):
        return [symbol for since, symbol in self.symbols if since <= day][-1]

    def kind_on(self, day):
        return [kind for since, kind in self.kinds if since <= day][-1]

    def marks(self):
        return sorted({since for since, _ in self.kinds + self.symbols})


class World(NamedTuple):
    companies: list
    days: list[date]
    daily: pl.DataFrame
    listings: pl.DataFrame
    renames: pl.DataFrame


class Exchange:
    """The companies on the market, one session after the other."""

    def __init__(self, seed, n):
        self.rng = np.random.default_rng(seed)
        self.days = [day.item() for day in sessions(FIRST, LAST).date]
        self.unused = (f"N{k:03d}" for k in range(1000))
        self.companies, self.renames = [], []
        self.idle = {}  # symbol of a company that left -> index of its last session
        for _ in range(n):
            self.start(date(2010, 1, 4), next(self.unused))
        for k in range(1, len(self.days)):
            self.moved = set()
            for share, event in (
                (0.35, self.rename),
                (0.1, self.swap),
                (0.2, self.leave),
                (0.2, self.arrive),
                (0.3, self.reuse),
                (0.15, self.take_over),
                (0.1, self.change_kind),
            ):
                if self.rng.random() < share:
                    event(k)

    def start(self, day, symbol):
        kind = self.rng.choice(["CS", "ETF", "ADRC"], p=[0.5, 0.4, 0.1])
        self.companies.append(Company(str(kind), day, symbol))
        return self.companies[-1]

    def one(self, k, *, renamed=False):
        """A company of the session before this one to which nothing has happened today."""
        free = [
            c
            for c in self.companies
            if c.last is None
            and c not in self.moved
            and not (renamed and c.stays)
            and c.marks()[-1] < self.days[k - 1]
        ]
        company = free[self.rng.integers(len(free))]
        self.moved.add(company)
        return company

    def call(self, company, k, symbol):
        old = company.symbols[-1][1]
        company.symbols.append((self.days[k], symbol))
        self.renames.append((old, symbol, self.days[k]))
        return old

    def rename(self, k):
        """To a symbol nobody had; half the time another company takes the old one that day."""
        old = self.call(self.one(k, renamed=True), k, next(self.unused))
        if self.rng.random() < 0.5:
            self.call(self.one(k, renamed=True), k, old)

    def swap(self, k):
        a, b = self.one(k, renamed=True), self.one(k, renamed=True)
        self.call(b, k, self.call(a, k, b.symbols[-1][1]))

    def leave(self, k):
        company = self.one(k)
        company.last = self.days[k - 1]
        self.idle[company.symbols[-1][1]] = k - 1

    def arrive(self, k):
        self.moved.add(self.start(self.days[k], next(self.unused)))

    def reuse(self, k):
        """A new company under a symbol that lay idle for a session or more."""
        free = [symbol for symbol, last in self.idle.items() if last < k - 1]
        if free:
            symbol = free[self.rng.integers(len(free))]
            del self.idle[symbol]
            company = self.start(self.days[k], symbol)
            company.stays = True  # no table could say which holder a rename is of
            self.moved.add(company)

    def take_over(self, k):
        """A company that is already there takes the symbol of one that left."""
        free = list(self.idle)
        if free:
            symbol = free[self.rng.integers(len(free))]
            del self.idle[symbol]
            self.call(self.one(k, renamed=True), k, symbol)

    def change_kind(self, k):
        company = self.one(k)
        company.kinds.append((self.days[k], "CS" if company.kinds[-1][1] == "ETF" else "ETF"))


@cache
def world(seed, n=40):
    """An exchange with renames, swaps of symbols, delistings, reuse, new listings, odd volumes."""
    made = Exchange(seed, n)
    companies, days = made.companies, made.days
    daily = _daily(companies, days, made.rng)
    return World(companies, days, daily, _listings(companies, days), _frame(made.renames))


def _daily(companies, days, rng):
    rows = []
    for company in companies:
        level = float(rng.integers(1, 30))  # few values: ties are common
        price = float(rng.integers(1, 5))
        share = rng.choice([1.0, 0.95, 0.7])
        for day in days:
            listed = company.kinds[0][0] <= day and (company.last is None or day <= company.last)
            if listed and rng.random() < share:
                volume = level * float(rng.integers(1, 3)) if level > 2 else 0.0
                company.traded[day] = (volume, volume * price)
                rows.append((company.symbol_on(day), day, volume, volume * price))
    names = ["symbol", "session", "volume", "dollar_volume"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.sample(fraction=1.0, shuffle=True, seed=int(rng.integers(1000)))


def _listings(companies, days):
    """One row a spell of one company under one symbol and one kind."""
    rows = []
    for company in companies:
        marks = company.marks()
        for since, after in zip(marks, [*marks[1:], None], strict=True):
            end = company.last if after is None else days[days.index(after) - 1]
            rows.append((company.symbol_on(since), company.kind_on(since), since, end))
    schema = {"symbol": pl.String, "kind": pl.String, "from": pl.Date, "to": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("from", "symbol")


def _frame(renames):
    schema = {"old": pl.String, "new": pl.String, "from": pl.Date}
    return pl.DataFrame(renames, schema=schema, orient="row")


def expected(exchange, day, *, top, n, needed, kinds=("ETF", "CS")):
    """Members by company: plain loops over what each company did, the tables not looked at."""
    window = [when for when in exchange.days if when < day][-n:]
    # What begins on the next session is not known yet, and what was until then has ended.
    after = exchange.days[exchange.days.index(window[-1]) + 1]
    found = {kind: [] for kind in kinds}
    for company in exchange.companies:
        since, last = company.kinds[0][0], company.last
        if since >= day or (last is not None and last < day) or after in company.marks():
            continue
        kind = company.kind_on(window[-1])
        traded = [company.traded[when] for when in window if when in company.traded]
        if kind not in found or len(traded) < needed:
            continue
        shares = sum(volume for volume, _ in traded) / len(traded)
        dollars = sum(money for _, money in traded) / len(traded)
        if dollars == 0.0:
            continue
        symbols = []
        for when in window:
            if when in company.traded and company.symbol_on(when) not in symbols:
                symbols.append(company.symbol_on(when))
        name = company.symbol_on(window[-1])
        found[kind].append((-dollars, name, shares, len(traded), "+".join(symbols)))
    rows = []
    for kind in kinds:
        for rank, (minus, name, shares, seen, symbols) in enumerate(sorted(found[kind])[:top], 1):
            rows.append((kind, rank, name, shares, -minus, seen, "dollar_volume", symbols))
    return rows
