// Charts of days and reasons, from what the page says in tables too.  Without this file those are there.
(() => {
  "use strict";
  const charts = new Map();
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
  const language = document.documentElement.lang || "en";
  const few = new Intl.NumberFormat(language, { maximumSignificantDigits: 3, notation: "compact" });
  const exact = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
  const date = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { day: "numeric", month: "short", timeZone: "UTC" });
  const named = (name) => (/^\d{4}-\d\d-\d\d$/.test(name) ? date.format(new Date(`${name}T00:00Z`)) : name);

  const option = (found) => {
    const text = colour("body-color"), quiet = colour("secondary"), line = colour("border-color");
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: text },
      grid: { left: 8, right: 16, top: 12, bottom: 36, containLabel: true },
      legend: { type: "scroll", bottom: 0, itemWidth: 14, itemHeight: 10, textStyle: { color: text }, pageTextStyle: { color: quiet }, pageIconColor: quiet },
      // Drawn inside the picture: a tooltip of HTML would bring style attributes, which are refused.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colour("bg-surface"), borderColor: line, textStyle: { color: text, fontSize: 12 }, valueFormatter: (value) => (value === undefined || value === null ? "–" : `${exact.format(value)} ${found.unit}`) },
      xAxis: { type: "category", data: found.names.map(named), axisTick: { show: false }, axisLine: { lineStyle: { color: line } }, axisLabel: { color: quiet, hideOverlap: true } },
      yAxis: { type: "value", splitNumber: 4, axisLabel: { color: quiet, formatter: few.format }, splitLine: { lineStyle: { color: line } } },
      series: found.series.map(({ tone, dashed, ...each }) => ({
        ...each,
        barMaxWidth: 22,
        showSymbol: each.data.length < 2,
        symbolSize: 6,
        itemStyle: { color: colour(tone) },
        lineStyle: { color: colour(tone), width: dashed ? 1 : 2, type: dashed ? "dashed" : "solid" },
      })),
    };
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => charts.get(target)?.resize()));
  const drawAll = () => {
    charts.forEach((chart, place) => { sizes.unobserve(place); chart.dispose(); });
    charts.clear();
    const data = document.getElementById("drawings");
    if (!data || !window.echarts) return;
    const drawings = JSON.parse(data.textContent);
    document.querySelectorAll("[data-drawing]").forEach((place) => {
      const chart = echarts.init(place, null, { renderer: "svg" });
      chart.setOption(option(drawings[place.dataset.drawing]));
      charts.set(place, chart);
      sizes.observe(place);
    });
  };
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.querySelector?.("[data-drawing]") || event.target.closest?.("[data-drawings]")) drawAll(); });
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    drawAll();
  });
})();
