"""A sandbox in a process of its own, and a client that holds every answer to the vendor's envelope."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.sandbox_stage import base64_of
from tests.signing_stage import tc3

SERVER = """
import asyncio, sys
from tests.sandbox_stage import Eye, Pictures, sandbox

async def main():
    async with sandbox(Eye(), fetcher=Pictures(), for_seconds=300) as port:
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)

import structlog
structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
asyncio.run(main())
"""
LISTED = {
    code for group in json.loads((Path(__file__).parent / "data" / "tencent" / "error_codes.json").read_text()).values()
    for code in group
}  # fmt: skip
UNLISTED = {"ResourceNotFound.ErrorPersonNotExisted"}
"""In an example of the documents only."""
OURS = {"InternalError", "FailedOperation.ServerError", 213}
"""Codes that would mean a mistake of ours."""


class Server:
    """A process of its own, with one connection to it."""

    def __init__(self, errors: Path) -> None:
        self._errors = errors
        with errors.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=Path(__file__).parent.parent,
            )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.good()
        self.size_at_first = self.peak()

    def peak(self) -> int:
        """Bytes of memory, the most it ever had."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    def ask(self, path: str, headers: dict[str, str], body: bytes = b"", method: str = "POST") -> tuple[int, Any]:
        """The status and the JSON; a connection that the server has given up is made anew."""
        self.connection.putrequest(method, path, skip_host="host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            self.connection.putheader(name, value.encode("latin-1"))
        self.connection.putheader("content-length", str(len(body)))
        self.connection.endheaders(body)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.headers["content-type"] == "application/json", (answer.status, text[:200])
        assert b"Traceback" not in text
        assert b'File "' not in text
        return answer.status, json.loads(text)

    def now(self, headers: dict[str, str], body: bytes = b"", *, method: str = "POST", query: str = "") -> str:
        """The code of a current interface's answer, empty where all went well."""
        status, answer = self.ask(f"/?{query}" if query else "/", headers, body, method)
        assert status == 200
        assert list(answer) == ["Response"]
        assert len(answer["Response"]["RequestId"]) == 36
        error = answer["Response"].get("Error")
        if error is None:
            return ""
        assert set(answer["Response"]) == {"Error", "RequestId"}
        assert set(error) == {"Code", "Message"}
        assert error["Code"] in (LISTED | UNLISTED) - OURS
        return str(error["Code"])

    def before(self, name: str, headers: dict[str, str], body: bytes, method: str = "POST") -> int:
        """The code of an older interface's answer."""
        status, answer = self.ask(f"/face/{name}", headers, body, method)
        assert status in {200, 404, 405}
        assert set(answer) == {"data", "code", "message"}
        assert str(answer["code"]) in LISTED
        assert answer["code"] not in OURS
        return int(answer["code"])

    def good(self) -> None:
        assert self.now(tc3(self.port, b"{}"), b"{}") == ""

    def enrol(self) -> None:
        """Ann, of the staff, unless she is."""
        for action, sent in (
            ("CreateGroup", {"GroupId": "staff", "GroupName": "Staff", "GroupExDescriptions": ["a", "b"]}),
            ("CreatePerson", {"GroupId": "staff", "PersonId": "ann", "PersonName": "Ann", "Image": base64_of("ann")}),
        ):
            body = json.dumps(sent).encode()
            self.now(tc3(self.port, body, action=action), body)

    def errors(self) -> str:
        return self._errors.read_text()
