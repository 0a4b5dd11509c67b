"""The report: one HTML file that needs nothing else, and its charts as PNGs."""

from romaine.evaluate.report.cards import tables_of
from romaine.evaluate.report.content import Cell, Report, Table, show
from romaine.evaluate.report.write import WrittenReport, require_report, write_report

__all__ = [
    "Cell",
    "Report",
    "Table",
    "WrittenReport",
    "require_report",
    "show",
    "tables_of",
    "write_report",
]
