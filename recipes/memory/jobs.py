"""The jobs of the memory recipe."""

from typing import Any

from recipes.jobs import RecipeJob
from recipes.memory.climbing import climb
from recipes.memory.generation import generate
from recipes.memory.gradients import explode
from recipes.memory.settings import MemorySettings, ReachSettings


def climb_rates(rates: list[float], **arguments: Any) -> list[dict[str, Any]]:
    """Climb once for each learning rate, until one has solved the longest lag."""
    climbs = []
    for rate in rates:
        climbs.append({"rate": rate, **climb(rate=rate, **arguments)})
        if climbs[-1]["solved"] == arguments["settings"].lags[-1]:
            break
    return climbs


def generate_targets(seeds: list[int], **arguments: Any) -> list[dict[str, Any]]:
    """Train one network for each target."""
    return [generate(seed=seed, **arguments) for seed in seeds]


def jobs_of(settings: MemorySettings) -> list[RecipeJob]:
    """Return all jobs of the recipe, those that take longest first."""
    seed, jobs = settings.seed, []
    reach = ReachSettings(steps_back=settings.gradients.steps_back, sequences=settings.gradients.sequences)
    for kind, climbing in (("adding", settings.adding), ("copying", settings.copying)):
        for cell in settings.cells:
            arguments = {
                "cell": cell,
                "options": _options(settings, cell),
                "rates": climbing.learning_rates,
                "seed": seed,
                "settings": climbing,
                "gradients": reach if kind == "adding" else None,
            }
            jobs.append(RecipeJob(kind, cell, climb_rates, arguments))
    seeds = list(range(seed, seed + settings.generation.targets))
    for cell in settings.generation.cells:
        for rate in settings.generation.learning_rates:
            arguments = {
                "cell": cell,
                "options": _options(settings, cell),
                "rate": rate,
                "seeds": seeds,
                "settings": settings.generation,
            }
            jobs.append(RecipeJob("generation", f"{cell}-{rate:g}", generate_targets, arguments))
    for scale in settings.gradients.scales:
        for clip in (False, True):
            name = f"{scale:g}-{'clipped' if clip else 'free'}"
            arguments = {"scale": scale, "clip": clip, "seed": seed, "settings": settings.gradients}
            jobs.append(RecipeJob("gradients", name, explode, arguments))
    return jobs


def _options(settings: MemorySettings, cell: str) -> dict[str, Any]:
    return {"engine": settings.engine, **settings.options.get(cell, {})}
