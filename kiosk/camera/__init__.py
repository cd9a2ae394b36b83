"""`kiosk camera`: which cameras there are, and what one of them gives."""
