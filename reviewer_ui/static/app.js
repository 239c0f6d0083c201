// Comfort only: every action is a link or a form that works without this file.

// The button says at once that the arguments were edited; the server's count follows.
addEventListener("input", (event) => {
  const control = event.target;
  if (!control.matches?.("[data-edit]")) return;
  const word = document.querySelector("[data-approve] [data-word]");
  if (word?.textContent.trim() === "Approve as asked") word.textContent = "Approve with edits";
});

// An answer that did not come, or that htmx does not show, must not look like one that did.
const TROUBLE = "The gateway did not answer as it should. What you typed is still here: look at the call again, then try once more.";
for (const name of ["htmx:error", "htmx:response:error"]) {
  addEventListener(name, (event) => {
    const status = event.detail?.ctx?.response?.status;
    if (status && status < 500) return;
    const place = document.getElementById("trouble");
    place.textContent = TROUBLE;
    place.hidden = false;
    place.scrollIntoView({ block: "center" });
  });
}
