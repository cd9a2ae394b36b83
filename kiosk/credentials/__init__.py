"""`kiosk credentials`: keys and codes for people to show, hashes of the PINs they know."""
