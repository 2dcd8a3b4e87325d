#!/bin/sh
# Compiles the executable, dist/keyless, for the machine that it runs on. Needs the npm packages; it
# has no part for PKCS#11 where the optional ones are not there.
# Threads start from files of their own, named here after the main one; --entry-naming puts all of
# them beside each other, where `new URL("./FILE", import.meta.url)` finds them, so each name stands
# once. Bytecode halves the time to start; names are kept and the source map is inside, for --debug.
# Without the last two options, the executable would run what a bunfig.toml in the current directory
# names, and take variables from a .env there.
set -eu
cd -- "$(dirname -- "$0")/.."
hsm=
[ -e node_modules/pkcs11js/build/Release/pkcs11.node ] ||
  hsm='--external pkcs11js --external graphene-pk11'
# shellcheck disable=SC2086 # several words, or none
node_modules/.bin/bun build cli/main.ts src/bench/client_thread.ts src/bench/timer_thread.ts \
  src/server/server_thread.ts src/threads/signing_thread.ts \
  src/hsm/module_thread.ts src/hsm/session_thread.ts \
  --compile --outfile dist/keyless --entry-naming '[name].[ext]' \
  --bytecode --format=esm --sourcemap \
  $hsm --no-compile-autoload-dotenv --no-compile-autoload-bunfig
rm -f dist/*.map
