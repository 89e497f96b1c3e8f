"""The emulated 1min.ai."""
