"""vidnb: AI video in a notebook.

    import vidnb
    clip = vidnb.generate("a koala and a cat in a meadow", model="leonardo/motion_2.0", seed=7)
    clip                        # plays in the cell
    vidnb.history().df          # every job, with cost, timing and what was measured
    vidnb.Studio()              # the same with a form

Reading order for the code, along the path of one clip: `catalog` (every model's limits, as data), `params` (validation,
recipe), `providers` (values to wire format and back), `net` (requests), `store`, `files` and `media` (rows and bytes),
`jobs` (submit, poll, download, and what it costs), `client` (what a person calls), then `clip`, `history`, `display`
and `widgets` (what a person sees). `serve` is for other programs. `emulator` stands beside it all and is reached only
as a transport.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from vidnb import shown
from vidnb.client.names import VERBS
from vidnb.importing import lightly

__version__ = "0.1.0"

_HOME = {  # the verbs stand in `client.names`; type checkers read `__init__.pyi`
    "vidnb.client.asynchronous": "AsyncClient",
    "vidnb.client.verbs": "Client measures model models",
    "vidnb.clip": "Clip",
    "vidnb.emulator": "Emulator",
    "vidnb.errors": (
        "AuthError BudgetError ConfigError CreditError JobAmbiguousError JobCancelledError JobError JobFailedError "
        "JobTimeoutError JobsError MediaError OlderFormWarning ParamsError Problem ProviderError RateLimitError "
        "RejectedError StoreError TransportError UnavailableError UnexpectedReplyError UnknownPriceError VidnbError"
    ),
    "vidnb.history.history": "History",
    "vidnb.nested_loops": "allow_nested_loops",
    "vidnb.providers": "Provider",
    "vidnb.records": "MISSING Expectation Job Quote RemoteMedia Spent State",
    "vidnb.serve.webhook": "webhook_app",
    "vidnb.sweeps.axes": "sampled zipped",
    "vidnb.sweeps.sweep": "Sweep sweep",
    "vidnb.widgets": "Board Compare Form Player Progress Recent Studio compare",
    "vidnb.widgets.table": "Table",
    "vidnb.widgets.vote": "Vote",
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names.split()}
_MODULE_OF |= dict.fromkeys(VERBS, "vidnb.client.verbs")
_MODULES = {"display", "widgets"}
"""Modules that are reached as `vidnb.widgets.ModelPicker`, too."""

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `import vidnb` stays light."""
    if name in _MODULES:
        return import_module(f"vidnb.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vidnb' has no attribute {name!r}")
    with lightly():
        value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Package(ModuleType):
    """Keeps the verbs `jobs`, `history` and `clip` where Python would put the modules of the same names."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _MODULE_OF or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
shown.load = lambda: import_module("vidnb.display")
shown.view = __getattr__
