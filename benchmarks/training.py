"""Images per second of the trainer against the loop that everyone writes, in one run.

The plain loop: torch's DataLoader over torchvision's ToTensor, eager steps in fp32, Adam as torch
builds it by default; network, batches and start are the same, and the images noise. Printed: the
losses of the first steps; images per second of both, by turns, and the ratio (median over the
turns); the share of this device's matrix product in the same precision. On a CPU also two processes
of one thread each, as a study is made there, against two plain loops and one of two threads.
"""

import multiprocessing
import statistics
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor

from companion.runs.cost import forward_flops
from companion.runs.process import prepare_process
from companion.runs.settings import Settings
from companion.runs.trainer import Trainer
from companion.simpleconv import SimpleConv
from patchinit.data import Images

SHAPES = {"cifar10": (3, 32), "fashion_mnist": (1, 28)}
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "tf32": torch.float32}
Times = list[tuple[float, float]]  # of each turn, by the clock and of the processor
Team = tuple[str, int, int]  # "plain" or a precision, number of processes, threads of each


class AsEveryoneDoes(Dataset):
    """Images as torchvision's data sets give them: one by one, from an array, through ToTensor."""

    def __init__(self, images: Images):
        self.pixels = images.images.permute(0, 2, 3, 1).numpy()
        self.labels = images.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return to_tensor(self.pixels[index]), self.labels[index]


def noise(dataset: str, n: int) -> Images:
    channels, size = SHAPES[dataset]
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (n, channels, size, size), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (n,), generator=generator)
    return Images(pixels, labels, tuple("0123456789"), "noise", "train")


def new_model(settings: Settings) -> SimpleConv:
    torch.manual_seed(0)
    return SimpleConv(SHAPES[settings.dataset][0], 10, widths=settings.widths)


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


def plain_loop(settings: Settings, images: Images, device: str, workers: int):
    model = new_model(settings).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    loader = DataLoader(
        AsEveryoneDoes(images), batch_size=settings.batch_size, shuffle=True, num_workers=workers,
        pin_memory=device == "cuda", persistent_workers=workers > 0,
    )  # fmt: skip
    return lambda: plain_epoch(model, loader, optimizer, device)


def train_when_asked(
    connection, kind: str, threads: int, settings: Settings, n: int, device: str, workers: int
) -> None:
    """One process, as the trainer sets flags of its process: an epoch for every message."""
    torch.set_num_threads(threads)
    images = noise(settings.dataset, n)
    if kind == "plain":
        epoch = plain_loop(settings, images, device, workers)
    else:
        settings = replace(settings, precision=kind)
        prepare_process(device, kind)
        epoch = Trainer(new_model(settings), images, images, settings, device=device).train_epoch
    while connection.recv():
        begun = time.process_time()
        epoch()
        if device == "cuda":
            torch.cuda.synchronize()
        connection.send(time.process_time() - begun)


def start(team: Team, *arguments) -> list:
    """A team's processes; the ends to talk to them by."""
    kind, n_processes, threads = team
    context = multiprocessing.get_context("spawn")
    ends = []
    for _ in range(n_processes):
        ours, theirs = context.Pipe()
        given = (theirs, kind, threads, *arguments)
        context.Process(target=train_when_asked, args=given, daemon=True).start()
        ends.append(ours)
    return ends


def seconds(ends: list) -> tuple[float, float]:
    """Time of an epoch that a team make at once, until the last is done, and mean CPU time."""
    begun = time.perf_counter()
    for end in ends:
        end.send(True)
    spent = [end.recv() for end in ends]
    return time.perf_counter() - begun, statistics.mean(spent)


def compare_speed(
    settings: Settings, teams: list[Team], turns: int, n: int, device: str, workers: int
) -> None:
    at_work = {team: start(team, settings, n, device, workers) for team in teams}
    rounds = [{team: seconds(ends) for team, ends in at_work.items()} for _ in range(2 + turns)]
    spent = {team: [times[team] for times in rounds[2:]] for team in teams}  # two turns warm up
    for ends in at_work.values():
        for end in ends:
            end.send(False)
    for team in teams:
        kind, n_processes, threads = team
        wall, cpu = (statistics.median(times) for times in zip(*spent[team], strict=True))
        rate = n * n_processes / wall
        text = f"  {kind:5} {n_processes} x {threads} threads {rate:9,.0f} images/s"
        if device == "cpu" and threads == 1:
            text += f", {n / cpu:7,.0f} a CPU second"
        if n_processes * threads == 1 and (kind != "plain" or device == "cuda"):
            text += share_of_product(settings, kind, n / (cpu if device == "cpu" else wall), device)
        for plain in teams if kind != "plain" else ():
            if plain[0] == "plain" and plain[1] * plain[2] == n_processes * threads:
                text += ratio(spent[team], n_processes, spent[plain], plain)
        print(text, flush=True)


def ratio(ours: Times, n_processes: int, theirs: Times, plain: Team) -> str:
    """How many times the plain loop's speed: the median of the turns, which slow both alike."""
    _, n_plain, threads = plain
    pairs = list(zip(ours, theirs, strict=True))
    wall = statistics.median(n_processes / a[0] * b[0] / n_plain for a, b in pairs)
    text = f"; {wall:.2f} x plain {n_plain} x {threads}"
    if threads == 1:  # of two threads one waits for the other, and spends CPU time on that
        text += f" ({statistics.median(b[1] / a[1] for a, b in pairs):.2f} by CPU time)"
    return text


def share_of_product(settings: Settings, kind: str, rate: float, device: str) -> str:
    # Forwards, and backwards twice as much, except that nobody needs the images' gradient.
    channels, size = SHAPES[settings.dataset]
    first = 2 * (size - 2) ** 2 * 9 * channels * 9 * channels
    achieved = rate * (3 * forward_flops(settings) - first)
    kind = "fp32" if kind == "plain" else kind
    product = matrix_rate(device, kind)
    share = f"{achieved / product:.0%} of a {kind} product's {product / 1e9:,.0f}"
    return f"; {achieved / 1e9:,.0f} GFLOP/s = {share}"


def matrix_rate(device: str, precision: str) -> float:
    """Floating-point operations a second of torch's fastest product of large matrices."""
    if device == "cuda":
        torch.backends.cuda.matmul.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    size, repeats = (8192, 20) if device == "cuda" else (1024, 5)
    a = torch.randn(size, size, device=device).to(TYPES[precision])
    ways = [lambda: a @ a]
    if device == "cpu":  # as a convolution of 1x1 it goes to oneDNN; MKL, in fp32, may be slower
        maps, weight = a.T.reshape(1, size, 32, size // 32), a.reshape(size, size, 1, 1)
        ways.append(lambda: F.conv2d(maps, weight))
    clock = time.perf_counter if device == "cuda" else time.process_time  # free of other work
    best = 0.0
    with torch.no_grad():
        for product in ways:
            for _ in range(6):  # the first warms up
                begun = clock()
                for _ in range(repeats):
                    product()
                if device == "cuda":
                    torch.cuda.synchronize()
                best = max(best, repeats * 2 * size**3 / (clock() - begun))
    return best


def compare_first_steps(settings: Settings, precisions: list[str], device: str) -> None:
    """Print the first steps' losses on the same batches: Adam's are signs, so rounding shows."""
    few = noise(settings.dataset, 5 * settings.batch_size)
    losses = {}
    for precision in precisions:
        of_this = replace(settings, precision=precision)
        prepare_process(device, precision)
        trainer = Trainer(new_model(settings), few, few, of_this, device=device)
        order = trainer.batches.draw(1)[0].cpu()
        losses[precision] = []
        parts = [part.split(settings.batch_size) for part in trainer.batches.draw(1)]
        for batch in zip(*parts, strict=True):
            trainer.loss_sum.zero_()
            trainer.model.train()
            trainer._step(*batch)
            losses[precision].append(trainer.loss_sum.item() / settings.batch_size)
    model = new_model(settings).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    few = AsEveryoneDoes(few)
    batches = DataLoader(few, batch_size=settings.batch_size, sampler=order.tolist())
    plain = [loss.item() for loss in plain_epoch(model, batches, optimizer, device)]
    print(f"  first losses, plain {' '.join(f'{loss:.5f}' for loss in plain)}")
    for precision, ours in losses.items():
        gap = max(abs(a - b) for a, b in zip(ours, plain, strict=True))
        text = " ".join(f"{loss:.5f}" for loss in ours)
        print(f"  first losses, {precision}  {text}  largest difference {gap:.1e}")


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    found = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=found, choices=["cpu", "cuda"])
    parser.add_argument("--images", type=int, help="in an epoch (50,000, or 256 on a CPU)")
    parser.add_argument("--widths", type=int, nargs="+", help="blocks 2 to 11 (64; CPU: 16 32)")
    parser.add_argument("--datasets", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--turns", type=int, default=7, help="epochs of each, by turns")
    options = parser.parse_args()
    device, on_gpu = options.device, options.device == "cuda"
    torch.set_num_threads(1)
    precisions = ["fp32", "tf32", "bf16"] if on_gpu else ["fp32", "bf16"]
    teams: list[Team] = [(kind, 1, 1) for kind in ("plain", *precisions)]
    if not on_gpu:
        teams += [("plain", 2, 1), ("plain", 1, 2), ("fp32", 2, 1), ("bf16", 2, 1)]
    n = options.images or (50_000 if on_gpu else 256)
    workers = 8 if on_gpu else 0  # of the DataLoader
    hardware = torch.cuda.get_device_name() if on_gpu else "CPU"
    size = f"{n:,} images, batch {options.batch}, {options.turns} turns"
    print(f"{hardware}, torch {torch.__version__}, {size}")
    for dataset in options.datasets:
        for width in options.widths or ([64] if on_gpu else [16, 32]):
            change = {"batch_size": options.batch, "widths": (width,) * 10}
            settings = Settings(dataset=dataset, epochs=999, **change)
            print(f"{dataset}'s shape, 10 x {width}")
            compare_first_steps(settings, precisions, device)
            compare_speed(settings, teams, options.turns, n, device, workers)


if __name__ == "__main__":
    main()
