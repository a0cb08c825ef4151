#!/usr/bin/env bash
# Checks what an operator takes for watching, with Prometheus' own promtool: the alert rules and
# their tests, the expressions of the dashboard, and the metrics of a running service. That each
# name in them exists is checked by tests/it/metrics.rs.
#
#   scripts/metrics.sh              starts target/release/slackwater
#   scripts/metrics.sh --prepare    only sees to it that promtool is there
#
# Where there is no promtool it is taken out of Debian's package `prometheus` and put into .tools,
# which git ignores: installing the package would start a server. Takes a few seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf 'metrics.sh: %s\n' "$*" >&2
  exit 1
}

promtool=$(command -v promtool || echo "$PWD/.tools/prometheus/usr/bin/promtool")

# Downloads the package, after a look for newer lists if it is not to be had.
download() {
  local as_root=()
  apt-get download -q prometheus && return
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q && apt-get download -q prometheus
}

install_promtool() {
  local work
  if "$promtool" --version >/dev/null 2>&1; then
    echo "all there"
    return
  fi
  command -v apt-get >/dev/null || fail "please install promtool (Prometheus), then run again"
  work=$(mktemp -d)
  # apt downloads as a user of its own.
  chmod 777 "$work"
  (cd "$work" && download) || fail "apt-get cannot download the package prometheus"
  mkdir -p .tools/prometheus
  dpkg-deb -x "$work"/prometheus_*.deb .tools/prometheus
  rm -rf "$work"
  "$promtool" --version >/dev/null || fail "promtool does not run"
}

install_promtool
case ${1:-} in
--prepare) exit 0 ;;
'') ;;
*) fail "no such option: $1" ;;
esac

work=$(mktemp -d)
server=
stop() {
  local status=$?
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap stop EXIT

printf '\n=== Alert rules ===\n'
"$promtool" check config deploy/prometheus/prometheus.yml
"$promtool" test rules deploy/prometheus/alerts_test.yml

printf '\n=== Expressions of the dashboard ===\n'
# As rules that record them, in which promtool finds what is no PromQL.
"${PYTHON:-.venv/bin/python}" - deploy/grafana/slackwater.json >"$work/dashboard.yml" <<'PYTHON'
import json, sys

dashboard = json.load(open(sys.argv[1], encoding="utf-8"))
targets = [target for panel in dashboard["panels"] for target in panel.get("targets", [])]
targets += dashboard["annotations"]["list"]
rules = []
for number, target in enumerate(targets):
    expr = target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
    assert "$" not in expr, expr
    rules.append({"record": f"dashboard:{number}", "expr": expr})
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
PYTHON
"$promtool" check rules "$work/dashboard.yml"

printf '\n=== Metrics of a running service ===\n'
bin=${SLACKWATER_BIN:-${CARGO_TARGET_DIR:-target}/release/slackwater}
for name in "${!SLACKWATER_@}"; do unset "$name"; done
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
[ -x "$bin" ] || fail "$bin is missing: cargo build --release"
SLACKWATER_ADMIN_TOKEN=metrics-operator "$bin" serve --listen 127.0.0.1:0 --data "$work/data" \
  >"$work/out" 2>"$work/log" &
server=$!
for _ in $(seq 200); do
  url=$(sed -n 's/^listening on //p' "$work/out")
  [ -z "$url" ] || break
  sleep 0.05
done
[ -n "$url" ] || fail "the service does not listen: $(cat "$work/log")"
curl -fsS -o /dev/null -H 'Authorization: Bearer metrics-operator' -d '{"id": "acme", "name": "Acme"}' \
  "$url/admin/v1/tenants"
curl -fsS "$url/metrics" >"$work/metrics"
"$promtool" check metrics <"$work/metrics"
printf '%s metrics, as promtool wants them\n' "$(grep -c '^# TYPE' "$work/metrics")"
