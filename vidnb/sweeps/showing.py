"""A sweep in a cell and on a terminal: the plan before it runs, the counts while it does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from vidnb import catalog, shown
from vidnb.client import loop
from vidnb.display.labels import many
from vidnb.display.live import TICK_S, Sink, in_cell, open_sink
from vidnb.display.page import (
    AMBER,
    BLUE,
    GREEN,
    PLAIN,
    RED,
    SMALL,
    Content,
    Html,
    badge,
    block,
    dot,
    dotted,
    facts,
    join,
    mono,
    seconds,
    shortened,
    table,
    tag,
)
from vidnb.records import JOBS_UNIT, money
from vidnb.sweeps.axes import counted, label, unfilled
from vidnb.sweeps.outlook import Group, Money, Outlook
from vidnb.sweeps.plan import Plan, Unsupported
from vidnb.sweeps.running import OnChange, RunProgress


class Sweep(Protocol):
    """What is shown of a sweep."""

    unsupported: Unsupported

    @property
    def id(self) -> str:
        """What it is called."""

    @property
    def plan(self) -> Plan:
        """Its cells and jobs."""

    @property
    def outlook(self) -> Outlook:
        """How it stands."""

    @property
    def held_caps(self) -> dict[str, float]:
        """The caps that hold for it, by unit."""

    @property
    def budget_words(self) -> str:
        """What it may cost, in words."""


COLOURS: Mapping[Group, str] = {
    Group.DONE: GREEN, Group.UNFINISHED: BLUE, Group.NEW: PLAIN, Group.OURS: AMBER, Group.THEIRS: RED,
    Group.UNCLEAR: AMBER, Group.CANCELLED: PLAIN,
}  # fmt: skip
WORDS: Mapping[Group, str] = {
    Group.DONE: "done", Group.UNFINISHED: "on their way", Group.NEW: "to run", Group.OURS: "failed by us, sent again",
    Group.THEIRS: "failed", Group.UNCLEAR: "not clear", Group.CANCELLED: "cancelled",
}  # fmt: skip
RUNNING: Mapping[str, str] = {
    "running": "Running", "pausing": "Pausing", "paused": "Paused", "stopped": "Stopped", "budget": "Budget used up",
    "halted": "Stands still", "offline": "Waits", "waiting": "Waits", "done": "Done",
}  # fmt: skip
REFUSALS_SHOWN = 12
COST = "cost"
"""What stands before words about money that say all by themselves."""


def size_words(plan: Plan) -> str:
    """Return how the cells come about: "2 animals × 2 places × 8 seeds = 32 cells"."""
    if not plan.axes:
        return "1 cell"
    parts = map(counted, plan.axes)
    left_out = f", {plan.left_out:,} left out by where=" if plan.left_out else ""
    return f"{' × '.join(parts)} = {many(len(plan.cells) + plan.left_out, 'cell')}{left_out}"


def title(plan: Plan) -> str:
    """Return what a person calls the sweep: its prompt, or what it varies."""
    prompt = plan.fixed.get("prompt")
    if isinstance(prompt, str) and prompt:
        return prompt
    prompts = next((axis for axis in plan.axes if axis.names == ("prompt",)), None)
    if prompts is not None:
        return f"{shortened(label(prompts.rows[0][0]), 60)} and {many(len(prompts) - 1, 'other prompt')}"
    return "a sweep over " + ", ".join(name for axis in plan.axes for name in axis.names) if plan.axes else "one clip"


def cost_words(money_: Money, to_send: int) -> list[tuple[str, str]]:
    """Return what the rest costs: how sure that is, and the sum."""
    rows = []
    if money_.exact:
        rows.append(("price exact", money(money_.exact)))
    if money_.estimate:
        rows.append(("estimate", f"≈ {money(money_.estimate)}"))
    if money_.unknown:
        rows.append(("price unknown", many(money_.unknown, "job")))
    if money_.emulated or money_.emulated_unknown:
        rows.append((COST, f"nothing: emulated; {'; '.join(_emulated_words(money_))}"))
    return rows or [(COST, "nothing to pay" if to_send == 0 else "nothing")]


def _emulated_words(money_: Money) -> Iterator[str]:
    """Yield what emulated jobs would cost, each currency by itself, and for how many nobody knows."""
    if money_.emulated:
        yield f"the services would take ≈ {money(money_.emulated)}"
    if money_.emulated_unknown:
        jobs = f" for {many(money_.emulated_unknown, 'job')}" if money_.emulated else ""
        yield f"no price is published{jobs}, the emulator books one of its own"


def lines(sweep: Sweep, *, of_command: bool = False) -> Iterator[str]:
    """Yield the plan as plain text.

    Args:
        sweep: whose plan.
        of_command: whether `vidnb sweep` shows it, where there is no `s` to go on with.
    """
    plan, outlook = sweep.plan, sweep.outlook
    yield f"{title(plan)}   (sweep {sweep.id})"
    yield f"  {size_words(plan)}, {many(len(plan.jobs), 'job')}"
    yield from (f"  {words}" for words in notes(sweep, of_command=of_command))
    counted = [f"{outlook.counts[group]:,} {WORDS[group]}" for group in Group if outlook.counts.get(group)]
    refused = sum(refusal.count for refusal in plan.refused)
    yield "  jobs   " + (", ".join([*counted, *([f"{refused:,} refused"] if refused else [])]) or "none")
    for name, words in cost_words(outlook.money, outlook.to_send):
        yield f"  money  {words if name == COST else f'{name} {words}'}"
    yield f"  time   {time_words(outlook)}"
    budget = sweep.budget_words
    if of_command:
        budget = budget.replace("budget_jobs=", "--jobs ").replace("budget_usd=", "--budget ")
    yield f"  budget {budget}"
    for refusal in plan.refused[:REFUSALS_SHOWN]:
        yield f"  refused: {refusal}"
    for cause in outlook.causes:
        yield f"  failed: {cause}"
    yield f"  {next_step(sweep, of_command=of_command)}"


def notes(sweep: Sweep, *, of_command: bool = False) -> Iterator[str]:
    """Yield what must not be overlooked: cells that fell together, and params that a model lacks."""
    plan = sweep.plan
    if plan.shared:
        yield f"{many(plan.shared, 'cell')} would be the same clip as another one: those are one job, shown once"
    for model, names in plan.dropped.items():
        entry = catalog.load().get(model)
        yield f"{entry.title if entry else model} takes no {', no '.join(names)}: dropped there, so it compares nothing"
    yield from _beyond_caps(sweep, of_command)
    for name in unfilled(plan.axes, plan.fixed):
        yield f"{{{name}}} stands in the prompt as it is: the sweep has no values of that name"
    if plan.jobs and all(job.emulated for job in plan.jobs):
        yield "EMULATED: no service is asked, nothing is charged"


def _beyond_caps(sweep: Sweep, of_command: bool) -> Iterator[str]:
    """Yield which jobs a cap in money cannot hold for, so that they are not sent, and what would allow them."""
    in_usd, in_jobs = ("--budget ...", "--jobs ...") if of_command else ("budget_usd=...", "budget_jobs=...")
    accept = "--accept-unknown-price" if of_command else "s.run(accept_unknown_price=True)"
    held, rest = sweep.held_caps, sweep.outlook.money
    if not held or JOBS_UNIT in held:
        return
    if rest.unknown:
        yield (
            f"Nobody knows the price of {many(rest.unknown, 'job')} before they are sent, so a budget in money cannot "
            f"hold for them: add {in_jobs}, or {accept}"
        )
    other = [unit for unit in {**rest.charged, **rest.emulated} if unit not in held]
    for unit in other:
        provider = unit.partition(":")[2]
        in_credits = f"--credits {provider}=..." if of_command else f"budget_credits={{{provider!r}: ...}}"
        argument, paid = (in_usd, "US dollars") if unit == "USD" else (in_credits, f"credits of {provider}")
        yield f"Jobs that are paid in {paid} are not sent, as no cap holds for them: add {argument} or {in_jobs}"


def time_words(outlook: Outlook) -> str:
    """Return how long the rest takes."""
    if not outlook.to_send:
        return "nothing to wait for"
    span = outlook.span
    if span is None:
        return "unknown: no clip of these models was made here before"
    one = f"; one clip {span.clip}" if span.clip is not None else ""
    return (
        f"about {seconds(span.usual_s)}, {seconds(span.low_s)} to {seconds(span.high_s)}, {span.at_once} at once{one}"
    )


def next_step(sweep: Sweep, *, of_command: bool = False) -> str:
    """Return what a person can do now, in a notebook or with the command `vidnb sweep`."""
    outlook, plan = sweep.outlook, sweep.plan
    if plan.refused and sweep.unsupported != "skip":
        return 'Nothing is sent until the refused ones are put right; unsupported="skip" leaves them out'
    if not plan.jobs:
        return no_cells(plan)
    if outlook.to_send or outlook.counts.get(Group.UNFINISHED):
        run = "The same command without --plan" if of_command else "s.run()"
        return f"{run} sends it; nothing was sent yet" if len(plan.jobs) == outlook.to_send else f"{run} goes on"
    history = "vidnb history" if of_command else "s.history"
    if outlook.causes:
        first = outlook.causes[0]
        again = f"--retry {first.name}" if of_command else f"s.retry({first.name!r})"
        return f"{again} sends those of that cause again" if first.can_retry else f"{history} has all jobs"
    return f"All were made before: nothing to pay. {history} has them"


def no_cells(plan: Plan) -> str:
    """Return why there is nothing to run."""
    if plan.refused:
        return "No cells: all were refused"
    return f"No cells: where= leaves none of {plan.left_out:,}" if plan.left_out else "No cells: nothing to run"


def plan_html(sweep: Sweep) -> str:
    """The plan of a sweep: jobs, money, time, what is refused and why; nothing is sent."""
    plan, outlook = sweep.plan, sweep.outlook
    mark = badge("EMULATED") if plan.jobs and all(job.emulated for job in plan.jobs) else None
    head = tag("div", tag("span", shortened(title(plan), 160), style="font-weight:600", dir="auto"), " ", mark)
    refused = sum(refusal.count for refusal in plan.refused)
    counts = [
        join([dot(COLOURS[group]), " ", tag("b", f"{outlook.counts[group]:,}"), " ", WORDS[group]])
        for group in Group
        if outlook.counts.get(group)
    ]
    if refused:
        counts.append(join([dot(PLAIN), " ", tag("b", f"{refused:,}"), " refused"]))
    chips = tag(
        "div", *(tag("span", item) for item in counts), style="display:flex;flex-wrap:wrap;gap:2px 16px;margin:6px 0"
    )
    pairs: list[tuple[Content, Content]] = list(cost_words(outlook.money, outlook.to_send))
    pairs += [("time", time_words(outlook)), ("budget", sweep.budget_words)]
    said = [dotted(words) for words in notes(sweep) if not words.startswith("EMULATED")]
    return block(
        head, dotted(f"{size_words(plan)}, {many(len(plan.jobs), 'job')}", f"sweep {sweep.id}"), *said, chips,
        facts(pairs), _refused(plan), _causes(outlook),
        tag("div", next_step(sweep), style=f"margin:8px 0 0;{SMALL};font-weight:600"),
        style="max-width:860px;margin:2px 0 10px",
    )  # fmt: skip


def _refused(plan: Plan) -> Html | None:
    if not plan.refused:
        return None
    rows = [
        (
            tag("b", f"{refusal.count:,}"), mono(refusal.where), mono(refusal.param),
            shortened(", ".join(refusal.given), 60), shortened(refusal.why, 160), shortened(refusal.advice, 200),
        )
        for refusal in plan.refused[:REFUSALS_SHOWN]
    ]  # fmt: skip
    left = len(plan.refused) - REFUSALS_SHOWN
    more = dotted(f"and {left} more causes; str(s.plan.refused) has all") if left > 0 else None
    head = tag("div", "Refused, by cause", style=f"margin:10px 0 2px;{SMALL};font-weight:600")
    return join([head, table(("cells", "model", "param", "given", "why", "what to do"), rows), more])


def _causes(outlook: Outlook) -> Html | None:
    if not outlook.causes:
        return None
    rows = [
        (
            tag("b", f"{len(cause.jobs):,}"), mono(cause.name), shortened(cause.words, 200), cause.charged,
            mono(f"s.retry({cause.name!r})") if cause.can_retry else "the same is likely to fail again",
        )
        for cause in outlook.causes[:REFUSALS_SHOWN]
    ]  # fmt: skip
    head = tag("div", "Not done, by cause", style=f"margin:10px 0 2px;{SMALL};font-weight:600")
    return join([head, table(("jobs", "cause", "what happened", "cost", "what to do"), rows)])


# -- while it runs -----------------------------------------------------------------------------------------------------


def pace(progress: RunProgress) -> tuple[float, float] | None:
    """Return clips a minute, and the seconds that the rest takes at that pace; None before two clips are done."""
    ended = progress.ended[-64:]
    if len(ended) < 2:
        return None
    since = ended[0] if len(progress.ended) > 64 else progress.began
    took = max(progress.clock.monotonic() - since, 1e-3)
    counts = progress.counts()
    rest = counts[Group.NEW] + counts[Group.OURS] + counts[Group.UNFINISHED]
    rate = len(ended) / took
    return 60.0 * rate, rest / rate


def progress_text(progress: RunProgress) -> str:
    """Return a line for the terminal."""
    counts = progress.counts()
    parts = [f"{counts[group]:,} {WORDS[group]}" for group in Group if counts[group]]
    told = pace(progress)
    if told is not None and progress.word == "running":
        parts.append(f"{told[0]:.1f} clips a minute, about {seconds(told[1])} to go")
    why = f": {progress.why}" if progress.why else ""
    return f"{RUNNING[progress.word]}{why} · " + " · ".join(parts)


@contextlib.contextmanager
def live(sweep: Sweep) -> Iterator[OnChange]:
    """Show a sweep while the block runs: a board in a notebook, else a line. Yields the function that updates it."""
    if in_cell():
        board = shown.view("Board")(sweep)
        board._ipython_display_()
        try:
            yield board.update
        finally:
            board.finish()
        return
    lines_: list[Sink | None] = []
    drawn_at = float("-inf")

    def update(progress: RunProgress, places: list[int]) -> None:
        nonlocal drawn_at
        if not lines_:
            lines_.append(open_sink("", progress_text(progress)))
        elif lines_[0] is not None and (not places or progress.elapsed_s - drawn_at > TICK_S):
            drawn_at = progress.elapsed_s
            lines_[0].update("", progress_text(progress))

    try:
        yield update
    finally:
        if lines_ and lines_[0] is not None:
            lines_[0].close("")


def start(sweep: Any, accept_unknown_price: bool) -> None:
    """Run a sweep in the background, with a board in a notebook; returns at once."""
    if in_cell():
        board = shown.view("Board")(sweep)
        board._ipython_display_()
        board.start(accept_unknown_price)
    else:
        loop.spawn(sweep.run_async(accept_unknown_price=accept_unknown_price))


def register(kind: type) -> None:
    """Let sweeps show their plan."""
    shown.register(kind, plan_html)
