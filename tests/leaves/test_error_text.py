from __future__ import annotations

import pickle

import pytest

from eventtape.errors import EventTapeError, FetchError, InputError, LakeError


@pytest.mark.parametrize("kind", [InputError, FetchError, LakeError])
def test_every_error_is_ours(kind):
    assert issubclass(kind, EventTapeError)
    with pytest.raises(EventTapeError, match="what"):
        raise kind("what")


def test_input_error_is_a_value_error_the_others_are_not():
    assert issubclass(InputError, ValueError)
    assert not issubclass(FetchError, ValueError)
    assert not issubclass(LakeError, ValueError)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ({}, "wanted a price > 0"),
        ({"met": -1.0}, "met -1.0, wanted a price > 0"),
        ({"met": 0}, "met 0, wanted a price > 0"),
        ({"met": ""}, "met '', wanted a price > 0"),
        ({"row": 3}, "row 3: wanted a price > 0"),
        ({"column": "price"}, "column 'price': wanted a price > 0"),
        ({"file": "a.csv", "row": 3}, "a.csv, row 3: wanted a price > 0"),
        (
            {"file": "a.csv", "row": 3, "column": "price", "met": "x"},
            "a.csv, row 3, column 'price': met 'x', wanted a price > 0",
        ),
    ],
)
def test_text_says_place_met_and_wanted(place, text):
    assert str(InputError("a price > 0", **place)) == text


def test_at_names_the_file_and_keeps_the_rest(tmp_path):
    bare = InputError("a price > 0", met=-1, row=3, column="price")
    named = bare.at(tmp_path)
    assert str(named) == f"{tmp_path}, row 3, column 'price': met -1, wanted a price > 0"
    assert str(named.at("other.csv")) == str(named)  # the first file named is the nearest
    assert bare.file is None


def test_survives_a_process_pool():
    error = InputError("a price > 0", met=-1, file="a.csv", row=3, column="price")
    error.add_note("symbol BTCUSDT")
    back = pickle.loads(pickle.dumps(error))
    assert (str(back), back.row, back.column, back.__notes__) == (
        str(error),
        3,
        "price",
        ["symbol BTCUSDT"],
    )
