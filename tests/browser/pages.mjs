// Every page, by its path, with a part of what it says.

// The pages of a tenant for whom somebody opens its setup link too.
const OF_BOTH = [
  ["overview", "", /./],
  ["waves", "/waves", /wave/i],
  ["health", "/health", /health/i],
  ["accounts", "/accounts", /account/i],
  ["configure", "/configure", /configure/i],
  ["mapping-check", "/mapping-check", /mapping/i],
  ["requests", "/requests", /request/i],
];
const OF_OPERATORS = [
  ["groups", "/groups", /group/i],
  ["holds", "/holds", /hold/i],
  ["parked", "/parked", /parked/i],
  ["equipment", "/equipment", /equipment/i],
  ["webhooks", "/webhooks", /webhook/i],
  ["tokens", "/tokens", /token/i],
  ["setup-links", "/setup-links", /setup link/i],
  ["audit", "/audit", /audit/i],
  ["actors", "/actors", /actor/i],
];

const at = ({ id }) => ([name, path, heading]) => ({ name, path: `/tenants/${id}${path}`, heading });

// The pages that a setup link opens.
export function pagesOfSetup(tenant) {
  return OF_BOTH.map(at(tenant));
}

// The pages that only operators have.
export function pagesOfOperators(tenant) {
  return OF_OPERATORS.map(at(tenant));
}

// Pages about one of something.
export function pagesOfOne(tenant) {
  return [
    ["account", `/accounts/${tenant.account}`, /./],
    ["account-locked", `/accounts/${tenant.locked}`, /./],
    ["account-disabled", `/accounts/${tenant.disabled}`, /./],
    ["request", `/requests/${tenant.request}`, /./],
    ["wave", `/waves/${tenant.wave}`, /./],
    ["webhook", `/webhooks/${tenant.webhook}`, /./],
    ["hold", `/holds/${tenant.hold}`, /./],
  ].map(at(tenant));
}

export function pagesOf(tenant) {
  return [...pagesOfSetup(tenant), ...pagesOfOperators(tenant), ...pagesOfOne(tenant)];
}

// The pages about no tenant, for operators.
export const PAGES_OF_SERVICE = [
  { name: "tenants", path: "/", heading: /tenants/i },
  { name: "all-actors", path: "/actors", heading: /actors/i },
  { name: "audit-of-service", path: "/audit", heading: /audit/i },
  { name: "new-tenant", path: "/new-tenant", heading: /tenant/i },
];
