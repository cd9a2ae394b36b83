"use strict";
// Digits are kept here alone, until they are sent; after a while without a touch they are forgotten.
const LONGEST = 12, FORGET_MS = 15000, TOLD_MS = 5000;
const dots = document.getElementById("dots"), told = document.getElementById("told");
const buttons = [...document.querySelectorAll("#keys button")];
const unreachable = document.currentScript.dataset.unreachable;
let typed = "", forget = 0, quiet = 0;

function show() {
  dots.textContent = "●".repeat(typed.length);
  clearTimeout(forget);
  if (typed) forget = setTimeout(clear, FORGET_MS);
}

function clear() {
  typed = "";
  show();
}

function tell(sentence, result) {
  told.textContent = sentence;
  told.dataset.result = result;
  clearTimeout(quiet);
  quiet = setTimeout(() => { told.textContent = ""; }, TOLD_MS);
}

async function enter() {
  if (!typed) return;
  const body = JSON.stringify({ pin: typed });
  clear();
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await fetch(location.pathname, { method: "POST", headers: { "Content-Type": "application/json" }, body });
    tell((await answer.json()).sentence, answer.status);
  } catch {
    tell(unreachable, 0);
  }
  for (const button of buttons) button.disabled = false;
}

function press(key) {
  if (key === "enter") enter();
  else if (key === "clear") clear();
  else if (typed.length < LONGEST) { typed += key; show(); }
}

for (const button of buttons) {
  button.addEventListener("click", () => press(button.dataset.key ?? button.textContent));
}
document.addEventListener("keydown", (event) => {
  if (/^[0-9]$/.test(event.key)) press(event.key);
  else if (event.key === "Enter") { event.preventDefault(); press("enter"); }
  else if (event.key === "Backspace" || event.key === "Escape") press("clear");
});
