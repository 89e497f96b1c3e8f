"""Colour profiles: which pictures are in sRGB, as every service takes them, and how the others become so."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_PROFILE = 8 * 2**20


def is_srgb(image: Image) -> bool:
    """Whether the picture has the colours of sRGB: by its profile, or because it has none that can be read."""
    profile = _profile(image)
    if profile is None:
        return True
    from PIL import ImageCms

    try:
        return "srgb" in ImageCms.getProfileDescription(profile).lower()
    except ImageCms.PyCMSError:
        return True


def in_srgb(image: Image) -> Image:
    """The picture with the same colours in sRGB; as it is where it has no profile that can be read."""
    if is_srgb(image):
        return image
    from PIL import ImageCms

    profile, alpha = _profile(image), None
    if image.mode in ("RGBA", "LA", "PA") or image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
    coloured = image.convert("RGB") if image.mode not in ("RGB", "L", "CMYK") else image
    try:
        found = ImageCms.profileToProfile(coloured, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, ValueError, OSError):  # made for another kind of pixels than these
        return image
    if found is None:
        return image
    if alpha is not None:
        found.putalpha(alpha)
    return found


def _profile(image: Image) -> Any:
    """The picture's profile as Pillow reads it, or None."""
    data = image.info.get("icc_profile")
    if not isinstance(data, bytes) or not 128 <= len(data) <= LARGEST_PROFILE:
        return None
    from PIL import ImageCms

    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(data))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
