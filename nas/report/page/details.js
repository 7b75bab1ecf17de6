// Everything about one trial: graph, scores by task, costs, prediction, failure.

const rowOf = new Map(data.trials.trial.map((trial, row) => [trial, row]));
const dialog = document.getElementById("trial-dialog");
let panel = null; // the explorer's place for details
const listeners = []; // called with the trial that was opened in the explorer
const filtered = []; // called when the explorer's filters let other trials pass
let passing = null; // the trials that pass them; null before the first look

function title(column) {
  return (data.columns[column] || { title: column }).title;
}

function value(row, column) {
  const found = data.trials.values[column];
  return found ? found[row] : null;
}

function tipOfTrial(trial, extra = []) {
  const row = rowOf.get(trial);
  const shown = Object.keys(data.objectives).filter((c) => value(row, c) !== null);
  return [
    `Trial ${trial} · ${data.trials.hash[row].slice(0, 10)}`,
    describe(row),
    ...shown.map((c) => `${title(c)} ${full(value(row, c))}`),
    data.trials.status[row] === "done" ? "" : data.trials.status[row] + (data.trials.cause[row] ? `: ${data.trials.cause[row]}` : ""),
    ...extra,
  ];
}

function measures(heading, rows) {
  return rows.length ? el("table", { class: "measures" }, el("caption", {}, heading), el("tbody", {}, rows)) : null;
}

function scoreRows(row) {
  const names = Object.keys(data.columns).filter((c) => data.columns[c].kind === "score" && value(row, c) !== null);
  return names.map((c) => {
    const v = value(row, c), best = extent(data.trials.values[c].filter((_, i) => data.trials.counted[i]))[1];
    return el("tr", {}, el("th", { scope: "row" }, title(c)), el("td", { class: "number" }, full(v)),
      el("td", { class: "meter-cell" }, el("span", { class: "meter", title: `best of the run ${full(best)}` },
        el("span", { class: "meter-fill", style: `width:${Math.max(0, Math.min(100, v * 100))}%` }),
        el("span", { class: "meter-best", style: `left:${Math.max(0, Math.min(100, best * 100))}%` }))));
  });
}

function costRows(row) {
  const names = Object.keys(data.columns).filter((c) => data.columns[c].kind === "cost" && value(row, c) !== null);
  return names.map((c) => el("tr", {}, el("th", { scope: "row" }, title(c)), el("td", { class: "number" }, full(value(row, c)))));
}

// What the architecture chose of its training, where a run leaves that open.
function recipeRows(row) {
  return Object.entries(data.trials.recipe[row] || {}).map(([name, chosen]) =>
    el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "number" }, chosen)));
}

function proposalRows(row) {
  const mean = data.trials.mean[row] || {}, doubt = data.trials.epistemic[row] || {};
  return Object.keys(mean).filter((c) => doubt[c]).map((c) => el("tr", {},
    el("th", { scope: "row" }, title(c)),
    el("td", { class: "number" }, `${full(mean[c])} ± ${short(doubt[c])}`),
    el("td", { class: "number" }, full(value(row, c)))));
}

const REASONS = {
  initial: "one of the first, before anything was known",
  optimise: "expected to improve the front",
  uncertainty: "its score was least certain",
  diversity: "drawn at random",
};

function details(row) {
  const t = data.trials, status = t.status[row], predicted = proposalRows(row);
  const parts = [
    el("h3", { class: "trial-name" }, `Trial ${t.trial[row]} `, el("code", {}, t.hash[row].slice(0, 10))),
    el("p", { class: "chips" }, el("span", { class: `chip ${status}` }, status),
      t.fidelity[row] < 1 && el("span", { class: "chip" }, `fidelity ${t.fidelity[row]}`),
      t.node[row] && el("span", { class: "chip" }, `${t.device[row] || "?"} on ${t.node[row]}`)),
    el("p", { class: "describe" }, describe(row)),
  ];
  if (t.error[row]) parts.push(el("p", { class: "note warning" }, `${t.cause[row] || status}: ${t.error[row]}`));
  const tables = el("div", { class: "trial-tables" },
    measures("Scores (line: the run's best)", scoreRows(row)), measures("Costs", costRows(row)),
    measures("Recipe, chosen with it", recipeRows(row)));
  if (predicted.length) {
    tables.append(el("table", { class: "measures" }, el("caption", {}, "Predicted before training"),
      el("thead", {}, el("tr", {}, ["", "predicted", "measured"].map((h) => el("th", { scope: "col" }, h)))),
      el("tbody", {}, predicted)));
  }
  parts.push(tables);
  if (t.reason[row]) parts.push(el("p", { class: "quiet" }, `Why it was tried: ${REASONS[t.reason[row]] || t.reason[row]}.`));
  if (t.parent[row]) parts.push(el("p", { class: "quiet" }, "Started from the weights of ", el("code", {}, t.parent[row].slice(0, 10)), "."));
  if (status === "done") parts.push(el("pre", { class: "command" }, `nas export ${data.directory} --pick ${t.hash[row].slice(0, 12)} --to zoo/NAME`));
  return [el("div", { class: "trial-text" }, parts), el("figure", { class: "trial-graph" }, drawGraph(row))];
}

// Opens a trial beside the front.
function select(trial) {
  if (!panel || !rowOf.has(trial)) return;
  panel.replaceChildren(...details(rowOf.get(trial)));
  panel.dataset.trial = trial;
  for (const listener of listeners) listener(trial);
}

// Opens a trial over the page, from any other place.
function openDialog(trial) {
  if (!rowOf.has(trial)) return;
  const close = el("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => dialog.close() }, "×");
  dialog.replaceChildren(close, el("div", { class: "trial" }, details(rowOf.get(trial))));
  hideTip();
  dialog.showModal();
  select(trial);
}

dialog.addEventListener("click", (e) => {
  if (e.target === dialog) dialog.close();
});
