#!/usr/bin/env bash
# Runs systemd as the first process of new namespaces, on an overlay of this machine's files, or of those
# in the folder $ZEROHTTPD_DEBIAN, with only the given units. Nothing outside is changed. All its
# processes end with this script.
#   systemd.sh FOLDER PROGRAM UNIT...
# Inside, FOLDER is /mnt, PROGRAM is /opt/rel1/zerohttpd and /opt/rel2/zerohttpd, and a link in
# /usr/local/bin leads to the first. The script prints "namespaces are there" before it executes systemd.
set -euo pipefail
folder=$1 program=$2; shift 2
export folder program units="$*" lower=${ZEROHTTPD_DEBIAN:-/}
exec unshare --kill-child=SIGKILL --mount --pid --cgroup --ipc --uts --net --fork --mount-proc \
    bash -euo pipefail -c '
mount --make-rprivate /
over=$folder/over; mkdir "$over"; mount -t tmpfs tmpfs "$over"; mkdir "$over"/{upper,work,root}; root=$over/root
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$over/upper,workdir=$over/work" "$root"
mount -t proc proc "$root/proc"; mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs tmpfs "$root/run"; mount --rbind /dev "$root/dev"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"; mount --bind "$folder" "$root/mnt"
rm -rf "$root"/etc/systemd/system; mkdir -p "$root/etc/systemd/system" "$root/srv/www"
for unit in $units; do cp "$unit" "$root/etc/systemd/system/"; done
for release in rel1 rel2; do
    mkdir -p "$root/opt/$release"; : > "$root/opt/$release/zerohttpd"
    mount --bind "$program" "$root/opt/$release/zerohttpd"
done
ln -sfn /opt/rel1/zerohttpd "$root/usr/local/bin/zerohttpd"
echo hello > "$root/srv/www/hello.txt"; chmod 755 "$root" "$root/srv" "$root/srv/www"
printf "[Unit]\nDescription=Nothing else\n" > "$root/etc/systemd/system/nothing.target"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
cd "$root"; mkdir old; pivot_root . old; umount -l /old
echo "namespaces are there"
exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
    --unit=nothing.target --log-target=console --log-level=info --show-status=no'
