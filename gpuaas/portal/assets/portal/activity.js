// What a session's GPUs and models did.  Without this file the words and the table say it.
(() => {
  "use strict";
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
  const few = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: "compact" });
  const percent = (ratio) => `${Math.round(ratio * 100)} %`;

  const frame = (drawings, more) => {
    const text = colour("body-color"), quiet = colour("secondary"), line = colour("border-color"), back = colour("bg-surface");
    const axis = { axisLabel: { color: quiet, hideOverlap: true }, axisLine: { lineStyle: { color: line } }, splitLine: { lineStyle: { color: line } } };
    return {
      animation: false,
      color: ["primary", "teal", "orange"].map(colour),
      textStyle: { fontFamily: property("font-sans-serif") || "sans-serif", color: text },
      grid: { left: 4, right: 16, top: 12, bottom: more.legend ? 36 : 8, containLabel: true },
      // Drawn inside the picture: a tooltip of HTML would bring style attributes, which are refused.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: back, borderColor: line, textStyle: { color: text, fontSize: 12 }, valueFormatter: more.format },
      legend: more.legend ? { bottom: 0, textStyle: { color: text }, itemWidth: 14, itemHeight: 10 } : { show: false },
      xAxis: { type: "time", min: drawings.since, max: Math.max(drawings.until, drawings.since + 60_000), ...axis, splitLine: { show: false } },
      yAxis: { type: "value", ...axis, axisLine: { show: false }, splitNumber: 4, axisLabel: { color: quiet, formatter: more.format }, ...more.yAxis },
      series: more.series,
    };
  };
  // A step that nobody saw is a gap in the line, not a slope.
  const withGaps = (points, step) => points.flatMap((point, index) => {
    const next = points[index + 1];
    return next && next[0] - point[0] > 1.5 * step ? [point, [point[0] + step, null]] : [point];
  });
  const draw = {
    gpu: (d) => frame(d, {
      format: percent,
      yAxis: { min: 0, max: 1, interval: 0.25 },
      series: [{ name: gettext("GPUs active"), type: "line", step: "end", showSymbol: d.gpu.length < 3, data: withGaps(d.gpu, d.step_ms), areaStyle: { opacity: 0.15 }, lineStyle: { width: 2 } }],
    }),
    tokens: (d) => frame(d, {
      format: (value) => few.format(value),
      legend: true,
      series: [[gettext("Prompt"), "prompt_computed"], [gettext("From a cache"), "prompt_cached"], [gettext("Generated"), "generated"]].map(([name, key]) => (
        { name, type: "bar", stack: "tokens", barMaxWidth: 14, data: d.tokens[key] }
      )),
    }),
  };

  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => charts.get(target)?.resize()));
  const drawAll = () => {
    charts.forEach((chart, place) => { sizes.unobserve(place); chart.dispose(); });
    charts.clear();
    const data = document.getElementById("activity-drawings");
    if (!data || !window.echarts) return;
    const drawings = JSON.parse(data.textContent);
    document.querySelectorAll("[data-activity]").forEach((place) => {
      const chart = echarts.init(place, null, { renderer: "svg" });
      chart.setOption(draw[place.dataset.activity](drawings));
      charts.set(place, chart);
      sizes.observe(place);
    });
  };
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.id === "activity") drawAll(); });
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    drawAll();
  });
})();
