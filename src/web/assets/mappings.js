// Configure SCIM: role mappings are put into order by dragging or with buttons, rows are added and
// removed. Without this the order is a number that is typed, and an empty row waits at the end.
"use strict";

// What a form answers with is this page: a reload asks for it, and does not send the form again.
const page = document.querySelector("[data-page]")?.dataset.page;
if (page && location.pathname !== page) history.replaceState(null, "", page + location.hash);

const list = document.querySelector("[data-mappings]");
const form = document.querySelector("[data-rules]");
const said = document.querySelector("[data-mappings-said]");
let dragged = null;

const rows = () => [...list.querySelectorAll("[data-mapping]")];
const group = (row) => row.querySelector("[name=mapping_group]");
const nameOf = (row) => group(row).value.trim() || "the empty row";

function changed() {
  const all = rows();
  all.forEach((row, at) => {
    row.querySelector("[name=mapping_position]").value = at + 1;
    row.querySelector("[data-up]").disabled = at === 0;
    row.querySelector("[data-down]").disabled = at === all.length - 1;
    const name = nameOf(row);
    row.querySelector("[data-up]").setAttribute("aria-label", `Move ${name} up`);
    row.querySelector("[data-down]").setAttribute("aria-label", `Move ${name} down`);
    row.querySelector("[data-remove]").setAttribute("aria-label", `Remove ${name}`);
  });
}

// A preview is of what was typed then.
function stale() {
  const save = form.querySelector("[data-save]");
  if (!save) return;
  save.disabled = true;
  form.querySelector("[data-stale]").hidden = false;
}

function move(row, by) {
  const all = rows();
  const to = all.indexOf(row) + by;
  if (to < 0 || to >= all.length) return;
  if (by < 0) all[to].before(row); else all[to].after(row);
  changed();
  stale();
  said.textContent = `${nameOf(row)} is now ${to + 1} of ${all.length}`;
}

function enliven(row) {
  row.querySelector("[data-position]").hidden = true;
  row.querySelector("[data-mapping-buttons]").hidden = false;
  const handle = row.querySelector("[data-drag]");
  handle.hidden = false;
  handle.draggable = true;
  handle.addEventListener("dragstart", (event) => {
    dragged = row;
    row.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", nameOf(row));
    event.dataTransfer.setDragImage(row, 0, 0);
  });
  handle.addEventListener("dragend", () => {
    row.classList.remove("dragged");
    dragged = null;
    changed();
    stale();
    said.textContent = `${nameOf(row)} is now ${rows().indexOf(row) + 1} of ${rows().length}`;
  });
  row.addEventListener("dragover", (event) => {
    if (!dragged) return;
    event.preventDefault();
    if (dragged === row) return;
    const box = row.getBoundingClientRect();
    if (event.clientY < box.top + box.height / 2) row.before(dragged); else row.after(dragged);
  });
  row.addEventListener("drop", (event) => { if (dragged) event.preventDefault(); });
  for (const [name, by] of [["up", -1], ["down", 1]]) {
    const button = row.querySelector(`[data-${name}]`);
    button.addEventListener("click", () => {
      move(row, by);
      // At the end of the list the button is off: its neighbour takes the focus.
      (button.disabled ? row.querySelector(`[data-${by < 0 ? "down" : "up"}]`) : button).focus();
    });
  }
  row.querySelector("[data-remove]").addEventListener("click", () => {
    const name = nameOf(row);
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    changed();
    stale();
    said.textContent = `${name} was removed`;
    (next ? group(next) : document.querySelector("[data-add-mapping]")).focus();
  });
}

if (list && form) {
  rows().forEach(enliven);
  const add = document.querySelector("[data-add-mapping]");
  add.hidden = false;
  add.addEventListener("click", () => {
    const template = document.querySelector("[data-mapping-template]");
    const row = template.content.firstElementChild.cloneNode(true);
    list.append(row);
    enliven(row);
    changed();
    group(row).focus();
  });
  form.addEventListener("input", () => { changed(); stale(); });
  changed();
}
document.getElementById("preview")?.focus({ preventScroll: true });
