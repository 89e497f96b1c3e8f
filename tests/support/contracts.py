"""A kind of contract that import-linter lacks: a list of what a part of the package may import, and nothing else."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class OnlyImports(Contract):
    """These packages import nothing but what is listed.

    `allowed` holds names of modules, which stand for all below them; "*" allows every module outside the package.
    `except_for` names modules that may import what they like.
    """

    type_name = "only_imports"

    modules = fields.ListField(subfield=fields.ModuleField())
    allowed = fields.ListField(subfield=fields.StringField())
    except_for = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Every direct import of these packages, late and typing-only ones included, that is not on the list."""
        wrong: list[dict[str, Any]] = []
        for package in self.modules:  # type: ignore[attr-defined]  # a field becomes a list
            below = {package.name, *graph.find_descendants(package.name)} - {*self.except_for}  # type: ignore[misc]
            for importer in sorted(below):
                for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                    if not self._is_allowed(imported):
                        wrong.append({"importer": importer, "imported": imported})
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def _is_allowed(self, imported: str) -> bool:
        allowed: list[str] = self.allowed  # type: ignore[assignment]
        outside = imported.partition(".")[0] != self.session_options["root_packages"][0]
        return (outside and ("*" in allowed)) or any(
            imported == name or imported.startswith(f"{name}.") for name in allowed
        )

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say which import is not on the list."""
        for found in check.metadata["wrong"]:
            output.print_error(f"{found['importer']} may not import {found['imported']}")
