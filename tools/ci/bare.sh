# SPDX-License-Identifier: Apache-2.0
# .ci/run --bare: the two commands of the README on a Debian bookworm that has nothing but apt, in a chroot.
# WEFT_BARE_ROOT keeps the system between runs; WEFT_BARE_MIRROR names the package mirror, by default this
# machine's.
[ "$(id -u)" = 0 ] || die "--bare needs root, for debootstrap and chroot"
need bare

root=${WEFT_BARE_ROOT:-$(mktemp -d /var/tmp/weft-bare.XXXXXX)}
mirror=${WEFT_BARE_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' | head -n 1)}
cleanup() {
  umount "$root/dev" "$root/proc" 2>/dev/null || true
  [ -n "${WEFT_BARE_ROOT:-}" ] || rm -rf --one-file-system "$root"
}
trap cleanup EXIT

if [ ! -x "$root/usr/bin/apt-get" ]; then
  run debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$mirror"
  cp /etc/apt/apt.conf.d/* "$root/etc/apt/apt.conf.d/" 2>/dev/null || true
  echo "deb $mirror bookworm-updates main" >>"$root/etc/apt/sources.list"
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"

rm -rf "$root/weft"
mkdir "$root/weft"
git archive HEAD | tar -x -C "$root/weft"

for command in "./dev demo" "./dev test"; do
  start=$SECONDS
  # No environment from outside: a fresh machine has none.
  run chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
    ${http_proxy:+http_proxy=$http_proxy} ${https_proxy:+https_proxy=$https_proxy} \
    sh -c "cd /weft && $command"
  printf '%5d s  %s on a bare machine\n' $((SECONDS - start)) "$command"
done
