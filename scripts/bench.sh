#!/bin/sh
# What dist/keyless does on this machine, beside `openssl speed` in the same minute: every operation,
# what is fast beside what is slow, and what growth costs. Compiles it where it is missing; makes its
# keys in a temporary directory. How to read the tables: docs/performance.md.
#
# usage: sh scripts/bench.sh [--quick] [--only NAME]… [--json FILE] [--write-docs]
#
#   --quick       one round of a second each, 5 minutes; else three of three seconds, half an hour
#   --only NAME   that measurement alone; a name that there is not lists them
#   --json FILE   write all figures, of each round too
#   --write-docs  put the tables into docs/performance.md
#   --warmup N, --seconds N, --rounds N  how long each load runs before, for how long it is measured,
#                 and how often
#
# Exit code 0: all that must be reached was; 1: something was not; 2: it could not be measured.
set -eu
cd -- "$(dirname -- "$0")/.."
. scripts/prepare.sh

for argument; do
  case $argument in
    -h | --help) sed -n '1d; /^set /q; s/^# \{0,1\}//p' scripts/bench.sh && exit 0 ;;
  esac
done

need_node || exit 2
need_packages || exit 2
need_node_modules || exit 2
[ -x dist/keyless ] || sh scripts/build.sh || exit 2
exec node_modules/.bin/bun scripts/bench/main.ts "$@"
