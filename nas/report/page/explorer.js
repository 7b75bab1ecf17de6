// The Pareto front in any two columns, with filters, details and a table of the same trials.

// Rows that no other row beats in both columns.
function frontOf(rows, x, y) {
  const sx = better(x), sy = better(y);
  const order = [...rows].sort((a, b) => sx * (value(b, x) - value(a, x)) || sy * (value(b, y) - value(a, y)));
  const front = [];
  let best = -Infinity, level = null;
  for (const row of order) {
    const v = sy * value(row, y);
    const equal = level !== null && value(level, x) === value(row, x) && value(level, y) === value(row, y);
    if (v > best || equal) { front.push(row); level = row; best = Math.max(best, v); }
  }
  return front;
}

function better(column) {
  return data.columns[column].direction === "min" ? -1 : 1;
}

function explorer(block) {
  let { x, y } = block;
  let shown = [], front = [], chosen = null, xLog = null;
  const rows = data.trials.trial.map((_, row) => row);
  const names = Object.keys(data.columns);
  const count = el("p", { class: "count", "aria-live": "polite" });
  const filters = makeFilters(() => refresh());
  const chart = new Chart({
    height: 480, label: "Pareto front", draw, select,
    tipOf: (item) => tipOfTrial(item.trial, names.includes(x) && !(x in data.objectives) ? [`${title(x)} ${full(value(rowOf.get(item.trial), x))}`] : []),
  });
  const table = trialTable();
  const pick = (label, current, set) => el("label", {}, el("span", {}, label), el("select", { onchange: (e) => { set(e.target.value); refresh(); } },
    names.map((c) => el("option", { value: c, selected: c === current }, data.columns[c].title))));
  const logBox = el("input", { type: "checkbox", onchange: (e) => { xLog = e.target.checked; chart.redraw(); } });
  panel = el("aside", { class: "trial", "aria-label": "The chosen trial", "aria-live": "polite" });
  listeners.push((trial) => { chosen = trial; chart.redraw(); });

  // Scores at different fidelities cannot be compared: those at the highest are drawn, unless
  // the filters name another.
  function drawable() {
    const counts = filters.fidelity === "" ? (r) => data.trials.counted[r] : (r) => data.trials.status[r] === "done";
    return shown.filter((r) => counts(r) && value(r, x) !== null && value(r, y) !== null);
  }

  function refresh() {
    shown = rows.filter(filters.passes);
    const drawn = drawable();
    front = frontOf(drawn, x, y);
    if (filters.frontOnly) shown = front;
    const n = rows.length;
    count.replaceChildren(`${shown.length.toLocaleString("en")} of ${n.toLocaleString("en")} trials shown: ${drawn.length.toLocaleString("en")} in the picture, ${front.length} of them on the front of these two columns.`);
    chart.redraw();
    table.fill(shown, x, y);
    passing = new Set(shown.map((r) => data.trials.trial[r]));
    for (const tell of filtered) tell();
  }

  function draw(c) {
    const drawn = drawable();
    const xs = extent(drawn.map((r) => value(r, x))), ys = extent(drawn.map((r) => value(r, y)));
    const can = xs[0] > 0;
    const log = can && (xLog === null ? xs[1] / xs[0] > 20 : xLog);
    logBox.checked = log;
    logBox.disabled = !can;
    const arrow = (column) => (better(column) > 0 ? "more is better" : "less is better");
    c.axes({
      x: { domain: log ? paddedLog(xs) : padded(xs), log, label: `${title(x)} (${arrow(x)})` },
      y: { domain: padded(ys), label: `${title(y)} (${arrow(y)})` },
    });
    if (!drawn.length) {
      c.svg.append(svg("text", { class: "empty", x: c.width / 2, y: c.height / 2 }, "No trial passes the filters."));
      return;
    }
    const onFront = new Set(front), grey = colour("dominated"), crowded = drawn.length > 600;
    for (const r of drawn) {
      const px = c.x(value(r, x)), py = c.y(value(r, y));
      c.items.push({ x: px, y: py, trial: data.trials.trial[r] });
      if (!onFront.has(r)) c.dot(px, py, crowded ? 2.6 : 4.5, grey, crowded ? 0.55 : 0.9);
    }
    const along = [...front].sort((a, b) => value(a, x) - value(b, x));
    const points = along.map((r) => [c.x(value(r, x)), c.y(value(r, y))]);
    let path = "";
    points.forEach(([px, py], i) => {
      if (!i) path = `M${px} ${py}`;
      else path += better(x) < 0 ? `H${px}V${py}` : `V${py}H${px}`;
    });
    c.svg.append(svg("path", { class: "front-line", d: path }));
    along.forEach((r, i) => c.svg.append(svg("circle", { class: "front-point", "data-trial": data.trials.trial[r], cx: points[i][0], cy: points[i][1], r: along.length > 60 ? 4 : 6 })));
    const row = rowOf.get(chosen);
    if (row !== undefined && drawn.includes(row)) {
      c.svg.append(svg("circle", { class: "chosen", cx: c.x(value(row, x)), cy: c.y(value(row, y)), r: 9.5 }));
    }
  }

  const wide = matchMedia("(min-width: 960px)").matches;
  const filterBox = el("details", { class: "filter-box", open: wide }, el("summary", {}, "Filters"), filters.root);
  const root = el("div", { class: "explorer" },
    el("div", { class: "explorer-main" },
      el("div", { class: "axes-row" }, pick("across", x, (v) => { x = v; xLog = null; }), pick("up", y, (v) => { y = v; }),
        el("label", { class: "check" }, logBox, el("span", {}, "logarithmic"))),
      chart.root,
      el("p", { class: "legend" }, legendItem("front", null, "on the front"), legendItem("dominated", null, "beaten by another")),
      count, filterBox),
    panel);
  queueMicrotask(() => {
    refresh();
    const best = rows.filter((r) => data.trials.counted[r]).reduce((a, b) => (better(score) * value(b, score) > better(score) * value(a, score) ? b : a));
    select(data.trials.trial[best]);
  });
  return [root, el("details", { class: "table-box" }, el("summary", {}, "All trials as a table"), table.root)];
}

// A sortable table of trials that grows on demand.
function trialTable() {
  const root = el("div", { class: "scroll" });
  let rows = [], columns = [], sort = { key: "trial", down: false }, limit = 50;
  const cell = {
    trial: (r) => data.trials.trial[r], hash: (r) => data.trials.hash[r].slice(0, 10), status: (r) => data.trials.status[r],
    layers: (r) => depths[r], architecture: (r) => describe(r),
  };
  const get = (key, r) => (cell[key] ? cell[key](r) : value(r, key));
  function draw() {
    const order = [...rows].sort((a, b) => {
      const u = get(sort.key, a), v = get(sort.key, b);
      if (u === null || v === null) return (u === null) - (v === null);
      return (u < v ? -1 : u > v ? 1 : 0) * (sort.down ? -1 : 1);
    });
    const words = ["hash", "status", "architecture"];
    const head = columns.map((key) => el("th", { scope: "col", class: words.includes(key) ? "" : "number", "aria-sort": sort.key === key ? (sort.down ? "descending" : "ascending") : "none" },
      el("button", { type: "button", onclick: () => { sort = { key, down: sort.key === key ? !sort.down : better2(key) }; draw(); } }, cell[key] ? key : title(key), sort.key === key ? (sort.down ? " ↓" : " ↑") : "")));
    const body = order.slice(0, limit).map((r) => el("tr", {}, columns.map((key) => key === "trial"
      ? el("td", { class: "number" }, el("button", { type: "button", class: "link", onclick: () => openDialog(data.trials.trial[r]) }, data.trials.trial[r]))
      : el("td", { class: words.includes(key) ? "" : "number" }, words.includes(key) ? get(key, r) : full(get(key, r))))));
    const rest = order.length - limit;
    root.replaceChildren(el("table", { class: "trials" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)),
      rest > 0 ? el("button", { type: "button", class: "more", onclick: () => { limit += 200; draw(); } }, `Show ${Math.min(200, rest)} more of ${rest.toLocaleString("en")}`) : "");
  }
  const better2 = (key) => Boolean(data.columns[key]) && better(key) > 0;
  return {
    root,
    fill(next, x, y) {
      rows = next;
      columns = ["trial", "hash", "status", ...new Set([score, ...Object.keys(data.objectives), x, y]), "layers", "architecture"];
      if (root.closest("details") && root.closest("details").open) draw();
      else if (root.closest("details")) root.closest("details").addEventListener("toggle", draw, { once: true });
      else draw();
    },
  };
}
