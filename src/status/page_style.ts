import { createHash } from "node:crypto";

/** The page's style, by its system's preference light or dark; it fits a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #fff; --text: #1c2230; --dim: #5a6478; --line: #e1e5ec;
  --good: #176f3d; --good-ground: #dff3e6; --warn: #8a5300; --warn-ground: #fdf0d5;
  --bad: #a3221b; --bad-ground: #fde4e1; --accent: #2b56b8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151b; --card: #1a1f28; --text: #e7eaf0; --dim: #9aa5b8; --line: #2c3340;
    --good: #7fd6a0; --good-ground: #163323; --warn: #f0bf67; --warn-ground: #3a2c11;
    --bad: #ff9d94; --bad-ground: #43201d; --accent: #8fb0ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 70rem; padding: 1.25rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .9rem; margin-bottom: 1rem; }
h1 { margin: 0; font-size: 1.5rem; letter-spacing: -.01em; }
h2 { margin: 0 0 .6rem; font-size: 1.05rem; }
header p { flex-basis: 100%; margin: 0; color: var(--dim); overflow-wrap: anywhere; }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem 1.1rem; margin-bottom: 1rem;
}
.scroll { overflow-x: auto; }
.scroll + .scroll { margin-top: 1rem; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--dim); font-size: .87rem; padding-bottom: .5rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--dim); font-size: .8rem; font-weight: 600; border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody th { font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
.name { width: 100%; min-width: 8rem; overflow-wrap: anywhere; }
.when { white-space: nowrap; }
.dim { color: var(--dim); }
.pill {
  display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-weight: 600;
  font-size: .87rem; white-space: nowrap;
}
.good { color: var(--good); background: var(--good-ground); }
.warn { color: var(--warn); background: var(--warn-ground); }
.bad { color: var(--bad); background: var(--bad-ground); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 0; }
dt { color: var(--dim); font-size: .87rem; }
dd { margin: 0; font-size: 1.35rem; font-weight: 600; font-variant-numeric: tabular-nums; }
small { display: block; color: var(--dim); font-size: .87rem; font-weight: 400; }
p { margin: 0; }
footer { color: var(--dim); font-size: .87rem; }
a { color: var(--accent); }
@media (max-width: 40rem) {
  body { padding: .75rem; }
  section { padding: .8rem; }
  th, td { padding-right: .45rem; }
}
`;

/** What the page may do: show itself, in this one style. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
