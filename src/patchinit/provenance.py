"""What a record says of how it was made (a stand-in until the engine's own file is merged)."""

from __future__ import annotations

from .settings import Settings


def code_of(about: dict) -> dict:
    """Commit (or None), dirty (or None) and digest (16 hex) of the code that made a run."""
    code = about["code"]
    return code if isinstance(code, dict) else {"commit": None, "dirty": None, "digest": code}


def conditions(settings: Settings, about: dict) -> dict:
    """In what runs that are compared should not differ: device, precision and digest of the code."""
    on_gpu = any(word in about["hardware"] for word in ("NVIDIA", "GeForce", "Tesla", "AMD Instinct"))
    device = about.get("device", "cuda" if on_gpu else "cpu")
    return {"device": device, "precision": settings.precision, "code": code_of(about)["digest"]}
