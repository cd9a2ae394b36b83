"""The composition root: builds everything from the settings and runs it."""

from kiosk.service.daemon import Daemon, run

__all__ = ["Daemon", "run"]
