// The checks notice what they are for: a check that cannot fail would let every page through.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { launch, PHONE } from "./browser.mjs";
import {
  doesNotScrollSideways, isAccessible, isWalkedByKeyboard, isWellMade, nothingHasRun, nothingTurnsTheText, showsTheWholeMenu,
  showsWholeTables, ticksStandBesideTheirLabels,
} from "./checks.mjs";

const GOOD = `<!doctype html><html lang="en"><title>Good · Slackwater</title>
  <a href="#content">Skip to the content</a><main id="content"><h1>Good</h1><p>Words.</p></main></html>`;
const stacked = (style, label = "") => `<style>td::before { content: attr(data-label); ${label} }</style><table style="display: block; ${style}"><caption>T</caption><thead><tr><th scope=col>A</th><th scope=col>B</th></tr></thead>
  <tbody style="display: block"><tr style="display: block"><th scope=row>1</th><td data-label="B" style="display: block">2</td></tr></tbody></table>`;
const instead = (part, other) => GOOD.replace(part, other);

let browser, close, page;
before(async () => {
  ({ browser, close } = await launch());
  page = await browser.newPage({ viewport: PHONE });
});
after(() => close());
beforeEach(() => page.goto("about:blank"));

test("a good page passes them all", async () => {
  await page.setContent(GOOD);
  for (const check of [isWellMade, doesNotScrollSideways, isAccessible, isWalkedByKeyboard, nothingHasRun, nothingTurnsTheText,
    showsTheWholeMenu, showsWholeTables, ticksStandBesideTheirLabels]) {
    await check(page);
  }
});

for (const [name, check, html] of [
  ["a second heading", isWellMade, instead("<p>", "<h1>Two</h1><p>")],
  ["a script within the page", isWellMade, instead("<p>", "<script>1</script><p>")],
  ["a style of its own", isWellMade, instead("<p>", '<p style="color: red">')],
  ["a handler", isWellMade, instead("<p>", '<p onclick="1">')],
  ["an address that is a script", isWellMade, instead("<p>", '<a href="javascript:1">x</a><p>')],
  ["a table without headings", isWellMade, instead("<p>", "<table><tr><td>1</td></tr></table><p>")],
  ["markup that has run", nothingHasRun, instead("<p>", "<img src=x: onerror=window.__x=1><p>")],
  ["what is wider than a phone", doesNotScrollSideways, instead("<p>", "<img width=500 alt=''><p>")],
  ["letters that can hardly be seen", isAccessible, instead("<p>", '<p style="color: #ddd">')],
  ["a field without a label", isAccessible, instead("<p>", "<input><p>")],
  ["no mark where the focus is", isWalkedByKeyboard, instead("<p>", "<style>* { outline: none }</style><a href='#x'>x</a><p>")],
  ["what the keyboard cannot reach", isWalkedByKeyboard, instead("<p>", "<button tabindex=-1>x</button><p>")],
  ["a table that is wider than its place", showsWholeTables, instead("<p>", `<div style="overflow: auto">${stacked("width: 500px")}</div><p>`)],
  ["a label out of sight", showsWholeTables, instead("<p>", `${stacked("", "margin-left: -99px")}<p>`)],
  ["a cell that does not say its column's name", showsWholeTables, instead("<p>", `${stacked("").replace('data-label="B"', "")}<p>`)],
  ["a box away from its label", ticksStandBesideTheirLabels, instead("<p>", '<label><input type=checkbox style="height: 3rem">x</label><p>')],
  ["a part of the menu that is out of sight", showsTheWholeMenu, instead("<p>", '<nav class="side"><a style="margin-left: 400px" href="#x">x</a></nav><p>')],
  ["a mark that turns text around", nothingTurnsTheText, instead("Words", "\u202esdroW")],
]) {
  test(`${name} is noticed`, async () => {
    await page.setContent(html);
    await page.waitForTimeout(50);
    await assert.rejects(() => check(page), assert.AssertionError);
  });
}
