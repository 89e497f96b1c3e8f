"""The emulated Leonardo.AI, REST v1 and v2."""
