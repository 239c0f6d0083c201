// The open call: what is typed about it survives looking at others, and no click decides more than it was meant to.
"use strict";

const ASK_MS = 4000; // how long the button of a critical call asks
const CALM_MS = 600; // a double click decides neither the call that opens after the first one nor what was just asked back

const drafts = new Map(); // in memory alone: nothing of a call is kept in the browser's storage
let openedAt = -Infinity;
let askedAt = -Infinity;
let asking = 0; // the timer after which the question is taken back

const openCall = () => document.querySelector("[data-approval]");
const draftKey = (call) => `${call.dataset.approval} ${call.dataset.sha256}`;
const typedIn = (call) => [...(document.getElementById("decide")?.elements ?? []), ...call.querySelectorAll("#doubt-note, #result")]
  .filter((field) => field.name && field.type !== "hidden" && field.matches("input, textarea, select"));

addEventListener("htmx:before:swap", (event) => {
  const call = openCall();
  if (!call) return;
  // What the form itself sent, the answer holds; an older draft would undo it.
  if (event.detail?.ctx?.sourceElement?.matches?.("#decide")) drafts.delete(draftKey(call));
  else drafts.set(draftKey(call), typedIn(call).filter(isChanged).map((field) => [fieldKey(field), valueOf(field)]));
});

addEventListener("htmx:after:swap", (event) => {
  if (event.detail?.ctx?.sourceElement?.matches?.("#queue, #standing, .search, [data-word]")) return;
  openedAt = performance.now();
  const call = openCall();
  const draft = new Map(call && drafts.get(draftKey(call)));
  for (const field of call ? typedIn(call) : []) {
    if (!draft.has(fieldKey(field)) || isChanged(field)) continue;
    if (field.type === "checkbox" || field.type === "radio") field.checked = draft.get(fieldKey(field));
    else field.value = draft.get(fieldKey(field));
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
});

// Leaving the site would lose it.
addEventListener("beforeunload", (event) => {
  const call = openCall();
  if (call && typedIn(call).some(isChanged) && !("sent" in call.dataset)) event.preventDefault();
});
addEventListener("submit", () => openCall()?.setAttribute("data-sent", ""));

addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-approve], [data-reject]");
  if (!button) return;
  const isTooSoon = performance.now() - openedAt < CALM_MS;
  if (isTooSoon || !isSure(button)) {
    event.preventDefault();
    event.stopPropagation();
  }
}, true);

// The field and the button say at once that the arguments were edited; the server's count follows.
addEventListener("input", (event) => {
  markEdited(event.target);
  // Sure is somebody of what the button asked about, and not of what they write after that.
  if (event.target.matches?.("[data-edit]")) stopAsking();
  const word = document.querySelector("[data-approve] [data-word]");
  if (!word || !event.target.matches?.("[data-edit]") || !isChanged(event.target)) return;
  if (word.textContent.trim() === "Approve as asked") word.textContent = "Approve with edits";
});

// What the server has marked already stays marked, whatever is typed now.
function markEdited(field) {
  const place = field.matches?.("[data-edit]") && field.closest(".argument, .items td");
  if (!place || !("edited" in place.dataset || !place.matches(".changed, .added"))) return;
  place.dataset.edited = "";
  place.classList.toggle("changed", isChanged(field));
}

function isSure(button) {
  const sure = document.querySelector("#decide [name=sure]");
  if (!button.dataset.ask || !sure) return true;
  if (sure.value) return performance.now() - askedAt > CALM_MS;  // a double click is one
  askedAt = performance.now();
  const word = button.querySelector("[data-word]");
  button.dataset.before = word.textContent;
  word.textContent = button.dataset.ask;
  button.classList.add("asks");
  sure.value = "yes";
  announce(`This call is critical. ${button.dataset.ask}: press once more.`);
  asking = setTimeout(stopAsking, ASK_MS);
  return false;
}

function stopAsking() {
  clearTimeout(asking);
  const sure = document.querySelector("#decide [name=sure]");
  if (sure) sure.value = "";
  const button = document.querySelector("[data-approve].asks");
  if (!button) return;
  button.classList.remove("asks");
  const word = button.querySelector("[data-word]");
  if (word.textContent === button.dataset.ask) word.textContent = button.dataset.before;
}

// What the bar says of the edits is counted by the server. Where it cannot be asked, nothing old may stand there.
for (const name of ["htmx:error", "htmx:response:error"]) {
  addEventListener(name, (event) => {
    const word = event.detail?.ctx?.sourceElement;
    if (!word?.matches?.("[data-word]")) return;
    document.getElementById("edit-summary").hidden = true;
    word.textContent = "Approve with edits";
  });
}
addEventListener("online", () => document.querySelector("#pane [data-edit]")?.dispatchEvent(new Event("input", { bubbles: true })));

function fieldKey(field) {
  return field.type === "radio" ? `${field.name} ${field.value}` : field.name;
}

function valueOf(field) {
  return field.type === "checkbox" || field.type === "radio" ? field.checked : field.value;
}

function isChanged(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.matches("select")) return [...field.options].some((option) => option.selected !== option.defaultSelected) && field.value !== "";
  return field.value !== field.defaultValue;
}
