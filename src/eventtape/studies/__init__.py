"""One file a question: a Config, a Result, and run(tape, event, config) -> Result."""

from eventtape.studies.diffusion import run as diffusion
from eventtape.studies.diffusion_rows import Config, DiffusionResult
from eventtape.studies.events import EVENTS, SIMULATED, Event, event_named

__all__ = ["EVENTS", "SIMULATED", "Config", "DiffusionResult", "Event", "diffusion", "event_named"]
