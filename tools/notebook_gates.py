"""Gates on notebooks, stored and executed: each takes a notebook and returns a list of problems.

A notebook is what `nbformat.read` gives, or the same as plain dictionaries and lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Tags by which MyST-NB leaves a cell's outputs, or only its stderr, out of the page.
NOT_SHOWN = {"remove-cell", "remove_cell", "remove-output", "remove_output"}
# Tags by which a reader sees no code, or sees it after a click.
NO_CODE = {"remove-cell", "remove-input"}
FOLDED = {"hide-input", "hide-cell"}
# What is read without scrolling: the idea, and nothing else.
CODE_LINES, CODE_WIDTH = 12, 76
# Numbers that a reader keeps in mind from one paragraph.
NUMBERS = 3
NUMBER = r"\{glue:text\}`[^`]+:[^`s]*`"


def tags(cell: dict) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def code_cells(notebook: dict) -> Iterator[tuple[int, dict]]:
    """(number, cell) of each code cell; all cells are numbered, from 1."""
    cells = enumerate(notebook["cells"], start=1)
    return ((n, cell) for n, cell in cells if cell["cell_type"] == "code")


def parameters_cell(notebook: dict) -> list[str]:
    """Just one code cell is tagged `parameters`; without one, papermill injects above the title."""
    count = sum("parameters" in tags(cell) for _, cell in code_cells(notebook))
    return [] if count == 1 else [f"{count} code cells tagged `parameters`, exactly one is wanted"]


def stored_outputs(notebook: dict) -> list[str]:
    """A stored notebook has no outputs and no execution counts.

    A stale result is published silently.
    """
    return [
        f"cell {n} is stored with {'outputs' if cell['outputs'] else 'an execution count'}; "
        "clear them"
        for n, cell in code_cells(notebook)
        if cell["outputs"] or cell.get("execution_count") is not None
    ]


def other_kernel(notebook: dict) -> list[str]:
    """A stored notebook names the kernel that every Jupyter has, and not one of its author's."""
    name = notebook["metadata"].get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"saved with the kernel {name!r}; choose python3"]


def long_code(notebook: dict) -> list[str]:
    """A cell whose code is seen shows an idea, which is short; what draws or keeps is folded."""
    problems = []
    for n, cell in code_cells(notebook):
        if tags(cell) & (NO_CODE | FOLDED):
            continue
        lines = "".join(cell["source"]).splitlines()
        if len(lines) > CODE_LINES:
            problems.append(
                f"cell {n} shows {len(lines)} lines of code, at most {CODE_LINES} are wanted; "
                "shorten it, or tag it `hide-input` if it draws and `remove-cell` if it only keeps"
            )
        problems += [
            f"cell {n} shows a line of {len(line)} characters, at most {CODE_WIDTH} fit the page"
            for line in lines
            if len(line) > CODE_WIDTH
        ]
    return problems


def code_on_code(notebook: dict) -> list[str]:
    """Between two cells whose code is seen, or can be unfolded, stands a sentence."""
    problems, before = [], None
    for n, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] != "code":
            before = None
        elif not tags(cell) & NO_CODE:
            if before is not None:
                problems.append(f"cells {before} and {n} show code with no sentence between them")
            # What to change comes first, and what is imported after it.
            before = None if "parameters" in tags(cell) else n
    return problems


def paragraphs(notebook: dict) -> Iterator[tuple[int, str]]:
    """(number of the cell, text) of each paragraph, list item and row of the prose."""
    for n, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) )", text):
                yield n, paragraph


def many_numbers(notebook: dict) -> list[str]:
    """A paragraph has few numbers; further ones go into a figure, its caption or a table.

    A number and what it may be wrong by are one.
    """
    problems = []
    for n, text in paragraphs(notebook):
        found = len(re.findall(NUMBER, re.sub(rf"{NUMBER}\W{{0,3}}±\s*(?={NUMBER[:4]})", "", text)))
        if found > NUMBERS:
            start = " ".join(text.split())[:60]
            problems.append(
                f"cell {n} has a paragraph of {found} numbers, at most {NUMBERS} are wanted: "
                f"{start!r}"
            )
    return problems


def numbered_chapters(notebook: dict) -> list[str]:
    """The prose links to a chapter by its file; a number that is typed is wrong one day."""
    return [
        f"cell {n} has {found[0]!r}: link it, as {{doc}}`its title <NN-name>`"
        for n, text in paragraphs(notebook)
        for found in [re.search(r"\b[Cc]hapters?\s+\d+", text)]
        if found
    ]


def error_outputs(notebook: dict) -> list[str]:
    """No cell of an executed notebook raised; Sphinx publishes a stored error without a word."""
    return [
        f"cell {n} raised {output['ename']}: {output['evalue']}"
        for n, cell in code_cells(notebook)
        for output in cell["outputs"]
        if output["output_type"] == "error"
    ]


def not_executed(notebook: dict) -> list[str]:
    """Every code cell with a content has run."""
    return [
        f"cell {n} was not executed"
        for n, cell in code_cells(notebook)
        if cell.get("execution_count") is None and "".join(cell["source"]).strip()
    ]


def stderr(cell: dict) -> str:
    """All that the cell wrote to stderr."""
    streams = [output for output in cell["outputs"] if output["output_type"] == "stream"]
    texts = ["".join(output["text"]) for output in streams if output["name"] == "stderr"]
    return "".join(texts).strip()


def shown_stderr(notebook: dict) -> list[str]:
    """Nothing on the page is from stderr.

    Warnings are dealt with, progress bars tagged `remove-stderr`.
    """
    return [
        f"cell {n} shows stderr: {stderr(cell).splitlines()[0]!r}; "
        "deal with the warning, or tag the cell `remove-stderr` if it is progress "
        "or the stand-in's warning"
        for n, cell in code_cells(notebook)
        if not tags(cell) & (NOT_SHOWN | {"remove-stderr"}) and stderr(cell)
    ]


def _pictures(cell: dict) -> int:
    return sum(
        mime.startswith("image/") for output in cell["outputs"] for mime in output.get("data", {})
    )


def undescribed_figures(notebook: dict) -> list[str]:
    """Every picture shown has alt text and a caption in its cell's `mystnb` metadata."""
    problems = []
    for n, cell in code_cells(notebook):
        if not _pictures(cell) or tags(cell) & NOT_SHOWN:
            continue
        settings = cell["metadata"].get("mystnb", {})
        for part, key in (("image", "alt"), ("figure", "caption")):
            if not str(settings.get(part, {}).get(key, "")).strip():
                what = f"mystnb.{part}.{key}"
                problems.append(f"cell {n} shows a picture without {what} in its metadata")
    return problems


def lost_figures(notebook: dict) -> list[str]:
    """Every cell that has a caption shows a picture."""
    return [
        f"cell {n} has a caption and shows no picture: its figure was not drawn, or was closed, or "
        "went to another backend of matplotlib's than the notebook's"
        for n, cell in code_cells(notebook)
        if "figure" in cell["metadata"].get("mystnb", {})
        and not tags(cell) & NOT_SHOWN
        and not _pictures(cell)
    ]


STORED = (
    parameters_cell, stored_outputs, other_kernel, long_code, code_on_code, many_numbers,
    numbered_chapters,
)  # fmt: skip
EXECUTED = (error_outputs, not_executed, shown_stderr, undescribed_figures, lost_figures)
