// The charts of costs.  Without this file the page says the same in tables.
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
  const few = new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 3, notation: "compact" });
  const whole = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const COLOURS = { [gettext("Booked, used")]: "success", [gettext("Booked, unused")]: "warning", [gettext("Idle and stranded")]: "secondary", [gettext("Other")]: "azure", [gettext("Amount")]: "primary" };

  const option = (found, currency, sideways) => {
    const text = colour("body-color"), quiet = colour("secondary"), line = colour("border-color");
    const names = { type: "category", data: found.names, inverse: sideways, axisTick: { show: false }, axisLine: { lineStyle: { color: line } }, axisLabel: { color: quiet, width: sideways ? 130 : 70, overflow: "truncate", hideOverlap: !sideways } };
    const amounts = { type: "value", splitNumber: 4, axisLabel: { color: quiet, formatter: few.format, hideOverlap: true }, splitLine: { lineStyle: { color: line } } };
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: text },
      grid: { left: 8, right: 24, top: 12, bottom: 40, containLabel: true },
      legend: { type: "scroll", bottom: 0, textStyle: { color: text }, pageTextStyle: { color: quiet }, pageIconColor: quiet },
      // Drawn inside the picture: a tooltip of HTML would bring style attributes, which are refused.
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, axisPointer: { type: "shadow" }, backgroundColor: colour("bg-surface"), borderColor: line, textStyle: { color: text, fontSize: 12 }, valueFormatter: (value) => `${whole.format(value)} ${currency}` },
      xAxis: sideways ? amounts : names,
      yAxis: sideways ? names : amounts,
      series: found.series.map((each) => ({ type: "bar", stack: "all", barMaxWidth: sideways ? 18 : 44, itemStyle: { color: colour(COLOURS[each.name] ?? "primary") }, ...each })),
    };
  };
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => charts.get(target)?.resize()));
  const drawAll = () => {
    charts.forEach((chart, place) => { sizes.unobserve(place); chart.dispose(); });
    charts.clear();
    const data = document.getElementById("drawings");
    if (!data || !window.echarts) return;
    const drawings = JSON.parse(data.textContent);
    document.querySelectorAll("[data-chart]").forEach((place) => {
      const chart = echarts.init(place, null, { renderer: "svg" });
      chart.setOption(option(drawings[place.dataset.chart], drawings.currency, place.dataset.chart === "groups"));
      charts.set(place, chart);
      sizes.observe(place);
    });
  };
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    drawAll();
  });
})();
