# shellcheck shell=bash
# What scripts/test and scripts/demo need of the machine and of the checkout. Sourced, with the repository as the
# working directory. Everything here is quick and needs no network when there is nothing to do.

say() { printf '\n== %s\n' "$*"; }
warn() { printf '\n*** %s\n' "$*" >&2; }

# Node is the one thing that cannot be installed on the way: we do not choose a source for it.
require_node() {
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    warn 'node (20.19 or later) and npm are needed, and are not on PATH.'
    return 1
  fi
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
    warn "node 20.19 or later is needed; this is $(node --version)."
    return 1
  fi
}

# Programs of the system directories count too: /usr/sbin is on few users' PATH. A path, or a pattern of paths, is a file.
has_program() {
  case $1 in
    /*) compgen -G "$1" >/dev/null ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null ;;
  esac
}

# ensure_programs PROGRAM:PACKAGE... — installs the Debian packages of the programs that are missing, when root.
# Never fails: what is still missing costs tests (they say so) or turns the demo to its fallback.
ensure_programs() {
  local pair missing=() packages=()
  for pair in "$@"; do
    has_program "${pair%%:*}" && continue
    missing+=("${pair%%:*}")
    packages+=("${pair##*:}")
  done
  ((${#missing[@]} > 0)) || return 0
  if ! command -v apt-get >/dev/null; then
    warn "missing: ${missing[*]}. This is no Debian: install them your way."
  elif [[ $(id -u) != 0 ]]; then
    warn "missing: ${missing[*]}. As root: apt-get install --no-install-recommends ${packages[*]}"
  else
    say "Installing ${packages[*]} (missing: ${missing[*]})"
    install_packages "${packages[@]}" || warn "could not install ${packages[*]}; going on without."
  fi
}

# In a subshell, so that its trap is its own.
install_packages() (
  export DEBIAN_FRONTEND=noninteractive
  policy=/usr/sbin/policy-rc.d
  # The answer 101 forbids package scripts to start services: we want the program sshd, not a server on port 22.
  if [[ ! -e $policy ]]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  apt-get -q update && apt-get -qy install --no-install-recommends "$@" </dev/null || return 1
  # Nor one after the next boot. Only here, where the package was not there before: nobody can have wanted it.
  if [[ " $* " == *' openssh-server '* ]]; then
    if command -v systemctl >/dev/null; then systemctl --quiet disable ssh.service ssh.socket || true; fi
    if command -v update-rc.d >/dev/null; then update-rc.d ssh disable || true; fi
  fi >/dev/null 2>&1
)

# npm ci, when package-lock.json, or the Node that native modules are built for, is another than at the last time.
ensure_node_modules() {
  local stamp=node_modules/.installed-from want
  want="$(sha256sum package-lock.json | cut -d' ' -f1) $(node -p 'process.versions.modules + " " + process.platform + " " + process.arch')"
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return 0; fi
  say 'Installing node modules (npm ci)'
  # No failure that leaves a stamp: a half-done node_modules must be done again.
  rm -f "$stamp"
  npm ci --no-audit --no-fund --prefer-offline --progress=false </dev/null || {
    warn 'npm ci failed: see above. The first run needs the npm registry.'
    return 1
  }
  printf '%s\n' "$want" >"$stamp"
}

# The built program in dist/, built again (so that nothing of a deleted source is left) when its sources changed.
ensure_built() {
  local stamp=dist/.built-from want
  want=$(find src tsconfig.json tsconfig.build.json package-lock.json -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
  if [[ -f $stamp && $(<"$stamp") == "$want" ]]; then return 0; fi
  say 'Building'
  rm -rf dist
  npm run --silent build </dev/null || return 1
  printf '%s\n' "$want" >"$stamp"
}
