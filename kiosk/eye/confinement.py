"""Takes from the eye what it must not have: the network, new privileges, core dumps, its parent's survival.

The kernel enforces it (seccomp through libseccomp, no_new_privs, capabilities); nothing in this
process can undo it. It holds for every thread, present and future.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import socket
from pathlib import Path

from kiosk.errors import CameraError

FORBIDDEN_FAMILIES = {
    "inet": socket.AF_INET,
    "inet6": socket.AF_INET6,
    "netlink": socket.AF_NETLINK,
    "packet": socket.AF_PACKET,
}
"""The families the eye tries to open after confinement, to prove that it cannot."""

_FORBIDDEN_CALLS = (
    # io_uring opens sockets without the socket call; the rest lead out of the process.
    *(
        "io_uring_setup",
        "execve",
        "execveat",
        "ptrace",
        "process_vm_readv",
        "process_vm_writev",
        "bpf",
        "mount",
        "setns",
        "unshare",
    ),
    *("kexec_load", "init_module", "finit_module", "keyctl", "add_key", "userfaultfd", "perf_event_open"),
)
_PR_SET_PDEATHSIG = 1
_CAPABILITY_VERSION_3 = 0x20080522


def bind_to_parent(parent: int) -> None:
    """The kernel kills this process when its parent dies; no core dump ever holds a face.

    Raises CameraError `eye_lost` where the parent is gone already.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise CameraError("eye_lost", "the daemon ended before the eye began")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def confine(*, required: bool) -> tuple[str, ...]:
    """Gives up network and privileges for good; returns the families that are refused now.

    Raises CameraError `confinement_unavailable` where a family can still be opened and `required`.
    """
    why = _apply_filter()
    _drop_capabilities()
    refused = tuple(name for name, family in FORBIDDEN_FAMILIES.items() if _is_refused(family))
    if required and len(refused) < len(FORBIDDEN_FAMILIES):
        left = sorted(set(FORBIDDEN_FAMILIES) - set(refused))
        raise CameraError(
            "confinement_unavailable",
            f"the eye can still open {', '.join(left)} sockets{why}; install libseccomp2 and a kernel with seccomp filters, "
            "or accept it with eye.confinement = 'preferred'",
        )
    return refused


def limit_memory(more: int) -> None:
    """From now on the kernel gives this process at most `more` bytes beyond what it has; further allocations fail.

    It counts private writable memory: of address space, MediaPipe reserves a gigabyte that it never uses.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    has = 1024 * int(status["VmData"].split()[0])
    resource.setrlimit(resource.RLIMIT_DATA, (has + more, has + more))


def _apply_filter() -> str:
    """Returns why the filter could not be applied, or nothing."""
    try:
        # pyseccomp opens libseccomp when it is imported.
        import pyseccomp as seccomp  # noqa: PLC0415
    except (ImportError, OSError, RuntimeError) as error:
        return f" ({error})"
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    rules.set_attr(seccomp.Attr.CTL_TSYNC, 1)
    rules.add_rule(seccomp.ERRNO(errno.EPERM), "socket", seccomp.Arg(0, seccomp.NE, socket.AF_UNIX))
    for call in _FORBIDDEN_CALLS:
        rules.add_rule(seccomp.ERRNO(errno.EPERM), call)
    try:
        rules.load()
    except OSError as error:
        return f" ({error.strerror})"
    return ""


def _drop_capabilities() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, nothing) != 0:
        raise CameraError("confinement_unavailable", f"capabilities cannot be dropped: {os.strerror(ctypes.get_errno())}")


def _is_refused(family: int) -> bool:
    kind = socket.SOCK_RAW if family in (socket.AF_NETLINK, socket.AF_PACKET) else socket.SOCK_STREAM
    try:
        socket.socket(family, kind).close()
    except PermissionError:
        return True
    except OSError as error:
        # A kernel built without the family cannot be talked into it either.
        return error.errno == errno.EAFNOSUPPORT
    return False
