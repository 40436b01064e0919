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
  form.addEventListener("submit", () => {
    const at = form.elements.at;
    if (!at.value) return;
    const moment = new Date(at.value).toISOString();
    at.type = "text";
    at.value = moment.replace("Z", "+00:00");
  });
}
