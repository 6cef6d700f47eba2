"""What the chapters of this build cost."""

import json
from pathlib import Path


def costs(executed: Path) -> dict[str, tuple[float, float]]:
    """{chapter: (seconds, peak memory in GB)} from the records beside the executed chapters."""
    paths = sorted(executed.glob("*.json"))
    records = {path.stem: json.loads(path.read_text("utf-8")) for path in paths}
    return {name: (of["seconds"], of["peak_memory"] / 1e9) for name, of in records.items()}
