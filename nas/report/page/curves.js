// Blocks that are charts: curves, scatter, map, bars over time.

const TONES = ["c0", "c1", "c2", "c3", "c4", "c5"];

function toneName(name) {
  return typeof name === "number" ? TONES[name % TONES.length] : { strong: "accent", plain: "ink", faint: "dominated" }[name];
}

function tone(name) {
  return colour(toneName(name));
}

function stepPath(points, kind) {
  return points.map(([px, py], i) => (i ? (kind === "step" ? `H${px}V${py}` : `L${px} ${py}`) : `M${px} ${py}`)).join("");
}

// Many points of a curve that fall on one pixel are one point.
function thinned(points) {
  if (points.length < 1500) return points;
  return points.filter(([px, py], i) => !i || i === points.length - 1 || Math.abs(px - points[i - 1][0]) > 0.4 || py !== points[i - 1][1]);
}

Object.assign(BLOCKS, {
  lines: (block) => {
    let axis = block.x[0].key;
    const curves = block.series.filter((s) => s.kind !== "points");
    const chart = new Chart({
      height: 320, label: `${block.y} over ${block.x.map((a) => a.label).join(", ")}`, select: openDialog,
      tipOf: (item) => item.trial !== undefined ? tipOfTrial(item.trial) : [item.name, `${block.x.find((a) => a.key === axis).label}: ${full(item.at)}`, `${block.y}: ${full(item.value)}`],
      draw: (c) => {
        const xs = extent(block.series.flatMap((s) => s.x[axis])), ys = extent(block.series.flatMap((s) => [...s.y, ...(s.low || []), ...(s.high || [])]));
        c.axes({ x: { domain: padded(xs, 0.02), whole: axis === "trials", label: block.x.find((a) => a.key === axis).label }, y: { domain: padded(ys), label: block.y } });
        for (const s of block.series) {
          const points = s.x[axis].map((v, i) => [c.x(v), c.y(s.y[i])]);
          if (s.low) {
            const top = s.high.map((v, i) => `${i ? "L" : "M"}${points[i][0]} ${c.y(v)}`).join("");
            const back = s.low.map((v, i) => [points[i][0], c.y(v)]).reverse().map(([px, py]) => `L${px} ${py}`).join("");
            c.svg.append(svg("path", { d: `${top}${back}Z`, fill: tone(s.tone), opacity: 0.13 }));
          }
          if (s.kind === "points") {
            points.forEach(([px, py], i) => {
              c.dot(px, py, points.length > 600 ? 2 : 3.5, tone(s.tone), 0.75);
              c.items.push({ x: px, y: py, trial: s.trials[i] });
            });
            continue;
          }
          c.svg.append(svg("path", { class: `curve ${s.tone === "strong" ? "strong" : ""}`, d: stepPath(thinned(points), s.kind), stroke: tone(s.tone) }));
          if (curves.length < 12 && !block.series.some((o) => o.kind === "points")) {
            points.forEach(([px, py], i) => c.items.push({ x: px, y: py, name: s.name, at: s.x[axis][i], value: s.y[i] }));
          }
        }
      },
    });
    const names = [...new Map(block.series.map((s) => [s.name, s])).values()];
    const legend = el("p", { class: "legend" }, names.map((s) => legendItem(s.kind === "points" ? "round" : "bar-key", `var(--${toneName(s.tone)})`, s.name)));
    return el("div", { class: "figure" }, HEAD(block),
      block.x.length > 1 ? choices("against", block.x, axis, (key) => { axis = key; chart.redraw(); }) : null, chart.root, legend);
  },

  scatter: (block) => {
    const p = block.points;
    const chart = new Chart({
      height: 320, label: `${block.y} over ${block.x}`, select: openDialog,
      tipOf: (item) => tipOfTrial(item.trial, [`${block.x}: ${full(item.at)}${item.half ? ` ± ${short(item.half)}` : ""}`, `${block.y}: ${full(item.value)}`]),
      draw: (c) => {
        let xs = extent([...p.x, ...(p.low || []), ...(p.high || [])]), ys = extent(p.y);
        if (block.diagonal) {
          // whiskers may run out of the picture; the points decide what is shown
          xs = extent([...p.x, ...p.y]);
          xs = ys = padded(xs, 0.12);
        }
        c.axes({ x: { domain: block.diagonal ? xs : padded(xs), label: block.x }, y: { domain: block.diagonal ? ys : padded(ys), label: block.y } });
        if (block.diagonal) c.svg.append(svg("line", { class: "diagonal", x1: c.x(xs[0]), y1: c.y(xs[0]), x2: c.x(xs[1]), y2: c.y(xs[1]) }));
        const clamp = (v) => Math.max(c.left, Math.min(c.right, v));
        p.x.forEach((v, i) => {
          const px = c.x(v), py = c.y(p.y[i]);
          const hit = !p.low || (p.y[i] >= p.low[i] && p.y[i] <= p.high[i]);
          const paint = colour(hit ? "c0" : "bad");
          if (p.low && p.x.length < 800) {
            c.context.strokeStyle = paint;
            c.context.globalAlpha = 0.4;
            c.context.lineWidth = 1.5;
            c.context.beginPath();
            c.context.moveTo(clamp(c.x(p.low[i])), py);
            c.context.lineTo(clamp(c.x(p.high[i])), py);
            c.context.stroke();
          }
          c.dot(px, py, p.x.length > 800 ? 2.2 : 4.5, paint, 0.9);
          c.items.push({ x: px, y: py, trial: p.trial[i], at: v, value: p.y[i], half: p.low && (p.high[i] - p.low[i]) / 2 });
        });
      },
    });
    const legend = p.low && el("p", { class: "legend" }, legendItem("round", "var(--c0)", "measured inside the 90 % interval"),
      legendItem("round", "var(--bad)", "outside"), legendItem("dash", null, "perfect prediction"));
    return el("div", { class: "figure half" }, HEAD(block), chart.root, legend);
  },

  map: (block) => {
    let by = block.colours[0].key;
    const p = block.points, legend = el("p", { class: "legend" });
    const chart = new Chart({
      height: 420, label: "Map of the space", select: openDialog, tipOf: (item) => tipOfTrial(item.trial),
      draw: (c) => {
        const [dx, dy] = alike(padded(extent(p.x)), padded(extent(p.y)), (c.width - 20) / (c.height - 20));
        c.axes({ x: { domain: dx, ticks: false }, y: { domain: dy, ticks: false }, left: 10, top: 10, bottom: 10, right: 10 });
        c.svg.append(svg("rect", { class: "border", x: 1, y: 1, width: c.width - 2, height: c.height - 2, rx: 10 }));
        const rule = block.colours.find((r) => r.key === by), paint = painter(rule, p, legend);
        const order = p.trial.map((_, i) => i).filter((i) => !passing || passing.has(p.trial[i])).sort((a, b) => (paint.rank(a) - paint.rank(b)));
        for (const i of order) {
          const px = c.x(p.x[i]), py = c.y(p.y[i]), many = p.x.length > 800;
          c.dot(px, py, paint.known(i) ? (many ? 3.2 : 6) : (many ? 2 : 4), paint.of(i), many ? 0.8 : 0.92);
          c.items.push({ x: px, y: py, trial: p.trial[i] });
        }
      },
    });
    filtered.push(() => chart.redraw());
    return el("div", { class: "figure" }, choices("colour by", block.colours, by, (key) => { by = key; chart.redraw(); }), chart.root, legend,
      el("p", { class: "quiet" }, "Shows the trials that pass the filters of the Pareto front."));
  },

  gantt: (block) => {
    const b = block.bars, each = Math.max(5, Math.min(26, 520 / block.lanes.length));
    const named = each > 11 ? block.lanes : block.lanes.map((_, i) => (i % Math.ceil(12 / each) ? "" : block.lanes[i]));
    const chart = new Chart({
      height: Math.round(each * block.lanes.length) + 64, label: "Workers over time", select: openDialog,
      tipOf: (item) => tipOfTrial(item.trial, [`${full(item.from)} s to ${full(item.to)} s (${full(item.to - item.from)} s)`]),
      draw: (c) => {
        const [low, high] = extent([...b.start, ...b.end]), long = high > 7200 ? [3600, "hours"] : high > 300 ? [60, "minutes"] : [1, "seconds"];
        c.axes({ x: { domain: padded([low / long[0], high / long[0]], 0.005), label: `${long[1]} since the start` }, y: { domain: [0, block.lanes.length], ticks: false, names: named }, top: 14 });
        const at = (seconds) => c.x(seconds / long[0]), tall = (c.bottom - c.top) / block.lanes.length;
        named.forEach((name, i) => name && c.svg.append(svg("text", { class: "tick", x: c.left - 6, y: c.top + (i + 0.5) * tall + 4, "text-anchor": "end" }, name)));
        const paints = { done: colour("c0"), failed: colour("bad"), running: colour("c1"), queued: colour("c4") };
        b.lane.forEach((lane, i) => {
          const item = { x: at(b.start[i]), y: c.top + lane * tall + 1, width: at(b.end[i]) - at(b.start[i]), height: tall - 2, trial: b.trial[i], from: b.start[i], to: b.end[i] };
          c.context.fillStyle = paints[b.status[i]];
          c.context.fillRect(item.x, item.y, Math.max(0.8, item.width - 1), item.height);
          if (item.width > 26 && item.height > 13) {
            c.context.fillStyle = colour("paper");
            c.context.font = "11px system-ui, sans-serif";
            c.context.fillText(String(b.trial[i]), item.x + 5, item.y + item.height / 2 + 4);
          }
          c.items.push(item);
        });
        for (const mark of block.marks) c.svg.append(svg("line", { class: "diagonal", x1: at(mark), x2: at(mark), y1: c.top, y2: c.bottom }));
      },
    });
    const names = { done: "c0", failed: "bad", running: "c1" };
    const legend = el("p", { class: "legend" }, [...new Set(b.status)].map((s) => legendItem("", `var(--${names[s] || "c4"})`, s)));
    return el("div", { class: "figure" }, chart.root, legend);
  },
});

// Two domains widened so that a step is as long across as up: distances can be compared.
function alike(x, y, aspect) {
  const grow = ([low, high], by) => [low - ((high - low) * (by - 1)) / 2, high + ((high - low) * (by - 1)) / 2];
  const has = (x[1] - x[0]) / (y[1] - y[0]);
  return has < aspect ? [grow(x, aspect / has), y] : [x, grow(y, has / aspect)];
}

const RAMP = ["#3b1c5a", "#31508f", "#1f8a8c", "#49b86b", "#f2dc3c"];

function ramp(share) {
  const place = Math.max(0, Math.min(1, share)) * (RAMP.length - 1), i = Math.min(RAMP.length - 2, Math.floor(place));
  const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  const mix = [0, 1, 2].map((k) => Math.round(part(RAMP[i], k) + (part(RAMP[i + 1], k) - part(RAMP[i], k)) * (place - i)));
  return `rgb(${mix.join(",")})`;
}

// How points are coloured by a number or by words; also fills the legend.
function painter(rule, points, legend) {
  const grey = colour("dominated");
  if (rule.kind === "number") {
    const numbers = points.trial.map((trial) => value(rowOf.get(trial), rule.column));
    const [low, high] = extent(numbers), sign = better(rule.column);
    const share = (i) => (sign * (numbers[i] - (sign > 0 ? low : high))) / (high - low || 1);
    legend.replaceChildren(full(sign > 0 ? low : high), el("span", { class: "ramp", style: `background:linear-gradient(90deg,${RAMP.join(",")})` }), `${full(sign > 0 ? high : low)} (better)`, numbers.includes(null) ? legendItem("round", "var(--dominated)", "no score") : "");
    return { of: (i) => (numbers[i] === null ? grey : ramp(share(i))), known: (i) => numbers[i] !== null, rank: (i) => (numbers[i] === null ? -1 : share(i)) };
  }
  const words = [...new Set(rule.words)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const ordered = words.length > TONES.length;
  const paint = (word) => (ordered ? ramp(words.indexOf(word) / (words.length - 1)) : colour(TONES[words.indexOf(word)]));
  legend.replaceChildren(...words.map((word) => legendItem("round", paint(word), word)));
  return { of: (i) => paint(rule.words[i]), known: () => true, rank: () => 0 };
}
