"""What the kernel takes from an eye, tried from inside a process that was confined."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

PREAMBLE = "import ctypes, os, socket, threading; from kiosk.eye.confinement import bind_to_parent, confine\n"


def confined(script: str) -> str:
    """What a fresh process prints that runs `script` after confinement."""
    code = f"{PREAMBLE}refused = confine(required=True)\n{script}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def attempt(call: str) -> str:
    return f"""
try:
    {call}
    print("allowed")
except OSError as error:
    print(error.__class__.__name__)
"""


def test_it_reports_every_family_refused() -> None:
    assert confined("print(*refused)") == "inet inet6 netlink packet"


@pytest.mark.parametrize(
    "call",
    [
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_INET6, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.create_connection(('127.0.0.1', 9))",
        "os.execv('/bin/true', ['true'])",
    ],
)
def test_the_way_out_is_shut(call: str) -> None:
    assert confined(attempt(call)) == "PermissionError"


def test_threads_that_were_there_before_are_confined_too() -> None:
    code = f"""{PREAMBLE}
go, said = threading.Event(), []
def later():
    go.wait()
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        said.append("allowed")
    except PermissionError:
        said.append("refused")
thread = threading.Thread(target=later); thread.start()
confine(required=True); go.set(); thread.join(); print(said[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "refused"


def test_io_uring_is_no_way_round() -> None:
    setup = 425
    script = f"libc = ctypes.CDLL(None, use_errno=True); print(libc.syscall({setup}, 1, None), ctypes.get_errno())"
    assert confined(script) == "-1 1"


def test_what_the_eye_needs_still_works() -> None:
    script = "a, b = socket.socketpair(); a.send(b'x'); print(b.recv(1), open('/proc/self/status').readable())"
    assert confined(script) == "b'x' True"


def test_privileges_are_gone_for_good() -> None:
    script = """
fields = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(fields["NoNewPrivs"].strip(), int(fields["CapEff"], 16), int(fields["CapPrm"], 16), fields["Seccomp"].strip())
"""
    assert confined(script) == "1 0 0 2"


def test_without_libseccomp_it_refuses_to_go_on_unless_told_otherwise() -> None:
    code = f"import sys; sys.modules['pyseccomp'] = None\n{PREAMBLE}"
    script = """
from kiosk.errors import CameraError
try:
    confine(required=True)
except CameraError as error:
    print(error.slug)
print("inet" in confine(required=False))
"""
    done = subprocess.run([sys.executable, "-c", code + script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["confinement_unavailable", "False"]


def test_it_dies_with_its_parent() -> None:
    code = f"""{PREAMBLE}
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", '''{PREAMBLE}
import time
bind_to_parent({{}}); print(os.getpid(), flush=True); time.sleep(60)'''.format(os.getpid())], stdout=subprocess.PIPE, text=True)
print(child.stdout.readline(), flush=True)
"""
    parent = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    child = int(parent.stdout)
    with pytest.raises(ProcessLookupError):
        _wait_until_gone(child)


def _wait_until_gone(pid: int) -> None:
    for _ in range(200):
        os.kill(pid, 0)
        if _is_zombie(pid):
            raise ProcessLookupError
        time.sleep(0.01)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
