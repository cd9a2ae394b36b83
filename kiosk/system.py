"""Whether the operating system has what the wheels need but do not bring: Python and a handful of shared libraries.

Standard library only and importable by older Pythons, because it is asked before anything is installed:
`python3 -m kiosk.system` prints the report and ends with 0 where all is there, else 1.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import NamedTuple

from kiosk.processor import runs_mediapipe

PYTHON = (3, 11)
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLESv2.so.2": "libgles2",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libseccomp.so.2": "libseccomp2",
    "libxcb.so.1": "libxcb1",
}
"""Shared library → the Debian package that holds it. MediaPipe needs EGL and GLESv2, OpenCV's wheel GL, GLib and
xcb (read from the wheels' ELF headers); the eye's confinement needs seccomp. Newer releases call libglib2.0-0
libglib2.0-0t64, which provides the old name."""
_OF_MEDIAPIPE = ("libEGL.so.1", "libGLESv2.so.2")
"""Not needed where the processor cannot run MediaPipe: the eye does without it there."""


class Missing(NamedTuple):
    """`what` is not there; `package` is the Debian package that brings it."""

    what: str
    package: str


def missing() -> list[Missing]:
    """What is not there. Loads the libraries it finds into this process, and nothing of OpenCV or MediaPipe."""
    old = [] if sys.version_info >= PYTHON else [Missing("Python 3.11 or newer", "python3.11-venv")]
    needed = [library for library in LIBRARIES if library not in _OF_MEDIAPIPE or runs_mediapipe()]
    return old + [Missing(library, LIBRARIES[library]) for library in needed if not _loads(library)]


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def command(lacking: list[Missing]) -> str:
    """The one command that installs what is `lacking`."""
    packages = " ".join(sorted({each.package for each in lacking}))
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install -y {packages}"


def report() -> str:
    """For the operator: that all is there, or what is not and the command that brings it."""
    lacking = missing()
    if not lacking:
        return f"system: Python {sys.version_info[0]}.{sys.version_info[1]} and all shared libraries are there"
    names = ", ".join(each.what for each in lacking)
    return f"system: missing {names}; install with\n  {command(lacking)}"


def main() -> int:
    lacking = missing()
    (sys.stderr if lacking else sys.stdout).write(report() + "\n")
    return 1 if lacking else 0


if __name__ == "__main__":
    raise SystemExit(main())
