// Which trials are shown: by operation, depth, status, fidelity, score, and the front.

const depths = data.trials.layers.map((l) => l.length);
const kindsOf = data.trials.layers.map((l) => new Set(l.flatMap((i) => data.heads[data.layers[i][1]].map(([kind]) => kind))));
const score = Object.keys(data.objectives)[0];

function makeFilters(changed) {
  const [shallow, deep] = extent(depths);
  const statuses = [...new Set(data.trials.status)];
  const levels = [...new Set(data.trials.fidelity)].sort((a, b) => a - b);
  const fresh = () => ({ kinds: {}, least: shallow, most: deep, statuses: new Set(statuses), fidelity: "", low: null, high: null, front: false });
  let state = fresh();
  const root = el("form", { class: "filters", "aria-label": "Filters", onsubmit: (e) => e.preventDefault() });

  function update() {
    changed();
  }
  function choose(label, options, current, set) {
    const input = el("select", { onchange: (e) => { set(e.target.value); update(); } },
      options.map(([v, text]) => el("option", { value: v, selected: String(v) === String(current) }, text)));
    return el("label", {}, el("span", {}, label), input);
  }
  function number(label, set) {
    return el("label", {}, el("span", {}, label), el("input", {
      type: "number", step: "any", inputmode: "decimal", placeholder: "any",
      oninput: (e) => { set(e.target.value === "" ? null : Number(e.target.value)); update(); },
    }));
  }
  function build() {
    const all = [];
    for (let d = shallow; d <= deep; d++) if (depths.includes(d)) all.push([d, d]);
    root.replaceChildren();
    fill(root, {}, [
      el("fieldset", {}, el("legend", {}, "Operation"), Object.entries(data.operations).map(([kind, name]) =>
        choose(name, [["", "any"], ["with", "with"], ["without", "without"], ["only", "only"]], "", (v) => { state.kinds[kind] = v; }))),
      el("fieldset", {}, el("legend", {}, "Depth (layers)"),
        choose("from", all, shallow, (v) => { state.least = Number(v); }), choose("to", all, deep, (v) => { state.most = Number(v); })),
      el("fieldset", {}, el("legend", {}, title(score)),
        number("from", (v) => { state.low = v; }), number("to", (v) => { state.high = v; })),
      el("fieldset", {}, el("legend", {}, "Status"), statuses.map((s) => el("label", { class: "check" },
        el("input", { type: "checkbox", checked: true, value: s, onchange: (e) => { e.target.checked ? state.statuses.add(s) : state.statuses.delete(s); update(); } }), el("span", {}, s)))),
      levels.length > 1 && el("fieldset", {}, el("legend", {}, "Fidelity"),
        choose("share of the budget", [["", "any"], ...levels.map((l) => [l, l])], "", (v) => { state.fidelity = v; })),
      el("fieldset", {}, el("legend", {}, "Front"), el("label", { class: "check" },
        el("input", { type: "checkbox", onchange: (e) => { state.front = e.target.checked; update(); } }), el("span", {}, "only the front"))),
      el("button", { type: "button", class: "reset", onclick: () => { state = fresh(); build(); update(); } }, "Reset filters")]);
  }
  build();

  function passes(row) {
    if (!state.statuses.has(data.trials.status[row])) return false;
    if (depths[row] < state.least || depths[row] > state.most) return false;
    if (state.fidelity !== "" && data.trials.fidelity[row] !== Number(state.fidelity)) return false;
    const v = value(row, score);
    if (state.low !== null && !(v !== null && v >= state.low)) return false;
    if (state.high !== null && !(v !== null && v <= state.high)) return false;
    for (const [kind, rule] of Object.entries(state.kinds)) {
      const has = kindsOf[row].has(kind);
      if ((rule === "with" && !has) || (rule === "without" && has) || (rule === "only" && !(has && kindsOf[row].size === 1))) return false;
    }
    return true;
  }
  return { root, passes, get frontOnly() { return state.front; }, get fidelity() { return state.fidelity; } };
}
