from __future__ import annotations

import pytest

from eventtape.errors import InputError
from eventtape.sources import POLICIES, Policy, Trait
from eventtape.sources.conditions import Judge, as_policy


def eligible(vendor, text, policy="regular"):
    verdict = Judge(vendor)(text)
    assert verdict.unknown is None
    return not verdict.traits & POLICIES[policy].excluded


@pytest.mark.parametrize(
    ("vendor", "text"),
    [
        ("polygon", "14"),
        ("polygon", "12,14,41"),
        ("cta", "F"),
        ("utp", "@FTI"),
        ("lean", "20000020"),
    ],
)
def test_sweeps_by_vendor(vendor, text):
    assert Judge(vendor)(text).iso


@pytest.mark.parametrize(
    ("vendor", "text"),
    # 53 is a qualified contingent trade; "141" and "4" are not the substring 14; 0x2000 is Form T.
    [("polygon", "53"), ("polygon", "41,4"), ("cta", "7 V"), ("lean", "2000"), ("lean", "")],
)
def test_what_only_looks_like_a_sweep(vendor, text):
    assert not Judge(vendor)(text).iso


@pytest.mark.parametrize(
    ("trait", "polygon", "cta", "lean"),
    [
        (Trait.AVERAGE_PRICE, "2", "B", 1 << 20),
        (Trait.OFFICIAL_PRICE, "15", "M", 1 << 24),
        (Trait.OFFICIAL_PRICE, "16", "Q", 1 << 26),
        (Trait.OUT_OF_SEQUENCE, "33", "Z", 1 << 14),
        (Trait.EXTENDED_HOURS, "12", "T", 1 << 13),
        (Trait.EXTENDED_HOURS, "12", "T", 1 << 10),
        (Trait.CONTINGENT, "53", "7", 1 << 18),
        (Trait.DERIVATIVELY_PRICED, "10", "4", 1 << 9),
        (Trait.PRIOR_REFERENCE, "22", "P", 1 << 25),
        (Trait.SPECIAL_SETTLEMENT, "7", "C", 1 << 1),
        (Trait.SPECIAL_SETTLEMENT, "20", "N", 1 << 2),
        (Trait.SPECIAL_SETTLEMENT, "29", "R", 1 << 3),
        (Trait.PRICE_VARIATION, "21", "H", 1 << 22),
        (Trait.ODD_LOT, "37", "I", 1 << 31),
        (Trait.AUCTION, "25", "O", 1 << 6),
    ],
)
def test_three_spellings_of_one_condition(trait, polygon, cta, lean):
    for vendor, text in (("polygon", polygon), ("cta", cta), ("lean", f"{lean:x}")):
        verdict = Judge(vendor)(text)
        assert verdict.traits == {trait}, (vendor, text)
        assert verdict.unknown is None


def test_b_is_an_average_price_on_cta_and_a_bunched_trade_on_utp():
    assert not eligible("cta", "B")
    assert eligible("utp", "B")


def test_the_named_policies():
    for text in ("", "14,41", "37", "8", "0"):
        assert eligible("polygon", text)
    for text in ("2", "16", "33", "12", "14,12", "52", "10", "22", "7", "21"):
        assert not eligible("polygon", text)
        assert eligible("polygon", text, "all")
    assert eligible("polygon", "12,14", "extended")
    assert not eligible("polygon", "13", "extended")  # extended hours and out of sequence
    assert not eligible("polygon", "2", "extended")


def test_unknown_codes_are_said():
    assert Judge("polygon")("14,99").unknown == "99"
    assert Judge("cta")("F?").unknown == "?"
    assert Judge("lean")("xyz").unknown == "xyz"
    assert Judge("lean")("40000000").unknown == "40000000 (bit 30)"
    assert Judge("lean")("-20").unknown == "-20"


def test_each_distinct_text_is_judged_once(monkeypatch):
    judge = Judge("polygon")
    asked = []
    real = judge._judge
    monkeypatch.setattr(judge, "_judge", lambda text: asked.append(text) or real(text))
    for text in ("14", "14", "", "14", ""):
        judge(text)
    assert asked == ["14", ""]


def test_names_nobody_knows_are_refused():
    with pytest.raises(InputError, match="regular, extended, all"):
        as_policy("strict")
    with pytest.raises(InputError, match="a vendor among"):
        Judge("bloomberg")
    mine = Policy("mine", frozenset({Trait.ODD_LOT}))
    assert as_policy(mine) is mine
