"""The vendor's own packages as the sandbox's clients."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from kiosk.recognition.tencent.signing import Credentials
from kiosk.sandbox.fetching import Fetcher
from tests.sandbox_stage import KEYS, Eye, base64_of, sandbox

SDK: Any = importlib.import_module("tencentcloud.iai.v20200303.iai_client")
ASYNC_SDK: Any = importlib.import_module("tencentcloud.iai.v20200303.iai_client_async")
MODELS: Any = importlib.import_module("tencentcloud.iai.v20200303.models")
PROFILE: Any = importlib.import_module("tencentcloud.common.profile.client_profile")
HTTP_PROFILE: Any = importlib.import_module("tencentcloud.common.profile.http_profile")
CREDENTIAL: Any = importlib.import_module("tencentcloud.common.credential")
SDK_ERROR: Any = importlib.import_module("tencentcloud.common.exception.tencent_cloud_sdk_exception").TencentCloudSDKException

Values = dict[str, Any]


class Official:
    """The vendor's package. A request's fields by the vendor's names; the answer is an object of the package.

    `http` and all other options are those of its profiles; `options` those of a single call, as for `IsMultipart`.
    """

    def __init__(
        self, port: int, keys: Credentials = KEYS, *, options: Values | None = None, waiting: bool = True, **more: Any
    ) -> None:
        """Without `waiting` it is the package's asynchronous client."""
        http = HTTP_PROFILE.HttpProfile(protocol="http", **({"endpoint": f"127.0.0.1:{port}"} | more.pop("http", {})))
        profile = PROFILE.ClientProfile(httpProfile=http, language=more.pop("language", "zh-CN"))
        vars(profile).update(more)
        credential = CREDENTIAL.Credential(keys.secret_id, keys.secret_key, keys.token or None)
        self.client = (SDK if waiting else ASYNC_SDK).IaiClient(credential, "ap-guangzhou", profile)
        self._options = options
        self._waiting = waiting

    async def __call__(self, action: str, **values: Any) -> Any:
        request = getattr(MODELS, f"{action}Request")()
        request._deserialize(values)
        if self._options is not None:
            return await self._with_options(action, request._serialize(allow_none=False), self._options)
        ask = getattr(self.client, action)
        return await (asyncio.to_thread(ask, request) if self._waiting else ask(request))

    async def _with_options(self, action: str, values: Values, options: Values) -> Any:
        raw = options.get("BinaryParams", ())
        sent = {name: base64.b64decode(value) if name in raw else _text(value) for name, value in values.items()}
        body = await asyncio.to_thread(self.client.call, action, sent, options)
        answer = getattr(MODELS, f"{action}Response")()
        answer._deserialize(json.loads(body)["Response"])
        return answer

    async def code(self, action: str, **values: Any) -> str:
        with pytest.raises(SDK_ERROR) as caught:
            await self(action, **values)
        assert caught.value.requestId
        return str(caught.value.code)


@asynccontextmanager
async def official(eye: Eye | None = None, fetcher: Fetcher | None = None) -> AsyncIterator[Official]:
    async with sandbox(eye, fetcher=fetcher) as port:
        yield Official(port)


async def enrol(ask: Official, *names: str, group: str = "staff") -> None:
    """A group with these people, each by their own face."""
    await ask("CreateGroup", GroupId=group, GroupName=f"The {group}", GroupExDescriptions=["floor", "desk"])
    for name in names:
        await ask("CreatePerson", GroupId=group, PersonId=name, PersonName=name.title(), Image=base64_of(name))


def _text(value: Any) -> Any:
    """The package writes no numbers into a multipart body."""
    return value if isinstance(value, str | list | dict) else str(value)
