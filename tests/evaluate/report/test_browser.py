"""The page in a real browser: it finds the figures, fits a phone and loads nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from romaine.evaluate.report import WrittenReport

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium or chrome is installed")
WIDTHS = (390, 1200)
CHARTS = 7

# Loads the page in frames of both widths and tells what a reader would see in each.
PROBE = """<!DOCTYPE html><meta charset="utf-8"><body>
<script>
const source = %s;
const told = {};
function look(width, frame) {
  const page = frame.contentDocument, box = element => element.getBoundingClientRect();
  const figures = [...page.querySelectorAll("figure")];
  told[width] = {
    charts: figures.map(figure => {
      const image = figure.querySelector("img"), chart = box(image);
      const scale = chart.width / image.getAttribute("width");
      return [figure.id, Math.round(chart.width), Math.round(chart.height), scale];
    }),
    drawn: figures.every(figure => figure.querySelector("img").naturalWidth > 0),
    overflow: page.documentElement.scrollWidth - page.documentElement.clientWidth,
    resources: frame.contentWindow.performance.getEntriesByType("resource").length,
    background: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
    line: frame.contentWindow.getComputedStyle(page.querySelector(".kind")).color,
    chart: figures[0].querySelector("img").currentSrc,
  };
  if (Object.keys(told).length == %d) document.body.dataset.told = JSON.stringify(told);
}
for (const width of %s) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 800;
  frame.onload = () => look(width, frame);
  frame.srcdoc = source;
  document.body.append(frame);
}
</script></body>
"""


def seen(page: Path, folder: Path, *, dark: bool = False) -> dict[str, dict[str, object]]:
    """What the browser tells about the page, by width."""
    source = json.dumps(page.read_text(encoding="utf-8")).replace("</", "<\\/")
    probe = folder / "probe.html"
    probe.write_text(PROBE % (source, len(WIDTHS), json.dumps(WIDTHS)), encoding="utf-8")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000"]
    command += ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = subprocess.run(
        [*command, probe.as_uri()], capture_output=True, text=True, encoding="utf-8", timeout=90, check=True
    )
    told = re.search(r'data-told="([^"]*)"', done.stdout)
    assert told, done.stdout[-2000:]
    return json.loads(unescape(told[1]))


@needs_browser
def test_a_reader_finds_the_figures_on_any_screen(written: WrittenReport, tmp_path: Path) -> None:
    for width, told in seen(written.page, tmp_path).items():
        assert len(told["charts"]) == CHARTS
        assert told["drawn"]
        for name, chart_width, chart_height, scale in told["charts"]:
            assert name.startswith("figure-")
            assert chart_width >= 0.7 * min(int(width), 450), name
            assert chart_height >= 60, name
            assert 10 * scale >= 7, name  # pixels: the smallest letters of a chart are 10
        assert told["overflow"] <= 0
        assert told["resources"] == 0


@needs_browser
def test_dark_and_light_differ_and_lines_stand_out(written: WrittenReport, tmp_path: Path) -> None:
    light, dark = (seen(written.page, tmp_path, dark=dark)["1200"] for dark in (False, True))
    assert light["chart"] != dark["chart"]
    assert luminance(light["background"]) > 0.9
    assert luminance(dark["background"]) < 0.1
    for told in (light, dark):
        assert contrast(told["background"], told["line"]) >= 3  # WCAG 2.2, 1.4.11: graphics


def luminance(colour: str) -> float:
    """Relative luminance of "rgb(r, g, b)" as WCAG defines it."""
    shares = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
