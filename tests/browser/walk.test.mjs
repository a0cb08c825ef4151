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
  await page.getByRole("button", { name: "Dark theme" }).click();
  await page.goto("/");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.getByRole("button", { name: "Light theme" }).click();
});

test("the tenants at a glance lead to a tenant", async () => {
  await page.goto("/");
  await main().getByRole("link", { name: company.name }).first().click();
  await page.waitForURL(`**${base}`);
});

test("the tide chart shows the waves, also to who cannot see it", async () => {
  await page.goto(`${base}?range=6h`);
  const chart = main().getByRole("img").filter({ visible: true }).first();
  await chart.waitFor();
  const [bands, words] = await chart.evaluate((svg) => [
    svg.querySelectorAll(".waves rect").length,
    svg.getAttribute("aria-label") ?? [svg.getAttribute("aria-labelledby"), svg.getAttribute("aria-describedby")]
      .flatMap((ids) => (ids ?? "").split(" ")).map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim(),
  ]);
  assert.ok(bands >= 3, `${bands} waves are shaded`);
  assert.match(words, /\d/, "the chart says in words how much came");
  assert.ok(await main().getByRole("table").first().getByRole("row").count() >= 4, "the waves are in a table too");
});

test("a wave opens to what it changed", async () => {
  await main().getByRole("table").first().getByRole("row").nth(1).getByRole("link").first().click();
  await page.waitForURL(`**${base}/waves/*`);
  await main().getByRole("heading", { name: /^Wave of/ }).waitFor();
  assert.ok(await main().getByRole("table").first().getByRole("row").count() > 5, "what it changed");
});

test("a hold shows who waits, and is approved", async () => {
  await go("Holds");
  await main().getByRole("row").filter({ hasText: /open/i }).getByRole("link").first().click();
  await page.waitForURL(`**${base}/holds/*`);
  assert.ok(await main().getByRole("table").first().getByRole("row").count() > 10, "who waits");

  await button(/approve/i).click();

  await eventually("approved hold", async () => (await admin("GET", `${base}/holds?state=approved`)).items.length === 1);
  await main().getByText(/approved/i).first().waitFor();
});

test("a token is made, shown once, copied, and works", async () => {
  await go("Tokens");
  const form = main().getByRole("region", { name: "Create a token" });
  await form.getByLabel("Label").fill("made in the browser");
  await form.getByRole("button", { name: "Create the token" }).click();
  const token = (await main().getByText(/^sw_[0-9a-f_]+$/).innerText()).trim();
  await main().getByRole("button", { name: "Copy", description: "Secret Token" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);

  const { status } = await directory.request("GET", "/Users?count=1", undefined, { token });
  assert.equal(status, 200);
  await page.goto(`${base}/tokens`);
  await main().getByRole("row").filter({ hasText: "made in the browser" }).waitFor();
  assert.ok(!(await page.content()).includes(token), "it is shown once");
});

test("a group is mapped: who changes is shown first, and nothing is done until it is saved", async () => {
  await go("Configure SCIM");
  const mappings = async () => (await admin("GET", `${base}/settings`)).role_mappings;
  const before = await mappings();
  await main().getByLabel("Group", { exact: true }).last().fill("Contractors");
  await main().getByLabel("Role", { exact: true }).last().fill("contractor");
  await button("Move Contractors up").press("Enter");
  await button("See who changes").click();
  const preview = main().getByRole("region", { name: "What saving would change" }).first();
  await preview.getByRole("row").filter({ hasText: "viewer" }).filter({ hasText: "contractor" }).first().waitFor();
  assert.deepEqual(await mappings(), before);

  await button("Save").first().click();

  await page.getByRole("status").first().waitFor();
  const groups = (await mappings()).map(({ group }) => group);
  assert.deepEqual(groups, [...before.slice(0, -1), { group: "Contractors" }, before.at(-1)].map(({ group }) => group));
  const { items } = await admin("GET", `${base}/accounts?role=contractor&limit=5`);
  assert.equal(items.length, 5, "contractors have their role");
});

test("a wave settles before one's eyes", async () => {
  const [, , someone] = company.people;
  await page.goto(`${base}/accounts/${someone.id}`);
  await mark();
  const editors = company.groups.find(({ name }) => name === "Asset Editors").id;

  await directory.addMembers(editors, [someone.id]);

  await main().getByRole("region", { name: "Role" }).getByText("editor", { exact: true }).first().waitFor();
  await main().getByRole("region", { name: "History" }).getByText("Asset Editors").first().waitFor();
  await wasNotReloaded();
});

test("the overview follows a wave", async () => {
  await page.goto(base);
  await mark();
  const waves = main().getByRole("table").first();
  const newest = async () => (await waves.getByRole("row").nth(1).innerText()).trim();
  const before = await newest();

  await directory.patchUser(company.people[0].id, { op: "Replace", path: "title", value: "Pilot" });

  await eventually("new wave on the page", async () => await newest() !== before);
  await waves.getByRole("row").nth(1).getByText("settled").waitFor();
  await wasNotReloaded();
});

test("an account is found, locked with a reason, says why, and is unlocked", async () => {
  const [someone] = company.people;
  await go("Accounts");
  await main().getByRole("searchbox").or(main().getByLabel(/search/i)).first().fill(someone.userName);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/accounts?*");
  await main().getByRole("row").filter({ hasText: someone.userName }).getByRole("link").first().click();
  await page.waitForURL(`**${base}/accounts/${someone.id}*`);

  const byHand = main().getByRole("region", { name: "By hand" });
  await byHand.getByLabel("Role", { exact: true }).fill("editor");
  await byHand.getByLabel("Reason").fill("Away with the ship’s crew");
  await byHand.getByRole("button", { name: "Lock", exact: true }).click();

  const why = main().getByRole("region", { name: "Role" });
  await why.getByText("Away with the ship’s crew").waitFor();
  await why.getByText(/operator locked it/).waitFor();
  const account = await admin("GET", `${base}/accounts/${someone.id}`);
  assert.deepEqual([account.locked, account.role, account.why.rule], [true, "editor", "lock"]);
  await byHand.getByRole("button", { name: "Unlock" }).click();
  await byHand.getByRole("button", { name: "Lock", exact: true }).waitFor();
  await why.getByText(/the group .*Employees.* gives it/).waitFor();
});

test("a request opens to what was sent, what was answered, and what the error means", async () => {
  await go("Requests");
  await main().getByLabel("only errors").check();
  await button("Search").click();
  await page.waitForURL("**/requests?*");
  await main().getByRole("row").filter({ hasText: "POST" }).first().getByRole("link").first().click();
  await page.waitForURL(`**${base}/requests/*`);
  const why = await main().getByRole("region", { name: "What went wrong" }).innerText();
  assert.match(why, /userName|user name/i, "in words that an administrator understands");
  const words = await main().innerText();
  for (const part of [/409/, /AzureADProvisioning/, /northquay\.example/]) assert.match(words, part);
});

test("equipment is uploaded, and who left with some is reported", async () => {
  await go("Equipment");
  const upload = async (text) => {
    const buffer = Buffer.from(text);
    await main().locator('input[type="file"]').setInputFiles({ name: "equipment.csv", mimeType: "text/csv", buffer });
    await button(/upload/i).first().click();
  };
  await upload("asset_id,name,holder\r\nNQ-1,Sextant\r\n");
  await page.getByRole("alert").filter({ hasText: /line 2/ }).waitFor();

  const { user_name: left } = await admin("GET", `${base}/accounts/${company.disabled}`);
  await upload(`asset_id,name,holder\r\nNQ-1,Sextant,${left}\r\nNQ-2,Compass,${company.people[0].userName}\r\n`);

  await main().getByRole("row").filter({ hasText: "Sextant" }).filter({ hasText: left }).waitFor();
  assert.equal(await main().getByRole("row").filter({ hasText: "Compass" }).count(), 0);
});

test("the actors are seen at work", async () => {
  await go("Actors");
  await mark();
  const words = () => main().innerText();
  const before = await words();
  for (const { id } of company.people) {
    await directory.patchUser(id, { op: "Replace", path: "title", value: "Helmsman" });
  }
  await eventually("change of the actors' page", async () => await words() !== before);
  await wasNotReloaded();
  await page.goto("/actors");
  await main().getByText(company.name).or(main().getByText(company.id)).first().waitFor();
});

test("a new tenant is made, and its token shown", async () => {
  await page.goto("/new-tenant");
  await main().getByLabel("Id").fill("Harbour Masters");
  await main().getByLabel("Name").fill("Harbour Masters");
  await button("Create the tenant").click();
  await page.getByRole("alert").first().waitFor();
  await main().getByLabel("Id").fill("harbour-masters");
  await button("Create the tenant").click();
  await main().getByText(/^sw_[0-9a-f_]+$/).waitFor();
  await main().getByText(/\/scim\/v2\/harbour-masters$/).waitFor();
});

test("a setup link opens its tenant and nothing else", async () => {
  await page.goto(`${base}/setup-links`);
  await main().getByLabel("For whom").fill("for the test");
  await button("Create the link").click();
  const url = (await main().getByText(/\/setup\?link=/).innerText()).trim();
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

  await page.goto(`${base}/setup-links`);
  await main().getByRole("row").filter({ hasText: "for the test" }).getByRole("button", { name: /revoke/i }).click();
  await page.getByRole("status").first().waitFor();
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
