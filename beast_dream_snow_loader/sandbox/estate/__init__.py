"""One made-up network estate that every view of the sandbox's UniFi is drawn from."""

from beast_dream_snow_loader.sandbox.estate.estate import Estate
from beast_dream_snow_loader.sandbox.estate.shape import Shape

__all__ = ["Estate", "Shape"]
