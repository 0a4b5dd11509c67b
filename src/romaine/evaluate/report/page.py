"""The page: a report as one HTML text that loads nothing, in light and dark, on any width."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from types import MappingProxyType

from romaine import __version__
from romaine.evaluate.parity import ParityReport
from romaine.evaluate.report.canvas import DARK, LIGHT, Chart, css_variables
from romaine.evaluate.report.content import Cell, CheckRow, Report, Table, Verdict, printable
from romaine.evaluate.report.tables import (
    checks_table,
    matryoshka_table,
    parity_table,
    separation_table,
    show,
    speed_table,
)

_FEW_CHECKS = 8  # are shown whole
_LOOKS = MappingProxyType({"passed": "passed", "failed": "failed"})
# Nothing may be loaded or run, whatever a name smuggles in.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_page(report: Report, drawings: Mapping[str, tuple[Chart, str]]) -> str:
    """Renders the page.

    Args:
        report: What is told.
        drawings: Charts and their SVG elements by the chart's name.
    """
    title = f"{report.title}: {report.model}"
    sections = "\n".join(_sections(report, drawings))
    style = resources.files("romaine.evaluate.report").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>
:root{{{css_variables(LIGHT)}}}
@media (prefers-color-scheme: dark){{:root{{{css_variables(DARK)}}}}}
{style}</style>
</head>
<body>
<header>
<p class="kind">{escape(report.title)}</p>
<h1>{escape(report.model)}</h1>
{_verdict(report.verdict)}
{_facts(report.facts)}
</header>
<main>
{sections}
</main>
<footer>
{_command(report.command)}
<p>romaine {__version__}, {report.created:%Y-%m-%d %H:%M} {report.created.tzname() or ""}</p>
</footer>
</body>
</html>
"""


def escape(text: object) -> str:
    """Any value as text that is safe in HTML, on one line."""
    return html.escape(printable(str(text)))


def _sections(report: Report, drawings: Mapping[str, tuple[Chart, str]]) -> Iterator[str]:
    figures = {name: _figure(chart, element) for name, (chart, element) in drawings.items()}

    def drawn(kind: str, number: int) -> str:
        return figures.get(kind if number == 1 else f"{kind}-{number}", "")

    if report.speed:
        yield _tiles(report)
    if report.checks:
        yield f"<section>\n<h2>Checks</h2>\n{_checks(report.checks)}</section>"
    if report.tables:
        yield _section("Figures", [_card(_table(table, titled=True)) for table in report.tables])
    cards = [
        _card(drawn("quality", n), _table(matryoshka_table(item)))
        for n, item in enumerate(report.matryoshka, 1)
    ]
    if cards:
        yield _section("How small can a vector be?", cards)
    cards = [
        _card(drawn("scores", n), _table(separation_table(item)))
        for n, item in enumerate(report.separations, 1)
    ]
    if cards:
        yield _section("Does it know when nothing fits?", cards)
    cards = [
        _card(drawn("parity", n), _table(parity_table(item)), _refused(item))
        for n, item in enumerate(report.parity, 1)
    ]
    if cards:
        yield _section("Do backends and precisions agree?", cards)
    if report.speed:
        yield _section(
            "How fast is it?", [_card(figures.get("speed", ""), _table(speed_table(report.speed)))]
        )


def _section(title: str, cards: Sequence[str]) -> str:
    look = "cards alone" if len(cards) == 1 else "cards"
    return f'<section>\n<h2>{escape(title)}</h2>\n<div class="{look}">\n{"".join(cards)}</div>\n</section>'


def _card(*parts: str) -> str:
    """A figure beside or above what belongs to it."""
    first, *others = parts
    return f'<div class="card">\n{first}<div>{"".join(others)}</div>\n</div>\n'


def _figure(chart: Chart, element: str) -> str:
    return (
        f'<figure id="figure-{chart.name}" role="img" aria-label="{escape(chart.alt)}">\n'
        f"<h3>{escape(chart.title)}</h3>\n{element}"
        f"<figcaption>{escape(chart.alt)}</figcaption>\n</figure>\n"
    )


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    word, look = ("PASS", "good") if verdict.passed else ("REJECT", "bad")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    return f'<p class="verdict {look}">{word}</p>\n' + (f"<ul>{reasons}</ul>" if reasons else "")


def _facts(facts: Mapping[str, str]) -> str:
    items = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    return f'<dl class="facts">{items}</dl>' if items else ""


def _command(command: str) -> str:
    return f"<p>Measured by</p><pre><code>{escape(command)}</code></pre>" if command else ""


def _tiles(report: Report) -> str:
    best = max(report.speed, key=lambda item: item.texts_per_second)
    tiles = [
        (f"{best.texts_per_second:,.0f}", "texts a second"),
        (f"{best.query_ms:.2g} ms", "for one query"),
        (f"{best.load_seconds:.2f} s", "to open, from a new process"),
    ]
    if best.peak_bytes is not None:
        tiles.append((f"{best.peak_bytes / 1e6:,.0f} MB", "of memory at most"))
    items = "".join(f"<div><b>{escape(value)}</b><span>{escape(what)}</span></div>" for value, what in tiles)
    return f'<section class="tiles" aria-label="At a glance, {escape(best.run)}">{items}</section>'


def _table(table: Table, *, titled: bool = False, marks: bool = False) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    rows = "".join(f"<tr>{''.join(_cells(row, marks))}</tr>\n" for row in table.rows)
    title = f"<h3>{escape(table.title)}</h3>\n" if titled and table.title else ""
    note = f'<p class="note">{escape(table.note)}</p>\n' if table.note else ""
    return (
        f'{title}<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody>\n</table></div>\n{note}"
    )


def _checks(checks: Sequence[CheckRow]) -> str:
    """What failed, open; everything else folded away where it is much."""
    failed = [check for check in checks if check.passed is False]
    others = [check for check in checks if check.passed is not False]
    if len(checks) <= _FEW_CHECKS:
        return _table(checks_table(checks), marks=True)
    shown = _table(checks_table(failed), marks=True) if failed else ""
    passed = sum(check.passed is True for check in others)
    told = f"{passed} passed" + (f", {len(others) - passed} not judged" if passed < len(others) else "")
    folded = _table(checks_table(others), marks=True)
    return f'{shown}<details class="checks"><summary>{told}</summary>{folded}</details>\n'


def _cells(row: Sequence[Cell], marks: bool) -> Iterator[str]:
    for number, value in enumerate(row):
        if number == 0:
            yield f'<th scope="row">{escape(value)}</th>'
        elif marks and number == 1:
            yield f'<td class="{_LOOKS.get(str(value), "told")}">{escape(value)}</td>'
        else:
            look = ' class="number"' if isinstance(value, (int, float)) else ""
            yield f"<td{look}>{escape(show(value))}</td>"


def _refused(report: ParityReport) -> str:
    """Why other backends are not in the table, folded away."""
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in report.refused.items())
    if not items:
        return ""
    names = escape(", ".join(report.refused))
    return f"<details><summary>Cannot run it here: {names}</summary><dl>{items}</dl></details>\n"
