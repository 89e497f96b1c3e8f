"""vidnb: AI video in a notebook.

    import vidnb
    clip = vidnb.generate("a koala and a cat in a meadow", model="leonardo/motion_2.0", seed=7)
    clip                        # plays in the cell
    vidnb.history().df          # every job, with cost, timing and what was measured
    vidnb.Studio()              # the same with a form

Reading order for the code, along the path of one clip: `catalog` (every model's limits, as data), `params` (validation,
recipe), `providers` (values to wire format and back), `engine` (submit, poll, download), `store`, `files` and `media`
(rows and bytes), `client` and `verbs` (what a person calls), then `_history`, `display` and `widgets` (what a person
sees). `emulator` stands beside it all and is reached only as a transport.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidnb import display as display
    from vidnb import widgets as widgets
    from vidnb._clip import Clip
    from vidnb._history import History
    from vidnb.client import AsyncClient
    from vidnb.emulator import Emulator
    from vidnb.errors import (
        AuthError,
        BudgetError,
        ConfigError,
        CreditError,
        JobAmbiguousError,
        JobCancelledError,
        JobError,
        JobFailedError,
        JobTimeoutError,
        MediaError,
        OlderFormWarning,
        ParamsError,
        Problem,
        ProviderError,
        RateLimitError,
        RejectedError,
        StoreError,
        TransportError,
        UnavailableError,
        UnexpectedReplyError,
        UnknownPriceError,
        VidnbError,
    )
    from vidnb.loops import allow_nested_loops
    from vidnb.providers import Provider
    from vidnb.records import Expectation, Job, Quote, RemoteMedia, State
    from vidnb.verbs import (
        Client,
        annotate,
        cancel,
        clip,
        expect,
        generate,
        history,
        job,
        jobs,
        model,
        models,
        quote,
        reconcile,
        request,
        resume,
        settle,
        spent,
        stop_waiting,
        submit,
        wait,
        watch,
    )
    from vidnb.webhook import webhook_app
    from vidnb.widgets import Form, Player, Progress, Recent, Studio

__version__ = "0.1.0"

_HOME = {
    "vidnb.client": "AsyncClient",
    "vidnb.verbs": (
        "Client annotate cancel clip expect generate history job jobs model models quote reconcile request resume "
        "settle spent stop_waiting submit wait watch"
    ),
    "vidnb._clip": "Clip",
    "vidnb.emulator": "Emulator",
    "vidnb.errors": (
        "AuthError BudgetError ConfigError CreditError JobAmbiguousError JobCancelledError JobError JobFailedError "
        "JobTimeoutError MediaError OlderFormWarning ParamsError Problem ProviderError RateLimitError RejectedError "
        "StoreError TransportError UnavailableError UnexpectedReplyError UnknownPriceError VidnbError"
    ),
    "vidnb._history": "History",
    "vidnb.loops": "allow_nested_loops",
    "vidnb.providers": "Provider",
    "vidnb.records": "Expectation Job Quote RemoteMedia State",
    "vidnb.webhook": "webhook_app",
    "vidnb.widgets": "Form Player Progress Recent Studio",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}
_MODULES = {"display", "widgets"}
"""Modules that are reached as `vidnb.widgets.ModelPicker`, too."""

__all__ = [
    "AsyncClient",
    "AuthError",
    "BudgetError",
    "Client",
    "Clip",
    "ConfigError",
    "CreditError",
    "Emulator",
    "Expectation",
    "Form",
    "History",
    "Job",
    "JobAmbiguousError",
    "JobCancelledError",
    "JobError",
    "JobFailedError",
    "JobTimeoutError",
    "MediaError",
    "OlderFormWarning",
    "ParamsError",
    "Player",
    "Problem",
    "Progress",
    "Provider",
    "ProviderError",
    "Quote",
    "RateLimitError",
    "Recent",
    "RejectedError",
    "RemoteMedia",
    "State",
    "StoreError",
    "Studio",
    "TransportError",
    "UnavailableError",
    "UnexpectedReplyError",
    "UnknownPriceError",
    "VidnbError",
    "allow_nested_loops",
    "annotate",
    "cancel",
    "clip",
    "expect",
    "generate",
    "history",
    "job",
    "jobs",
    "model",
    "models",
    "quote",
    "reconcile",
    "request",
    "resume",
    "settle",
    "spent",
    "stop_waiting",
    "submit",
    "wait",
    "watch",
    "webhook_app",
]


if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for a public one

    def __getattr__(name: str) -> Any:
        """Import a public name on first use, so that `import vidnb` stays light."""
        if name in _MODULES:
            return import_module(f"vidnb.{name}")
        if name not in _MODULE_OF:
            raise AttributeError(f"module 'vidnb' has no attribute {name!r}")
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
