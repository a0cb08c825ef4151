# shellcheck shell=bash
# A release build of Slackwater for the script that sources this: stopped, and its data gone, when
# the script ends. Set NAME before, for what is said.
#
# It gives `$work`, a directory that goes with the script; `start_server`, which sets `$url` and
# `$operator`; `fail` and `field`.

fail() {
  printf '%s: %s\n' "$NAME" "$*" >&2
  exit 1
}

# What runs here talks over the loopback; a proxy of the environment has no part in it, nor has the
# configuration of another service of ours.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
bin=${SLACKWATER_BIN:-${CARGO_TARGET_DIR:-target}/release/slackwater}
for name in "${!SLACKWATER_@}"; do unset "$name"; done

python=.venv/bin/python
work=$(mktemp -d)
server=
stop_server() {
  local status=$?
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    for _ in $(seq 150); do
      kill -0 "$server" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    if [ "$status" -ne 0 ] && [ -s "$work/log" ]; then
      printf '\n=== Warnings and errors in the log of the server ===\n'
      grep -E '"level":"(WARN|ERROR)"' "$work/log" | tail -n 30 || true
    fi
  fi
  rm -rf "$work"
  exit "$status"
}
trap stop_server EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start_server [OPTION...]: starts it with an operator token and data of its own.
start_server() {
  [ -x "$bin" ] || fail "$bin is missing; cargo build --release --locked makes it"
  operator=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  SLACKWATER_ADMIN_TOKEN=$operator "$bin" serve --listen 127.0.0.1:0 --data "$work/data" "$@" \
    >"$work/stdout" 2>"$work/log" </dev/null &
  server=$!
  # At most 30 s: an empty data directory takes well under one.
  url=
  for _ in $(seq 300); do
    url=$(sed -n 's|^listening on \(http://.*\)$|\1|p' "$work/stdout" | head -n 1)
    [ -z "$url" ] || break
    kill -0 "$server" 2>/dev/null || fail "the server ended before it listened"
    sleep 0.1
  done
  [ -n "$url" ] || fail "the server does not listen after 30 s"
}

# field NAME...: a part of the JSON on standard input.
field() {
  "$python" -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1:]:
    value = value[int(name) if isinstance(value, list) else name]
print(value)' "$@"
}
