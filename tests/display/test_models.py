"""What a model's card says of the service behind it."""

from __future__ import annotations

from vidnb import catalog
from vidnb.display.models import model_html


def test_a_service_that_keeps_clips_for_a_short_time_says_so_on_the_card() -> None:
    assert "1 h after its end" in model_html(catalog.find("replicate/google/veo-3.1"))
    assert "Kept at the service" not in model_html(catalog.find("leonardo/motion_2.0"))


def test_a_price_that_depends_on_values_is_shown_as_a_range() -> None:
    assert "$0.112 to $0.168 a second (estimate)" in model_html(
        catalog.find("fal/fal-ai/kling-video/v3/pro/image-to-video")
    )
