from __future__ import annotations

import pytest

from eventtape.errors import InputError
from eventtape.sources import read_results
from eventtape.tape import times_ns

T0 = 1_930_132_800
HEADER = "timestamp,state,party,votes,win_probability,eevp\n"


def csv(*rows):
    return HEADER + "".join(f"{row}\n" for row in rows)


def test_percent_becomes_a_share(write):
    frame = read_results(write("r.csv", csv(f"{T0},ohio,GOP,120,0.6,12.5")))
    assert frame.drop("ts").row(0) == ("ohio", "GOP", 120.0, 0.125, 0.6)


def test_counts_of_one_second_are_all_kept_in_their_order(write):
    path = write(
        "r.csv",
        csv(
            f"{T0},ohio,GOP,120,0.6,12.5",
            f"{T0},ohio,DEM,100,0.4,12.5",
            f"{T0},ohio,DEM,110,0.4,13.0",
            f"{T0},ohio,GOP,130,0.6,13.0",
            f"{T0 + 60},ohio,GOP,129,0.6,13.0",
        ),
    )
    frame = read_results(path)
    assert frame["votes"].to_list() == [120.0, 100.0, 110.0, 130.0, 129.0]
    assert (times_ns(frame) - T0 * 10**9).tolist() == [0, 0, 1, 1, 60 * 10**9]


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        (csv(f"{T0},ohio,GOP,1,0.6,100.5"), "row 1, column 'eevp'", "a percentage"),
        (csv(f"{T0},ohio,GOP,1,0.6,-1"), "row 1, column 'eevp'", "a percentage"),
        (csv(f"{T0},ohio,GOP,1,0.6,NaN"), "row 1, column 'eevp'", "a finite number"),
        (csv(f"{T0},ohio,GOP,1,1.3,50"), "row 1, column 'win_probability'", "a value <= 1"),
        (csv(f"{T0},ohio,GOP,-1,0.6,50"), "row 1, column 'votes'", "a value >= 0"),
        (csv(f"{T0},ohio,GOP,many,0.6,50"), "row 1, column 'votes'", "a finite number"),
        (csv("noon,ohio,GOP,1,0.6,50"), "row 1, column 'timestamp'", "a whole number"),
        (csv(f"{T0},,GOP,1,0.6,50"), "row 1, column 'region'", "a value"),
        (
            csv(f"{T0},ohio,GOP,1,0.6,50", f"{T0 - 1},ohio,GOP,1,0.6,50"),
            "row 2, column 'ts'",
            "before the one above",
        ),
        (
            csv(*(f"{T0 + s},ohio,GOP,1,0.6,50" for s in (0, 1, 0))),
            "row 3, column 'ts'",
            "before the one above",
        ),
        (csv(f"{T0},ohio,GOP,1,0.6,50").replace("eevp", "share"), "column 'eevp'", "a column"),
        (HEADER, "r.csv", "at least one result"),
        ("", "r.csv", "CSV table"),
    ],
)
def test_a_bad_timeline_names_its_place(write, text, place, wanted):
    with pytest.raises(InputError) as caught:
        read_results(write("r.csv", text))
    assert place in str(caught.value)
    assert wanted in str(caught.value)
