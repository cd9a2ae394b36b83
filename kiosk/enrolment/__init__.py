"""`kiosk gallery`: who is enrolled on this box, for the people who enrol them and look after the gallery."""
