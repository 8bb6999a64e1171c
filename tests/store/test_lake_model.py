"""Any sequence of writes, drops and vacuums leaves what a plain dictionary would hold."""

import tempfile

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from eventtape.errors import InputError
from eventtape.store import Lake, Write

tables = st.sampled_from(["a", "b"])
days = st.sampled_from(["1", "2", "3"])
values = st.lists(st.integers(-5, 5), max_size=4)
cells = st.tuples(tables, days)
operations = st.one_of(
    st.tuples(st.just("write"), st.dictionaries(cells, values, min_size=1, max_size=4)),
    st.tuples(st.just("drop"), cells),
    st.tuples(st.just("drop table"), tables),
    st.tuples(st.just("vacuum"), st.none()),
    st.tuples(st.just("open again"), st.none()),
)


def frame(numbers):
    return pl.DataFrame({"v": numbers}, schema={"v": pl.Int64})


@settings(max_examples=60, deadline=None)
@given(st.lists(operations, max_size=10))
def test_the_lake_is_a_dictionary(steps):
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        lake, model = Lake(root), {}
        for what, argument in steps:
            if what == "write":
                lake.write_all(Write(t, frame(v), {"day": d}) for (t, d), v in argument.items())
                model |= argument
            elif what == "drop" and argument in model:
                lake.drop(argument[0], {"day": argument[1]})
                del model[argument]
            elif what == "drop":
                with pytest.raises(InputError):
                    lake.drop(argument[0], {"day": argument[1]})
            elif what == "drop table" and any(t == argument for t, _ in model):
                lake.drop(argument)
                model = {cell: v for cell, v in model.items() if cell[0] != argument}
            elif what == "vacuum":
                lake.vacuum()
                assert len(list(lake.root.rglob("*.parquet"))) == len(model)
            elif what == "open again":
                lake = Lake(root)
            agree(lake, model)
        assert lake.verify() == ()


def agree(lake, model):
    names = sorted({table for table, _ in model})
    assert lake.tables()["table"].to_list() == names
    for name in names:
        parts = sorted((day, v) for (table, day), v in model.items() if table == name)
        wanted = pl.concat(frame(v).with_columns(day=pl.lit(day)) for day, v in parts)
        assert_frame_equal(lake.read(name), wanted)
