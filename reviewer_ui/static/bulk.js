// The bar for several calls at once says how many it will decide, and how many of them it will skip.
"use strict";

function picked() {
  return [...document.querySelectorAll(".pick input:checked")];
}

function countPicked() {
  const boxes = picked();
  const words = document.querySelector("[data-picked]");
  if (!words || !boxes.length) return;
  const harmless = boxes.filter(({ dataset }) => ["low", "medium"].includes(dataset.risk) && dataset.findings === "0");
  const fit = harmless.filter(({ dataset }) => dataset.tool === harmless[0].dataset.tool);
  const skipped = boxes.length - fit.length;
  words.textContent = `${boxes.length} selected${skipped ? `, ${skipped} to skip` : ""}`;
  const approve = document.querySelector("[data-bulk-approve]");
  approve.disabled = !fit.length;
  approve.querySelector("[data-word]").textContent = fit.length ? `Approve ${fit.length}` : "Approve";
}

addEventListener("change", (event) => {
  if (event.target.matches?.(".pick input")) countPicked();
});
addEventListener("htmx:after:swap", countPicked);
addEventListener("click", (event) => {
  if (!event.target.closest?.("[data-unpick]")) return;
  for (const box of picked()) box.checked = false;
});
