"""`kiosk gpio`: which lines there are, and the outputs made safe."""
