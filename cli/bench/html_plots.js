// Runs in the page of html_report.ts, after uPlot: draws what stands in #data.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let plots = [];

  function draw() {
    for (const plot of plots) plot.destroy();
    plots = [
      plotOf("rate", [data.seconds, data.rates, data.errors], {
        x: SECONDS,
        y: { range: (_, _low, high) => [0, high > 0 ? high * 1.05 : 1] },
        series: [
          { label: "right answers/s", ...line(0), value: rounded },
          { label: "errors/s", ...line(1), value: rounded },
        ],
      }),
      plotOf("latency", [data.seconds, data.p50, data.p99], {
        x: SECONDS,
        y: { distr: 3 },
        series: [
          { label: "p50", ...line(0), value: latency },
          { label: "p99", ...line(1), value: latency },
        ],
        yValues: latencies,
      }),
      plotOf("percentiles", [data.rarities, ...data.lines.map(({ values }) => values)], {
        x: {
          label: "percentile",
          scale: { distr: 3 },
          values: (_, splits) => splits.map((split) => isPowerOfTen(split) ? nines(split) : ""),
          value: (_, rarity) => rarity === null ? "" : nines(rarity),
        },
        y: { distr: 3 },
        series: data.lines.map(({ name }, at) => ({ label: name, ...line(at), value: latency })),
        yValues: latencies,
      }),
    ];
  }

  function plotOf(id, columns, { x, y, series, yValues = numbers }) {
    const element = document.getElementById(id);
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 } };
    const ticks = { ticks: { stroke: colour("--line"), width: 1 } };
    return new uPlot(
      {
        width: element.clientWidth,
        height: 260,
        scales: { x: { time: false, ...x.scale }, y },
        axes: [
          { ...axis, ...ticks, values: x.values ?? numbers, incrs: x.steps },
          { ...axis, ...ticks, values: yValues, size: 70 },
        ],
        series: [{ label: x.label, value: x.value }, ...series],
      },
      columns,
      element,
    );
  }

  function line(at) {
    const few = data.seconds.length < 3;
    return { stroke: COLOURS[at % COLOURS.length], width: 2, points: { show: few || undefined } };
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  const WHOLE_STEPS = [1, 2, 5].flatMap((step) => [1, 10, 100, 1_000, 10_000].map((n) => n * step))
    .sort((a, b) => a - b);
  const SECONDS = {
    label: "seconds",
    steps: WHOLE_STEPS,
    value: (_, at) => at === null ? "" : at.toFixed(0),
  };
  const COLOURS = ["#4f7fe8", "#e0702d", "#2f9e6b", "#b457c9", "#c9a227", "#3aa7c4", "#d64f6a"];

  function numbers(_, splits) {
    return splits.map((split) => split === null ? "" : split.toLocaleString("en-US"));
  }

  function rounded(_, value) {
    return value === null ? "–" : Math.round(value).toLocaleString("en-US");
  }

  function latency(_, ms) {
    if (ms === null) return "–";
    const [unit, size] = ms >= 1_000 ? ["s", 1_000] : ms >= 1 ? ["ms", 1] : ["µs", 0.001];
    return `${Number((ms / size).toPrecision(3))} ${unit}`;
  }

  function latencies(plot, splits) {
    return splits.map((split) => split === null ? "" : latency(plot, split));
  }

  function nines(rarity) {
    const share = 100 - 100 / rarity;
    return `p${Number(share.toFixed(Math.max(0, Math.ceil(Math.log10(rarity)) - 1)))}`;
  }

  function isPowerOfTen(number) {
    const power = Math.log10(number);
    return Math.abs(power - Math.round(power)) < 1e-9;
  }

  draw();
  dark.addEventListener("change", draw);
  addEventListener("resize", draw);
})();
