// A headless Chromium, and windows of it that notice whatever a page must not do.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { BASE, OPERATOR_TOKEN } from "./service.mjs";

export const WIDE = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 780 };
// How long a page may take to do what is waited for.
export const WAIT_MS_MAX = 15_000;

// Beside the page under test, Chromium is to talk to nobody.
const FLAGS = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--font-render-hinting=none"];

// A browser with a profile of its own, and how to end it.
export async function launch() {
  const home = await mkdtemp(join(tmpdir(), "slackwater-browser-"));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Its sandbox does not work for root.
    chromiumSandbox: process.getuid() !== 0,
    args: FLAGS,
    env: { ...process.env, HOME: home },
  });
  const close = async () => {
    await browser.close();
    await rm(home, { recursive: true, force: true });
  };
  return { browser, close };
}

// A window of somebody who is not logged in. `window.faults` holds what its pages did that no page
// of ours does; `window.done()` closes it, and fails if there is any.
export async function open(browser, options = {}) {
  const context = await browser.newContext({
    baseURL: BASE, viewport: WIDE, locale: "en-GB", timezoneId: "Europe/Amsterdam", reducedMotion: "reduce", ...options,
  });
  context.setDefaultTimeout(WAIT_MS_MAX);
  const faults = [];
  const note = (page, what) => faults.push(`${page?.url() ?? "?"}: ${what}`);
  await context.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      window.violations.push(`${violatedDirective} ${blockedURI}`));
  });
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== BASE) note(request.frame().page(), `asks for ${request.url().slice(0, 200)}`);
  });
  context.on("response", (response) => {
    if (response.status() >= 500) note(response.frame().page(), `${response.status()} for ${response.url()}`);
  });
  context.on("weberror", (error) => note(error.page(), `script error: ${error.error()}`));
  context.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !isExpected(message)) note(message.page(), message.text());
  });
  const page = await context.newPage();
  page.on("dialog", (dialog) => {
    // Questions before something is done are ours; nothing else opens one.
    if (dialog.type() !== "confirm") note(page, `dialog: ${dialog.message()}`);
    dialog.accept();
  });
  const done = async () => {
    await context.close();
    assert.deepEqual(faults, []);
  };
  return { context, page, faults, done };
}

// Chromium writes a line for each page that answers 4xx; tests that ask for one look at it itself.
function isExpected(message) {
  return message.text().startsWith("Failed to load resource: the server responded with a status of 4");
}

export async function logIn(page, next = "/") {
  await page.goto(`/login?next=${encodeURIComponent(next)}`);
  await page.getByLabel("Operator token").fill(OPERATOR_TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL((url) => url.pathname + url.search === next);
}

// A window of an operator.
export async function openAsOperator(browser, options) {
  const window = await open(browser, options);
  await logIn(window.page);
  return window;
}
