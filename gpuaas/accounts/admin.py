"""People, teams, memberships, API tokens, and the trail of what happened, in the admin site."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from gpuaas.accounts import selectors, services
from gpuaas.accounts.models import ApiToken, Membership, MembershipRole, Team, User
from gpuaas.audit.models import AuditEvent, AuditLink
from gpuaas.core.admin import ReadOnlyAdmin, ServicesAdmin
from gpuaas.core.errors import DomainError

if TYPE_CHECKING:
    TypedUserAdmin = UserAdmin[User]
    MembershipModelForm = ModelForm[Membership]
else:
    TypedUserAdmin = UserAdmin
    MembershipModelForm = ModelForm

admin.site.unregister(Group)  # roles are memberships; groups would be a second truth


@admin.register(User)
class PersonAdmin(TypedUserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "organisation_role", "is_staff")
    list_filter = ("organisation_role", "is_staff", "is_active")
    show_full_result_count = False
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
        form: "ModelForm[User]",  # noqa: ARG002 -- Django's signature
        change: bool,  # noqa: ARG002, FBT001
    ) -> None:
        services.keep_person(person=obj, actor=_user(request), now=timezone.now())

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 -- Django's signature
        form_url: str = "",
    ) -> HttpResponse:
        """Write down that somebody gave another a password; which one, nowhere."""
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            person = self.get_object(request, id)
            if request.method == "POST" and response.status_code == HTTPStatus.FOUND and person:
                services.note_password(person=person, actor=_user(request), now=timezone.now())
        return response

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:  # noqa: ARG002 -- Django's signature
        return False  # people stay in the history: make them inactive


@admin.register(Team)
class TeamAdmin(ServicesAdmin[Team]):
    """Managers look at their own teams; platform administrators make, change and archive them."""

    list_display = ("name", "slug", "cost_centre", "is_active", "page")
    list_filter = ("is_active",)
    search_fields = ("name", "slug", "cost_centre")
    fields = ("name", "slug", "cost_centre", "description", "is_active")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return selectors.teams_visible_to(_user(request), now=timezone.now())

    def get_fields(self, request: HttpRequest, obj: Team | None = None) -> tuple[str, ...]:  # noqa: ARG002 -- Django's signature
        return self.fields if obj else self.fields[:-1]

    def get_readonly_fields(self, request: HttpRequest, obj: Team | None = None) -> tuple[str, ...]:  # noqa: ARG002
        return ("slug",) if obj else ()

    @admin.display(description="In the portal")
    def page(self, team: Team) -> SafeString:
        return format_html('<a href="{}">Page</a>', reverse("portal:team", args=[team.slug]))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may_enter(request)

    def has_view_permission(self, request: HttpRequest, obj: Team | None = None) -> bool:  # noqa: ARG002
        return _may_enter(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _user(request).is_platform_admin

    def has_change_permission(self, request: HttpRequest, obj: Team | None = None) -> bool:  # noqa: ARG002
        return _user(request).is_platform_admin

    def has_delete_permission(self, request: HttpRequest, obj: Team | None = None) -> bool:  # noqa: ARG002
        return False  # teams stay in the history: archive them

    def save_model(
        self,
        request: HttpRequest,
        obj: Team,
        form: "ModelForm[Team]",
        change: bool,  # noqa: FBT001 -- Django's signature
    ) -> None:
        actor, now = _user(request), timezone.now()
        if change:
            changes = {field: form.cleaned_data[field] for field in form.changed_data}
            services.change_team(team=obj, changes=changes, actor=actor, now=now)
        else:
            obj.pk = services.create_team(**form.cleaned_data, actor=actor, now=now).pk


class MembershipForm(MembershipModelForm):
    """Who is named, not chosen from everybody there is: managers see their own people only."""

    person = forms.CharField(max_length=254, help_text="User name or e-mail address")

    class Meta:
        model = Membership
        fields = ("team", "role", "expires_at")

    def clean_person(self) -> User:
        found = selectors.person_called(self.cleaned_data["person"])
        if found is None:
            raise forms.ValidationError(
                "There is nobody with that user name or address, or more than one."
            )
        return found


@admin.register(Membership)
class MembershipAdmin(ServicesAdmin[Membership]):
    """Roles in teams: of the teams that one manages, or of all for platform administrators."""

    form = MembershipForm
    list_display = ("user", "team", "role", "source", "granted_by", "granted_at", "expires_at")
    list_filter = ("role", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "team", "granted_by")
    search_fields = ("user__username", "user__email", "team__name")
    actions = ("remove_chosen",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return selectors.memberships_managed_by(_user(request), now=timezone.now())

    def get_fields(
        self,
        request: HttpRequest,  # noqa: ARG002 -- Django's signature
        obj: Membership | None = None,
    ) -> tuple[str, ...]:
        return ("team", "user" if obj else "person", "role", "expires_at")

    def get_form(
        self,
        request: HttpRequest,
        obj: Membership | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 -- Django's signature
        **more: Any,
    ) -> "type[ModelForm[Membership]]":
        if obj is not None:
            more["form"] = ModelForm
        return super().get_form(request, obj, change, **more)

    def get_readonly_fields(
        self,
        request: HttpRequest,  # noqa: ARG002
        obj: Membership | None = None,
    ) -> tuple[str, ...]:
        return ("team", "user") if obj else ()

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **more: Any
    ) -> "forms.ModelChoiceField[Any] | None":
        if db_field.name == "team":
            more["queryset"] = selectors.teams_administered_by(_user(request), now=timezone.now())
        return super().formfield_for_foreignkey(db_field, request, **more)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found = super().get_actions(request)
        found.pop("delete_selected", None)  # it would go past the service
        return found

    @admin.action(description="Take the chosen people out of their teams")
    def remove_chosen(self, request: HttpRequest, chosen: QuerySet[Membership]) -> None:
        """Take each out; who has to stay is named, and stays."""
        removed = 0
        for membership in chosen:
            try:
                services.remove_member(
                    membership=membership, actor=_user(request), now=timezone.now()
                )
            except DomainError as refused:
                self.message_user(request, f"{membership}: {refused}", messages.ERROR)
            else:
                removed += 1
        self.message_user(request, f"{removed} taken out")

    def save_model(
        self,
        request: HttpRequest,
        obj: Membership,
        form: "ModelForm[Membership]",
        change: bool,  # noqa: FBT001 -- Django's signature
    ) -> None:
        given: dict[str, Any] = {
            "role": MembershipRole(obj.role),
            "expires_at": obj.expires_at,
            "actor": _user(request),
            "now": timezone.now(),
        }
        if change:
            services.change_member(membership=obj, **given)
        else:
            made = services.invite(team=obj.team, user=form.cleaned_data["person"], **given)
            obj.pk, obj.user = made.pk, made.user

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        services.remove_member(membership=obj, actor=_user(request), now=timezone.now())

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _may_enter(request)

    def has_view_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:  # noqa: ARG002
        return _may_enter(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _may_enter(request)

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:  # noqa: ARG002
        return _may_enter(request)

    def has_delete_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:  # noqa: ARG002
        return _may_enter(request)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin[ApiToken]):
    """Whose programs come in, and how to shut one out."""

    list_display = (
        "name",
        "person",
        "scope",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
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


def _may_enter(request: HttpRequest) -> bool:
    """Return whether the admin site is open to them: what they see in it is narrowed besides."""
    user = request.user
    return isinstance(user, User) and user.is_active and user.is_staff
