"""The emulated Runway."""
