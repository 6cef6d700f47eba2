"""Images with their labels: published sets, offline stand-ins, a folder of one's own."""

from ..needs import require

require("data")

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
    "StandInWarning",
    "default_root",
    "load_images",
]
