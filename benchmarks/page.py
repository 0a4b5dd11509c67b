"""The page with a long chat: from a keystroke to the shown recall, in a real browser.

    python benchmarks/page.py [--turns 100000] [--memory FILE]

Needs the extra test-apps and chromium. The time is taken inside the browser, from the `input` event to the
second frame after the answer stands in the page: so it holds the page's own wait of 20 ms for the next key,
the request, the recall with its explanation, the template and the drawing.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.apps.conftest import BROWSER, FLAGS
from tests.server.conftest import running_server

from romaine import Embedder
from romaine.memory import RoleplayMemory, Scope, Turn

SCOPE = Scope(user="ana", character="Cassian", chat="The long road")
QUESTION = "Where did you hide the silver key that opens the cellar of the tavern, and who saw you do it?"
BATCH = 5_000
TYPED = """async (texts) => {
    const box = document.getElementById('message'), out = document.getElementById('recalled'), times = [];
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    for (const text of texts) {
        const shown = new Promise((done) => {
            const seen = new MutationObserver(async () => {
                seen.disconnect();
                await frame();
                await frame();
                done(performance.now());
            });
            seen.observe(out, {childList: true});
        });
        const start = performance.now();
        box.value = text;
        box.dispatchEvent(new InputEvent('input', {bubbles: true}));
        times.push(await shown - start);
        await new Promise((done) => setTimeout(done, 200));
    }
    return times;
}"""
SCROLLED = """async () => {
    const story = document.getElementById('story'), frames = [];
    let last = performance.now();
    for (let step = 0; step < 120; step += 1) {
        story.scrollTop = story.scrollHeight * (1 - step / 120);
        await new Promise((done) => requestAnimationFrame(done));
        frames.push(performance.now() - last);
        last = performance.now();
    }
    return frames;
}"""


def tell(path: Path, count: int) -> None:
    """Writes a chat of random sentences from a probe chat's words."""
    from romaine.evaluate.probes import load_probes

    words = [word for turn in load_probes().turns for word in turn.text.split()]
    chosen = random.Random(5)
    with RoleplayMemory(path, embedder=Embedder(dim=64)) as memory:
        for start in range(0, count, BATCH):
            turns = [
                Turn(
                    " ".join(chosen.choices(words, k=chosen.randint(6, 40))),
                    speaker=("Ana", "Cassian")[n % 2],
                    role=("user", "character")[n % 2],
                    source_id=str(n),
                )
                for n in range(start, min(count, start + BATCH))
            ]
            memory.add_turns(SCOPE, turns)


def report(what: str, times: list[float]) -> None:
    """Prints a line."""
    ordered = sorted(times)
    p95 = ordered[int(0.95 * len(ordered))]
    print(
        f"{what:34} median {statistics.median(ordered):6.0f} ms  p95 {p95:6.0f} ms  max {ordered[-1]:6.0f} ms"
    )


def main() -> None:
    """Measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=100_000)
    parser.add_argument("--memory", type=Path, help="A file that such a run has made, to be used again.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = asked.memory or Path(folder) / "memories.db"
        if not path.exists():
            tell(path, asked.turns)
        with running_server(Path(folder) / "log.txt", "--memory", str(path), "--no-access-log") as server:
            browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
            page = browser.new_page(viewport={"width": 1360, "height": 860})
            page.set_default_timeout(120_000)
            began = time.perf_counter()
            page.goto(server.url)
            page.wait_for_selector("#story .memory")
            print(f"{'opened, latest turns shown':34} {1000 * (time.perf_counter() - began):6.0f} ms")
            page.fill("#message", "The first question, while the index is loaded.")
            page.wait_for_selector("#recalled .hit")
            print(f"{'first recall after a cold start':34} {1000 * (time.perf_counter() - began):6.0f} ms")
            keys = [QUESTION[:end] for end in range(8, len(QUESTION), 2)]
            report("keystroke to shown recall", page.evaluate(TYPED, keys))
            report("frames while scrolling through all", page.evaluate(SCROLLED))
            browser.close()


if __name__ == "__main__":
    main()
