# Sourced by the other scripts, never run: finds a Python and fills a virtual environment from the lock files.
# shellcheck shell=sh
: "${root:?the caller sets it to the root of the repository}"

say() { printf '== %s\n' "$*"; }

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# The command that installs Debian packages, as this user has to type it.
apt() {
    if [ "$(id -u)" = 0 ]; then echo "apt-get install -y $*"; else echo "sudo apt-get install -y $*"; fi
}

# Sets `python` to an interpreter that will do ($PYTHON, if given, and no other) and `found` to what it is.
find_python() {
    if [ -n "${PYTHON-}" ]; then set -- "$PYTHON"; else set -- python3 python3.14 python3.13 python3.12 python3.11; fi
    probe='import sys; print("%d.%d.%d" % sys.version_info[:3], sys.maxsize > 2**32, sys.executable); sys.exit(sys.version_info < (3, 11))'
    for python; do
        found=$("$python" -c "$probe" 2>/dev/null) || continue
        case $found in *' False '*) die "kiosk needs a 64-bit Python; $python is a 32-bit one" ;; esac
        # The interpreter itself, not a slow shim before it.
        python=${found#* * }
        return
    done
    die "kiosk needs Python 3.11 or newer: $(apt python3.11-venv) (where python3 is that new: $(apt python3-venv))"
}

# MediaPipe and OpenCV are loaded long after everything was downloaded: what they lack is said first.
check_system() { (cd "$root" && "$python" -m kiosk.system); }

# fingerprint FILE... – one word that changes with the files, the interpreter and the place of the repository.
fingerprint() { { printf '%s\n' "$root" "$found" && cat "$@"; } | sha256sum | cut -d ' ' -f 1; }

# stamped FILE WORD – whether an earlier run finished with this fingerprint.
stamped() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

# install_with_pip VENV OPTION... – with this environment's pip; never anything that is not locked.
install_with_pip() {
    interpreter=$1/bin/python
    shift
    "$interpreter" -m pip install --disable-pip-version-check --no-input --no-deps "$@"
}

# fill VENV OPTION... – makes the environment anew and installs the lock, hashes checked. Anew, because what an older
# lock had must go: a second distribution of cv2 would overwrite the first.
fill() {
    venv=$1
    shift
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        die "$python cannot make virtual environments: $(apt "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')")"
    "$python" -m venv --clear "$venv"
    install_with_pip "$venv" "$@" --require-hashes --only-binary :all: -r "$root/scripts/build.lock"
    # sdnotify comes as source only: built with the locked build tools, not with whatever is newest today.
    install_with_pip "$venv" "$@" --require-hashes --no-build-isolation --use-pep517 -r "$root/requirements.lock"
}
