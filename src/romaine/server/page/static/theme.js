// Before anything is drawn: the theme that was chosen last, else the system's.
(() => {
  "use strict";
  const stored = localStorage.getItem("romaine-theme");
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
