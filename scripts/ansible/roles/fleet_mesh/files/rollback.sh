# Puts back what look.sh has kept, and starts the daemon again if it ran.
for unit in $(enabled_sockets); do ctl disable --now --quiet "$unit" || true; done
ctl stop "$SERVICE" || true
put() {
  for name in $3; do
    if [ -e "$1/$name" ]; then cp -p "$1/$name" "$2/"; else rm -f "$2/$name"; fi
  done
}
put "$BEFORE/etc" "$etc" "$FILES"
put "$BEFORE/keys" "$key_dir" "$KEYS"
if [ -e "$BEFORE/drop-in" ]; then cp -p "$BEFORE/drop-in" "$drop_in"; else rm -f "$drop_in"; fi

version=$(cat "$BEFORE/version")
if [ "$(installed_version)" != "$version" ]; then
  if [ -z "$version" ]; then
    ctl disable --quiet "$SERVICE" || true
    dpkg --remove fleet-mesh
  else
    # dpkg goes back to an older version without a question. The package is here if this role has installed it.
    dpkg --install "$KEPT"/fleet-mesh_"$version"_*.deb
  fi
fi
ctl daemon-reload
if [ -e "$BEFORE/active" ]; then
  # shellcheck disable=SC2046
  ctl enable --now --quiet $(cat "$BEFORE/sockets")
  ctl start "$SERVICE"
fi
rm -rf "$BEFORE"
echo "the node is as before: version ${version:-none}"
