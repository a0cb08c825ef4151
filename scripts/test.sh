#!/usr/bin/env bash
# Tests everything: the workspace, then a release build against two public SCIM conformance tools,
# schemathesis, and a browser.
#
#   scripts/test.sh              all of it
#   scripts/test.sh --prepare    only install what the tests need
#
# Needs Rust. The rest is installed where it is missing: Debian or Ubuntu packages with apt-get
# (with sudo, unless root), the Python tools of scripts/requirements.txt in .venv, and what
# scripts/browser.sh needs, in tests/browser/node_modules; git ignores both. Runs from any directory,
# as often as you like.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

section() { printf '\n=== %s ===\n' "$*"; }
fail() {
  printf 'test.sh: %s\n' "$*" >&2
  exit 1
}

# The first interpreter that is new enough for the tools and can make virtual environments.
find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c '
import sys, venv, ensurepip
sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# What is missing, as Debian packages.
missing_packages() {
  command -v cc >/dev/null || echo gcc libc6-dev
  command -v curl >/dev/null || echo curl
  # Counts the fsyncs behind a success status.
  command -v strace >/dev/null || echo strace
  # Make and mount the file system on which the power is cut.
  PATH="$PATH:/usr/sbin:/sbin" command -v mkfs.ext4 >/dev/null || echo e2fsprogs
  PATH="$PATH:/usr/sbin:/sbin" command -v losetup >/dev/null || echo util-linux mount
  if ! find_python >/dev/null; then
    if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
      ! command -v python3 >/dev/null; then
      echo python3 python3-venv
    else
      echo python3.11 python3.11-venv
    fi
  fi
}

install_packages() {
  local wanted as_root=()
  wanted=$(missing_packages | xargs)
  if [ -z "$wanted" ]; then
    echo "all there"
    return
  fi
  command -v apt-get >/dev/null ||
    fail "please install what these Debian packages hold, then run again: $wanted"
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "no root and no sudo; please install: $wanted"
    as_root=(sudo)
  fi
  echo "installing: $wanted"
  "${as_root[@]}" apt-get update -q || fail "apt-get update failed; still to install: $wanted"
  # shellcheck disable=SC2086 # several packages
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $wanted || fail "apt-get cannot install: $wanted"
  wanted=$(missing_packages | xargs)
  [ -z "$wanted" ] || fail "still missing after the installation: $wanted"
}

install_python_tools() {
  local stamp=.venv/requirements.installed
  if cmp -s scripts/requirements.txt "$stamp" && .venv/bin/python -c '' 2>/dev/null; then
    echo "up to date"
    return
  fi
  "$(find_python)" -m venv --clear .venv
  .venv/bin/pip install --quiet --disable-pip-version-check -r scripts/requirements.txt ||
    fail "pip could not install scripts/requirements.txt"
  cp scripts/requirements.txt "$stamp"
}

section "What the tests need"
if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
  # shellcheck source=/dev/null
  . "$HOME/.cargo/env"
fi
command -v cargo >/dev/null || fail "Rust is missing: install it with rustup"
install_packages

section "Python tools (.venv)"
install_python_tools

section "promtool (.tools)"
scripts/metrics.sh --prepare

section "Chromium and what drives it"
scripts/browser.sh --prepare

case ${1:-} in
--prepare) exit 0 ;;
'') ;;
*) fail "no such option: $1" ;;
esac

section "Tests of the crates"
cargo test --workspace --exclude slackwater --locked

# What is shipped is what is tested: the black-box tests drive the release build. Only optimisation
# across crates is left out, which takes minutes for each of the test programs.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
section "Release build and its black-box tests"
cargo test --release --package slackwater --locked
cargo build --release --locked

scripts/conformance.sh

section "Alert rules, dashboard and metrics (promtool)"
scripts/metrics.sh

section "Fuzzing of the admin API (schemathesis)"
scripts/api-fuzz.sh

section "The web pages, in Chromium"
scripts/browser.sh

section "All tests passed"
