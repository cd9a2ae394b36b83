"""What this machine's processor can run. Standard library only and importable by older Pythons, as `kiosk.system` is."""

from __future__ import annotations

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def runs_mediapipe(machine: str | None = None, cpuinfo: str | None = None) -> bool:
    """Whether MediaPipe 1.x can run here: on x86-64, and on 64-bit ARM where every core has LSE atomics.

    Its library for ARM is compiled with them: on older cores (Raspberry Pi 3 and 4, Jetson Nano) SIGILL ends the process.
    `machine` and `cpuinfo` are read from this system where not given; a system that hides its `/proc/cpuinfo` is one without.
    """
    machine = machine or platform.machine()
    if machine != "aarch64":
        return machine == "x86_64"
    cores = [line.split() for line in (_read() if cpuinfo is None else cpuinfo).splitlines() if line.startswith("Features")]
    return bool(cores) and all("atomics" in features for features in cores)


def _read() -> str:
    try:
        return _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
