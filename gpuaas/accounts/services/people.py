"""Everything that changes people."""

from gpuaas.accounts.models import OrganisationRole, User


def ensure_user(
    *,
    username: str,
    password: str,
    email: str,
    first_name: str = "",
    last_name: str = "",
    organisation_role: OrganisationRole = OrganisationRole.NONE,
) -> User:
    """Return the user of that name; make it first if there is none.

    An existing user is left as it is, password included.
    """
    existing = User.objects.filter(username=username).first()
    if existing is not None:
        return existing
    is_admin = organisation_role == OrganisationRole.PLATFORM_ADMIN
    return User.objects.create_user(
        username=username,
        password=password,
        email=email,
        first_name=first_name,
        last_name=last_name,
        organisation_role=organisation_role,
        is_staff=is_admin,
        is_superuser=is_admin,
    )
