#!/bin/sh
# Compiles the executable, dist/keyless, for the machine that it runs on. Needs the npm packages.
# Bytecode halves the time to start; names are kept and the source map is inside, for --debug.
# Without the last two options, the executable would run what a bunfig.toml in the current directory
# names, and take variables from a .env there.
set -eu
cd -- "$(dirname -- "$0")/.."
node_modules/.bin/bun build cli/main.ts --compile --outfile dist/keyless \
  --bytecode --format=esm --sourcemap \
  --no-compile-autoload-dotenv --no-compile-autoload-bunfig
rm -f dist/keyless.map
