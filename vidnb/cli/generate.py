"""`vidnb generate`: one clip, from a prompt to a path on stdout."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidnb.catalog import DEFAULT_MODEL
from vidnb.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from vidnb.client.asynchronous import AsyncClient
    from vidnb.clip import Clip


def generate(
    prompt: Annotated[str | None, typer.Argument(help="What to show; some models take none.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Id from vidnb models.")] = DEFAULT_MODEL,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same clip again.")] = None,
    duration: Annotated[float | None, typer.Option(help="Seconds (duration_s).")] = None,
    motion_strength: Annotated[float | None, typer.Option(help="Amount of motion.")] = None,
    resolution: Annotated[str | None, typer.Option(help="Such as 480p, 720p, 1080p.")] = None,
    aspect_ratio: Annotated[str | None, typer.Option(help="Such as 16:9, 1:1.")] = None,
    start_image: Annotated[str | None, typer.Option(help="Path or URL of the picture to start from.")] = None,
    end_image: Annotated[str | None, typer.Option(help="Path or URL of the picture to end with.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What not to show.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other param, repeatable; vidnb models ID lists them."),
    ] = None,
    take: Annotated[int | None, typer.Option(min=0, help="Index of a repeat of the same recipe.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make the next take, whatever exists.")] = False,
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait; the job goes on. 0 waits for ever.")] = 1800.0,
    accept_unknown_price: Annotated[
        bool, typer.Option("--accept-unknown-price", help="Send it even where no cap in money can hold for its price.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Copy the clip to this file; no other is overwritten.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead of the path.")] = False,
    live: Annotated[bool, typer.Option("--live", help="A missing key is an error; never emulate.")] = False,
) -> None:
    """Generate a clip and print its path; the same request again gives the same clip at no cost.

    Progress goes to stderr. Ctrl-C stops the waiting, not the job.
    """
    values = {
        "seed": seed, "duration_s": _whole(duration), "motion_strength": _whole(motion_strength),
        "resolution": resolution, "aspect_ratio": aspect_ratio, "start_image": start_image, "end_image": end_image,
        "negative_prompt": negative_prompt,
    }  # fmt: skip
    values = _joined({name: value for name, value in values.items() if value is not None}, set_ or [])
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"--out: there is no folder {out.parent}")
    request = {"model": model, "take": take, "fresh": fresh, **values}
    clip, path = asyncio.run(_generated(prompt, request, timeout or None, live, out, accept_unknown_price))
    typer.echo(json.dumps(described(clip, path), indent=2) if as_json else str(path))


async def _generated(
    prompt: str | None, request: dict[str, Any], timeout_s: float | None, live: bool, out: Path | None, accepts: bool
) -> tuple[Clip, Path]:
    from vidnb.cli.following import follow
    from vidnb.client.asynchronous import AsyncClient

    async with AsyncClient(live=live or None) as client:
        if out is not None:
            await _check_free(client, out, prompt, request)
        job = await client.submit(prompt, accept_unknown_price=accepts, **request)
        clip = await follow(client, job, timeout_s)
        return clip, clip.path if out is None else _saved(clip, out)


def described(clip: Clip, path: Path) -> dict[str, Any]:
    """The clip as a JSON object: its file, its job and recipe, its cost and what was measured."""
    job = clip.job
    return {
        "path": str(path), "job_id": job.id, "provider": job.provider, "model": job.model, "state": str(job.state),
        "emulated": job.emulated, "params": dict(job.params), "take": job.take, "recipe_hash": job.recipe_hash,
        "cost": job.cost and asdict(job.cost), "clip": asdict(clip.info),
    }  # fmt: skip


def _joined(values: dict[str, Any], pairs: list[str]) -> dict[str, Any]:
    """The values with those of `--set name=value` among them."""
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"{pair!r} is not name=value", param_hint="--set")
        if name in values or name in ("prompt", "model", "take", "fresh", "unsupported"):
            raise typer.BadParameter(f"{name!r} is given twice or is no param", param_hint="--set")
        values[name] = _value(text)
    return values


def _value(text: str) -> Any:
    """The value that a text stands for: JSON where it is some, else the text itself."""
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text


def _whole(number: float | None) -> float | int | None:
    return int(number) if number is not None and number.is_integer() else number


async def _check_free(client: AsyncClient, out: Path, prompt: str | None, request: dict[str, Any]) -> None:
    """Refuse a file that exists, before anything is paid for; one that holds the clip of this very request is fine."""
    if not out.exists():
        return
    held = await _earlier(client, prompt, **request)
    if held is None or not _holds(out, held):
        raise ConfigError(f"{out} exists already and is not overwritten; give --out another name")


async def _earlier(
    client: AsyncClient, prompt: str | None, *, model: str, take: int | None, fresh: bool, **values: Any
) -> str | None:
    """The hash of the clip that this request made before, at the same service; None where it would make a new one."""
    from vidnb import catalog, params
    from vidnb.cli.folder import is_unused
    from vidnb.client import addresses

    if fresh or is_unused():
        return None
    entry = catalog.find(model)
    values |= {} if prompt is None else {"prompt": prompt}
    recipe = params.validate(entry, await addresses.fetched(entry, values)).recipe
    standing = client.store.standing(client.target(entry.provider).base_url, recipe.recipe_hash, take or 0)
    return standing.clip.sha256 if standing is not None and standing.clip is not None else None


def _holds(out: Path, sha256: str) -> bool:
    """Whether the file has these bytes."""
    return out.is_file() and hashlib.sha256(out.read_bytes()).hexdigest() == sha256


def _saved(clip: Clip, out: Path) -> Path:
    try:
        return out if out.exists() and _holds(out, clip.info.sha256) else clip.save(out)
    except OSError as error:
        raise StoreError(f"{out}: {error.strerror or error}; the clip itself is {clip.path}") from error
