"""This machine as another processor would see it: environments to start a child process in.

What a library computes with is chosen when it loads, so only a process of its own can be held down.
"""

import os

# Each library has a switch of its own. MKL_CBWR changes torch's matrix products on any processor.
HELD_DOWN = {
    "OPENBLAS_CORETYPE": "Haswell",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}
THREAD_COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment(*, held_down: bool, threads: int) -> dict[str, str]:
    """This process's environment, for a child, with the given processor and threads."""
    switches = (*HELD_DOWN, "NPY_DISABLE_CPU_FEATURES")
    ours = {key: value for key, value in os.environ.items() if key not in switches}
    # Threads that wait sleep: those that spin cost tens of times more where something else runs.
    ours |= dict.fromkeys(THREAD_COUNTS, str(threads)) | {"OMP_WAIT_POLICY": "passive"}
    if held_down:
        ours |= HELD_DOWN
        if features := avx512_features():
            ours["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
    return ours


def avx512_features() -> list[str]:
    """What numpy would use of AVX-512 here, in the names that NPY_DISABLE_CPU_FEATURES takes."""
    from numpy._core import _multiarray_umath as umath  # type: ignore[attr-defined]

    # numpy 2.4 groups them, X86_V4 being the first group with AVX-512; numpy warns of other names.
    used = filter(umath.__cpu_features__.get, umath.__cpu_dispatch__)
    return [name for name in used if name.startswith("AVX512") or name == "X86_V4"]
