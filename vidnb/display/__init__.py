"""All that vidnb shows: HTML that is saved in notebooks, and the lines that move while a job runs.

Jobs, clips and models come in, strings of HTML go out. They hold no scripts and no styles of the page, survive being
reopened without a kernel and without trust, and every prompt and every word of a service in them is escaped. Reading
order: `page` (tags, escaping, looks), `host` (who looks), `clips`, `cards`, `models`, `live`.
"""

from vidnb import shown
from vidnb.catalog import Model
from vidnb.clip import Clip
from vidnb.display.cards import (
    error_html,
    job_html,
    jobs_html,
    notice_html,
    progress_html,
)
from vidnb.display.clips import Route, clip_html, clip_view, recipe_code, route, thumbnail_html
from vidnb.display.host import Host, host
from vidnb.display.live import ProgressLine, log, say
from vidnb.display.models import model_html, models_frame
from vidnb.display.several import ProgressOfAll
from vidnb.records import Job

shown.register(Clip, clip_html)
shown.register_live(Clip, clip_view)
shown.register(Job, job_html)
shown.register(Model, model_html)

__all__ = [
    "Host",
    "ProgressLine",
    "ProgressOfAll",
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
