#!/bin/sh
# Runs everything that is tested: format, lint, types, the build, and the tests on Bun and on Deno.
# Needs Node 20 and npm. What else is missing is installed: Debian packages by apt-get when run as root,
# and the npm packages, which bring Bun and Deno.
#
# usage: sh scripts/test.sh [--allow-skips] [ARGUMENT…]
#
#   --allow-skips  go on without packages that cannot be installed; let skipped tests pass in CI too
#   ARGUMENT…      handed to scripts/run_tests.ts: see bun scripts/run_tests.ts --help
#
# The last line is the count: "N passed, N failed", and ", N skipped" where some were.
set -eu
cd -- "$(dirname -- "$0")/.."
. scripts/prepare.sh

allow_skips=no
for argument; do
  case $argument in
    --allow-skips) allow_skips=yes ;;
    -h | --help) sed -n '1d; /^set /q; s/^# \{0,1\}//p' scripts/test.sh && exit 0 ;;
  esac
done

# A step before the tests counts as one failure.
fail() {
  echo "0 passed, 1 failed"
  exit 1
}

need_node || fail
need_packages tests || [ "$allow_skips" = yes ] || fail
need_node_modules || fail
need_addon || [ "$allow_skips" = yes ] || fail

export DENO_NO_UPDATE_CHECK=1
[ -t 1 ] || export NO_COLOR=1
node_modules/.bin/deno task --quiet checks </dev/null || fail
node_modules/.bin/deno task --quiet test "$@" </dev/null
