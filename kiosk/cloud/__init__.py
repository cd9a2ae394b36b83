"""`kiosk cloud`: the vendor's interfaces from the shell, for the people who set a box up and look after it."""
