"""Credential readers: cards, codes and keypads, each behind one contract."""
