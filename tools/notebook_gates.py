"""Gates on notebooks, stored and executed: each takes a notebook and returns a list of problems.

A notebook is what `nbformat.read` gives, or the same as plain dictionaries and lists.
"""

from __future__ import annotations

from collections.abc import Iterator

# Tags by which MyST-NB leaves a cell's outputs, or only its stderr, out of the page.
NOT_SHOWN = {"remove-cell", "remove_cell", "remove-output", "remove_output"}


def tags(cell: dict) -> set[str]:
    return set(cell["metadata"].get("tags", []))


def code_cells(notebook: dict) -> Iterator[tuple[int, dict]]:
    """(number, cell) of each code cell; all cells are numbered, from 1."""
    return (
        (n, cell)
        for n, cell in enumerate(notebook["cells"], start=1)
        if cell["cell_type"] == "code"
    )


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
    return "".join(
        "".join(output["text"]) for output in streams if output["name"] == "stderr"
    ).strip()


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
                problems.append(
                    f"cell {n} shows a picture without mystnb.{part}.{key} in its metadata"
                )
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


STORED = (parameters_cell, stored_outputs, other_kernel)
EXECUTED = (error_outputs, not_executed, shown_stderr, undescribed_figures, lost_figures)
