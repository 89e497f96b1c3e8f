"""What programs can ask of vidnb, whatever they speak: models, quotes, jobs, clips, money.

A program pays in two steps. A quote checks the values, fixes recipe, takes and price, and gives a token; a submit takes
nothing but the token. Whoever repeats a submit, for a reply that was lost or out of impatience, repeats the token, and
gets the same jobs at no further cost. Caps stand in the ledger, where no program reaches them.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidnb import catalog, params
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.client import addresses
from vidnb.client.abilities import abilities
from vidnb.client.asynchronous import AsyncClient
from vidnb.clip import Clip
from vidnb.display.grid import pictures
from vidnb.display.grid.pivot import pivot
from vidnb.errors import ConfigError, JobError, ParamsError, Problem, StoreError, VidnbError
from vidnb.records import Job, MediaFile, RemoteMedia, State
from vidnb.serve.advice import for_agents
from vidnb.store.quotes import HOLDS, KeptQuote, QuoteRows

NEXT_POLL_S = 5
LONGEST_WAIT_S = 25.0
"""The longest that one call waits: clients of agents give up after 30 to 60 seconds, and the job goes on."""
LONGEST_LOOK_S = 12.0
"""Once so long was spent on lost submits, no look for a further one is begun, which may take as long again."""
MOST_TAKES = 20
MODES = ("", "any", "text", "image")
MOST_ROWS = 100
FOLDERS = "VIDNB_INPUT_FOLDERS"
"""Folders from which a program may name pictures, as in PATH; default the working directory, unless that is all of a
home or of a disk."""


class NoQuoteError(ConfigError):
    """There is no quote with this token."""


class StaleQuoteError(ConfigError):
    """What the quote said no longer holds; a new one is needed."""


class Desk:
    """One data folder, as programs see it.

    Args:
        client: the data folder's client; it drives the jobs.
        purse: name of the purse that pays for everything that programs order.
        worded: puts what a message advises into words that whoever asks can follow, as those of `serve.advice`.
    """

    def __init__(
        self, client: AsyncClient, purse: str = "programs", *, worded: Callable[[str], str] = for_agents
    ) -> None:
        self.client = client
        self.worded = worded
        self._purse = purse
        self._quotes = QuoteRows(client.store)
        self._submitting = asyncio.Lock()

    # -- models ------------------------------------------------------------------------------------------------------

    def models(self, query: str = "", provider: str = "", mode: str = "") -> list[dict[str, Any]]:
        """Return the active models whose id or title holds all words of the query.

        Args:
            query: words, or names of params that the model must take: "luma", "motion_strength".
            provider: only its models.
            mode: "text" or "image": only models that start from it; "" or "any" for all.

        Raises:
            ConfigError: there is no such provider, or no such mode.
        """
        words, names = query.lower().split(), sorted({model.provider for model in catalog.load().values()})
        if provider not in ("", *names):
            raise ConfigError(f"there is no provider {provider!r}; there are {', '.join(names)}")
        if mode not in MODES:
            raise ConfigError(f"there is no mode {mode!r}; there are {', '.join(filter(None, MODES))}")
        return [
            {
                "id": model.id,
                "title": model.title,
                "modes": list(model.modes),
                "takes": list(model.params),
                "emulated": self.client.target(model.provider).emulated,
            }
            for model in catalog.load().values()
            if not model.is_retired
            and provider in ("", model.provider)
            and (mode in ("", "any") or mode in model.modes)
            and all(word in f"{model.id} {model.title} {' '.join(model.params)}".lower() for word in words)
        ]

    def model(self, model: str) -> dict[str, Any]:
        """Return what one model takes: each param with its kind, bounds and default, its sizes and its rules."""
        entry = catalog.find(model)
        return {
            "id": entry.id,
            "title": entry.title,
            "modes": list(entry.modes),
            "params": {
                name: {
                    "kind": param.kind,
                    "allowed": param.bounds,
                    "required": param.required,
                    "default": param.default if param.default is not None else param.service_default,
                    "help": param.help,
                }
                for name, param in entry.params.items()
            },
            "sizes": [f"{size.width_px}x{size.height_px}" for size in entry.sizes],
            "price": dict(entry.price),
            "notes": list(entry.notes),
        }

    # -- pay ---------------------------------------------------------------------------------------------------------

    async def quote(
        self, model: str, prompt: str = "", values: Mapping[str, Any] | None = None,
        images: Mapping[str, str | Sequence[str]] | None = None, takes: int = 1,
    ) -> dict[str, Any]:  # fmt: skip
        """Return what clips would cost, and the token that orders them. Nothing is sent.

        Args:
            model: id of the model.
            prompt: what to show; "" for a model that takes none.
            values: other params under vidnb's names.
            images: inputs by param, each an https address or a path in one of the allowed folders.
            takes: how many clips of the same recipe, with another seed each where the model takes one.

        Raises:
            ParamsError: values that the model does not take, with what is allowed.
        """
        entry = _entry(model)
        if not 1 <= takes <= MOST_TAKES:
            raise ParamsError(entry.id, [Problem("takes", takes, f"allowed: 1 to {MOST_TAKES}")])
        given = _quote_values(entry, prompt, values or {}, images or {})
        request = params.validate(entry, await addresses.fetched(entry, given, public_only=True))
        for item in (item for items in request.media.values() for item in items):
            if isinstance(item, MediaFile):
                self.client.files.put(item.content, "." + item.extension)
        recipe = request.recipe
        where = self.client.target(entry.provider)
        await self.client.await_prices(entry.provider)
        first = self._first_take(where.base_url, recipe.recipe_hash, asked=takes, seeded="seed" in recipe.params)
        quotes = [
            self.client.quote(model=entry.id, take=first + n, **self._arguments(entry, recipe.params, recipe.images))
            for n in range(takes)
        ]
        token = secrets.token_urlsafe(18)
        body = {
            "model": entry.id, "params": dict(recipe.params), "images": dict(recipe.images), "first": first,
            "takes": takes, "base_url": where.base_url, "recipe_hash": recipe.recipe_hash, "emulated": where.emulated,
        }  # fmt: skip
        self._quotes.add(token, body)
        await asyncio.to_thread(self._quotes.tidy_daily)
        known = [quote.cost for quote in quotes if quote.cost is not None]
        return {
            "quote_token": token,
            "model": entry.id,
            "params": dict(recipe.params),
            "clips": takes,
            "price_each": quotes[0].words,
            "price_certainty": quotes[0].certainty,
            "price_from": self.worded(quotes[0].why),
            "price_sum": sum(cost.amount for cost in known) if len(known) == takes else None,
            "price_unit": known[0].unit if known else None,
            "emulated": where.emulated,
            "holds_until": (self.client.clock.utc() + HOLDS).isoformat(timespec="seconds"),
            "next": "Tell the person the price. submit(quote_token) orders the clips; repeating it costs nothing more.",
        }

    async def submit(self, token: str) -> dict[str, Any]:
        """Return the jobs of a quote, which are on their way from now on; the same token again gives the same jobs.

        Raises:
            NoQuoteError: there is no such quote.
            StaleQuoteError: it ran out, a key was set since, so that it would cost money now, or an input was deleted.
            BudgetError: it could pass a cap; nothing more was sent.
        """
        # A caller that hangs up must not stop what it has begun half-way.
        return await asyncio.shield(asyncio.ensure_future(self._submit(token)))

    async def _submit(self, token: str) -> dict[str, Any]:
        async with self._submitting:
            kept = self._quotes.get(token)
            if kept is None:
                raise NoQuoteError(f"there is no quote {token!r}; ask for one first, and submit its quote_token")
            holds, takes = self._quotes.holds(kept), kept.body["takes"]
            repeated = len(kept.job_ids) == takes or not holds
            if len(kept.job_ids) < takes:
                kept = await self._order(kept) if holds else self._ordered(kept)
        after = f"wait(job) or status(), again in {NEXT_POLL_S} s"
        if (missing := takes - len(kept.job_ids)) > 0:
            after += f"; the quote ran out before {missing} of its {takes} clips were ordered: quote anew for those"
        return {"jobs": list(kept.job_ids), "repeated": repeated, "next": after}

    async def _order(self, kept: KeptQuote) -> KeptQuote:
        """Make the jobs of a quote that are not made yet, and write each down at once."""
        body = kept.body
        entry = catalog.find(body["model"])
        where = self.client.target(entry.provider)
        if where.emulated != body["emulated"]:
            raise StaleQuoteError("a key was set or removed since that quote, so its price may be another: quote again")
        values = self._arguments(entry, body["params"], body["images"])
        made = list(kept.job_ids)
        for take in range(body["first"] + len(made), body["first"] + body["takes"]):
            known = self._quotes.made(kept, take)
            if known is None:
                known = (await self.client.submit(model=entry.id, take=take, purse=self._purse, **values)).id
            made.append(known)  # and written down before anything else runs, so before the job is sent
            self._quotes.sent(kept.token, made)
        return replace(kept, job_ids=tuple(made))

    def _ordered(self, kept: KeptQuote) -> KeptQuote:
        """Return a quote that ran out with the jobs that were made of it, also by a process that was killed then."""
        body, made = kept.body, list(kept.job_ids)
        while len(made) < body["takes"] and (known := self._quotes.made(kept, body["first"] + len(made))) is not None:
            made.append(known)
        if not made:
            raise StaleQuoteError(f"the quote held for {HOLDS.days} days and ran out; nothing was sent; quote anew")
        return replace(kept, job_ids=tuple(made))

    def _first_take(self, base_url: str, recipe_hash: str, *, asked: int, seeded: bool) -> int:
        """The take that a quote begins with: the one that is there for a given seed, else new ones."""
        if seeded and asked == 1:
            return 0
        return self.client.store.next_take(base_url, recipe_hash)

    def _arguments(self, entry: Model, values: Mapping[str, Any], images: Mapping[str, Any]) -> dict[str, Any]:
        """A recipe as arguments of `submit`: its inputs as the files that were kept of them."""

        def stored(item: Mapping[str, Any]) -> Path | RemoteMedia:
            if "sha256" not in item:
                return RemoteMedia(**item)
            path = self.client.files.path(item["sha256"], f".{item['extension']}")
            if path is None:
                raise StaleQuoteError("an input of that quote is no longer in the data folder: quote again")
            return path

        found: dict[str, Any] = dict(values)
        for name, items in images.items():
            files = [stored(item) for item in items]
            found[name] = files[0] if entry.params[name].kind == "image" else files
        return found

    # -- follow ------------------------------------------------------------------------------------------------------

    def status(self, jobs: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return how these jobs stand; without ids all that are not at their end."""
        rows = [self.client.job(one) for one in jobs] if jobs else self.client.store.unfinished()
        return [self._job_facts(row) for row in rows]

    async def wait(self, job: str, max_s: float = LONGEST_WAIT_S) -> dict[str, Any]:
        """Return how a job stands once it is at its end, or after this many seconds, at most 25."""
        row = self.client.job(job)
        if row.is_moving:
            with suppress(VidnbError):
                await self.client.wait(row, min(max(0.0, max_s), LONGEST_WAIT_S), quiet=True)
        return self._job_facts(self.client.job(row.id))

    def clip(self, job: str) -> dict[str, Any]:
        """Return where a finished clip and its poster lie on this machine, and what was measured of it.

        `more` holds the further clips that a service made for the same job.

        Raises:
            StoreError: there is none, or none yet.
        """
        row = self.client.job(job)
        if row.is_moving:
            raise StoreError(f"job {row.id[:8]} is {row.state} and has no clip yet: wait(job) until its state is done")
        clip = self.client.clip(row)
        info = clip.info
        return {
            "job": clip.job.id, "path": str(clip.path), "poster": str(self._poster(clip)), "width_px": info.width_px,
            "height_px": info.height_px, "duration_s": info.duration_s, "fps": info.fps, "has_audio": info.has_audio,
            "size_bytes": info.size_bytes, "seed": clip.seed, "emulated": clip.emulated,
            "more": [str(output.path) for output in clip.outputs],
        }  # fmt: skip

    def poster(self, job: str) -> bytes:
        """Return a small WebP of the clip's first frame."""
        return self.client.clip(job).poster

    async def cancel(self, job: str) -> dict[str, Any]:
        """Ask the service to cancel a job, and return its row.

        Raises:
            JobError: the service cannot cancel it; it goes on, and its cost counts.
        """
        row = self.client.job(job)
        can = abilities(row)
        if row.is_moving and row.remote_id is not None and not can.can_cancel:
            note = f": {can.cancel_note}" if can.cancel_note else ""
            raise JobError(
                f"job {row.id[:8]} was sent and cannot be taken back{note}. It goes on, and its cost counts; a person "
                f"can end it here, whatever the service still does: vidnb settle {row.id[:8]} --give-up", row
            )  # fmt: skip
        return self._job_facts(await self.client.cancel(row))

    def history(self, filters: Mapping[str, Any] | None = None, limit: int = 20) -> dict[str, Any]:
        """Return the newest jobs that the filters of `vidnb.history` leave, and how many there are in all."""
        if not limit >= 1:
            raise ConfigError(f"limit={limit}: allowed: 1 to {MOST_ROWS}")
        found = self.client.history(**{name: _filter(value) for name, value in (filters or {}).items()})
        return {"all": len(found), "jobs": [self._job_facts(job) for job in found.newest(min(limit, MOST_ROWS)).jobs]}

    def compare(self, jobs: Iterable[str]) -> dict[str, Any]:
        """Return the path of a picture with a frame of each clip beside the others, labelled by what differs."""
        clips = [self.client.clip(job) for job in jobs]
        folder = Path(self.client.home) / "sheets"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{'-'.join(sorted(clip.job.id[:8] for clip in clips))[:80]}.png"
        return {"path": str(pictures.save(pivot(clips), path, overwrite=True)), "clips": len(clips)}

    # -- money -------------------------------------------------------------------------------------------------------

    def budget(self) -> dict[str, Any]:
        """Return the caps of the folder and of the purse of programs, and what counts against them."""
        rows = self.client.budget().rows()
        names = ("purse", "book", "cap", "spent", "reserved", "unclear", "left")
        return {
            "purse": self._purse,
            "purses": [dict(zip(names, row, strict=True)) for row in rows],
            "to_change": "A person sets caps: vidnb budget --usd 5, or vidnb budget programs --jobs 20.",
        }

    async def reconcile(self) -> dict[str, Any]:
        """Look for submits whose reply was lost in the service's own list; return what only a person can decide.

        A service that cannot be asked keeps nothing back that another one said.
        """
        began, found, undecided = self.client.clock.monotonic(), [], []
        for row in self.client.store.unfinished():
            if row.state is not State.AMBIGUOUS:
                continue
            how = f"vidnb settle {row.id[:8]} --give-up, --send-again or --remote-id ID"
            if self.client.clock.monotonic() - began > LONGEST_LOOK_S:
                undecided.append(self._job_facts(row) | {"how": f"not looked for yet: reconcile again. Or: {how}"})
                continue
            try:
                await self.client.reconcile(row)
            except VidnbError as error:
                how = f"the service could not be asked ({self.worded(str(error))}): reconcile again later. Or: {how}"
            told = self._job_facts(newest := self.client.job(row.id))
            if newest.state is State.AMBIGUOUS:
                undecided.append(told | {"how": how})
            else:
                found.append(told)
        return {"found": found, "a_person_decides": undecided}

    # -- in JSON -----------------------------------------------------------------------------------------------------

    def _job_facts(self, job: Job) -> dict[str, Any]:
        """A job as a program reads it; no key, account or link of the service is in it."""
        error = job.error or {}
        told: dict[str, Any] = {
            "job": job.id, "state": str(job.state), "model": job.model, "prompt": job.prompt,
            "seed": job.params.get("seed"), "take": job.take, "emulated": job.emulated, "rating": job.rating,
            "cost": _cost(job), "created_at": job.created_at.isoformat(),
        }  # fmt: skip
        if job.is_moving:
            expected = self.client.expect(job)
            told |= {
                "waited_s": round((self.client.store.utc() - job.created_at).total_seconds(), 1),
                "expected_s": None if expected is None else round(expected.median_s, 1),
                "next_poll_s": NEXT_POLL_S,
            }
        if job.clip is not None:
            told["clips"] = 1 + len(job.outputs)
        if error:
            words = {name: self.worded(error.get(name) or "") for name in ("message", "advice")}
            told["error"] = {"charged": error.get("charged"), **words}
        return told

    def _poster(self, clip: Clip) -> Path:
        clip.poster  # noqa: B018  made and kept beside the clip
        return self.client.files.derived_path(clip.info.sha256, "poster.webp")


@asynccontextmanager
async def opened(
    client: AsyncClient | None, purse: str, worded: Callable[[str], str] = for_agents
) -> AsyncIterator[Desk]:
    """The desk of a client; without one that of a client of its own, on the folder in force, which is closed again."""
    if client is not None:
        yield Desk(client, purse, worded=worded)
        return
    async with AsyncClient() as own:
        await own.resume(wait=False)  # what an earlier server left on its way
        try:
            yield Desk(own, purse, worded=worded)
        finally:
            await own.leave()  # a submit that was begun has its reply


def allowed_folders() -> list[Path]:
    """Return the folders from which a program may name files.

    A desktop program starts its servers at the root of the disk or in the person's home: nobody has chosen those, and
    all of a person's pictures would lie open.
    """
    named = [part for part in os.environ.get(FOLDERS, "").split(os.pathsep) if part]
    if named:
        return [Path(part).expanduser().resolve() for part in named]
    here = Path.cwd().resolve()
    return [] if here in (Path(here.anchor), Path.home().resolve()) else [here]


def _entry(model: str) -> Model:
    """The model of this id; the error names the nearest ones."""
    try:
        return catalog.find(model)
    except ConfigError as error:
        raise ParamsError(model, [Problem("model", model, str(error))]) from None


def _quote_values(entry: Model, prompt: str, values: Mapping[str, Any], images: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a quote in one, each path checked, wherever it was given.

    Raises:
        ParamsError: a name is given twice, or what should be a file is none that a program may name.
    """
    kinds = {name for name, param in entry.params.items() if param.kind in MEDIA_KINDS}
    twice = {*images, *(["prompt"] if prompt else [])} & set(values)
    problems = [Problem(name, values[name], "it is given twice: give it once") for name in sorted(twice)]
    problems += [
        Problem(name, value, f"this model takes files for: {', '.join(sorted(kinds)) or 'nothing'}")
        for name, value in images.items()
        if name not in kinds
    ]
    if problems:
        raise ParamsError(entry.id, problems)
    given = {**values, **images, **({"prompt": prompt} if prompt else {})}
    for name in kinds & set(given):
        value = given[name]
        items = [_input(entry, name, item) for item in (value if isinstance(value, list | tuple) else [value])]
        given[name] = items if isinstance(value, list | tuple) else items[0]
    return given


def _input(entry: Model, name: str, item: Any) -> Any:
    """An https address, or the whole path of a file that a program may name.

    Raises:
        ParamsError: it is neither. What is text is refused here: whoever reads it as media would quote its beginning.
    """
    folders = allowed_folders()
    places = ", ".join(map(str, folders))
    if item is None or (isinstance(item, str) and item.lower().startswith("https://")):
        return item
    problem = Problem(
        name, item, f"allowed: an https address{f', or a file in {places} that is not hidden' if places else ''}",
        f"{FOLDERS} names {'other ' if places else ''}folders",
    )  # fmt: skip
    if isinstance(item, str) and "://" not in item:
        try:
            path = Path(item).expanduser().resolve()
            inside = [path.relative_to(folder) for folder in folders if path.is_relative_to(folder)]
            if inside and not any(part.startswith(".") for part in inside[0].parts):
                if not (path.is_file() and _is_text(path)):
                    return str(path)
                problem = Problem(name, item, "the file is text, no picture, clip or sound")
        except (OSError, RuntimeError, ValueError) as error:  # as of a user's home that nobody knows
            problem = Problem(name, item, f"no path ({type(error).__name__}); {problem.allowed}")
    raise ParamsError(entry.id, [problem])


def _is_text(path: Path) -> bool:
    """Whether a file begins as no media do: without any of the characters that cannot be seen."""
    with path.open("rb") as file:
        start = file.read(64)
    return bool(start) and not any(byte < 32 and byte not in b"\t\n\r" for byte in start)


def _cost(job: Job) -> str | None:
    """What a job was charged, in words; None where nobody said."""
    if job.cost is None or not job.emulated:
        return None if job.cost is None else str(job.cost)
    return f"free (emulated; the real one: {job.cost})"


def _filter(value: Any) -> Any:
    """A filter as JSON has it: `{"from": 3, "to": 7}` is a range."""
    if isinstance(value, Mapping) and set(value) <= {"from", "to"}:
        return (value.get("from"), value.get("to"))
    return value
