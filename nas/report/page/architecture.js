// An architecture in words and as a picture of its graph.

const SUPERSCRIPT = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function runs(items) {
  const found = [];
  for (const item of items) {
    const last = found[found.length - 1];
    if (last && last[0] === item) last[1] += 1;
    else found.push([item, 1]);
  }
  return found;
}

function raised(n) {
  return [...String(n)].map((d) => SUPERSCRIPT[d]).join("");
}

function inAll(items) {
  const found = runs(items);
  if (found.length === 1) return found[0][1] > 1 ? `${found[0][0]} in all` : found[0][0];
  return found.map(([item, n]) => (n > 2 ? `(${item})×${n}` : Array(n).fill(item).join(" "))).join(" ");
}

function layerOf(number) {
  const [width, heads, stack, parts] = data.layers[number];
  return { width, heads: data.heads[heads], feedforward: data.stacks[stack], parts: parts === undefined ? [] : data.parts[parts] };
}

function layersOf(row) {
  return data.trials.layers[row].map(layerOf);
}

function headsText(layer) {
  return layer.heads.map(([kind, , n]) => `${n}×${kind}`).join("+");
}

function stackText(layer) {
  return runs(layer.feedforward).map(([w, n]) => (n > 1 ? `${w}${raised(n)}` : `${w}`)).join(">");
}

// What stands in slots where it is not the default: of layers, then of the model.
function partsText(row, layers) {
  const usual = data.usual || {};
  const slots = Object.keys(usual).filter((slot) => layers.some((l) => l.parts.some(([name]) => name === slot)));
  const standing = (layer, slot) => (layer.parts.find(([name]) => name === slot) || [slot, usual[slot]])[1];
  const found = slots.map((slot) => `${slot} ${inAll(layers.map((l) => standing(l, slot)))}`);
  const model = data.trials.model[row] || [];
  return [...found, ...model.map(([slot, part]) => `${slot} ${part}`)].map((text) => ` | ${text}`).join("");
}

function describe(row) {
  const layers = layersOf(row);
  const widths = runs(layers.map((l) => String(l.width))).map(([w, n]) => (n > 3 ? `${w}${raised(n)}` : Array(n).fill(w).join("·"))).join("·");
  return `${layers.length} layers ${widths} | ${inAll(layers.map(headsText))} | ff ${inAll(layers.map(stackText))}${partsText(row, layers)}`;
}

function kindColour(kind) {
  const known = { sa_sdp: "sdp", sa_wma: "wma", l_dft: "dft", l_dct: "dct" };
  return colour(known[kind] || (kind.startsWith("c_") ? "conv" : "other"));
}

// "longconv(filter=32,taps=64)" in lines that fit into a block: the kind, then its settings.
function partLines(text, fitting) {
  return text.length <= fitting ? [text] : text.replace(/\)$/, "").split(/[(,]/);
}

function headLines([kind, width, count]) {
  const [name, ...settings] = kind.includes("(") ? partLines(kind, 0) : [kind.replace("_", " ")];
  return [`${count} × ${name}`, ...settings, `width ${width}`];
}

// Draws blocks from top to bottom; layers alike that follow each other are drawn once.
function drawGraph(row) {
  const width = 340, middle = width / 2, rowHeight = 30, gap = 20, perRow = 3;
  const groups = runs(data.trials.layers[row]);
  const edges = [], blocks = [], frames = [];
  let y = 8, first = 1, above = null;

  function block(x, top, w, h, fillStyle, lines) {
    blocks.push(svg("rect", { x: x - w / 2, y: top, width: w, height: h, rx: 6, fill: fillStyle, class: "block" }));
    lines.forEach((line, i) => blocks.push(svg("text", {
      x, y: top + h / 2 + 4 + (i - (lines.length - 1) / 2) * 13, class: i ? "block-text small" : "block-text",
    }, line)));
    return { x, top, bottom: top + h, left: x - w / 2 };
  }
  function arrow(from, to) {
    edges.push(svg("path", { class: "edge", "marker-end": "url(#tip-of-edge)", d: `M${from.x} ${from.bottom}L${to.x} ${to.top - 2}` }));
  }
  // a residual connection runs down the left of everything it passes
  function around(from, to, side) {
    const a = (from.top + from.bottom) / 2 + 4, b = (to.top + to.bottom) / 2 - 3;
    edges.push(svg("path", {
      class: "edge residual", "marker-end": "url(#tip-of-edge)",
      d: `M${from.left} ${a}H${side + 6}Q${side} ${a} ${side} ${a + 6}V${b - 6}Q${side} ${b} ${side + 6} ${b}H${to.left - 2}`,
    }));
  }

  const more = (lines) => 12 * lines.length; // of height, for small lines in a block
  const beside = (parts) => parts.flatMap(([slot, part]) => partLines(`${slot} ${part}`, 24));

  const ofModel = beside(data.trials.model[row] || []);
  above = block(middle, y, 130, rowHeight + more(ofModel), colour("ends"), ["input", ...ofModel]);
  y += rowHeight + more(ofModel) + gap;
  let before = null;
  for (const [number, repeated] of groups) {
    const layer = layerOf(number);
    if (before !== null && before !== layer.width) {
      const map = block(middle, y, 150, 22, colour("ends"), [`project ${before} → ${layer.width}`]);
      arrow(above, map);
      above = map;
      y += 22 + gap;
    }
    const frameTop = y - 10, rows = Math.ceil(layer.heads.length / perRow);
    const entry = above, heads = [], written = layer.heads.map(headLines);
    const headHeight = 12 + 13 * Math.max(...written.map((lines) => lines.length)), below = headHeight + 8;
    layer.heads.forEach(([kind], i) => {
      const inRow = Math.min(perRow, layer.heads.length - perRow * Math.floor(i / perRow));
      const w = inRow > 2 ? 84 : 100, apart = w + 8;
      const x = middle + ((i % perRow) - (inRow - 1) / 2) * apart;
      heads.push(block(x, y + Math.floor(i / perRow) * below, w, headHeight, kindColour(kind), written[i]));
    });
    heads.forEach((h) => arrow(entry, h));
    y += rows * below - 8 + gap;
    const others = beside(layer.parts.filter(([slot]) => slot !== "feedforward"));
    const normHeight = rowHeight - 6 + more(others), normLines = [`add + norm ${layer.width}`, ...others];
    const norm = block(middle, y, 130, normHeight, colour("norm"), normLines);
    heads.forEach((h) => arrow(h, norm));
    around(entry, norm, 22);
    y += normHeight + gap;
    let last = norm;
    const kind = layer.parts.filter(([slot]) => slot === "feedforward").flatMap(([, part]) => partLines(part, 24));
    const mapHeight = rowHeight - 4 + more(kind);
    for (const [w, n] of runs(layer.feedforward)) {
      const map = block(middle, y, 130, mapHeight, colour("ff"), [n > 1 ? `${n} × feed-forward ${w}` : `feed-forward ${w}`, ...kind]);
      arrow(last, map);
      last = map;
      y += mapHeight + gap;
    }
    const end = block(middle, y, 130, normHeight, colour("norm"), normLines);
    arrow(last, end);
    around(norm, end, 60);
    y += normHeight + gap;
    const name = repeated > 1 ? `layers ${first}–${first + repeated - 1}: ${repeated} alike` : `layer ${first}`;
    frames.push(
      svg("rect", { class: "frame", x: 6, y: frameTop, width: width - 12, height: y - gap - frameTop + 6, rx: 9 }),
      svg("text", { class: "frame-name", transform: `translate(${width - 11} ${(frameTop + y - gap + 6) / 2}) rotate(-90)` }, name));
    first += repeated;
    before = layer.width;
    above = end;
    y += 6;
  }
  const output = block(middle, y, 130, rowHeight, colour("ends"), ["output"]);
  arrow(above, output);
  const marker = svg("marker", { id: "tip-of-edge", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" },
    svg("path", { d: "M0 0.5L8 4L0 7.5z", class: "edge-tip" }));
  return svg("svg", { class: "graph", viewBox: `0 0 ${width} ${y + rowHeight + 8}`, role: "img", "aria-label": `Graph of ${describe(row)}` },
    svg("defs", {}, marker), frames, edges, blocks);
}
