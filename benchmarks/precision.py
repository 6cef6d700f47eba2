"""Whether bfloat16 changes what the registered runs measure, by the rule of book/protocol.md.

Reads results/precision, which `python -m companion run precision` and `collect precision` make in
three core-hours. Ends with status 1 if a bias shows that could carry a verdict.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from companion.evidence.arms import Of
from companion.evidence.precision import compare_precisions
from companion.evidence.results import read_runs


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--results",
        type=Path,
        help="folder of collected results (default: the one found from here)",
    )
    options = parser.parse_args()
    runs = read_runs("precision", folder=options.results)
    if runs is None:
        print(
            "results/precision is not there: "
            "python -m companion run precision, then python -m companion collect precision"
        )
        return 2
    pairs = [
        runs.paired(
            "cifar10",
            *(Of(method, precision=precision) for precision in ("bf16", "fp32")),
            across_precision=True,
        )
        for method in ("principal_components", "glorot_uniform")
    ]
    checks = compare_precisions(*pairs)
    print(
        f"bf16 against fp32, {len(pairs[0][0].seeds)} seeds of components "
        f"and {len(pairs[1][0].seeds)} of Glorot; 95 %"
    )
    for check in checks:
        p = "" if check.p is None else f"p (Holm) {check.p:.2f}"
        low, high = check.interval.low, check.interval.high
        print(
            f"{check.what:50} {check.interval.estimate:+.3f} "
            f"[{low:+.3f}, {high:+.3f}] {check.unit:6} {p}"
        )
    harmful = [check.what for check in checks if check.harmful]
    print(
        "a bias that could carry a verdict: " + ", ".join(harmful)
        if harmful
        else "no bias that could carry a verdict"
    )
    return 1 if harmful else 0


if __name__ == "__main__":
    sys.exit(main())
