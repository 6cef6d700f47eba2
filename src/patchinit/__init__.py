"""Initialise a convolution's filters from image patches.

The companion module of the book "Filters from Patches". In a network of one's own::

    from patchinit import initialize_first_layer_

    initialize_first_layer_(model, images, method="principal_components", norm="keep")
"""

from .filters.methods import METHODS, make_filters
from .init import (
    from_images_,
    initialize_all_layers_,
    initialize_first_layer_,
    set_filters_,
)

__version__ = "0.2.0"
__all__ = [
    "METHODS",
    "from_images_",
    "initialize_all_layers_",
    "initialize_first_layer_",
    "make_filters",
    "set_filters_",
]
