// Live answers and their charts.  Without this file the page computes when asked, in tables.
(() => {
  "use strict";
  const WAIT_MS = 300;
  const charts = new Map();
  const property = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--tblr-${name}`).trim();
  // ECharts reads rgb() and no newer notation: a pixel of the colour says it.
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colour = (name) => {
    const probe = document.body.appendChild(document.createElement("span"));
    probe.style.color = `var(--tblr-${name})`;
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = getComputedStyle(probe).color;
    pixel.fillRect(0, 0, 1, 1);
    probe.remove();
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    return `rgba(${red},${green},${blue},${alpha / 255})`;
  };
  const short = (text, most = 34) => (text.length > most ? `…${text.slice(1 - most)}` : text);
  const percent = (ratio) => `${(ratio * 100).toFixed(ratio > 0 && ratio < 0.1 ? 1 : 0)} %`;
  const amount = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 0 });
  const roundUp = (value) => { const step = 10 ** Math.floor(Math.log10(value)); return Number((Math.ceil(value / step) * step).toPrecision(2)); };
  const few = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 3, notation: "compact" });

  // --- what every chart has --------------------------------------------------------------------
  let looks = null; // of one drawing of all charts
  const look = () => looks ??= ({ text: colour("body-color"), quiet: colour("secondary"), line: colour("border-color"), back: colour("bg-surface"), series: ["primary", "orange", "teal", "purple", "pink", "cyan"].map(colour) });
  const frame = (more) => {
    const { text, quiet, line, back, series } = look();
    return {
      animation: false,
      color: series,
      textStyle: { fontFamily: property("font-sans-serif") || "sans-serif", color: text },
      grid: { left: 8, right: 24, top: 24, bottom: 48, containLabel: true },
      legend: { type: "scroll", bottom: 0, textStyle: { color: text }, pageTextStyle: { color: quiet }, pageIconColor: quiet },
      // Drawn inside the picture: a tooltip of HTML would bring style attributes, which are refused.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: back, borderColor: line, textStyle: { color: text, fontSize: 12 } },
      ...more,
    };
  };
  const axis = (more) => {
    const { quiet, line } = look();
    return { nameTextStyle: { color: quiet }, axisLabel: { color: quiet, hideOverlap: true, ...more.axisLabel }, axisLine: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } }, ...without(more, "axisLabel") };
  };
  const without = (object, key) => { const { [key]: _, ...rest } = object; return rest; };
  const names = (list, width) => axis({ type: "category", inverse: true, data: list, axisTick: { show: false }, axisLabel: { width, overflow: "truncate" } });
  const bars = (data, series, { width = 120, format = few.format, legend = true, axisLabel = {} } = {}) => frame({
    ...(legend ? {} : { legend: { show: false }, grid: { left: 8, right: 64, top: 8, bottom: 8, containLabel: true } }),
    xAxis: axis({ type: "value", scale: false, splitNumber: 4, axisLabel: { formatter: format, ...axisLabel } }),
    yAxis: names(data, width),
    series: series.map((each) => ({ type: "bar", barMaxWidth: 18, ...each })),
  });

  // --- each chart ------------------------------------------------------------------------------
  const pairs = (x, y) => x.map((each, index) => [each, y[index]]);
  const draw = {
    cost: (d) => bars(d.cost.names.map((name) => name[0].toUpperCase() + name.slice(1)), [
      { name: gettext("{currency} a year", d), data: d.cost.amounts, label: { show: true, position: "right", color: look().text, formatter: ({ value }) => few.format(value) } },
    ], { legend: false }),
    unit_cost: (d) => {
      const { x_utilisation: x, y_own_per_million: y, lines } = d.unit_cost;
      const highest = y[x.findIndex((each) => each >= 0.1)];
      const crossing = lines.filter((each) => each.break_even_utilisation > 0.02 && each.break_even_utilisation <= 1 && each.per_million <= highest);
      const shown = [...lines.slice(0, 1), ...crossing.filter((each) => each !== lines[0]).sort((a, b) => a.per_million - b.per_million).filter((_, index, all) => index % Math.ceil(all.length / 3) === 0)];
      const at = (utilisation) => [utilisation, y[x.indexOf(utilisation)]];
      const mark = (utilisation) => ({ coord: at(utilisation), value: `${percent(utilisation)}: ${few.format(at(utilisation)[1])}` });
      return frame({
        xAxis: axis({ type: "value", min: 0, max: 1, name: gettext("utilisation"), nameLocation: "middle", nameGap: 26, axisLabel: { formatter: percent }, axisPointer: { label: { formatter: ({ value }) => gettext("at {ratio}", { ratio: percent(value) }) } } }),
        yAxis: axis({ type: "value", name: gettext("{currency} per million", d), nameTextStyle: { color: look().quiet, align: "left" }, max: roundUp(highest), axisLabel: { formatter: few.format } }),
        grid: { left: 8, right: 24, top: 32, bottom: 64, containLabel: true },
        tooltip: { ...frame({}).tooltip, valueFormatter: (value) => few.format(value) },
        series: [
          { name: gettext("Own"), type: "line", smooth: false, symbolSize: 4, lineStyle: { width: 3 }, data: pairs(x, y),
            markPoint: { symbol: "circle", symbolSize: 10, label: { position: "top", distance: 8, color: look().text, fontWeight: 600 }, data: [0.4, 0.8].map(mark) } },
          ...shown.map((each) => ({ name: short(each.id), type: "line", showSymbol: false, lineStyle: { type: "dashed", width: 1.5 }, data: [[0, each.per_million], [1, each.per_million]] })),
        ],
      });
    },
    break_even: (d) => {
      const known = d.unit_cost.lines.filter((each) => each.break_even_utilisation !== null).sort((a, b) => b.break_even_utilisation - a.break_even_utilisation);
      const option = bars(known.map((each) => each.id), [
        { name: gettext("own from"), data: known.map((each) => Math.min(1, each.break_even_utilisation)), label: { show: true, position: "right", color: look().text, formatter: ({ dataIndex }) => { const found = known[dataIndex].break_even_utilisation; return found > 1 ? gettext("never") : percent(found); } },
          markLine: { symbol: "none", silent: true, lineStyle: { color: look().quiet }, label: { show: false }, data: [{ xAxis: d.utilisation }] } },
      ], { width: 150, format: percent, legend: false });
      return { ...option, tooltip: { ...option.tooltip, valueFormatter: percent }, xAxis: { ...option.xAxis, max: 1, interval: 0.5 } };
    },
    growth_by_rounds: (d) => growth(d, d.growth_by_rounds, "rounds"),
    growth_by_agents: (d) => growth(d, d.growth_by_agents, "agents"),
    fleet: (d) => bars(d.fleet.names, [{ name: gettext("Own, per million"), data: d.fleet.own }, { name: gettext("Cloud, per million"), data: d.fleet.cloud }], { width: 90 }),
    tornado: (d) => {
      const { names: list, base_per_million: base, low_per_million: low, high_per_million: high } = d.tornado;
      const around = (values) => values.map((value) => value - base);
      const back = (value) => few.format(value + base);
      const option = bars(list, [
        { name: gettext("Lowered"), stack: "one", data: around(low) }, { name: gettext("Raised"), stack: "one", data: around(high) },
      ], { format: back });
      return { ...option, tooltip: { ...option.tooltip, valueFormatter: back } };
    },
  };
  const growth = (d, found, what) => frame({
    xAxis: axis({ type: "value", name: what === "rounds" ? gettext("rounds") : gettext("agents"), nameLocation: "middle", nameGap: 26, minInterval: 1, min: "dataMin", max: "dataMax" }),
    yAxis: axis({ type: "value", axisLabel: { formatter: few.format } }),
    grid: { left: 8, right: 24, top: 16, bottom: 64, containLabel: true },
    tooltip: { ...frame({}).tooltip, valueFormatter: (value) => `${d.currency} ${amount.format(value)}` },
    series: [
      { name: gettext("Cloud"), data: pairs(found[`x_${what}`], found.y_cloud) },
      { name: gettext("Cloud, with caching"), data: pairs(found[`x_${what}`], found.y_cloud_cached) },
      { name: gettext("Own"), step: "end", lineStyle: { width: 3 }, data: pairs(found[`x_${what}`], found.y_own) },
    ].map((each) => ({ type: "line", symbolSize: 4, ...each })),
  });

  // --- drawing ---------------------------------------------------------------------------------
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => charts.get(target)?.resize()));
  const drawAll = () => {
    charts.forEach((chart, place) => { sizes.unobserve(place); chart.dispose(); });
    charts.clear();
    const data = document.getElementById("drawings");
    if (!data || !window.echarts) return;
    looks = null;
    const drawings = JSON.parse(data.textContent);
    document.querySelectorAll("[data-chart]").forEach((place) => {
      const chart = echarts.init(place, null, { renderer: "svg" });
      chart.setOption(draw[place.dataset.chart](drawings));
      charts.set(place, chart);
      sizes.observe(place);
    });
  };

  // --- live ------------------------------------------------------------------------------------
  const mark = () => {
    const wrong = new Set([...document.querySelectorAll("#problems [data-field]")].map((each) => each.dataset.field));
    document.querySelectorAll("#fields input, #yaml").forEach((input) => {
      const isWrong = wrong.has(input.name) || (input.id === "yaml" && wrong.size > 0);
      if (isWrong && input.id !== "yaml") input.closest("details").open = true;
      input.classList.toggle("is-invalid", isWrong);
      input.setAttribute("aria-invalid", String(isWrong));
    });
  };
  const open = new Map();
  document.addEventListener("toggle", (event) => {
    if (event.target.dataset?.keeps) open.set(event.target.dataset.keeps, event.target.open);
  }, true);
  document.addEventListener("htmx:afterSettle", (event) => {
    document.querySelectorAll("details[data-keeps]").forEach((each) => { each.open = open.get(each.dataset.keeps) ?? each.open; });
    // A field was written into the text: replacing the text area would lose its size and place.
    const written = document.getElementById("written");
    if (written) { document.getElementById("yaml").value = JSON.parse(written.textContent); written.remove(); }
    if (event.target.id === "answers") drawAll();
    mark();
  });
  document.addEventListener("DOMContentLoaded", () => {
    const form = document.getElementById("planning");
    let waiting = 0;
    form.addEventListener("input", (event) => {
      const { name } = event.target;
      if (name !== "yaml" && !event.target.closest("#fields")) return;
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        htmx.ajax("POST", form.getAttribute("hx-post"), { source: form, target: "#answers", swap: "innerHTML", values: { changed: name } });
      }, WAIT_MS);
    });
    new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    drawAll();
    mark();
  });
})();
