"""The estimators on data frames: the public functions that take and return Polars frames."""

from eventtape.frames.exposure import gap_table
from eventtape.frames.probability import filter_probability, join_complementary

__all__ = ["filter_probability", "gap_table", "join_complementary"]
