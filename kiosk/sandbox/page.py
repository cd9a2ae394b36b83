"""One page that shows what the sandbox does: calls, who is enrolled, the faults in force. It needs no script."""

from __future__ import annotations

import time
from importlib import resources
from itertools import islice

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import Response

from kiosk.sandbox.census import census, sizes
from kiosk.sandbox.server import Sandbox

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_CALLS = 40
_GROUPS = 20


class Page:
    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        loader = PackageLoader("kiosk.sandbox", "pages")
        pages = Environment(loader=loader, autoescape=select_autoescape(), undefined=StrictUndefined, trim_blocks=True)
        pages.filters["clock"] = _clock
        self._template = pages.get_template("page.html")
        self._style = (resources.files("kiosk.sandbox") / "pages" / "page.css").read_bytes()

    async def get(self, _: Request) -> Response:
        sandbox = self._sandbox
        text = self._template.render(
            census=census(sandbox.gallery),
            groups=sizes(sandbox.gallery)[:_GROUPS],
            calls=list(islice(sandbox.records.recent, _CALLS)),
            faults=sandbox.script.state()["fault"],
            now=sandbox.clock.now(),
            shift=sandbox.clock.shift,
        )
        return Response(text, headers=HEADERS, media_type="text/html")

    async def style(self, _: Request) -> Response:
        return Response(self._style, headers=HEADERS, media_type="text/css")


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
