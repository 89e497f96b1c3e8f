"""The emulated fal."""
