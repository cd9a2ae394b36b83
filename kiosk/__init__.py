"""kiosk: edge face verification for doors, counters and headless boxes."""

__version__ = "0.1.0"
