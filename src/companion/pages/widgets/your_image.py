"""The components of a reader's own photograph."""

import html
from typing import Any

from torch import Tensor

from .drag import drag, packed, paragraph


def your_image_html(reference: Tensor | None, *, leading: int = 7, name: str = "CIFAR-10") -> str:
    """The components of a reader's own photograph, computed in the browser, beside a reference.

    What the script computes is `principal_components` of all 3x3 patches of the photograph. The
    largest angle between the spaces of the `leading` components is shown. Without a reference,
    (27, 3, 3, 3), of the data set `name`, the page says so.
    """
    note = ""
    data: dict[str, Any] = {"leading": leading, "name": name}
    if reference is None:
        note = (
            f"<p><strong>This build had no {html.escape(name)}</strong>, so the components of the "
            "photograph stand alone.</p>"
        )
    elif tuple(reference.shape) != (27, 3, 3, 3):
        raise ValueError(f"reference has shape {tuple(reference.shape)}; (27, 3, 3, 3) is wanted")
    else:
        data["bank"] = packed(reference[None], bits=16)
    still = paragraph("This page computes in your browser, and its scripts are off.")
    return drag("your_image", "Components of your photograph", data, still=still, note=note)
