"""The page says in words all that the result says, and nothing a label could smuggle in."""

import errno
import itertools
import os
import re
from html.parser import HTMLParser

import pytest

from eventtape.report import render, write_report
from eventtape.report.html import element
from eventtape.studies.findings import findings, minutes, percent, span
from figures import edge_results

VOID = {"meta", "link"}


class Page(HTMLParser):
    """Tags with their attributes in order, the text outside scripts and styles, tables as cells."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self.tables, self.stack = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.stack, f"left open: {self.stack}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.stack):
            self.words.append(data)
            if {"td", "th"} & set(self.stack):
                self.tables[-1][-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def table(self, heading):
        return next(t for t in self.tables if heading in t[0])


@pytest.fixture(scope="module")
def page(night):
    return Page(render(night, command="eventtape diffusion --simulate 3"))


@pytest.fixture(scope="module")
def hostile(night):
    result = edge_results.renamed(edge_results.refused(night))
    return result, render(result, command=f"eventtape {edge_results.SCRIPT}")


def test_every_finding_is_there_with_its_status(night, page):
    for finding in findings(night):
        assert finding.text in page.text
    badges = sum(1 for tag, a in page.tags if tag == "span" and "badge" in a.get("class", ""))
    assert badges >= len(findings(night))


def test_the_banner_comes_first_and_only_when_simulated(night, page):
    first = page.tags[page.tags.index(("body", {})) + 1]
    assert first == ("div", {"class": "banner", "role": "alert"})
    assert "no number here is a market's" in page.text
    real = Page(render(edge_results.one_market()))
    assert not any(a.get("class") == "banner" for _, a in real.tags)
    assert "SIMULATED" not in real.text


def test_gap_numbers(night, page):
    head, *rows = page.table("Identifying share")
    assert len(rows) == len(night.gaps)
    for row, gap in zip(rows, night.gaps, strict=True):
        e = gap.estimate
        assert row == [
            gap.market,
            minutes(gap.horizon_s),
            percent(e.gap),
            span(e.lower, e.upper),
            f"{e.n_rows:,}",
            str(e.n_regressors),
            percent(e.identifying_share, sign=False),
            f"{e.effective_rows:.1f}",
            "ok",
        ]
    assert head[0] == "Market"


def test_scorecard_has_predictions_first_and_fits_named(night, page):
    _, *rows = page.table("Sample")
    out = [s for s in night.scores if s.sample == "out"]
    assert [row[1] for row in rows[: len(out)]] == ["out of sample"] * len(out)
    assert {row[1] for row in rows[len(out) :]} == {"in-sample fit, not a prediction"}
    for row, score in zip(rows, out, strict=False):
        assert row[4:7] == [
            percent(score.predicted),
            span(score.lower, score.upper),
            percent(score.realised),
        ]


def test_lead_lags_comparisons_inputs_and_config(night, page):
    _, *pairs = page.table("Leader")
    assert [row[0] for row in pairs] == [f"{r.first} · {r.second}" for r in night.lead_lags]
    for row, pair in zip(pairs, night.lead_lags, strict=True):
        assert row[1] == (pair.leader or f"— {pair.status}")
        assert row[-1] == str(pair.status)
    _, *others = page.table("Method")
    assert [row[1] for row in others] == [c.method for c in night.comparisons]
    assert "docs/validation" in page.text
    _, *feeds = page.table("Source")
    assert [row[2] for row in feeds] == [f"{i.rows:,}" for i in night.inputs]
    _, *config = page.table("Value")
    assert dict(config)["headline_s"] == "1800"
    assert "eventtape diffusion --simulate 3" in page.text


@pytest.mark.parametrize("edge", sorted(set(edge_results.EDGES) - {"dozen"}))
def test_no_nan_and_no_blank(edge):
    page = Page(render(edge_results.EDGES[edge]()))
    assert not re.search(r"\b(?i:nan|inf)\b|None|null", page.text)
    for table in page.tables:
        assert all(cell.strip() for row in table for cell in row)
        assert len({len(row) for row in table}) == 1


def test_a_refused_number_is_a_dash_and_its_status(hostile):
    result, text = hostile
    _, *rows = Page(text).table("Identifying share")
    for row, gap in zip(rows, result.gaps, strict=True):
        assert row[2] == f"— {gap.status}"
        assert row[3] == row[6] == row[7] == "—"


def test_names_stay_names(night_page, hostile):
    _, text = hostile
    page, clean = Page(text), Page(night_page)
    count = [sum(tag == "script" for tag, _ in p.tags) for p in (page, clean)]
    assert count[0] == count[1]
    assert not any(tag == "b" or a.get("onerror") for tag, a in page.tags)
    for words in (edge_results.SCRIPT, edge_results.TEX, edge_results.LONG, "a < b & c"):
        assert words in page.text


def test_nothing_is_asked_of_another_host(page):
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "data"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:")), value
    policy = [a["content"] for t, a in page.tags if "http-equiv" in a]
    assert policy[0].startswith("default-src 'none'")
    assert any(tag == "link" and a["rel"] == "icon" for tag, a in page.tags)


def test_a_reader_who_cannot_see_it(page):
    assert ("html", {"lang": "en"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("caption") == tags.count("table") > 6
    assert tags.count("figcaption") == tags.count("figure") == 6
    assert all(a.get("scope") in ("col", "row") for tag, a in page.tags if tag == "th")
    regions = [a for _, a in page.tags if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for tag, a in page.tags if tag == "a"]
    assert set(targets) <= set(ids)


def test_write_report_is_whole_or_not_at_all(tmp_path, monkeypatch):
    result, path = edge_results.one_market(), tmp_path / "deep" / "report.html"
    assert write_report(result, path) == path
    before = path.read_text(encoding="utf-8")
    assert before.startswith("<!doctype html>")

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_report(result, path, command="another")
    assert path.read_text(encoding="utf-8") == before
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_element_escapes_text_and_attributes():
    assert element("p", "a < b", title='"') == '<p title="&quot;">a &lt; b</p>'
    assert element("p", element("b", "x"), class_="n") == '<p class="n"><b>x</b></p>'
