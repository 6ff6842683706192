# Makes units and sockets match the tunnel YAML and waits for the tunnels. Prints "changed: …" for each change; with CHECK=yes only
# prints. RESTART and RELOAD say whether the daemon must read new keys or a new configuration.
change() {
  echo "changed: $*"
  [ "$CHECK" = no ]
}

wanted=fleet-mesh-endpoint.socket
for port in $PORTS; do wanted="$wanted fleet-mesh-forward@$port.socket"; done

# Returns when the manager of a user who has just got lingering is ready.
if [ -n "$USER_SCOPE" ] && [ "$CHECK" = no ]; then systemctl start "user@$uid.service"; fi
if [ "$CHECK" = no ]; then as_owner fleet-mesh check --config "$etc/tunnels.yaml"; fi

# The socket of the endpoint has another address in the YAML.
text=$(printf '[Socket]\nListenStream=\nListenStream=%s' "$ENDPOINT")
if [ "$ENDPOINT" = "$DEFAULT_ENDPOINT" ]; then
  if [ -e "$drop_in" ] && change "remove $drop_in"; then
    rm -f "$drop_in"
    moved=yes
  fi
elif [ "$(cat "$drop_in" 2>/dev/null || true)" != "$text" ] && change "write $drop_in"; then
  as_owner mkdir -p "$(dirname "$drop_in")"
  printf '%s\n' "$text" | as_owner tee "$drop_in" >/dev/null
  moved=yes
fi
if [ "${moved-}" = yes ]; then
  ctl daemon-reload
  ctl stop fleet-mesh-endpoint.socket "$SERVICE"
fi

for unit in $(enabled_sockets); do
  case " $wanted " in *" $unit "*) continue ;; esac
  if change "disable $unit"; then
    ctl stop "$SERVICE"
    ctl disable --now --quiet "$unit"
  fi
done
for unit in $wanted "$SERVICE"; do
  if ! ctl is-enabled --quiet "$unit" 2>/dev/null && change "enable $unit"; then ctl enable --quiet "$unit"; fi
done

all=yes
for unit in $wanted "$SERVICE"; do is_active "$unit" || all=no; done
if [ "$all" = no ]; then
  if change "start $SERVICE and its sockets"; then
    # A socket cannot start while the service runs: systemd hands it over at a start only.
    ctl stop "$SERVICE" 2>/dev/null || true
    # shellcheck disable=SC2086
    ctl start $wanted
    ctl start "$SERVICE"
  fi
elif [ "$RESTART" = yes ]; then
  if change "restart $SERVICE"; then ctl restart "$SERVICE"; fi
elif [ "$RELOAD" = yes ]; then
  if change "reload $SERVICE"; then ctl reload "$SERVICE"; fi
fi

[ "$CHECK" = no ] || exit 0
# shellcheck disable=SC2086
if [ -n "$TUNNELS" ]; then as_owner fleet-mesh wait $TUNNELS --config "$etc/tunnels.yaml" --timeout "$TIMEOUT"; fi

# No copies of old keys stay, and only the package for the next rollback.
rm -rf "$BEFORE"
for deb in "$KEPT"/fleet-mesh_*.deb; do
  case $deb in "$KEPT/fleet-mesh_$(installed_version)_"*) ;; *) rm -f "$deb" ;; esac
done
