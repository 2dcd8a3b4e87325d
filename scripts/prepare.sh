# Read by the scripts beside it, from the project's root: brings what they need onto a machine that has
# Node and npm. Every function says what is missing and how to get it, and fails where it cannot help.

# What is needed besides Node and npm: how to see it, and the Debian or Ubuntu package that brings it.
# With "tests", also what only the tests need.
missing_packages() {
  command -v openssl >/dev/null 2>&1 || echo openssl
  has_library libcrypto.so.3 || echo libssl3
  [ "${1-}" = tests ] || return 0
  command -v promtool >/dev/null 2>&1 || echo prometheus
  command -v chromium >/dev/null 2>&1 || echo chromium
  command -v softhsm2-util >/dev/null 2>&1 || echo softhsm2
  command -v pkcs11-tool >/dev/null 2>&1 || echo opensc
  for tool in python3 make g++; do # they compile the addon for PKCS#11
    command -v "$tool" >/dev/null 2>&1 || echo "$tool"
  done
}

need_node() {
  for tool in node npm; do
    if ! command -v "$tool" >/dev/null 2>&1; then
      complain "$tool is missing. Install Node.js $NODE_MAJOR or newer with npm: https://nodejs.org/"
      return 1
    fi
  done
  major=$(node -p 'process.versions.node.split(".")[0]')
  if [ "$major" -lt "$NODE_MAJOR" ]; then
    complain "Node.js $major is too old; $NODE_MAJOR or newer is needed: https://nodejs.org/"
    return 1
  fi
}

# Installs missing packages as root; else fails, naming them. Takes what missing_packages takes.
need_packages() {
  missing=$(missing_packages "$@" | tr '\n' ' ')
  missing=${missing% }
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing $missing"
    case " $missing " in *" prometheus "*) keep_service_off prometheus ;; esac
    # shellcheck disable=SC2086 # several packages
    if apt-get -q update </dev/null && DEBIAN_FRONTEND=noninteractive \
      apt-get -q install -y --no-install-recommends $missing </dev/null; then
      missing=$(missing_packages "$@" | tr '\n' ' ')
      missing=${missing% }
      [ -n "$missing" ] || return 0
    fi
  fi
  complain "missing: $missing. Install with: sudo apt-get install -y $missing"
  return 1
}

# Installs the npm packages where they are missing, or older than the lock file; Bun and Deno too.
need_node_modules() {
  installed=node_modules/.package-lock.json # npm writes it last
  if [ ! -e "$installed" ] || [ -n "$(find package-lock.json -newer "$installed")" ]; then
    echo "installing the npm packages"
    use_node_headers
    # the engines that packages ask for are Node's, which runs none of them
    npm ci --no-audit --no-fund --loglevel=error </dev/null || {
      complain "npm ci failed; see above."
      return 1
    }
    touch "$installed"
  fi
  need_runtime bun install.js && need_runtime deno install.cjs
}

# The addon for PKCS#11 is optional: npm leaves it out where it cannot be compiled.
need_addon() {
  addon=node_modules/pkcs11js/build/Release/pkcs11.node
  [ ! -e "$addon" ] || return 0
  use_node_headers
  # npm may be set up to run no install scripts
  [ ! -e node_modules/pkcs11js ] || npm rebuild --loglevel=error pkcs11js </dev/null || true
  [ -e "$addon" ] || {
    complain "the addon for PKCS#11 was not compiled. With python3, make, g++ and Node's headers there," \
      "remove node_modules and try again."
    return 1
  }
}

NODE_MAJOR=20

# Those that came with Node, so that nothing is downloaded to compile an addon.
use_node_headers() {
  node_prefix=$(dirname "$(dirname "$(command -v node)")")
  [ ! -e "$node_prefix/include/node/node_api.h" ] || export npm_config_nodedir="$node_prefix"
}

# Where npm is set up to run no install scripts, the package's own one has still to be run.
need_runtime() {
  "node_modules/.bin/$1" --version >/dev/null 2>&1 ||
    (cd "node_modules/$1" && node "$2" </dev/null) || true
  "node_modules/.bin/$1" --version >/dev/null 2>&1 || {
    complain "node_modules/.bin/$1 does not run on this machine. Remove node_modules and try again."
    return 1
  }
}

# A package that is wanted for its programs alone starts no service, where systemd would.
keep_service_off() {
  [ -d /run/systemd/system ] || return 0
  systemctl mask --quiet "$1.service" 2>/dev/null &&
    echo "its service stays off; systemctl unmask $1 allows it" || true
}

has_library() {
  for folder in /lib /lib64 /usr/lib /usr/lib64 /usr/local/lib /usr/local/lib64 /lib/*-linux-gnu* \
    /usr/lib/*-linux-gnu*; do
    [ ! -e "$folder/$1" ] || return 0
  done
  return 1
}

complain() {
  echo "$0: $*" >&2
}
