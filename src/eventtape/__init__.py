"""eventtape."""
