#pragma once
// The style and the script of the report page.

namespace unbraid::report {

inline constexpr const char* kPageStyle = R"css(
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #5c6670; --line: #d8dde3; --band: #f4f6f8;
  --accent: #0b62a4; --middle: #08306b; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181d; --ink: #e6e9ed; --soft: #9aa5b1; --line: #313a44; --band: #1c232a; --accent: #6db3f2; --middle: #1f78d1; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: .5rem 0 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p, figcaption, .note { color: var(--soft); margin: .3rem 0; font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, td.text { text-align: left; }
thead th { color: var(--soft); font-weight: 600; }
tbody tr, thead th { background: var(--paper); } tbody tr:nth-child(even) { background: var(--band); }
.wide th:first-child, .wide td:first-child { position: sticky; left: 0; background: inherit; }
.wide thead th:first-child { background: var(--paper); }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--accent); }
th[aria-sort=ascending] button::after { content: " ▲"; } th[aria-sort=descending] button::after { content: " ▼"; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem; }
.plots figure, figure { margin: 0; max-width: 100%; overflow-x: auto; }
svg { max-width: 100%; height: auto; } svg text { fill: var(--ink); } svg [fill="#666"] { fill: var(--soft); }
svg [stroke="#333"] { stroke: var(--ink); } svg [stroke="#08306b"] { stroke: var(--middle); } svg [stroke="#ddd"] { stroke: var(--line); }
details { border-top: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; font-weight: 600; }
.triptych { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: .6rem; }
.triptych img { width: 100%; image-rendering: auto; display: block; border-radius: 3px; }
audio { width: 100%; max-width: 30rem; }
.key span { display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin: 0 .3em 0 .8em; }
.warning { color: #b45309; } @media (prefers-color-scheme: dark) { .warning { color: #fbbf24; } }
)css";

/// Sorts a table by the column whose button is pressed; cells carry their number in data-v.
inline constexpr const char* kPageScript = R"js(
for (const button of document.querySelectorAll("table.sortable th button")) button.addEventListener("click", () => {
  const head = button.closest("th"), table = button.closest("table"), body = table.tBodies[0];
  const column = [...head.parentNode.children].indexOf(head);
  const up = head.getAttribute("aria-sort") === "descending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => { const cell = row.cells[column]; return cell.dataset.v === undefined ? cell.textContent
    : cell.dataset.v === "" ? -Infinity : Number(cell.dataset.v); };
  const rows = [...body.rows].sort((a, b) => { const x = value(a), y = value(b);
    return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1); });
  body.append(...rows);
});
)js";

}  // namespace unbraid::report
