"use strict";
const el = (id) => document.getElementById(id);
const cell = (row, text) => { row.insertCell().textContent = text ?? "–"; };

function show(event) {
  if (event.event === "relay") {
    el("door").dataset.open = event.energised;
    el("door").textContent = event.energised ? "door open" : "door locked";
  } else if (event.event === "told") {
    el("state").textContent = event.sentence;
  } else if (event.event === "presentation") {
    const row = el("events").insertRow(0);
    row.className = event.outcome;
    cell(row, event.time); cell(row, event.person); cell(row, event.grade); cell(row, event.sentence);
    cell(row, event.verdict); cell(row, event.score?.toFixed(1)); cell(row, event.rule);
    cell(row, event.outcome === "granted" ? "opened" : event.reason);
    cell(row, event.face_to_relay_ms?.toFixed(0));
    while (el("events").rows.length > 40) el("events").deleteRow(-1);
  } else if (event.event === "eye_lost") {
    el("state").textContent = "out of service: " + event.slug;
  }
}

async function follow() {
  const response = await fetch("/events");
  el("state").textContent = "watching";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    lines.filter(Boolean).forEach((line) => show(JSON.parse(line)));
  }
}

async function keepFollowing() {
  for (;;) {
    try { await follow(); } catch { /* shown below, tried again */ }
    el("state").textContent = "connection lost, trying again …";
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

const token = document.querySelector("meta[name=token]").content;
const headers = { Authorization: "Bearer " + token, "Content-Type": "application/json" };

function button(line) {
  const shown = document.createElement("button");
  shown.id = "line-" + line.name;
  shown.disabled = line.kind === "output";
  shown.onclick = async () => {
    const active = shown.getAttribute("aria-pressed") !== "true";
    await fetch("/admin/lines/" + line.name, { method: "POST", headers, body: JSON.stringify({ active }) });
    showLines();
  };
  return el("lines").appendChild(shown);
}

async function showLines() {
  const response = await fetch("/admin/lines", { headers });
  if (!response.ok) return;
  const { lines } = await response.json();
  for (const line of lines) {
    const shown = el("line-" + line.name) ?? button(line);
    shown.setAttribute("aria-pressed", line.active);
    shown.textContent = line.name + (line.active ? " ●" : " ○");
  }
  el("lines").hidden = lines.length === 0;
}

if (token) setInterval(() => showLines().catch(() => {}), 500);
setInterval(() => { el("picture").src = "/picture.jpg?" + Date.now(); }, 400);
keepFollowing();
