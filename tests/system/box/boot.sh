#!/usr/bin/env bash
# Boots a real systemd as PID 1 of namespaces of its own, over a scratch copy of this machine's file system (an overlay on
# a tmpfs): nothing that it does or that happens in it is left on the machine. FLEET_MESH_BOX_ROOT is another file system to
# copy, such as that of scripts/fetch-systemd. A `shared` network is the machine's, so that tests reach its loopback ports; an
# `own` one is a loopback alone, where every address and port is free.
#
#   boot.sh probe  DIR CGROUP            whether the kernel lets us, ending with 0 or a message
#   boot.sh enter  DIR CGROUP CHECKOUT NODE INSTALLED NETWORK   the box; lives until it is killed, and with whoever started it
#
# DIR is an empty directory, CGROUP one in the cgroup2 tree that is there already, NODE the node of the box. CHECKOUT is
# shown as /srv/checkout, wherever it lies: the box has a /tmp of its own, and not what is mounted below /. With INSTALLED
# `yes` its build is also shown as /usr/lib/fleet-mesh; with `no` the machine is one that has no fleet-mesh yet.
set -euo pipefail

stage=$1
dir=$2

# Of the new mount namespace: / as an overlay, with what systemd needs of the kernel.
make_root() {
  local root=$dir/root
  mount --make-rprivate /
  mount -t tmpfs -o mode=0755 tmpfs "$dir"
  mkdir "$dir/upper" "$dir/work" "$root"
  mount -t overlay overlay -o "lowerdir=${FLEET_MESH_BOX_ROOT:-/},upperdir=$dir/upper,workdir=$dir/work" "$root"
  mount --rbind /dev "$root/dev"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount --rbind /sys "$root/sys"
  umount -R "$root/sys/fs/cgroup" 2>/dev/null || umount -l "$root/sys/fs/cgroup"
  mount -t cgroup2 -o nsdelegate cgroup2 "$root/sys/fs/cgroup" 2>/dev/null || mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount -t proc proc "$root/proc"
  local path mode
  for path in /run /tmp /var/tmp /var/log /var/lib/private /var/cache/private; do
    case $path in *tmp) mode=1777 ;; */private) mode=0700 ;; *) mode=0755 ;; esac
    mkdir -p "$root$path"
    mount -t tmpfs -o "mode=$mode" tmpfs "$root$path"
  done
}

show_checkout() {
  local at=$dir/root/srv/checkout
  mkdir -p "$at"
  mount --bind "$1" "$at"
  mount -o remount,bind,ro "$at"
}

show_program() {
  local root=$dir/root program=$1 each
  mkdir -p "$root/usr/lib/fleet-mesh" "$root/usr/local/bin"
  for each in dist node_modules; do
    mkdir "$root/usr/lib/fleet-mesh/$each"
    mount --rbind "$program/$each" "$root/usr/lib/fleet-mesh/$each"
  done
  cp "$program/package.json" "$root/usr/lib/fleet-mesh/"
  cp "$program"/systemd/system/* "$root/run/systemd/system/"
}

# As the first place where systemd looks for a program without a path, and as where Debian's node is.
show_node() {
  local root=$dir/root node=$1 place
  mkdir -p "$root/usr/local/bin"
  rm -f "$root/usr/local/sbin/node"
  for place in /usr/local/bin/node /usr/bin/node; do
    rm -f "$root$place"
    : >"$root$place"
    chmod 755 "$root$place"
    mount --bind "$node" "$root$place"
  done
}

# What a machine's boot does and a box must not: it would touch the kernel, or take seconds.
keep_boot_small() {
  local units=$dir/root/run/systemd/system unit
  for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer \
    systemd-journald-audit.socket systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
    systemd-modules-load.service systemd-sysctl.service systemd-random-seed.service systemd-journal-flush.service \
    systemd-update-utmp.service systemd-binfmt.service systemd-sysusers.service proc-sys-fs-binfmt_misc.automount \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount dev-hugepages.mount dev-mqueue.mount \
    modprobe@.service; do
    ln -s /dev/null "$units/$unit"
  done
  for unit in sysinit basic network-online; do
    printf '[Unit]\nDescription=stub\nDefaultDependencies=no\n' >"$units/$unit.target"
  done
  cat >"$units/box.target" <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=systemd-journald.socket systemd-journald.service dbus.socket dbus.service systemd-logind.service
After=systemd-journald.service dbus.service systemd-logind.service
UNIT
  cat >"$dir/root/run/systemd/journald.conf.d/box.conf" <<'CONF'
[Journal]
Storage=volatile
RateLimitIntervalSec=0
ReadKMsg=no
CONF
}

case $stage in
  probe | enter)
    # First a cgroup of its own: PID 1 makes its slices at the root of what it sees.
    mkdir -p "$3/outer"
    echo 0 >"$3/outer/cgroup.procs"
    next=$([[ $stage == probe ]] && echo probe-inside || echo boot)
    network=()
    [[ ${7-} != own ]] || network=(--net)
    exec unshare "${network[@]}" --pid --mount --uts --ipc --cgroup --fork --kill-child=KILL "$BASH" "$0" "$next" "$dir" "${@:4}"
    ;;
  probe-inside)
    make_root
    ;;
  boot)
    make_root
    root=$dir/root
    mkdir -p "$root/run/systemd/system" "$root/run/systemd/journald.conf.d" "$root/run/lock"
    # For programs that enter: later systemds refuse a caller from outside of their cgroups.
    mkdir "$root/sys/fs/cgroup/visitors"
    show_checkout "$3"
    [[ $5 == no ]] || show_program "$3"
    show_node "$4"
    keep_boot_small
    [[ $6 != own ]] || ip link set lo up
    cd "$root"
    mkdir run/old-root
    pivot_root . run/old-root
    umount -l /run/old-root
    rmdir /run/old-root
    # In a container systemd leaves / as it is, and the file system of LoadCredential= would never reach its service.
    mount --make-rshared /
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=box \
      /lib/systemd/systemd --system --unit=box.target --log-target=journal-or-kmsg --show-status=0
    ;;
esac
