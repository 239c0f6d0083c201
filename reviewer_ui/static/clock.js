// Countdowns: <time datetime="…" data-exp> counts down by the server's clock, not by this machine's.
// And the zone that all times are shown in: the server learns it from a cookie, for the next page on.
"use strict";

document.cookie = `countersign_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;

const skewMs = Number(document.documentElement.dataset.now) - Date.now();
const TOLD_AT_S = [300, 60];

function tick() {
  for (const time of document.querySelectorAll("[data-exp]")) {
    const seconds = Math.ceil((Date.parse(time.dateTime) - Date.now() - skewMs) / 1000);
    if ("left" in time.dataset) countHold(time, seconds);
    else countDown(time, seconds);
  }
}

// Until an approval is released: then there is nothing left to take back.
function countHold(time, seconds) {
  if (seconds > 0) show(time, seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`);
  else if (time.closest("[data-toast]")) time.closest("[data-toast]").remove();
  else endHold(time.closest("[data-held]"));
}

function endHold(held) {
  for (const part of held?.querySelectorAll("[data-until]") ?? []) part.hidden = true;
  for (const part of held?.querySelectorAll("[data-after]") ?? []) part.hidden = false;
}

function countDown(time, seconds) {
  if (seconds >= 3600) return; // the words of the page are right for minutes
  show(time, seconds <= 0 ? "no time" : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
  const left = time.closest(".left");
  left?.classList.toggle("soon", seconds < 300 && seconds >= 120);
  left?.classList.toggle("now", seconds < 120);
  if (TOLD_AT_S.includes(seconds) && time.closest(".review-head")) announce(`${seconds / 60} min left to decide`);
}

function show(time, text) {
  if (time.textContent !== text) time.textContent = text;
}

addEventListener("htmx:after:swap", tick);
setInterval(tick, 1000);
