"""Which trades are sweeps and which may enter prices and flows: every vendor's codes, one policy.

A print of the consolidated tape carries sale conditions. Three vendors spell the same conditions in
three ways; here each code becomes *traits*, and a named :class:`Policy` says which traits keep a
trade out of prices and flows (``eligible`` false; the row itself stays).

==================== ============ ====================== =========================================
trait                CTA and UTP  Polygon (Massive)      Lean mask (bit, from 0)
==================== ============ ====================== =========================================
intermarket sweep    F            14                     5 (0x20)
average price        B (CTA), W   2                      20
official price       M Q 9        15 16 38               24 (close) 26 (open)
out of sequence      Z L G U      33 30 32 5 13          14, 11 (sold last)
extended hours       T U          12 13                  10 (Form T), 13
contingent           V 7          52 53 35               18 (stock and option)
derivatively priced  4            10                     9
prior reference      P            22                     25
special settlement   C N R        7 20 29                1 2 3
price variation      H            21                     22
odd lot              I            37                     31
auction              O 5 6 X      17-19 8 25 28 9        6 7 8 21
no trait             @ A D E K S  0 1 3 4 6 11 23 24 26  0 4 12 15 16 17 19 23 27 28 29
                     Y 1 8, B     27 34 36 41 57-60
                     (UTP)
==================== ============ ====================== =========================================

Sources: CTA CTS and UTP UTDF output specifications (sale condition tables), Polygon's glossary of
conditions and indicators, AlgoSeek's condition mask as Lean names its bits. ``B`` is an average
price on the CTA tapes (A and B: NYSE and regional listings) and a bunched trade on UTP (tape C:
Nasdaq listings), so a TAQ reader is told which plan its file is of. Polygon's 53 is a qualified
contingent trade (CTA 7), not a sweep. Its 57 to 60 are short-sale indicators and say nothing of
the trade. Two traits come from columns and not from codes: *cancelled* (a TAQ or Polygon correction
number other than 0) and *suspicious* (Lean's last column).

A code not in the table is an error, since nobody can say whether such a trade is a price; a policy
may say ``unknown="ineligible"`` instead. Verdicts are reached once for each distinct condition
text, never for each row. Hours are judged by code here; the exchange calendar is the tape's affair.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, NamedTuple

from eventtape.errors import InputError

__all__ = ["POLICIES", "Judge", "Policy", "Trait", "Vendor", "Verdict", "as_policy"]

Vendor = Literal["polygon", "cta", "utp", "lean"]
VENDORS: tuple[Vendor, ...] = ("polygon", "cta", "utp", "lean")


class Trait(StrEnum):
    """What a sale condition says of a trade."""

    SWEEP = "intermarket sweep"
    AVERAGE_PRICE = "average price"
    OFFICIAL_PRICE = "official price"
    OUT_OF_SEQUENCE = "out of sequence"
    EXTENDED_HOURS = "extended hours"
    CONTINGENT = "contingent"
    DERIVATIVELY_PRICED = "derivatively priced"
    PRIOR_REFERENCE = "prior reference"
    SPECIAL_SETTLEMENT = "special settlement"
    PRICE_VARIATION = "price variation"
    ODD_LOT = "odd lot"
    AUCTION = "auction"
    CANCELLED = "cancelled"
    SUSPICIOUS = "suspicious"


class Policy(NamedTuple):
    """A named rule of eligibility: the traits that keep a trade out, and what an unknown code does.

    ``POLICIES["regular"]._replace(name="no odd lots", excluded=...)`` makes another.
    """

    name: str
    excluded: frozenset[Trait]
    unknown: Literal["refuse", "ineligible", "eligible"] = "refuse"


class Verdict(NamedTuple):
    """What one condition text says: the traits it names and the first code nobody knows."""

    traits: frozenset[Trait]
    unknown: str | None

    @property
    def iso(self) -> bool:
        """Whether the trade came of an intermarket sweep order."""
        return Trait.SWEEP in self.traits


_EXTENDED = frozenset(Trait) - {
    Trait.SWEEP,
    Trait.ODD_LOT,
    Trait.AUCTION,
    Trait.EXTENDED_HOURS,
}
POLICIES = {
    policy.name: policy
    for policy in (
        Policy("regular", _EXTENDED | {Trait.EXTENDED_HOURS}),
        Policy("extended", _EXTENDED),
        Policy("all", frozenset(), unknown="eligible"),
    )
}
"""``regular``: prices and flows of regular hours. Odd lots and auction prints stay in, since they
are trades at the market's price. ``extended``: the same with Form T. ``all``: every row."""

_T = Trait
_LETTERS: dict[str, tuple[Trait, ...]] = {
    "F": (_T.SWEEP,),
    "W": (_T.AVERAGE_PRICE,),
    "M": (_T.OFFICIAL_PRICE,),
    "Q": (_T.OFFICIAL_PRICE,),
    "9": (_T.OFFICIAL_PRICE,),
    "Z": (_T.OUT_OF_SEQUENCE,),
    "L": (_T.OUT_OF_SEQUENCE,),
    "G": (_T.OUT_OF_SEQUENCE,),
    "U": (_T.OUT_OF_SEQUENCE, _T.EXTENDED_HOURS),
    "T": (_T.EXTENDED_HOURS,),
    "V": (_T.CONTINGENT,),
    "7": (_T.CONTINGENT,),
    "4": (_T.DERIVATIVELY_PRICED,),
    "P": (_T.PRIOR_REFERENCE,),
    "C": (_T.SPECIAL_SETTLEMENT,),
    "N": (_T.SPECIAL_SETTLEMENT,),
    "R": (_T.SPECIAL_SETTLEMENT,),
    "H": (_T.PRICE_VARIATION,),
    "I": (_T.ODD_LOT,),
    "O": (_T.AUCTION,),
    "5": (_T.AUCTION,),
    "6": (_T.AUCTION,),
    "X": (_T.AUCTION,),
    **dict.fromkeys("@ADEKSY18", ()),
}
_CTA = {**_LETTERS, "B": (_T.AVERAGE_PRICE,)}
_UTP = {**_LETTERS, "B": ()}

_POLYGON: dict[str, tuple[Trait, ...]] = {
    "14": (_T.SWEEP,),
    "2": (_T.AVERAGE_PRICE,),
    **dict.fromkeys(("15", "16", "38"), (_T.OFFICIAL_PRICE,)),
    **dict.fromkeys(("33", "30", "32", "5"), (_T.OUT_OF_SEQUENCE,)),
    "13": (_T.OUT_OF_SEQUENCE, _T.EXTENDED_HOURS),
    "12": (_T.EXTENDED_HOURS,),
    **dict.fromkeys(("52", "53", "35"), (_T.CONTINGENT,)),
    "10": (_T.DERIVATIVELY_PRICED,),
    "22": (_T.PRIOR_REFERENCE,),
    **dict.fromkeys(("7", "20", "29"), (_T.SPECIAL_SETTLEMENT,)),
    "21": (_T.PRICE_VARIATION,),
    "37": (_T.ODD_LOT,),
    **dict.fromkeys(("17", "18", "19", "8", "25", "28", "9"), (_T.AUCTION,)),
    **{str(code): () for code in (0, 1, 3, 4, 6, 11, 23, 24, 26, 27, 34, 36, 41, *range(57, 61))},
}

_BITS: dict[int, tuple[Trait, ...]] = {
    5: (_T.SWEEP,),
    20: (_T.AVERAGE_PRICE,),
    24: (_T.OFFICIAL_PRICE,),
    26: (_T.OFFICIAL_PRICE,),
    11: (_T.OUT_OF_SEQUENCE,),
    14: (_T.OUT_OF_SEQUENCE,),
    10: (_T.EXTENDED_HOURS,),
    13: (_T.EXTENDED_HOURS,),
    18: (_T.CONTINGENT,),
    9: (_T.DERIVATIVELY_PRICED,),
    25: (_T.PRIOR_REFERENCE,),
    **dict.fromkeys((1, 2, 3), (_T.SPECIAL_SETTLEMENT,)),
    22: (_T.PRICE_VARIATION,),
    31: (_T.ODD_LOT,),
    **dict.fromkeys((6, 7, 8, 21), (_T.AUCTION,)),
    **dict.fromkeys((0, 4, 12, 15, 16, 17, 19, 23, 27, 28, 29), ()),
}


def as_policy(policy: str | Policy) -> Policy:
    """The policy of that name, or the policy itself."""
    if isinstance(policy, Policy):
        return policy
    if policy not in POLICIES:
        raise InputError(f"a policy among {', '.join(POLICIES)}, or a Policy", met=policy)
    return POLICIES[policy]


class Judge:
    """Verdicts on the condition texts of one vendor, each distinct text judged once.

    >>> Judge("polygon")("14,41").iso, Judge("polygon")("53").iso, Judge("lean")("20000020").iso
    (True, False, True)
    """

    def __init__(self, vendor: Vendor) -> None:
        if vendor not in VENDORS:
            raise InputError(f"a vendor among {', '.join(VENDORS)}", met=vendor)
        self.vendor = vendor
        self._known: dict[str, Verdict] = {}

    def __call__(self, text: str) -> Verdict:
        """The verdict on one condition text; an empty one names no condition."""
        verdict = self._known.get(text)
        if verdict is None:
            verdict = self._known[text] = self._judge(text)
        return verdict

    def _judge(self, text: str) -> Verdict:
        traits: set[Trait] = set()
        unknown = None
        for name, found in self._codes(text):
            if found is None:
                unknown = unknown or name
            else:
                traits.update(found)
        return Verdict(frozenset(traits), unknown)

    def _codes(self, text: str) -> list[tuple[str, tuple[Trait, ...] | None]]:
        if self.vendor == "lean":
            return _bits(text)
        if self.vendor == "polygon":
            codes = [code.strip() for code in text.split(",")] if text.strip() else []
            return [(code, _POLYGON.get(code)) for code in codes]
        letters = _CTA if self.vendor == "cta" else _UTP
        return [(letter, letters.get(letter)) for letter in text if letter != " "]


def _bits(text: str) -> list[tuple[str, tuple[Trait, ...] | None]]:
    try:
        mask = int(text or "0", 16)
    except ValueError:
        return [(text, None)]
    if mask < 0:
        return [(text, None)]
    bits = [bit for bit in range(mask.bit_length()) if mask >> bit & 1]
    return [(f"{text} (bit {bit})", _BITS.get(bit)) for bit in bits]
