"""Video, pictures and sound: what a file measures, how it looks, and whether it is what it should be."""

from vidnb.media.pictures import image_file
from vidnb.media.recordings import media_file
from vidnb.media.video import flashes, frame, poster, probe, strip, verify_video

__all__ = ["flashes", "frame", "image_file", "media_file", "poster", "probe", "strip", "verify_video"]
