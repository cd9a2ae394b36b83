"""Structured logs: for people on a terminal, JSON under systemd. Faces and secrets never reach them."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from kiosk.settings import LogSettings


def configure(settings: LogSettings) -> None:
    """Once, at start."""
    human = settings.format == "human" or (settings.format == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _no_bytes,
            _for_people() if human else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    foreign = logging.getLogger()
    if not any(isinstance(handler, Libraries) for handler in foreign.handlers):
        foreign.addHandler(Libraries())
    logging.captureWarnings(capture=True)


class Libraries(logging.Handler):
    """Brings the warnings of libraries into the same log, in its form."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        trace = {"trace": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        log = structlog.get_logger()
        log.log(record.levelno, "library", library=record.name, message=record.getMessage(), **trace)


def _for_people() -> structlog.dev.ConsoleRenderer:
    # The plain formatter prints no local variables: they may hold pictures.
    return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def _no_bytes(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Pictures and embeddings are bytes; a log line needs neither."""
    return {key: f"<{len(value)} bytes>" if isinstance(value, bytes | bytearray) else value for key, value in event.items()}
