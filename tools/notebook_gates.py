"""Gates on notebooks, stored and executed: each takes a notebook and returns a list of problems.

A notebook is what `nbformat.read` gives, or the same as plain dictionaries and lists.
"""

import functools
import re
from collections.abc import Callable, Iterator

# Tags by which MyST-NB leaves a cell's outputs out of the page.
NOT_SHOWN = {"remove-cell", "remove_cell", "remove-output", "remove_output"}
# Tags by which a reader sees no code, or sees it after a click.
NO_CODE = {"remove-cell", "remove-input"}
FOLDED = {"hide-input", "hide-cell"}
# What is read without scrolling: the idea, and nothing else.
CODE_LINES, CODE_WIDTH = 12, 76
NUMBERS = 3  # that a reader keeps in mind from one paragraph
NUMBER = r"\{glue:text\}`[^`]+:[^`s]*`"


def tags(cell: dict) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def cells_of(notebook: dict, kind: str) -> Iterator[tuple[int, dict]]:
    """(number, cell) of each `code` or `markdown` cell; all cells are numbered, from 1."""
    cells = enumerate(notebook["cells"], start=1)
    return ((n, cell) for n, cell in cells if cell["cell_type"] == kind)


def each_code_cell(problems_of: Callable[[dict], Iterator[str]]) -> Callable[[dict], list[str]]:
    """The gate on a notebook that finds in each code cell what `problems_of` finds in one."""

    @functools.wraps(problems_of)
    def gate(notebook: dict) -> list[str]:
        cells = cells_of(notebook, "code")
        return [f"cell {n} {problem}" for n, cell in cells for problem in problems_of(cell)]

    return gate


def parameters_cell(notebook: dict) -> list[str]:
    """Just one code cell is tagged `parameters`; without one, papermill injects above the title."""
    count = sum("parameters" in tags(cell) for _, cell in cells_of(notebook, "code"))
    return [] if count == 1 else [f"{count} code cells tagged `parameters`, exactly one is wanted"]


@each_code_cell
def stored_outputs(cell: dict) -> Iterator[str]:
    """It is stored without outputs and execution count: a stale result is published silently."""
    if cell["outputs"]:
        yield "is stored with outputs; clear them"
    elif cell.get("execution_count") is not None:
        yield "is stored with an execution count; clear it"


def other_kernel(notebook: dict) -> list[str]:
    """A stored notebook names the kernel that every Jupyter has, and not one of its author's."""
    name = notebook["metadata"].get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"saved with the kernel {name!r}; choose python3"]


@each_code_cell
def long_code(cell: dict) -> Iterator[str]:
    """Code that is seen shows an idea, which is short; what draws or keeps is folded."""
    if tags(cell) & (NO_CODE | FOLDED):
        return
    lines = "".join(cell["source"]).splitlines()
    if len(lines) > CODE_LINES:
        wish = "shorten it, or tag it `hide-input` if it draws and `remove-cell` if it only keeps"
        yield f"shows {len(lines)} lines of code, at most {CODE_LINES} are wanted; {wish}"
    for line in lines:
        if len(line) > CODE_WIDTH:
            yield f"shows a line of {len(line)} characters, at most {CODE_WIDTH} fit the page"


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
    for n, cell in cells_of(notebook, "markdown"):
        text = "".join(cell["source"])
        for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) )", text):
            yield n, paragraph


def many_numbers(notebook: dict) -> list[str]:
    """A paragraph has few numbers, each with what it may be wrong by; a figure has more."""
    problems = []
    for n, text in paragraphs(notebook):
        found = len(re.findall(NUMBER, re.sub(rf"{NUMBER}\W{{0,3}}±\s*(?={NUMBER[:4]})", "", text)))
        if found > NUMBERS:
            has = f"cell {n} has a paragraph of {found} numbers, at most {NUMBERS} are wanted"
            problems.append(f"{has}: {' '.join(text.split())[:60]!r}")
    return problems


def numbered_chapters(notebook: dict) -> list[str]:
    """The prose links to a chapter by its file; a number that is typed is wrong one day."""
    return [
        f"cell {n} has {found[0]!r}: link it, as {{doc}}`its title <NN-name>`"
        for n, text in paragraphs(notebook)
        if (found := re.search(r"\b[Cc]hapters?\s+\d+", text))
    ]


@each_code_cell
def error_outputs(cell: dict) -> Iterator[str]:
    """It raised nothing; Sphinx publishes a stored error without a word."""
    for output in cell["outputs"]:
        if output["output_type"] == "error":
            yield f"raised {output['ename']}: {output['evalue']}"


@each_code_cell
def not_executed(cell: dict) -> Iterator[str]:
    """It has run, if it has a content."""
    if cell.get("execution_count") is None and "".join(cell["source"]).strip():
        yield "was not executed"


@each_code_cell
def shown_stderr(cell: dict) -> Iterator[str]:
    """Nothing on the page is from stderr: warnings are dealt with, progress bars tagged."""
    streams = [output for output in cell["outputs"] if output["output_type"] == "stream"]
    texts = ["".join(output["text"]) for output in streams if output["name"] == "stderr"]
    shown = "".join(texts).strip()
    if shown and not tags(cell) & (NOT_SHOWN | {"remove-stderr"}):
        wish = "deal with it, or tag the cell `remove-stderr` if it is progress or the stand-in's"
        yield f"shows stderr: {shown.splitlines()[0]!r}; {wish}"


def _shows_picture(cell: dict) -> bool:
    kinds = [kind for output in cell["outputs"] for kind in output.get("data", {})]
    return any(kind.startswith("image/") for kind in kinds) and not tags(cell) & NOT_SHOWN


@each_code_cell
def undescribed_figures(cell: dict) -> Iterator[str]:
    """A picture that it shows has alt text and a caption in the cell's `mystnb` metadata."""
    settings = cell["metadata"].get("mystnb", {})
    for part, key in (("image", "alt"), ("figure", "caption")):
        if _shows_picture(cell) and not str(settings.get(part, {}).get(key, "")).strip():
            yield f"shows a picture without mystnb.{part}.{key} in its metadata"


@each_code_cell
def lost_figures(cell: dict) -> Iterator[str]:
    """If it has a caption and is shown, it shows a picture."""
    has_caption = "figure" in cell["metadata"].get("mystnb", {})
    if has_caption and not tags(cell) & NOT_SHOWN and not _shows_picture(cell):
        lost = "it was not drawn, or was closed, or went to another backend of matplotlib's"
        yield f"has a caption and shows no picture: {lost}"


STORED = (
    parameters_cell, stored_outputs, other_kernel, long_code, code_on_code, many_numbers,
    numbered_chapters,
)  # fmt: skip
EXECUTED = (error_outputs, not_executed, shown_stderr, undescribed_figures, lost_figures)
