"""What people present besides their faces: resolved to a person, written down without its value, and handed on.

A value – a card's number, a code, a PIN – lives in memory until it is resolved, and reaches neither log, journal nor metric.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from joserfc.jwk import OKPKey

from kiosk import configuration
from kiosk.access import code, pin
from kiosk.access.people import People
from kiosk.domain import Credential, CredentialKind
from kiosk.errors import ConfigurationError, HardwareError, JournalError
from kiosk.eye import messages
from kiosk.hardware.readers.reader import OnValue
from kiosk.service.readers import Readers
from kiosk.service.spent import Spent
from kiosk.service.tally import Tally
from kiosk.settings import Settings

CAMERA = "camera"
SCREEN = "screen"
"""Names of what is no reader but gives credentials as well."""

_WAITING = 8
"""Values that may wait to be resolved; one more is dropped, and counted."""
_STILL_SHOWN = 2.0
"""Seconds between two sights of one code in which it is still the same showing."""
_REPORTED_EVERY = 60.0
"""Seconds between two rows and alarms of one fault at one reader: a floating line gives forty bad frames a second."""

Wall = Callable[[], tuple[float, bool]]
"""Unix seconds, and whether they are to be believed."""
Record = Callable[[str, int | None, Mapping[str, object]], Awaitable[None]]


@dataclass(frozen=True)
class Register:
    """What all portals of a box share. `people`: those of now, since they are reloaded with the rules."""

    settings: Settings
    people: Callable[[], People]
    spent: Spent
    key: OKPKey | None
    wall: Wall
    pin_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def open(cls, settings: Settings, wall: Wall, people: Callable[[], People]) -> Register:
        """Raises ConfigurationError, and HardwareError `spent_unreadable`. Without a key's file signed codes are refused."""
        state_dir = settings.site.state_dir
        key = read_key(settings.credentials.code_key_file, state_dir)
        return cls(settings, people, Spent(state_dir / "spent-codes.json"), key, wall)


def read_key(file: Path, state_dir: Path) -> OKPKey | None:
    """A bare name is looked for among systemd's credentials, then in `state_dir`; None where there is none.

    Raises ConfigurationError `key_unusable`; `secret_missing` where a file with a path was named and is not there.
    """
    is_bare = file.name == str(file)
    try:
        return code.import_key(configuration.secret(_beside(file, state_dir) if is_bare else file).encode(), private=False)
    except ConfigurationError as error:
        if is_bare and error.slug == "secret_missing":
            return None
        raise ConfigurationError(error.slug, f"credentials.code_key_file: {error.detail}") from error


def _beside(file: Path, state_dir: Path) -> Path:
    return state_dir / file if (state_dir / file).is_file() else file


@dataclass(frozen=True, slots=True)
class _Value:
    kind: CredentialKind
    at: float
    text: str = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class _Found:
    slug: str
    person: str = ""
    duress: bool = False


class Credentials:
    """One portal's. Event loop only.

    `presented` is the attendant's; `awaited` says whose second factor is waited for, empty where nobody's; `record` writes a
    row to the journal: what cannot be recorded is not handed on.
    """

    def __init__(
        self,
        portal: str,
        register: Register,
        tally: Tally,
        record: Record,
        presented: Callable[[Credential], None],
        awaited: Callable[[], str] = lambda: "",
    ) -> None:
        self._portal = portal
        self._register = register
        self._settings = register.settings.portals[portal]
        self._tally = tally
        self._record = record
        self._presented = presented
        self._awaited = awaited
        self._values: asyncio.Queue[_Value] = asyncio.Queue(_WAITING)
        self._rows: asyncio.Queue[tuple[str, Mapping[str, object]]] = asyncio.Queue()
        self._reported: dict[tuple[str, str], float] = {}
        self._claimed = Credential("claim", at=float("-inf"))
        self._guesses = pin.Guesses(self._settings.lock_out_after, self._settings.lock_out_seconds)
        self._shown: tuple[bytes, float] = (b"", float("-inf"))
        self.readers = Readers(self._settings.readers, register.settings.site.state_dir, self._hears, self._on_reader)

    async def run(self) -> None:
        """Until cancelled. Raises ConfigurationError for a reader that can never be opened."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.readers.run(), name=f"readers of {self._portal}")
            group.create_task(self._resolve_all(), name=f"credentials of {self._portal}")
            group.create_task(self._write_all(), name=f"reader rows of {self._portal}")

    def hear(self, message: messages.FromEye) -> None:
        """What the eye says; anything but a code is passed over, and a code that is held up counts once."""
        if not isinstance(message, messages.Code) or not self._settings.codes:
            return
        seen, (shown, until) = hashlib.sha256(message.text.encode()).digest(), self._shown
        now = time.monotonic()
        self._shown = seen, now + _STILL_SHOWN
        if seen != shown or now >= until:
            self._put(_Value("qr", now, message.text, CAMERA))

    async def enter_pin(self, typed: str) -> str:
        """A PIN from the screen; the slug of what came of it."""
        if self._register.pin_turn.locked():
            self._tally.credential(self._portal, "pin", "credentials_too_fast")
            return "credentials_too_fast"
        return await self._settle(_Value("pin", time.monotonic(), typed, SCREEN))

    async def claim(self, person: str, nonce: str, expires_at: float) -> str:
        """Somebody else has identified `person`; good once and until `expires_at` (Unix seconds). Returns a slug."""
        now, trusted = self._register.wall()
        refusals = (
            (not trusted, "claim_clock_untrusted"),
            (now >= expires_at, "claim_expired"),
            (expires_at - now > self._register.settings.credentials.code_lifetime, "claim_lives_too_long"),
        )
        slug = next((slug for holds, slug in refusals if holds), "")
        slug = slug or await self._spend(f"claim:{nonce}", expires_at, now, "claim_replayed")
        found = _Found(slug) if slug else _Found("credential_known", person)
        return await self._hand_on(_Value("claim", time.monotonic(), "", "http"), found)

    def _hears(self, reader: str) -> OnValue:
        def on_value(at: float, kind: CredentialKind, value: str) -> None:
            self._put(_Value(kind, at, value, reader))

        return on_value

    def _put(self, value: _Value) -> None:
        try:
            self._values.put_nowait(value)
        except asyncio.QueueFull:
            self._tally.credential(self._portal, value.kind, "credentials_too_fast")

    async def _resolve_all(self) -> None:
        while True:
            await self._settle(await self._values.get())

    async def _settle(self, value: _Value) -> str:
        found = await self._resolve(value)
        return await self._hand_on(value, found)

    async def _hand_on(self, value: _Value, found: _Found) -> str:
        row = {"credential": value.kind, "person": found.person or "unknown", "reader": value.source, "slug": found.slug}
        self._tally.credential(self._portal, value.kind, found.slug)
        try:
            await self._record("credential", None, row)
        except JournalError as error:
            self._tally.error(error)
            return error.slug
        credential = Credential(value.kind, value.at, found.person, found.duress)
        if found.person and value.kind != "pin":
            self._claimed = credential
        if found.slug not in {"pin_unexpected", "pin_locked_out"}:  # which were no guesses
            self._presented(credential)
        return found.slug

    async def _resolve(self, value: _Value) -> _Found:
        match value.kind:
            case "pin":
                return await self._check_pin(value)
            case "qr" if code.is_signed(value.text):
                return await self._check_code(value.text)
            case "qr":
                person = self._register.people().by_code(value.text)
            case _:
                person = self._register.people().by_card(value.text)
        return _Found("credential_known", person) if person else _Found("credential_unknown")

    async def _check_pin(self, value: _Value) -> _Found:
        """A PIN identifies nobody by itself: it is held to the person who is awaited, or was claimed a moment ago."""
        claimed = self._claimed.person if value.at - self._claimed.at <= self._settings.claim_within else ""
        person = self._awaited() or claimed
        if not person:
            return _Found("pin_unexpected")
        if not self._guesses.may(value.at):
            return _Found("pin_locked_out")
        hashes = self._register.people().pin_hashes(person)
        async with self._register.pin_turn:  # one at a time: each takes memory and time
            answer = await asyncio.to_thread(pin.answer, value.text[: pin.LONGEST + 1], hashes)
        if answer == "wrong":
            self._guesses.wrong(value.at)
            return _Found("pin_wrong")
        return _Found("credential_known", person, duress=answer == "duress")

    async def _check_code(self, text: str) -> _Found:
        now, trusted = self._register.wall()
        settings = self._register.settings
        here = code.audiences(settings.site.name, self._portal)
        lifetime = settings.credentials.code_lifetime
        token = code.read(text, self._register.key, now, trusted=trusted, here=here, lifetime=lifetime)
        if isinstance(token, code.Refused):
            return _Found(token.slug)
        slug = await self._spend(token.jti, token.exp, now, "code_replayed")
        return _Found(slug) if slug else _Found("credential_known", token.sub)

    async def _spend(self, identity: str, expires_at: float, now: float, replayed: str) -> str:
        """The slug of why it may not be used, empty where it now is."""
        try:
            return "" if await self._register.spent.spend(identity, expires_at, now) else replayed
        except HardwareError as error:
            self._tally.error(error)
            return error.slug

    def _on_reader(self, reader: str, slug: str, at: float) -> None:
        up = self.readers.up[reader] and slug != "reader_lost"
        often = at - self._reported.get((reader, slug), float("-inf")) < _REPORTED_EVERY
        self._tally.reader(self._portal, reader, slug, up=up, often=often)
        if often:
            return
        self._reported[reader, slug] = at
        self._rows.put_nowait(("reader_fault", {"reader": reader, "slug": slug}) if slug else ("reader_back", {"reader": reader}))

    async def _write_all(self) -> None:
        while True:
            kind, row = await self._rows.get()
            try:
                await self._record(kind, None, row)
            except JournalError as error:
                self._tally.error(error)
