"""Everything that changes teams."""

from gpuaas.accounts.models import Team


def ensure_team(*, name: str, slug: str, cost_centre: str = "") -> Team:
    """Return the team with that slug; make it first if there is none."""
    team, _ = Team.objects.get_or_create(
        slug=slug, defaults={"name": name, "cost_centre": cost_centre}
    )
    return team
