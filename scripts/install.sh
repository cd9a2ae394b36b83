#!/bin/sh
# Installs kiosk as a service on Debian or Raspberry Pi OS (64 bit): sudo scripts/install.sh
# Run it again after an update: settings and credentials are kept. It starts nothing.
# $DESTDIR stages everything under another root, for packages and tests: no user is made, systemd is not told.
# $PYTHON names another interpreter than python3.
set -eu
umask 022
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
# shellcheck source=scripts/environment.sh
. "$root/scripts/environment.sh"

dest=${DESTDIR-}
case $dest in '' | /*) ;; *) die "DESTDIR must be an absolute path" ;; esac
[ -n "$dest" ] || [ "$(id -u)" = 0 ] || die "run it as root: sudo scripts/install.sh"
opt=$dest/opt/kiosk etc=$dest/etc/kiosk models=$dest/var/cache/kiosk/models units=$dest/etc/systemd/system
rules=$dest/etc/udev/rules.d

find_python
check_system

make_user() {
    getent passwd kiosk >/dev/null ||
        useradd --system --user-group --home-dir /var/lib/kiosk --no-create-home --shell /usr/sbin/nologin kiosk
    # Raspberry Pi OS and Jetson have it, and a rule that gives it the lines; Debian has neither.
    getent group gpio >/dev/null || groupadd --system gpio
    # systemd gives the service the groups its user is in; one that this system lacks would keep it from starting.
    for group in video gpio input dialout; do
        if getent group "$group" >/dev/null; then usermod --append --groups "$group" kiosk; fi
    done
}

install_program() {
    locked=$(fingerprint "$root/scripts/build.lock" "$root/requirements.lock")
    if ! stamped "$opt/.locked" "$locked"; then
        say "installing the locked packages into $opt"
        fill "$opt"
        echo "$locked" >"$opt/.locked"
    fi
    say "installing kiosk into $opt"
    install_with_pip "$opt" --quiet --no-build-isolation --force-reinstall "$root"
}

install_settings() {
    install -d -m 0755 "$etc"
    install -d -m 0700 "$etc/credentials"
    if [ ! -e "$etc/kiosk.toml" ]; then
        sed 's|^models_dir = .*|models_dir = "/var/cache/kiosk/models"|' "$root/config/kiosk.toml" >"$etc/kiosk.toml"
        chmod 0640 "$etc/kiosk.toml"
    fi
    # Empty, not absent: then kiosk itself can say which secret is missing.
    for secret in tencent-secret-id tencent-secret-key; do
        [ -e "$etc/credentials/$secret" ] || install -m 0600 /dev/null "$etc/credentials/$secret"
    done
    cat >"$etc/credentials/README" <<'END'
One secret a file, nothing else in it, owned by root, mode 0600. systemd hands them to the service; kiosk never
reads this folder itself.
  tencent-secret-id    the SecretId
  tencent-secret-key   the SecretKey
END
    [ -n "$dest" ] || chown root:kiosk "$etc/kiosk.toml"
}

[ -n "$dest" ] || make_user
install_program
install -d "$dest/usr/local/bin"
ln -sfn /opt/kiosk/bin/kiosk "$dest/usr/local/bin/kiosk"
# People are enrolled before the first start.
install -d -m 0700 "$dest/var/lib/kiosk"
[ -n "$dest" ] || chown kiosk:kiosk /var/lib/kiosk
say "model weights in $models"
install -d -m 0755 "$models"
KIOSK_SITE__MODELS_DIR=$models "$opt/bin/kiosk" models fetch
install_settings
install -D -m 0644 "$root/systemd/kiosk.service" "$units/kiosk.service"
install -d -m 0755 "$rules"
echo 'SUBSYSTEM=="gpio", KERNEL=="gpiochip*", GROUP="gpio", MODE="0660"' >"$rules/60-kiosk-gpio.rules"
if [ -z "$dest" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    udevadm control --reload
    udevadm trigger --subsystem-match=gpio
fi

say "installed; nothing was started. Next:"
cat <<END
  1. write the SecretId and the SecretKey into $etc/credentials/ (see README there)
  2. edit $etc/kiosk.toml, then check it:
     sudo env CREDENTIALS_DIRECTORY=$etc/credentials kiosk check --config $etc/kiosk.toml
  3. systemctl enable --now kiosk      (after an update: systemctl restart kiosk)
  4. journalctl --unit kiosk --follow
END
