"""What an emulated renderer shows of a clip that is not ready: noise, out of which a picture comes step by step."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image, ImageDraw

WIDE, HIGH = 160, 90


def sketch(scene_key: str, step: int, steps: int) -> bytes:
    """Return a small JPEG of a scene after so many of its steps; the same one for the same scene and step."""
    dice = np.random.default_rng(int.from_bytes(hashlib.sha256(scene_key.encode()).digest()[:8]))
    low, high = dice.integers(20, 236, (2, 3))
    share = np.linspace(0.0, 1.0, HIGH)[:, None, None]
    scene = low * (1 - share) + high * share + np.zeros((HIGH, WIDE, 3))
    noise = dice.integers(0, 256, (HIGH, WIDE, 3))
    done = min(step / max(steps, 1), 1.0)
    picture = Image.fromarray((scene * done + noise * (1 - done)).astype(np.uint8))
    badge = f"EMULATED {step}/{steps}"
    ImageDraw.Draw(picture).text((4, HIGH - 14), badge, fill="white", stroke_width=1, stroke_fill="black")
    sink = io.BytesIO()
    picture.save(sink, "JPEG", quality=70)
    return sink.getvalue()
