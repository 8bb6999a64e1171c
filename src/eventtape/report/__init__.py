"""One self-contained HTML page from a study's result."""

from eventtape.report.page import render, write_report

__all__ = ["render", "write_report"]
