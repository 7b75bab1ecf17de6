// One plot: axes in SVG, many marks on a canvas under it, pointing and keys on top.

const charts = new Set();

function redrawAll() {
  for (const chart of charts) chart.redraw();
}

class Chart {
  // options: height, label (for readers), draw(chart), select(trial), tipOf(item)
  constructor(options) {
    this.options = options;
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.svg = svg("svg", { "aria-hidden": "true", focusable: "false" });
    this.root = el("div", {
      class: "chart", tabindex: "0", role: "application", "aria-label": options.label,
      "aria-roledescription": "plot; arrow keys move between marks, Enter opens one",
      style: `height:${options.height}px`,
    }, this.canvas, this.svg);
    this.items = [];
    this.at = -1;
    charts.add(this);
    new ResizeObserver(() => {
      if (this.root.clientWidth !== this.width) this.redraw();
    }).observe(this.root);
    this.root.addEventListener("pointermove", (e) => this.point(e));
    this.root.addEventListener("pointerleave", () => this.unpoint());
    this.root.addEventListener("click", (e) => this.click(e));
    this.root.addEventListener("keydown", (e) => this.key(e));
    this.root.addEventListener("blur", () => this.unpoint());
  }

  setHeight(height) {
    this.options.height = height;
    this.root.style.height = `${height}px`;
  }

  redraw() {
    this.width = this.root.clientWidth;
    if (!this.width) return;
    this.height = this.options.height;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context = this.canvas.getContext("2d");
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.replaceChildren();
    this.items = [];
    this.options.draw(this);
    this.ring = svg("circle", { class: "ring", r: 8, visibility: "hidden" });
    this.svg.append(this.ring);
    this.root.items = this.items; // for looking at it from the console, and for tests
  }

  // Sets the scales and draws the axes. Each axis: domain, log, label, ticks (labels or false).
  axes({ x, y, top = 30, bottom = 42, right = 14, left }) {
    const yTicks = y.ticks === false ? [] : y.log ? logTicks(y.domain, 6) : ticks(y.domain, 6);
    const yNames = tickNames(yTicks), texts = y.names || yNames;
    this.left = left || 14 + 6.6 * Math.max(2, ...texts.map((t) => t.length));
    this.top = top;
    this.right = this.width - right;
    this.bottom = this.height - bottom;
    this.x = scale(x, this.left, this.right);
    this.y = scale(y, this.bottom, this.top);
    const room = Math.max(2, Math.floor((this.right - this.left) / 62));
    const xTicks = x.ticks === false ? [] : x.log ? logTicks(x.domain, room) : ticks(x.domain, room, x.whole);
    for (const [i, t] of yTicks.entries()) {
      const at = this.y(t);
      this.svg.append(svg("line", { class: "grid", x1: this.left, x2: this.right, y1: at, y2: at }),
        svg("text", { class: "tick", x: this.left - 6, y: at + 4, "text-anchor": "end" }, yNames[i]));
    }
    const xNames = tickNames(xTicks);
    for (const [i, t] of xTicks.entries()) {
      const at = this.x(t);
      this.svg.append(svg("line", { class: "grid", x1: at, x2: at, y1: this.top, y2: this.bottom }),
        svg("text", { class: "tick", x: at, y: this.bottom + 16, "text-anchor": "middle" }, xNames[i]));
    }
    if (y.label) this.svg.append(svg("text", { class: "axis", x: 2, y: 14 }, y.label));
    if (x.label) {
      this.svg.append(svg("text", { class: "axis", x: this.right, y: this.height - 6, "text-anchor": "end" }, x.label));
    }
    if (x.ticks !== false) this.svg.append(svg("line", { class: "base", x1: this.left, x2: this.right, y1: this.bottom, y2: this.bottom }));
  }

  dot(x, y, radius, fillStyle, alpha = 1) {
    const c = this.context;
    c.globalAlpha = alpha;
    c.fillStyle = fillStyle;
    c.beginPath();
    c.arc(x, y, radius, 0, 7);
    c.fill();
    c.globalAlpha = 1;
  }

  // The mark under a place: a box that holds it, or else the nearest point within reach.
  find(x, y) {
    let best = -1, nearest = 26 * 26;
    this.items.forEach((item, i) => {
      if (item.width !== undefined) {
        if (x >= item.x - 1 && x <= item.x + Math.max(item.width, 3) + 1 && y >= item.y && y <= item.y + item.height) { best = i; nearest = -1; }
        return;
      }
      const d = (item.x - x) ** 2 + (item.y - y) ** 2;
      if (d < nearest) { nearest = d; best = i; }
    });
    return best;
  }

  // The points that lie on the mark number `i`, itself included; a box has none beside itself.
  stack(i) {
    if (i < 0 || this.items[i].width !== undefined) return i < 0 ? [] : [i];
    const { x, y } = this.items[i];
    return this.items.map((_, j) => j).filter((j) => this.items[j].width === undefined && (this.items[j].x - x) ** 2 + (this.items[j].y - y) ** 2 <= 16);
  }

  locate(event) {
    const box = this.root.getBoundingClientRect();
    return this.find(event.clientX - box.left, event.clientY - box.top);
  }

  point(event) {
    this.show(this.locate(event));
  }

  unpoint() {
    this.at = -1;
    if (this.ring) this.ring.setAttribute("visibility", "hidden");
    hideTip();
  }

  show(i) {
    if (i < 0) { this.unpoint(); return; }
    this.at = i;
    const item = this.items[i], box = this.root.getBoundingClientRect();
    const boxed = item.width !== undefined;
    const x = boxed ? item.x + item.width / 2 : item.x, y = boxed ? item.y + item.height / 2 : item.y;
    this.ring.setAttribute("cx", x);
    this.ring.setAttribute("cy", y);
    this.ring.setAttribute("visibility", boxed ? "hidden" : "visible");
    this.root.style.cursor = item.trial !== undefined ? "pointer" : "";
    const lines = this.options.tipOf(item);
    if (!lines) return;
    // all points under the pointer are named, and a further click opens the next of them
    const others = this.stack(i).filter((j) => j !== i).map((j) => this.options.tipOf(this.items[j])).filter(Boolean);
    const names = others.slice(0, 5).map((tip) => tip[0]);
    if (others.length > names.length) names.push(`${others.length - names.length} more`);
    showTip([...lines, names.length ? "Here too (click again for the next):" : "", ...names], box.left + x, box.top + y);
  }

  click(event) {
    const i = this.locate(event);
    if (i < 0) return;
    const stack = this.stack(i), last = stack.indexOf(this.opened);
    this.opened = stack[last < 0 ? Math.max(stack.indexOf(i), 0) : (last + 1) % stack.length];
    this.open(this.opened);
  }

  open(i) {
    const { trial } = this.items[i];
    if (trial !== undefined && this.options.select) this.options.select(trial);
  }

  key(event) {
    if (event.key === "Escape") { this.unpoint(); return; }
    if ((event.key === "Enter" || event.key === " ") && this.at >= 0) {
      event.preventDefault();
      this.open(this.at);
      return;
    }
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step || !this.items.length) return;
    event.preventDefault();
    const order = this.items.map((_, i) => i).sort((a, b) => this.items[a].x - this.items[b].x || this.items[a].y - this.items[b].y);
    const place = order.indexOf(this.at);
    this.show(order[(place + step + order.length) % order.length]);
  }
}

function scale({ domain: [low, high], log }, start, end) {
  if (log) {
    const a = Math.log(low), b = Math.log(high) - a || 1;
    return (v) => start + ((Math.log(v) - a) / b) * (end - start);
  }
  const span = high - low || 1;
  return (v) => start + ((v - low) / span) * (end - start);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
