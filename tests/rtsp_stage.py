"""An RTSP camera on loopback: GStreamer's server, in a process of its own under the system's Python."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Self

PYTHON = "/usr/bin/python3"
PACKAGES = Path(__file__).parent / "data" / "rtsp_packages.txt"
"""What a Debian needs; .ci/run installs them where it may."""
_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
for path, pattern in (("/live", "snow"), ("/still", "smpte75")):
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( videotestsrc is-live=true pattern={pattern} ! video/x-raw,width=320,height=240,framerate=15/1 "
        "! x264enc tune=zerolatency speed-preset=ultrafast bitrate=800 key-int-max=15 ! rtph264pay name=pay0 )"
    )
    factory.set_shared(True)
    server.get_mount_points().add_factory(path, factory)
assert server.attach(None)
print("serving", flush=True)
GLib.MainLoop().run()
"""


def missing() -> str:
    """Why there can be no server here; empty where there can."""
    if not Path(PYTHON).exists():
        return f"there is no {PYTHON}"
    tried = (
        "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; Gst.init(None); "
        "raise SystemExit(not all(Gst.ElementFactory.find(name) for name in ('videotestsrc', 'x264enc', 'rtph264pay')))"
    )
    done = subprocess.run([PYTHON, "-c", tried], capture_output=True, check=False, timeout=60)
    return f"no RTSP server here; as root: apt-get install -y $(cat tests/data/{PACKAGES.name})" if done.returncode else ""


class RtspServer:
    """A camera at `url`; `start`, `stall` and `kill` are what a cable, a crash and a hang do. Use as a context manager."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    def url(self, path: str = "live") -> str:
        return f"rtsp://127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [PYTHON, "-c", _SERVER, str(self.port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "serving\n"

    def stall(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout
            self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
