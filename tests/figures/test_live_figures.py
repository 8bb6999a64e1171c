"""Live figures hold what answer frames hold, say why where there is nothing, and stay bounded."""

import functools
import itertools
import math

import numpy as np
import polars as pl
import pytest
from bokeh.document import Document
from bokeh.models import ColumnDataSource, HoverTool
from bokeh.plotting import figure
from numpy.testing import assert_allclose, assert_array_equal

from eventtape.figures.live_density import LiveDensity
from eventtape.figures.live_factors import LiveFactors
from eventtape.figures.live_features import HEAT, LiveFeatures
from eventtape.figures.live_health import LAGS, LiveHealth, lag_row
from eventtape.figures.live_leadership import LiveLeadership
from eventtape.figures.live_markets import LiveMarkets
from eventtape.figures.live_parts import Band, live_time_range, thinned
from eventtape.figures.live_probability import LiveProbability
from eventtape.figures.live_scores import LiveScores
from eventtape.figures.live_states import LiveStates
from eventtape.figures.themes import theme
from eventtape.stream.answers import ANSWERS
from eventtape.stream.board import Lag

NAN = math.nan
T0 = 1_730_851_200_000_000_000
SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"{SCRIPT}\x07\u202e\n$$\\alpha$$"
MAKERS = {
    "density": LiveDensity,
    "factors": LiveFactors,
    "features": LiveFeatures,
    "health": LiveHealth,
    "leadership": LiveLeadership,
    "markets": functools.partial(LiveMarkets, most_markets=2),
    "probability": LiveProbability,
    "scores": LiveScores,
    "states": LiveStates,
}


def frame(node, rows, *, first=0):
    """Rows of the node, ten seconds apart unless they say when."""
    filled = [
        {"status": "ok", **row, "ts": T0 + row.get("at", first + i) * 10_000_000_000}
        for i, row in enumerate(rows)
    ]
    columns = {
        name: [row.get(name, [] if kind == pl.List(pl.Float64) else None) for row in filled]
        for name, kind in ANSWERS[node].items()
    }
    return pl.DataFrame(columns, schema=dict(ANSWERS[node]), strict=False)


def some(name, n=4, *, first=0, who="A", status="ok"):
    """A few plausible rows of each node, refused where the status says so."""
    good = status == "ok"
    x = 0.5 if good else NAN
    strikes = [90.0, 100.0, 110.0] if good else []
    pdf = [0.01, 0.03, 0.01] if good else []
    row = {
        "density": {
            "chain": who, "forward": 100.0, "quotes": 9, "vol": 0.2 * x, "vol_error": 0.01 * x,
            "strikes": strikes, "pdf": pdf, "pdf_lower": pdf, "pdf_upper": pdf,
        },
        "factors": {"factor": who, "simple_return": 0.01 * x},
        "leadership": {
            "first": who, "second": "B", "pils": x + 0.2, "is_first": 0.9 * x, "is_last": 0.2 * x,
            "identified": good,
        },
        "markets": {"market": who, "level": 4.6, "gap": x, "implied": 4.6 * x / 0.5},
        "probability": {"feed": who, "quote": 0.5, "mean": x, "sd": 0.01, "regime": "unknown"},
        "scores": {"ticker": who, "probability": x, "base_rate": 0.49},
        "states": {
            "chain": who, "method": "joint fit", "up_low": 105.0 * x, "up_high": 106.0 * x,
            "down_low": 95.0 * x, "down_high": 96.0 * x, "gap": 0.1 * x, "gap_lower": 0.05 * x,
            "gap_upper": 0.2 * x, "strikes": strikes, "pdf_up": pdf, "pdf_down": pdf,
            "reason": "" if good else "it did not move",
        },
    }  # fmt: skip
    if name == "health":
        ts = pl.Series(T0 + 10**9 * np.arange(first, first + n)).cast(LAGS["ts"])
        return pl.DataFrame({"ts": ts, "p50_ms": 1.0, "p99_ms": 2.0, "worst_ms": 3.0}, schema=LAGS)
    if name == "features":
        return buckets(max(n, 1), [who], first=first).head(n)
    return frame(name, [{"status": status, **row[name]} for _ in range(n)], first=first)


def buckets(n, tickers, *, first=0, values=None):
    """``n`` buckets of features that count up, each feature from its own start."""
    rows = [
        {
            "ticker": ticker,
            "bucket": T0 + (first + i) * 60_000_000_000,
            **{name: float((first + i) % 7 + k) for k, name in enumerate(HEAT)},
            "last_mid": 100.0 + (first + i) % 5,
            **(values or {}),
        }
        for i, ticker in itertools.product(range(n), tickers)
    ]
    return pl.DataFrame(rows).with_columns(pl.col("bucket").cast(pl.Datetime("ns", "UTC")))


@functools.cache
def models(live):
    """All that it is made of, which updates do not change."""
    return tuple(live.figure.references())


def sources(live):
    """The columns of every source by its name."""
    return {
        model.name: {key: np.asarray(column) for key, column in model.data.items()}
        for model in models(live)
        if isinstance(model, ColumnDataSource)
    }


def held(live, name):
    """The columns of the source of that name, wherever it is drawn."""
    return sources(live)[name]


def figures(live):
    """The figures of a layout, or the one there is."""
    return sorted((m for m in models(live) if isinstance(m, figure)), key=by_id)


def by_id(model):
    return int(model.id.removeprefix("p"))


def words(live):
    """Every text that a reader may see: titles, reasons, legends, axes, and columns of text."""
    said = []
    for fig in filter(lambda fig: fig.visible, figures(live)):
        said += [fig.title.text, fig.xaxis.axis_label, fig.yaxis.axis_label]
        said += [part.text for part in fig.center if part.name == "refusal"]
        said += [item.label.value for legend in fig.legend for item in legend.items]
        said += [text for axis in fig.axis for text in axis.major_label_overrides.values()]
    for columns in sources(live).values():
        for column in columns.values():
            said += [value for value in column.tolist() if isinstance(value, str)]
    return sorted(str(text) for text in said if text)


def reasons(live):
    """What stands in the middle of each figure that is not hidden."""
    return [
        label.text
        for fig in figures(live)
        if fig.visible
        for label in fig.center
        if label.name == "refusal" and label.visible
    ]


def printable(text):
    """No control marks but the end of a line and the joiner that keeps TeX from being read."""
    return text.replace("\n", "").replace("\u2060", "").isprintable()


def ms(rows, column="ts"):
    return rows[column].to_physical().to_numpy() / 1e6


# Every figure


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_appended_is_shown(name):
    whole, parts = MAKERS[name](), MAKERS[name]()
    rows = some(name, 14)
    whole.show(rows)
    for at in (0, 5, 6):
        parts.append(rows[at : {0: 5, 5: 6, 6: 14}[at]])
    drawn = sources(parts)
    for source, columns in sources(whole).items():
        for key, column in columns.items():
            assert_array_equal(column, drawn[source][key], f"{source} {key}")
    assert words(whole) == words(parts)
    assert not reasons(whole)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_sources_are_bounded(name):
    bounded = {"features": {"memory": 30}, "leadership": {}, "scores": {}}.get(name, {"most": 30})
    live = MAKERS[name](**bounded)
    for k in range(12):
        live.append(some(name, 20, first=20 * k))
    longest = {len(c) for columns in sources(live).values() for c in columns.values()}
    assert 1 <= max(longest) <= 2 * 31 + 2
    live.show(some(name, 500))
    longest = {len(c) for columns in sources(live).values() for c in columns.values()}
    assert 1 <= max(longest) <= 2 * 31 + 2


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_empty_says_why_and_comes_back(name):
    live = MAKERS[name]()
    assert set(reasons(live)) == {"nothing yet"}
    live.show(some(name))
    drawn = words(live)
    assert not reasons(live)
    live.clear(f"the feed {HOSTILE} is down")
    assert all("is down" in text and printable(text) for text in reasons(live))
    for source, columns in sources(live).items():
        assert all(len(column) == 0 for column in columns.values()), source
    live.show(some(name))
    assert words(live) == drawn
    live.show(some(name, 0))
    assert reasons(live)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_warning_joins_the_title_and_goes(name):
    live = MAKERS[name](simulated=True)
    live.show(some(name))
    before = words(live)
    live.warn("stale: nothing for 42 s")
    assert any("stale: nothing for 42 s" in text for text in words(live))
    live.append(some(name, 1, first=30))
    assert any("stale: nothing for 42 s" in text for text in words(live))
    live.warn()
    live.show(some(name))
    assert words(live) == before
    assert all("simulated" in [part.name for part in fig.center] for fig in figures(live))


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"health"}))
def test_feed_text_stays_text(name):
    live = MAKERS[name]()
    live.show(some(name, who=HOSTILE))
    live.append(some(name, 1, first=9, who=HOSTILE))
    said = words(live)
    assert any("<" in text for text in said)
    for text in said:
        assert printable(text)
        assert "$$" not in text
        assert all(len(line) <= 60 for line in text.split("\n"))
    hovers = [tool for fig in figures(live) for tool in fig.tools if isinstance(tool, HoverTool)]
    assert hovers
    tips = [tip for tool in hovers for tip in tool.tooltips]
    assert not any("{safe}" in shown or "<" in shown for _, shown in tips)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_both_themes(dark):
    document = Document(theme=theme(dark=dark))
    ground = "#14181d" if dark else None
    for name in ("features", "probability", "states"):
        live = MAKERS[name]()
        document.add_root(live.figure)
        live.show(some(name))
        for fig in figures(live):
            assert fig.background_fill_color == ground
            assert fig.title.text_color == ("#e6e6e6" if dark else "#222222")
    document.to_json()


@pytest.mark.parametrize(
    "name", ["density", "factors", "leadership", "markets", "probability", "scores", "states"]
)
def test_refusals_are_said(name):
    live = MAKERS[name]()
    live.show(some(name, status="not resolved"))
    assert any("not resolved" in text or "it did not move" in text for text in words(live))


# One by one


def test_probability_holds_the_frame():
    live = LiveProbability(primary="A", outcome="it rains")
    rows = frame(
        "probability",
        [
            {"feed": "B", "quote": 0.6},
            {"feed": "A", "quote": 0.50, "mean": 0.51, "sd": 0.02, "z": 0.1, "regime": "baseline"},
            {"feed": "A", "quote": 0.52, "status": "too few observations", "regime": "unknown"},
            {"feed": "A", "quote": 0.61, "mean": 0.60, "sd": 0.02, "z": 2.5, "regime": "shock"},
            {"feed": "A", "quote": 0.62, "mean": 0.62, "sd": 0.01, "z": 1.5, "regime": "moderate"},
        ],
    )
    live.show(rows)
    mine = rows.filter(feed="A")
    quotes = held(live, "quotes")
    assert_array_equal(quotes["probability"], mine["quote"])
    assert_array_equal(quotes["ts"], ms(mine))
    assert_array_equal(quotes["mean"], [0.51, NAN, 0.60, 0.62])
    assert_array_equal(held(live, "shock")["ts"], ms(mine)[2:3])
    assert_array_equal(held(live, "moderate")["z_text"], ["+1.50"])
    assert_array_equal(held(live, "venue 0")["probability"], [0.6])
    band = held(live, "filtered band")
    assert_array_equal(band["x"], ms(mine)[[0, 0, 0, 2, 2, 3]])
    assert_allclose(band["high"] - band["low"], [0.0, 0.08, 0.0, 0.0, 0.08, 0.04], atol=1e-15)
    assert live.figure.title.text == "Probability: it rains\n62.0% ±2.0% (2 sd) at 00:00:40 UTC"
    live.show(rows, feed="B")
    assert_array_equal(held(live, "quotes")["probability"], [0.6])
    assert_array_equal(held(live, "venue 0")["probability"], mine["quote"])


def test_probability_leaves_no_quote_of_another_night():
    live = LiveProbability()
    live.show(some("probability", 5, who="A"))
    live.show(some("probability", 3, who="B"))
    assert len(held(live, "quotes")["ts"]) == 3
    assert len(held(live, "venue 0")["ts"]) == 0


def test_market_returns_count_from_the_first_level():
    rows = frame(
        "markets",
        [
            {"market": "ES", "level": None, "status": "too few observations"},
            {"market": "ES", "level": 4.0, "implied": 4.0, "gap": None},
            {"market": "ES", "level": 4.01, "implied": 4.02, "implied_lower": 4.01,
             "implied_upper": 4.03, "gap": 0.07, "gap_lower": 0.02, "gap_upper": 0.12},
            {"market": "BTC", "level": 11.0},
        ],
    )  # fmt: skip
    live = LiveMarkets()
    live.show(rows)
    path = held(live, "path 0")
    assert_allclose(path["actual"], [NAN, 0.0, 1.0])
    assert_allclose(path["implied"], [NAN, 0.0, 2.0])
    band = held(live, "implied band 0")
    assert_allclose(band["low"][-1], 1.0)
    assert_allclose(band["high"][-1], 3.0)
    first, second, *others = live.figure.children
    assert first.title.text == "ES\ngap +7.00% (+2.00% to +12.00%)"
    assert "event-implied, interval for one look" in [
        item.label.value for item in first.legend[0].items
    ]
    assert second.title.text.startswith("BTC")
    assert not any(fig.visible for fig in others)
    live.append(frame("markets", [{"market": "BTC", "level": 11.02}], first=9))
    assert_allclose(held(live, "path 1")["actual"], [0.0, 2.0])


def test_more_markets_than_places():
    live = LiveMarkets(most_markets=2)
    live.show(pl.concat([some("markets", 1, who=name) for name in "ABC"]))
    live.append(some("markets", 1, who="C", first=5))
    assert [fig.title.text[0] for fig in live.figure.children] == ["A", "B"]


def test_a_density_under_reservation_is_drawn_and_says_so():
    row = some("density", 1).with_columns(status=pl.lit("not resolved: its mass is negative"))
    live = LiveDensity()
    live.show(row)
    assert_array_equal(held(live, "density")["x"], [90.0, 100.0, 110.0])
    assert "not resolved: its mass is negative" in live.density.title.text
    assert not any(reasons(live))


def test_density_is_per_percent_of_the_forward():
    first, second = some("density", 1), some("density", 1, first=1)
    second = second.with_columns(
        forward=pl.lit(200.0), pdf_upper=pl.lit([[0.02, 0.04, 0.02]]).list.get(0)
    )
    live = LiveDensity(level=0.95)
    live.show(pl.concat([first, second]))
    now = held(live, "density")
    assert_array_equal(now["x"], [90.0, 100.0, 110.0])
    assert_allclose(now["pdf"], [2.0, 6.0, 2.0])
    assert_allclose(now["high"], [4.0, 8.0, 4.0])
    assert_allclose(held(live, "first density")["pdf"], [1.0, 3.0, 1.0])
    assert_allclose(held(live, "vol")["vol"], [10.0, 10.0])
    band = held(live, "vol band")
    assert_allclose(band["high"][-1] - band["low"][-1], 2.0 * 1.959964 * 0.5, rtol=1e-6)
    assert "00:00:10 UTC: 9 quotes, forward 200.0" in live.density.title.text
    live.append(some("density", 1, first=2, status="not resolved"))
    assert reasons(live) == ["no density: not resolved"]
    assert len(held(live, "density")["x"]) == 0
    live.append(some("density", 1, first=3, who="other chain"))
    assert reasons(live) == ["no density: not resolved"]
    live.show(some("density", 1, who="other chain"), chain="A")
    assert set(reasons(live)) == {"no density of A yet"}


def test_states_hold_means_densities_and_gaps():
    bounds = frame(
        "states",
        [{"chain": "A", "method": "bounds", "up_low": 101.0, "up_high": 107.0, "down_low": 90.0,
          "down_high": 98.0, "gap_lower": -0.02, "gap_upper": 0.3, "reason": ""}],
    )  # fmt: skip
    live = LiveStates()
    live.show(pl.concat([bounds, some("states", 2, first=1)]))
    means = held(live, "mean, it happens")
    assert_allclose(means["low"], [101.0, 52.5])
    assert_allclose(means["high"], [107.0, 53.0])
    assert_allclose(held(live, "density, it does not")["y"], [1.0, 3.0, 1.0])
    assert_allclose(held(live, "gap joint fit")["gap"], [5.0, 5.0])
    assert_allclose(held(live, "sharp bounds band")["high"], [14.0, 30.0])
    assert live.gaps.title.text.split("\n")[1:] == [
        "sharp bounds: -2.00% to +30.00%",
        "joint fit: +5.00% (+2.50% to +10.00%)",
    ]
    live.append(some("states", 1, first=3, status="not identified"))
    assert held(live, "refused")["text"].tolist() == ["— it did not move"]
    assert reasons(live) == ["joint fit: it did not move"]
    assert np.isnan(held(live, "gap joint fit")["gap"][-1])


def test_an_arrow_for_an_identified_leader_only():
    rows = frame(
        "leadership",
        [
            {"first": "A", "second": "B", "pils": 0.2, "is_first": 0.4, "is_last": 0.1,
             "component": 0.3, "p_none": 0.001, "identified": True},
            {"first": "A", "second": "C", "pils": 0.9, "identified": False,
             "status": "not identified"},
        ],
    )  # fmt: skip
    live = LiveLeadership()
    live.show(rows)
    edges = held(live, "edges")
    assert edges["leader"].tolist() == ["B"]
    assert edges["follower"].tolist() == ["A"]
    assert edges["text"].tolist() == ["80%"]
    assert held(live, "feeds")["feed"].tolist() == ["A", "B", "C"]
    shares = held(live, "shares")
    assert_allclose(shares["pils"], [20.0, NAN])
    assert_allclose(shares["low"], [10.0, NAN])
    led, refused = live.table()
    assert (led.leader, led.share, led.information_share, led.p_no_relation) == (
        "B", "20%", "10% to 40%", "0.001",
    )  # fmt: skip
    assert (refused.leader, refused.share, refused.status) == ("—", "—", "not identified")
    live.append(
        rows.with_columns(
            identified=False, ts=pl.col("ts") + pl.duration(minutes=1, time_unit="ns")
        )
    )
    assert reasons(live) == ["no leader is identified"]
    assert len(held(live, "shares")["pair"]) == 2


def test_a_feature_is_judged_by_its_own_past():
    live = LiveFeatures(memory=40)
    rows = buckets(30, ["A", "B"])
    rows = rows.with_columns(
        avg_rsprd=pl.when(pl.col("ticker") == "B").then(None).otherwise("avg_rsprd"),
        total_flow=pl.lit(3.0),
    )
    live.show(rows)
    cells = held(live, "cells")
    names = list(HEAT)
    past = rows.filter(ticker="A")["num_trades"].to_numpy()
    z = cells["z"].reshape(2, len(names))
    want = (past[-1] - past[:-1].mean()) / past[:-1].std(ddof=1)
    assert_allclose(z[0, names.index("num_trades")], want)
    assert np.isnan(z[1, names.index("avg_rsprd")])  # missing
    assert np.isnan(z[:, names.index("total_flow")]).all()  # it never differs
    missing = held(live, "missing")
    assert len(missing["x"]) == np.isnan(z).sum() == 3
    assert cells["said"].reshape(2, -1)[1, names.index("avg_rsprd")] == "—"


def test_features_follow_the_newest_bucket():
    live = LiveFeatures(memory=20, most_symbols=2)
    live.show(buckets(15, ["A", "B", "C"]))
    live.append(buckets(1, ["A"], first=15))
    z = held(live, "cells")["z"].reshape(2, -1)
    assert np.isfinite(z[0]).all()
    assert np.isnan(z[1]).all()  # its last bucket is an older one
    assert "2 symbols only" in live.figure.title.text
    mids = held(live, "mids")["y"].reshape(2, -1)
    assert np.isfinite(mids[0]).sum() == 16
    assert np.nanmin(mids[0]) == pytest.approx(-0.38)  # highest mid, on top of its row
    assert np.nanmax(mids[1]) == pytest.approx(1.38)
    assert held(live, "moves")["text"].tolist() == ["+0.00%", "+4.00%"]


def test_too_few_buckets_judge_nothing():
    live = LiveFeatures()
    live.show(buckets(10, ["A"]))
    assert np.isnan(held(live, "cells")["z"]).all()
    live.append(buckets(1, ["A"], first=10))
    assert np.isfinite(held(live, "cells")["z"]).all()


def test_factor_returns_compound_over_a_gap():
    live = LiveFactors()
    steps = [0.01, NAN, 0.02, -0.03]
    live.show(frame("factors", [{"factor": "F", "simple_return": x} for x in steps]))
    want = [1.0, NAN, 100.0 * (1.01 * 1.02 - 1.0), 100.0 * (1.01 * 1.02 * 0.97 - 1.0)]
    assert_allclose(held(live, "factor 0")["grown"], want)
    gone = {"factor": "F", "simple_return": None, "status": "too few observations"}
    live.append(frame("factors", [gone], first=4))
    assert live.figure.title.text.endswith("F: too few observations")
    live.append(frame("factors", [{"factor": "F", "simple_return": 0.0}], first=5))
    assert_allclose(held(live, "factor 0")["grown"], [*want, NAN, want[-1]])


def test_scores_beside_their_base_rates():
    rows = frame(
        "scores",
        [
            {"ticker": "B", "probability": 0.4, "base_rate": 0.5, "at": 0},
            {"ticker": "A", "probability": 0.6, "base_rate": 0.5, "at": 0},
            {"ticker": "C", "probability": None, "base_rate": 0.5, "status": "too few", "at": 0},
        ],
    )
    live = LiveScores()
    live.show(rows)
    scores = held(live, "scores")
    assert scores["ticker"].tolist() == ["A", "B", "C"]
    assert_allclose(scores["p"], [60.0, 40.0, NAN])
    assert_allclose(scores["base"], [50.0, 50.0, 50.0])
    assert len(set(scores["colour"][:2])) == 2
    assert held(live, "refused")["text"].tolist() == ["— too few"]
    assert held(live, "refused")["y"].tolist() == [2]
    assert "sample" not in live.figure.title.text


def test_scores_of_a_model_without_an_edge_are_drawn_and_the_title_says_so():
    tail = "; out of sample the model was no better than its base rate"
    known = {"probability": 0.4, "base_rate": 0.5, "at": 0, "status": f"ok{tail}"}
    gone = {"ticker": "C", "base_rate": 0.5, "at": 0, "status": f"too few: no depth{tail}"}
    live = LiveScores()
    live.show(frame("scores", [{"ticker": "A", **known}, {"ticker": "B", **known}, gone]))
    assert_allclose(held(live, "scores")["p"], [40.0, 40.0, NAN])
    assert held(live, "refused")["y"].tolist() == [2]  # no words over a dot
    assert " ".join(live.figure.title.text.split()).count(tail.removeprefix("; ")) == 1


def test_lag_rows():
    live = LiveHealth()
    live.append(lag_row(T0, Lag(NAN, NAN, NAN, 0)))
    assert reasons(live) == ["nothing received live"]
    live.append(lag_row(T0, Lag(1.0, 2.0, 3.0, 7)))
    assert_array_equal(held(live, "lags")["p99_ms"], [2.0])
    assert_array_equal(held(live, "lags")["ts"], [T0 / 1e6])


# Parts


def test_a_band_has_holes_however_it_comes():
    rng = np.random.default_rng(5)
    x = np.arange(60.0)
    low = np.where(rng.random(60) < 0.4, NAN, rng.normal(size=60))
    high = low + 1.0
    whole = Band("whole", 1_000)
    whole.show(x, low, high)
    points = {key: np.asarray(v) for key, v in whole.source.data.items()}
    for cuts in ([10, 11, 40], range(1, 60), [59]):
        parts = Band("parts", 1_000)
        for start, stop in itertools.pairwise([0, *cuts, 60]):
            parts.append(x[start:stop], low[start:stop], high[start:stop])
        for key, column in points.items():
            assert_array_equal(column, parts.source.data[key])
    wide = points["high"] > points["low"]
    assert_array_equal(points["x"][wide], x[np.isfinite(low)])
    for at in np.flatnonzero(np.diff(points["x"]) > 1.0):  # across a hole it has no width
        assert not wide[at]
        assert not wide[at + 1]


def test_thinned_keeps_the_newest():
    rows = pl.DataFrame({"x": range(101)})
    assert thinned(rows, 200)["x"].to_list() == list(range(101))
    kept = thinned(rows, 10)["x"].to_list()
    assert kept[-1] == 100
    assert len(kept) <= 10
    assert set(np.diff(kept)) == {11}


def test_a_time_range_may_follow_the_newest():
    assert live_time_range().follow is None
    newest = live_time_range(60.0)
    assert (newest.follow, newest.follow_interval) == ("end", 60_000.0)
    live = LiveProbability(x_range=newest)
    assert live.figure.x_range is newest
