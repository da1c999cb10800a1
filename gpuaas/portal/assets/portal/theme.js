// Runs before the first paint, so that the page never flashes in the other theme.
// What scripts say is English; words-<language>.js, before this file, has it in another language.
window.gettext = (text, places = {}) =>
  (window.gpuaasWords?.[text] ?? text).replace(/\{(\w+)\}/g, (place, name) => places[name] ?? place);
(() => {
  "use strict";
  document.documentElement.classList.add("scripted");
  const KEY = "gpuaas-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  const read = () => { try { return localStorage.getItem(KEY) || "auto"; } catch { return "auto"; } };
  const keep = (choice) => { try { localStorage.setItem(KEY, choice); } catch { /* private mode */ } };
  // What the profile says, when it says something new, is for this device too.
  const told = document.documentElement.dataset.theme;
  try {
    if (told !== undefined && told !== (localStorage.getItem(`${KEY}-of-profile`) ?? "")) {
      localStorage.setItem(`${KEY}-of-profile`, told);
      keep(told || "auto");
    }
  } catch { /* private mode */ }
  const apply = () => {
    const choice = read();
    const dark = choice === "dark" || (choice === "auto" && system.matches);
    document.documentElement.setAttribute("data-bs-theme", dark ? "dark" : "light");
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
    }
  };
  apply();
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll("[data-theme-switch]")) group.hidden = false;
    apply();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-choice]");
    if (button) { keep(button.dataset.themeChoice); apply(); }
  });
})();
