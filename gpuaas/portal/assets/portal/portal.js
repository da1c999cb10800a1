// Everything works without this file, in the profile's zone or UTC.  With it: the browser's zone
// where the profile names none, countdowns, the dialog.
(() => {
  "use strict";
  const each = (selector, root, act) => root.querySelectorAll(selector).forEach(act);
  // The person's language and zone, as the profile has them, or else the browser's zone.
  const { lang, dataset: { timeZone: chosenZone } } = document.documentElement;
  const zone = chosenZone || Intl.DateTimeFormat().resolvedOptions().timeZone;
  const format = (form) => new Intl.DateTimeFormat(lang, { timeZone: zone, ...form });
  const day = { day: "numeric", month: "short" };
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const dayClock = format({ weekday: "short", ...day, ...clock });
  const yearClock = format({ ...day, year: "numeric", ...clock });
  const onlyClock = format(clock);
  const withSeconds = format({ ...clock, second: "2-digit" });
  const inUtc = format({ dateStyle: "medium", timeStyle: "short", timeZone: "UTC" });
  const digits = new Intl.DateTimeFormat("en-GB", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  // --- times -----------------------------------------------------------------------------------
  // A moment as an input shows it in the zone, and back.  Twice: the offset may change in between.
  const minute = (at) => {
    const part = Object.fromEntries(digits.formatToParts(at).map(({ type, value }) => [type, value]));
    return `${part.year.padStart(4, "0")}-${part.month}-${part.day}T${part.hour}:${part.minute}`;
  };
  const moment = (typed) => {
    const wanted = new Date(`${typed}Z`).getTime();
    let at = wanted;
    for (let turn = 0; turn < 2; turn += 1) at += wanted - new Date(`${minute(new Date(at))}Z`).getTime();
    return new Date(at);
  };
  const plusDays = (date, days) => {
    const at = new Date(`${date}T00:00Z`);
    at.setUTCDate(at.getUTCDate() + days);
    return at.toISOString().slice(0, 10);
  };
  const dayOf = (at) => minute(at).slice(0, 10);
  const spoken = (at, form) => {
    const now = new Date();
    const [date, today] = [dayOf(at), dayOf(now)];
    if (form === "second" && date === today) return withSeconds.format(at);
    const time = onlyClock.format(at);
    if (date === today) return form === "full" ? gettext("today {time}", { time }) : time;
    if (date === plusDays(today, 1)) return gettext("tomorrow {time}", { time });
    return (date.slice(0, 4) === today.slice(0, 4) ? dayClock : yearClock).format(at);
  };
  const left = (at) => {
    let seconds = Math.max(0, Math.round((at - Date.now()) / 1000));
    const parts = [];
    for (const [length, unit] of [[86400, gettext("d")], [3600, gettext("h")], [60, gettext("min")]]) {
      const number = Math.floor(seconds / length);
      seconds -= number * length;
      if (number) parts.push(`${number} ${unit}`);
    }
    return parts.slice(0, 2).join(" ") || `${seconds} s`;
  };
  const tick = (root) => each("time[data-form=countdown]", root, (time) => {
    const text = left(new Date(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  });
  const localise = (root) => {
    each("time[data-form]", root, (time) => {
      const at = new Date(time.dateTime);
      time.title = `${inUtc.format(at)} UTC`;
      if (time.dataset.form !== "countdown") time.textContent = spoken(at, time.dataset.form);
    });
    tick(root);
  };

  // --- the booking form ------------------------------------------------------------------------
  // The visible inputs show local time and lose their names; hidden ones carry UTC.
  // What the server wrote into them is in the profile's zone, or in UTC.
  const localInputs = (form) => each("input[data-moment]", form, (input) => {
    const hidden = document.createElement("input");
    hidden.type = "hidden";
    hidden.name = input.name;
    input.removeAttribute("name");
    if (input.value && !chosenZone) input.value = minute(new Date(`${input.value}:00Z`));
    const carry = () => { hidden.value = input.value ? moment(input.value).toISOString() : ""; };
    input.addEventListener("input", carry);
    input.after(hidden);
    carry();
  });
  const chosen = (form, name) => form.querySelector(`input[name=${name}]:checked`)?.value;
  const startOf = (form) => {
    const typed = form.querySelector("#starts_at").value;
    return chosen(form, "begins") === "later" && typed ? moment(typed) : new Date();
  };
  const morningAfter = (at) => moment(`${plusDays(dayOf(at), 1)}T09:00`);
  const endOf = (form) => {
    const length = chosen(form, "length");
    const starts = startOf(form);
    if (length === "morning") return morningAfter(starts);
    if (length === "until") {
      const typed = form.querySelector("#ends_at").value;
      return typed ? moment(typed) : null;
    }
    return new Date(starts.getTime() + parseInt(length, 10) * 3600000);
  };
  const suggest = (form) => {
    const starts = form.querySelector("#starts_at");
    const ends = form.querySelector("#ends_at");
    const fill = (input, at) => {
      if (!input.value && at) { input.value = minute(at); input.dispatchEvent(new Event("input", { bubbles: true })); }
    };
    if (chosen(form, "begins") === "later") fill(starts, new Date(Math.ceil(Date.now() / 3600000) * 3600000));
    if (chosen(form, "length") === "until") fill(ends, new Date(startOf(form).getTime() + 4 * 3600000));
  };
  const sum = (form) => {
    const type = form.querySelector("input[name=type]:checked");
    const units = Math.max(1, parseInt(form.querySelector("#units").value, 10) || 1);
    const ends = endOf(form);
    form.querySelector("[data-morning]").value = morningAfter(startOf(form)).toISOString();
    if (type) {
      form.querySelector("#units").max = type.dataset.atMost;
      const shares = Math.min(units, type.dataset.atMost);
      const factor = { half: 0.5, double: 2 }[chosen(form, "size")] ?? 1;
      const some = (number) => Math.max(1, Math.floor(number * factor));
      const share = { cpu_cores: some(type.dataset.cores * shares), memory_gib: some(type.dataset.memory * shares), storage_gib: some(type.dataset.storage) };
      for (const [id, number] of Object.entries(share)) form.querySelector(`#${id}`).placeholder = number;
      form.querySelector("[data-share]").textContent = gettext(": {cpu_cores} cores, {memory_gib} GiB, {storage_gib} GiB storage", share);
    }
    form.querySelector("[data-repeat-until]").hidden = !form.querySelector("[data-repeat]").value;
    const now = chosen(form, "begins") !== "later";
    form.querySelector("[data-summary]").textContent = ends
      ? gettext("From {start} until {end}, {zone} time.", { start: now ? gettext("now") : spoken(startOf(form), "full"), end: spoken(ends, "full"), zone }) : "";
  };
  // A free window is chosen in place.  Free windows are looked for from the same time on until
  // the person names another start.
  const choose = (form, chip) => {
    const put = (id, at) => {
      const input = form.querySelector(`#${id}`);
      input.value = minute(new Date(at));
      input.dispatchEvent(new Event("input", { bubbles: true }));
    };
    form.querySelector("#begins-later").checked = true;
    form.querySelector("#length-until").checked = true;
    put("starts_at", chip.dataset.starts);
    put("ends_at", chip.dataset.ends);
  };
  const windows = (form) => {
    form.addEventListener("click", (event) => {
      const chip = event.target.closest?.("[data-window]");
      if (chip) { event.preventDefault(); choose(form, chip); }
    });
    form.addEventListener("input", (event) => {
      const from = form.querySelector("[data-looked-from]");
      if (from && event.isTrusted && (event.target.name === "begins" || event.target.id === "starts_at")) from.value = "";
    });
  };
  const booking = (form) => {
    windows(form);
    localInputs(form);
    form.querySelector("[data-time-zone]").value = zone;
    const look = () => { suggest(form); sum(form); };
    form.addEventListener("input", look);
    form.addEventListener("change", look);
    form.addEventListener("submit", (event) => {
      sum(form);
      if (form.dataset.sent && event.submitter?.name !== "refill") event.preventDefault();
      form.dataset.sent = "yes";
    });
    addEventListener("pageshow", () => { delete form.dataset.sent; });
    look();
  };

  // --- the dialog, and small things ------------------------------------------------------------
  const dialog = () => document.getElementById("dialog");
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "dialog-body" && !dialog().open) dialog().showModal();
  });
  document.addEventListener("htmx:load", (event) => localise(event.target));
  const copy = async (button) => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    // Browsers keep the clipboard's own interface from pages without TLS.
    if (navigator.clipboard) await navigator.clipboard.writeText(field.value);
    else document.execCommand("copy");
    const word = button.querySelector("[data-copied]");
    word.textContent = word.dataset.copied;
  };
  document.addEventListener("click", (event) => {
    const copies = event.target.closest?.("[data-copy]");
    if (copies) copy(copies);
    const inside = event.target.closest?.("#dialog [data-closes-dialog]");
    if (inside || event.target.id === "dialog") { event.preventDefault(); dialog().close(); }
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-submits]")) event.target.form.requestSubmit();
  });
  document.addEventListener("DOMContentLoaded", () => {
    localise(document);
    each("[data-zone]", document, (note) => { note.textContent = gettext("Times are in your time zone, {zone}.", { zone }); });
    each("[data-without-script]", document, (element) => { element.hidden = true; });
    each("[data-booking]", document, booking);
    each("[data-moments]", document, localInputs);
    document.querySelector("[data-focus]")?.focus();
    setInterval(() => tick(document), 1000);
  });
})();
