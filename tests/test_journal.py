"""The journal on real files: what is acknowledged stays, what is changed is found."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from kiosk.errors import JournalError
from kiosk.journal import show
from kiosk.journal.log import GENESIS, Journal, Row, tail, verify

WRITER = """
import asyncio, sys
from pathlib import Path
from kiosk.journal.log import Journal

async def main():
    journal = await Journal.open(Path(sys.argv[1]))
    for number in range(100_000):
        row = await journal.append("granted", "door", number, {"number": number})
        print(row.seq, row.hash, flush=True)

asyncio.run(main())
"""


async def written(path: Path, rows: int = 5) -> None:
    journal = await Journal.open(path)
    for number in range(rows):
        await journal.append("granted", "door", number + 1, {"person": f"person {number}", "rule": "staff"})
    await journal.close()


def change(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    with database:
        assert database.execute(statement).rowcount == 1
    database.close()


async def test_rows_follow_one_another_and_survive_reopening(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.sqlite"
    await written(path, 3)
    await written(path, 2)
    rows = tail(path, 10)
    assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert [row.previous for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]
    found = verify(path)
    assert (found.ok, found.rows, found.head) == (True, 5, rows[-1].hash)
    assert [row.seq for row in tail(path, 2)] == [4, 5]


async def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    await written(tmp_path / "journal.sqlite")
    assert (tmp_path / "journal.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("column", [name for name in Row.__struct_fields__ if name not in {"seq", "presentation", "monotonic"}])
async def test_one_changed_byte_in_any_text_is_found(tmp_path: Path, column: str) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    flipped = f"substr({column}, 1, 3) || CASE substr({column}, 4, 1) WHEN '0' THEN '1' ELSE '0' END || substr({column}, 5)"
    change(path, f"UPDATE journal SET {column} = {flipped} WHERE seq = 3")
    found = verify(path)
    assert (found.ok, found.bad_seq) == (False, 3)


@pytest.mark.parametrize("column", ["monotonic", "presentation"])
async def test_a_changed_number_is_found(tmp_path: Path, column: str) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    change(path, f"UPDATE journal SET {column} = {column} + 1 WHERE seq = 3")
    assert verify(path).bad_seq == 3


async def test_a_row_taken_out_is_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    change(path, "DELETE FROM journal WHERE seq = 3")
    found = verify(path)
    assert (found.ok, found.bad_seq, found.why) == (False, 4, "row 3 is missing")


async def test_rows_that_changed_places_are_found(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    for old, new in ((2, 99), (3, 2), (99, 3)):
        change(path, f"UPDATE journal SET seq = {new} WHERE seq = {old}")
    assert verify(path).bad_seq == 2


async def test_a_row_rewritten_with_a_hash_of_its_own_breaks_the_next(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    third = tail(path, 3)[0]
    forged = msgspec.structs.replace(third, presentation=1, body='{"person":"eve"}')
    change(path, f"UPDATE journal SET presentation = 1, body = '{forged.body}', hash = '{forged.computed_hash()}' WHERE seq = 3")
    found = verify(path)
    assert (found.bad_seq, found.why) == (4, "does not follow the row before it")


async def test_a_changed_newest_row_is_refused_at_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    change(path, "UPDATE journal SET body = '{}' WHERE seq = 5")
    with pytest.raises(JournalError, match="journal_broken"):
        await Journal.open(path)


async def test_there_is_one_writer(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite")
    with pytest.raises(JournalError, match="another kiosk is writing it"):
        await Journal.open(tmp_path / "journal.sqlite")
    await journal.close()
    await (await Journal.open(tmp_path / "journal.sqlite")).close()


async def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="journal_unwritable"):
        await Journal.open(tmp_path / "file" / "journal.sqlite")
    path = tmp_path / "journal.sqlite"
    journal = await Journal.open(path)
    other = sqlite3.connect(path)
    other.execute("DROP TABLE journal")
    other.close()
    with pytest.raises(JournalError, match="journal_unwritable"):
        await journal.append("granted", "door", 1, {})
    await journal.close()


def test_a_file_that_is_none_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"not a database" * 100)
    for read in (verify, lambda path: tail(path, 1)):
        with pytest.raises(JournalError, match="journal_broken"):
            read(tmp_path / "journal.sqlite")
        with pytest.raises(JournalError, match="journal_missing"):
            read(tmp_path / "missing")


async def test_a_file_that_is_none_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match="journal_broken"):
        await Journal.open(path)
    assert path.read_bytes() == b"not a database" * 100


@pytest.mark.parametrize("column", [name for name in Row.__struct_fields__ if name not in {"seq", "presentation", "monotonic"}])
async def test_bytes_that_are_no_text_are_found_at_their_row(tmp_path: Path, column: str) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    change(path, f"UPDATE journal SET {column} = CAST(X'FF' AS TEXT) || substr({column}, 2) WHERE seq = 3")
    found = verify(path)
    assert (found.ok, found.bad_seq) == (False, 3)
    assert len(show.tail(path, 5, as_json=False).splitlines()) == 5
    assert len(show.tail(path, 5, as_json=True).splitlines()) == 5


async def test_a_byte_cannot_pass_for_the_escape_that_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = await Journal.open(path)
    await journal.append("granted", r"\xff", 1, {})
    await journal.close()
    change(path, "UPDATE journal SET portal = CAST(X'FF' AS TEXT) WHERE seq = 1")
    assert verify(path).bad_seq == 1


async def test_it_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    journal = await Journal.open(path)
    for number in range(3):
        row = await journal.append("granted", "door", 1, {})
        assert (verify(path).rows, tail(path, 1)) == (number + 1, [row])
    assert journal.head == verify(path).head
    await journal.close()


def test_nothing_acknowledged_is_lost_to_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    for count in (1, 7, 40):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(count)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = "".join(lines) + writer.communicate()[0]
        seq, digest = re.findall(r"^(\d+) ([0-9a-f]{64})$", acknowledged, re.MULTILINE)[-1]
        assert verify(path).ok
        kept = {row.seq: row.hash for row in tail(path, 10_000)}
        assert kept[int(seq)] == digest


async def test_it_can_be_read_by_people(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await written(path)
    assert show.verify(path, as_json=False)[0].startswith("whole: 5 rows, head ")
    lines = str(show.tail(path, 2, as_json=True)).splitlines()
    assert [msgspec.json.decode(line, type=Row) for line in lines] == tail(path, 2)
    change(path, "UPDATE journal SET kind = 'denied' WHERE seq = 2")
    assert show.verify(path, as_json=False) == ("broken: row 2 was changed after it was written", False)
