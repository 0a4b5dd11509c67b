"""The report: one HTML file that needs nothing else, and its figures as PNGs."""

from romaine.evaluate.report.content import Cell, CheckRow, Report, Table, Verdict
from romaine.evaluate.report.tables import show, tables_of
from romaine.evaluate.report.write import WrittenReport, require_report, write_report

__all__ = [
    "Cell",
    "CheckRow",
    "Report",
    "Table",
    "Verdict",
    "WrittenReport",
    "require_report",
    "show",
    "tables_of",
    "write_report",
]
