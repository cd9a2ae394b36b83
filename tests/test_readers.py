"""Credential readers: one contract for all, then what is each one's own."""

from __future__ import annotations

import asyncio
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ConfigurationError, HardwareError
from kiosk.hardware.readers import simulated
from kiosk.hardware.readers.keys import KNOWN, LONGEST, Keys
from kiosk.hardware.readers.opening import open_reader
from kiosk.hardware.readers.osdp import text_of
from kiosk.service.readers import Readers
from kiosk.slugs import TABLE
from tests.reader_stage import BENCHES, Bench, Ear, OsdpBench, opened


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    make: Callable[[Path], Bench] = request.param
    made = make(tmp_path)
    yield made
    made.close()


class TestContract:
    async def test_each_card_is_read_when_it_is_held_up(self, bench: Bench, tmp_path: Path) -> None:
        async with opened(bench, tmp_path) as (ear, _):
            before = time.monotonic()
            bench.hold()
            at, kind, value = await asyncio.wait_for(ear.values.get(), 20)
            assert (kind, value) == ("card", bench.card)
            assert before <= at <= time.monotonic()
            bench.hold()
            assert await ear.value() == ("card", bench.card)

    async def test_what_cannot_be_read_is_a_fault_with_a_slug_and_no_end(self, bench: Bench, tmp_path: Path) -> None:
        async with opened(bench, tmp_path) as (ear, _):
            slug = bench.spoil()
            if slug is not None:
                assert await ear.fault() == slug
                assert slug in TABLE
            await asyncio.sleep(0.1)
            bench.hold()
            assert await ear.value() == ("card", bench.card)

    async def test_a_reader_that_vanishes_is_lost_once_and_can_be_had_again(self, bench: Bench, tmp_path: Path) -> None:
        async with opened(bench, tmp_path) as (ear, reader):
            bench.unplug()
            assert await ear.fault() == "reader_lost"
            await reader.close()
            bench.plug()
        async with opened(bench, tmp_path) as (again, _):
            bench.hold()
            assert await again.value() == ("card", bench.card)
        assert ear.faults.empty()
        assert ear.values.empty()

    async def test_it_is_given_back_when_closed_and_may_be_closed_twice(self, bench: Bench, tmp_path: Path) -> None:
        for _ in range(2):
            async with opened(bench, tmp_path) as (ear, reader):
                await reader.close()
            assert ear.faults.empty()

    async def test_nobody_else_may_have_it_meanwhile(self, bench: Bench, tmp_path: Path) -> None:
        async with opened(bench, tmp_path):
            with pytest.raises(HardwareError) as caught:
                await Ear().open(bench.url, tmp_path)
        assert caught.value.slug == "reader_missing"


@pytest.mark.parametrize(
    "url", ["wiegand:/dev/gpiochip99/5/6", "evdev:/dev/input/none", "osdp:/dev/none", "osdp:/dev/null", "sim:a/b"]
)
async def test_what_is_not_there_is_said_to_be_missing(url: str, tmp_path: Path) -> None:
    with pytest.raises(HardwareError) as caught:
        await Ear().open(url, tmp_path)
    assert caught.value.slug == "reader_missing"
    assert url in caught.value.detail


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("wiegand:/dev/gpiochip0/5", "two different lines"),
        ("wiegand:/dev/gpiochip0/5/5", "two different lines"),
        ("wiegand:/dev/gpiochip0/5/6?bias=up", "bias is"),
        ("evdev:/dev/input/none?kind=claim", "kind is 'claim'"),
        ("evdev:/dev/input/none?kin=qr", "did you mean 'kind'?"),
        ("osdp:/dev/null?baud=fast", "baud is 'fast'"),
        ("osdp:/dev/null?address=127", "0 to 126"),
    ],
)
async def test_a_url_that_makes_no_sense_is_a_mistake_in_the_configuration(url: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="configuration_invalid") as caught:
        await Ear().open(url, tmp_path)
    assert says in caught.value.detail


@pytest.mark.parametrize(("url", "module", "extra"), [("evdev:/dev/x", "evdev", "hid"), ("osdp:/dev/x", "osdp", "osdp")])
async def test_a_missing_extra_is_named(
    url: str, module: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("kiosk.hardware.readers.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as caught:
        await open_reader(url, tmp_path, lambda *_: None, lambda *_: None)
    assert (caught.value.slug, f"kiosk[{extra}]" in caught.value.detail) == ("extra_missing", True)


NAMES = {**{f"{one}": f"KEY_{one.upper()}" for one in "abcxyz0123456789"}, "-": "KEY_MINUS", ".": "KEY_DOT"}


class TestKeys:
    def typed(self, keys: Keys, text: str, at: float = 0.0, pace: float = 0.01) -> str:
        value = ""
        for one in text:
            at += pace
            upper = one.isupper() or one == "_"
            name = "KEY_ENTER" if one == "\n" else NAMES["-" if one == "_" else one.lower()]
            if upper:
                keys.key(at, "KEY_LEFTSHIFT", down=True)
            value = keys.key(at, name, down=True) or value
            keys.key(at, name, down=False)
            if upper:
                keys.key(at, "KEY_LEFTSHIFT", down=False)
        return value

    @given(st.text("abcXYZ0123456789-_.", min_size=1, max_size=LONGEST))
    def test_what_is_typed_until_enter_is_the_value(self, text: str) -> None:
        assert self.typed(Keys(0.5), text + "\n") == text

    def test_a_pause_forgets_what_came_before(self) -> None:
        keys = Keys(0.5)
        self.typed(keys, "123", at=0.0)
        assert self.typed(keys, "45\n", at=2.0) == "45"

    @given(st.integers(LONGEST + 1, 2000))
    def test_what_is_too_long_is_nothing_and_the_next_one_is_whole(self, length: int) -> None:
        keys = Keys(0.5)
        assert self.typed(keys, "1" * length + "\n") == ""
        assert self.typed(keys, "12\n", at=100.0) == "12"

    @given(st.lists(st.tuples(st.floats(0, 1), st.one_of(st.sampled_from(sorted(KNOWN)), st.text()), st.booleans())))
    def test_any_keys_do_no_harm(self, keys: list[tuple[float, str, bool]]) -> None:
        at, gathered = 0.0, Keys(0.5)
        for pause, name, down in keys:
            at += pause
            assert len(gathered.key(at, name, down=down)) <= LONGEST

    def test_a_scanners_us_keyboard_is_read_with_its_signs(self) -> None:
        keys = Keys(0.5)
        keys.key(0.0, "KEY_RIGHTSHIFT", down=True)
        for name in ("KEY_MINUS", "KEY_SEMICOLON", "KEY_1", "KEY_A"):
            keys.key(0.1, name, down=True)
        assert keys.key(0.2, "KEY_KPENTER", down=True) == "_:!A"


class TestOsdp:
    async def test_a_pin_is_typed_until_the_hash_key_and_the_star_begins_anew(self, tmp_path: Path) -> None:
        bench = OsdpBench(tmp_path)
        async with opened(bench, tmp_path) as (ear, _):
            for keys in (b"99", b"\x7f", b"12", b"34", b"\r"):
                bench.type(keys)
            assert await ear.value() == ("pin", "1234")
        bench.close()

    async def test_a_reader_under_another_key_is_not_heard(self, tmp_path: Path) -> None:
        bench = OsdpBench(tmp_path, bytes(range(16)))
        (tmp_path / "osdp-key").write_text("00" * 16)
        with pytest.raises(HardwareError, match="no answer"):
            await Ear().open(bench.url, tmp_path)
        bench.close()

    async def test_a_key_that_is_none_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "osdp-key").write_text("secret")
        with pytest.raises(ConfigurationError, match="key_unusable") as caught:
            await Ear().open("osdp:/dev/null?key_file=osdp-key", tmp_path)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("data", "length", "is_text", "card"),
        [
            (b"0012345\r\n", 72, True, "0012345"),
            (b"\x04\xa2\xff\x12", 32, False, "32:4A2FF12"),
            (b"\xff\x80", 9, False, "9:1FF"),
            (b"\xff", 9, False, "wiegand_length"),
            (b"", 0, False, "wiegand_length"),
            (b"\x00\x00\x00\x00", 26, False, "wiegand_parity"),
        ],
    )
    def test_cards_of_all_formats_are_text(self, data: bytes, length: int, is_text: bool, card: str) -> None:
        assert text_of(data, length, is_text=is_text) == card


class TestSimulated:
    async def test_only_its_owner_can_hold_something_to_it(self, tmp_path: Path) -> None:
        reader = await Ear().open("sim:front", tmp_path)
        assert stat.S_IMODE((tmp_path / "sim" / "front.reader").stat().st_mode) == 0o600
        await reader.close()

    async def test_a_path_may_be_longer_than_a_sockets(self, tmp_path: Path) -> None:
        deep = tmp_path / ("d" * 120)
        deep.mkdir()
        ear = Ear()
        reader = await ear.open("sim:front", deep)
        simulated.present(deep, "front", "qr", "x" * LONGEST)
        assert await ear.value() == ("qr", "x" * LONGEST)
        await reader.close()

    async def test_without_a_daemon_nobody_reads(self, tmp_path: Path) -> None:
        (tmp_path / "sim").mkdir()
        with pytest.raises(HardwareError, match="reader_missing"):
            simulated.present(tmp_path, "front", "card", "1")

    async def test_whoever_holds_up_too_much_is_told_and_does_not_wait(self, tmp_path: Path) -> None:
        reader = await Ear().open("sim:front", tmp_path)

        def flood() -> None:
            for _ in range(10_000):
                simulated.present(tmp_path, "front", "card", "1")

        with pytest.raises(HardwareError, match="reader_missing"):
            flood()
        await reader.close()

    async def test_nonsense_is_passed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ear = Ear()
        reader = await ear.open("sim:front", tmp_path)
        monkeypatch.chdir(tmp_path / "sim")

        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
            for nonsense in (b"", b"{", b'{"type":"held","kind":"claim","value":1}', b"\xff" * 5000):
                ours.sendto(nonsense, "front.reader")
        simulated.present(tmp_path, "front", "card", "1")
        assert await ear.value() == ("card", "1")
        assert ear.faults.empty()
        await reader.close()


class TestKept:
    async def test_a_lost_reader_is_opened_again_and_a_missing_one_waited_for(self, tmp_path: Path) -> None:
        changes: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        heard: asyncio.Queue[str] = asyncio.Queue()
        other = await Ear().open("sim:front", tmp_path)
        readers = Readers(
            ("sim:front",),
            tmp_path,
            lambda url: lambda _at, _kind, value: heard.put_nowait(value),
            lambda url, slug, _: changes.put_nowait((url, slug)),
        )
        running = asyncio.create_task(readers.run())
        async with asyncio.timeout(20):
            assert await changes.get() == ("sim:front", "reader_missing")
            assert readers.up == {"sim:front": False}
            await other.close()
            assert await changes.get() == ("sim:front", "")
            assert readers.up == {"sim:front": True}
            simulated.break_off(tmp_path, "front")
            assert await changes.get() == ("sim:front", "reader_lost")
            assert await changes.get() == ("sim:front", "")
            simulated.present(tmp_path, "front", "card", "1")
            assert await heard.get() == "1"
        running.cancel()
        await asyncio.wait([running])
        with pytest.raises(HardwareError):
            simulated.present(tmp_path, "front", "card", "1")
