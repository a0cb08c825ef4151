// What moves on a page. Every page can be read, and every form be sent, without it.
"use strict";

// The theme, before anything is drawn: the reader's choice, or else the system's.
const kept = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
if (kept) document.documentElement.dataset.theme = kept;

const isDark = () => document.documentElement.dataset.theme === "dark"
  || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);

function offerThemes() {
  const button = document.querySelector("[data-theme-toggle]");
  if (!button) return;
  const label = () => { button.textContent = isDark() ? "Light theme" : "Dark theme"; };
  button.hidden = false;
  label();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  button.addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("theme", theme); } catch { /* it lasts as long as the page */ }
    label();
  });
}

// Moments, in the reader's own time zone; days stay the days that they are. The text of the server (UTC) stays as the title.
function localTimes(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.textContent;
    time.dataset.local = "";
    time.textContent = ("day" in time.dataset ? day : format).format(at);
  }
}

// <button data-copy="id of what is copied">
function copyButtons(root) {
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const from = document.getElementById(button.dataset.copy);
      const label = button.textContent;
      try {
        await navigator.clipboard.writeText(from.value ?? from.textContent.trim());
        button.textContent = "Copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(from);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        button.textContent = "Selected: copy it with the keyboard";
      }
      setTimeout(() => { button.textContent = label; }, 2000);
    });
  }
}

// <form data-confirm="question">
function questions() {
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });
}

// Parts of the page that move have an id and `data-live`: when the server says that something has
// changed, the page is asked for again, and these parts are swapped. One that somebody is typing
// in stays as it is, and what was opened stays open.
function followChanges() {
  const from = document.body.dataset.liveFrom;
  if (!from) return;
  const sign = document.querySelector("[data-live-sign]");
  const gap = 1000, rest = 5000;
  let asked = 0, waiting = false;

  async function swap() {
    waiting = false;
    asked = Date.now();
    const answer = await fetch(location.href, { headers: { accept: "text/html", "x-look-again": "1" } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live][id]")) {
      const now = fresh.getElementById(old.id);
      if (!now || old.contains(document.activeElement) && document.activeElement !== document.body) continue;
      for (const open of old.querySelectorAll("details[open][id]")) {
        now.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
      }
      const adopted = document.adoptNode(now);
      localTimes(adopted);
      copyButtons(adopted);
      if (old.isEqualNode(adopted)) continue;
      const scrolls = [...old.querySelectorAll(".scroll")].map((part) => part.scrollLeft);
      old.replaceWith(adopted);
      adopted.querySelectorAll(".scroll").forEach((part, place) => { part.scrollLeft = scrolls[place] ?? 0; });
    }
    document.dispatchEvent(new CustomEvent("swapped"));
  }

  const show = (isLive) => { if (sign) sign.hidden = !isLive; };
  let events = null;
  function follow() {
    events?.close();
    show(false);
    // A browser opens six connections to a site: a tab that nobody looks at takes none.
    if (document.hidden) return;
    events = new EventSource(from);
    events.addEventListener("open", () => show(true));
    events.addEventListener("error", () => {
      show(false);
      // What was refused is not tried again by the browser: there were too many, or the session ended.
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, rest);
    });
    events.addEventListener("changed", () => {
      if (waiting) return;
      waiting = true;
      setTimeout(() => { swap().catch(() => {}); }, Math.max(0, asked + gap - Date.now()));
    });
  }
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", () => events?.close());
  follow();
}

document.addEventListener("DOMContentLoaded", () => {
  offerThemes();
  localTimes(document);
  copyButtons(document);
  questions();
  followChanges();
  // A notice is heard, and the place where something was done is kept in sight.
  document.querySelector("main > .notice")?.scrollIntoView({ block: "nearest" });
});
