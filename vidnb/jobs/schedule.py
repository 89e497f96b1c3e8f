"""When to ask again: polling that learns from the model's own history and never crowds the service."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

from vidnb.records import Rates

LONGEST_S = 15.0
NEED = 3
"""So many finished jobs of a model make a history."""


class Schedule:
    """The delays between the polls of one job.

    Without history each wait is a tenth of the time gone by, so an answer is never more than a tenth late. With
    history the first wait reaches to just before the earliest finish seen, and the next ones are a fiftieth of the
    usual time.

    Args:
        latencies: seconds from submit to finish of earlier jobs of the model.
        rates: the provider's limits; the share of one job among all that may be in flight is its floor.
        emulated: nobody is crowded, so waits may be short.
    """

    def __init__(self, latencies: Sequence[float], rates: Rates, *, emulated: bool) -> None:
        fair = 60.0 * rates.in_flight / (0.6 * rates.requests_per_minute)
        self.floor_s = 0.02 if emulated else max(rates.poll_every_s, fair)
        usable = sorted(latencies)
        known = len(usable) >= NEED
        self.earliest_s = usable[len(usable) // 10] if known else None
        self.usual_s = statistics.median(usable) if known else None
        self.latest_s = usable[min(len(usable) - 1, (9 * len(usable)) // 10)] if known else None

    @property
    def window_s(self) -> float:
        """Seconds by which a poll may come early or late, so that one request can serve several jobs."""
        return max(0.5 * self.floor_s, 0.01 * (self.usual_s or 0.0))

    def delay(self, elapsed_s: float, *, failures: int = 0, together: bool = False) -> float:
        """Seconds to wait before the next poll, `elapsed_s` after the submit.

        Args:
            elapsed_s: since the submit.
            failures: polls in a row that got no answer.
            together: True where one request answers for many jobs, so that their polls need not be spread out.
        """
        wait = self._wanted(max(0.0, elapsed_s), 0.98 if together else random.uniform(0.98, 1.0))
        if failures:
            wait = max(wait, self.floor_s * 2 ** min(failures, 10))  # a laptop may be offline all night
        # Jitter keeps a hundred jobs, submitted together, from asking together.
        return max(self.floor_s, min(wait, LONGEST_S)) * (1.0 if together else random.uniform(0.96, 1.0))

    def _wanted(self, elapsed_s: float, early: float) -> float:
        if self.earliest_s is None or self.usual_s is None or self.latest_s is None:
            return 0.1 * elapsed_s
        # A little early at times: who only ever asks late would never see that the model has become quicker.
        first = early * self.earliest_s
        if elapsed_s < first:
            return min(first - elapsed_s, LONGEST_S)
        step = 0.02 * self.usual_s
        return step if elapsed_s <= 1.2 * self.latest_s else max(step, 0.1 * (elapsed_s - self.latest_s))
