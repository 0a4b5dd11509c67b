// Everything by keyboard. What is typed into a field is never a command.
"use strict";

(() => {
  const isTyping = (element) => element.closest("input:not([type=checkbox]), textarea, select") !== null;
  const current = () => document.activeElement?.closest(".memory[data-id]");
  const ACTIONS = { e: "do-edit", s: "do-supersede", w: "do-witnesses", r: "do-retract", f: "do-forget" };

  function step(by) {
    const pane = document.activeElement?.closest(".ask, main") ?? document.querySelector("main");
    const all = [...pane.querySelectorAll(".memory[data-id]")].filter((each) => each.offsetParent !== null);
    if (!all.length) return;
    const here = all.indexOf(current());
    const visible = all.findIndex((each) => each.getBoundingClientRect().top >= pane.getBoundingClientRect().top);
    const next = here < 0 ? Math.max(0, visible) : Math.min(all.length - 1, Math.max(0, here + by));
    all[next].focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  }

  function onMemory(key) {
    const memory = current();
    if (!memory) return false;
    const id = memory.dataset.id;
    if (key === "Enter") openMemory(id);
    else if (key === "p") act(id, "pinned" in memory.dataset ? "unpin" : "pin");
    else if (key in ACTIONS) openMemory(id, ACTIONS[key]);
    else return false;
    return true;
  }

  const ANYWHERE = {
    "/": () => { showPane("ask"); byId("message").focus(); byId("message").select(); },
    j: () => step(1),
    k: () => step(-1),
    z: undoLast,
    g: () => { showPane("main"); byId("go-to")?.focus(); },
    c: () => { showPane("scopes"); byId("scope-filter").focus(); },
    i: () => byId("import-open").click(),
    t: switchTheme,
    "?": () => byId("help").showModal(),
    Home: () => byId("story") && Story.earliest(),
    End: () => byId("story") && Story.latest(),
  };

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !isTyping(target)) {
      event.preventDefault();
      return undoLast();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (key === "Escape" && isTyping(target) && !target.closest("dialog")) return target.blur();
    if (isTyping(target) || document.querySelector("dialog[open]")) return;
    if (key === "Enter" && target.closest("button, a, summary")) return;
    const view = /^[1-6]$/.test(key) && document.querySelectorAll(".views a")[Number(key) - 1];
    if (view) view.click();
    else if (!onMemory(key)) {
      if (!(key in ANYWHERE)) return;
      ANYWHERE[key]();
    }
    event.preventDefault();
  });
})();
