"""`kiosk rules`: what the rules say, whether they say what is meant, and what they would have said."""
