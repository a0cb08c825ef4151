// Fills the service: a company of 5,000 accounts whose directory has sent four waves, and a second
// tenant where everything that can be named is named as somebody with bad intentions would. Writes
// to standard output, as JSON, what the tests need of it.

import { admin, BASE, Directory, each, ENTERPRISE, eventually } from "./service.mjs";
import { HOSTILE, hash, person, uuid } from "./names.mjs";

const ACCOUNTS = Number(process.env.ACCOUNTS ?? 5_000);
const AT_ONCE = 48;
// A port of this machine on which nothing listens.
const CLOSED_PORT = 9;

// --- the company ---------------------------------------------------------------------------------

const GROUPS = [
  ["Slackwater Administrators", (n) => n < 6],
  ["Asset Editors", (n) => n % 40 === 7],
  ["Employees", (n) => n % 10 !== 3],
  ["Contractors", (n) => n % 10 === 3],
  ["Site Rotterdam", (n) => n % 5 === 0],
  ["Site Göteborg", (n) => n % 5 === 1],
  ["Site 大阪", (n) => n % 5 === 2],
  ["On-call", (n) => n % 90 === 4],
  ["Works Council", (n) => n % 400 === 9],
  ["First Aiders", (n) => n % 55 === 2],
  ["Board", (n) => n % 900 === 1],
  ["Interns 2026", (n) => n % 130 === 5],
];
const ROLE_MAPPINGS = [
  { group: "Slackwater Administrators", role: "administrator" },
  { group: "Asset Editors", role: "editor" },
  { group: "Employees", role: "loanee" },
  { group: "Auditors", role: "viewer" },
];

async function company() {
  const directory = await Directory.start("northquay", "Northquay Shipping", {
    default_role: "viewer",
    role_mappings: ROLE_MAPPINGS,
    protected_roles: ["administrator"],
    hold: { share: 0.02, min_accounts: 100 },
    field_mappings: { department: `${ENTERPRISE}:department`, title: "title", employee_number: `${ENTERPRISE}:employeeNumber` },
  });
  const base = `/tenants/${directory.id}`;
  await admin("POST", `${base}/webhooks`, { url: `http://127.0.0.1:${CLOSED_PORT}/slackwater`, types: ["account.role_changed", "account.disabled"] });

  const users = await initialCycle(directory);
  const groups = users.groups;
  const hold = await movers(directory, users.ids, groups);
  await leavers(directory, users.ids);
  const wave = await renames(directory, users.ids, groups);

  // What operators did.
  const [locked, lockedForNow] = [users.ids[7], users.ids[47]];
  await admin("PUT", `${base}/accounts/${locked}/lock`, { role: "administrator", reason: "Runs the migration until the year ends; agreed with the works council" });
  await admin("PUT", `${base}/accounts/${lockedForNow}/lock`, { role: "editor", reason: "Stands in for a colleague", expires_at: inDays(12) });
  await admin("POST", `${base}/tokens`, { label: "Entra, before the rotation", expires_in: "9d" });
  await admin("POST", `${base}/setup-links`, { label: "Northquay’s own IT", expires_in: "7d" });
  await admin("PUT", `${base}/equipment`, equipment(400), "text/csv");
  const found = async (what) => (await admin("GET", `${base}/${what}?limit=1`)).items[0]?.id;
  return {
    id: directory.id, name: "Northquay Shipping", endpoint: directory.endpoint, token: directory.token,
    account: users.ids[12], locked, disabled: users.ids[110], wave: wave.id, hold,
    webhook: await found("webhooks"), request: await newestRequest(base),
    groups: groups.map((id, place) => ({ id, name: GROUPS[place][0] })),
    people: [8, 20, 33].map((n) => ({ id: users.ids[n], ...person(n) })),
  };
}

// The first wave: everybody, then the groups, then who is in them.
async function initialCycle(directory) {
  const probe = encodeURIComponent(`userName eq "${uuid(-1)}"`);
  await directory.request("GET", `/Users?filter=${probe}`);
  const numbers = Array.from({ length: ACCOUNTS }, (_, n) => n);
  const ids = await each(numbers, AT_ONCE, (n) => directory.createUser(resource(n)));
  const groups = await each(GROUPS, 4, ([name], place) => directory.createGroup(name, uuid(100_000 + place)));
  await each(GROUPS, 4, ([, isMember], place) =>
    directory.addMembers(groups[place], ids.filter((_, n) => isMember(n))));
  // Two who were not pushed yet: their memberships are parked.
  await directory.addMembers(groups[2], [uuid(-2), uuid(-3)]);
  await directory.settled();
  return { ids, groups };
}

// The second wave: people move, and more of them at once than the brake lets through.
async function movers(directory, ids, groups) {
  const [, editors, employees, contractors] = groups;
  const moving = ids.filter((_, n) => n % 25 === 6);
  await each(moving, AT_ONCE, (id) => {
    const { department } = person(hash(ids.indexOf(id), 20));
    return directory.patchUser(id, { op: "Replace", path: `${ENTERPRISE}:department`, value: department });
  });
  await directory.removeMembers(employees, moving);
  await directory.addMembers(contractors, moving);
  await directory.addMembers(editors, ids.filter((_, n) => n % 300 === 12));
  await directory.settled();
  return eventually("hold", async () => (await admin("GET", `/tenants/${directory.id}/holds`)).items[0]?.id);
}

// The third wave: people leave; some are deleted.
async function leavers(directory, ids) {
  const leaving = ids.filter((_, n) => n % 50 === 10);
  await each(leaving, AT_ONCE, (id) => directory.patchUser(id, { op: "Replace", path: "active", value: "False" }));
  await each(leaving.filter((_, place) => place % 4 === 3), AT_ONCE, (id) => directory.deleteUser(id));
  await directory.settled();
}

// The fourth wave: people and groups are renamed, and a few requests fail.
async function renames(directory, ids, groups) {
  const renamed = ids.filter((_, n) => n % 80 === 21);
  await each(renamed, AT_ONCE, (id, place) => {
    const { givenName, familyName } = person(place * 31);
    return directory.patchUser(id,
      { op: "Replace", path: "name.familyName", value: familyName },
      { op: "Replace", path: "displayName", value: `${givenName} ${familyName}` });
  });
  await directory.patchGroup(groups[11], { op: "Replace", path: "displayName", value: "Interns and Trainees" });
  await directory.addMembers(groups[4], ids.filter((_, n) => n % 70 === 3));
  await directory.request("POST", "/Users", resource(1));
  await directory.request("GET", `/Users/${uuid(-4)}`);
  await directory.patch(`/Users/${ids[2]}`, [{ op: "Replace", path: "emails[type eq", value: "x" }]);
  await directory.request("PATCH", `/Users/${ids[3]}`, { Operations: "none" });
  await directory.request("GET", "/Users", undefined, { token: "of-somebody-else" });
  return directory.settled();
}

function resource(n) {
  const { userName, displayName, givenName, familyName, department, title, externalId } = person(n);
  return {
    userName, displayName, externalId, title,
    name: { givenName, familyName, formatted: displayName },
    emails: [{ type: "work", primary: true, value: userName }],
    [ENTERPRISE]: { department, employeeNumber: String(10_000 + n) },
  };
}

// Who holds what; some of them have left.
function equipment(rows) {
  const models = ["ThinkPad X1", "MacBook Air 13", "Pixel 9", "Dell U2724D", "Zebra TC58", "Forklift key"];
  const lines = ["asset_id,name,holder"];
  for (let row = 0; row < rows; row += 1) {
    const n = row % 4 === 0 ? (row * 50 + 10) % ACCOUNTS : hash(row, 30) % ACCOUNTS;
    lines.push(`NQ-${String(20_000 + row)},${models[row % models.length]},${person(n).userName}`);
  }
  return `${lines.join("\r\n")}\r\n`;
}

// Requests are written down a little later than they are answered.
async function newestRequest(base) {
  return eventually("request", async () => (await admin("GET", `${base}/requests?limit=1`)).items[0]?.id);
}

const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString();

// --- the tenant of bad names ---------------------------------------------------------------------

async function hostile() {
  const names = Object.values(HOSTILE);
  const short = (text) => [...text].slice(0, 250).join("");
  const directory = await Directory.start("hostile", short(HOSTILE.script), {
    role_mappings: names.map((name) => ({ group: short(name), role: short(name) })),
    field_mappings: Object.fromEntries(names.map((name) => [short(name), `${ENTERPRISE}:department`])),
    hold: { share: 0.01, min_accounts: 2 },
  });
  const base = `/tenants/${directory.id}`;
  // Headers are bytes: what is beyond ASCII goes as UTF-8.
  const agent = (name) => ({ "user-agent": Buffer.from(name, "utf8").toString("latin1") });
  const users = await each(names, 4, (name, place) => directory.createUser({
    userName: `${name}${place}`, displayName: name, externalId: name, title: name, nickName: name,
    name: { givenName: name, familyName: name, formatted: name },
    emails: [{ type: "work", primary: true, value: name }],
    [ENTERPRISE]: { department: name, costCenter: name },
  }, agent(name)));
  const groups = await each(names, 4, (name) => directory.createGroup(name, name, agent(name)));
  await each(groups, 4, (group) => directory.addMembers(group, [...users, uuid(-7)]));
  await directory.addMembers(groups[0], names.slice(0, 4));
  await directory.settled();
  // The brake holds what would be taken from nearly all of them.
  await each(groups, 1, (group) => directory.removeMembers(group, users.slice(2)));
  await directory.patchUser(users[1], { op: "Replace", path: "active", value: false });
  await each(names, 4, (name) => directory.request("POST", "/Users", { userName: HOSTILE.image + 0, displayName: name }, agent(name)));
  await each(names, 4, (name) => directory.request("GET", `/Users/${encodeURIComponent(short(name))}`, undefined, agent(name)));
  await each(names, 4, (name) => directory.request("GET", `/Users?filter=${encodeURIComponent(`userName eq ${JSON.stringify(name)}`)}`, undefined, agent(name)));
  const wave = await directory.settled();

  await each(users.slice(2), 1, (id, place) =>
    admin("PUT", `${base}/accounts/${id}/lock`, { role: short(names[place]), reason: names[place].slice(0, 1_000) }));
  await each(names, 1, (name) => admin("POST", `${base}/tokens`, { label: short(name), expires_in: "9d" }));
  await each(names, 1, (name) => admin("POST", `${base}/setup-links`, { label: short(name), expires_in: "9d" }));
  await each(names, 1, (name) => admin("POST", `${base}/webhooks`, { url: `http://127.0.0.1:${CLOSED_PORT}/${encodeURIComponent(name).slice(0, 1_900)}` }));
  const list = names.map((name, place) => ({ asset_id: `${place}${short(name).slice(0, 190)}`, name: short(name), holder: `${HOSTILE.script}1` }));
  await admin("PUT", `${base}/equipment`, list);
  const first = async (what) => (await admin("GET", `${base}/${what}?limit=1`)).items[0]?.id;
  return {
    id: directory.id, name: short(HOSTILE.script), endpoint: directory.endpoint, token: directory.token,
    account: users[Object.keys(HOSTILE).indexOf("turned")], locked: users[2], disabled: users[1],
    wave: wave.id, hold: await first("holds"), webhook: await first("webhooks"), request: await newestRequest(base),
  };
}

// A tenant to which nothing was sent yet: what pages say then is tested too.
async function empty() {
  const { id, endpoint, token } = await Directory.start("newcomer", "Newcomer Ltd");
  return { id, name: "Newcomer Ltd", endpoint, token };
}

const seeded = { base: BASE, company: await company(), hostile: await hostile(), empty: await empty() };
process.stdout.write(`${JSON.stringify(seeded, null, 1)}\n`);
