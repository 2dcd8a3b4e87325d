#!/bin/sh
# Compiles the executable, dist/keyless, for the machine that it runs on. Needs the npm packages.
# Bytecode halves the time to start; names are kept and the source map is inside, for --debug.
set -eu
cd -- "$(dirname -- "$0")/.."
node_modules/.bin/bun build cli/main.ts --compile --outfile dist/keyless \
  --bytecode --format=esm --sourcemap
rm -f dist/keyless.map
