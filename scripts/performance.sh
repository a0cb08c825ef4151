#!/usr/bin/env bash
# Measures everything that is measured, and writes it down.
#
#   scripts/performance.sh [--quick] [BENCHMARK...]
#
# Benchmarks: filter, patch, decide_role, group_commit, pages (with criterion), reconcile, and over
# HTTP with the release build ceiling, scaling, large_tenant, tenants, lists, request_record, backlog.
# Without one, all of them: about an hour and a half. The machine should have nothing else to do.
#
# The figures go to target/performance/BENCHMARK.json; figures of benchmarks that do not run are
# left as they are. From all of them scripts/performance.py makes the tables of docs/performance.md
# and docs/images/performance-*.svg. With --quick, fewer and smaller runs show that everything works:
# their figures go to target/performance/quick, and the documentation stays as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  printf 'performance.sh: %s\n' "$*" >&2
  exit 2
}

with_criterion=(filter patch decide_role group_commit pages)
programs=(reconcile ceiling scaling large_tenant tenants lists request_record backlog)

quick=() wanted=()
for argument in "$@"; do
  case $argument in
  --quick) quick=(--quick) ;;
  -*) fail "no such option: $argument" ;;
  *)
    [[ " ${with_criterion[*]} ${programs[*]} " == *" $argument "* ]] || fail "no such benchmark: $argument"
    wanted+=("$argument")
    ;;
  esac
done
[ "${#wanted[@]}" -gt 0 ] || wanted=("${with_criterion[@]}" "${programs[@]}")

command -v python3 >/dev/null || fail "python3 is missing"
target=$(cargo metadata --format-version=1 --no-deps --locked --offline |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
results=$target/performance${quick:+/quick}
mkdir -p "$results"

# What runs here talks over the loopback; the configuration of another service has no part in it.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
for name in "${!SLACKWATER_@}"; do unset "$name"; done

# A list over its limit fails its benchmark, as does a request that failed; the others are measured all
# the same.
failed=()
for name in "${wanted[@]}"; do
  printf '\n=== %s ===\n' "$name"
  bench=(cargo bench --locked --bench "$name" --)
  if [[ " ${programs[*]} " == *" $name "* ]]; then
    "${bench[@]}" "${quick[@]}" --json "$results/$name.json" || failed+=("$name")
  else
    rm -rf "$results/criterion/$name"
    if CRITERION_HOME=$results/criterion/$name "${bench[@]}" "${quick[@]}"; then
      python3 scripts/performance.py collect "$results/criterion/$name" "$results/$name.json"
    else
      failed+=("$name")
    fi
  fi
done

if [ "${#quick[@]}" -eq 0 ]; then
  python3 scripts/performance.py machine "$results/machine.json"
  python3 scripts/performance.py document "$results" docs
fi
[ "${#failed[@]}" -eq 0 ] || {
  printf 'performance.sh: failed: %s\n' "${failed[*]}" >&2
  exit 1
}
