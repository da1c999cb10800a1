from typing import Any

import gpuaas.accounts.models
from django.db import migrations, models
from django.db.models import Q


def name_superusers(apps: Any, schema_editor: Any) -> None:
    """Superusers without the role were made by ``createsuperuser``; who lost it is none."""
    people = apps.get_model("accounts", "User").objects
    people.filter(is_superuser=True, organisation_role="").update(
        organisation_role="platform_admin", is_staff=True
    )
    people.filter(is_superuser=True).exclude(organisation_role="platform_admin").update(
        is_superuser=False
    )
    people.filter(is_superuser=False, organisation_role="platform_admin").update(is_superuser=True)


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_team_state'),
    ]

    operations = [
        migrations.RunPython(name_superusers, migrations.RunPython.noop),
        migrations.AlterModelManagers(
            name='user',
            managers=[
                ('objects', gpuaas.accounts.models.UserManager()),
            ],
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(
                condition=Q(is_superuser=True, organisation_role='platform_admin')
                | (Q(is_superuser=False) & ~Q(organisation_role='platform_admin')),
                name='superusers_are_the_platform_administrators',
            ),
        ),
    ]
