// Says so when the portal cannot be reached, on every page, and goes away by itself when it can.
(() => {
  "use strict";
  const ALIVE = document.currentScript.dataset.alive;
  const EVERY_MS = 10_000;
  let timer = 0;
  const banner = () => document.querySelector("[data-unreached]");
  const show = () => {
    if (!banner()) return;
    const offline = !navigator.onLine;
    banner().querySelector("[data-unreached-offline]").hidden = !offline;
    banner().querySelector("[data-unreached-silent]").hidden = offline;
    banner().hidden = false;
    if (!timer) timer = setInterval(ask, EVERY_MS);
  };
  const hide = () => {
    if (banner()) banner().hidden = true;
    clearInterval(timer);
    timer = 0;
  };
  // Nothing that was typed is lost: the page is not loaded anew, its live parts go on by themselves.
  const ask = async () => {
    try {
      const answer = await fetch(ALIVE, { cache: "no-store" });
      if (answer.ok) hide();
      else show();
    } catch { show(); }
  };
  addEventListener("offline", show);
  addEventListener("online", ask);
  document.addEventListener("htmx:sendError", show);
  document.addEventListener("htmx:timeout", show);
  document.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status >= 502) show(); });
  document.addEventListener("htmx:afterOnLoad", (event) => { if (timer && event.detail.xhr.status < 500) hide(); });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-unreached-retry]")) ask();
  });
  document.addEventListener("DOMContentLoaded", () => { if (!navigator.onLine) show(); });
})();
