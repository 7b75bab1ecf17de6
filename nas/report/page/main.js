// Builds the page from the document.

BLOCKS.explorer = explorer;

function tile({ name, value: text, trial }) {
  const inner = [el("span", { class: "tile-value" }, text), el("span", { class: "tile-name" }, name)];
  return trial === undefined || trial === null ? el("div", { class: "tile" }, inner)
    : el("button", { type: "button", class: "tile", title: `Open trial ${trial}`, onclick: () => openDialog(trial) }, inner);
}

function sectionElement(section) {
  return el("section", { id: section.name, "aria-labelledby": `${section.name}-title` },
    el("h2", { id: `${section.name}-title` }, section.title),
    el("p", { class: "lead" }, section.lead),
    el("div", { class: "blocks" }, section.blocks.map((block) => BLOCKS[block.type](block))));
}

document.getElementById("top").append(
  el("p", { class: "quiet" }, `Architecture search · report of ${data.made}`),
  el("h1", {}, data.name),
  el("p", { class: "state" }, data.state),
  data.unfinished ? el("p", { class: "note warning", role: "status" }, data.unfinished) : "",
  el("div", { class: "tiles" }, data.tiles.map(tile)));
document.getElementById("contents").append(...data.sections.map((s) => el("a", { href: `#${s.name}` }, s.title)));
document.getElementById("content").append(...data.sections.map(sectionElement));
