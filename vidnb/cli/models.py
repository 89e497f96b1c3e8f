"""`vidnb models`: the catalogue, or one model of it, in a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vidnb.catalog import words
from vidnb.cli.terminal import console, safe, say, table
from vidnb.errors import ConfigError

if TYPE_CHECKING:
    from vidnb.catalog import Model, Param

PARAMS = ("param", "kind", "default", "allowed", "help")
HEAD = ("model", "from", "status", "seconds", "resolution", "title", "price")


def models(
    model_id: Annotated[str | None, typer.Argument(metavar="ID", help="Explain this model.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's, as leonardo or fal.")] = None,
    retired: Annotated[bool, typer.Option("--retired", help="The retired ones too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models, or explain one with its params, bounds, defaults, price and status."""
    from vidnb import catalog

    if model_id is not None:
        _explain(catalog.find(model_id), as_json)
        return
    every = catalog.load().values()
    if provider not in (None, *(providers := sorted({model.provider for model in every}))):
        raise ConfigError(f"there is no provider {provider!r}; there are {', '.join(providers)}")
    chosen = [model for model in every if provider in (None, model.provider) and (retired or not model.is_retired)]
    if as_json:
        typer.echo(json.dumps(chosen, indent=2, default=_plain))
        return
    console().print(table(HEAD, map(_row, chosen), wraps=("seconds", "resolution")))
    hidden = 0 if retired else sum(model.is_retired and provider in (None, model.provider) for model in every)
    more = f"; {hidden} retired ones with --retired" if hidden else ""
    say(f"{len(chosen)} models{more}. vidnb models ID explains one.")


def _row(model: Model) -> tuple[str, ...]:
    status = f"retired {model.retired_on or ''}" if model.is_retired else model.status
    return (
        model.id, ", ".join(model.modes), status.strip(), words.seconds(model), ", ".join(words.resolutions(model)),
        model.title, words.price_line(model.price),
    )  # fmt: skip


def _explain(model: Model, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(model, indent=2, default=_plain))
        return
    out = console()
    for name, value in _facts(model).items():
        if value:
            out.print(f"{name:<12}{safe(value)}", markup=False, soft_wrap=True)
    out.print(table(PARAMS, map(_param_row, model.params.values()), wraps=PARAMS[1:]))
    for title, lines in (("Rules", map(words.rule, model.rules)), ("Notes", model.notes)):
        if told := [safe(line) for line in lines]:
            out.print(title, *(f"  - {line}" for line in told), sep="\n", markup=False, soft_wrap=True)


def _plain(value: Any) -> Any:
    """What json may write for a value of the catalogue; `asdict` cannot copy its read-only tables."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return dict(value) if isinstance(value, Mapping) else str(value)


def _facts(model: Model) -> dict[str, str]:
    return {
        "model": model.id,
        "title": model.title,
        "status": words.retirement(model) if model.is_retired else model.status,
        "made from": ", ".join(model.modes),
        "seconds": words.seconds(model),
        "price": words.price_line(model.price) or "none published",
        "sizes": ", ".join(f"{size.width_px}x{size.height_px} ({size.resolution})" for size in model.sizes),
        "size note": model.size_note,
        "also called": ", ".join(model.aliases),
        "sources": ", ".join(model.sources),
        "checked": str(model.checked),
    }


def _param_row(param: Param) -> tuple[Any, ...]:
    default = param.default
    if default is None and param.service_default is not None:
        default = f"{param.service_default} (the service's)"
    only = f"; only from {', '.join(param.modes)}" if param.modes else ""
    older = "; an older page's form" if param.older else ""
    allowed = f"{param.bounds}{only}{older}"
    kind = f"{param.kind}, required" if param.required else param.kind
    return param.name, kind, default, allowed, " ".join(filter(None, (param.help, param.note)))
