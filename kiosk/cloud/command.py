"""What every command of `kiosk cloud` has in common: options, clients, output, and how it fails."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Concatenate, NamedTuple, ParamSpec

import typer
from rich.console import Console

from kiosk import logs, terminal
from kiosk.cloud import show
from kiosk.cloud.reply import Reply
from kiosk.cloud.session import Session
from kiosk.cloud.tape import Tape
from kiosk.errors import ConfigurationError, KioskError, RecogniserError
from kiosk.settings import Settings
from kiosk.terminal import Config, Json, Overrides, print_json

P = ParamSpec("P")
Command = Callable[Concatenate[Session, P], Awaitable[Reply]]


class Picture(NamedTuple):
    """A photo as it was named on the command line: the bytes of a file, or an address for the vendor to fetch."""

    image: bytes | None
    url: str | None

    @property
    def photo(self) -> bytes:
        """Raises ConfigurationError where only an address is known."""
        if self.image is None:
            raise ConfigurationError("configuration_invalid", "this needs a photo in a file; it cannot be done with an address")
        return self.image


def picture(text: str) -> Picture:
    """From a path or an http(s) address. Raises typer.BadParameter."""
    if text.startswith(("http://", "https://")):
        return Picture(None, text)
    try:
        return Picture(Path(text).read_bytes(), None)
    except OSError as error:
        raise typer.BadParameter(f"{error.strerror}: {text}") from error


Photo = Annotated[Picture, typer.Argument(parser=picture, metavar="PHOTO", help="A JPEG, PNG or BMP, or an http(s) address.")]


def command(app: typer.Typer, name: str) -> Callable[[Command[P]], Command[P]]:
    """Makes a command of a coroutine that takes a Session and its own parameters; the common options are added."""

    def register(function: Command[P]) -> Command[P]:
        @functools.wraps(function)
        def run(*, context: typer.Context, as_json: bool, config: Path | None, overrides: list[str] | None, **given: Any) -> None:
            read = load(config, overrides)
            session = Session(read, context.find_object(Tape))
            try:
                reply = asyncio.run(_ask(session, functools.partial(function, **given)))
            except ConfigurationError:
                raise
            except KioskError as error:
                tell(error, read, as_json=as_json)
                raise typer.Exit(1) from error
            _show(reply, session, as_json=as_json)

        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*own, *_common())]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        app.command(name)(run)
        return function

    return register


def load(config: Path | None, overrides: list[str] | None) -> Settings:
    """Settings, after which the log is as they say. Raises ConfigurationError."""
    read = terminal.load(config, overrides)
    logs.configure(read.log)
    return read


def tell(error: KioskError, read: Settings, *, as_json: bool) -> None:
    """With the vendor's code and the field it names."""
    code, field = (error.code, error.field) if isinstance(error, RecogniserError) else ("", "")
    terminal.tell(error, read.site.language, in_json=as_json, besides={"code": code, "field": field})


async def _ask(session: Session, ask: Callable[[Session], Awaitable[Reply]]) -> Reply:
    async with session:
        return await ask(session)


def _show(reply: Reply, session: Session, *, as_json: bool) -> None:
    if reply.drawn is not None:
        reply.drawn.save()
    if as_json:
        print_json(show.as_json(reply, session))
    else:
        show.as_text(reply, session, Console(highlight=False))


def _common() -> list[inspect.Parameter]:
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    added = (("as_json", False, Json), ("config", None, Config), ("overrides", None, Overrides))
    return [
        context,
        *(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for name, default, annotation in added
        ),
    ]
