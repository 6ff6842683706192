# shellcheck shell=bash
# Prepares the machine and the checkout for the scripts, which source this file in the root of the repository. If nothing is
# missing, each function is quick and needs no network.

say() { printf '\n== %s\n' "$*"; }
warn() { printf '\n*** %s\n' "$*" >&2; }

# The scripts do not install Node: the source of Node is the operator's choice.
require_node() {
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    warn 'node or npm is not on PATH: install node 20.19 or later with npm.'
    return 1
  fi
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    warn "node 20.19 or later is needed; this is $(node --version)."
    return 1
  fi
}

# Also searches /usr/sbin and /sbin, which most users do not have on PATH. An argument with a slash is a pattern of files.
has_program() {
  case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

# ensure_programs PROGRAM:PACKAGE... — installs the Debian packages of the programs that are missing, when root.
# Never fails: tests without their program are skipped and reported, and the demo uses its fallback.
ensure_programs() {
  local pair missing=() packages=()
  for pair in "$@"; do
    has_program "${pair%%:*}" && continue
    missing+=("${pair%%:*}")
    packages+=("${pair##*:}")
  done
  ((${#missing[@]} > 0)) || return 0
  if ! command -v apt-get >/dev/null; then
    warn "missing: ${missing[*]}. apt-get not found: install the programs yourself."
  elif [[ $(id -u) != 0 ]]; then
    warn "missing: ${missing[*]}. As root: apt-get install --no-install-recommends ${packages[*]}"
  else
    say "Installing ${packages[*]} (missing: ${missing[*]})"
    install_packages "${packages[@]}" || warn "could not install ${packages[*]}; continuing without."
  fi
}

# A subshell keeps the trap local.
install_packages() (
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d
  # Exit code 101 forbids package scripts to start services: no server on port 22.
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt-get -q update && apt-get -qy install --no-install-recommends "$@" </dev/null || return 1
  # No server after the next boot either. The package is new here, so nobody uses the service.
  if [[ " $* " == *' openssh-server '* ]]; then
    if command -v systemctl >/dev/null; then systemctl --quiet disable ssh.service ssh.socket || true; fi
    if command -v update-rc.d >/dev/null; then update-rc.d ssh disable || true; fi
  fi >/dev/null 2>&1
)

# Runs npm ci if package-lock.json or the Node version of native modules changed since the last run.
ensure_node_modules() {
  local stamp=node_modules/.installed-from want
  want="$(sha256sum package-lock.json | cut -d' ' -f1) $(node -p 'process.versions.modules + " " + process.platform + " " + process.arch')"
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return 0; fi
  # A person may have run npm ci, which removes the stamp. npm writes down what it installed.
  if [[ ! -f $stamp ]] && npm ls --all --silent >/dev/null 2>&1 </dev/null; then
    printf '%s\n' "$want" >"$stamp"
    return 0
  fi
  say 'Installing node modules (npm ci)'
  # A failure leaves no stamp, so the next run starts again.
  rm -f "$stamp"
  npm ci --no-audit --no-fund --prefer-offline --progress=false </dev/null || {
    warn 'npm ci failed: see above. The first run needs the npm registry.'
    return 1
  }
  printf '%s\n' "$want" >"$stamp"
}

# Builds dist/ if its sources changed. Removes the old dist/ first, so no output of a deleted source remains.
ensure_built() {
  local stamp=dist/.built-from page=dist/operator/page/index.html want
  want=$(find src tsconfig.json tsconfig.build.json package-lock.json -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return 0; fi
  # A person may have run npm run build, which leaves no stamp.
  if [[ ! -f $stamp && -f dist/cli.js && -f $page ]] &&
    [[ -z $(find src tsconfig.json tsconfig.build.json package-lock.json \( -newer dist/cli.js -o -newer "$page" \)) ]]; then
    printf '%s\n' "$want" >"$stamp"
    return 0
  fi
  say 'Building'
  rm -rf dist
  npm run --silent build </dev/null || return 1
  printf '%s\n' "$want" >"$stamp"
}
