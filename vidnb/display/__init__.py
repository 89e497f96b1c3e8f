"""All that vidnb shows: HTML that is saved in notebooks, and the lines that move while a job runs.

Jobs, clips and models come in, strings of HTML go out. They hold no scripts and no styles of the page, survive being
reopened without a kernel and without trust, and every prompt and every word of a service in them is escaped. Reading
order: `page` (tags, escaping, looks), `host` (who looks), `clips`, `cards`, `models`, `live`.
"""

from vidnb.display.cards import (
    error_html,
    job_html,
    jobs_html,
    notice_html,
    progress_html,
)
from vidnb.display.clips import Route, clip_html, recipe_code, route, thumbnail_html
from vidnb.display.host import Host, host
from vidnb.display.live import Progress, log, say
from vidnb.display.models import model_html, models_frame

__all__ = [
    "Host",
    "Progress",
    "Route",
    "clip_html",
    "error_html",
    "host",
    "job_html",
    "jobs_html",
    "log",
    "model_html",
    "models_frame",
    "notice_html",
    "progress_html",
    "recipe_code",
    "route",
    "say",
    "thumbnail_html",
]
