"""Imported by a fork server: what every client reads first is then in memory, and a kill falls into the work."""

from vidnb import catalog, providers

catalog.load()
for name in ("leonardo", "1min", "replicate", "fal", "runway", "openrouter", "local"):
    providers.get(name)
