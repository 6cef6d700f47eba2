"""The command `patchinit`, which makes a bank of filters from a folder of pictures."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from .filters.methods import METHODS, make_filters

# What the command did until version 0.1.
_MOVED = ("run", "status", "collect", "studies", "check")
_EXAMPLE = """\
example: python -m patchinit photos --method principal_components --filters 27 --kernel 3 \\
             -o bank.safetensors --picture bank.png
in Python: patchinit.set_filters_(layer, patchinit.filters.FilterBank.load("bank.safetensors"))
"""


def _pair(text: str) -> tuple[int, int]:
    """(kh, kw) or (H, W) of "3" or "3x5"."""
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} should be a number as 3, or two as 3x5")
    return int(match[1]), int(match[2] or match[1])


def _norm(text: str) -> float | str:
    with suppress(ValueError):
        return text if text in ("own", "raw") else float(text)
    raise argparse.ArgumentTypeError(f"{text!r} should be a number > 0, own or raw")


def _integer(least: int, most: int | None = None) -> Callable[[str], int]:
    """A reader of an option that is an integer within bounds."""
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        with suppress(ValueError):
            value = int(text)
            if least <= value and (most is None or value <= most):
                return value
        raise argparse.ArgumentTypeError(f"{text!r} should be an integer {bounds}")

    return read


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    command = argparse.ArgumentParser(
        "patchinit",
        description="Make a bank of convolution filters from all pictures in a folder.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = command.add_argument
    add("folder", type=Path, help="of pictures, at any depth, read as they are needed")
    add("--method", choices=METHODS, default="principal_components", help="default: %(default)s")
    add("--filters", type=_integer(1), required=True, metavar="F", help="how many")
    add("--kernel", type=_pair, required=True, metavar="K", help="3 for 3x3, or 3x5 (down, across)")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="bank.safetensors")
    add("--picture", type=Path, metavar="FILE", help="draw the filters too, as png, pdf or svg")
    add("--norm", type=_norm, default="own", help="of each filter, a number, own (default) or raw")
    add("--images", type=_integer(1), metavar="N", help="take N of the pictures, drawn at random")
    add("--size", type=_pair, metavar="HxW", help="resize the pictures; needed if sizes differ")
    seed = _integer(-(2**63), 2**64 - 1)  # those that torch takes
    add("--seed", type=seed, default=0, help="of what is drawn at random; default: %(default)s")
    add("--overwrite", action="store_true", help="replace files that are there")
    return command


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0, 1 with one line on stderr where it fails, 2 for a wrong call."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in _MOVED and not Path(given[0]).is_dir():
        text = f"training runs are made by `python -m companion {given[0]}`, in a clone of the book"
        print(f"patchinit: {text}", file=sys.stderr)
        return 2
    options = parser().parse_args(given)
    try:
        _make(options)
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        print(f"patchinit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("patchinit: interrupted, nothing is written", file=sys.stderr)
        return 130
    return 0


def _make(options: argparse.Namespace) -> None:
    files = [file for file in (options.output, options.picture) if file]
    if len({file.resolve() for file in files}) < len(files):
        raise ValueError(f"--output and --picture both name {options.output}; name two files")
    for file in files:
        if file.is_dir():
            raise ValueError(f"{file} is a folder; name a file")
        if file.exists() and not options.overwrite:
            raise ValueError(f"{file} is there already; name another file, or pass --overwrite")
        if not file.absolute().parent.is_dir():
            raise ValueError(f"{file}: there is no folder {file.absolute().parent}")
    from tqdm import tqdm  # of the same extra

    from .data.batches import PictureBatches

    generator = torch.Generator().manual_seed(options.seed)
    batches = PictureBatches(
        options.folder, size=options.size, n=options.images, generator=generator
    )
    if options.picture:
        _check_picture(options.picture)
    shape = options.filters, batches.channels, *options.kernel
    needed = METHODS[options.method].needs != "shape"
    # No bar where stderr is no terminal.
    with tqdm(total=len(batches.pictures), unit="picture", disable=None if needed else True) as bar:

        def read() -> Iterator[torch.Tensor]:
            for batch in batches:
                yield batch
                bar.update(len(batch))

        bank = make_filters(options.method, read(), shape, norm=options.norm, generator=generator)
    bank = replace(bank, settings=bank.settings | {"seed": options.seed})
    bank.save(options.output)
    if options.picture:
        bank.show().savefig(options.picture, dpi=150)
    n = len(batches.pictures)
    print(f"{options.output}: {len(bank)} filters, {options.method}, from {n} pictures")
    if batches.n_skipped:
        print(f"patchinit: files that are no pictures: {batches.n_skipped}", file=sys.stderr)


def _check_picture(file: Path) -> None:
    """ImportError without matplotlib, ValueError if it can't write such a file."""
    from .filters.bank import FilterBank

    kinds = FilterBank(torch.ones(1, 1, 1, 1), "").show().canvas.get_supported_filetypes()
    if file.suffix[1:].lower() not in kinds:
        raise ValueError(f"{file} should end in one of {', '.join(sorted(kinds))}")


if __name__ == "__main__":
    sys.exit(main())
