"""SimpleConv, the paper's network (section 4.2.1). It knows nothing of how it is initialised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


class SimpleConv(nn.Module):
    """Eleven blocks of 3x3 convolution, batch normalisation and ReLU, then a linear layer.

    The convolutions have no padding and stride 1. The first block has C * 3 * 3 filters, the
    most that principal components can fill: 27 for colour, 9 for greyscale. The paper gives
    neither the other widths, which are an argument, nor the head: here the mean of each map, then
    linear.

    Parameters
    ----------
    in_channels : int
        C of the images.
    n_classes : int
    first_width : int or None
        Filters of the first block; None: in_channels * 9.
    widths : sequence of int
        Filters of the blocks after the first; the paper has ten.
    bias : bool
        Convolutions have biases. The batch normalisation that follows subtracts them again.
    bn_eps, bn_momentum : float
        Of batch normalisation, in PyTorch's sense.

    Raises
    ------
    ValueError
        A width below 1.

    Examples
    --------
    >>> model = SimpleConv(in_channels=1)
    >>> model.first_layer
    Conv2d(1, 9, kernel_size=(3, 3), stride=(1, 1), bias=False)
    >>> model(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        in_channels: int = 3,
        n_classes: int = 10,
        *,
        first_width: int | None = None,
        widths: Sequence[int] = (64,) * 10,
        bias: bool = False,
        bn_eps: float = 1e-5,
        bn_momentum: float = 0.1,
    ):
        super().__init__()
        all_widths = [in_channels * 9 if first_width is None else first_width, *widths]
        if min(all_widths) < 1:
            raise ValueError(
                f"widths={tuple(all_widths)} (the first block first) should all be >= 1"
            )
        blocks: list[nn.Module] = []
        channels = in_channels
        for width in all_widths:
            convolution = nn.Conv2d(channels, width, kernel_size=3, bias=bias)
            blocks += [
                convolution,
                nn.BatchNorm2d(width, eps=bn_eps, momentum=bn_momentum),
                nn.ReLU(inplace=True),
            ]
            channels = width
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, n_classes)
        )

    @property
    def first_layer(self) -> nn.Conv2d:
        """The first convolution, weight of shape (first_width, in_channels, 3, 3)."""
        return cast(nn.Conv2d, self.features[0])

    @property
    def first_normalization(self) -> nn.BatchNorm2d:
        """The batch normalisation behind the first convolution."""
        return cast(nn.BatchNorm2d, self.features[1])

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape (N, n_classes) for float images of shape (N, C, H, W)."""
        return self.head(self.features(images))

    def forward_mixed(self, images: Tensor, dtype: torch.dtype) -> Tensor:
        """The same with the blocks after the first computed in `dtype`.

        The first block and the head stay in float32. The first block holds the filters that the
        book is about, and filters of little variance suffer most from few bits: a weak
        component's response is a hundredth of the pixels' own size. Its normalisation is kept
        in float32 as well: backwards it takes the mean out of a gradient, and a rounded
        gradient has a mean again, which the pixels' common brightness multiplies.
        """
        maps = self.features[:3](images)
        with torch.autocast(images.device.type, dtype):
            maps = self.features[3:](maps)
        return self.head(maps.float())

    def fits_onednn(self, dtype: torch.dtype) -> bool:
        """Whether `forward_blocked` can be had.

        In bfloat16 not with biases, nor on every processor.
        """
        if not torch.backends.mkldnn.is_available():
            return False
        if dtype == torch.float32:
            return True
        return self.first_layer.bias is None and torch.ops.mkldnn._is_mkldnn_bf16_supported()

    def forward_blocked(self, images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """`forward`, or for a shorter `dtype` `forward_mixed`, on a CPU in oneDNN's own layout.

        All maps have that layout, in which the convolutions are computed in blocks of 16
        channels. Otherwise every one of them first brings its maps into that layout and back.
        Equal but for rounding, which is less than that of channels-last maps: torch's
        normalisation of those is off by up to 5e-5. In evaluation mode it can't be
        differentiated.
        """
        maps = self.features[:3](images.to_mkldnn())
        if dtype != torch.float32:
            maps = maps.to_dense(dtype).to_mkldnn()
        return self.head(self.features[3:](maps).to_dense(torch.float32))
