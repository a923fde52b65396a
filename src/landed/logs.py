"""Logging: an event's name and its fields, to stderr; for people on a terminal, as JSON lines anywhere else.

Secrets, texts and whole phone numbers are never given to it.
"""

import logging
import sys
from typing import Final, TextIO, cast

import structlog

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Stderr:
    """What stderr is when a line is written: who runs us within a program of theirs may change it."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _OfLibraries(logging.Handler):
    """Writes what libraries say as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = max(each for each in _LEVELS.values() if each <= max(record.levelno, logging.DEBUG))
            log = structlog.get_logger()
            log.log(level, "library", library=record.name, says=record.getMessage(), exc_info=record.exc_info)
        except Exception:
            self.handleError(record)  # as handlers do: who logs is not to fail for it


def configure(level: str, *, role: str) -> None:
    """Once per process. `role` is put on every line: web, worker, serve, demo."""
    shown: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            shown,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    logging.basicConfig(handlers=[_OfLibraries()], level=logging.WARNING, force=True)
    # Of each attempt to connect: that the database is away we say ourselves, once.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
