"""The universe against companies that are known by number, and against what it must not see."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from eventtape.clock import sessions_before
from eventtape.errors import InputError
from eventtape.frames.universe import seed_columns, universe
from eventtape.simulate.daily_volumes import daily_volumes
from frames.company_world import expected, world

DAY = date(2024, 11, 5)
WINDOW = [when.item() for when in sessions_before(DAY, 20).date]


def table(rows, day=DAY, n=20, **columns):
    """Daily rows: ``{symbol: dollars}`` each on all of the last n sessions, ten dollars a share."""
    when = [t.item() for t in sessions_before(day, n).date]
    frame = pl.DataFrame(
        [
            (symbol, t, dollars / 10.0, float(dollars))
            for symbol, dollars in rows.items()
            for t in when
        ],
        schema=["symbol", "session", "volume", "dollar_volume"],
        orient="row",
    )
    return frame.with_columns(**columns)


def listed(*rows):
    """Listings: (symbol, kind) or (symbol, kind, from, to)."""
    schema = {"symbol": pl.String, "kind": pl.String, "from": pl.Date, "to": pl.Date}
    full = [row if len(row) == 4 else (*row, date(2010, 1, 4), None) for row in rows]
    return pl.DataFrame(full, schema=schema, orient="row")


def renamed(*rows):
    schema = {"old": pl.String, "new": pl.String, "from": pl.Date}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def chosen(found):
    return found.members["symbol"].to_list()


def reasons(found):
    return dict(found.excluded.select("symbol", "reason").iter_rows())


# In 203 a company takes a symbol, leaves the market two sessions later, and a third one reuses it.
@pytest.mark.parametrize("seed", [*range(7), 203])
def test_the_members_are_the_companies_that_traded_most(seed):
    """Eight exchanges, twelve dates each; volumes are whole numbers, so means are exact."""
    exchange = world(seed)
    tied = 0
    for day in [*exchange.days[22:-1:5], date(2024, 10, 13)]:
        for top, n, share in ((4, 12, 0.7), (1000, 20, 0.9)):
            found = universe(
                exchange.daily,
                day,
                top=top,
                sessions=n,
                listings=exchange.listings,
                renames=exchange.renames,
                min_share=share,
            )
            needed = math.ceil(share * n - 1e-9)
            want = expected(exchange, day, top=top, n=n, needed=needed)
            assert found.members.rows() == want
            dollars = found.members["mean_dollars"].to_list()
            tied += len(dollars) - len(set(dollars))
            in_window = exchange.daily.filter(
                pl.col("session").is_between(found.sessions[0], found.sessions[-1])
            )
            if top == 1000:  # nothing is dropped unsaid: each row counts for one name
                kept = found.members["sessions"].sum() + found.excluded["sessions"].sum()
                assert kept == in_window.height
    assert tied > 0


def test_the_worlds_hold_what_they_promise():
    """Else the test above says little: chains, symbols taken over, delistings, reuse, kinds."""
    exchanges = [world(seed) for seed in range(7)]
    chains = sum(len(c.symbols) > 2 for w in exchanges for c in w.companies)
    gone = sum(c.last is not None for w in exchanges for c in w.companies)
    kinds = sum(len(c.kinds) > 1 for w in exchanges for c in w.companies)
    said = [
        reason.split(" 20")[0]
        for w in exchanges
        for day in w.days[22:-1:5]
        for reason in reasons(
            universe(w.daily, day, listings=w.listings, renames=w.renames)
        ).values()
    ]
    assert min(chains, gone, kinds) > 10
    for words in (
        "symbol taken over on",
        "outside the symbol's present listing",
        "listing ended",
        "kind ADRC not asked for",
        "no trade in any session",
    ):
        assert said.count(words) > 5, words


def garbage(exchange, day):
    """The tables with everything on and after ``day`` made absurd."""
    late = pl.col("session") >= day
    daily = exchange.daily.with_columns(
        pl.when(late).then(pl.lit(math.nan)).otherwise("volume").alias("volume"),
        pl.when(late).then(-1e300).otherwise("dollar_volume").alias("dollar_volume"),
    )
    extra = daily.filter(late)
    weekend = extra.head(3).with_columns(session=pl.lit(day + timedelta(days=40)))
    daily = pl.concat([extra, weekend, daily, extra])
    ended = pl.col("to") >= day
    listings = exchange.listings.with_columns(
        pl.when(ended).then(None).otherwise("to").alias("to")
    ).filter(pl.col("from") < day)
    clash = listings.head(5).with_columns(
        pl.lit(day).alias("from"), pl.lit(None, pl.String).alias("kind")
    )
    renames = exchange.renames.filter(pl.col("from") < day)
    names = exchange.daily["symbol"].unique().sort()
    swapped = pl.DataFrame({"old": names, "new": names.reverse()}).with_columns(
        pl.lit(day).alias("from")
    )
    return daily, pl.concat([clash, listings]), pl.concat([swapped, renames])


@pytest.mark.parametrize("seed", range(5))
def test_nothing_on_or_after_the_date_is_seen(seed):
    """Five exchanges, five dates each: absurd tables from the date on give the same answer."""
    exchange = world(seed)
    for day in exchange.days[25::10]:
        told = {"top": 10, "sessions": 15, "min_share": 0.5}
        before = universe(
            exchange.daily, day, listings=exchange.listings, renames=exchange.renames, **told
        )
        daily, listings, renames = garbage(exchange, day)
        after = universe(daily, day, listings=listings, renames=renames, **told)
        assert after.members.equals(before.members)
        assert after.excluded.equals(before.excluded)
        short = exchange.daily.filter(pl.col("session") < day)
        cut = universe(short, day, listings=listings, renames=renames, **told)
        assert cut.members.equals(before.members)


def test_a_row_before_the_date_is_seen():
    """The canary can sing: one row of the last session changes who leads."""
    daily = table({"A": 100, "B": 101})
    assert chosen(universe(daily, DAY, kinds=(), top=1)) == ["B"]
    last = (pl.col("session") == WINDOW[-1]) & (pl.col("symbol") == "A")
    raised = daily.with_columns(
        pl.when(last).then(500.0).otherwise("dollar_volume").alias("dollar_volume")
    )
    assert chosen(universe(raised, DAY, kinds=(), top=1)) == ["A"]
    first = daily.with_columns(session=pl.col("session") - pl.duration(days=28))
    assert chosen(universe(pl.concat([daily, first]), DAY, kinds=(), top=1)) == ["B"]


def test_the_sessions_are_the_exchanges():
    """20 sessions to 2024-11-04, as the election-day study says; Columbus Day is one of them."""
    found = universe(table({"A": 1}), "2024-11-05", kinds=())
    assert (found.sessions[0], found.sessions[-1]) == (date(2024, 10, 8), date(2024, 11, 4))
    assert date(2024, 10, 14) in found.sessions
    assert found.day == DAY
    sunday = universe(table({"A": 1}), "2024-11-03", kinds=(), sessions=5)
    assert sunday.sessions[-1] == date(2024, 11, 1)


def test_means_are_a_session_and_the_studys_columns_are_millions():
    found = universe(table({"A": 3e9, "B": 1e9}), DAY, kinds=())
    assert found.members["mean_dollars"].to_list() == [3e9, 1e9]
    assert found.members["mean_shares"].to_list() == [3e8, 1e8]
    assert seed_columns(found.members).rows() == [
        (None, "A", 300.0, 3000.0),
        (None, "B", 100.0, 1000.0),
    ]


def test_ties_go_to_the_first_symbol_whatever_the_order_of_rows():
    daily = table({"C": 7.1, "A": 7.1, "D": 9.3, "B": 7.1})
    base = universe(daily, DAY, kinds=(), top=3)
    assert chosen(base) == ["D", "A", "B"]
    for seed in range(5):
        mixed = daily.sample(fraction=1.0, shuffle=True, seed=seed)
        assert universe(mixed, DAY, kinds=(), top=3).members.equals(base.members)


def test_dollars_come_from_the_first_column_a_row_has():
    nothing = pl.lit(None, pl.Float64)
    parts = [
        table({"D": 100}, vwap=50.0, close=60.0),
        table({"V": 100}, dollar_volume=nothing, vwap=11.0, close=60.0),
        table({"C": 100}, dollar_volume=nothing, vwap=nothing, close=12.0),
        table({"Z": 0}, dollar_volume=nothing, vwap=nothing, close=nothing),
        table({"Y": 100}, n=1, dollar_volume=nothing, vwap=nothing, close=20.0),
    ]
    parts.append(
        table({"Y": 100}, vwap=nothing, close=nothing).filter(pl.col("session") < WINDOW[-1])
    )
    found = universe(pl.concat(parts), DAY, kinds=())
    got = {row["symbol"]: row for row in found.members.iter_rows(named=True)}
    assert (got["D"]["mean_dollars"], got["D"]["dollars_from"]) == (100.0, "dollar_volume")
    assert (got["V"]["mean_dollars"], got["V"]["dollars_from"]) == (110.0, "vwap")
    assert (got["C"]["mean_dollars"], got["C"]["dollars_from"]) == (120.0, "close")
    assert (got["Y"]["mean_dollars"], got["Y"]["dollars_from"]) == (105.0, "close+dollar_volume")
    assert reasons(found)["Z"] == "no trade in any session"
    only = pl.concat(parts).filter(symbol="C").drop("dollar_volume", "vwap")
    assert universe(only, DAY, kinds=()).members["dollars_from"].to_list() == ["close"]


def test_missing_sessions_are_counted():
    daily = table({"A": 5, "B": 9, "C": 7})
    b, c = WINDOW[:3], WINDOW[:2]
    daily = daily.filter(
        ~((pl.col("symbol") == "B") & pl.col("session").is_in(b)),
        ~((pl.col("symbol") == "C") & pl.col("session").is_in(c)),
    )
    found = universe(daily, DAY, kinds=())
    assert found.members.select("symbol", "sessions", "mean_dollars").rows() == [
        ("C", 18, 7.0),
        ("A", 20, 5.0),
    ]
    assert reasons(found) == {"B": "rows on 17 of 20 sessions, fewer than 18"}
    assert chosen(universe(daily, DAY, kinds=(), min_share=0.85)) == ["B", "C", "A"]
    assert found.empty_sessions == ()
    holes = universe(daily.filter(~pl.col("session").is_in(c)), DAY, kinds=(), min_share=0.5)
    assert holes.empty_sessions == tuple(c)


def test_a_chain_of_renames_is_one_name():
    parts = [
        table({"OLD": 10}).filter(pl.col("session") < WINDOW[5]),
        table({"MID": 10}).filter(pl.col("session").is_between(WINDOW[5], WINDOW[9])),
        table({"NEW": 10}).filter(pl.col("session") > WINDOW[9]),
    ]
    moves = renamed(("MID", "NEW", WINDOW[10]), ("OLD", "MID", WINDOW[5]))
    # Listed under the old symbol alone, never closed; or under each symbol; or under the last.
    spells = listed(
        ("OLD", "CS", date(2010, 1, 4), WINDOW[4]),
        ("MID", "CS", WINDOW[5], WINDOW[9]),
        ("NEW", "CS", WINDOW[10], None),
    )
    for listings in (listed(("OLD", "CS")), spells, listed(("NEW", "CS"))):
        found = universe(pl.concat(parts), DAY, listings=listings, renames=moves)
        row = found.members.row(0, named=True)
        assert (row["symbol"], row["sessions"], row["traded_as"]) == ("NEW", 20, "OLD+MID+NEW")
    apart = universe(pl.concat(parts), DAY, kinds=())
    assert apart.members.is_empty()
    assert len(reasons(apart)) == 3


def test_a_rename_of_the_date_itself_is_not_known():
    daily = table({"OLD": 10})
    for when in (DAY, DAY + timedelta(days=3)):
        found = universe(
            daily, DAY, listings=listed(("OLD", "CS")), renames=renamed(("OLD", "NEW", when))
        )
        assert chosen(found) == ["OLD"]


def test_a_symbol_that_passes_on_is_two_names():
    """GIVER becomes TAKEN on a date; what traded as TAKEN before was another company."""
    parts = [
        table({"TAKEN": 50, "GIVER": 10}).filter(pl.col("session") < WINDOW[10]),
        table({"TAKEN": 10}).filter(pl.col("session") >= WINDOW[10]),
    ]
    found = universe(
        pl.concat(parts), DAY, kinds=(), renames=renamed(("GIVER", "TAKEN", WINDOW[10]))
    )
    assert found.members.select("symbol", "mean_dollars", "sessions").rows() == [
        ("TAKEN", 10.0, 20)
    ]
    assert reasons(found) == {"TAKEN": f"symbol taken over on {WINDOW[10]}"}


def test_symbols_swapped_on_one_day():
    parts = [
        table({"A": 10, "B": 30}).filter(pl.col("session") < WINDOW[10]),
        table({"B": 10, "A": 30}).filter(pl.col("session") >= WINDOW[10]),
    ]
    moves = renamed(("A", "B", WINDOW[10]), ("B", "A", WINDOW[10]))
    found = universe(pl.concat(parts), DAY, kinds=(), renames=moves)
    assert found.members.select("symbol", "mean_dollars", "traded_as").rows() == [
        ("A", 30.0, "B+A"),
        ("B", 10.0, "A+B"),
    ]


def test_who_is_listed_decides():
    daily = table(
        {"ENDED": 90, "LAST": 80, "KIND": 70, "NEVER": 60, "SOON": 50, "FUND": 40, "OK": 30}
    )
    listings = listed(
        ("ENDED", "CS", date(2010, 1, 4), date(2024, 10, 31)),
        ("LAST", "CS", date(2010, 1, 4), WINDOW[-1]),
        ("KIND", "ADRC"),
        ("SOON", "CS", DAY, None),
        ("FUND", "CS", date(2010, 1, 4), WINDOW[9]),
        ("FUND", "ETF", WINDOW[10], None),
        ("OK", "CS", date(2010, 1, 4), DAY),  # its last day is not known before it
    )
    found = universe(daily, DAY, listings=listings)
    assert found.members.select("kind", "rank", "symbol", "sessions").rows() == [
        ("ETF", 1, "FUND", 20),
        ("CS", 1, "OK", 20),
    ]
    said = found.excluded.select("symbol", "kind", "sessions", "reason").rows()
    assert ("ENDED", "CS", 18, "listing ended 2024-10-31") in said
    assert ("ENDED", None, 2, "outside the symbol's present listing") in said
    assert ("LAST", "CS", 20, "listing ended 2024-11-04") in said
    assert ("KIND", "ADRC", 20, "kind ADRC not asked for") in said
    assert ("NEVER", None, 20, "no listing before the date") in said
    assert ("SOON", None, 20, "no listing before the date") in said
    assert chosen(universe(daily, DAY, listings=listings, kinds=("ADRC",))) == ["KIND"]
    assert "KIND" in chosen(universe(daily, DAY, listings=listings, kinds=()))


def test_a_symbol_used_again_after_a_gap_starts_anew():
    daily = table({"X": 10})
    listings = listed(
        ("X", "CS", date(2010, 1, 4), WINDOW[7]),
        ("X", "CS", WINDOW[9], None),
    )
    found = universe(daily, DAY, listings=listings, min_share=0.5)
    assert found.members["sessions"].to_list() == [11]
    near = listings.with_columns(pl.col("from").replace(WINDOW[9], WINDOW[8]))
    assert universe(daily, DAY, listings=near).members["sessions"].to_list() == [20]


@pytest.mark.parametrize(
    ("change", "row", "column", "words"),
    [
        ({"volume": -1.0}, 31, "volume", "a finite number >= 0"),
        ({"volume": math.nan}, 31, "volume", "a finite number >= 0"),
        ({"volume": None}, 31, "volume", "a number of shares"),
        ({"dollar_volume": math.inf}, 31, "dollar_volume", "a finite number >= 0"),
        ({"dollar_volume": None}, 31, "dollar_volume", "one of dollar_volume"),
        ({"symbol": None}, 31, "symbol", "a symbol"),
        ({"session": None}, 31, "session", "a date"),
        ({"session": date(2024, 11, 3)}, 31, "session", "a session of XNYS"),
        ({"session": WINDOW[9]}, 31, "symbol", "one row a symbol and session"),
    ],
)
def test_a_bad_row_is_named(change, row, column, words):
    rows = table({"A": 5, "B": 9}).rows(named=True)
    rows[row - 1] |= change
    daily = pl.DataFrame(rows, schema=table({"A": 1}).schema)
    with pytest.raises(InputError, match=words) as caught:
        universe(daily, DAY, kinds=())
    assert (caught.value.file, caught.value.row, caught.value.column) == ("daily", row, column)


def test_bad_listings_and_renames_are_named():
    daily = table({"A": 5})
    early = date(2010, 1, 4)
    for listings, row, words in (
        (listed(("A", "CS"), ("A", "ETF", WINDOW[3], None)), 2, "do not overlap"),
        (listed(("A", "CS"), ("B", None)), 2, "a kind such as"),
        (listed(("A", "CS"), (None, "CS")), 2, "a symbol"),
        (listed(("A", "CS", None, None)), 1, "a date"),
        (listed(("A", "CS", WINDOW[3], early)), 1, "an end not before its start"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            universe(daily, DAY, listings=listings)
        assert (caught.value.file, caught.value.row) == ("listings", row)
    for renames, row, words in (
        (renamed(("A", "B", early), ("A", "C", early)), 2, "one new symbol"),
        (renamed(("B", "A", early), ("C", "A", early)), 2, "one old symbol"),
        (renamed(("A", "A", early)), 1, "another symbol"),
        (renamed(("A", None, early)), 1, "a symbol"),
        (renamed(("A", "B", None)), 1, "a date"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            universe(daily, DAY, kinds=(), renames=renames)
        assert (caught.value.file, caught.value.row) == ("renames", row)


def test_what_cannot_be_asked():
    daily = table({"A": 5})
    for told, words in (
        ({"kinds": ("CS",)}, "listings to tell kinds apart"),
        ({"kinds": "CS"}, "a sequence of kinds"),
        ({"kinds": (), "top": 0}, "a top of at least 1"),
        ({"kinds": (), "sessions": 0}, "at least one session"),
        ({"kinds": (), "min_share": 0.0}, "a min_share"),
        ({"kinds": (), "min_share": 90}, "a min_share"),
        ({"kinds": (), "calendar": "NOPE"}, "an exchange-calendars name"),
    ):
        with pytest.raises(InputError, match=words):
            universe(daily, DAY, **told)
    with pytest.raises(InputError, match="such as 2024-11-05"):
        universe(daily, "5 November", kinds=())
    with pytest.raises(InputError, match="one of the columns dollar_volume, vwap, close"):
        universe(daily.drop("dollar_volume"), DAY, kinds=())
    with pytest.raises(InputError, match="values of type Date"):
        universe(daily.with_columns(pl.col("session").cast(pl.String)), DAY, kinds=())
    with pytest.raises(InputError, match=r"the column\(s\) volume"):
        universe(daily.drop("volume"), DAY, kinds=())
    with pytest.raises(InputError, match="rows on the sessions 2023"):
        universe(daily, "2023-11-05", kinds=())


def test_other_types_of_text_and_numbers_do():
    daily = table({"A": 50, "B": 90})
    other = daily.with_columns(
        pl.col("symbol").cast(pl.Categorical), pl.col("volume", "dollar_volume").cast(pl.Int64)
    )
    told = {"listings": listed(("A", "CS"), ("B", "CS"))}
    assert universe(other, DAY, **told).members.equals(universe(daily, DAY, **told).members)


def test_the_simulated_market_without_noise_is_its_truth():
    made = daily_volumes(3, DAY, spread=0.0, n_names=30)
    found = universe(made.daily, DAY, top=25, listings=made.listings, renames=made.renames)
    for kind in ("ETF", "CS"):
        got = found.members.filter(kind=kind)
        want = made.truth.filter(kind=kind).head(25)
        assert got["symbol"].to_list() == want["symbol"].to_list()
        np.testing.assert_allclose(got["mean_dollars"], want["level"], rtol=1e-12)
    assert set(reasons(found)) == {"ABROAD", "GONE", "FRESH", "TAKEN"}
    assert "NEWS" not in chosen(found)


def test_the_simulated_market_is_its_seed():
    one, two, other = (daily_volumes(seed, DAY, n_names=5) for seed in (1, 1, 2))
    assert one.daily.equals(two.daily)
    assert not one.daily.equals(other.daily)
    for told in ({"seed": -1}, {"n_names": 0}, {"n_sessions": 4}, {"spread": math.nan}):
        with pytest.raises(InputError):
            daily_volumes(**{"seed": 1, "day": DAY, **told})
