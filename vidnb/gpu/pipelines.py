"""Hugging Face diffusers as a renderer: the only module that imports torch, in the renderer's process alone.

A pipeline stays loaded until an order needs another one. Progress comes from the progress bar that every pipeline of
diffusers has; it is also where a cancel takes hold, between two steps. Start noise is drawn on the CPU, so that a seed
gives the same noise whatever the card is; everything else is asked to be deterministic, so that the bytes are the same
on the same machine.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model
from vidnb.gpu.child import FailedError, Report, Work
from vidnb.gpu.recipes import Recipe, recipe_of
from vidnb.media import tagged
from vidnb.media.mosaic import STEADY, Sound, write_mp4

if TYPE_CHECKING:
    from PIL.Image import Image

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Nothing is downloaded, whatever a library would like to."""
OWN_WAY = ("seed", "fps", "flow_shift")
"""Params that are no arguments of a call as they stand."""
PACKAGES = ("diffusers", "torch", "transformers", "accelerate")
LARGE_LINES = 720
"""From so many lines on a picture is a large one for the scheduler."""
PREVIEW_EVERY = 5
DARK = 0.002
"""A clip whose brightness varies less than this, over all its frames, shows nothing."""


@dataclass
class LoadedPipeline:
    """The pipeline that is loaded."""

    key: tuple[str, str, str]
    """Weights, class, and how memory is shared."""
    pipe: Any
    scheduler: Any
    """The checkpoint's own: an order may have asked for another shift since."""


class Diffusers:
    """Renders with the pipelines of diffusers.

    Raises:
        RuntimeError: there is no graphics card, and nobody said that the processor may do it.
    """

    def __init__(self) -> None:
        os.environ.update(OFFLINE)
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS adds up in any order
        import torch

        self._torch = torch
        self._kind = _kind(torch)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        self._pipeline: LoadedPipeline | None = None

    def device(self) -> dict[str, Any]:
        """Return which card there is, or the processor, with its memory and the versions of what renders."""
        torch = self._torch
        if self._kind == "cuda":
            card = torch.cuda.get_device_properties(0)
            name, memory = card.name, card.total_memory
        else:
            name, memory = {"mps": "Apple GPU"}.get(self._kind, "the processor (no graphics card)"), _machine_memory()
        return {"name": name, "kind": self._kind, "memory_bytes": memory, "versions": self._versions()}

    def _versions(self) -> dict[str, str]:
        found = {}
        for name in PACKAGES:
            with contextlib.suppress(PackageNotFoundError):
                found[name] = version(name)
        return {**found, "cuda": self._torch.version.cuda or ""}

    # -- one order

    def render(self, work: Work, report: Report) -> dict[str, Any]:
        """Write the clip, and return how it was made.

        Raises:
            FailedError: with the reason.
        """
        model = catalog.load()[work.model]
        recipe = recipe_of(model)
        report.phase("loading")
        try:
            pipe = self._loaded(model, recipe, work)
            frames, sound = self._frames_and_sound(pipe, model, recipe, work, report)
        except self._torch.OutOfMemoryError:
            self._let_go()
            raise FailedError(_too_large(model, work), "memory") from None
        report.phase("encoding")
        facts = self._facts(pipe, recipe, work)
        told = {"model": work.model, "params": dict(work.values), "made": facts}
        write_mp4(work.output, frames, float(work.values["fps"]), tagged.text_of(told), sound, STEADY)
        return facts

    def _facts(self, pipe: Any, recipe: Recipe, work: Work) -> dict[str, Any]:
        """Return without what a seed is worth little: versions, card, precision, scheduler, revision.

        How a clip is decoded is no switch of memory alone: in tiles it has seams, in small chunks it flickers.
        """
        scheduler = getattr(pipe, "scheduler", None)
        told = {} if scheduler is None else {"class": type(scheduler).__name__, **dict(_plain(scheduler.config))}
        return {
            "pipeline": type(pipe).__name__,
            "revision": work.revision,
            "device": self.device()["name"],
            "dtype": str(pipe.dtype).removeprefix("torch."),
            "way": work.way,
            "fixed": dict(recipe.fixed),
            "tiling": recipe.tiling,
            "versions": self._versions(),
            "scheduler": told,
        }

    # -- loading

    def _loaded(self, model: Model, recipe: Recipe, work: Work) -> Any:
        """Return the pipeline for an order; the one that is held where that is it."""
        name = recipe.image if "start_image" in work.images else recipe.text
        key = (str(work.weights), name, work.way)
        if self._pipeline is None or self._pipeline.key != key:
            self._let_go()
            pipe = self._load(name, recipe, work)
            self._pipeline = LoadedPipeline(key, pipe, getattr(pipe, "scheduler", None))
        pipe = self._pipeline.pipe
        if "flow_shift" in model.params:
            pipe.scheduler = self._scheduler(self._pipeline.scheduler, recipe, work.values)
        return pipe

    def _load(self, name: str, recipe: Recipe, work: Work) -> Any:
        try:
            import diffusers

            kind = getattr(diffusers, name)
            variant = {"variant": recipe.variant} if recipe.variant and _has_variant(work, recipe.variant) else {}
            dtype = self._dtypes(recipe)
            pipe = kind.from_pretrained(work.weights, dtype=dtype, local_files_only=True, **variant)
        except (ImportError, AttributeError) as error:
            raise FailedError(f"{name} needs a newer or one more package: {error} (vidnb[local])", "missing") from error
        except (OSError, ValueError, KeyError) as error:
            raise FailedError(f"the weights in {work.weights} cannot be loaded: {error}", "weights") from error
        if recipe.tiling:
            pipe.vae.enable_tiling()
        if work.way == "model":
            pipe.enable_model_cpu_offload()
        elif work.way == "sequential":
            pipe.enable_sequential_cpu_offload()
        else:
            pipe.to(self._kind)
        return pipe

    def _dtypes(self, recipe: Recipe) -> Any:
        """Return the precision of each part; the processor knows 32 bits best."""
        if self._kind == "cpu":
            return self._torch.float32
        usual = getattr(self._torch, recipe.dtype)
        parts = {name: getattr(self._torch, dtype) for name, dtype in recipe.parts.items()}
        return {**parts, "default": usual} if parts else usual

    def _scheduler(self, own: Any, recipe: Recipe, values: Mapping[str, Any]) -> Any:
        """Return the scheduler with the shift that an order asks for, or the usual one; else the checkpoint's own."""
        import diffusers

        large = min(values["width_px"], values["height_px"]) >= LARGE_LINES
        shift = values.get("flow_shift") or recipe.flow_shift.get("large" if large else "small")
        kind = getattr(diffusers, recipe.scheduler) if recipe.scheduler else type(own)
        return kind.from_config(own.config, **({} if shift is None else {recipe.shift: float(shift)}))

    def _let_go(self) -> None:
        """Give the memory of the loaded pipeline back."""
        self._pipeline = None
        gc.collect()
        if self._kind == "cuda":
            self._torch.cuda.empty_cache()

    # -- making

    def _frames_and_sound(
        self, pipe: Any, model: Model, recipe: Recipe, work: Work, report: Report
    ) -> tuple[list[Image], Sound | None]:
        """Return the frames, and the sound of a model that makes some."""
        from PIL import Image as pictures

        given = self._arguments(pipe, model, recipe, work)
        pipe.progress_bar = lambda iterable=None, total=None: _Bar(report, total or int(work.values["steps"]))
        if "callback_on_step_end" in inspect.signature(pipe.__call__).parameters:
            given["callback_on_step_end"] = _Previews(report, work.values)
        try:
            result = pipe(**given, output_type="np")
        except ValueError as error:
            raise FailedError(str(error)) from error
        finally:
            pipe.maybe_free_model_hooks()
        frames = result.frames[0]
        _check(frames)
        whole = (frames * 255).round().clip(0, 255).astype("uint8")
        sound = Sound(_channels(result.audio), int(pipe.vocoder.config.output_sampling_rate)) if recipe.sound else None
        return [pictures.fromarray(frame) for frame in whole], sound

    def _arguments(self, pipe: Any, model: Model, recipe: Recipe, work: Work) -> dict[str, Any]:
        """Return what the pipeline is called with.

        Raises:
            FailedError: this version of diffusers does not take one of the values.
        """
        values = work.values
        given = {
            str(param.wire): values[name]
            for name, param in model.params.items()
            if name in values and name not in OWN_WAY and param.kind not in MEDIA_KINDS and param.wire
        }
        given |= recipe.fixed
        if recipe.fps:
            given[recipe.fps] = values["fps"]
        if "start_image" in work.images:
            given["image"] = _fitting(work, int(values["width_px"]), int(values["height_px"]))
        known = inspect.signature(pipe.__call__).parameters
        if unknown := sorted(set(given) - set(known)):
            raise FailedError(f"{type(pipe).__name__} of this version of diffusers takes no {', '.join(unknown)}")
        return {**given, "generator": self._torch.Generator("cpu").manual_seed(int(values["seed"]))}


class _Bar:
    """Stands where a pipeline shows its progress bar: each step is told, and a cancel takes hold."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._total = total
        self._done = 0

    def __enter__(self) -> _Bar:
        self._report.step(0, self._total)
        return self

    def __exit__(self, *_: object) -> None:
        if self._done >= self._total:
            self._report.phase("decoding")

    def update(self, count: int = 1) -> None:
        """Tell that so many more steps are done."""
        self._done += count
        self._report.step(self._done, self._total)


class _Previews:
    """Called by a pipeline after each step: shows now and then what the latents look like.

    They are no picture yet: their three strongest components are shown as red, green and blue, which costs nothing
    beside a step and shows where things are.
    """

    def __init__(self, report: Report, values: Mapping[str, Any]) -> None:
        self._report = report
        self._values = values

    def __call__(self, pipe: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Return the tensors as they are."""
        if step % PREVIEW_EVERY == 0:
            with contextlib.suppress(AttributeError, RuntimeError, ValueError):  # no clip fails for its preview
                if (plane := _middle(pipe, tensors.get("latents"), self._values)) is not None:
                    self._report.preview(_seen(plane))
        return tensors


def _middle(pipe: Any, latents: Any, values: Mapping[str, Any]) -> Any:
    """Return the middle frame of the latents as channels by rows by columns; None where their shape is not known."""
    if latents is None:
        return None
    if latents.ndim == 3:  # LTX: tokens by channels
        rows, columns = (int(values[name]) // pipe.vae_spatial_compression_ratio for name in ("height_px", "width_px"))
        if latents.shape[1] % (rows * columns):
            return None
        frames = latents[0].reshape(-1, rows, columns, latents.shape[2]).permute(0, 3, 1, 2)
    elif latents.ndim == 5:
        channels = pipe.vae.config.get("z_dim") or pipe.vae.config.get("latent_channels")
        # CogVideoX and SVD have frames by channels, Wan and Hunyuan channels by frames.
        frames = latents[0] if latents.shape[2] == channels else latents[0].transpose(0, 1)
    else:
        return None
    return frames[len(frames) // 2].float().cpu()


def _seen(plane: Any) -> Image:
    """Return a picture of the three strongest components of a frame of latents."""
    import torch
    from PIL import Image as pictures

    channels, rows, columns = plane.shape
    flat = plane.reshape(channels, rows * columns)
    flat = flat - flat.mean(dim=1, keepdim=True)
    shown = torch.linalg.svd(flat, full_matrices=False).Vh[:3]
    low, high = shown.amin(dim=1, keepdim=True), shown.amax(dim=1, keepdim=True)
    scaled = ((shown - low) / (high - low).clamp(min=1e-6) * 255).to(torch.uint8)
    padded = torch.zeros(3, rows * columns, dtype=torch.uint8)
    padded[: len(scaled)] = scaled
    image = pictures.fromarray(padded.reshape(3, rows, columns).permute(1, 2, 0).numpy())
    return image.resize((columns * 8, rows * 8))


def _kind(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    if os.environ.get("VIDNB_GPU_CPU") == "1":
        return "cpu"
    raise RuntimeError(
        "torch sees no graphics card here; vidnb gpu --cpu goes on with the processor, and takes hours for a clip"
    )


def _machine_memory() -> int:
    """Return the machine's memory in bytes; as if it were large where nobody can say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 10**12


def _has_variant(work: Work, variant: str) -> bool:
    """Return whether the files of a precision are there; the plain ones are taken otherwise."""
    return next(work.weights.glob(f"*/*.{variant}.safetensors"), None) is not None


def _fitting(work: Work, width: int, height: int) -> Image:
    """Return the start image cut and scaled to the size of the clip: a pipeline would stretch it."""
    from PIL import Image as pictures
    from PIL import ImageOps

    with pictures.open(work.images["start_image"]) as image:
        return ImageOps.fit(image.convert("RGB"), (width, height), pictures.Resampling.LANCZOS)


def _check(frames: Any) -> None:
    """Refuse frames that show nothing, as half precision gives them when it overflows.

    Raises:
        FailedError: they hold no numbers, or one colour.
    """
    import numpy as np

    if not np.isfinite(frames).all():
        raise FailedError("the frames hold no numbers (NaN): this model overflows in this precision here", "picture")
    if float(frames.std()) < DARK:
        raise FailedError("all frames are of one colour: this model overflows in this precision here", "picture")


def _channels(audio: Any) -> Any:
    """Return the sound of a clip as channels by samples."""
    samples = audio[0].float().cpu().numpy()
    return samples.reshape(1, -1) if samples.ndim == 1 else samples[:2]


def _too_large(model: Model, work: Work) -> str:
    frames = model.params["num_frames"]
    fewer = frames.nearest_step(int(work.values["num_frames"]) / 2)
    hint = f"try num_frames={fewer} or a smaller size" if not frames.choices else "try a smaller size"
    return f"the card's memory is used up by this clip (memory shared: {work.way}); {hint}"


def _plain(config: Any) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in dict(config).items() if not name.startswith("_"))

