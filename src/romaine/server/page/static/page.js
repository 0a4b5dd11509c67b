// What the page does besides asking the server: theme, panes, dialogs, undo, what a click is meant for.
"use strict";

const byId = (id) => document.getElementById(id);
const scopeQuery = () => document.body.dataset.scope;

// --- theme and panes ---------------------------------------------------------------------------------------

function switchTheme() {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  localStorage.setItem("romaine-theme", root.dataset.theme);
}

function showPane(name) {
  document.body.dataset.pane = name;
  document.querySelectorAll("[data-pane-of]").forEach((button) => {
    if (button.dataset.paneOf === name) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
}

// --- what went wrong ---------------------------------------------------------------------------------------

function tell(said, { isProblem = false } = {}) {
  const toast = document.createElement("div");
  toast.className = isProblem ? "toast failed" : "toast";
  const text = document.createElement("p");
  text.dir = "auto";
  text.textContent = said;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "quiet round";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  toast.append(text, close);
  byId("toasts").prepend(toast);
}

document.addEventListener("htmx:responseError", (event) => {
  const { status, responseText } = event.detail.xhr;
  if (status === 401) location.reload();
  else tell(responseText.slice(0, 500) || `The server answered ${status}`, { isProblem: true });
});
document.addEventListener("htmx:sendError", () =>
  tell("The server does not answer. Nothing was changed; try again when it runs.", { isProblem: true }));

// What the listeners above have told already
const ajax = (method, path, options) => htmx.ajax(method, path, options).catch(() => {});

// --- one memory --------------------------------------------------------------------------------------------

let returnTo = null;

async function openMemory(id, then) {
  const drawer = byId("drawer");
  returnTo = id;
  await ajax("GET", `/page/memory/${id}?${scopeQuery()}`, { target: "#drawer-body", swap: "innerHTML" });
  if (!byId("drawer-body").querySelector(`[data-id="${id}"]`)) return;
  if (!drawer.open) drawer.showModal();
  if (then) byId(then)?.click();
}

function act(id, action) {
  return ajax("POST", `/page/memory/${id}/${action}?${scopeQuery()}`, { target: "#toasts", swap: "afterbegin" });
}

function focusMemory(id) {
  const place = document.querySelector(`main .memory[data-id="${id}"], .ask .memory[data-id="${id}"]`);
  place?.focus();
}

byId("drawer").addEventListener("close", () => {
  byId("drawer-body").replaceChildren();
  if (returnTo) focusMemory(returnTo);
});

// --- after a change ----------------------------------------------------------------------------------------

const SHOWN_TOASTS = 20;

document.body.addEventListener("memory-changed", async () => {
  byId("drawer").close();
  const toasts = byId("toasts");
  while (toasts.children.length > SHOWN_TOASTS) toasts.lastElementChild.remove();
  const undone = toasts.querySelector("[data-undone]");
  if (undone) setTimeout(() => undone.remove(), 6000); // nothing can be done with it
  byId("add-note")?.reset();
  const view = byId("view").dataset.viewShown;
  if (view === "chat" && byId("story")) await Story.refresh();
  else if (view === "chat" || view === "fading" || view === "map") await reloadView();
  htmx.trigger(document.body, "scopes-changed");
  if (returnTo) focusMemory(returnTo);
});

const reloadView = () => {
  const view = byId("view").dataset.viewShown;
  return ajax("GET", `/page/view?${scopeQuery()}&view=${view}`, { target: "#main", swap: "innerHTML show:none" });
};

function undoLast() {
  document.querySelector("#toasts .undo button")?.click();
}

document.body.addEventListener("htmx:beforeSwap", (event) => {
  // an undone change and what said so go together
  if (event.detail.requestConfig?.path.startsWith("/page/undo") && event.detail.xhr.status < 300) {
    event.detail.requestConfig.elt.closest(".toast")?.remove();
    document.querySelectorAll("#toasts [data-undone]").forEach((each) => each.remove());
  }
});

// --- clicks ------------------------------------------------------------------------------------------------

async function goTo(position) {
  showPane("main");
  if (byId("story")) return Story.go(position);
  await ajax("GET", `/page/view?${scopeQuery()}&view=chat`, { target: "#main", swap: "innerHTML show:none" });
  history.pushState({}, "", `/?${scopeQuery()}&view=chat`);
  return Story.go(position);
}

async function showWhole(button) {
  const answer = await fetch(`/page/memory/${button.dataset.whole}/text?${scopeQuery()}`);
  if (!answer.ok) return tell("The text could not be read; try again.", { isProblem: true });
  button.previousElementSibling.outerHTML = await answer.text(); // escaped by the server
  button.remove();
}

function showForm(button) {
  const form = document.querySelector(button.dataset.shows);
  const isShown = form.hidden;
  form.parentElement.querySelectorAll("form.doing").forEach((other) => { other.hidden = true; });
  document.querySelectorAll("[data-shows]").forEach((other) => other.setAttribute("aria-expanded", "false"));
  form.hidden = !isShown;
  button.setAttribute("aria-expanded", String(isShown));
  if (isShown) form.querySelector("textarea, input:not([type=hidden])").focus();
}

function markCluster(details) {
  const map = details.closest(".map");
  const chosen = map.querySelector("details[open]");
  map.querySelectorAll("svg .dot").forEach((dot) => {
    dot.classList.toggle("dim", Boolean(chosen) && !dot.classList.contains(`c-${chosen?.dataset.cluster}`));
  });
}

document.addEventListener("click", (event) => {
  const on = (name) => event.target.closest(`[data-${name}]`);
  let found;
  if ((found = on("open"))) openMemory(found.dataset.open);
  else if ((found = on("go"))) { byId("drawer").close(); goTo(Number(found.dataset.go)); }
  else if ((found = on("act"))) act(found.closest(".memory").dataset.id, found.dataset.act);
  else if ((found = on("whole"))) showWhole(found);
  else if ((found = on("shows"))) showForm(found);
  else if ((found = on("close"))) found.closest("dialog").close();
  else if ((found = on("dismiss"))) found.closest(".toast").remove();
  else if ((found = on("pane-of"))) showPane(found.dataset.paneOf);
  else if (event.target instanceof HTMLDialogElement) event.target.close(); // beside it
});
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.("[data-cluster]")) markCluster(event.target);
}, true);
byId("theme").addEventListener("click", switchTheme);
byId("help-open").addEventListener("click", () => byId("help").showModal());

// --- forms -------------------------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  if (event.target.id === "go") {
    event.preventDefault();
    const wanted = byId("go-to").value;
    if (wanted === "") Story.latest();
    else Story.go(Number(wanted));
  }
});
document.addEventListener("input", (event) => {
  const input = event.target;
  if (input.id === "budget") byId("budget-said").textContent = `${Number(input.value).toLocaleString("en")} tokens`;
  if (input.id === "dim") byId("dim-said").textContent = input.value === input.dataset.all ? `${input.value} (all)` : input.value;
  if (input.id === "scope-filter") {
    const words = input.value.toLowerCase();
    document.querySelectorAll("#tree li").forEach((each) => {
      each.hidden = words !== "" && !each.textContent.toLowerCase().includes(words);
    });
  }
});
byId("user")?.addEventListener("change", (event) => event.target.form.submit());

document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (event.detail.elt.id === "ask-form") byId("recalled").setAttribute("aria-busy", "true");
});
document.body.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt.id === "ask-form") byId("recalled").setAttribute("aria-busy", "false");
});
document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.id === "main") Story.start();
  if (event.detail.target.id === "recalled") {
    byId("recall-said").textContent = byId("recalled").querySelector(".sure-said")?.textContent ?? "";
  }
});
window.addEventListener("popstate", () => location.reload());
Story.start();
