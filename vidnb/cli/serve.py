"""`vidnb serve`: the data folder over HTTP, for programs in any language."""

from __future__ import annotations

from typing import Annotated

import typer

from vidnb.cli import listening

PORT = 8767
TRY = """The token lies in {token}; whoever has it can spend up to the caps.
Try it:

TOKEN=$(cat {token})
curl "{base}/models?query=motion" -H "Authorization: Bearer $TOKEN"
curl {base}/quotes -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"model": "leonardo/motion_2.0", "prompt": "a koala in a meadow"}}'

then POST {base}/jobs with {{"quote_token": "..."}}, and GET {base}/jobs/ID?wait_s=25 and {base}/jobs/ID/clip.
{base}/openapi.json describes it all, for people and for generators of clients.
"""


def serve(
    host: listening.Host = "127.0.0.1",
    port: listening.Port = PORT,
    token_file: listening.TokenFile = None,
    allow_host: listening.AllowHost = None,
    purse: listening.Purse = "programs",
    naftiko: Annotated[
        bool, typer.Option("--naftiko", help="Experimental: print the capability file for Naftiko, and end.")
    ] = False,
) -> None:
    """Serve models, quotes, jobs and clips over HTTP, for programs in any language; never pays twice or past a cap.

    Every request carries the token of the token file. Caps: vidnb budget programs --usd 5. Callbacks of services:
    POST /webhooks/SERVICE, with its secret in VIDNB_WEBHOOK_SECRET_SERVICE.
    """
    if naftiko:
        typer.echo(_capability(host, port), nl=False)
        return
    from vidnb.serve.rest import rest_app

    file, token = listening.token_in(token_file)
    app = rest_app(token, purse=listening.checked_purse(purse), hosts=allow_host or ())
    listening.run(app, host, port, lambda base: TRY.format(base=base, token=file), app.state.stopping.set)


def _capability(host: str, port: int) -> str:
    """The file in which Naftiko is told what this server can do."""
    from importlib.resources import files

    text = (files("vidnb.serve") / "naftiko.yaml").read_text(encoding="utf-8")
    return text.replace(listening.address("127.0.0.1", PORT), listening.address(host, port))
