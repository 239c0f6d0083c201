// Comfort only: every action is a link or a form that works without scripts. What happens around htmx's swaps.
"use strict";

// What asks by itself: whoever types or reads meanwhile is not moved elsewhere.
const BACKGROUND = "#live, #queue, #standing, .search, [data-word]";
const TROUBLE = "The gateway did not answer as it should. What you typed is still here: look at the call again, then try once more.";
const TOAST_MS = 8000;

const scrolled = new Map();
const placeOf = (part) => `${part.id} ${part.dataset.keepScroll}`; // of another call: another place

addEventListener("htmx:before:swap", () => {
  scrolled.clear();
  for (const part of document.querySelectorAll("[data-keep-scroll]")) scrolled.set(placeOf(part), part.scrollTop);
});

addEventListener("htmx:after:swap", (event) => {
  for (const part of document.querySelectorAll("[data-keep-scroll]")) part.scrollTop = scrolled.get(placeOf(part)) ?? 0;
  if (event.detail?.ctx?.sourceElement?.matches?.(BACKGROUND)) return;
  if (!focusOnStep(event.detail?.ctx?.sourceEvent?.submitter)) focusOnWhatIsNew();
  announceToasts();
});

addEventListener("DOMContentLoaded", () => {
  const row = document.querySelector(".row[data-open]");
  const list = row?.closest(".rows");
  // On low screens the list does not scroll by itself, and the page would be moved away from the call.
  if (list?.scrollHeight > list?.clientHeight) row.scrollIntoView({ block: "nearest" });
  announceToasts();
});

// An error is about what was sent: once its field is mended, only the server can say more.
addEventListener("input", ({ target }) => {
  if (!target.matches?.("[aria-invalid=true]")) return;
  target.removeAttribute("aria-invalid");
  const error = document.getElementById(target.getAttribute("aria-describedby"));
  if (error) error.hidden = true;
});

// An answer that did not come, or that htmx does not show, must not look like one that did.
for (const name of ["htmx:error", "htmx:response:error"]) {
  addEventListener(name, (event) => {
    const { response, sourceElement } = event.detail?.ctx ?? {};
    if (sourceElement?.matches?.(BACKGROUND) || (response && response.status < 500)) return;
    const place = document.getElementById("trouble");
    place.textContent = TROUBLE;
    place.hidden = false;
    place.scrollIntoView({ block: "center" });
  });
}

// A small button of the form adds, empties or takes out one value: whoever pressed it goes on there.
function focusOnStep(button) {
  const [, act, name] = button?.name === "step" ? button.value.match(/^([^:]+):(.*)$/s) ?? [] : [];
  if (act === undefined || document.querySelector(".problem[autofocus]")) return false;
  const controls = [...(document.getElementById("decide")?.elements ?? [])].filter((one) => one.type !== "hidden");
  const added = act.startsWith("add") && controls.findLast((one) => one.name.startsWith(`${name}/`) && "edit" in one.dataset);
  const place = controls.find((one) => one.name === name) || added
    || controls.find((one) => one.value === `value:${name}` || one.value === `revert:${name}`);
  place?.focus();
  return Boolean(place);
}

function focusOnWhatIsNew() {
  if (document.activeElement?.matches("[autofocus]")) return;
  const place = document.querySelector(".problem[autofocus]") ?? document.querySelector("[data-focus]");
  place?.focus({ preventScroll: place.matches("[data-focus]") });
}

// A status that comes together with its text is not read out everywhere: this one was there before.
function announce(text) {
  const place = document.getElementById("announcer");
  if (place) place.textContent = text;
}

function announceToasts() {
  for (const toast of document.querySelectorAll("[data-toast]:not([data-told])")) {
    toast.dataset.told = "";
    announce(toast.textContent.replace(/\s+/g, " ").trim());
    if (!toast.querySelector("[data-left]")) setTimeout(() => toast.remove(), TOAST_MS);
  }
}
