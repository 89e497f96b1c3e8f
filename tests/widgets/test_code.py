"""The text of a part's code: every file that it imports once, before what uses it, and no import left."""

from __future__ import annotations

import re

import pytest

from vidnb.widgets.code import STATIC, code, looks

PARTS = sorted(path.stem for path in STATIC.glob("*.js") if path.stem != "common")


@pytest.mark.parametrize("part", PARTS)
def test_no_import_is_left_in_what_the_page_gets(part: str) -> None:
    text = code(part)
    assert not re.search(r"^import\b", text, re.MULTILINE)
    assert text.count("export default") == 1


@pytest.mark.parametrize("part", PARTS)
def test_no_name_is_defined_twice_in_a_part(part: str) -> None:
    names = re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", code(part), re.MULTILINE)
    assert sorted(names) == sorted(set(names))


def test_a_file_comes_once_and_before_the_one_that_imports_it() -> None:
    text = code("form")
    heads = [path.read_text(encoding="utf-8").splitlines()[0] for path in (STATIC / "form").glob("*.js")]
    assert [text.count(head) for head in heads] == [1] * len(heads)
    assert text.index("export function readSize") < text.index("export function sizeControl")


def test_every_file_belongs_to_a_part() -> None:
    known = "".join(map(code, PARTS))
    orphans = [path.name for path in STATIC.glob("*/*.js") if path.read_text("utf-8").splitlines()[0] not in known]
    assert orphans == []


def test_no_line_of_the_code_runs_out_of_sight() -> None:
    long = [
        (path.name, number)
        for path in STATIC.rglob("*.js")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 200
    ]
    assert long == []


def test_the_looks_of_a_part_begin_with_the_common_ones() -> None:
    assert looks("form").startswith(looks("recent")[:200])
    assert ".vidnb-form" in looks("form")
