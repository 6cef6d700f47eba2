"""Find a network's convolutions, and what they are fed and convolve with.

A network is run on images here, on copies of them, and watched in two ways: hooks tell which layer
runs and on what, and a dispatch mode sees every convolution as an operation, also one that no layer
makes (a call of ``torch.nn.functional.conv2d``, a scripted part).
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .patches import VALUES_AT_A_TIME, as_float, check_images, plain_arithmetic

Hook = Callable[[nn.Module, tuple, dict], None]
_CONVOLUTION = re.compile(r"conv(?!ert)")  # aten::convolution, torchvision::deform_conv2d, ...
_UNINITIALIZED = (UninitializedParameter, UninitializedBuffer)


class _Reached(BaseException):
    """Ends a forward pass; no Exception, so that no network catches it."""


def check_model(model: nn.Module) -> None:
    """TypeError or ValueError unless the network is a module whose layers can be looked into."""
    kind = type(model).__name__
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {kind}; pass the torch.nn.Module, before it is exported")
    if isinstance(model, torch.jit.ScriptModule):
        raise ValueError(
            f"model is scripted ({kind}), so its layers can't be looked into; "
            "initialise the network before it is scripted or traced, "
            "or fill the layer's weight with from_images_"
        )
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if value.is_meta:
            raise ValueError(
                f"model has {name!r} on the meta device, which holds no values; "
                "give it values first: model.to_empty(device='cpu'), then its own initialisation"
            )


def convolutions(
    model: nn.Module, images: Tensor, first_only: bool = False, *, again: bool = False
) -> list[tuple[str, nn.Module]]:
    """Convolutions in the order in which they run, each once; to the first, or one that is not 2-D.

    A convolution outside of a layer is passed over where its weight is a buffer or holds nothing to
    learn (a blur whose kernel is made on the fly). ValueError where there is no convolution, the
    network doesn't run on images alone, or one with weights to learn runs outside of a layer.
    """
    found: dict[str, nn.Module] = {}
    modules = model.named_modules()
    names: dict[nn.Module, str] = {m: name for name, m in modules if isinstance(m, _ConvNd)}
    running: list[nn.Module] = []
    loose: list[Any] = []  # weight of a convolution outside of these layers
    origins = _Origins(model)

    def enter(module: nn.Module, args: tuple, kwargs: dict) -> None:
        found.setdefault(names[module], module)
        if first_only or not isinstance(module, nn.Conv2d):
            raise _Reached
        running.append(module)

    def leave(module: nn.Module, args: tuple, outputs: Any) -> None:
        running.clear()

    def see(weight: Any) -> None:
        buffers = (value for value in model.buffers() if not isinstance(value, _UNINITIALIZED))
        if running or any(_same(weight, value) for value in buffers):
            return
        if not (isinstance(weight, Tensor) and origins.fixed(weight)):
            loose.append(weight)
            raise _Reached

    failure = None
    try:
        run_watched(
            model, images, dict.fromkeys(names, enter), dict.fromkeys(names, leave), see, origins
        )
    except Exception as error:
        failure = error  # from a scripted part `_Reached` comes back as another error
    if loose:
        owner = _owner(model, loose[0])
        made = owner is not None and owner[1] not in names and isinstance(owner[1], _ConvNd)
        if made and not again:  # made by the forward pass: now it is there
            return convolutions(model, images, first_only, again=True)
        if owner is not None and made:
            raise ValueError(
                f"{type(model).__name__} makes the layer of {owner[0]!r} anew in each forward "
                "pass, so filters written there would be lost; make it once, in __init__"
            )
        sources = sorted(origins.of(loose[0]) or ()) if isinstance(loose[0], Tensor) else []
        raise ValueError(_loose_text(model, loose[0], owner and owner[0], sources, bool(found)))
    if failure is not None:
        so_far = f"after layer {list(found)[-1]!r}" if found else "before any convolution"
        raise ValueError(_failed(model, so_far, failure)) from failure
    if not found:
        kind = type(model).__name__
        raise ValueError(f"{kind} ran no convolution on these images: nothing to initialise")
    return list(found.items())


def _failed(model: nn.Module, when: str, error: Exception) -> str:
    """Why a forward pass that raised an error is refused."""
    return (
        f"{type(model).__name__} doesn't run on these images alone: {when} it raised "
        f"{type(error).__name__}: {error}. Pass the part of the network that takes images "
        "(N, C, H, W) and nothing else, or fill its layer's weight with from_images_"
    )


def _loose_text(
    model: nn.Module, weight: Any, name: str | None, sources: list[str], later: bool
) -> str:
    """Why a convolution that runs outside of a layer is refused."""
    kind = f"{type(model).__name__}'s {'next' if later else 'first'} convolution on these images"
    if not isinstance(weight, Tensor):
        return (
            f"{kind} has a packed weight ({type(weight).__name__}), as quantised layers have; "
            "initialise the network before it is quantised"
        )
    shape = tuple(weight.shape)
    if name is None and sources:
        holder = type(model.get_submodule(sources[0].rpartition(".")[0])).__name__
        names = ", ".join(map(repr, sources[:3])) + (" and more" if len(sources) > 3 else "")
        return (
            f"{kind} is outside of a layer, with a weight of shape {shape} that is no parameter: "
            f"{holder} computes it from {names}; take such an adapter or normalisation off first, "
            "or merge it. initialize_first_layer_ takes the name of another layer (layer=...)"
        )
    if name is None:
        return (
            f"{kind} is outside of a layer, with a weight of shape {shape} that is no parameter; "
            "make it a torch.nn.Conv2d, or register_buffer the weight if it is fixed"
        )
    return (
        f"{kind} takes the parameter {name!r} of shape {shape} outside of a layer (a functional "
        "call, or a scripted part); fill that with from_images_, or make it a torch.nn.Conv2d"
    )


def _same(one: Any, other: Tensor) -> bool:
    """Whether two are the same values in memory, or one a part of the other."""
    return isinstance(one, Tensor) and (
        one.numel() > 0 and one.untyped_storage().data_ptr() == other.untyped_storage().data_ptr()
    )


def _owner(model: nn.Module, weight: Any) -> tuple[str, nn.Module] | None:
    """Name of the parameter that is this weight, and the module that holds it."""
    for prefix, module in model.named_modules():
        for name, value in module.named_parameters(prefix, recurse=False):
            if not isinstance(value, _UNINITIALIZED) and _same(weight, value):
                return name, module
    return None


class _Origins:
    """From which parameters what an operation of a pass makes is computed, by what it lies in.

    Asked of storages and not of tensors, so that views and work in place count; held weakly.
    Autograd would not do: frozen parameters leave no trace there, nor does work under ``no_grad``.
    """

    def __init__(self, model: nn.Module) -> None:
        self.sources: dict[int, tuple[StorageWeakRef, frozenset[str]]] = {}
        #: Whether a constant can be taken for one: in a scripted part it may have been learned.
        self.constants = not any(isinstance(m, torch.jit.ScriptModule) for m in model.modules())
        for name, value in model.named_parameters():
            if not isinstance(value, _UNINITIALIZED):
                self._add(value, frozenset([name]))

    def _add(self, value: Tensor, names: frozenset[str]) -> None:
        with suppress(NotImplementedError, RuntimeError):  # sparse ones have no storage
            storage = StorageWeakRef(value.untyped_storage())
            names |= self.sources.get(storage.cdata, (storage, frozenset()))[1]
            self.sources[storage.cdata] = storage, names

    def of(self, value: Tensor) -> frozenset[str] | None:
        """Names of the parameters that it is computed from; None if it was there before."""
        names = None
        with suppress(NotImplementedError, RuntimeError):
            names = self.sources.get(value.untyped_storage()._cdata, (None, None))[1]
        if value.requires_grad and not names:  # as of a layer that the pass makes
            return frozenset(["a tensor that is no parameter"])
        return names

    def fixed(self, value: Tensor) -> bool:
        """Whether a tensor is made of nothing that could be learned."""
        names = self.of(value)
        return self.constants if names is None else not names

    def note(self, inputs: Any, outputs: Any) -> None:
        """Takes note of an operation."""
        values = [value for value in tree_leaves(inputs) if isinstance(value, Tensor)]
        names = frozenset[str]().union(*(self.of(value) or () for value in values))
        for value in tree_leaves(outputs):
            if isinstance(value, Tensor):
                self._add(value, names)


def takes_bytes(model: nn.Module, images: Tensor) -> bool:
    """Whether a network is to be fed uint8 as it is, since it converts it itself.

    So where it has no use for the same images divided by 255, or makes of them 1/255 of the same
    (it divides by 255, or only converts). Else it subtracts something, as a mean of colours, which
    is meant for one of the two: for those that come out closer to mean 0 and deviation 1.
    """
    if images.dtype != torch.uint8:
        return False
    with undisturbed(model):
        whole = _fed_first(model, images)
        if whole is None or not whole.is_floating_point():
            return False  # a convolution will refuse them
        shared = _fed_first(model, as_float(images))
    if shared is None or shared.shape != whole.shape:
        return True
    whole, shared = whole.double(), shared.double()
    if torch.allclose(whole, 255 * shared, rtol=0.01, atol=0.01 * float(whole.abs().max())):
        return True
    # Twice the Kullback-Leibler divergence from the standard normal distribution.
    far = (x.square().mean() - x.var(correction=0).clamp_min(1e-30).log() for x in (whole, shared))
    return bool(next(far) < next(far))


def _fed_first(model: nn.Module, images: Tensor) -> Tensor | None:
    """What the first layer that convolves is called on; None if the pass does not reach one."""
    seen: list[Tensor] = []

    def catch(module: nn.Module, args: tuple, kwargs: dict) -> None:
        seen.append(fed_to(args, kwargs))
        raise _Reached

    layers = [module for module in model.modules() if isinstance(module, _ConvNd)]
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_watched(model, images, dict.fromkeys(layers, catch))
    return seen[0].clone() if seen and isinstance(seen[0], Tensor) else None


def first_input(model: nn.Module, layer: nn.Module, images: Tensor, as_bytes: bool) -> Tensor:
    """What reaches the first layer of checked images on their device; seen some at a time.

    Where that is the images themselves they are not copied, and uint8 stays so. It is fed as it is
    if as_bytes.
    """
    feed = torch.Tensor.detach if as_bytes else as_float
    probe = feed(images[:2])
    calls = inputs_of(model, layer, probe, n_values=probe.numel())
    values = max(probe.numel(), sum(part.numel() for part in calls)) // len(probe)
    at_a_time = min(100, max(1, 4 * VALUES_AT_A_TIME // values))

    def pieces() -> Iterator[tuple[Tensor, Tensor]]:
        for part in map(feed, images.split(at_a_time)):
            yield part, input_of(model, layer, part, n_calls=len(calls))

    def unchanged(seen: Tensor, fed: Tensor) -> bool:
        return seen.dtype == fed.dtype and torch.equal(seen, fed)

    if all(unchanged(seen, as_fed(model, part)) for part, seen in pieces()):
        return images
    return check_images(torch.cat([seen.to(images.device) for _, seen in pieces()]))


def input_of_all_calls(model: nn.Module, layer: nn.Module, images: Tensor) -> Tensor:
    """What reaches a layer of the images in all its calls, checked."""
    n_calls = len(inputs_of(model, layer, images[:2], n_calls=sys.maxsize))
    return check_images(input_of(model, layer, images, n_calls=n_calls))


def input_of(model: nn.Module, layer: nn.Module, images: Tensor, *, n_calls: int = 1) -> Tensor:
    """What reaches a layer in a forward pass, shape (N, C, H, W). See `inputs_of`."""
    return torch.cat(inputs_of(model, layer, images, n_calls=n_calls))


def inputs_of(
    model: nn.Module, layer: nn.Module, images: Tensor, *, n_calls: int = 1, n_values: int = 0
) -> list[Tensor]:
    """What reaches a layer, call by call, each (n, C, H, W).

    A network may feed its layer the batch in parts. So the pass goes on until as many images as
    were passed have come, in at least n_calls calls and n_values values, or to its end. Calls with
    maps of another size than the first call's are left out. Raises ValueError if fewer images come.
    """
    seen: list[Tensor] = []
    strange: list[str] = []

    def complete() -> bool:
        values = sum(part.numel() for part in seen)
        return sum(map(len, seen)) >= len(images) and len(seen) >= n_calls and values >= n_values

    def catch(module: nn.Module, args: tuple, kwargs: dict) -> None:
        value = fed_to(args, kwargs)
        if not isinstance(value, Tensor) or value.ndim not in (3, 4):
            strange.append(f"{type(value).__name__} {tuple(getattr(value, 'shape', ()))}")
            raise _Reached
        value = value if value.ndim == 4 else value[None]
        if not seen or value.shape[1:] == seen[0].shape[1:]:
            seen.append(value)
        if complete():
            raise _Reached
        seen[-1] = seen[-1].clone()  # the pass goes on, and may write there

    try:
        run_watched(model, images, {layer: catch})
    except Exception as error:
        if sum(map(len, seen)) < len(images):
            raise ValueError(_failed(model, "on the way to it", error)) from error
    if strange:
        raise ValueError(f"{type(layer).__name__} is fed a {strange[0]}, not maps (N, C, H, W)")
    if (n_seen := sum(map(len, seen))) < len(images):
        raise ValueError(
            f"only {n_seen} of {len(images)} images reach it in a forward pass; "
            "fill its weight with from_images_ from what it should see"
        )
    return seen


def fed_to(args: tuple, kwargs: dict) -> Any:
    """What a layer is called on."""
    return args[0] if args else kwargs.get("input", next(iter(kwargs.values()), None))


def used_weight(model: nn.Module, layer: nn.Module, images: Tensor) -> Tensor | None:
    """The weight that a layer convolves with in a forward pass; None if it runs no convolution."""
    running: list[nn.Module] = []
    weights: list[Tensor] = []

    def enter(module: nn.Module, args: tuple, kwargs: dict) -> None:
        running.append(module)

    def leave(module: nn.Module, args: tuple, outputs: Any) -> None:
        raise _Reached

    def see(weight: Any) -> None:
        if running and isinstance(weight, Tensor):
            weights.append(weight.detach().clone())
            raise _Reached

    try:
        run_watched(model, images, {layer: enter}, {layer: leave}, see)
    except Exception as error:
        raise ValueError(_failed(model, "on the way through it", error)) from error
    return weights[0] if weights else None


class _Watch(TorchDispatchMode):
    """Shows the weight of every convolution that runs, and every operation to the origins."""

    def __init__(self, see: Callable[[Any], None], origins: _Origins | None) -> None:
        super().__init__()
        self.see, self.origins = see, origins

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if _CONVOLUTION.search(func._schema.name) and len(args) > 1:
            self.see(args[1])
        outputs = func(*args, **(kwargs or {}))
        if self.origins is not None:
            self.origins.note((args, kwargs), outputs)
        return outputs


def run_watched(
    model: nn.Module,
    images: Tensor,
    before: dict[nn.Module, Hook],
    after: dict[nn.Module, Any] | None = None,
    see: Callable[[Any], None] | None = None,
    origins: _Origins | None = None,
) -> None:
    """A forward pass on a copy of the images, to its end or until `_Reached`.

    Hooks stand before and after modules; see is shown the weight of every convolution, and origins
    every operation where there is a see.
    """
    # Copies of the network on several devices would carry the hooks into threads.
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    runs = model.module if isinstance(model, parallel) else model
    with ExitStack() as stack:
        for module, hook in before.items():
            handle = module.register_forward_pre_hook(hook, with_kwargs=True)
            stack.callback(handle.remove)
        for module, hook in (after or {}).items():
            stack.callback(module.register_forward_hook(hook).remove)
        # On the network's default device: it may rely on it.
        stack.enter_context(plain_arithmetic(on_cpu=False, gradients=False))
        if "torch._dynamo" in sys.modules:  # compiled code would pass the hooks by
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if see is not None:
            stack.enter_context(_Watch(see, origins))
        with suppress(_Reached):
            runs(as_fed(model, images))


def as_fed(model: nn.Module, images: Tensor) -> Tensor:
    """A copy of the images on the device and of the dtype of the network's first convolution.

    First in the order of definition; without one, those of its first parameter. uint8 stays so.
    """
    modules = [*(m for m in model.modules() if isinstance(m, _ConvNd)), model]
    parameters = (p for module in modules for p in module.parameters() if p.is_floating_point())
    first = next(parameters, None)
    if first is None:
        return images.detach().clone()
    dtype = torch.uint8 if images.dtype == torch.uint8 else first.dtype
    return images.detach().to(first.device, dtype, copy=True)


class SavedState:
    """Buffers and parameters of modules as they were."""

    def __init__(self, modules: Iterable[nn.Module], parameters: bool) -> None:
        #: By module: the table itself, what it held, and the values of that.
        self.values: dict[nn.Module, list[tuple[dict, dict, dict]]] = {}
        self.parameters = parameters
        for module in modules:
            self.keep(module)

    def keep(self, module: nn.Module) -> None:
        """Takes a module's present state for the one to go back to."""
        tables: list[dict[str, Any]]
        if isinstance(module, torch.jit.ScriptModule):  # its tables can't be written to
            tables = [dict(module.named_buffers(recurse=False))]
            if self.parameters:
                tables.append(dict(module.named_parameters(recurse=False)))
        else:
            tables = [module._buffers, module._parameters] if self.parameters else [module._buffers]
        self.values[module] = [(table, dict(table), _copies(table)) for table in tables]

    @torch.no_grad()
    def restore(self) -> None:
        """Puts back what was there, with its values, and drops what has come since."""
        for tables in self.values.values():
            for table, held, copies in tables:
                if list(table) != list(held) or any(table[n] is not held[n] for n in held):
                    table.clear()
                    table.update(held)
                for name, copy in copies.items():
                    value = table[name]
                    if value.shape != copy.shape:  # resized in place
                        value.data = copy.clone()
                    elif not torch.equal(value, copy):
                        value.copy_(copy)


def _copies(table: dict[str, Any]) -> dict[str, Tensor]:
    """Copies of the values that are there."""
    return {
        name: value.detach().clone()
        for name, value in table.items()
        if not (value is None or isinstance(value, _UNINITIALIZED) or value.is_meta)
    }


@contextmanager
def undisturbed(model: nn.Module, images: Tensor | None = None) -> Iterator[SavedState]:
    """Evaluation mode but for batch normalisation; afterwards buffers and modes are as before.

    Lazy layers get their sizes first, from the images. Yields the buffers' state, to be updated.
    """
    modes = {module: module.training for module in model.modules() if hasattr(module, "training")}
    try:
        for module in modes:
            module.training = False
        values = [*model.named_parameters(), *model.named_buffers()]
        lazy = [name for name, value in values if isinstance(value, _UNINITIALIZED)]
        if lazy and images is not None:
            _materialise(model, images, lazy)
        state = SavedState(model.modules(), parameters=False)
        for module in modes:
            module.training = isinstance(module, nn.modules.batchnorm._BatchNorm)
        try:
            yield state
        finally:
            state.restore()
    finally:
        for module, mode in modes.items():
            module.training = mode


def _materialise(model: nn.Module, images: Tensor, lazy: list[str]) -> None:
    """Run a network once so that its lazy layers get their sizes."""
    try:
        run_watched(model, images, {})
    except Exception as error:
        raise ValueError(
            f"model has the lazy parameter {lazy[0]!r}, which gets its size in a forward pass, and "
            f"on these images that raised {type(error).__name__}: {error}. "
            "Run the network once yourself first"
        ) from error
