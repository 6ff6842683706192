# Sourced by text: the role puts this file before each script. USER_SCOPE is the user of a user unit, or empty.
set -eu

DEFAULT_ENDPOINT=127.0.0.1:9780
KEPT=/var/cache/fleet-mesh-ansible
BEFORE=$KEPT/before
SERVICE=fleet-mesh.service

if [ -n "$USER_SCOPE" ]; then
  home=$(getent passwd "$USER_SCOPE" | cut -d: -f6)
  uid=$(id -u "$USER_SCOPE")
  etc=$home/.config/fleet-mesh
  units=$home/.config/systemd/user
  key_dir=$home/.ssh
else
  etc=/etc/fleet-mesh
  units=/etc/systemd/system
  key_dir=$etc/keys
fi
drop_in=$units/fleet-mesh-endpoint.socket.d/50-ansible.conf

as_owner() {
  if [ -z "$USER_SCOPE" ]; then "$@"; else
    setpriv --reuid "$uid" --regid "$(id -g "$USER_SCOPE")" --init-groups \
      env HOME="$home" XDG_RUNTIME_DIR="/run/user/$uid" "$@"
  fi
}

ctl() {
  if [ -z "$USER_SCOPE" ]; then systemctl "$@"; else as_owner systemctl --user "$@"; fi
}

# The enabled sockets, one a line.
enabled_sockets() {
  for link in "$units"/sockets.target.wants/fleet-mesh-*.socket; do
    [ -L "$link" ] && basename "$link"
  done
  return 0
}

installed_version() { dpkg-query --show --showformat '${db:Status-Status} ${Version}' fleet-mesh 2>/dev/null | sed -n 's/^installed //p'; }

is_active() { ctl is-active --quiet "$1"; }
