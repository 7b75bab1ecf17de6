// Making elements. Text from the run only ever becomes text nodes, never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// One line of a legend: a mark and what it means; the two stay together when lines wrap.
function legendItem(kind, paint, text) {
  return el("span", { class: "legend-item" }, el("span", { class: `key ${kind}`, style: paint ? `background:${paint}` : null }), text);
}

// A row of buttons of which one is pressed; calls `choose` with its key.
function choices(label, options, current, choose) {
  const buttons = options.map(({ key, label: text }) =>
    el("button", {
      type: "button",
      "aria-pressed": String(key === current),
      "data-key": key,
      onclick: () => {
        for (const b of buttons) b.setAttribute("aria-pressed", String(b.dataset.key === key));
        choose(key);
      },
    }, text));
  return el("div", { class: "choices", role: "group", "aria-label": label },
    el("span", { class: "choices-label" }, label), buttons);
}

const tip = document.getElementById("tip");

// Shows lines of text beside a place of the window, inside it.
function showTip(lines, x, y) {
  tip.replaceChildren(...lines.filter(Boolean).map((line, i) => el(i ? "div" : "strong", {}, line)));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 14 + width < innerWidth ? x + 14 : Math.max(4, x - 14 - width);
  const top = Math.min(Math.max(4, y - height / 2), innerHeight - height - 4);
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

function hideTip() {
  tip.hidden = true;
}
