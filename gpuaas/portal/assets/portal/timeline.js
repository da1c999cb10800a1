// The calendar as a timeline.  The page's table says the same without this file.
(() => {
  "use strict";
  const HOUR = 3600000;
  const STEPS = { 1: ["01:00", "00:30"], 7: ["06:00", "01:00"], 14: ["12:00", "02:00"] };
  const SIDE = 168;
  const NAMES = { own: gettext("Mine"), team: gettext("My team's"), others: gettext("Others'") };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone; // what the library draws in
  const clock = new Intl.DateTimeFormat(document.documentElement.lang, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const dayMonth = new Intl.DateTimeFormat(document.documentElement.lang, { day: "numeric", month: "short" });
  const said = (start, end) => `${clock.format(start)} – ${clock.format(end)}`;
  const midnight = (text) => { const [year, month, day] = text.split("-").map(Number); return new Date(year, month - 1, day); };
  const plusDays = (at, days) => new Date(at.getFullYear(), at.getMonth(), at.getDate() + days);

  const timeline = (root) => {
    const days = Number(root.dataset.days);
    const chart = root.querySelector("[data-chart]");
    const status = root.querySelector("[data-status]");
    const token = root.querySelector("[name=csrfmiddlewaretoken]").value;
    const named = root.dataset.at ? new Date(root.dataset.at) : midnight(root.dataset.day);
    const first = plusDays(root.hasAttribute("data-today") ? new Date() : named, 0);
    const last = plusDays(first, days);
    const [slot, snap] = STEPS[days];
    let bars = [];
    let calendar;
    let busy = false;

    document.querySelector("[data-span-title]").textContent =
      `${dayMonth.format(first)}${days > 1 ? ` – ${dayMonth.format(plusDays(first, days - 1))}` : ""} ${plusDays(first, days - 1).getFullYear()}`;
    root.querySelector("[data-zone-name]").textContent = gettext("Times in {zone}", { zone });

    // --- what is said ---------------------------------------------------------------------------
    const say = (text, { bad = false, undo = null } = {}) => {
      status.replaceChildren(text);
      status.hidden = !text;
      status.classList.toggle("is-bad", bad);
      if (undo) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "btn btn-sm ms-2";
        button.textContent = gettext("Undo");
        button.addEventListener("click", undo);
        status.append(button);
      }
    };

    // --- what is shown --------------------------------------------------------------------------
    const hidden = new Set();
    const rowsOf = (rows) => rows.map((row) => ({
      id: row.id, title: row.title, extendedProps: { kind: row.kind, type: row.type, about: row.about, gets: row.gets },
      ...(row.children ? { children: rowsOf(row.children) } : {}),
    }));
    const shown = () => bars.filter((bar) => !hidden.has(bar.kind)).map((bar, number) => ({
      id: bar.id ? `${bar.id}/${bar.start}` : `bar-${number}`,
      resourceIds: bar.rows,
      start: new Date(bar.start),
      end: new Date(bar.end),
      title: bar.title,
      classNames: [`is-${bar.kind}`],
      startEditable: Boolean(bar.moves),
      durationEditable: Boolean(bar.resizes),
      extendedProps: bar,
    }));
    const others = (row, times) => Array.from({ length: times.length / 2 }, (_, each) => ({
      rows: [row], start: times[2 * each], end: times[2 * each + 1], title: gettext("Booked"), kind: "others",
    }));
    const load = async () => {
      const address = `${root.dataset.source}?from=${encodeURIComponent(first.toISOString())}&until=${encodeURIComponent(last.toISOString())}`;
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      bars = [...found.bars, ...Object.entries(found.taken).flatMap(([row, times]) => others(row, times))];
      return rowsOf(found.rows);
    };
    const refresh = async () => {
      try {
        const rows = await load();
        calendar.setOption("resources", rows);
        calendar.setOption("events", shown());
      } catch {
        say(gettext("The calendar cannot be read right now. What you see may be old."), { bad: true });
      }
    };

    // --- what is changed ------------------------------------------------------------------------
    const change = async (bar, start, end, { undoing = false } = {}) => {
      const body = new URLSearchParams({ starts_at: start.toISOString(), ends_at: end.toISOString() });
      const address = root.dataset.drag.replace("00000000-0000-0000-0000-000000000000", bar.id);
      let problems;
      busy = true;
      try {
        const answer = await fetch(address, { method: "POST", body, headers: { "X-CSRFToken": token } });
        problems = answer.ok || answer.status === 422 ? (await answer.json()).problems : [gettext("It could not be changed: look whether it is still there.")];
      } catch {
        problems = [gettext("There is no connection. Nothing was changed.")];
      }
      if (problems.length) say(problems.join(" "), { bad: true });
      else if (undoing) say(gettext("It is as it was."));
      else say(gettext("Changed: {window}.", { window: said(start, end) }), { undo: () => change(bar, new Date(bar.start), new Date(bar.end), { undoing: true }) });
      await refresh();
      busy = false;
    };
    // A bar that a drag moved by whole steps keeps its own seconds: only the difference counts.
    const dropped = (info, from, to) => {
      const bar = info.oldEvent.extendedProps;
      const start = new Date(new Date(bar.start).getTime() + from);
      const end = new Date(new Date(bar.end).getTime() + to);
      if (!from && !to) {
        info.revert();
        if (info.newResource) say(gettext("Which device a booking gets is chosen for it: drag it sideways, to another time."), { bad: true });
        return;
      }
      change(bar, start, end);
    };
    const clashes = (rows, start, end, id) => bars.some((bar) => bar.id !== id && !bar.kind.startsWith("heat-")
      && bar.rows.some((row) => rows.includes(row)) && new Date(bar.start) < end && start < new Date(bar.end));
    const live = (info) => {
      const bar = info.event.extendedProps;
      const { start, end } = info.event;
      if (start < Date.now() && bar.moves) say(gettext("It cannot start in the past."), { bad: true });
      else if (clashes(bar.rows, start, end, bar.id)) say(gettext("{window}: this device is taken then; another one may be free.", { window: said(start, end) }), { bad: true });
      else say(said(start, end));
      return true;
    };
    const selects = (info) => {
      const kind = info.resource?.extendedProps.kind;
      return kind === "device" && info.end > Date.now() && !clashes([info.resource.id], info.start, info.end);
    };
    const selected = (info) => {
      const start = info.start < Date.now() ? null : info.start;
      const query = new URLSearchParams({ type: info.resource.extendedProps.type, units: "1", length: "until", ends_at: info.end.toISOString() });
      if (start) { query.set("begins", "later"); query.set("starts_at", start.toISOString()); }
      location.assign(`${root.dataset.book}?${query}`);
    };

    // --- the keyboard ---------------------------------------------------------------------------
    const pressed = (bar) => (event) => {
      if (event.key === "Enter") location.assign(bar.url);
      if (!event.shiftKey || !["ArrowLeft", "ArrowRight"].includes(event.key) || !bar.resizes) return;
      event.preventDefault();
      event.stopPropagation();
      if (busy) return;
      const step = (event.key === "ArrowLeft" ? -1 : 1) * (days === 1 ? HOUR / 2 : HOUR);
      const start = new Date(bar.start);
      const end = new Date(new Date(bar.end).getTime() + step);
      if (!event.ctrlKey) start.setTime(start.getTime() + step);
      change(bar, start, end).then(() => requestAnimationFrame(() => chart.querySelector(`[data-reservation="${bar.id}"]`)?.focus()));
    };
    const mounted = ({ event, el }) => {
      const bar = event.extendedProps;
      const times = said(event.start, event.end);
      el.title = `${bar.label ?? bar.title}\n${times}`;
      el.removeAttribute("role");
      el.removeAttribute("tabindex");
      if (!bar.url) return;
      el.dataset.reservation = bar.id;
      el.setAttribute("role", "link");
      el.tabIndex = 0;
      el.setAttribute("aria-label", `${NAMES[bar.kind]}: ${bar.title}, ${times}`);
      el.addEventListener("keydown", pressed(bar));
    };
    document.addEventListener("keydown", (event) => {
      if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, select, textarea")) document.querySelector("[data-key=t]").click();
    });
    root.querySelectorAll("[data-shows]").forEach((box) => box.addEventListener("change", () => {
      if (box.checked) hidden.delete(box.dataset.shows); else hidden.add(box.dataset.shows);
      calendar?.setOption("events", shown());
    }));

    // Its roles promise a table that is not there.  Ours is one link away.
    const unroled = () => chart.querySelectorAll("[role=table], [role=row], [role=rowgroup], [role=rowheader], [role=columnheader], [role=cell], [aria-colindex], [aria-rowindex]")
      .forEach((el) => ["role", "aria-colindex", "aria-rowindex", "aria-colcount", "aria-rowcount"].forEach((name) => el.removeAttribute(name)));

    // --- drawing it -----------------------------------------------------------------------------
    const draw = (rows) => {
      chart.replaceChildren();
      const slots = days * 24 / parseInt(slot, 10);
      const dark = document.documentElement.dataset.bsTheme === "dark";
      chart.classList.toggle("ec-dark", dark);
      calendar = window.EventCalendar.create(chart, {
        view: "shownDays",
        views: { shownDays: { type: "resourceTimelineDay", duration: { days } } },
        date: first,
        headerToolbar: { start: "", center: "", end: "" },
        locale: document.documentElement.lang,
        resources: rows,
        events: shown(),
        nowIndicator: true,
        slotDuration: slot,
        snapDuration: snap,
        slotLabelInterval: slot,
        slotWidth: Math.max(28, Math.floor((chart.clientWidth - SIDE - 2) / slots)),
        slotLabelFormat: (time) => String(time.getHours()).padStart(2, "0"),
        dayHeaderFormat: { weekday: "short", day: "numeric", month: "short" },
        eventTimeFormat: () => "",
        selectable: Boolean(root.dataset.book),
        selectConstraint: selects,
        select: selected,
        dragConstraint: live,
        resizeConstraint: live,
        longPressDelay: 400,
        eventStartEditable: true,
        eventDurationEditable: true,
        eventDrop: (info) => dropped(info, info.event.start - info.oldEvent.start, info.event.end - info.oldEvent.end),
        eventResize: (info) => dropped(info, 0, info.event.end - info.oldEvent.end),
        eventClick: ({ event }) => { if (event.extendedProps.url) location.assign(event.extendedProps.url); },
        eventDidMount: mounted,
        resourceLabelDidMount: ({ el, resource }) => {
          const { about, gets } = resource.extendedProps;
          el.title = about ?? resource.title;
          if (gets) {
            const line = document.createElement("small");
            line.className = "timeline-gets text-secondary";
            line.textContent = gets;
            el.append(line);
          }
          el.classList.add(`is-row-${resource.extendedProps.kind}`);
        },
      });
    };
    new MutationObserver(unroled).observe(chart, { childList: true, subtree: true });
    new MutationObserver(() => chart.classList.toggle("ec-dark", document.documentElement.dataset.bsTheme === "dark"))
      .observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
    load().then(draw).then(() => {
      root.dataset.ready = "yes";
      setInterval(() => { if (!document.hidden && !chart.querySelector(".ec-dragging, .ec-ghost, .ec-preview")) refresh(); }, 60000);
    }).catch(() => say(gettext("The calendar cannot be read right now. The table may say more."), { bad: true }));
  };

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-timeline]").forEach(timeline));
})();
