"""`kiosk sandbox`: the server with an eye of its own for the photos it is sent."""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec

from kiosk.eye.photos import PhotoEye
from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.server import create_app, serve
from kiosk.settings import Settings


async def run_sandbox(settings: Settings, host: str, port: int, *, appid: str, bucket: str, keys: tuple[str, str]) -> None:
    """Serves until SIGTERM or SIGINT; prints one JSON line with its address once it listens. Raises KioskError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def listening(bound: int) -> None:
        line = msgspec.json.encode({"listening": f"http://{host}:{bound}", "appid": appid, "bucket": bucket})
        sys.stdout.write(line.decode() + "\n")
        sys.stdout.flush()

    async with PhotoEye(settings.quality, settings.eye, settings.site.models_dir) as analyser:
        app = create_app(analyser, Credentials(*keys), appid, bucket)
        serving = asyncio.create_task(serve(app, host, port, listening))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if serving.done():
            serving.result()
        serving.cancel()
        await asyncio.wait({serving})
