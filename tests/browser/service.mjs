// The service under test, spoken to over HTTP: its admin API, and SCIM as a directory speaks it.
// The address and the operator token come from the environment, as scripts/browser.sh sets it.

import { setTimeout as sleep } from "node:timers/promises";

export const BASE = new URL(required("SLACKWATER_URL")).origin;
export const OPERATOR_TOKEN = required("SLACKWATER_ADMIN_TOKEN");

// How Entra calls itself.
const USER_AGENT = "Mozilla/5.0 (compatible; MSAL 1.0) AzureADProvisioning/1.0";
const ANSWER_MS_MAX = 60_000;
const POLL_MS_MAX = 60_000;

export function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; scripts/browser.sh sets it`);
  return value;
}

async function send(method, url, token, body, headers = {}) {
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
    body,
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  });
  const text = await answer.text();
  let json = null;
  try { json = JSON.parse(text); } catch { /* a body that is none, or is no JSON */ }
  return { status: answer.status, text, json };
}

function expected(answer, status, what) {
  if (answer.status !== status) throw new Error(`${what}: ${answer.status} ${answer.text.slice(0, 500)}`);
  return answer.json;
}

// A call of the admin API that must succeed.
export async function admin(method, path, body, type = "application/json") {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const answer = await send(method, `${BASE}/admin/v1${path}`, OPERATOR_TOKEN, text, { "content-type": type });
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 500)}`);
  return answer.json;
}

// Asks until there is an answer; `poll` answers undefined or false where there is none yet.
export async function eventually(what, poll) {
  const deadline = Date.now() + POLL_MS_MAX;
  for (;;) {
    const found = await poll();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`no ${what} within ${POLL_MS_MAX / 1000} s`);
    await sleep(50);
  }
}

// Does something with each, a few at once, and answers what came of it, in order.
export async function each(items, atOnce, act) {
  const done = new Array(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const place = next++;
      done[place] = await act(items[place], place);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return done;
}

// A directory that pushes to one tenant.
export class Directory {
  constructor({ id, endpoint, token }) {
    this.id = id;
    this.endpoint = endpoint;
    this.token = token;
  }

  // A new tenant, fast enough for the tests, whose waves settle after a second.
  static async start(id, name, settings = {}) {
    const { scim } = await admin("POST", "/tenants", { id, name });
    await admin("PATCH", `/tenants/${id}/settings`, {
      reconcile: { settle: "1s" },
      rate_limit: { requests_per_second: 100_000, burst: 100_000 },
      ...settings,
    });
    return new Directory({ id, ...scim });
  }

  // Whatever the answer is.
  request(method, path, body, { token = this.token, ...headers } = {}) {
    const sent = { "user-agent": USER_AGENT, "content-type": "application/scim+json", ...headers };
    return send(method, `${this.endpoint}${path}`, token, body && JSON.stringify(body), sent);
  }

  async createUser(user, headers) {
    const schemas = ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE];
    const answer = await this.request("POST", "/Users", { schemas, active: true, ...user }, headers);
    return expected(answer, 201, `POST of the user ${user.userName}`).id;
  }

  async createGroup(displayName, externalId, headers) {
    const schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
    const answer = await this.request("POST", "/Groups", { schemas, displayName, externalId }, headers);
    return expected(answer, 201, `POST of the group ${displayName}`).id;
  }

  async patchUser(id, ...Operations) {
    expected(await this.patch(`/Users/${id}`, Operations), 200, `PATCH of the user ${id}`);
  }

  async patchGroup(id, ...Operations) {
    expected(await this.patch(`/Groups/${id}`, Operations), 204, `PATCH of the group ${id}`);
  }

  patch(path, Operations) {
    const schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
    return this.request("PATCH", path, { schemas, Operations });
  }

  // In batches, as Entra sends them.
  async addMembers(group, members, size = 500) {
    for (let from = 0; from < members.length; from += size) {
      const value = members.slice(from, from + size).map((value) => ({ value }));
      await this.patchGroup(group, { op: "Add", path: "members", value });
    }
  }

  async removeMembers(group, members) {
    const value = members.map((value) => ({ value }));
    await this.patchGroup(group, { op: "Remove", path: "members", value });
  }

  async deleteUser(id) {
    const answer = await this.request("DELETE", `/Users/${id}`);
    if (answer.status !== 204) throw new Error(`DELETE of the user ${id}: ${answer.status} ${answer.text}`);
  }

  // Waits until the newest wave has settled, and its roles were applied; answers it.
  settled() {
    return eventually(`settled wave of ${this.id}`, async () => {
      const { items: [wave] } = await admin("GET", `/tenants/${this.id}/waves?limit=1`);
      return wave?.state === "settled" && wave.reconciled_at !== null && wave;
    });
  }
}

export const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
