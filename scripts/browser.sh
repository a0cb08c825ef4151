#!/usr/bin/env bash
# Walks through the web pages in a headless Chromium: what people do there, every page in both
# themes and at the width of a phone, with axe-core, and every page without JavaScript.
#
#   scripts/browser.sh              starts target/release/slackwater
#   scripts/browser.sh --prepare    only installs what it needs
#   scripts/browser.sh --serve      fills a server for somebody to look at, and leaves it running
#
# Needs Chromium, Node.js from version 20 on, and npm; with apt-get (and sudo, unless root) what is
# missing is installed. The screenshots are in target/browser. Takes some two minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NAME=browser.sh
# shellcheck source=scripts/server.sh
. scripts/server.sh

SECONDS_MAX=420
tests=tests/browser

# What is missing, as Debian packages.
missing_packages() {
  command -v chromium >/dev/null || echo chromium
  if ! node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null; then
    echo nodejs
  fi
  command -v npm >/dev/null || echo npm
  # Names in other scripts than our own are to be seen on the screenshots.
  [ -n "$(fc-list :lang=zh 2>/dev/null)" ] || echo fontconfig fonts-wqy-microhei
  [ -n "$(fc-list :lang=hi 2>/dev/null)" ] || echo fonts-lohit-deva
}

prepare() {
  local wanted as_root=()
  wanted=$(missing_packages | xargs)
  if [ -n "$wanted" ]; then
    command -v apt-get >/dev/null || fail "please install what these Debian packages hold: $wanted"
    if [ "$(id -u)" -ne 0 ]; then
      command -v sudo >/dev/null || fail "no root and no sudo; please install: $wanted"
      as_root=(sudo)
    fi
    echo "installing: $wanted"
    "${as_root[@]}" apt-get update -q
    # shellcheck disable=SC2086 # several packages
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends $wanted || fail "apt-get cannot install: $wanted"
    wanted=$(missing_packages | xargs)
    [ -z "$wanted" ] || fail "still missing, or too old, after the installation: $wanted"
  fi
  local stamp=$tests/node_modules/.installed
  if ! cmp -s "$tests/package-lock.json" "$stamp"; then
    (cd "$tests" && npm ci --no-progress) || fail "npm ci failed"
    cp "$tests/package-lock.json" "$stamp"
  fi
}

prepare
case "$#${1:-}" in
0 | 1--serve) ;;
1--prepare) exit 0 ;;
*) fail "usage: browser.sh [--prepare | --serve]" ;;
esac

# A webhook to a closed port of this machine is among what is shown.
start_server --allow-private-webhooks
export SLACKWATER_URL=$url SLACKWATER_ADMIN_TOKEN=$operator
SHOTS=$PWD/target/browser
if [ -n "${CARGO_TARGET_DIR:-}" ]; then SHOTS=$(realpath -m "$CARGO_TARGET_DIR")/browser; fi
rm -rf "$SHOTS"
mkdir -p "$SHOTS"
export SHOTS SEEDED=$work/seeded.json

began=$SECONDS
node "$tests/seed.mjs" >"$SEEDED" || fail "the tenants could not be filled"
echo "filled in $((SECONDS - began)) s"

if [ "${1:-}" = --serve ]; then
  printf 'log in at %s with %s; Ctrl-C ends it\n' "$url" "$operator"
  wait "$server"
  exit 0
fi

# One file after the other: the pages are walked as they were left.
timeout "$SECONDS_MAX" node --test --test-reporter=spec --test-concurrency=1 \
  "$tests"/checks.test.mjs "$tests"/walk.test.mjs "$tests"/pages.test.mjs </dev/null || fail "see the tests above"
echo "screenshots: $SHOTS"
