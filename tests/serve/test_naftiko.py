"""The capability file of Naftiko: by the rules of its format, true to the REST app, and from a quote to a clip."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from typer.testing import CliRunner

from vidnb.cli import app
from vidnb.client.asynchronous import AsyncClient
from vidnb.emulator import Emulator
from vidnb.serve.rest import OPERATIONS, rest_app

TOKEN = "t" * 43
NEVER_CONSUMED = {"get_clip", "get_poster", "call_back", "describe_all"}
"""Videos and pictures, which the format cannot carry, and what is not for agents."""

# The format's rules, as far as the file uses them (1.0.0-alpha3): names, required parts, and no key that is not known.
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]+$")]
Word = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_*-]+$")]
Reference = Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]+\.[a-zA-Z0-9-]+$")]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Port = Annotated[int, Field(ge=1, le=65535)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Info(Part):
    label: str
    description: str
    tags: list[str]


class Bind(Part):
    namespace: Name
    description: str
    keys: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], Word]


class Bearer(Part):
    type: Literal["bearer"]
    token: str


class Input(Part):
    name: Word
    place: Annotated[Literal["query", "path"], Field(alias="in")]


class Json(Part):
    type: Literal["json"]
    data: dict[str, str]


class Consumed(Part):
    name: Name
    method: Method
    inputParameters: list[Input] = Field(default_factory=list)
    body: str | Json | None = None


class Resource(Part):
    name: Name
    path: str
    operations: list[Consumed]


class Consumes(Part):
    namespace: Name
    type: Literal["http"]
    description: str
    baseUri: Annotated[str, Field(pattern=r"^https?://[^/]+(/[^{]*)?$")]
    authentication: Bearer
    resources: list[Resource]


class Hints(Part):
    readOnly: bool
    destructive: bool = True
    idempotent: bool = False
    openWorld: bool = True


class Parameter(Part):
    name: Word
    type: Literal["string", "number", "integer", "boolean", "array", "object"]
    description: str


class Tool(Part):
    name: Name
    description: str
    hints: Hints
    inputParameters: list[Parameter] = Field(default_factory=list)
    call: Reference
    given: Annotated[dict[str, str | int], Field(alias="with", default_factory=dict)]


class Door(Part):
    address: Literal["127.0.0.1"]
    port: Port
    namespace: Name
    authentication: Bearer


class Mcp(Door):
    type: Literal["mcp"]
    transport: Literal["http"]
    description: str
    tools: Annotated[list[Tool], Field(min_length=1)]


class Exposed(Part):
    name: Name
    method: Method
    call: Reference


class ExposedResource(Part):
    name: Name
    path: str
    description: str
    operations: list[Exposed]


class Rest(Door):
    type: Literal["rest"]
    resources: Annotated[list[ExposedResource], Field(min_length=1)]


class From(Part):
    sourceNamespace: Name
    action: Name


class SkillTool(Part):
    name: Name
    description: str
    source: Annotated[From, Field(alias="from")]


class Skill(Part):
    name: Name
    description: Annotated[str, Field(max_length=1024)]
    license: str
    tools: Annotated[list[SkillTool], Field(min_length=1)]


class Skills(Door):
    type: Literal["skill"]
    skills: Annotated[list[Skill], Field(min_length=1)]


class Capability(Part):
    binds: list[Bind]
    consumes: list[Consumes]
    exposes: list[Annotated[Mcp | Rest | Skills, Field(discriminator="type")]]


class Document(Part):
    naftiko: Literal["1.0.0-alpha3"]
    info: Info
    capability: Capability

    @model_validator(mode="after")
    def _every_reference_leads_somewhere(self) -> Document:
        [service] = self.capability.consumes
        known = {f"{service.namespace}.{one.name}" for resource in service.resources for one in resource.operations}
        mcp, rest, skills = self.capability.exposes
        assert isinstance(mcp, Mcp)
        assert isinstance(rest, Rest)
        assert isinstance(skills, Skills)
        called = [tool.call for tool in mcp.tools]
        called += [one.call for resource in rest.resources for one in resource.operations]
        assert set(called) == known
        tools = {(mcp.namespace, tool.name) for tool in mcp.tools}
        assert {(t.source.sourceNamespace, t.source.action) for skill in skills.skills for t in skill.tools} <= tools
        return self


@pytest.fixture(scope="module")
def printed() -> str:
    done = CliRunner().invoke(app, ["serve", "--naftiko", "--port", "9123"])
    assert done.exit_code == 0
    return done.stdout


def test_it_keeps_the_rules_of_the_format_and_says_that_it_is_experimental(printed: str) -> None:
    document = Document.model_validate(yaml.safe_load(printed))
    assert printed.startswith("# EXPERIMENTAL")
    assert "experimental" in document.info.tags
    assert document.capability.consumes[0].baseUri == "http://127.0.0.1:9123"
    assert {door.authentication.token for door in document.capability.exposes} == {"{{VIDNB_TOKEN}}"}


@pytest.mark.parametrize("broken", ["transport: carrier-pigeon", "call: vidnb.nothing", "colour: red"])
def test_a_broken_rule_is_noticed(printed: str, broken: str) -> None:
    key = broken.partition(":")[0]
    text = re.sub(rf"(?m)^(\s+){key}: .*$", rf"\g<1>{broken}", printed, count=1)
    if text == printed:
        text = printed.replace("info:\n", f"info:\n  {broken}\n")
    with pytest.raises(ValueError, match="validation error"):
        Document.model_validate(yaml.safe_load(text))


def test_it_consumes_what_the_app_has(printed: str) -> None:
    [service] = Document.model_validate(yaml.safe_load(printed)).capability.consumes
    consumed = {
        (one.name.replace("-", "_"), one.method, resource.path.replace("{{", "{").replace("}}", "}"))
        for resource in service.resources
        for one in resource.operations
    }
    assert consumed == {(one.name, one.method, one.path) for one in OPERATIONS if one.name not in NEVER_CONSUMED}
    queries = {one.name: set(one.query.model_fields) for one in OPERATIONS if one.query}
    for operation in (one for resource in service.resources for one in resource.operations):
        named = {given.name for given in operation.inputParameters if given.place == "query"}
        assert named <= queries.get(operation.name.replace("-", "_"), set())


class Engine:
    """Does with the file what Naftiko's engine does, as its source has it: values replace their names in braces."""

    def __init__(self, document: Document, http: httpx.AsyncClient) -> None:
        self.mcp = document.capability.exposes[0]
        [self.service] = document.capability.consumes
        self.http = http

    async def __call__(self, name: str, **arguments: str) -> Any:
        assert isinstance(self.mcp, Mcp)
        [tool] = [one for one in self.mcp.tools if one.name == name]
        assert set(arguments) == {one.name for one in tool.inputParameters}
        prefix = f"{self.mcp.namespace}."
        values = {
            key: arguments[value.removeprefix(prefix)] if isinstance(value, str) else value
            for key, value in tool.given.items()
        }
        [(resource, operation)] = [
            (resource, one)
            for resource in self.service.resources
            for one in resource.operations
            if f"{self.service.namespace}.{one.name}" == tool.call
        ]

        def filled(template: str) -> str:
            return re.sub(r"\{\{(\w+)\}\}", lambda match: str(values[match[1]]), template)

        body = operation.body.data if isinstance(operation.body, Json) else operation.body
        reply = await self.http.request(
            operation.method, filled(resource.path),
            params={one.name: values[one.name] for one in operation.inputParameters if one.place == "query"},
            content=None if body is None else filled(body if isinstance(body, str) else json.dumps(body)),
            headers={"Content-Type": "application/json"} if body else {},
        )  # fmt: skip
        assert reply.is_success, reply.text
        return reply.json()


@pytest.mark.anyio
async def test_its_tools_come_from_a_quote_to_a_clip(printed: str, tmp_path: Path) -> None:
    document = Document.model_validate(yaml.safe_load(printed))
    emulator = Emulator(tmp_path / "emulator", speed=1000.0)
    async with AsyncClient(tmp_path / "data", emulator=emulator) as own:
        transport, bearer = httpx.ASGITransport(rest_app(TOKEN, own)), {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9123", headers=bearer) as http:
            tool = Engine(document, http)
            [model, *_] = [one["id"] for one in (await tool("list-models", query="motion_2.0"))["models"]]
            assert "seed" in (await tool("describe-model", model=model))["params"]
            quote = await tool("create-quote", model=model, prompt='a \\"koala\\"', params='{"seed": 7}')
            orders = [await tool("create-jobs", quote_token=quote["quote_token"]) for _ in range(3)]
            assert len({tuple(order["jobs"]) for order in orders}) == 1
            job = await tool("get-job", job=orders[0]["jobs"][0])
            assert (job["state"], job["prompt"], job["seed"]) == ("done", 'a "koala"', 7)
            assert (await http.get(job["clip"])).content[4:8] == b"ftyp"
            assert (await tool("list-jobs", prompt="koala"))["all"] == 1
            assert (await tool("cancel-job", job=job["job"]))["state"] == "done"
            assert (await tool("get-budget"))["purse"] == "programs"
            assert await tool("reconcile") == {"found": [], "a_person_decides": []}
    assert emulator.stats()["jobs"] == 1
