"""Images with their labels: published sets, offline stand-ins, a folder of one's own."""

from importlib.util import find_spec

for _package in ("torchvision", "PIL", "tqdm"):
    if find_spec(_package) is None:
        raise ModuleNotFoundError(
            f"patchinit.data needs {_package}, which is not installed; "
            "pip install 'patchinit[data]'",
            name=_package,
        )

from .batches import PictureBatches
from .catalogue import DATASETS, PUBLISHED, DataSet
from .images import Images
from .load import load_images
from .published import DatasetDamaged, DatasetUnavailable, default_root
from .stand_ins import StandInWarning

__all__ = [
    "DATASETS",
    "PUBLISHED",
    "DataSet",
    "DatasetDamaged",
    "DatasetUnavailable",
    "Images",
    "PictureBatches",
    "StandInWarning",
    "default_root",
    "load_images",
]
