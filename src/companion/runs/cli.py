"""The command line: ``python -m companion``, with run, status, collect, studies and check."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from ..processors import limit_threads
from .check import check_device
from .collect import collect
from .cost import minutes, slow_bf16
from .files import StorageError
from .local import EXPECTED, WorkerFailed, run_here, run_side_by_side
from .pairing import Pairing
from .plan import PlannedRun, Study, UsageError, part_of_plan, plan
from .progress import Progress, State, state
from .provenance import code
from .record import RunRefused
from .studies import STUDIES


RUNS, RESULTS = Path("runs"), Path("results")  # where nothing else is asked for


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, or 1 after an error that a person can mend."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on where it stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, `head` say, has seen enough; Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (*EXPECTED, WorkerFailed, UsageError) as error:
        print(f"companion: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    which, part, device = (argparse.ArgumentParser(add_help=False) for _ in range(3))
    which.add_argument(
        "studies", nargs="+", choices=STUDIES, metavar="STUDY",
        help=f"one or several, taken in this order; {', '.join(STUDIES)}",
    )  # fmt: skip
    for flag, name, text in (
        ("--folder", RUNS, "where runs lie"),
        ("--results", RESULTS, "where they are collected"),
    ):
        which.add_argument(flag, type=_folder, default=name, help=f"{text} (default: {name})")
    part.add_argument("--seeds", type=_seeds, help="a number, or FIRST-LAST (default: the study's)")
    part.add_argument("--datasets", type=_names, help="some of the studies', by commas")
    part.add_argument(
        "--arm", action="append", dest="arms", metavar="NAME",
        help="one of the studies' arms, as --dry-run prints it; may be given several times",
    )  # fmt: skip
    part.add_argument(
        "--part", type=_part, default=(1, 1), metavar="I/N",
        help="only the I-th of N parts; all arms of a seed are in one",
    )  # fmt: skip
    part.add_argument("--quiet", action="store_true", help="no progress bar, no line for each run")
    device.add_argument(
        "--device", default="auto", help="cpu, cuda, cuda:1 (default: a GPU if there is one)"
    )

    parser = argparse.ArgumentParser(
        "python -m companion", description="Full training runs of the book Filters from Patches."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        command: Callable, text: str, *shared: argparse.ArgumentParser
    ) -> Callable[..., argparse.Action]:
        added = commands.add_parser(
            command.__name__[1:], parents=shared, help=text,
            description=text[0].upper() + text[1:] + ".",
        )  # fmt: skip
        added.set_defaults(command=command)
        return added.add_argument

    option = add(_run, "make the runs of studies, or go on with them", which, part, device)
    option("--jobs", type=int, default=1, help="runs side by side on this machine (default: 1)")
    option("--ray", metavar="ADDRESS", help="on a Ray cluster ('auto', 'local', HOST:PORT)")
    option("--gpus-per-run", type=float, help="share of a GPU for a run on Ray")
    option("--dry-run", action="store_true", help="print the plan and its cost, and make nothing")
    option(
        "--anyway", action="store_true",
        help="make runs that would be compared with none on record, as a study of their own",
    )  # fmt: skip
    add(_status, "how far the runs of studies are", which, part)
    add(_collect, "gather every finished run of studies into results/STUDY/", which)
    add(_studies, "list the studies")
    add(_check, "whether this machine, or its GPU, trains as it should (a minute)", device)
    return parser


def _folder(text: str) -> Path:
    """A folder that need not be there yet; what stands there, or above it, is no file."""
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # "~name", and nobody is called so
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise argparse.ArgumentTypeError(f"{str(place)!r} is a file and should be a folder")
    return path


def _look_in(**folders: Path) -> None:
    """UsageError where runs are to be looked for in a folder, by its flag, that is not there.

    Those of the defaults need not all be there: what was collected before is found without runs/.
    """
    for flag, path in folders.items():
        if path not in (RUNS, RESULTS) and not path.is_dir():
            raise UsageError(f"--{flag} {path} is not there; name the folder that runs were made in")
    if not any(path.is_dir() for path in folders.values()):
        names = " nor ".join(f"{path}/" for path in folders.values())
        raise UsageError(
            f"neither {names} is in {Path.cwd()}; go where runs were made, or name their folder: "
            "--folder PATH"
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _seeds(text: str) -> range:
    if match := re.fullmatch(r"(\d+)-(\d+)", text):
        first, last = map(int, match.groups())
        if first <= last:
            return range(first, last + 1)
    elif text.isdigit() and int(text) > 0:
        return range(int(text))
    raise argparse.ArgumentTypeError(
        f"{text!r} should be a number of seeds, such as 3, or FIRST-LAST, such as 3-9"
    )


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match and 1 <= int(match[1]) <= int(match[2]):
        return int(match[1]), int(match[2])
    raise argparse.ArgumentTypeError(f"{text!r} should be I/N with 1 <= I <= N, such as 2/8")


def _planned(options: argparse.Namespace) -> list[tuple[Study, list[PlannedRun]]]:
    """What was asked for of each study, in the order of the command."""
    studies = [STUDIES[name] for name in dict.fromkeys(options.studies)]
    known = dict.fromkeys(dataset for study in studies for dataset in study.datasets)
    if unknown := set(options.datasets or ()) - set(known):
        raise UsageError(
            f"--datasets {','.join(sorted(unknown))} should be among {', '.join(known)}"
        )
    arms = dict.fromkeys(arm for study in studies for arm in study.arms)
    if strange := [arm for arm in options.arms or () if arm not in arms]:
        raise UsageError(
            f"--arm {strange[0]!r} should be one of {', '.join(repr(arm) for arm in arms)}"
        )
    planned, n_planned = [], 0
    for study in studies:
        datasets = tuple(
            d for d in study.datasets if options.datasets is None or d in options.datasets
        )
        whole = plan(study, options.seeds, datasets)
        n_planned += len(whole)
        runs = part_of_plan(whole, *options.part)
        planned.append((study, [r for r in runs if options.arms is None or r.arm in options.arms]))
    if options.seeds and not n_planned:
        raise UsageError(
            f"--seeds {options.seeds.start}-{options.seeds.stop - 1}: no arm of "
            f"{', '.join(study.name for study in studies)} is registered for one of them; "
            "without --seeds all come that are"
        )
    return planned


def _device(text: str) -> str:
    if text == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", text)
    if not match:
        raise UsageError(f"--device {text} should be cpu, cuda or cuda:NUMBER")
    if text != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"--device {text} is not there; torch sees {torch.cuda.device_count()} GPUs here"
        )
    return text


def _studies(options: argparse.Namespace) -> None:
    for study in STUDIES.values():
        runs = plan(study)
        stage = f"stage {study.stage}" if study.stage else ""
        size = f"{len(runs):4} runs of {runs[0].settings.epochs:3} epochs"
        print(f"{study.name:14} {stage:7} {size}  {study.question}")


def _check(options: argparse.Namespace) -> int:
    return 0 if check_device(_device(options.device)) else 1


def _run(options: argparse.Namespace) -> None:
    if options.jobs < 1:
        raise UsageError(f"--jobs {options.jobs} should be at least 1")
    device = _device(options.device)
    limit_threads()
    left: dict[PlannedRun, State] = {}
    for study, runs in _planned(options):
        states = {run: state(run, options.folder, options.results) for run in runs}
        if refused := [how.why for how in states.values() if how.kind == "refused"]:
            raise RunRefused(refused[0])
        ours = {run: how for run, how in states.items() if not how.ended}
        pairing = Pairing(study, options.results, options.folder)
        print(f"{study.name}: {study.question}")
        print(
            f"{len(runs)} runs, {len(runs) - len(ours)} of them finished"
            f"{_of_unlike_code(_unlike(pairing, states))}; "
            f"{sum(_epochs(ours).values()):,} epochs to make"
        )
        _check_code(pairing, ours, options.anyway)
        if options.dry_run:
            for (dataset, arm), n in Counter(
                (run.settings.dataset, run.arm) for run in ours
            ).items():
                print(f"  {dataset:14} {arm:45} x {n}")
        left |= ours
    if not options.ray and (line := slow_bf16(left, device)):
        print(line, flush=True)
    if options.dry_run:
        if left:
            print(
                f"about {minutes(_epochs(left), device):.0f} minutes on {device}, "
                "from a few steps just timed"
            )
        return
    done = {run.place: how.epochs for run, how in left.items()}
    progress = Progress(list(left), done, show=not options.quiet)
    runs, folder = list(left), options.folder
    try:
        if options.ray:
            from .on_ray import run_on_ray

            run_on_ray(
                runs, folder, options.ray, gpus_per_run=options.gpus_per_run, progress=progress
            )
        elif options.jobs > 1:
            run_side_by_side(runs, folder, options.jobs, device=device, progress=progress)
        else:
            run_here(runs, folder, device=device, on_epoch=progress.epoch, on_end=progress.ended)
    finally:
        progress.bar.close()
    places = (("--folder", options.folder, RUNS), ("--results", options.results, RESULTS))
    given = [part for flag, path, usual in places if path != usual for part in (flag, str(path))]
    gather = shlex.join([*options.studies, *given])
    print(f"done; gather the results: python -m companion collect {gather}")


def _check_code(pairing: Pairing, left: dict[PlannedRun, State], anyway: bool) -> None:
    """RunRefused if runs to make would be compared with nothing, unless that is wanted."""
    own = code()["digest"]
    alone = [run for run in left if not pairing.alike(run, own)]
    if not alone:
        return
    study, settings = pairing.study, alone[0].settings
    wanted = pairing.wanted(settings.dataset, settings.seed) or {}
    others = f"stage {study.stage}" if study.stage else f"seed {settings.seed} on record"
    text = (
        f"{len(alone)} of the {len(left)} runs to make of {study.name} would be compared with "
        f"nothing: the runs of {others} are made by code with the digest {wanted['digest']}, and "
        f"this code has {own}, of which nobody has shown that it trains alike "
        f"(same_training in {pairing.results / 'registration.json'})"
    )
    if not anyway:
        commit = wanted["commit"] or "with that digest"
        raise RunRefused(
            f"{text}. Make them from commit {commit}, or with --anyway as a study of their own, "
            f"which is not collected into {pairing.results / study.name}"
        )
    print(f"{text}. They are made as a study of their own", flush=True)


def _unlike(pairing: Pairing, states: dict[PlannedRun, State]) -> list[State]:
    """Runs that ended under other code than those that they would be compared with."""
    return [how for run, how in states.items() if how.ended and not pairing.alike(run, how.code)]


def _of_unlike_code(unlike: list) -> str:
    return f", {len(unlike)} of them of unlike code (not compared)" if unlike else ""


def _epochs(left: dict[PlannedRun, State]) -> dict[PlannedRun, int]:
    """Epochs still to be made."""
    return {run: run.settings.epochs - how.epochs for run, how in left.items()}


def _status(options: argparse.Namespace) -> None:
    planned = _planned(options)
    _look_in(folder=options.folder, results=options.results)
    width = max((len(run.name) for _, runs in planned for run in runs), default=0)
    everything: list[State] = []
    everything_unlike: list[State] = []
    for study, runs in planned:
        found = {run: state(run, options.folder, options.results) for run in runs}
        unlike = _unlike(Pairing(study, options.results, options.folder), found)
        states = list(found.values())
        everything, everything_unlike = everything + states, everything_unlike + unlike
        for run, how in found.items():
            if not options.quiet:
                last = how.why if how.accuracy is None else f"{how.accuracy:.2%}"
                epochs = f"{how.epochs:3}/{run.settings.epochs}"
                print(f"{run.name:{width}}  {how.kind:9}  {epochs}  {last}".rstrip())
        stage = f" (stage {study.stage})" if study.stage else ""
        print(f"{study.name}{stage}: {_counts(states, unlike)}")
    if len(planned) > 1:
        print(f"in all: {_counts(everything, everything_unlike)}")


def _counts(states: list[State], unlike: list[State]) -> str:
    numbers = Counter(how.kind for how in states)
    under_way = sum(how.epochs for how in states if how.kind == "under way")
    return ", ".join(
        f"{n} {kind}"
        + (f" ({under_way:,} epochs so far)" if kind == "under way" else "")
        + _of_unlike_code([how for how in unlike if how.kind == kind])
        for kind in ("finished", "diverged", "under way", "waiting", "refused")
        if (n := numbers[kind])
    ) or "no runs"  # fmt: skip


def _collect(options: argparse.Namespace) -> int:
    failed = 0
    if options.folder != RUNS:
        _look_in(folder=options.folder)
    for name in dict.fromkeys(options.studies):
        try:
            # Without the folders: they name a machine, and the records are the same wherever.
            command = f"python -m companion collect {name}"
            left_out: list[Path] = []
            manifest = collect(
                STUDIES[name], options.folder, options.results, command, on_unlike=left_out.append
            )
        except (RunRefused, StorageError) as error:  # the other studies have nothing to do with it
            print(f"companion: {error}", file=sys.stderr)
            failed = 1
            continue
        folder = options.results / name
        size = sum((folder / file).stat().st_size for file in manifest["files"]) / 1e6
        unlike = manifest.get("unlike_code", [])
        print(
            f"{folder}: {manifest['runs_finished']} of {manifest['runs_planned']} runs"
            f"{_of_unlike_code(unlike)}, {size:.1f} MB"
        )
        if left_out:
            print(
                f"  {len(left_out)} more runs are of unlike code (not compared) and stay where "
                f"they are, {left_out[0].parent} the first"
            )
        for entry in manifest["mixed"]:
            keys = [key for key in ("device", "code") if key in entry]
            what = " and ".join(f"{key} {', '.join(entry[key])}" for key in keys)
            print(f"  seed {entry['seed']} on {entry['dataset']} has arms of unlike {what}")
        if early := manifest.get("before_registration"):
            print(
                f"  {len(early)} runs were begun before the protocol was registered: "
                f"{', '.join(early)}"
            )
    return failed
