// The chat as windows of positions: what is far from what is looked at is an empty box of its height.
"use strict";

const Story = (() => {
  const GUESS = 96; // pixels of a turn, until its window was seen
  const MOST = 100_000; // positions that are laid out at once; a browser has no longer page
  let story = null, first = 0, observer = null;
  const TRIES = 100; // windows in which what was asked for is looked for
  const PASSING = 80; // milliseconds in view from which a window is read, and not only scrolled past
  const loading = new Map(); // window -> what stops it
  const waiting = new Map(); // window -> timer

  const size = () => Number(story.dataset.window);
  const end = () => Number(story.dataset.end);
  const windows = () => story.children;
  const windowOf = (position) => windows()[Math.floor((position - first) / size())];

  async function load(box, { again = false } = {}) {
    if (loading.has(box) || (box.dataset.loaded && !again)) return loading.get(box)?.done;
    const stop = new AbortController();
    const work = (async () => {
      const url = `${story.dataset.url}&start=${box.dataset.start}&count=${size()}`;
      const answer = await fetch(url, { signal: stop.signal, headers: { "HX-Request": "true" } });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(await answer.text());
      const html = await answer.text();
      box.innerHTML = html; // the server has escaped what users wrote
      box.style.minHeight = "";
      box.dataset.loaded = "yes";
    })().catch((error) => {
      if (error.name === "AbortError") return;
      box.innerHTML = "";
      const said = document.createElement("p");
      said.className = "problem";
      said.textContent = "This part could not be read. ";
      const retry = document.createElement("button");
      retry.type = "button";
      retry.textContent = "Try again";
      retry.addEventListener("click", () => load(box, { again: true }));
      said.append(retry);
      box.append(said);
    }).finally(() => loading.delete(box));
    loading.set(box, { stop, done: work });
    return work;
  }

  function seen(box, isNear) {
    clearTimeout(waiting.get(box));
    if (isNear) waiting.set(box, setTimeout(load, PASSING, box));
    else unload(box);
  }

  function unload(box) {
    loading.get(box)?.stop.abort();
    if (!box.dataset.loaded) return;
    box.style.minHeight = `${box.offsetHeight}px`;
    box.replaceChildren();
    delete box.dataset.loaded;
  }

  function layOut(from) {
    first = from;
    observer?.disconnect();
    const boxes = [];
    const last = Math.min(end(), first + MOST - 1);
    for (let start = first; start <= last; start += size()) {
      const box = document.createElement("div");
      box.className = "window";
      box.dataset.start = start;
      box.style.minHeight = `${Math.min(size(), last - start + 1) * GUESS}px`;
      boxes.push(box);
    }
    story.replaceChildren(...boxes);
    observer = new IntersectionObserver(
      (entries) => entries.forEach((each) => seen(each.target, each.isIntersecting)),
      { root: story, rootMargin: "800px 0px" },
    );
    boxes.forEach((box) => observer.observe(box));
  }

  function start() {
    story = document.getElementById("story");
    if (!story || story.children.length) return;
    layOut(Math.max(0, end() - MOST + 1));
    latest();
  }

  async function latest() {
    if (end() >= first + MOST) layOut(end() - MOST + 1);
    const opened = story; // another view may be open when the window has come
    opened.scrollTop = opened.scrollHeight;
    await load(opened.lastElementChild);
    opened.scrollTop = opened.scrollHeight;
  }

  async function earliest() {
    if (first > 0) layOut(0);
    const opened = story;
    opened.scrollTop = 0;
    await load(opened.firstElementChild);
    opened.scrollTop = 0;
  }

  async function go(position) {
    if (!story?.isConnected) return false;
    const wanted = Math.max(0, Math.min(end(), position));
    if (wanted < first || wanted >= first + MOST) layOut(Math.floor(Math.max(0, wanted - MOST / 2) / size()) * size());
    let found;
    // what stood there may be gone: then what comes next, in another window perhaps
    for (let box = windowOf(wanted), tries = 0; box && !found && tries < TRIES; box = box.nextElementSibling, tries += 1) {
      box.scrollIntoView({ block: "center" });
      await load(box);
      found = [...box.querySelectorAll(".memory")].find((each) => Number(each.dataset.at) >= wanted);
    }
    if (!found) return false;
    found.scrollIntoView({ block: "center" });
    found.focus({ preventScroll: true });
    found.classList.add("found");
    setTimeout(() => found.classList.remove("found"), 2500);
    return true;
  }

  function refresh() {
    if (!story?.isConnected) return Promise.resolve();
    return Promise.all([...windows()].filter((box) => box.dataset.loaded).map((box) => load(box, { again: true })));
  }

  return { start, go, latest, earliest, refresh };
})();
