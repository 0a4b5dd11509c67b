// Importing: a file that is dropped anywhere is looked at first, and taken in when somebody says so.
"use strict";

(() => {
  const dialog = byId("import"), preview = byId("preview"), bar = byId("import-progress");
  let file = null;

  const query = () => {
    const asked = new URLSearchParams(byId("import-here").checked ? scopeQuery() : `user=${new URLSearchParams(scopeQuery()).get("user")}`);
    asked.set("user", new URLSearchParams(scopeQuery()).get("user"));
    asked.set("file_name", file.name.slice(0, 500));
    asked.set("hidden", byId("import-hidden").checked);
    return asked;
  };

  function open() {
    preview.replaceChildren();
    bar.hidden = true;
    if (!dialog.open) dialog.showModal();
  }

  function said(text, kind = "problem") {
    const line = document.createElement("p");
    line.className = kind;
    line.textContent = text;
    preview.replaceChildren(line);
  }

  async function look() {
    if (!file) return;
    said("Reading …", "hint loading-line");
    try {
      const answer = await fetch(`/page/import/preview?${query()}`, { method: "POST", body: file });
      if (!answer.ok) return said((await answer.text()).slice(0, 500));
      preview.innerHTML = await answer.text(); // escaped by the server
    } catch {
      said("The file could not be sent; is the server running?");
    }
  }

  async function take() {
    const said_ = byId("progress-said"), progress = byId("progress");
    bar.hidden = false;
    progress.removeAttribute("value");
    said_.textContent = "Sending …";
    byId("import-do").disabled = true;
    try {
      const answer = await fetch(`/page/import?${query()}`, { method: "POST", body: file });
      if (!answer.ok) return said((await answer.text()).slice(0, 500));
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const lines = (rest + part.value).split("\n");
        rest = lines.pop();
        lines.forEach((line) => told(JSON.parse(line), progress, said_));
      }
    } catch {
      said("The connection broke. Import the same file again: what was taken in is not taken in twice.");
    } finally {
      bar.hidden = true;
    }
  }

  function told(line, progress, words) {
    if (line.problem) return said(line.problem);
    if (line.html) {
      preview.innerHTML = line.html; // escaped by the server
      file = null;
      htmx.trigger(document.body, "scopes-changed");
      return reloadView();
    }
    progress.max = line.steps;
    progress.value = line.done;
    words.textContent = `${line.done.toLocaleString("en")} of ${line.steps.toLocaleString("en")}`;
  }

  function choose(files) {
    if (!files.length) return;
    file = files[0];
    look();
  }

  byId("import-open").addEventListener("click", () => { file = null; byId("file").value = ""; open(); });
  byId("file").addEventListener("change", (event) => choose(event.target.files));
  ["import-hidden", "import-here"].forEach((id) => byId(id).addEventListener("change", look));
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-import]")) byId("import-open").click();
    if (event.target.closest("#import-do")) take();
  });

  let inside = 0; // dragenter and dragleave come for every element that is passed
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    inside += 1;
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    inside -= 1;
    if (inside <= 0) document.body.classList.remove("dragging");
  });
  document.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    inside = 0;
    document.body.classList.remove("dragging");
    open();
    choose(event.dataTransfer.files);
  });
})();
