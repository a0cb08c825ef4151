// What every page promises, whatever it is about.

import assert from "node:assert/strict";
import axe from "axe-core";

// What pages may load, and from where: nothing inline, nothing from elsewhere.
const POLICY = {
  "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'",
  "connect-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
};
const TABS_MAX = 60;

// The headers of the answer.
export function headersAreStrict(response) {
  const headers = response.headers();
  const parts = (headers["content-security-policy"] ?? "").split(";").map((part) => part.trim()).filter(Boolean);
  const policy = Object.fromEntries(parts.map((part) => [part.split(" ")[0], part.split(" ").slice(1).join(" ")]));
  assert.deepEqual(policy, POLICY);
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.match(headers["content-type"], /^text\/html; charset=utf-8$/);
}

// Its parts: one heading, a title, landmarks, and nothing that the policy would have to forbid.
export async function isWellMade(page) {
  const made = await page.evaluate(() => ({
    headings: document.querySelectorAll("h1").length,
    heading: document.querySelector("main h1")?.textContent.trim() ?? "",
    title: document.title,
    language: document.documentElement.lang,
    mains: document.querySelectorAll("main").length,
    inline: [...document.querySelectorAll("script:not([src]), style")].map((part) => part.outerHTML.slice(0, 100)),
    styled: [...document.querySelectorAll("[style]")].map((part) => part.outerHTML.slice(0, 100)),
    handlers: [...document.querySelectorAll("*")]
      .filter((part) => part.getAttributeNames().some((name) => name.startsWith("on")))
      .map((part) => part.outerHTML.slice(0, 100)),
    addresses: [...document.querySelectorAll("a[href], form[action], img[src], iframe, object, embed, base, link")]
      .map((part) => [part.localName, part.href ?? part.action ?? part.src ?? ""])
      .filter(([name, address]) => name === "iframe" || name === "object" || name === "embed" || name === "base"
        || new URL(address, location.href).protocol === "javascript:"),
    tables: [...document.querySelectorAll("main table")]
      .filter((table) => !table.caption || [...table.querySelectorAll("th")].some((cell) => !cell.scope))
      .map((table) => table.outerHTML.slice(0, 200)),
    twice: [...document.querySelectorAll("[id]")].map((part) => part.id)
      .filter((id, place, all) => all.indexOf(id) !== place),
  }));
  assert.equal(made.headings, 1, "one h1");
  assert.ok(made.heading, "the h1 is in main, and says something");
  assert.match(made.title, /^\S.* · Slackwater$/su);
  assert.equal(made.language, "en");
  assert.equal(made.mains, 1, "one main");
  const { inline, styled, handlers, addresses, tables, twice } = made;
  assert.deepEqual({ inline, styled, handlers, addresses, tables, twice },
    { inline: [], styled: [], handlers: [], addresses: [], tables: [], twice: [] });
}

// Nothing that was named badly has run, and nothing was tried that the policy forbids.
export async function nothingHasRun(page) {
  const [ran, violations] = await page.evaluate(() => [window.__x ?? null, window.violations ?? []]);
  assert.equal(ran, null, "markup from outside has run");
  assert.deepEqual(violations, [], "the Content-Security-Policy had to forbid something");
}

// Whatever is wide scrolls in a place of its own.
export async function doesNotScrollSideways(page) {
  const [wide, there, culprits] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    // What is placed by itself gets out of a parent that clips, unless that is placed too.
    const clipped = (part) => {
      if (getComputedStyle(part).position === "absolute") return false;
      for (let up = part.parentElement; up && up !== document.body; up = up.parentElement) {
        if (getComputedStyle(up).overflowX !== "visible") return true;
      }
      return false;
    };
    const right = (part) => {
      const words = document.createRange();
      words.selectNodeContents(part);
      return Math.max(part.getBoundingClientRect().right, words.getBoundingClientRect().right);
    };
    const out = [...document.body.querySelectorAll("*")]
      .filter((part) => !clipped(part) && right(part) > clientWidth + 1)
      .map((part) => `${part.localName}.${part.className}#${part.id} ${part.textContent.trim().slice(0, 60)}`)
      .reverse();
    return [scrollWidth, clientWidth, scrollWidth > clientWidth ? out.slice(0, 5) : []];
  });
  assert.ok(wide <= there, `the page is ${wide} px wide on a screen of ${there}: ${culprits.join(" | ")}`);
}

// Every table shows all its columns: on a phone each cell lies within the screen and says what its
// column is called; where there is room for a whole table, it does not have to be scrolled.
export async function showsWholeTables(page) {
  const hidden = await page.evaluate(() => {
    const found = [];
    const words = (part) => part.textContent.trim().replaceAll(/\s+/g, " ").slice(0, 60);
    for (const table of document.querySelectorAll("main table")) {
      const room = table.parentElement.getBoundingClientRect();
      const isStacked = getComputedStyle(table).display === "block";
      for (const cell of table.querySelectorAll(":scope > tbody > tr > :is(td, th)")) {
        const { left, right, width } = cell.getBoundingClientRect();
        if (width > 0 && (left < room.left - 1 || right > room.right + 1)) found.push(`${cell.localName} sticks out: ${words(cell)}`);
        const heading = table.tHead.rows[0].cells[cell.cellIndex];
        const isNamed = cell.dataset.label === heading.textContent.trim() || cell.localName === "th" || "blank" in cell.dataset
          || heading.querySelector(".visually-hidden");
        if (isStacked && cell.scrollWidth > cell.clientWidth + 1) found.push(`wider than its cell: ${words(cell)}`);
        // Where the label's own box begins: generated content has no rectangle to ask for.
        const label = getComputedStyle(cell, "::before");
        const begins = left + parseFloat(getComputedStyle(cell).paddingLeft) + (parseFloat(label.marginLeft) || 0);
        if (isStacked && cell.dataset.label && (label.content === "none" || begins < room.left - 1)) found.push(`a label out of sight: ${words(cell)}`);
        if (isStacked && !isNamed) found.push(`a cell without its column's name: ${words(cell)}`);
      }
      if (isStacked !== (innerWidth <= 640)) found.push(`stacked: ${isStacked} at ${innerWidth} px`);
    }
    return found.slice(0, 5);
  });
  assert.deepEqual(hidden, []);
}

// What is ticked stands on the line of its label, to the left of it.
export async function ticksStandBesideTheirLabels(page) {
  const astray = await page.evaluate(() => [...document.querySelectorAll("main label > :is([type=checkbox], [type=radio])")]
    .filter((box) => box.checkVisibility())
    .filter((box) => {
      const words = document.createRange();
      words.selectNodeContents(box.parentElement);
      words.setStartAfter(box);
      const [line] = words.getClientRects();
      const at = box.getBoundingClientRect();
      return !line || at.right > line.left + 1 || at.top > line.bottom || at.bottom < line.top
        || Math.abs((at.top + at.bottom) / 2 - (line.top + line.bottom) / 2) > 6;
    })
    .map((box) => box.parentElement.textContent.trim()));
  assert.deepEqual(astray, []);
}

// Every page of the tenant can be gone to at once, without a part of the menu being scrolled.
export async function showsTheWholeMenu(page) {
  const hidden = await page.evaluate(() => [...document.querySelectorAll(".side a")]
    .filter((link) => link.getBoundingClientRect().right > innerWidth || link.getBoundingClientRect().left < 0)
    .map((link) => link.textContent));
  assert.deepEqual(hidden, []);
}

// axe-core finds nothing serious. Answers what it found that is less than that.
export async function isAccessible(page) {
  if (!await page.evaluate(() => "axe" in window)) await page.evaluate(axe.source);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, help, nodes }) => ({
      id, impact, help, nodes: nodes.slice(0, 3).map((node) => `${node.target.join(" ")} :: ${node.html.slice(0, 160)} :: ${node.any.concat(node.all).map((check) => check.message).join("; ").slice(0, 200)}`),
    }));
  });
  const isSerious = ({ impact }) => impact === "serious" || impact === "critical";
  assert.deepEqual(found.filter(isSerious), []);
  return found.filter((violation) => !isSerious(violation));
}

// With the Tab key alone one gets from the top into the content, and always sees where one is.
export async function isWalkedByKeyboard(page) {
  await page.evaluate(() => {
    // From the very top, also where the page puts the focus into a field.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    scrollTo(0, 0);
  });
  const reached = [];
  for (let step = 0; step < TABS_MAX; step += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const part = document.activeElement;
      if (!part || part === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(part);
      const box = part.getBoundingClientRect();
      return {
        what: `${part.localName} ${(part.getAttribute("aria-label") ?? part.textContent ?? "").trim().slice(0, 40)}`,
        seen: outlineStyle !== "none" && parseFloat(outlineWidth) > 0,
        inSight: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth,
        inMain: part.closest("main") !== null,
        again: part.dataset.reached === "",
        mark: (part.dataset.reached = ""),
      };
    });
    if (at === null || at.again) break;
    reached.push(at);
  }
  const hasActions = await page.evaluate(() =>
    [...document.querySelectorAll("main :is(a[href], button, input:not([type=hidden]), select, textarea, summary)")]
      .some((part) => part.checkVisibility() && !part.disabled));
  assert.match(reached[0]?.what ?? "", /Skip to the content/, "the first stop leads to the content");
  assert.deepEqual(reached.filter(({ seen, inSight }) => !seen || !inSight), [], "the focus is seen");
  assert.ok(!hasActions || reached.some(({ inMain }) => inMain), "the content's actions are reached");
  await page.evaluate(() => document.activeElement?.blur());
}

// Marks that turn the text around them, and those that nobody sees, are not in the text.
export async function nothingTurnsTheText(page) {
  const turned = await page.evaluate(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const { data, parentElement } = walker.currentNode;
      if (/[\u061c\u200b-\u200f\u202a-\u202e\u2066-\u2069]/u.test(data)) found.push(`${parentElement.localName}: ${data.trim().slice(0, 80)}`);
    }
    return found;
  });
  assert.deepEqual(turned, []);
}
