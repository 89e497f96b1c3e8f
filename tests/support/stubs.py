"""Writes what type checkers and `import vidnb` need to know of the verbs, so that a new verb is typed once.

Run `python tests/support/stubs.py` after a change of a verb's name or signature, or of the public names. A
verb is a public method of `AsyncClient`; from it come `Client`'s method, the function of the module, and the name in
`vidnb.__all__`.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import vidnb
from vidnb.client import asynchronous, faces, verbs

WRITTEN = "Written by `tests/support/stubs.py`; do not change it by hand."
PACKAGE = Path(vidnb.__file__).parent
WIDTH = 120


def stubs() -> dict[Path, str]:
    """Return the files to write, by path."""
    names = sorted(faces.verbs())
    return {
        PACKAGE / "client/names.py": _names(names),
        PACKAGE / "client/verbs.pyi": _verbs(names),
        PACKAGE / "__init__.pyi": _package(names),
    }


def _names(names: list[str]) -> str:
    lines = [f'"""The names of the verbs, for `import vidnb`, which loads none of them.\n\n{WRITTEN}\n"""', ""]
    return "\n".join([*lines, "VERBS = (", *(f'    "{name}",' for name in names), ")", ""])


def _package(names: list[str]) -> str:
    lines = [f'"""The public names of vidnb. {WRITTEN}"""', ""]
    lines += [f"from vidnb import {module} as {module}" for module in sorted(vars(vidnb)["_MODULES"])]
    for module, public in sorted(vars(vidnb)["_HOME"].items()):
        chosen = sorted({*public.split(), *(names if module == verbs.__name__ else ())})
        lines += [f"from {module} import {name} as {name}" for name in chosen]
    return "\n".join([*lines, "", "__version__: str", ""])


def _verbs(names: list[str]) -> str:
    tree = ast.parse(inspect.getsource(verbs))
    ours = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_"]
    methods: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    for node in _methods(asynchronous.AsyncClient):
        methods.setdefault(node.name, []).append(node)
    body: list[str] = []
    for node in ours:
        if isinstance(node, ast.ClassDef):
            body += [f"class {node.name}:", "    asynchronous: AsyncClient", ""]
            for method in node.body:
                if isinstance(method, ast.FunctionDef):
                    body += _function(method, "    ")
            for name in names:
                body += _forms(methods[name], "    ")
    body.append("")
    for node in ours:
        if isinstance(node, ast.FunctionDef):
            body += _function(node, "")
    for name in names:
        body += _forms(methods[name], "", drop_self=True)
    text = "\n".join([*body, ""])
    head = [f'"""The sync face of the verbs. {WRITTEN}"""', "", *_imports(text), ""]
    return "\n".join(head) + text


def _methods(owner: type) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions of a class as code."""
    (tree,) = ast.parse(inspect.getsource(owner)).body
    assert isinstance(tree, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _forms(nodes: list[ast.FunctionDef | ast.AsyncFunctionDef], indent: str, *, drop_self: bool = False) -> list[str]:
    """Return the lines of a verb's stub; one with overloads has a stub for each of them."""
    *forms, whole = nodes
    if not forms:
        return _function(whole, indent, drop_self=drop_self)
    return [line for form in forms for line in (f"{indent}@overload", *_function(form, indent, drop_self=drop_self))]


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, indent: str, *, drop_self: bool = False) -> list[str]:
    """Return the lines of a stub of a function; a row that was awaited is returned, one that was streamed iterated."""
    arguments = ast.parse(ast.unparse(ast.FunctionDef("f", node.args, [ast.Pass()], [], lineno=0))).body[0]
    assert isinstance(arguments, ast.FunctionDef)
    if drop_self:
        kind = arguments.args.posonlyargs or arguments.args.args
        del kind[0]
    returns = ast.unparse(node.returns).replace("AsyncIterator[", "Iterator[") if node.returns else "None"
    parts = _split(ast.unparse(arguments.args))
    line = f"{indent}def {node.name}({', '.join(parts)}) -> {returns}: ..."
    if len(line) <= WIDTH:
        return [line]
    return [f"{indent}def {node.name}(", *(f"{indent}    {part}," for part in parts), f"{indent}) -> {returns}: ..."]


def _split(arguments: str) -> list[str]:
    """Return the parameters one by one; commas inside brackets part nothing."""
    parts, depth = [""], 0
    for char in arguments:
        depth += (char in "[({") - (char in "])}")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return [re.sub(r"^(\w+: [^=]+)=", r"\1 = ", part.strip()) for part in parts if part.strip()]


def _imports(text: str) -> list[str]:
    """Return the import lines for all names that the code uses: from where the two modules have them."""
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    homes = dict.fromkeys(used & set(vars(asynchronous)), asynchronous.__name__)
    homes |= dict(_imported(verbs)) | dict(_imported(asynchronous))
    homes["Iterator"] = "collections.abc"
    lines: dict[str, set[str]] = {}
    for name in sorted(used & set(homes)):
        lines.setdefault(homes[name], set()).add(name)
    modules = sorted(f"import {home.removeprefix('=')}" for home in lines if home.startswith("="))
    froms = [(home, names) for home, names in sorted(lines.items()) if not home.startswith("=")]
    return [*modules, *(f"from {home} import {', '.join(sorted(names))}" for home, names in froms)]


def _imported(module: ModuleType) -> Iterable[tuple[str, str]]:
    """Yield each name that a module imports, and whence; "=" marks a module as a whole."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom):
            yield from ((alias.asname or alias.name, node.module or "") for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.asname or alias.name, f"={alias.name} as {alias.asname or alias.name}")
                        for alias in node.names)  # fmt: skip


def main() -> int:
    """Write the files."""
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
