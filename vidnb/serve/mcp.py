"""The tools that an agent is given: an MCP server over one data folder.

The tools are those of `desk`, described for a model that reads them. No tool waits longer than 25 seconds, none returns
the bytes of a clip, and only `submit` can cost money.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from vidnb import __version__
from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import ConfigError, VidnbError
from vidnb.serve.advice import for_agents
from vidnb.serve.desk import LONGEST_WAIT_S, Desk, opened
from vidnb.serve.refusals import malformed

if TYPE_CHECKING:
    from mcp.server import MCPServer

ABOUT = (
    "Make AI video clips with hosted models. Four steps: list_models or describe_model (free), quote (free: checks the "
    "values, gives the price and a quote_token), show the price to the person, submit(quote_token) (costs money unless "
    "the quote says emulated). Then wait(job) or status() until the state is done, and clip(job) for the file's path. "
    "If a submit seems to fail or its reply is lost, call submit with the SAME quote_token: it never pays twice. Never "
    "ask for a new quote only to try again."
)
MISSING = "vidnb mcp needs the MCP SDK: pip install 'vidnb[mcp]'"


MOST_IN_FULL = 40
"""Of more models a list says less of each: an agent's memory is small."""


def mcp_server(client: AsyncClient | None = None, *, purse: str = "programs") -> MCPServer:
    """Return an MCP server whose tools work on a data folder.

    Args:
        client: of the data folder; default one of its own on the folder in force, which the server opens and closes.
        purse: from which everything that is ordered is paid; a person caps it with `vidnb budget`.

    Raises:
        ConfigError: the SDK is not installed.

    Example:
        >>> vidnb.serve.mcp.mcp_server().run("stdio")
    """
    try:
        from mcp.server import MCPServer
        from mcp.server.mcpserver.exceptions import ResourceError, ToolError
        from mcp.types import ToolAnnotations
    except ImportError as error:
        raise ConfigError(MISSING) from error

    desks: list[Desk] = []

    @asynccontextmanager
    async def lifespan(_: MCPServer) -> AsyncIterator[None]:
        async with opened(client, purse) as one:
            desks.append(one)
            yield

    class Server(MCPServer):
        """Refuses arguments in our words; the SDK leaves out without a word what a tool does not know."""

        async def call_tool(self, name: str, arguments: dict[str, Any], context: Any = None) -> Any:
            tool = self._tool_manager.get_tool(name)
            if tool is not None:
                known = list(tool.parameters.get("properties", {}))
                if unknown := [one for one in arguments if one not in known]:
                    raise ToolError(_unknown(name, unknown, known))
            try:
                return await super().call_tool(name, arguments, context)
            except ToolError as error:
                if isinstance(error.__cause__, ValidationError) and tool is not None:
                    raise ToolError(f"{name}: {malformed(error.__cause__, tool.fn_metadata.arg_model)}") from None
                raise

    server = Server(
        "vidnb", title="vidnb", version=__version__, instructions=ABOUT, lifespan=lifespan, log_level="WARNING"
    )  # fmt: skip
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    pays = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True)
    ends = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True)

    def desk() -> Desk:
        return desks[-1]

    @asynccontextmanager
    async def in_words() -> AsyncIterator[None]:
        """Turn what vidnb refuses into an error that the model reads, with what is allowed and nothing of ours."""
        try:
            yield
        except (VidnbError, TypeError, ValueError) as error:
            raise ToolError(for_agents(str(error))) from None

    @server.tool(annotations=reads)
    async def list_models(query: str = "", provider: str = "", mode: str = "") -> dict[str, Any]:
        """Free. List video models: id, title, whether they start from text or an image, which params they take.

        query filters by words of the title or names of params ("seed", "motion_strength"); mode is "text" or "image".
        """
        async with in_words():
            found = desk().models(query, provider, mode)
        if not found:
            return {"models": [], "note": "No model has all of this; leave a word out, or list all without a query."}
        if len(found) <= MOST_IN_FULL:
            return {"models": found}
        short = [{name: value for name, value in model.items() if name != "takes"} for model in found]
        return {"models": short, "note": "With a query, a provider or a mode you see what fewer models take, too."}

    @server.tool(annotations=reads)
    async def describe_model(model: str) -> dict[str, Any]:
        """Free. What one model takes: every param with allowed values, default and help, sizes, price."""
        async with in_words():
            return desk().model(model)

    @server.tool(annotations=reads)
    async def quote(
        model: str,
        prompt: str = "",
        params: dict[str, Any] | None = None,
        images: dict[str, Any] | None = None,
        takes: int = 1,
    ) -> dict[str, Any]:
        """Free. Check the values and give the price and a quote_token; nothing is sent.

        params holds the other settings, as {"seed": 7, "resolution": "480p"}; images holds files by param, as
        {"start_image": "https://..."} or a path in an allowed folder; takes asks for several clips of one recipe.
        Wrong values are refused with what is allowed.
        """
        async with in_words():
            return await desk().quote(model, prompt, params, images, takes)

    @server.tool(annotations=pays)
    async def submit(quote_token: str) -> dict[str, Any]:
        """COSTS MONEY unless the quote said emulated. Order the clips of a quote; answers at once with the job ids.

        Show the person the price of the quote first. To repeat the call, for whatever reason, use the same token: it
        gives the same jobs and never pays twice.
        """
        async with in_words():
            return await desk().submit(quote_token)

    @server.tool(annotations=reads)
    async def status(jobs: list[str] | None = None) -> dict[str, Any]:
        """Free. How jobs stand: state, time waited and expected, cost, error. Without ids: all on their way."""
        async with in_words():
            found = desk().status(jobs)
        return {"jobs": found} if found else {"jobs": [], "note": "No job is on its way; history has earlier ones."}

    @server.tool(annotations=reads)
    async def wait(job: str, max_s: float = LONGEST_WAIT_S) -> dict[str, Any]:
        """Free. Wait for a job, at most 25 seconds. If it still goes on then, wait again: do not submit anew."""
        async with in_words():
            return await desk().wait(job, max_s)

    @server.tool(annotations=reads)
    async def clip(job: str) -> dict[str, Any]:
        """Free. Where a finished clip lies on this machine (MP4, and a small poster), its size, length and seed.

        more holds further clips that the service made for the same job; nearly always none.
        """
        async with in_words():
            return desk().clip(job)

    @server.tool(annotations=ends)
    async def cancel(job: str) -> dict[str, Any]:
        """Cancel a job. One that was not sent yet costs nothing; most services cannot cancel one that was."""
        async with in_words():
            return await desk().cancel(job)

    @server.tool(annotations=reads)
    async def history(filters: dict[str, Any] | None = None, limit: int = 20) -> dict[str, Any]:
        """Free. Earlier jobs, newest first. Filters as {"prompt": "koala", "seed": [1, 2], "rating": 4, "since": "7d"}.

        A range of numbers is {"motion_strength": {"from": 3, "to": 7}}.
        """
        async with in_words():
            return desk().history(filters, limit)

    @server.tool(annotations=reads)
    async def compare(jobs: list[str]) -> dict[str, Any]:
        """Free. Make one picture that shows clips side by side, labelled by what differs; answers with its path."""
        async with in_words():
            return desk().compare(jobs)

    @server.tool(annotations=reads)
    async def budget() -> dict[str, Any]:
        """Free. The caps on spending, and what was spent and reserved. Only a person can change caps."""
        async with in_words():
            return desk().budget()

    @server.tool(annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True))
    async def reconcile() -> dict[str, Any]:
        """Free. Look at the service for submits whose reply was lost; what it cannot settle, a person must decide."""
        async with in_words():
            return await desk().reconcile()

    @server.resource("vidnb://job/{job}/poster", mime_type="image/webp")
    async def poster(job: str) -> bytes:
        """A small picture of a finished clip's first frame."""
        try:
            return desk().poster(job)
        except VidnbError as error:
            raise ResourceError(for_agents(str(error))) from None

    return server


def _unknown(tool: str, unknown: list[str], known: list[str]) -> str:
    """Return what to say of arguments that a tool does not take."""
    said = f"{tool} does not take {', '.join(map(repr, unknown))}; it takes {', '.join(known) or 'nothing'}"
    return f"{said}. A setting of the model goes into params" if "params" in known else said
