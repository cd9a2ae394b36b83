"""`python -m kiosk.eye FD PARENT`: started by the daemon only."""

import sys

from kiosk.eye.child import run_from_command_line

sys.exit(run_from_command_line(sys.argv[1:]))
