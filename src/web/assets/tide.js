// The times below the tide chart, in the reader's own time zone.
"use strict";

(() => {
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric" });

  function local() {
    for (const text of document.querySelectorAll("text[data-at]")) {
      const at = new Date(text.dataset.at);
      if (Number.isNaN(at.getTime())) continue;
      text.textContent = (text.dataset.as === "day" ? day : clock).format(at);
    }
    for (const note of document.querySelectorAll("[data-utc]")) note.hidden = true;
  }

  document.addEventListener("DOMContentLoaded", local);
  document.addEventListener("swapped", local);
})();
