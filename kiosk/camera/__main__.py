"""The child that looks at the camera: settings on standard input, what it measured on standard output."""

import sys

from kiosk.camera.probing import main

sys.exit(main())
