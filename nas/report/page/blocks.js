// One drawing function for each type of block that is text, numbers or bars.

const HEAD = (block) => (block.title ? el("h3", {}, block.title) : null);

const BLOCKS = {
  note: (block) => el("p", { class: `note ${block.tone}` }, block.text),

  facts: (block) => el("div", { class: "facts" }, HEAD(block),
    el("dl", {}, block.pairs.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))))),

  code: (block) => el("div", {}, HEAD(block), el("pre", { tabindex: "0" }, block.text)),

  table: (block) => {
    const opens = block.columns.indexOf(block.trial), read = block.columns.indexOf(block.read);
    const cell = (text, i) => {
      const shown = typeof text === "number" ? full(text) : text;
      const inner = i === opens && rowOf.has(text) ? el("button", { type: "button", class: "link", onclick: () => openDialog(text) }, shown) : shown;
      return el("td", { class: i === read ? "words read" : block.left[i] ? "words" : "number", "data-label": block.columns[i] }, el("span", {}, inner));
    };
    const line = (row, at) => {
      const cells = row.map(cell);
      const more = block.more && block.more[at];
      if (more) cells[cells.length - 1].firstChild.append(el("details", {}, el("summary", {}, "Traceback and logs"), el("pre", { tabindex: "0" }, more)));
      return el("tr", {}, cells);
    };
    return el("div", {}, HEAD(block), el("div", { class: "scroll" }, el("table", { class: "stacks" },
      el("thead", {}, el("tr", {}, block.columns.map((name, i) => el("th", { scope: "col", class: block.left[i] ? "" : "number" }, name)))),
      el("tbody", {}, block.rows.map(line)))));
  },

  // Better is up on every axis; an axis on which all are equal has its mark in the middle.
  parallel: (block) => {
    const width = 760, height = 300, top = 34, bottom = 262, side = 70, n = block.axes.length;
    const ends = block.axes.map((_, i) => extent(block.rows.map((row) => row.values[i])));
    const across = (i) => side + (i * (width - 2 * side)) / Math.max(1, n - 1);
    const up = (i, v) => {
      const [low, high] = ends[i], span = high - low;
      const share = span > 0 ? (v - low) / span : 0.5;
      return bottom - (block.axes[i].direction === "min" ? 1 - share : share) * (bottom - top);
    };
    const root = svg("svg", { class: "parallel", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Parallel coordinates of ${block.axes.map((a) => a.name).join(", ")}` });
    for (const row of block.rows) {
      root.append(svg("polyline", {
        class: row.front ? "line on-front" : "line", "data-trial": row.trial,
        points: row.values.map((v, i) => `${across(i).toFixed(1)},${up(i, v).toFixed(1)}`).join(" "),
        onclick: () => openDialog(row.trial),
      }, svg("title", {}, `Trial ${row.trial}: ${row.values.map((v, i) => `${block.axes[i].name} ${full(v)}`).join(", ")}`)));
    }
    block.axes.forEach((axis, i) => {
      const [low, high] = ends[i], down = axis.direction === "min";
      root.append(svg("line", { class: "axis", x1: across(i), x2: across(i), y1: top, y2: bottom }),
        svg("text", { x: across(i), y: 14, "text-anchor": "middle", class: "name" }, axis.name),
        svg("text", { x: across(i), y: top - 6, "text-anchor": "middle" }, full(down ? low : high)),
        svg("text", { x: across(i), y: bottom + 16, "text-anchor": "middle" }, low === high ? "all equal" : full(down ? high : low)));
    });
    return el("div", {}, HEAD(block), el("div", { class: "scroll" }, root));
  },

  bars: (block) => {
    const ends = block.items.flatMap((item) => [item.value, item.low, item.high]).filter((v) => v !== undefined && v !== null);
    const low = Math.min(0, ...ends), high = Math.max(...ends, 1e-9);
    const place = (v) => ((v - low) / (high - low)) * 100;
    const rows = block.items.map((item) => el("div", { class: "bar-row" },
      el("span", { class: "bar-name" }, item.name),
      el("span", { class: "bar-track", role: "img", "aria-label": `${item.name}: ${full(item.value)} ${block.unit}` },
        el("span", { class: "bar", style: `left:${place(Math.min(0, item.value))}%;width:${Math.abs(place(item.value) - place(0))}%` }),
        item.low !== undefined && el("span", { class: "whisker", style: `left:${place(item.low)}%;width:${place(item.high) - place(item.low)}%` })),
      el("span", { class: "bar-value" }, Number.isInteger(item.value) ? short(item.value) : item.value.toFixed(2)),
      item.note && el("span", { class: "bar-note" }, item.note)));
    return el("div", { class: "bars" }, HEAD(block), rows, el("p", { class: "quiet" }, block.unit));
  },
};
