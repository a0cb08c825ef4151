// What people do on the pages, one step after the other, on a tenant of 5,000 accounts after four
// waves: each test begins where the one before ended.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, logIn, open, openAsOperator } from "./browser.mjs";
import { nothingHasRun } from "./checks.mjs";
import { pagesOfOperators, pagesOfSetup, PAGES_OF_SERVICE } from "./pages.mjs";
import { admin, Directory, eventually, OPERATOR_TOKEN, required } from "./service.mjs";

const { company, hostile } = JSON.parse(await readFile(required("SEEDED"), "utf8"));
const directory = new Directory(company);
const base = `/tenants/${company.id}`;

let browser, close, window, page;
before(async () => {
  ({ browser, close } = await launch());
  window = await open(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  ({ page } = window);
});
after(() => close());

const main = () => page.getByRole("main");
const button = (name) => main().getByRole("button", { name });
const go = (name) => page.getByRole("navigation", { name: "Tenant" }).getByRole("link", { name, exact: true }).click();
// The page is as it was loaded: what has changed on it came by itself.
const mark = () => page.evaluate(() => { window.loadedOnce = true; });
const wasNotReloaded = async () => assert.equal(await page.evaluate(() => window.loadedOnce), true, "the page was loaded again");

test("log in with the operator token, and with no other", async () => {
  await page.goto(`${base}/tokens`);
  assert.match(page.url(), /\/login\?next=/);
  await page.getByLabel("Operator token").fill("not the token");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").filter({ hasText: "not the operator token" }).waitFor();

  await page.getByLabel("Operator token").fill(OPERATOR_TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();

  await page.waitForURL(`**${base}/tokens`);
  const [cookie] = await window.context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, "Strict"]);
  assert.ok(!await page.evaluate(() => document.cookie), "scripts do not see the cookie");
});

test("a theme that was chosen stays", async () => {
  await page.getByRole("button", { name: "Dark" }).click();
  await page.goto("/");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.getByRole("button", { name: "Light" }).click();
});

test("a setup link opens its tenant and nothing else", async () => {
  const { id, url } = await admin("POST", `${base}/setup-links`, { label: "for the test", expires_in: "1h" });
  const customer = await open(browser);
  await customer.page.goto(url);
  await customer.page.getByRole("button", { name: "Open" }).click();
  await customer.page.waitForURL(`**${base}/configure`);
  const statusOf = async (path) => (await customer.page.request.get(path, { maxRedirects: 0 })).status();

  for (const { path } of pagesOfSetup(company)) assert.equal(await statusOf(path), 200, path);
  const ofOthers = [...pagesOfOperators(company), ...pagesOfSetup(hostile), ...PAGES_OF_SERVICE.filter(({ path }) => path !== "/")];
  for (const { path } of ofOthers) assert.equal(await statusOf(path), 404, path);
  await customer.page.goto("/");
  assert.ok(!(await customer.page.content()).includes(hostile.id), "another tenant is named");

  await admin("DELETE", `${base}/setup-links/${id}`);
  assert.equal(await statusOf(`${base}/accounts`), 303, "a link that was revoked opens nothing");
  await customer.done();
});

test("log out", async () => {
  await page.goto(base);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL("**/login");
  await page.goto(base);
  assert.match(page.url(), /\/login\?next=/);
  await nothingHasRun(page);
  await window.done();
});
