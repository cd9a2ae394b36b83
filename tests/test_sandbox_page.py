"""What the sandbox's owner sees: calls, people, metrics and a page, and nothing that could tell who somebody is."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from kiosk.recognition.tencent.iai.groups import CreateGroup
from kiosk.recognition.tencent.iai.persons import CreateFace, CreatePerson
from kiosk.recognition.tencent.legacy_library import NewPerson
from kiosk.sandbox.records import REMEMBERED, Records, request_id
from tests.sandbox_front import Front, front
from tests.sandbox_stage import KEYS, photo, soon


async def people(sandbox: Front) -> None:
    async with sandbox.clients() as (current, old):
        await current.call(CreateGroup(group_id="guests", group_name="<b>Gäste</b>"), soon())
        for name in ("ann", "bob"):
            request = CreatePerson(group_id="guests", person_name=f"Secret {name}", person_id=name, image=photo(name))
            await current.call(request, soon())
        await old.call(NewPerson(person_id="eve", group_ids=("staff",), image=photo("eve")), soon())
        await current.call(CreateFace(person_id="eve", images=(photo("eve~"),)), soon())


async def test_calls_are_kept_newest_first_with_their_request_ids() -> None:
    async with front() as sandbox:
        answer = await sandbox.talk(sandbox.compare())
        await sandbox.talk(sandbox.identify())
        await sandbox.talk(b"GET /nothing?secret=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        unknown, identify, compare = (await sandbox.admin.get("/calls")).json()
    assert compare["request_id"].encode() in answer
    assert (compare["interface"], compare["code"]) == ("CompareFace", "0")
    assert compare["sent"] == len(answer.partition(b"\r\n\r\n")[2])
    assert (identify["interface"], identify["code"], identify["request_id"]) == ("identify", "-1306", "")
    assert (unknown["interface"], unknown["code"]) == ("?", "http_404")
    assert compare.keys() == {"at", "interface", "code", "milliseconds", "request_id", "received", "sent", "faults"}


async def test_only_so_many_calls_are_kept() -> None:
    async with front() as sandbox:
        for _ in range(REMEMBERED + 5):
            await sandbox.talk(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert len((await sandbox.admin.get("/calls")).json()) == REMEMBERED


async def test_people_are_listed_by_what_is_no_secret() -> None:
    async with front() as sandbox:
        await people(sandbox)
        told = await sandbox.admin.get("/persons")
        assert told.json() == {
            "groups": 2,
            "persons": 3,
            "faces": 4,
            "page": [
                {"person_id": "ann", "groups": ["guests"], "faces": 1},
                {"person_id": "bob", "groups": ["guests"], "faces": 1},
                {"person_id": "eve", "groups": ["staff"], "faces": 2},
            ],
        }
        assert "Secret" not in told.text
        some = (await sandbox.admin.get("/persons", params={"group": "guests", "offset": "1"})).json()
        assert [person["person_id"] for person in some["page"]] == ["bob"]
        assert (await sandbox.admin.get("/persons", params={"group": "nobody"})).status_code == 422


async def test_the_page_shows_it_all_and_loads_nothing_from_elsewhere() -> None:
    async with front() as sandbox:
        await people(sandbox)
        await sandbox.faults({"kind": "delay", "seconds": 0.01, "most": 0.02}, {"kind": "status", "status": 503, "after": 9})
        await sandbox.admin.post("/clock", json={"shift": 0})
        await sandbox.talk(sandbox.compare())
        page = await sandbox.admin.get("/")
        style = await sandbox.admin.get("/page.css")
    for text in ("CompareFace", "newperson", "delay 0.01–0.02 s", "status 503", "100 %, after 9", "&lt;b&gt;Gäste&lt;/b&gt;"):
        assert text in page.text
    assert re.search(r"<th>faces</th><td class=\"n\">4</td>", page.text)
    assert "<script" not in page.text
    assert "http://" not in page.text + style.text
    assert "Secret" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert style.headers["Content-Type"].startswith("text/css")


async def test_an_empty_page_says_so_and_a_wrong_clock_shows() -> None:
    async with front() as sandbox:
        await sandbox.admin.post("/clock", json={"shift": -90})
        page = (await sandbox.admin.get("/")).text
    assert "none so far" in page
    assert "<strong>-90 s off</strong>" in page


async def test_metrics_count_calls_faces_and_time() -> None:
    async with front() as sandbox:
        await people(sandbox)
        await sandbox.talk(sandbox.compare())
        families = list(text_string_to_metric_families((await sandbox.admin.get("/metrics")).text))
    found = {(s.name, s.labels.get("interface"), s.labels.get("code")): s.value for f in families for s in f.samples}
    assert found["kiosk_sandbox_calls_total", "CreatePerson", "0"] == 2
    assert found["kiosk_sandbox_call_seconds_count", "CompareFace", None] == 1
    assert [found[f"kiosk_sandbox_{name}", None, None] for name in ("groups", "persons", "faces", "at_work")] == [2, 3, 4, 0]
    labels = {label for family in families for sample in family.samples for label in sample.labels}
    assert labels == {"interface", "code", "le"}


async def test_logs_hold_no_face_no_name_no_key() -> None:
    with capture_logs() as logs:
        async with front() as sandbox:
            await people(sandbox)
            await sandbox.talk(sandbox.compare())
    entries = [entry for entry in logs if entry["event"] == "sandbox_request"]
    assert {"CreatePerson", "newperson", "CreateFace", "CompareFace"} <= {entry["interface"] for entry in entries}
    assert entries[-1].keys() == {
        *("event", "log_level", "interface", "code", "milliseconds", "request_id", "received", "sent"),
    }
    for secret in (KEYS.secret_key, KEYS.secret_id, "Secret", "PNG", "ann", "bob", "Signature"):
        assert secret not in repr(logs)


def test_a_request_id_is_read_from_current_answers_only() -> None:
    assert request_id(b'{"Response":{"Score":1.5,"RequestId":"abc"}}') == "abc"
    assert request_id(b'{"data":{"session_id":"caller\'s own"},"code":0,"message":"OK"}') == ""


def test_an_empty_record_renders() -> None:
    body, content_type = Records().render()
    assert b"kiosk_sandbox_calls_total" in body
    assert content_type.startswith("text/plain")
