"""What the service can still do with a job, for a page that offers buttons."""

from __future__ import annotations

from dataclasses import dataclass

from vidnb import providers
from vidnb.errors import ConfigError
from vidnb.records import Job, State


@dataclass(frozen=True)
class Abilities:
    """What can be done with a job.

    Attributes:
        service: what a person calls the service.
        can_cancel: whether `cancel` can take the job back.
        cancel_note: why it cannot, "" where it can or where nothing is left to cancel.
        has_list: whether a lost submit can be looked up in the service's own list.
    """

    service: str
    can_cancel: bool = False
    cancel_note: str = ""
    has_list: bool = False


def abilities(job: Job) -> Abilities:
    """Return what can be done with a job. Without the provider's plug-in that is little."""
    try:
        provider = providers.get(job.provider)
    except ConfigError:
        return Abilities(job.provider)
    unsent = job.state is State.INTENDED
    at_service = job.is_moving and job.remote_id is not None and provider.cancel(job) is not None
    can_cancel = unsent or at_service
    note = provider.cancel_note if job.is_moving and not can_cancel else ""
    return Abilities(provider.title, can_cancel, note, provider.recent(1, [job]) is not None)
