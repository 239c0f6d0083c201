// Single keys (WCAG 2.1.4): off when the settings say so, never while typing, with a modifier or on repeat.
"use strict";

const CHORD_MS = 900;
// Whoever types and loses the field in the middle of a word, however that comes about, does not mean a key.
const TYPED_MS = 1500;
let chord = "";
let typedAt = -TYPED_MS;

const click = (selector) => () => document.querySelector(selector)?.click();
const KEYS = {
  j: () => moveBy(1),
  k: () => moveBy(-1),
  a: click("[data-approve]"),
  r: reject,
  e: edit,
  m: click("[data-take]"),
  x: pick,
  u: click("[data-undo]"),
  "/": () => document.querySelector('[data-key="/"]')?.focus(),
  "?": () => document.getElementById("keys")?.showModal(),
  "g i": click('[data-go="i"]'),
  "g h": click('[data-go="h"]'),
};

addEventListener("keydown", (event) => {
  if (document.documentElement.dataset.keys === "off" || event.defaultPrevented || event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "note") {
    event.preventDefault();
    if ("armed" in event.target.dataset) document.querySelector("[data-reject]")?.click();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const isTyping = event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog");
  if (isTyping) typedAt = event.key === "Escape" ? -TYPED_MS : event.timeStamp;
  if (event.key === "Escape" && isTyping) event.target.blur();
  if (isTyping || event.timeStamp - typedAt < TYPED_MS) return;
  const pressed = chord ? `${chord} ${event.key}` : event.key;
  chord = "";
  if (KEYS[pressed]) {
    event.preventDefault();
    KEYS[pressed]();
  } else if (pressed === "g") {
    chord = "g";
    setTimeout(() => (chord = ""), CHORD_MS);
  }
});

addEventListener("pointerdown", () => (typedAt = -TYPED_MS));

function moveBy(step) {
  const titles = [...document.querySelectorAll(".row-title")];
  const focused = titles.indexOf(document.activeElement);
  const from = focused >= 0 ? focused : titles.findIndex((title) => title.hasAttribute("aria-current"));
  const to = from < 0 && step < 0 ? 0 : from + step;
  const title = titles[Math.max(0, Math.min(titles.length - 1, to))];
  title?.focus();
  title?.closest(".row").scrollIntoView({ block: "nearest" });
}

// With a reason it is sent at once; without one the note is open, and Ctrl or Cmd with Enter sends it.
function reject() {
  const note = document.getElementById("note");
  if (!note) return;
  if (note.value.trim() || document.getElementById("reason")?.value) {
    document.querySelector("[data-reject]")?.click();
    return;
  }
  note.dataset.armed = "";
  note.focus();
}

function edit() {
  const field = document.querySelector("[data-edit]");
  const fold = field?.closest("details");
  if (fold) fold.open = true;
  field?.focus();
}

function pick() {
  const row = document.activeElement?.closest(".row") ?? document.querySelector(".row[data-open]");
  row?.querySelector(".pick input")?.click();
}
