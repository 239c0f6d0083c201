// What the stream of changes means for this page: the numbers beside places, the title, and the browser's own notices.
"use strict";

const COUNT_EVERY_MS = 60_000; // in the background, where the stream rests
const WORDS = { on: "Live", off: "Offline, trying again", out: "Signed out: load the page again" };

let counts = null;

addEventListener("inbox", (event) => {
  setLive("on");
  showCounts(JSON.parse(event.detail.data));
});
addEventListener("htmx:sse:after:connection", () => setLive("on"));
addEventListener("htmx:sse:error", () => setLive("off"));
for (const name of ["htmx:error", "htmx:response:error"]) {
  addEventListener(name, (event) => {
    if (event.detail?.ctx?.sourceElement?.id === "live") setLive("off");
  });
}
addEventListener("offline", () => setLive("off"));
addEventListener("online", () => setLive("on")); // a stream that did not live through it says so
addEventListener("htmx:after:swap", () => counts && showCounts(counts));

setInterval(async () => {
  if (!document.hidden || !document.getElementById("live")) return;
  try {
    const answer = await fetch("/inbox/count", { headers: { Accept: "application/json" } });
    if (answer.ok) showCounts(await answer.json());
  } catch {
    // The next one will tell.
  }
}, COUNT_EVERY_MS);

function setLive(state) {
  const live = document.getElementById("live");
  if (!live) return;
  live.dataset.live = state;
  live.querySelector("[data-live-word]").textContent = WORDS[state];
  if (state === "off") findOut();
}

// A stream that is refused looks like one that is cut off.
async function findOut() {
  try {
    const answer = await fetch("/inbox/count", { redirect: "manual" });
    if (answer.type === "opaqueredirect") setLive("out");
  } catch {
    // Offline it is.
  }
}

function showCounts(told) {
  const grew = counts && parseInt(told.waiting || 0) > parseInt(counts.waiting || 0);
  counts = told;
  for (const badge of document.querySelectorAll("[data-count]")) badge.textContent = told[badge.dataset.count] ?? "";
  const title = document.title.replace(/^\(\d+\+?\) /, "");
  document.title = told.waiting ? `(${told.waiting}) ${title}` : title;
  if (grew && document.hidden && "Notification" in window && Notification.permission === "granted") {
    new Notification("A call waits for a decision", { body: `${told.waiting} wait in all.`, tag: "countersign" });
  }
}

// In the settings: the browser asks once whether it may show notices.
function showNotices() {
  const state = document.querySelector("[data-notices]");
  if (!state) return;
  const words = { granted: "On in this browser.", denied: "Switched off in this browser's own settings.", default: "Off." };
  state.textContent = "Notification" in window ? words[Notification.permission] : "This browser has none.";
  document.querySelector("[data-ask-notices]").hidden = !("Notification" in window) || Notification.permission !== "default";
}
addEventListener("DOMContentLoaded", showNotices);
addEventListener("click", async (event) => {
  if (!event.target.closest?.("[data-ask-notices]")) return;
  await Notification.requestPermission();
  showNotices();
});
