"""The error tree: one root, so that `except vidnb.VidnbError` catches all of vidnb and nothing else.

    VidnbError
      ConfigError                 a setting is missing or wrong (a key, a folder, an option)
      ParamsError (ValueError)    values that the model does not take; carries every problem at once
      TransportError              the network failed; `sent` says whether the service may have received the request
      StoreError                  the data folder or the database refused
        IllegalTransitionError    the job is not in a state from which it may move there
        DataMovedError            another database lies where this process's own lay
        LockedError               another process held the database for too long
        NotSentError              the job was no longer this process's just before its POST; nothing was sent
      NoJobError                no job has this id, or several begin like it
      MediaError (ValueError)     a file or value is not the picture, clip or sound that it should be
      BudgetError                 the job would cost more than the cap allows; nothing was sent
        UnknownPriceError         nobody knows the price, so the cap cannot be promised to hold
      ProviderError               the service answered with an error
        AuthError                 the key is missing, wrong or blocked
        CreditError               no balance
        RateLimitError            too many requests; `retry_after_s` if the service said
        RejectedError             this request will never be accepted (moderation, bad value, retired model)
        UnavailableError          the service is down or busy; the same request may pass later
        UnexpectedReplyError      an answer that fits no documented shape
      JobsError                   some of several jobs failed; carries what became of each
      JobError                    carries the job
        JobFailedError            the service gave up on the job
        JobCancelledError         it was cancelled
        JobTimeoutError (TimeoutError)   the wait ended, the job did not
        JobAmbiguousError         nobody knows whether the service received the submit; a person decides

Messages say what happened, to which job or field, and what to do next. They never hold a key or a signed URL.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidnb.records import Cost, Job, Purse


class VidnbError(Exception):
    """The root of every error that vidnb raises on purpose.

    In a notebook it shows the line that raised it and its message, not the frames of vidnb's two threads below.

    Example:
        >>> try:
        ...     clip = vidnb.generate("a koala in a meadow")
        ... except vidnb.VidnbError as error:
        ...     print(error)
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Be pickled whatever the class takes to be made: a pool of processes hangs where an error cannot be read."""
        return _unpickled, (type(self), self.args), vars(self)

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython prints; it asks every exception for this method."""
        here = str(Path(__file__).parent)
        frames = [f for f in traceback.extract_tb(self.__traceback__) if not f.filename.startswith(here)]
        own = [f for f in frames if "site-packages" not in f.filename and f.line]
        where = [f"in line {own[-1].lineno}: {own[-1].line}"] if own else []
        return [*where, f"{type(self).__name__}: {self}"]


def _unpickled(kind: type[VidnbError], args: tuple[Any, ...]) -> VidnbError:
    """Return an error of this kind, its attributes still to come."""
    error = kind.__new__(kind)
    error.args = args
    return error


class ConfigError(VidnbError):
    """A setting is missing or wrong; the message names it and what to set."""


class OlderFormWarning(UserWarning):
    """A value has the form of an older vendor page: still accepted, but a newer form exists."""


class TransportError(VidnbError):
    """The network failed before a complete answer came.

    Attributes:
        sent: False only where the service cannot have received the request (no connection was made).
        gone: True where the answer was that what was asked for was deleted (HTTP 410).
    """

    def __init__(self, message: str, *, sent: bool, gone: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.gone = gone


class StoreError(VidnbError):
    """The data folder or the database cannot do what was asked."""


class IllegalTransitionError(StoreError):
    """The job is not in a state from which it may move there; often another process was quicker."""


class DataMovedError(StoreError):
    """Another database lies where the one of this process lay: removed, replaced, emptied or an older copy."""


class LockedError(StoreError):
    """Another process held the database for too long."""


class NotSentError(StoreError):
    """The job was no longer this process's just before its POST would have left; nothing was sent."""


class NoJobError(StoreError):
    """No job has this id, or several begin like it."""


class MediaError(VidnbError, ValueError):
    """A file or value is not the picture, clip or sound that it should be; the message says what it is."""


class BudgetError(VidnbError):
    """The job would cost more than the cap allows; nothing was sent."""


class UnknownPriceError(BudgetError):
    """Nobody knows the price before the job is sent, so the cap cannot be promised to hold; nothing was sent."""


class CapReachedError(StoreError):
    """A purse has no room for a reservation: raised by the store, worded by `jobs.ledger`.

    Attributes:
        purse: the purse that refused.
        more: what was asked for; None where the price is the trouble.
        price: the price that its caps cannot be held against; None where it is unknown.
        ahead: id of a job on its way whose price is unknown, too; the next such job may be sent once it is known.
        is_unclear: whether nobody knows if the service has that job.
    """

    def __init__(
        self,
        purse: Purse,
        more: Cost | None,
        price: Cost | None,
        ahead: str | None = None,
        *,
        is_unclear: bool = False,
    ) -> None:
        super().__init__(f"the purse {purse.name!r} has no room")
        self.purse = purse
        self.more = more
        self.price = price
        self.ahead = ahead
        self.is_unclear = is_unclear


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one value: which field, what was given, what is allowed and what to do."""

    field: str
    given: Any
    allowed: str
    advice: str = ""

    def __str__(self) -> str:
        given = repr(self.given)
        shown = given if len(given) <= 80 else given[:77] + "..."
        start = f"{self.field}: " if self.given is None else f"{self.field}: {shown} given; "
        if self.advice.startswith("Did you mean"):  # what is allowed may be a long list
            return f"{start}{self.advice[0].lower()}{self.advice[1:]} {self.allowed[0].upper()}{self.allowed[1:]}"
        return f"{start}{self.allowed}. {self.advice}" if self.advice else f"{start}{self.allowed}"


class ParamsError(VidnbError, ValueError):
    """Values that the model does not take, found before anything was sent.

    Attributes:
        model: id of the model, as in `leonardo/motion_2.0`.
        problems: every problem of the request, not only the first.

    Example:
        >>> try:
        ...     vidnb.generate("a koala", model="leonardo/motion_2.0", seed=-1)
        ... except vidnb.ParamsError as error:
        ...     print([problem.field for problem in error.problems])
        ['seed']
    """

    def __init__(self, model: str, problems: Sequence[Problem]) -> None:
        self.model = model
        self.problems = tuple(problems)
        lines = "\n".join(f"  - {problem}" for problem in self.problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__(f"{model}: {count}, nothing was sent\n{lines}")


class ProviderError(VidnbError):
    """The service answered with an error.

    Attributes:
        provider: name of the service.
        status_code: HTTP status; v2 of Leonardo sends errors with 200.
        code: the service's own error code, where it gave one.
        charged: True, False, or None where nobody knows.
        why: why a job failed, where the service says so: as in `Status.why`.
    """

    charged: bool | None = None
    why: str = ""

    def __init__(
        self, message: str, *, provider: str = "", status_code: int | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status_code = status_code
        self.code = code


class AuthError(ProviderError):
    """The key is missing, wrong or blocked."""

    charged = False


class CreditError(ProviderError):
    """The account has no balance for this request."""

    charged = False


class RateLimitError(ProviderError):
    """Too many requests; wait `retry_after_s` seconds where the service said so."""

    charged = False
    retry_after_s: float | None = None


class RejectedError(ProviderError):
    """This request will never be accepted as it is: moderation, a bad value, a retired model."""

    charged = False


class UnavailableError(ProviderError):
    """The service is down or busy; whether it took the request is not always known."""


class UnexpectedReplyError(ProviderError):
    """An answer that fits no documented shape; for a submit it may have been charged."""


class JobsError(VidnbError):
    """Some of several jobs failed; the others did not.

    Attributes:
        results: what became of each job, in the order in which they were given: a clip or row, or an error.
        errors: the errors by the ids of their jobs.

    Example:
        >>> try:
        ...     clips = vidnb.wait(jobs)
        ... except vidnb.JobsError as error:
        ...     clips = [result for result in error.results if isinstance(result, vidnb.Clip)]
    """

    def __init__(self, message: str, results: Sequence[Any], errors: Mapping[str, VidnbError]) -> None:
        super().__init__(message)
        self.results = list(results)
        self.errors = dict(errors)


class JobError(VidnbError):
    """Something about one job; `job` is its row."""

    def __init__(self, message: str, job: Job) -> None:
        super().__init__(message)
        self.job = job


class JobFailedError(JobError):
    """The service gave up on the job; `job.error` says why, as far as the service told."""


class JobCancelledError(JobError):
    """The job was cancelled before the service finished it."""


class JobTimeoutError(JobError, TimeoutError):
    """The wait ended, the job did not: it goes on at the service and can be taken up again."""


class JobAmbiguousError(JobError):
    """The reply to the submit was lost, so nobody knows whether the service has the job."""
