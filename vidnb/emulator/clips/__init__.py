"""Render the emulator's clips: real H.264 MP4s that react to the request they answer.

A `Scene` passes through here in four steps: a *painter* turns a time into one small packed yuv420p picture (`landscape`
for a prompt, `pictures` for a start or end image), libswscale enlarges it, the `badge` is laid over it at full size,
and x264 encodes it in memory (`encode`). Everything random comes from a hash of the request, so the same scene gives
the same bytes.
"""

from vidnb.emulator.clips.badge import badge_image
from vidnb.emulator.clips.boxes import atoms, faststart
from vidnb.emulator.clips.encode import X264, frames, poster, render
from vidnb.emulator.clips.pictures import open_image
from vidnb.emulator.clips.scene import Scene

__all__ = ["X264", "Scene", "atoms", "badge_image", "faststart", "frames", "open_image", "poster", "render"]
