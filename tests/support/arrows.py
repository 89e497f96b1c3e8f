"""Count the arrows that point up and the circles of a package: `python tests/support/arrows.py FOLDER [NAME]`.

FOLDER holds the package NAME, by default `vidnb`. A circle is a group of files that import each other in a round, with
late and typing-only imports counted; an arrow points up if one would have to cut it to bring the rooms (what stands
directly in the package) onto floors, so that every import goes down.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

import grimp


def circles(imports: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of two or more modules of which each can be reached from each other (Tarjan, 1972)."""
    numbers: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        numbers[module] = lowest[module] = len(numbers)
        stack.append(module)
        for other in imports[module]:
            if other not in numbers:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in stack:
                lowest[module] = min(lowest[module], numbers[other])
        if lowest[module] == numbers[module]:
            group = [stack.pop()]
            while group[-1] != module:
                group.append(stack.pop())
            found.append(sorted(group))

    sys.setrecursionlimit(10_000)
    for module in imports:
        if module not in numbers:
            visit(module)
    return sorted((group for group in found if len(group) > 1), key=len, reverse=True)


def main() -> None:
    """Print the counts."""
    folder, name = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "vidnb"
    sys.path.insert(0, folder)
    graph = grimp.build_graph(name, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    groups = circles(imports)
    up = graph.nominate_cycle_breakers(name)
    print(f"{len(imports)} files, {sum(map(len, imports.values()))} imports, {len(graph.find_children(name))} rooms")
    print(f"arrows up: {len(up)}")
    for importer, imported in sorted(up):
        print(f"  {importer} -> {imported}")
    print(f"circles: {len(groups)}" + "".join(f"\n  {len(group)} files: {', '.join(group)}" for group in groups))


if __name__ == "__main__":
    main()
