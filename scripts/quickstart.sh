#!/bin/sh
# From a checkout to a key server that signs: installs what is missing, compiles dist/keyless,
# serves throw-away keys on loopback, signs with every kind of key, and lets openssl verify it.
#
#   sh scripts/quickstart.sh [--once] [--port N] [--dir DIR]
#
# --once  stop after the check, with exit 0 or 1; otherwise it serves until Ctrl-C
set -eu
cd -- "$(dirname -- "$0")/.."

once=false
port=2407
metrics_port=2406
dir=keyless-dev
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=true ;;
    --port) port=${2:?--port needs a number}; metrics_port=0; shift ;;
    --dir) dir=${2:?--dir needs a directory}; shift ;;
    *) echo "quickstart: what is $1? usage: sh scripts/quickstart.sh [--once] [--port N] [--dir DIR]" >&2
       exit 2 ;;
  esac
  shift
done

. scripts/prepare.sh
need_node
need_packages
need_node_modules
sh scripts/build.sh

# The server's first line on stdout says that it listens; no line, that it could not start.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkfifo "$work/stdout"
dist/keyless serve --dev --dev-dir "$dir" --port "$port" --metrics-port "$metrics_port" \
  >"$work/stdout" &
server=$!
if ! read -r line <"$work/stdout"; then
  echo "quickstart: the server did not start, see above" >&2
  wait "$server" || exit 1
  exit 1
fi
# A terminal sends Ctrl-C to the server as well, and a second signal would cut its drain.
stop() {
  trap '' INT
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" || true
}
trap 'stop; exit 1' INT TERM HUP

status=0
dist/keyless ping --dev --dev-dir "$dir" "127.0.0.1:$port" --count 1 &&
  node_modules/.bin/bun scripts/quickstart_check.ts "$dir" "$port" || status=1

if [ "$once" = true ] || [ "$status" -ne 0 ]; then
  trap - INT TERM HUP
  stop
  exit "$status"
fi
# From here on, Ctrl-C is the end that is wanted.
trap 'trap "" INT; wait "$server" || true; exit 0' INT
trap 'stop; exit 0' TERM HUP
echo
echo "It works. Ctrl-C ends the server; meanwhile, in another terminal:"
echo "  dist/keyless ping --dev --dev-dir $dir 127.0.0.1:$port"
wait "$server"
