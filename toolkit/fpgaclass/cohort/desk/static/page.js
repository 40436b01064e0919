// Times in the reader's own zone; without this script they are in the class's.
const clock = { hour: "2-digit", minute: "2-digit", hour12: false };
const shown = {
  when: new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", ...clock }),
  until: new Intl.DateTimeFormat(undefined, clock),
};
for (const time of document.querySelectorAll("time[datetime]")) {
  time.textContent = shown[time.className].format(new Date(time.dateTime));
}
const zone = document.getElementById("zone");
if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
// What is typed is meant in the reader's zone, too: it is sent with its offset.
for (const form of document.querySelectorAll("form.book")) {
  form.addEventListener("submit", (event) => {
    const at = form.elements.at;
    if (!at.value) return;
    const typed = new Date(at.value);
    // In the night in which clocks are put forward, some times are on none.
    if (typed.getHours() !== Number(at.value.slice(11, 13))) {
      event.preventDefault();
      at.setCustomValidity("Clocks are put forward over this time. Take another one.");
      at.reportValidity();
      at.addEventListener("input", () => at.setCustomValidity(""), { once: true });
      return;
    }
    const moment = typed.toISOString();
    at.type = "text";
    at.value = moment.replace("Z", "+00:00");
  });
}
