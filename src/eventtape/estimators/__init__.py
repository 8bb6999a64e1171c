"""Pure functions on arrays, one file a method: NamedTuples out, no I/O, no data frames."""
