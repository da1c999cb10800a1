// The palette: Ctrl-K or Cmd-K anywhere; / goes to the search.  Without this file there is /search/.
(() => {
  "use strict";
  const palette = () => document.getElementById("palette");
  const input = () => document.getElementById("palette-input");
  const open = () => {
    if (!palette() || palette().open) return;
    input().value = "";
    palette().showModal();
    input().focus();
    input().dispatchEvent(new Event("opened"));
  };
  const typing = (target) => target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
  const step = (by) => {
    const found = [...palette().querySelectorAll("[data-found]")];
    const at = found.indexOf(document.activeElement) + by;
    if (at < 0) input().focus();
    else found[Math.min(at, found.length - 1)]?.focus();
  };
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
      return;
    }
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event.target) && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      const search = document.querySelector("[data-search]");
      if (search && search.offsetParent) search.focus();
      else open();
      return;
    }
    if (!palette()?.open) return;
    if (event.key === "ArrowDown") { event.preventDefault(); step(1); }
    if (event.key === "ArrowUp") { event.preventDefault(); step(-1); }
    if (event.key === "Enter" && event.target === input()) {
      const first = palette().querySelector("[data-found]");
      if (first) { event.preventDefault(); first.click(); }
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-palette-open]")) { event.preventDefault(); open(); }
    if (event.target.closest?.("[data-palette-close]") || event.target === palette()) palette().close();
  });
})();
