// Every page keeps what pages promise: in both themes, on a wide screen and on a phone, with the
// keyboard, with bad names in it, with nothing in it, and without JavaScript. The screenshots go
// to $SHOTS.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launch, open, openAsOperator, PHONE, WIDE } from "./browser.mjs";
import {
  doesNotScrollSideways, headersAreStrict, isAccessible, isWalkedByKeyboard, isWellMade, nothingHasRun,
  nothingTurnsTheText, showsTheWholeMenu, showsWholeTables, ticksStandBesideTheirLabels,
} from "./checks.mjs";
import { HOSTILE } from "./names.mjs";
import { PAGES_OF_SERVICE, pagesOf, pagesOfOperators, pagesOfSetup } from "./pages.mjs";
import { required } from "./service.mjs";

const SHOTS = required("SHOTS");
const THEMES = ["light", "dark"];
const seeded = JSON.parse(await readFile(required("SEEDED"), "utf8"));
const { company, hostile, empty } = seeded;

let browser, close;
before(async () => { ({ browser, close } = await launch()); });
after(() => close());

// Loads a page, which must be there.
async function load(page, { path, heading }) {
  const response = await page.goto(path);
  assert.equal(response.status(), 200, path);
  headersAreStrict(response);
  if (heading) assert.match(await page.locator("main h1").innerText(), heading);
  return response;
}

// A page as it looks in these themes, and what axe-core says of it there. A picture longer than this
// holds nothing that the part above does not show.
async function look(page, kept, size, themes = THEMES) {
  for (const colorScheme of themes) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), 4_000);
    const clip = { x: 0, y: 0, width: size.width, height };
    await page.screenshot({ path: join(SHOTS, `${kept}-${size.width}-${colorScheme}.png`), fullPage: true, clip });
    // Colours are the same on a phone.
    if (size === WIDE || colorScheme === "light") await isAccessible(page);
  }
}

// All that is tested of a page in a window of this size.
async function keepsItsPromises(page, at, kept, size, themes) {
  await page.setViewportSize(size);
  await load(page, at);
  await isWellMade(page);
  await doesNotScrollSideways(page);
  await showsTheWholeMenu(page);
  await ticksStandBesideTheirLabels(page);
  await look(page, kept, size, themes);
  await nothingHasRun(page);
}

// A test for each page, in one window.
function eachPage(pages, options, act) {
  let window;
  before(async () => { window = await openAsOperator(browser, options); });
  after(() => window.context.close());
  for (const at of pages) {
    test(at.name, async () => {
      await act(window.page, at);
      assert.deepEqual(window.faults.splice(0), []);
    });
  }
}

describe("every page reads well in both themes, wide and on a phone", () => {
  eachPage([...PAGES_OF_SERVICE, ...pagesOf(company)], {}, async (page, at) => {
    await keepsItsPromises(page, at, at.name, WIDE);
    await showsWholeTables(page);
    await isWalkedByKeyboard(page);
    await keepsItsPromises(page, at, at.name, PHONE);
    await showsWholeTables(page);
  });
});

describe("bad names are shown as the text that they are", () => {
  eachPage(pagesOf(hostile), {}, async (page, at) => {
    await keepsItsPromises(page, at, `hostile-${at.name}`, WIDE, ["light"]);
    await keepsItsPromises(page, at, `hostile-${at.name}`, PHONE, ["dark"]);
    await showsWholeTables(page);
    await nothingTurnsTheText(page);
    const raw = await (await page.request.get(at.path)).text();
    for (const name of [HOSTILE.image, HOSTILE.script, HOSTILE.vector, HOSTILE.style, HOSTILE.elsewhere]) {
      assert.ok(!raw.includes(name), `${name} is in the page as it was sent`);
    }
  });

  test("the names themselves are read", async () => {
    const { page, done } = await openAsOperator(browser);
    await page.goto(`/tenants/${hostile.id}/accounts`);
    for (const name of [HOSTILE.image, HOSTILE.script, HOSTILE.template, HOSTILE.entity, HOSTILE.formula]) {
      await page.getByRole("rowheader", { name, exact: true }).waitFor();
    }
    await page.goto(`/tenants/${hostile.id}/accounts/${hostile.account}`);
    const heading = await page.getByRole("heading", { level: 1 }).innerText();
    assert.equal(heading, HOSTILE.turned.replaceAll(/[\u200f\u200e\u202c\u202e\u2066\u2069]/gu, "\ufffd"));
    await done();
  });
});

describe("pages with nothing to show yet say so", () => {
  eachPage([...pagesOfSetup(empty), ...pagesOfOperators(empty)], {}, async (page, at) => {
    await keepsItsPromises(page, at, `empty-${at.name}`, WIDE, ["light"]);
  });
});

describe("every page can be read without JavaScript", () => {
  eachPage([...PAGES_OF_SERVICE, ...pagesOf(company)], { javaScriptEnabled: false }, async (page, at) => {
    await load(page, at);
    await isWellMade(page);
    const [words, waiting] = await page.evaluate(() => [
      document.querySelector("main").innerText.trim().split(/\s+/).length,
      [...document.querySelectorAll("main :is([data-copy], [data-theme-toggle])")].filter((part) => part.checkVisibility()).length,
    ]);
    assert.ok(words >= 5, `main says ${words} words`);
    assert.equal(waiting, 0, "buttons that need JavaScript are not offered");
  });
});

test("the pages before the login read well in both themes, wide and on a phone", async () => {
  const { page, done } = await open(browser);
  for (const [name, path, heading] of [["login", "/login", /log in/i], ["setup-unknown", "/setup?link=none", /opens nothing/i]]) {
    for (const size of [WIDE, PHONE]) {
      await page.setViewportSize(size);
      headersAreStrict(await page.goto(path));
      assert.match(await page.locator("main h1").innerText(), heading);
      await isWellMade(page);
      await doesNotScrollSideways(page);
      await look(page, name, size);
    }
    await isWalkedByKeyboard(page);
  }
  await done();
});
