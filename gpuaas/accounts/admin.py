"""People, teams, memberships, API tokens, and the trail of what happened, in the admin site."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone

from gpuaas.accounts import selectors, services
from gpuaas.accounts.models import ApiToken, Membership, MembershipRole, Team, User
from gpuaas.audit.models import AuditEvent, AuditLink
from gpuaas.core.admin import ReadOnlyAdmin, TypedAdmin

if TYPE_CHECKING:
    TypedUserAdmin = UserAdmin[User]
else:
    TypedUserAdmin = UserAdmin

admin.site.unregister(Group)  # roles are memberships; groups would be a second truth


@admin.register(User)
class PersonAdmin(TypedUserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "organisation_role", "is_staff")
    list_filter = ("organisation_role", "is_staff", "is_active")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "organisation_role", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined", "is_staff", "is_superuser")

    def save_model(
        self,
        request: HttpRequest,
        obj: User,
        form: "ModelForm[User]",
        change: bool,  # noqa: FBT001 -- Django's signature
    ) -> None:
        """Derive Django's flags: the organisation's role is the one truth."""
        obj.is_superuser = obj.is_platform_admin
        managing = obj.pk and selectors.manages_any(obj, now=timezone.now())
        obj.is_staff = obj.is_superuser or bool(managing)
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002 -- Django's signature
        return False  # people stay in the history: make them inactive


@admin.register(Team)
class TeamAdmin(ReadOnlyAdmin[Team]):
    for_managers = True
    list_display = ("name", "slug", "cost_centre")
    search_fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return selectors.teams_visible_to(_user(request), now=timezone.now())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _user(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Team | None = None) -> bool:  # noqa: ARG002
        return _user(request).is_superuser


@admin.register(Membership)
class MembershipAdmin(TypedAdmin[Membership]):
    """Roles in teams; to end one, let it expire.  Platform administrators only."""

    list_display = ("user", "team", "role", "granted_by", "granted_at", "expires_at")
    list_filter = ("role", "team")
    list_select_related = ("user", "team", "granted_by")
    fields = ("team", "user", "role", "expires_at")
    autocomplete_fields = ("team", "user")

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Membership | None = None,
    ) -> tuple[str, ...]:
        return ("team", "user") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:  # noqa: ARG002
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: Membership,
        form: "ModelForm[Membership]",  # noqa: ARG002
        change: bool,  # noqa: ARG002, FBT001 -- Django's signature
    ) -> None:
        made = services.add_member(
            team=obj.team,
            user=obj.user,
            role=MembershipRole(obj.role),
            granted_by=_user(request),
            now=timezone.now(),
            expires_at=obj.expires_at,
        )
        obj.pk = made.pk


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin[ApiToken]):
    """Whose programs come in, and how to shut one out."""

    list_display = ("name", "person", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("person",)
    search_fields = ("name", "public_id", "person__username")
    exclude = ("digest",)
    actions = ("revoke_chosen",)

    @admin.action(description="Revoke the chosen tokens")
    def revoke_chosen(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        for token in chosen:
            services.revoke_token(token=token, actor=_user(request), now=timezone.now())
        self.message_user(request, f"{len(chosen)} revoked")


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    """The audit trail: to be read, by nobody to be written."""

    for_managers = True
    list_display = ("at", "action", "subject", "actor", "team")
    list_select_related = ("actor", "team")
    # Whole words, which an index finds; a filter would read the table for what it offers.
    search_fields = ("subject__exact", "action__exact")
    search_help_text = "a whole subject (reservation:...) or action (reservation.canceled)"
    ordering = ("-pk",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        return selectors.trail_visible_to(_user(request), now=timezone.now())


@admin.register(AuditLink)
class AuditLinkAdmin(ReadOnlyAdmin[AuditLink]):
    """The chain over the trail, its head first: copy it to where nobody of here can write."""

    list_display = ("position", "event", "digest_in_hex")
    list_select_related = ("event",)
    fields = ("position", "event", "digest_in_hex")

    @admin.display(description="digest")
    def digest_in_hex(self, link: AuditLink) -> str:
        return bytes(link.digest).hex()


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 -- the admin site lets nobody else in
    return request.user
