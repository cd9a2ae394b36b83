"""Faults of the sandbox: decided by a script, real on the socket, switched at run time by its owner and by nobody else."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.errors import ConfigurationError, RecogniserError
from kiosk.recognition.tencent import repeats
from kiosk.recognition.tencent.iai.comparing import CompareFace
from kiosk.recognition.tencent.iai.groups import CreateGroup, GetGroupList
from kiosk.recognition.tencent.legacy_faces import Identify
from kiosk.recognition.tencent.legacy_library import GetInfo, NewPerson
from kiosk.sandbox.faults import Plan, Script, read_json, read_toml
from tests.sandbox_front import Front, front
from tests.sandbox_stage import photo, soon

NAMES = ("CompareFace", "identify")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "FIRST_PAUSE", 0.001)


def script(text: str) -> Script:
    return Script(read_toml(text.encode(), NAMES))


def kinds(running: Script, interface: str, calls: int) -> list[tuple[str, ...]]:
    return [running.meet(interface).kinds for _ in range(calls)]


# --- the script ---------------------------------------------------------------------------------------------------------


def test_the_third_call_fails() -> None:
    running = script('[[fault]]\nkind = "drop"\ninterface = "identify"\nafter = 2\ncount = 1')
    assert kinds(running, "CompareFace", 5) == [()] * 5
    assert kinds(running, "identify", 5) == [(), (), ("drop",), (), ()]
    assert running.state()["fault"] == [
        {"kind": "drop", "interface": "identify", "after": 2, "count": 1, "seen": 5, "struck": 1},
    ]


def test_delays_and_clocks_go_with_others_and_only_one_fault_takes_the_answer() -> None:
    running = script(
        '[[fault]]\nkind = "delay"\nseconds = 0.5\n[[fault]]\nkind = "delay"\nseconds = 1\nmost = 2\n'
        '[[fault]]\nkind = "clock_shift"\nseconds = -400\n[[fault]]\nkind = "html"\ncount = 1\n[[fault]]\nkind = "reset"'
    )
    first, second = running.meet("identify"), running.meet("identify")
    assert 1.5 <= first.delay <= 2.5
    assert first.shift == -400
    assert (first.kinds[-1], second.kinds[-1]) == ("html", "reset")
    assert running.plan.fault[3].count == 1


@given(st.integers(0, 2**32), st.floats(0.01, 1), st.integers(1, 60))
def test_the_same_script_and_calls_give_the_same_faults(seed: int, probability: float, calls: int) -> None:
    plan = read_json(b'{"seed": %d, "fault": [{"kind": "drop", "probability": %r}]}' % (seed, probability), NAMES)
    assert kinds(Script(plan), "identify", calls) == kinds(Script(plan), "identify", calls)
    more = Plan(plan.seed, (*plan.fault, *read_json(b'{"fault": [{"kind": "delay", "seconds": 1}]}', NAMES).fault))
    assert [met[:-1] for met in kinds(Script(more), "identify", calls)] == kinds(Script(plan), "identify", calls)


def test_a_probability_is_met_in_the_long_run() -> None:
    running = script('seed = 7\n[[fault]]\nkind = "drop"\nprobability = 0.25')
    assert 200 < sum(map(bool, kinds(running, "identify", 1_000))) < 300


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[fault]]\nkind = "delayed"\nseconds = 1', "Invalid value 'delayed' (fault 1.kind); did you mean 'delay'?"),
        ('[[fault]]\nkind = "x"', "; the kinds are delay, clock_shift, drop,"),
        ('[[fault]]\nkind = "drop"\n[[fault]]\nkind = "delay"', "missing required field `seconds` (fault 2)"),
        ('[[fault]]\nkind = "drop"\nprobabilty = 1', "unknown field `probabilty` (fault 1); did you mean 'probability'?"),
        ('[[faults]]\nkind = "drop"', "unknown field `faults`; did you mean 'fault'?"),
        ('[[fault]]\nkind = "drop"\nprobability = 1.5', "Expected `float` <= 1.0 (fault 1.probability)"),
        ('[[fault]]\nkind = "status"\nstatus = 200', "Expected `int` >= 400 (fault 1.status)"),
        ('[[fault]]\nkind = "drop"\ninterface = "identfy"', "no interface 'identfy'; did you mean 'identify'?"),
        ('[[fault]]\nkind = "delay"\nseconds = 2\nmost = 1', "fault 1: most is less than seconds"),
        ("[[fault", "Expected ']]'"),
    ],
)
def test_mistakes_are_named(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_toml(text.encode(), NAMES)
    assert caught.value.slug == "faults_invalid"
    assert told in caught.value.detail


@given(st.binary(max_size=200))
def test_any_bytes_are_a_script_or_a_mistake(text: bytes) -> None:
    for read in (read_toml, read_json):
        try:
            plan = read(text, NAMES)
        except ConfigurationError:
            continue
        assert isinstance(plan, Plan)


# --- on the socket ------------------------------------------------------------------------------------------------------


async def test_a_dropped_call_is_closed_without_a_byte() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "drop"})
        assert await sandbox.talk(sandbox.compare()) == b""
        assert await sandbox.talk(sandbox.identify()) == b""


async def test_a_reset_call_is_reset() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "reset", "interface": "CompareFace"})
        with pytest.raises(ConnectionResetError):
            await sandbox.talk(sandbox.compare())
        assert await sandbox.code(sandbox.identify()) == "-1306"


async def test_a_truncated_answer_ends_in_the_middle() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "truncated"})
        head, _, body = (await sandbox.talk(sandbox.compare())).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        assert head.startswith(b"HTTP/1.1 200")
        assert len(body) == length // 2
        assert body.startswith(b'{"Response":{"Score":100.0')


async def test_half_json_is_whole_http() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "half_json"})
        head, _, body = (await sandbox.talk(sandbox.compare())).partition(b"\r\n\r\n")
        assert int(head.lower().partition(b"content-length: ")[2].split()[0]) == len(body)
        assert body.startswith(b'{"Response":{"Score":100.0')
        assert not body.endswith(b"}}")


async def test_a_slow_answer_is_whole_in_the_end() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "slow", "seconds": 0.05})
        assert await sandbox.code(sandbox.compare()) == "0"


async def test_a_slow_answer_dribbles() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "slow", "seconds": 300})
        reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
        writer.write(sandbox.compare())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        body = asyncio.create_task(reader.read())
        assert await sandbox.code(sandbox.identify().replace(b"/identify", b"/nothing")) == "3"
        assert not body.done()
        body.cancel()
        writer.close()


async def test_gateways_and_portals_answer_in_html() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "status", "status": 503, "count": 1}, {"kind": "html"})
        gateway, portal = [await sandbox.talk(sandbox.compare()) for _ in range(2)]
        assert gateway.startswith(b"HTTP/1.1 503 ")
        assert portal.startswith(b"HTTP/1.1 200 ")
        assert b"text/html" in gateway.lower()
        assert b"<!doctype html>" in portal


async def test_arrears_and_offline_speak_each_generations_language() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "arrears"})
        assert await sandbox.code(sandbox.compare()) == "ResourceUnavailable.InArrears"
        answer = await sandbox.talk(sandbox.identify())
        assert b'"code":3,"message":"account abnormal,errorno is:2"' in answer
        await sandbox.faults({"kind": "offline"})
        assert (await sandbox.code(sandbox.compare()), await sandbox.code(sandbox.identify())) == ("ActionOffline", "24")


async def test_a_delayed_answer_comes_later() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "delay", "seconds": 300, "count": 1})
        delayed = asyncio.create_task(sandbox.talk(sandbox.compare(), within=60))
        while not (await sandbox.admin.get("/faults")).json()["fault"][0]["struck"]:
            await asyncio.sleep(0.01)
        assert await sandbox.code(sandbox.compare()) == "0"
        assert not delayed.done()
        delayed.cancel()


async def test_strangers_and_those_who_only_open_connections_meet_no_faults() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "drop", "count": 1})
        assert (await sandbox.talk(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await sandbox.talk(sandbox.compare()) == b""
        assert await sandbox.code(sandbox.compare()) == "0"


# --- as our own client sees them ----------------------------------------------------------------------------------------

COMPARE = CompareFace(image_a=photo("ann"), image_b=photo("ann"))


async def slug_of(call: Any) -> str:
    with pytest.raises(RecogniserError) as caught:
        await call
    return caught.value.slug


@pytest.mark.parametrize(
    ("fault", "slug"),
    [
        ({"kind": "drop"}, "cloud_unreachable"),
        ({"kind": "reset"}, "cloud_unreachable"),
        ({"kind": "truncated"}, "cloud_unreachable"),
        ({"kind": "half_json"}, "answer_makes_no_sense"),
        ({"kind": "html"}, "answer_makes_no_sense"),
        ({"kind": "status", "status": 429}, "cloud_busy"),
        ({"kind": "status", "status": 502}, "cloud_error"),
        ({"kind": "arrears"}, "account_in_arrears"),
        ({"kind": "offline"}, "interface_retired"),
    ],
)
async def test_our_clients_name_each_fault(fault: dict[str, Any], slug: str) -> None:
    async with front() as sandbox, sandbox.clients() as (current, old):
        await sandbox.faults(fault)
        assert await slug_of(current.call(COMPARE, soon())) == slug
        assert await slug_of(old.call(Identify(group_id="staff", image=photo("ann")), soon())) == slug


async def test_our_client_gets_over_what_happens_once() -> None:
    async with front() as sandbox, sandbox.clients() as (current, _):
        for kind in ("drop", "reset", "truncated"):
            await sandbox.faults({"kind": kind, "count": 1})
            assert (await current.call(COMPARE, soon())).score == 100.0
        assert [call["code"] for call in (await sandbox.admin.get("/calls")).json()[:2]] == ["0", "0"]


async def test_a_call_may_be_carried_out_and_its_answer_lost() -> None:
    async with front() as sandbox, sandbox.clients() as (current, old):
        await sandbox.faults({"kind": "drop", "carried_out": True, "count": 1})
        await current.call(CreateGroup(group_id="staff", group_name="staff"), soon())
        await sandbox.faults({"kind": "drop", "carried_out": True, "interface": "newperson"})
        newcomer = NewPerson(person_id="ann", group_ids=("staff",), image=photo("ann"))
        assert await slug_of(old.call(newcomer, soon())) == "outcome_unknown"
        await sandbox.faults()
        assert [group.group_id for group in (await current.call(GetGroupList(), soon())).group_infos] == ["staff"]
        async with sandbox.clients() as (_, another):  # the first one's breaker is open
            assert (await another.call(GetInfo(person_id="ann"), soon())).person_id == "ann"


async def test_a_shifted_clock_is_seen_by_gates_and_told_in_the_date() -> None:
    async with front() as sandbox, sandbox.clients() as (current, old):
        await sandbox.faults({"kind": "clock_shift", "seconds": 4_000})
        assert await sandbox.code(sandbox.compare()) == "AuthFailure.SignatureExpire"
        assert await sandbox.code(sandbox.identify()) == "9"
        assert await sandbox.code(sandbox.compare(now=time.time() + 4_000)) == "0"
        assert (await current.call(COMPARE, soon())).score == 100.0
        assert await slug_of(old.call(Identify(group_id="staff", image=photo("ann")), soon())) == "group_unknown"
        await sandbox.faults()
        assert await sandbox.code(sandbox.compare()) == "0"


# --- the owner's port ---------------------------------------------------------------------------------------------------


async def test_scripts_are_put_shown_and_taken_away() -> None:
    async with front() as sandbox:
        put = await sandbox.admin.put("/faults", content=b'seed = 3\n[[fault]]\nkind = "status"\nstatus = 429\ncount = 1')
        assert put.status_code == 200
        assert (await sandbox.talk(sandbox.compare())).startswith(b"HTTP/1.1 429")
        assert (await sandbox.admin.get("/faults")).json() == {
            "seed": 3,
            "fault": [{"kind": "status", "status": 429, "count": 1, "seen": 1, "struck": 1}],
        }
        assert (await sandbox.admin.delete("/faults")).json() == {"seed": 0, "fault": []}
        assert await sandbox.code(sandbox.compare()) == "0"


async def test_a_bad_script_is_refused_and_the_old_one_stays() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "drop"})
        bad = await sandbox.admin.put("/faults", content=b'[[fault]]\nkind = "dorp"')
        assert (bad.status_code, bad.json()["error"]) == (422, "faults_invalid")
        assert "did you mean 'drop'?" in bad.json()["detail"]
        assert (await sandbox.admin.put("/faults", content=b"#" * 1_100_000)).status_code == 413
        assert await sandbox.talk(sandbox.compare()) == b""


async def test_the_clock_is_set_for_good() -> None:
    async with front() as sandbox:
        told = (await sandbox.admin.post("/clock", json={"shift": -3_600})).json()
        assert told["shift"] == -3_600
        assert abs(told["now"] - time.time() + 3_600) < 60
        assert await sandbox.code(sandbox.compare()) == "AuthFailure.SignatureExpire"
        for wrong in (b"", b'{"shift": "x"}', b'{"shift": 1, "y": 2}', b'{"shift": 1e300}', b"[" * 100_000):
            assert (await sandbox.admin.post("/clock", content=wrong)).status_code == 422
        await sandbox.admin.post("/clock", json={"shift": 0})
        assert await sandbox.code(sandbox.compare()) == "0"


@pytest.mark.parametrize("path", ["/faults", "/calls", "/clock", "/persons", "/metrics", "/page.css"])
async def test_the_owners_port_is_not_the_public_one(path: str) -> None:
    async with front() as sandbox, httpx.AsyncClient(base_url=f"http://127.0.0.1:{sandbox.port}", trust_env=False) as web:
        assert (await web.get(path)).status_code == 404
        assert (await web.put(path, content=b"")).status_code == 404


async def test_no_page_of_a_browser_may_change_anything() -> None:
    async with front() as sandbox:
        rebound = await sandbox.admin.get("/calls", headers={"Host": "evil.example"})
        assert rebound.status_code == 400
        for method, path in (("PUT", "/faults"), ("DELETE", "/faults"), ("POST", "/clock")):
            answer = await sandbox.admin.request(method, path, json={"shift": 9}, headers={"Origin": "http://evil.example"})
            assert answer.status_code == 403
        assert (await sandbox.admin.get("/clock")).json()["shift"] == 0
        assert (await sandbox.admin.get("/nothing")).json()["error"] == "request_refused"
        assert (await sandbox.admin.post("/metrics")).status_code == 405


async def count(sandbox: Front, name: str, **labels: str) -> float:
    text = (await sandbox.admin.get("/metrics")).text
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name) and all(w in line for w in wanted))


async def test_faults_are_counted_and_named_in_the_calls() -> None:
    async with front() as sandbox:
        await sandbox.faults({"kind": "delay", "seconds": 0.01}, {"kind": "drop", "count": 1})
        await sandbox.talk(sandbox.compare())
        await sandbox.talk(sandbox.compare())
        last, first = (await sandbox.admin.get("/calls")).json()
        assert (first["code"], first["faults"], last["code"], last["faults"]) == ("drop", ["delay", "drop"], "0", ["delay"])
        assert await count(sandbox, "kiosk_sandbox_faults_total", kind="delay") == 2
        assert await count(sandbox, "kiosk_sandbox_calls_total", interface="CompareFace", code="drop") == 1
