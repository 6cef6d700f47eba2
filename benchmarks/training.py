"""Images per second of the trainer against the loop that everyone writes, in one run.

The plain loop: torch's DataLoader with workers over torchvision's ToTensor, eager steps in fp32,
an optimiser as torch builds it by default. The same network, batch size, images and start. Printed:
images per second of both and their ratio, the losses of the first steps side by side, and the
share of the machine's measured matrix-product rate that the trainer reaches. Needs no data set:
the images are noise of CIFAR-10's shape, which costs the same.
"""

from __future__ import annotations

import argparse
import copy
import time

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor

from patchinit.data import Images
from patchinit.models import SimpleConv
from patchinit.settings import Settings
from patchinit.studies import forward_flops
from patchinit.training import Trainer


class AsEveryoneDoes(Dataset):
    """Images as torchvision's data sets hand them out: one at a time, from an array, through ToTensor."""

    def __init__(self, images: Images):
        self.pixels = images.images.permute(0, 2, 3, 1).numpy()
        self.labels = images.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return to_tensor(self.pixels[index]), self.labels[index]


def plain_epoch(model, loader, optimizer, device) -> list[torch.Tensor]:
    model.train()
    losses = []
    for images, labels in loader:
        images, labels = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return losses


def seconds(work, device) -> float:
    """Time that the work takes, the device's share included."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def matrix_rate(device: str, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product."""
    size = 8192 if device == "cuda" else 1024
    a = torch.randn(size, size, device=device).to(dtype)
    a @ a
    repeats = 20
    return repeats * 2 * size**3 / seconds(lambda: [a @ a for _ in range(repeats)], device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=int, help="in an epoch (default: 50,000 on a GPU, 1,024 on a CPU)")
    parser.add_argument("--width", type=int, default=64, help="filters of each block after the first (default: 64)")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--workers", type=int, help="of the DataLoader (default: 8 on a GPU, 0 on a CPU)")
    parser.add_argument("--repeats", type=int, default=3, help="epochs of each, by turns; the fastest counts")
    options = parser.parse_args()
    device = options.device
    on_gpu = device == "cuda"
    n = options.images or (50_000 if on_gpu else 1_024)
    workers = (8 if on_gpu else 0) if options.workers is None else options.workers
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (n, 3, 32, 32), dtype=torch.uint8, generator=generator)
    images = Images(noise, torch.randint(10, (n,), generator=generator), tuple("0123456789"), "noise", "train")
    settings = Settings(epochs=99, batch_size=options.batch, widths=(options.width,) * 10)
    torch.manual_seed(0)
    start = SimpleConv(3, 10, widths=settings.widths)

    plain = copy.deepcopy(start).to(device)
    plain_optimizer = torch.optim.Adam(plain.parameters(), lr=settings.learning_rate)
    loader = DataLoader(
        AsEveryoneDoes(images), batch_size=options.batch, shuffle=True, num_workers=workers,
        pin_memory=on_gpu, persistent_workers=workers > 0,
    )  # fmt: skip
    trainers = {p: Trainer(copy.deepcopy(start), images, images, with_precision(settings, p), device=device)
                for p in (("fp32", "bf16") if on_gpu else ("fp32",))}  # fmt: skip

    print(f"{torch.cuda.get_device_name() if on_gpu else f'{torch.get_num_threads()} CPU threads'}, "
          f"torch {torch.__version__}, {n:,} images, 10 x {options.width}, batch {options.batch}")  # fmt: skip
    compare_first_steps(start, images, settings, device)
    times: dict[str, list[float]] = {"plain loop": [], **{f"trainer, {p}": [] for p in trainers}}
    for turn in range(options.repeats + 1):  # the first turn warms up
        spent = {"plain loop": seconds(lambda: plain_epoch(plain, loader, plain_optimizer, device), device)}
        for precision, trainer in trainers.items():
            spent[f"trainer, {precision}"] = seconds(trainer.train_epoch, device)
        for name, value in spent.items() if turn else ():
            times[name].append(value)
    best = {name: min(values) for name, values in times.items()}
    for name, value in best.items():
        rate = 3 * forward_flops(settings) * n / value
        dtype = torch.bfloat16 if "bf16" in name else torch.float32
        share = rate / matrix_rate(device, dtype)
        print(f"{name:14} {n / value:10,.0f} images/s   {best['plain loop'] / value:5.2f} x plain   "
              f"{rate / 1e12:7.3f} TFLOP/s = {share:.0%} of a {str(dtype)[6:]} matrix product's")  # fmt: skip


def with_precision(settings: Settings, precision: str) -> Settings:
    return Settings(epochs=settings.epochs, batch_size=settings.batch_size, widths=settings.widths, precision=precision)


def compare_first_steps(start, images: Images, settings: Settings, device: str, n_steps: int = 5) -> None:
    """Losses of the first steps, both in fp32, on the same batches."""
    few = Images(images.images[: n_steps * settings.batch_size], images.labels[: n_steps * settings.batch_size],
                 images.classes, "noise", "train")  # fmt: skip
    trainer = Trainer(copy.deepcopy(start), few, few, settings, device=device)
    order = trainer._draw(1)[0].cpu()
    ours = []
    step = trainer._step

    def noted(indices, moves):
        before = trainer.loss_sum.item()
        step(indices, moves)
        ours.append((trainer.loss_sum.item() - before) / len(indices))

    trainer._step = noted
    trainer.train_epoch()
    model = copy.deepcopy(start).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    batches = DataLoader(AsEveryoneDoes(few), batch_size=settings.batch_size, sampler=order.tolist())
    theirs = [loss.item() for loss in plain_epoch(model, batches, optimizer, device)]
    gap = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    print("first losses, trainer", " ".join(f"{loss:.5f}" for loss in ours))
    print("first losses, plain  ", " ".join(f"{loss:.5f}" for loss in theirs), f"  largest difference {gap:.1e}")
    assert gap < 1e-2, "the trainer does not take the plain loop's steps"


if __name__ == "__main__":
    main()
