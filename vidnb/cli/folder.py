"""For commands that only read: they never create a data folder."""

from __future__ import annotations

import os


def is_unused() -> bool:
    """Whether no job was ever written to the data folder in force."""
    from vidnb.files import data_home

    return not os.environ.get("VIDNB_DATABASE_URL") and not (data_home() / "vidnb.db").exists()


def nothing_here() -> str:
    """What to tell a person who looks for jobs where there are none."""
    from vidnb.files import data_home

    if os.environ.get("VIDNB_DATABASE_URL"):
        return "No jobs in the database that VIDNB_DATABASE_URL names."
    return f"No jobs in {data_home()}; VIDNB_HOME names another folder."
