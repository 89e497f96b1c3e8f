"""The names of the verbs, for `import vidnb`, which loads none of them.

Written by `tests/support/stubs.py`; do not change it by hand.
"""

VERBS = (
    "annotate",
    "budget",
    "cancel",
    "clip",
    "diff",
    "expect",
    "generate",
    "history",
    "job",
    "jobs",
    "measure",
    "open_bundle",
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
)
