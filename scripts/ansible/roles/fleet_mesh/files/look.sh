# Prints the installed version. Unless CHECK is yes, keeps what the node has now, for a rollback.
installed_version
[ "$CHECK" = no ] || exit 0

rm -rf "$BEFORE"
mkdir -p -m 700 "$KEPT" "$BEFORE/etc" "$BEFORE/keys"
installed_version >"$BEFORE/version"
enabled_sockets >"$BEFORE/sockets"
if is_active "$SERVICE"; then : >"$BEFORE/active"; fi
for name in $FILES; do
  if [ -e "$etc/$name" ]; then cp -p "$etc/$name" "$BEFORE/etc/"; fi
done
for name in $KEYS; do
  if [ -e "$key_dir/$name" ]; then cp -p "$key_dir/$name" "$BEFORE/keys/"; fi
done
if [ -e "$drop_in" ]; then cp -p "$drop_in" "$BEFORE/drop-in"; fi
