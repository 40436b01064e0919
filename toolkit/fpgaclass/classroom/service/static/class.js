// Times in the reader's own zone, and a page that stays fresh. Without this the page is complete, in the course's.
"use strict";

function localise(root) {
  const form = { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.title = time.textContent;
    time.textContent = new Date(time.dateTime).toLocaleString("en-GB", { ...form, timeZoneName: "short" });
  }
}

async function refresh(live) {
  // Somebody who reads with the keyboard inside must not lose their place; a click is no reading.
  if (document.hidden || live.querySelector(":focus-visible")) return;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (!fresh) return;
  const stuck = (root) => [...root.querySelectorAll("tr.attention th")].map((cell) => cell.textContent).join(", ");
  const before = stuck(live), after = stuck(fresh);
  localise(fresh);
  const scrolled = [...live.querySelectorAll(".scroll")].map((table) => table.scrollLeft);
  live.replaceChildren(...fresh.childNodes);
  live.querySelectorAll(".scroll").forEach((table, i) => { table.scrollLeft = scrolled[i] ?? 0; });
  if (after && after !== before) document.getElementById("said").textContent = "Stuck now: " + after;
}

localise(document);
const live = document.getElementById("live");
if (live) setInterval(() => refresh(live).catch(() => {}), 1000 * Number(live.dataset.refresh));
