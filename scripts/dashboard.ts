import { CONNECTIONS, HANDSHAKES } from "./dashboard/clients.ts";
import { CERTIFICATES, KEYS } from "./dashboard/keys.ts";
import { OVERVIEW } from "./dashboard/overview.ts";
import type { Panel } from "./dashboard/panel.ts";
import { HTTP_PORTS, PROCESS } from "./dashboard/process.ts";
import { THREADS } from "./dashboard/threads.ts";

/** Where Grafana's dashboard stands. */
export const DASHBOARD_FILE = new URL("../deploy/grafana/keyless.json", import.meta.url);

/** The text of deploy/grafana/keyless.json: a dashboard for Grafana 10.4 and later. */
export function dashboardJson(): string {
  return `${JSON.stringify(dashboard(), undefined, 2)}\n`;
}

function dashboard(): object {
  return {
    title: "keyless",
    description: "Key servers: requests, keys, handshakes, connections, certificates. " +
      "Made by `deno task docs`; what to do about it: docs/runbook.md.",
    uid: "keyless",
    tags: ["keyless", "tls"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1, // a crosshair through all panels
    time: { from: "now-6h", to: "now" },
    refresh: "30s",
    timezone: "browser",
    templating: { list: VARIABLES },
    panels: laidOut(),
  };
}

const DATASOURCE = { type: "prometheus", uid: "${datasource}" };

const VARIABLES = [
  { name: "datasource", label: "data source", type: "datasource", query: "prometheus" },
  labelVariable("job", "keyless_build_info"),
  labelVariable("instance", 'keyless_build_info{job=~"$job"}'),
];

function labelVariable(name: string, series: string): object {
  const query = `label_values(${series}, ${name})`;
  return {
    name,
    type: "query",
    datasource: DATASOURCE,
    definition: query,
    query: { qryType: 1, query, refId: "StandardVariableQuery" },
    refresh: 2, // whenever the time range changes
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: ["All"], value: ["$__all"] },
  };
}

/** What `$here` stands for. */
const HERE = 'job=~"$job",instance=~"$instance"';

const ROWS = [OVERVIEW, THREADS, KEYS, HANDSHAKES, CONNECTIONS, CERTIFICATES, PROCESS, HTTP_PORTS];

/** All panels, each row below the one before, from left to right. */
function laidOut(): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const { title, panels } of ROWS) {
    const gridPos = { h: 1, w: COLUMNS, x: 0, y };
    placed.push({
      id: placed.length + 1,
      type: "row",
      title,
      collapsed: false,
      gridPos,
      panels: [],
    });
    y += 1;
    let x = 0;
    let height = 0;
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) {
        y += height;
        x = 0;
      }
      height = HEIGHTS[panel.kind];
      const id = placed.length + 1;
      placed.push(rendered(panel, id, { h: height, w: panel.width, x, y }));
      x += panel.width;
    }
    y += height;
  }
  return placed;
}

const COLUMNS = 24;
const HEIGHTS = { stat: 4, graph: 8, table: 8 } as const;

function rendered(panel: Panel, id: number, gridPos: object): object {
  const { kind, title, description, queries } = panel;
  return {
    id,
    type: kind === "graph" ? "timeseries" : kind,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    targets: queries.map(([expression, legend], i) => ({
      refId: "ABCDEF"[i],
      datasource: DATASOURCE,
      expr: expression.replaceAll("$here", HERE),
      ...(legend === "" ? {} : { legendFormat: legend }),
      ...(kind === "table" ? { instant: true, format: "table" } : {}),
    })),
    fieldConfig: fieldConfig(panel),
    ...OPTIONS[kind],
    ...(panel.columns === undefined ? {} : { transformations: columns(panel.columns) }),
  };
}

function fieldConfig({ kind, unit, thresholds = [], below = "green", columns }: Panel): object {
  const steps = [
    { color: below, value: null },
    ...thresholds.map(([value, color]) => ({ color, value })),
  ];
  const showsThresholds = thresholds.length > 0;
  if (kind === "table") {
    const value = {
      matcher: { id: "byName", options: columns?.["Value"] ?? "Value" },
      properties: [
        { id: "unit", value: unit },
        { id: "decimals", value: showsThresholds ? 1 : 0 },
        ...(showsThresholds
          ? [
            { id: "custom.cellOptions", value: { type: "color-background" } },
            { id: "thresholds", value: { mode: "absolute", steps } },
          ]
          : []),
      ],
    };
    return { defaults: {}, overrides: [value] };
  }
  const defaults = {
    unit,
    thresholds: { mode: "absolute", steps },
    ...(kind === "stat" ? { color: { mode: "thresholds" } } : {
      min: 0,
      color: { mode: "palette-classic" },
      custom: {
        fillOpacity: 8,
        showPoints: "never",
        thresholdsStyle: { mode: showsThresholds ? "line" : "off" },
      },
    }),
  };
  return { defaults, overrides: [] };
}

const OPTIONS = {
  stat: {
    options: {
      colorMode: "value",
      graphMode: "area",
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    },
  },
  graph: {
    options: {
      legend: { displayMode: "list", placement: "bottom", showLegend: true },
      tooltip: { mode: "multi", sort: "desc" },
    },
  },
  table: { options: { showHeader: true } },
} as const;

/** Shows these columns alone, in their order, by these names. */
function columns(names: Readonly<Record<string, string>>): object[] {
  const labels = Object.keys(names);
  return [
    { id: "filterFieldsByName", options: { include: { names: labels } } },
    {
      id: "organize",
      options: {
        indexByName: Object.fromEntries(labels.map((label, index) => [label, index])),
        renameByName: names,
      },
    },
  ];
}
