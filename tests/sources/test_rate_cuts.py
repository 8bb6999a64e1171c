"""Cuts by quarter: the ways a quarter is written, and what is refused."""

from __future__ import annotations

import pytest

from eventtape.errors import InputError
from eventtape.sources.rate_cuts import read_rate_cuts


def test_quarters_as_they_are_written(write):
    """The seed's chart has 1.7 cuts in the first quarter of 2025; the other numbers are made up."""
    text = "Quarter,Cuts\nQ2 2025,1.1\n2024Q4,1.2\nQ1-25,1.7\n2025-Q3,-0.25\n"
    frame = read_rate_cuts(write("cuts.csv", text))
    assert frame["quarter"].to_list() == ["2024Q4", "2025Q1", "2025Q2", "2025Q3"]
    assert frame["cuts"].to_list() == [1.2, 1.7, 1.1, -0.25]
    assert frame["start"].dt.strftime("%F %T").to_list()[:2] == [
        "2024-10-01 00:00:00",
        "2025-01-01 00:00:00",
    ]
    assert frame["end"].to_list()[:-1] == frame["start"].to_list()[1:]
    assert str(frame["end"].dtype) == "Datetime(time_unit='ns', time_zone='UTC')"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quarter,cuts\n2025Q1,1\n2025Q5,1\n", "row 2, column 'quarter': met '2025Q5'"),
        ("quarter,cuts\n2025Q1,1\n,1\n", "row 2, column 'quarter'"),
        ("quarter,cuts\n2025Q1,1\nQ1 2025,2\n", "row 2, column 'quarter': met '2025Q1'"),
        ("quarter,cuts\n2025Q1,many\n", "row 1, column 'cuts': met 'many'"),
        ("quarter,cuts\n2025Q1,170\n", "row 1, column 'cuts': met 170"),
        ("quarter,priced\n2025Q1,1\n", "column 'cuts': met 'quarter, priced'"),
        ("quarter,cuts\n", "wanted at least one quarter"),
    ],
    ids=["fifth", "blank", "twice", "words", "points", "column", "empty"],
)
def test_what_cannot_be_read_is_named(write, text, said):
    with pytest.raises(InputError) as caught:
        read_rate_cuts(write("cuts.csv", text))
    assert said in str(caught.value)
    assert "cuts.csv" in str(caught.value)
